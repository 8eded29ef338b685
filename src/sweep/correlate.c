#include "correlate.h"
#include "cognate/clones.h"
#include "fourier.h"
#include "products.h"
#include <string.h>

/* Two lines are one complex line: of the correlation of two such the real part is the sum of both lines'.
 * Eight lines are transformed at a time. The spectrum is kept by frequency, all members of one together:
 * beside what the lines have at frequency f, the conjugate of what they have at n - f, for the two always
 * meet in conjugate terms. */
enum {
    PLACE = CG_FOURIER_PLACE,
    WIDTH = CG_FOURIER_LINES,
    TOGETHER = 2 * WIDTH,
    SHIFTS = CG_ROLLS,
    FREQUENCIES = 8, /* taken up together */
    TILE = 2         /* members by members, whose sums and values the registers hold */
};
typedef double vector __attribute__((vector_size(WIDTH * sizeof(double))));

struct correlation {
    struct cg_meeting meeting;
    int32_t members;
    int64_t lines, n, row; /* doubles of a member at a frequency */
    double *roots;         /* [2 n] */
    double *line[2];       /* [n * PLACE] of a transform */
    double *spectrum;      /* [n / 2 + 1][members][row] */
    double *products;      /* [meetings][FREQUENCIES][2] conjugate products */
    double *waves;         /* [FREQUENCIES][2][SHIFTS] cosines and sines of frequency times shift */
    int64_t length;        /* of all these */
};

/* The next part of scratch, NULL where there is none yet: then lengths alone are added up. */
static double *cut(double *scratch, int64_t *used, int64_t doubles)
{
    double *part = scratch ? scratch + *used : NULL;
    *used += (doubles + PLACE - 1) / PLACE * PLACE;
    return part;
}

static struct correlation lay_out(const struct cg_panel_shape *shape, struct cg_meeting meeting,
                                  double *scratch)
{
    int64_t n = shape->residual, members = meeting.members;
    struct correlation c = {.meeting = meeting, .members = meeting.members, .lines = shape->lines, .n = n};
    c.row = 2 * ((c.lines + TOGETHER - 1) / TOGETHER) * PLACE;
    c.roots = cut(scratch, &c.length, 2 * n);
    c.line[0] = cut(scratch, &c.length, n * PLACE);
    c.line[1] = cut(scratch, &c.length, n * PLACE);
    c.spectrum = cut(scratch, &c.length, (n / 2 + 1) * members * c.row);
    c.products = cut(scratch, &c.length, cg_meetings(meeting) * FREQUENCIES * 2);
    c.waves = cut(scratch, &c.length, FREQUENCIES * 2 * SHIFTS);
    return c;
}

int64_t cg_correlate_scratch(const struct cg_panel_shape *shape, struct cg_meeting meeting)
{
    return lay_out(shape, meeting, NULL).length;
}

/* Eight lines, or what is left of them and zeros, place by place. */
CG_CLONES static void load_lines(const struct correlation *c, const struct cg_panel *of, int64_t first)
{
    const float *line[TOGETHER];
    const int64_t left = c->lines - first < TOGETHER ? c->lines - first : TOGETHER;
    double *to = c->line[0];
    for (int64_t l = 0; l < TOGETHER; l++)
        line[l] = of->values + (l < left ? first + l : first) * c->n;
    for (int64_t k = 0; k < c->n; k++, to += PLACE)
        for (int64_t l = 0; l < TOGETHER; l++)
            to[l] = (double)line[l][k] - of->mean;
    for (int64_t l = left; l < TOGETHER; l++)
        for (int64_t k = 0; k < c->n; k++)
            c->line[0][k * PLACE + l] = 0;
}

static void keep_spectrum(const struct correlation *c, int32_t member, int64_t first, const double *z)
{
    double *to = c->spectrum + member * c->row + first / TOGETHER * PLACE;
    for (int64_t f = 0; 2 * f <= c->n; f++, to += c->members * c->row) {
        double *mirrored = to + c->row / 2;
        memcpy(to, z + f * PLACE, PLACE * sizeof *to);
        for (int64_t l = 0; l < WIDTH; l++) {
            bool own = f == 0 || 2 * f == c->n;
            mirrored[l] = own ? 0 : z[(c->n - f) * PLACE + l];
            mirrored[WIDTH + l] = own ? 0 : -z[(c->n - f) * PLACE + WIDTH + l];
        }
    }
}

