#include "source.h"
#include "cognate/mem.h"
#include "evidence/matching.h"
#include "pack.h"
#include "sweep/kernels.h"
#include "take.h"
#include <math.h>
#include <stdlib.h>

enum { LEAST_PROBES = 64, TOGETHER = 8 };

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static const struct cg_ffn_block *block_of(const struct cg_source *source, int side, int32_t i)
{
    return &source->of->blocks[side][i];
}

static int64_t units_of(const struct cg_source *source, int side, int32_t i)
{
    const struct cg_print_source *self = source->self;
    return least(self->print[side]->blocks.units[self->kept[side][i]], block_of(source, side, i)->units);
}

/* Where the `wanted` that cg_pick picks of `all` stand among the `stored` that it picks; on the heap. */
static int64_t *find_positions(int64_t all, int64_t stored, int64_t wanted, uint64_t seed, struct cg_err *err)
{
    int64_t *out = cg_new((size_t)(wanted + stored), sizeof *out, err), *from = out + wanted;
    for (int64_t i = 0; out && wanted == stored && i < wanted; i++)
        out[i] = i;
    if (out && wanted == stored)
        return out;
    if (!out || cg_pick(from, all, stored, seed, err) < 0 || cg_pick(out, all, wanted, seed, err) < 0) {
        free(out);
        return NULL;
    }
    for (int64_t i = 0, k = 0; i < wanted; i++) {
        while (k + 1 < stored && from[k] < out[i])
            k++;
        out[i] = k;
    }
    return out;
}

/* The same, valid until CG_KNOWN_POSITIONS others were asked for. */
static const int64_t *positions_of(struct cg_print_source *self, int64_t all, int64_t stored, int64_t wanted,
                                   uint64_t seed, struct cg_err *err)
{
    stored = least(stored, all);
    for (int k = 0; k < CG_KNOWN_POSITIONS; k++) {
        const struct cg_positions *known = &self->known[k];
        if (known->at && known->all == all && known->stored == stored && known->wanted == wanted &&
            known->seed == seed)
            return known->at;
    }
    struct cg_positions *out = &self->known[self->next];
    self->next = (self->next + 1) % CG_KNOWN_POSITIONS;
    free(out->at);
    *out = (struct cg_positions){all, stored, wanted, seed, find_positions(all, stored, wanted, seed, err)};
    return out->at;
}

/* Row `row` of one of the prints' packed arrays, whose rows have `stride` numbers. */
static void pick(float *out, const int16_t *packed, const float *scale, int64_t row, int64_t stride,
                 const int64_t *columns, int64_t n)
{
    cg_row_pick(out, packed + row * stride, scale[row], columns, n);
}

static int take_raw(struct cg_source *source, int side, int32_t i, float *out, int64_t half_size,
                    struct cg_err *err)
{
    struct cg_print_source *self = source->self;
    const struct cg_fingerprint *print = self->print[side];
    int64_t k = self->kept[side][i], units = print->root.size_value[CG_PRINT_UNITS_NUMBER];
    int64_t width = block_of(source, side, i)->width, stored = print->size[CG_PRINT_COLUMN];
    int64_t n = units_of(source, side, i), ncolumns = least(width, source->sizes.columns);
    const int64_t *columns = positions_of(self, width, stored, ncolumns, CG_PICK_COLUMNS, err);
    for (int half = 0; columns && half < 2; half++) {
        for (int64_t u = 0; u < n; u++)
            pick(out + half * half_size + u * ncolumns, print->blocks.raw, print->blocks.raw_scale,
                 (2 * k + half) * units + u, stored, columns, ncolumns);
        cg_rows_to_units(out + half * half_size, n, ncolumns);
    }
    return columns ? 0 : -1;
}

static void take_probe(struct cg_source *source, int side, int32_t i, float *out, int64_t half_size)
{
    const struct cg_print_source *self = source->self;
    const struct cg_fingerprint *print = self->print[side];
    int64_t k = self->kept[side][i], units = print->root.size_value[CG_PRINT_UNITS_NUMBER];
    int64_t n = units_of(source, side, i), tokens = source->sizes.tokens;
    const int32_t *at = self->answered.at[side];
    for (int half = 0; half < 2; half++) {
        for (int64_t u = 0; u < n; u++) {
            int64_t row = (2 * k + half) * units + u;
            const int16_t *answers = print->blocks.probes + row * print->size[CG_PRINT_PROBE];
            for (int64_t t = 0; t < tokens; t++)
                out[half * half_size + u * tokens + t] =
                    (float)answers[at[t]] * print->blocks.probes_scale[row];
        }
        cg_rows_to_units(out + half * half_size, n, tokens);
    }
}

