/* Units matched by both of their vectors. */
#include "cognate/clones.h"
#include "matching.h"
#include <cblas.h>
#include <math.h>
#include <string.h>

enum { LANES = 16 };

static void cosines(const float *a, int64_t na, const float *b, int64_t nb, int64_t columns, float *out)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)na, (int)nb, (int)columns, 1, a, (int)columns,
                b, (int)columns, 0, out, (int)nb);
}

/* What of row i is larger than what any before it has in that column becomes the column's largest. */
CG_CLONES static void take_row(const float *restrict row, int32_t n, int32_t i, float *restrict most,
                               int32_t *restrict at)
{
    for (int32_t j = 0; j < n; j++) {
        int32_t larger = -(row[j] > most[j]);
        most[j] = row[j] > most[j] ? row[j] : most[j];
        at[j] += (i - at[j]) & larger;
    }
}

CG_CLONES static bool has_larger(const float *row, int32_t n, float value)
{
    int32_t found = 0;
    for (int32_t j = 0; j < n; j++)
        found |= row[j] > value;
    return found != 0;
}

/* For each row its largest column if that column's largest row is this one and the cosine is above 0; -1
 * otherwise. `at` and `most` are room for nb columns. */
static void match_mutually(const float *cosine, int64_t na, int64_t nb, int32_t *match, int32_t *at,
                           float *most)
{
    memset(most, 0, (size_t)nb * sizeof *most);
    memset(at, 0, (size_t)nb * sizeof *at);
    for (int64_t i = 0; i < na; i++) {
        take_row(cosine + i * nb, (int32_t)nb, (int32_t)i, most, at);
        match[i] = -1;
    }
    for (int32_t j = 0; j < nb; j++) {
        int32_t *of = &match[at[j]];
        if (most[j] > 0 && (*of < 0 || most[j] > most[*of]))
            *of = j;
    }
    for (int64_t i = 0; i < na; i++)
        if (match[i] >= 0 && has_larger(cosine + i * nb, (int32_t)nb, most[match[i]]))
            match[i] = -1;
}

/* In lanes that are folded in a fixed order. */
CG_CLONES static float product_of(const float *a, const float *b, int64_t n)
{
    float lane[LANES] = {0};
    int64_t whole = n - n % LANES;
    for (int64_t c = 0; c < whole; c += LANES)
        for (int k = 0; k < LANES; k++)
            lane[k] += a[c + k] * b[c + k];
    for (int64_t c = whole; c < n; c++)
        lane[c - whole] += a[c] * b[c];
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int k = 0; k < width; k++)
            lane[k] += lane[k + width];
    return lane[0];
}

static float cosine_of(const float *a, const float *b, int64_t columns, bool either_sign)
{
    float cosine = product_of(a, b, columns);
    return either_sign ? fabsf(cosine) : cosine;
}

/* Whether none of the rows from `from` to before `end` is nearer to `row` than number `own` of them, of
 * equals the first. */
static bool is_nearest(const float *row, const float *rows, int64_t from, int64_t end, int64_t own,
                       float cosine, int64_t columns, bool either_sign)
{
    for (int64_t j = from; j < end; j++) {
        float other = j == own ? cosine : cosine_of(row, rows + j * columns, columns, either_sign);
        if (other > cosine || (other == cosine && j < own))
            return false;
    }
    return true;
}

/* The second vectors of two blocks, asked about pairs that the first ones made. */
struct question {
    struct cg_signature a, b;
    int64_t columns;
    bool either_sign;
};

static float second_cosine(const struct question *of, int64_t i, int64_t j)
{
    return cosine_of(of->a.by[1] + i * of->columns, of->b.by[1] + j * of->columns, of->columns,
                     of->either_sign);
}

/* Whether units i and j stay each other's nearest among the others' units from `from` to before `end`. */
static bool stay_nearest(const struct question *of, int64_t i, int64_t j, int64_t from, int64_t end)
{
    const float *in_a = of->a.by[1] + i * of->columns, *in_b = of->b.by[1] + j * of->columns;
    float cosine = second_cosine(of, i, j);
    return cosine > 0 &&
           is_nearest(in_a, of->b.by[1], from, end < of->b.n ? end : of->b.n, j, cosine, of->columns,
                      of->either_sign) &&
           is_nearest(in_b, of->a.by[1], from, end < of->a.n ? end : of->a.n, i, cosine, of->columns,
                      of->either_sign);
}

/* Takes away the matches that the second vectors do not make, too. Of strangers' pairs a few products say so
 * of almost every one; where many are left they are asked all at once. */
static void keep_agreeing(const struct question *of, int32_t *match, int32_t *room, float *most,
                          float *cosine)
{
    enum { FEW = 16, SHARE = 8 };
    int64_t na = of->a.n, nb = of->b.n, left = 0;
    for (int64_t i = 0; i < na; i++) {
        if (match[i] >= 0 && !stay_nearest(of, i, match[i], 0, FEW))
            match[i] = -1;
        left += match[i] >= 0;
    }
    if (SHARE * left < na) {
        for (int64_t i = 0; i < na; i++)
            if (match[i] >= 0 && !stay_nearest(of, i, match[i], FEW, na > nb ? na : nb))
                match[i] = -1;
        return;
    }
    cosines(of->a.by[1], na, of->b.by[1], nb, of->columns, cosine);
    for (int64_t k = 0; of->either_sign && k < na * nb; k++)
        cosine[k] = fabsf(cosine[k]);
    match_mutually(cosine, na, nb, room, room + na, most);
    for (int64_t i = 0; i < na; i++)
        match[i] = match[i] == room[i] ? match[i] : -1;
}

struct cg_agreement cg_agree_twice(struct cg_signature a, struct cg_signature b, int64_t columns,
                                   bool either_sign, float *room)
{
    const struct question question = {a, b, columns, either_sign};
    float *cosine = room, *first = cosine + a.n * b.n, *most = first + a.n;
    int32_t *match = (int32_t *)(most + b.n), *others = match + a.n;
    struct cg_agreement out = {0};
    cosines(a.by[0], a.n, b.by[0], b.n, columns, cosine);
    match_mutually(cosine, a.n, b.n, match, others, most);
    for (int64_t i = 0; i < a.n; i++)
        first[i] = match[i] < 0 ? 0 : cosine[i * b.n + match[i]];
    keep_agreeing(&question, match, others, most, cosine);
    for (int64_t i = 0; i < a.n; i++) {
        if (match[i] < 0)
            continue;
        out.units++;
        out.cosine += ((double)first[i] + (double)second_cosine(&question, i, match[i])) / 2;
    }
    return out;
}
