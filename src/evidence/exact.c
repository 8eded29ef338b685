#include "exact.h"
#include "cognate/mem.h"
#include "matching.h"
#include "sweep/kernels.h"
#include <math.h>
#include <stdlib.h>

enum { LEAST_TOKENS = 64 };
/* Cells tested of a pair, at most: those in one place are then thinned evenly. */
enum { MOST_TESTS = 256 };
enum { SAMPLE, FIXED, FIELDS = FIXED + 2 };

struct session {
    struct cg_source *source;
    struct cg_kinship *out;
    int64_t ntests, *tests; /* cells */
    double *table; /* [(ntests + 1) * FIELDS]; the last row is the embeddings': columns, F, token_gram */
};

static const struct cg_ffn_block *block_of(const struct cg_kinship *out, int side, int32_t i)
{
    return &out->blocks[side][i];
}

static bool same_shape(const struct cg_kinship *out, const struct cg_cell *cell)
{
    const struct cg_ffn_block *a = block_of(out, 0, cell->a), *b = block_of(out, 1, cell->b);
    return cg_blocks_comparable(a, b) && a->units == b->units && a->width == b->width;
}

static bool same_place(const struct cg_kinship *out, const struct cg_cell *cell)
{
    const struct cg_ffn_block *a = block_of(out, 0, cell->a), *b = block_of(out, 1, cell->b);
    return a->layer == b->layer && a->expert == b->expert && a->shared == b->shared;
}

/* Cells in one place; and of each block of b the cell of the largest raw K, where that is large. Cells stand
 * by b, then by a. */
static int list_tests(struct session *session, struct cg_err *err)
{
    const struct cg_kinship *out = session->out;
    int64_t n = 0;
    if (!(session->tests = cg_new((size_t)out->nblocks[1] * 2, sizeof(int64_t), err)))
        return -1;
    for (int64_t c = 0, best = -1; c < out->ncells; c++) {
        const struct cg_cell *cell = &out->cells[c];
        if (same_shape(out, cell)) {
            if (same_place(out, cell))
                session->tests[n++] = c;
            if (cell->raw > (best < 0 ? CG_LARGEST_CONTROL : out->cells[best].raw))
                best = c;
        }
        if (c + 1 < out->ncells && out->cells[c + 1].b == cell->b)
            continue;
        if (best >= 0 && !same_place(out, &out->cells[best]))
            session->tests[n++] = best;
        best = -1;
    }
    session->out->testable = n;
    int64_t step = (n + MOST_TESTS - 1) / MOST_TESTS;
    for (int64_t i = 0; step > 1 && i * step < n; i++)
        session->tests[session->ntests++] = session->tests[i * step];
    if (step <= 1)
        session->ntests = n;
    return 0;
}

/* Rows of both sides, and room for their assignment. */
struct sample {
    int64_t n, ncolumns;
    float *values[2], *room;
};

static int sample_init(struct sample *sample, int64_t n, int64_t ncolumns, struct cg_err *err)
{
    *sample = (struct sample){.n = n, .ncolumns = ncolumns};
    if (!(sample->values[0] = cg_new_aligned((size_t)(n * ncolumns), sizeof(float), err)) ||
        !(sample->values[1] = cg_new_aligned((size_t)(n * ncolumns), sizeof(float), err)) ||
        !(sample->room = cg_new_aligned((size_t)(n * n + n * ncolumns), sizeof(float), err)))
        return -1;
    return 0;
}

static void sample_release(struct sample *sample)
{
    free(sample->values[0]);
    free(sample->values[1]);
    free(sample->room);
}