/* Sums over all lines of a conj(b), at one frequency, of members i, i + 1, ... by members j, j + 1, ... */
CG_ALWAYS_INLINE void tile(const int rows, const int columns, const struct correlation *c,
                           const double *spectrum, int64_t at, int32_t i, int32_t j)
{
    vector re[TILE][TILE] = {{{0}}}, im[TILE][TILE] = {{{0}}};
    const double *a = spectrum + i * c->row, *b = spectrum + j * c->row;
    for (int64_t k = 0; k < c->row; k += PLACE) {
        vector x[TILE], y[TILE];
        for (int r = 0; r < rows; r++) {
            x[r] = *(const vector *)(a + k + r * c->row);
            y[r] = *(const vector *)(a + k + r * c->row + WIDTH);
        }
        for (int q = 0; q < columns; q++) {
            vector u = *(const vector *)(b + k + q * c->row),
                   v = *(const vector *)(b + k + q * c->row + WIDTH);
            for (int r = 0; r < rows; r++) {
                re[r][q] += x[r] * u + y[r] * v;
                im[r][q] += y[r] * u - x[r] * v;
            }
        }
    }
    for (int r = 0; r < rows; r++)
        for (int q = 0; q < columns; q++) {
            double *to = c->products + (cg_meeting_index(c->meeting, i + r, j + q) * FREQUENCIES + at) * 2;
            to[0] = (re[r][q][0] + re[r][q][2]) + (re[r][q][1] + re[r][q][3]);
            to[1] = (im[r][q][0] + im[r][q][2]) + (im[r][q][1] + im[r][q][3]);
        }
}

/* The members of two tiles that meet. */
CG_ALWAYS_INLINE void multiply_tiles(const struct correlation *c, const double *spectrum, int64_t at,
                                     int32_t i, int32_t rows, int32_t j, int32_t columns)
{
    if (rows == TILE && columns == TILE)
        tile(TILE, TILE, c, spectrum, at, i, j);
    else if (rows == TILE)
        tile(TILE, 1, c, spectrum, at, i, j);
    else if (columns == TILE)
        tile(1, TILE, c, spectrum, at, i, j);
    else
        tile(1, 1, c, spectrum, at, i, j);
}

static int32_t least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

CG_CLONES static void multiply(const struct correlation *c, int64_t f, int64_t at)
{
    const double *spectrum = c->spectrum + f * c->members * c->row;
    int32_t first = c->meeting.first;
    for (int32_t j = first; j < c->members; j += TILE) {
        int32_t columns = least(TILE, c->members - j), before = first > 0 ? first : j;
        for (int32_t i = 0; i < before; i += TILE)
            multiply_tiles(c, spectrum, at, i, least(TILE, before - i), j, columns);
        if (first == 0 && columns == TILE)
            tile(1, 1, c, spectrum, at, j, j + 1);
    }
}

/* Those of n frequencies from f on. */
static void make_waves(const struct correlation *c, const int64_t *shift, int64_t f, int64_t n)
{
    for (int64_t at = 0; at < n; at++)
        for (int64_t k = 0; k < SHIFTS; k++) {
            const double *root = c->roots + 2 * ((f + at) * shift[k] % c->n);
            c->waves[2 * at * SHIFTS + k] = root[0];
            c->waves[(2 * at + 1) * SHIFTS + k] = root[1];
        }
}

/* What n frequencies add to a pair's sums. */
CG_CLONES static void add_waves(const double *restrict waves, const double *restrict products, int64_t n,
                                double *restrict out)
{
    double sum[SHIFTS];
    memcpy(sum, out, sizeof sum);
    for (int64_t at = 0; at < n; at++)
        for (int k = 0; k < SHIFTS; k++)
            sum[k] += products[2 * at] * waves[2 * at * SHIFTS + k] -
                      products[2 * at + 1] * waves[(2 * at + 1) * SHIFTS + k];
    memcpy(out, sum, sizeof sum);
}

void cg_correlate(const struct cg_panel_shape *shape, const struct cg_panel *panels,
                  struct cg_meeting meeting, const int64_t shift[SHIFTS], double *scratch, double *out)
{
    struct correlation c = lay_out(shape, meeting, scratch);
    int64_t pairs = cg_meetings(meeting), n = c.n;
    cg_fourier_roots(n, c.roots);
    for (int32_t m = 0; m < c.members; m++)
        for (int64_t first = 0; first < c.lines; first += TOGETHER) {
            load_lines(&c, &panels[m], first);
            keep_spectrum(&c, m, first, cg_fourier(n, c.roots, c.line[0], c.line[1]));
        }
    memset(out, 0, (size_t)(pairs * SHIFTS) * sizeof *out);
    for (int64_t f = 0; 2 * f <= n; f += FREQUENCIES) {
        int64_t left = n / 2 + 1 - f, some = left < FREQUENCIES ? left : FREQUENCIES;
        make_waves(&c, shift, f, some);
        for (int64_t at = 0; at < some; at++)
            multiply(&c, f + at, at);
        for (int64_t p = 0; p < pairs; p++)
            add_waves(c.waves, c.products + p * FREQUENCIES * 2, some, out + p * SHIFTS);
    }
    for (int64_t k = 0; k < pairs * SHIFTS; k++)
        out[k] /= (double)n;
}