static int take_gram(struct cg_source *source, int side, int32_t i, float *out, struct cg_err *err)
{
    struct cg_print_source *self = source->self;
    const struct cg_fingerprint *print = self->print[side];
    int64_t k = self->kept[side][i], square = print->size[CG_PRINT_PRODUCT_COLUMN];
    int64_t units = block_of(source, side, i)->units, n = least(units, source->sizes.square);
    const int64_t *at = positions_of(self, units, square, n, CG_PICK_ROWS, err);
    for (int64_t u = 0; at && u < n; u++)
        pick(out + u * n, print->blocks.products, print->blocks.products_scale, k * square + at[u], square,
             at, n);
    if (!at)
        return -1;
    cg_square_to_unit(out, n);
    return 0;
}

static int take(struct cg_source *source, enum cg_statistic what, int side, int32_t block, float *out,
                int64_t half, struct cg_err *err)
{
    switch (what) {
    case CG_STATISTIC_RAW:
        return take_raw(source, side, block, out, half, err);
    case CG_STATISTIC_PROBE:
        take_probe(source, side, block, out, half);
        return 0;
    default:
        return take_gram(source, side, block, out, err);
    }
}

static int take_rows(struct cg_source *source, int side, int32_t i, int half, int64_t n, int64_t ncolumns,
                     float *out, struct cg_err *err)
{
    struct cg_print_source *self = source->self;
    const struct cg_fingerprint *print = self->print[side];
    const struct cg_ffn_block *block = block_of(source, side, i);
    int64_t k = self->kept[side][i], rows = print->root.size_value[CG_PRINT_EXACT_ROWS_NUMBER];
    int64_t stored = print->size[CG_PRINT_EXACT_COLUMN];
    const int64_t *row_at = positions_of(self, block->units, rows, n, CG_PICK_ROWS, err);
    const int64_t *column_at =
        row_at ? positions_of(self, block->width, stored, ncolumns, CG_PICK_COLUMNS, err) : NULL;
    for (int64_t r = 0; column_at && r < n; r++)
        pick(out + r * ncolumns, print->blocks.exact, print->blocks.exact_scale,
             (2 * k + half) * rows + row_at[r], stored, column_at, ncolumns);
    return column_at ? 0 : -1;
}

/* Eight rows at a time, so that what is written lies side by side. */
static int take_token_columns(struct cg_source *source, int side, int64_t n, int64_t ncolumns, float *out,
                              struct cg_err *err)
{
    struct cg_print_source *self = source->self;
    const struct cg_fingerprint *print = self->print[side];
    int64_t stored = print->size[CG_PRINT_SAMPLE_COLUMN];
    const int64_t *columns = positions_of(self, source->width[side], stored, ncolumns, CG_PICK_ROWS, err);
    for (int64_t first = 0; columns && first < n; first += TOGETHER) {
        int64_t some = least(n - first, TOGETHER);
        for (int64_t c = 0; c < ncolumns; c++)
            for (int64_t i = first; i < first + some; i++) {
                int64_t row = self->all.at[side][i];
                out[c * n + i] =
                    (float)print->tokens.row[row * stored + columns[c]] * print->tokens.row_scale[row];
            }
    }
    return columns ? 0 : -1;
}

/* Products of rows less their mean, from products of rows less another one's: every row and column of the
 * matrix loses its mean. */
static void centre(float *square, const double *mean, double whole, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            square[i * n + j] = (float)((double)square[i * n + j] - mean[i] - mean[j] + whole);
}

/* A row's elements at n places, times its scale; their sum. */
static int64_t gather(float *out, const int16_t *row, float scale, const int32_t *at, int64_t n)
{
    int64_t sum = 0;
    for (int64_t j = 0; j < n; j++) {
        out[j] = (float)row[at[j]] * scale;
        sum += row[at[j]];
    }
    return sum;
}

static int take_token_gram(struct cg_source *source, int side, int64_t n, float *out, struct cg_err *err)
{
    const struct cg_print_source *self = source->self;
    const struct cg_fingerprint *print = self->print[side];
    const int32_t *at = self->multiplied.at[side];
    double *mean = cg_new((size_t)n, sizeof *mean, err), whole = 0;
    if (!mean)
        return -1;
    for (int64_t i = 0; i < n; i++) {
        const int16_t *row = print->tokens.gram + at[i] * print->size[CG_PRINT_GRAM_COLUMN];
        float scale = print->tokens.gram_scale[at[i]];
        mean[i] = (double)gather(out + i * n, row, scale, at, n) * (double)scale / (double)n;
        whole += mean[i] / (double)n;
    }
    centre(out, mean, whole, n);
    free(mean);
    return 0;
}