/* F of the sample; -1 with err. */
static int count_fixed(struct sample *sample, struct cg_err *err)
{
    for (int side = 0; side < 2; side++)
        cg_rows_to_units(sample->values[side], sample->n, sample->ncolumns);
    return cg_fixed_points(sample->values[0], sample->values[1], (int32_t)sample->n, sample->ncolumns,
                           sample->room, err);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int test_cell(struct session *session, const struct cg_cell *cell, double *row, struct cg_err *err)
{
    struct cg_source *source = session->source;
    const struct cg_ffn_block *block = block_of(session->out, 0, cell->a);
    int32_t blocks[2] = {cell->a, cell->b};
    struct sample sample;
    int result = sample_init(&sample, least(block->units, source->sizes.exact_rows),
                             least(block->width, source->sizes.exact_columns), err);
    for (int half = 0; result == 0 && half < 2; half++) {
        for (int side = 0; result == 0 && side < 2; side++)
            result = source->rows(source, side, blocks[side], half, sample.n, sample.ncolumns,
                                  sample.values[side], err);
        int fixed = result < 0 ? -1 : count_fixed(&sample, err);
        row[SAMPLE] = (double)sample.n;
        row[FIXED + half] = fixed;
        result = fixed < 0 ? -1 : result;
    }
    sample_release(&sample);
    return result;
}

/* Columns of the embeddings over shared tokens. */
static int test_columns(struct session *session, double *row, struct cg_err *err)
{
    struct cg_source *source = session->source;
    if (source->width[0] != source->width[1])
        return 0;
    int64_t n = source->sizes.exact_tokens;
    struct sample sample; /* its rows are the embeddings' columns */
    int result = sample_init(&sample, least(source->width[0], source->sizes.exact_rows), n, err);
    for (int side = 0; result == 0 && side < 2; side++)
        result = source->token_columns(source, side, n, sample.n, sample.values[side], err);
    int fixed = result < 0 ? -1 : count_fixed(&sample, err);
    row[0] = (double)sample.n;
    row[1] = fixed;
    sample_release(&sample);
    return fixed < 0 ? -1 : 0;
}

/* The inner products of shared tokens' rows, the mean row taken away, in both models: their cosine. */
static int compare_token_grams(struct session *session, double *out, struct cg_err *err)
{
    struct cg_source *source = session->source;
    int64_t n = source->sizes.gram_tokens;
    float *gram[2] = {NULL, NULL};
    int result = 0;
    for (int side = 0; result == 0 && side < 2; side++) {
        gram[side] = cg_new_aligned((size_t)(n * n), sizeof(float), err);
        result = gram[side] ? source->token_gram(source, side, n, gram[side], err) : -1;
    }
    size_t all = (size_t)(n * n);
    double product = 0, squares_a = 0, squares_b = 0;
    if (result == 0) {
        product = cg_single_product(gram[0], gram[1], all);
        squares_a = cg_single_product(gram[0], gram[0], all);
        squares_b = cg_single_product(gram[1], gram[1], all);
    }
    *out = squares_a > 0 && squares_b > 0 ? product / (sqrt(squares_a) * sqrt(squares_b)) : NAN;
    free(gram[0]);
    free(gram[1]);
    return result;
}

static int test_embeddings(struct session *session, double *row, struct cg_err *err)
{
    const struct cg_source *source = session->source;
    row[2] = NAN;
    if (source->width[0] == 0 || source->width[1] == 0 || source->shared_tokens < LEAST_TOKENS)
        return 0;
    if (test_columns(session, row, err) < 0)
        return -1;
    return compare_token_grams(session, &row[2], err);
}

static void read_table(struct session *session)
{
    struct cg_kinship *out = session->out;
    for (int64_t i = 0; i < session->ntests; i++) {
        struct cg_cell *cell = &out->cells[session->tests[i]];
        const double *row = session->table + i * FIELDS;
        cell->sample = (int32_t)row[SAMPLE];
        for (int half = 0; half < 2; half++)
            cell->fixed[half] = (int32_t)row[FIXED + half];
    }
    const double *row = session->table + session->ntests * FIELDS;
    out->columns = (int32_t)row[0];
    out->fixed_columns = (int32_t)row[1];
    out->token_gram = row[2];
}

int cg_exact_run(const struct cg_comm *comm, struct cg_source *source, struct cg_kinship *out,
                 struct cg_err *err)
{
    struct session session = {.source = source, .out = out};
    int result = list_tests(&session, err);
    if (result == 0 && !(session.table = cg_new((size_t)(session.ntests + 1) * FIELDS, sizeof(double), err)))
        result = -1;
    for (int64_t i = comm->rank; result == 0 && i <= session.ntests; i += comm->size) {
        double *row = session.table + i * FIELDS;
        result = i == session.ntests ? test_embeddings(&session, row, err)
                                     : test_cell(&session, &out->cells[session.tests[i]], row, err);
    }
    CG_TRY(result = cg_agree(comm, result, err));
    cg_sum_doubles(comm, session.table, (session.ntests + 1) * FIELDS);
    read_table(&session);
done:
    free(session.tests);
    free(session.table);
    return result;
}
