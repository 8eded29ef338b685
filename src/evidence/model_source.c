/* Samples of two models of a run, read from their files. */
#include "cognate/mem.h"
#include "matching.h"
#include "source.h"
#include <cblas.h>
#include <math.h>
#include <stdlib.h>

enum { LEAST_PROBES = 64 };

struct cg_model_source {
    struct cg_fetch *fetch;
    const struct cg_longest *longest;
    int model[2];
    const struct cg_kinship *of;
    const struct cg_alignment *alignment;
    int64_t embedding[2]; /* slots, -1: none */
    int64_t **chosen[2];  /* [nblocks] units of the signatures that were taken */
    float *probes[2];     /* [sizes.tokens * width] normalised embeddings */
    float *rows, *others; /* room */
};

static const struct cg_ffn_block *block_of(const struct cg_source *source, int side, int32_t i)
{
    return &source->of->blocks[side][i];
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t units_of(const struct cg_source *source, int side, int32_t i)
{
    return least(block_of(source, side, i)->units, source->sizes.units);
}

/* Units' vectors by one of the projections, whole. */
static int fetch_half(struct cg_source *source, int side, const struct cg_ffn_block *block, int half,
                      const int64_t *units, int64_t n, float *out, struct cg_err *err)
{
    struct cg_model_source *self = source->self;
    return cg_fetch_units(out, self->fetch, block, half, self->model[side], units, n, NULL, block->width,
                          err);
}

static int take_raw(struct cg_source *source, int side, int32_t i, float *out, int64_t half_size,
                    struct cg_err *err)
{
    struct cg_model_source *self = source->self;
    const struct cg_ffn_block *block = block_of(source, side, i);
    int64_t n = units_of(source, side, i), ncolumns = least(block->width, source->sizes.columns);
    int64_t *chosen = self->chosen[side][i] = cg_new((size_t)n, sizeof *chosen, err);
    int64_t *columns = chosen ? cg_new((size_t)ncolumns, sizeof *columns, err) : NULL;
    int result = columns ? cg_pick(columns, block->width, ncolumns, CG_PICK_COLUMNS, err) : -1;
    if (result == 0)
        cg_choose_units(chosen, self->longest, block, self->model[side], n);
    for (int half = 0; result == 0 && half < 2; half++) {
        result = cg_fetch_units(out + half * half_size, self->fetch, block, half, self->model[side], chosen,
                                n, columns, ncolumns, err);
        cg_rows_to_units(out + half * half_size, n, ncolumns);
    }
    free(columns);
    return result;
}

/* Answers of n vectors of `width` to the probes. */
static void answer(const struct cg_source *source, int side, const float *vectors, int64_t n, int64_t width,
                   float *out)
{
    const struct cg_model_source *self = source->self;
    int64_t tokens = source->sizes.tokens;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)tokens, (int)width, 1, vectors,
                (int)width, self->probes[side], (int)width, 0, out, (int)tokens);
}

static int take_probe(struct cg_source *source, int side, int32_t i, float *out, int64_t half_size,
                      struct cg_err *err)
{
    struct cg_model_source *self = source->self;
    const struct cg_ffn_block *block = block_of(source, side, i);
    int64_t n = units_of(source, side, i);
    for (int half = 0; half < 2; half++) {
        if (fetch_half(source, side, block, half, self->chosen[side][i], n, self->rows, err) < 0)
            return -1;
        answer(source, side, self->rows, n, block->width, out + half * half_size);
        cg_rows_to_units(out + half * half_size, n, source->sizes.tokens);
    }
    return 0;
}

/* The Gram matrix of a sample of units that depends on their number alone. */
static int take_gram(struct cg_source *source, int side, int32_t i, float *out, struct cg_err *err)
{
    struct cg_model_source *self = source->self;
    const struct cg_ffn_block *block = block_of(source, side, i);
    int64_t n = least(block->units, source->sizes.square), width = block->width;
    int64_t *units = cg_new((size_t)n, sizeof *units, err);
    int result = units ? cg_pick(units, block->units, n, CG_PICK_ROWS, err) : -1;
    if (result == 0)
        result = fetch_half(source, side, block, 0, units, n, self->rows, err);
    if (result == 0)
        result = fetch_half(source, side, block, 1, units, n, self->others, err);
    if (result == 0) {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)n, (int)width, 1, self->rows,
                    (int)width, self->others, (int)width, 0, out, (int)n);
        cg_square_to_unit(out, n);
    }
    free(units);
    return result;
}