struct place {
    int64_t id;
    int32_t at;
};

static int by_id(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* The sample of one side by id; on the heap. */
static struct place *index_sample(const struct cg_fingerprint *print, struct cg_err *err)
{
    size_t n = (size_t)print->size[CG_PRINT_SAMPLE];
    struct place *places = cg_new(n, sizeof *places, err);
    for (size_t i = 0; places && i < n; i++)
        places[i] = (struct place){print->tokens.sample_id[i], (int32_t)i};
    if (places && n > 0)
        qsort(places, n, sizeof *places, by_id);
    return places;
}

static int32_t find(const struct place *places, const struct cg_fingerprint *print, int64_t id)
{
    const struct place key = {id, 0};
    size_t n = (size_t)print->size[CG_PRINT_SAMPLE];
    const struct place *found = n > 0 ? bsearch(&key, places, n, sizeof *places, by_id) : NULL;
    return found ? found->at : -1;
}

struct both {
    int32_t at[2];
};

static int by_place(const void *a, const void *b)
{
    const struct both *x = a, *y = b;
    return (x->at[0] > y->at[0]) - (x->at[0] < y->at[0]);
}

/* Of the n pairs those within both limits. */
static int keep_within(struct cg_shared_sample *out, const struct both *pairs, int64_t n, int64_t limit_a,
                       int64_t limit_b, struct cg_err *err)
{
    for (int side = 0; side < 2; side++)
        if (!(out->at[side] = cg_new((size_t)n, sizeof *out->at[side], err)))
            return -1;
    for (int64_t i = 0; i < n; i++)
        if (pairs[i].at[0] < limit_a && pairs[i].at[1] < limit_b) {
            out->at[0][out->n] = pairs[i].at[0];
            out->at[1][out->n++] = pairs[i].at[1];
        }
    return 0;
}

static int keep_samples(struct cg_print_source *self, const struct both *pairs, int64_t n, struct cg_err *err)
{
    const int64_t *a = self->print[0]->size, *b = self->print[1]->size;
    if (keep_within(&self->all, pairs, n, a[CG_PRINT_SAMPLE], b[CG_PRINT_SAMPLE], err) < 0 ||
        keep_within(&self->answered, pairs, n, a[CG_PRINT_PROBE], b[CG_PRINT_PROBE], err) < 0)
        return -1;
    return keep_within(&self->multiplied, pairs, n, a[CG_PRINT_GRAM], b[CG_PRINT_GRAM], err);
}

/* Aligned tokens that are in both samples, in the order of a's. */
static int share_samples(struct cg_print_source *self, const struct cg_alignment *alignment,
                         struct cg_err *err)
{
    struct place *places[2] = {index_sample(self->print[0], err), index_sample(self->print[1], err)};
    struct both *pairs = cg_new((size_t)alignment->shared, sizeof *pairs, err);
    int64_t n = 0;
    int result = places[0] && places[1] && pairs ? 0 : -1;
    for (int64_t i = 0; result == 0 && i < alignment->shared; i++) {
        struct both pair = {{find(places[0], self->print[0], alignment->id_a[i]),
                             find(places[1], self->print[1], alignment->id_b[i])}};
        if (pair.at[0] >= 0 && pair.at[1] >= 0)
            pairs[n++] = pair;
    }
    if (result == 0 && n > 0)
        qsort(pairs, (size_t)n, sizeof *pairs, by_place);
    if (result == 0)
        result = keep_samples(self, pairs, n, err);
    free(places[0]);
    free(places[1]);
    free(pairs);
    return result;
}

/* What both sides have of everything. */
static struct cg_sizes common_sizes(const struct cg_print_source *self, const int64_t width[2])
{
    const int64_t *a = self->print[0]->root.size_value, *b = self->print[1]->root.size_value;
    int64_t rows = least(a[CG_PRINT_EXACT_ROWS_NUMBER], b[CG_PRINT_EXACT_ROWS_NUMBER]);
    for (int side = 0; side < 2; side++)
        if (width[side] > 0) /* the columns of embeddings are rows of an exact test, too */
            rows = least(rows, self->print[side]->size[CG_PRINT_SAMPLE_COLUMN]);
    return (struct cg_sizes){
        .units = a[CG_PRINT_UNITS_NUMBER] > b[CG_PRINT_UNITS_NUMBER] ? a[CG_PRINT_UNITS_NUMBER]
                                                                     : b[CG_PRINT_UNITS_NUMBER],
        .columns = least(a[CG_PRINT_COLUMNS_NUMBER], b[CG_PRINT_COLUMNS_NUMBER]),
        .tokens = self->answered.n,
        .square = least(a[CG_PRINT_SQUARE_NUMBER], b[CG_PRINT_SQUARE_NUMBER]),
        .exact_rows = rows,
        .exact_columns = least(a[CG_PRINT_EXACT_COLUMNS_NUMBER], b[CG_PRINT_EXACT_COLUMNS_NUMBER]),
        .exact_tokens = self->all.n,
        .gram_tokens = self->multiplied.n};
}

int cg_print_source_init(struct cg_print_source *self, struct cg_source *out, const struct cg_kinship *of,
                         const struct cg_fingerprint *const print[2], int32_t *const kept[2],
                         const int64_t width[2], const struct cg_alignment *alignment, struct cg_kept *rows,
                         struct cg_err *err)
{
    *self = (struct cg_print_source){.print = {print[0], print[1]}, .kept = {kept[0], kept[1]}};
    if (share_samples(self, alignment, err) < 0)
        return -1;
    struct cg_sizes sizes = common_sizes(self, width);
    *out = (struct cg_source){.self = self,
                              .of = of,
                              .sizes = sizes,
                              .shared_tokens = least(self->all.n, self->multiplied.n),
                              .width = {width[0], width[1]},
                              .probes = sizes.tokens >= LEAST_PROBES,
                              .kept = rows,
                              .answered = self->answered.at[0],
                              .units = units_of,
                              .take = take,
                              .rows = take_rows,
                              .token_columns = take_token_columns,
                              .token_gram = take_token_gram};
    return 0;
}

struct cg_kept *cg_fingerprint_keep(struct cg_err *err)
{
    return cg_new(1, sizeof(struct cg_kept), err);
}

void cg_fingerprint_forget(struct cg_kept *kept)
{
    if (kept)
        cg_kept_release(kept);
    free(kept);
}

void cg_print_source_release(struct cg_print_source *self)
{
    struct cg_shared_sample *samples[] = {&self->all, &self->answered, &self->multiplied};
    for (int side = 0; side < 2; side++) {
        free(self->kept[side]);
        for (size_t k = 0; k < sizeof samples / sizeof *samples; k++)
            free(samples[k]->at[side]);
    }
    for (int k = 0; k < CG_KNOWN_POSITIONS; k++)
        free(self->known[k].at);
    *self = (struct cg_print_source){0};
}

/* The rows of shared token i, less `means` where there are any. */
static void take_token(const struct cg_print_source *self, int64_t i, const double *means, int64_t columns,
                       double *rows)
{
    for (int side = 0; side < 2; side++) {
        const struct cg_fingerprint *print = self->print[side];
        int64_t row = self->all.at[side][i];
        cg_row_widen(rows + side * columns, print->tokens.row + row * columns, print->tokens.row_scale[row],
                     columns);
    }
    for (int64_t c = 0; means && c < 2 * columns; c++)
        rows[c] -= means[c];
}

struct sums {
    double product, squares[2];
};

static void add_token(struct sums *sums, const double *rows, int64_t columns)
{
    size_t n = (size_t)columns;
    sums->product += cg_block_product(rows, rows + columns, n);
    sums->squares[0] += cg_block_product(rows, rows, n);
    sums->squares[1] += cg_block_product(rows + columns, rows + columns, n);
}

static double cosine_of(const struct sums *sums)
{
    double scale = sqrt(sums->squares[0]) * sqrt(sums->squares[1]);
    return scale > 0 ? fmax(-1, fmin(1, sums->product / scale)) : NAN;
}

int cg_print_token_cosines(const struct cg_print_source *self, struct cg_token_cosines *out,
                           struct cg_err *err)
{
    int64_t n = self->all.n, columns = self->print[0]->size[CG_PRINT_SAMPLE_COLUMN];
    struct sums plain = {0}, centred = {0};
    if (columns != self->print[1]->size[CG_PRINT_SAMPLE_COLUMN])
        return 0;
    double *rows = cg_new((size_t)(4 * columns), sizeof *rows, err), *means = rows + 2 * columns;
    if (!rows)
        return -1;
    for (int64_t i = 0; i < n; i++) {
        take_token(self, i, NULL, columns, rows);
        add_token(&plain, rows, columns);
        for (int64_t c = 0; c < 2 * columns; c++)
            means[c] += rows[c];
    }
    for (int64_t c = 0; c < 2 * columns; c++)
        means[c] /= (double)n;
    for (int64_t i = 0; i < n; i++) {
        take_token(self, i, means, columns, rows);
        add_token(&centred, rows, columns);
    }
    free(rows);
    out->whole_cosine = cosine_of(&plain);
    out->whole_centred = cosine_of(&centred);
    return 0;
}