static int take(struct cg_source *source, enum cg_statistic what, int side, int32_t block, float *out,
                int64_t half, struct cg_err *err)
{
    switch (what) {
    case CG_STATISTIC_RAW:
        return take_raw(source, side, block, out, half, err);
    case CG_STATISTIC_PROBE:
        return take_probe(source, side, block, out, half, err);
    default:
        return take_gram(source, side, block, out, err);
    }
}

static int take_rows(struct cg_source *source, int side, int32_t i, int half, int64_t n, int64_t ncolumns,
                     float *out, struct cg_err *err)
{
    struct cg_model_source *self = source->self;
    const struct cg_ffn_block *block = block_of(source, side, i);
    int64_t *rows = cg_new((size_t)(n + ncolumns), sizeof *rows, err), *columns = rows + n;
    int result = rows ? cg_pick(rows, block->units, n, CG_PICK_ROWS, err) : -1;
    if (result == 0)
        result = cg_pick(columns, block->width, ncolumns, CG_PICK_COLUMNS, err);
    if (result == 0)
        result =
            cg_fetch_units(out, self->fetch, block, half, self->model[side], rows, n, columns, ncolumns, err);
    free(rows);
    return result;
}

static int take_router(struct cg_source *source, int side, const struct cg_ffn_block *router, bool tokens,
                       float *out, struct cg_err *err)
{
    int64_t n = router->units, width = router->width;
    if (!tokens)
        return fetch_half(source, side, router, 0, NULL, n, out, err);
    float *rows = cg_new((size_t)(n * width), sizeof *rows, err);
    int result = rows ? fetch_half(source, side, router, 0, NULL, n, rows, err) : -1;
    if (result == 0)
        answer(source, side, rows, n, width, out);
    free(rows);
    return result;
}

/* Row i of n shared tokens, evenly spread over those of the alignment. */
static int fetch_token(struct cg_source *source, int side, int64_t i, int64_t n, float *out,
                       struct cg_err *err)
{
    struct cg_model_source *self = source->self;
    const int64_t *ids = side == 0 ? self->alignment->id_a : self->alignment->id_b;
    return cg_fetch_rows(self->fetch, self->embedding[side], self->model[side],
                         &ids[i * self->alignment->shared / n], 1, out, err);
}

static int fetch_tokens(struct cg_source *source, int side, int64_t n, float *out, struct cg_err *err)
{
    for (int64_t i = 0; i < n; i++)
        if (fetch_token(source, side, i, n, out + i * source->width[side], err) < 0)
            return -1;
    return 0;
}

static int take_token_columns(struct cg_source *source, int side, int64_t n, int64_t ncolumns, float *out,
                              struct cg_err *err)
{
    int64_t width = source->width[side], *columns = cg_new((size_t)ncolumns, sizeof *columns, err);
    float *row = columns ? cg_new((size_t)width, sizeof *row, err) : NULL;
    int result = row ? cg_pick(columns, width, ncolumns, CG_PICK_ROWS, err) : -1;
    for (int64_t i = 0; result == 0 && i < n; i++) {
        result = fetch_token(source, side, i, n, row, err);
        for (int64_t c = 0; c < ncolumns; c++)
            out[c * n + i] = row[columns[c]];
    }
    free(row);
    free(columns);
    return result;
}

static int take_token_gram(struct cg_source *source, int side, int64_t n, float *out, struct cg_err *err)
{
    int64_t width = source->width[side];
    float *rows = cg_new((size_t)(n * width), sizeof *rows, err);
    int result = rows ? fetch_tokens(source, side, n, rows, err) : -1;
    if (result == 0) {
        cg_take_mean_row(rows, n, width);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)n, (int)width, 1, rows, (int)width,
                    rows, (int)width, 0, out, (int)n);
    }
    free(rows);
    return result;
}

/* An embedding as the norm before a block scales it: over its root mean square, a LayerNorm's without its
 * mean. */
static void normalise(float *row, int64_t width, bool layer_norm)
{
    double sum = 0, squares = 0;
    for (int64_t c = 0; layer_norm && c < width; c++)
        sum += (double)row[c];
    double mean = sum / (double)width;
    for (int64_t c = 0; c < width; c++)
        squares += ((double)row[c] - mean) * ((double)row[c] - mean);
    double scale = squares > 0 ? 1 / sqrt(squares / (double)width) : 0;
    for (int64_t c = 0; c < width; c++)
        row[c] = (float)(((double)row[c] - mean) * scale);
}

/* Embeddings of the probes, normalised, where every block of both reads such rows. */
static int take_embeddings(struct cg_source *source, struct cg_err *err)
{
    struct cg_model_source *self = source->self;
    int64_t n = source->sizes.tokens;
    source->probes = n >= LEAST_PROBES && source->width[0] > 0 && source->width[1] > 0;
    for (int side = 0; side < 2; side++)
        for (int32_t i = 0; i < source->of->nblocks[side]; i++)
            source->probes = source->probes && block_of(source, side, i)->width == source->width[side];
    for (int side = 0; source->probes && side < 2; side++) {
        int64_t width = source->width[side];
        float *rows = self->probes[side] = cg_new((size_t)(n * width), sizeof(float), err);
        if (!rows || fetch_tokens(source, side, n, rows, err) < 0)
            return -1;
        for (int64_t i = 0; i < n; i++)
            normalise(rows + i * width, width, block_of(source, side, 0)->layer_norm);
    }
    return 0;
}

static int allocate(struct cg_model_source *self, const struct cg_source *source, struct cg_err *err)
{
    const struct cg_sizes *sizes = &source->sizes;
    int64_t widest = 0, rows = sizes->units > sizes->square ? sizes->units : sizes->square;
    for (int side = 0; side < 2; side++) {
        int32_t n = source->of->nblocks[side];
        if (!(self->chosen[side] = cg_new((size_t)n, sizeof *self->chosen[side], err)))
            return -1;
        for (int32_t i = 0; i < n; i++)
            if (block_of(source, side, i)->width > widest)
                widest = block_of(source, side, i)->width;
    }
    if (!(self->rows = cg_new((size_t)(rows * widest), sizeof(float), err)) ||
        !(self->others = cg_new((size_t)(sizes->square * widest), sizeof(float), err)))
        return -1;
    return 0;
}

struct cg_model_source *cg_model_source_create(struct cg_source *out, struct cg_fetch *fetch,
                                               const struct cg_longest *longest, const int model[2],
                                               const struct cg_kinship *of, int64_t places,
                                               const struct cg_alignment *alignment, struct cg_err *err)
{
    struct cg_model_source *self = cg_new(1, sizeof *self, err);
    if (!self)
        return NULL;
    *self = (struct cg_model_source){
        .fetch = fetch, .longest = longest, .model = {model[0], model[1]}, .of = of, .alignment = alignment};
    *out = (struct cg_source){.self = self,
                              .of = of,
                              .sizes = cg_sizes_for(of, places, alignment->shared),
                              .shared_tokens = alignment->shared,
                              .units = units_of,
                              .take = take,
                              .rows = take_rows,
                              .router = take_router,
                              .token_columns = take_token_columns,
                              .token_gram = take_token_gram};
    for (int side = 0; side < 2; side++) {
        int64_t slot = self->embedding[side] = cg_embedding_slot(fetch->models, fetch->anatomy, model[side]);
        out->width[side] = slot < 0 ? 0 : cg_member_of(fetch->anatomy, slot, model[side])->columns;
    }
    if (allocate(self, out, err) < 0 || (of->ncells > 0 && take_embeddings(out, err) < 0)) {
        cg_model_source_destroy(self);
        return NULL;
    }
    return self;
}

void cg_model_source_destroy(struct cg_model_source *source)
{
    if (!source)
        return;
    for (int side = 0; side < 2; side++) {
        free(source->probes[side]);
        for (int32_t i = 0; source->chosen[side] && i < source->of->nblocks[side]; i++)
            free(source->chosen[side][i]);
        free(source->chosen[side]);
    }
    free(source->rows);
    free(source->others);
    free(source);
}
