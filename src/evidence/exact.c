#include "exact.h"
#include "cognate/mem.h"
#include "matching.h"
#include "sample.h"
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = 1024, MOST_COLUMNS = 1024, MOST_TOKENS = 1024, GRAM_TOKENS = 512, LEAST_TOKENS = 64 };
/* Cells tested of a pair, at most: those in one place are then thinned evenly. */
enum { MOST_TESTS = 256 };
enum { SAMPLE, FIXED, FIELDS = FIXED + 2 };

struct session {
    struct cg_fetch *fetch;
    const int *model;
    const struct cg_alignment *alignment;
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
    int64_t step = (n + MOST_TESTS - 1) / MOST_TESTS;
    for (int64_t i = 0; step > 1 && i * step < n; i++)
        session->tests[session->ntests++] = session->tests[i * step];
    if (step <= 1)
        session->ntests = n;
    return 0;
}

/* What the exact test of one cell holds: both samples, and room for the assignment. */
struct sample {
    int64_t n, ncolumns, *rows, *columns;
    float *values[2], *room;
};

static int sample_init(struct sample *sample, const struct cg_ffn_block *block, struct cg_err *err)
{
    int64_t n = block->units < MOST_ROWS ? block->units : MOST_ROWS;
    int64_t columns = block->width < MOST_COLUMNS ? block->width : MOST_COLUMNS;
    *sample = (struct sample){.n = n, .ncolumns = columns};
    if (!(sample->rows = cg_new((size_t)n, sizeof(int64_t), err)) ||
        !(sample->columns = cg_new((size_t)columns, sizeof(int64_t), err)) ||
        !(sample->values[0] = cg_new((size_t)(n * columns), sizeof(float), err)) ||
        !(sample->values[1] = cg_new((size_t)(n * columns), sizeof(float), err)) ||
        !(sample->room = cg_new((size_t)(n * n + n * columns), sizeof(float), err)) ||
        cg_pick(sample->rows, block->units, n, 2, err) < 0)
        return -1;
    return cg_pick(sample->columns, block->width, columns, 1, err);
}

static void sample_release(struct sample *sample)
{
    free(sample->rows);
    free(sample->columns);
    free(sample->values[0]);
    free(sample->values[1]);
    free(sample->room);
}

static int test_cell(struct session *session, const struct cg_cell *cell, double *row, struct cg_err *err)
{
    struct sample sample;
    int result = sample_init(&sample, block_of(session->out, 0, cell->a), err);
    int32_t blocks[2] = {cell->a, cell->b};
    for (int half = 0; result == 0 && half < 2; half++) {
        for (int side = 0; result == 0 && side < 2; side++) {
            result = cg_fetch_units(sample.values[side], session->fetch,
                                    block_of(session->out, side, blocks[side]), half, session->model[side],
                                    sample.rows, sample.n, sample.columns, sample.ncolumns, err);
            cg_rows_to_units(sample.values[side], sample.n, sample.ncolumns);
        }
        int fixed = result < 0 ? -1
                               : cg_fixed_points(sample.values[0], sample.values[1], (int32_t)sample.n,
                                                 sample.ncolumns, sample.room, err);
        row[SAMPLE] = (double)sample.n;
        row[FIXED + half] = fixed;
        result = fixed < 0 ? -1 : result;
    }
    sample_release(&sample);
    return result;
}

/* Rows of `n` shared tokens, evenly spread, of one side: the given columns as rows of out (columns x n), or
 * with columns NULL as they are (n x width). */
static int take_tokens(struct session *session, int side, int64_t slot, int64_t n, const int64_t *columns,
                       int64_t ncolumns, float *out, struct cg_err *err)
{
    const struct cg_alignment *alignment = session->alignment;
    const int64_t *ids = side == 0 ? alignment->id_a : alignment->id_b;
    int model = session->model[side];
    int64_t width = cg_member_of(session->fetch->anatomy, slot, model)->columns;
    float *row = cg_new((size_t)width, sizeof *row, err);
    int result = row ? 0 : -1;
    for (int64_t i = 0; result == 0 && i < n; i++) {
        float *to = columns ? row : out + i * width;
        result = cg_fetch_tokens(to, session->fetch, slot, model, &ids[i * alignment->shared / n], 1, err);
        for (int64_t c = 0; columns && c < ncolumns; c++)
            out[c * n + i] = row[columns[c]];
    }
    free(row);
    return result;
}

/* Columns of the embeddings over shared tokens. */
static int test_columns(struct session *session, const int64_t slot[2], double *row, struct cg_err *err)
{
    int64_t width = cg_member_of(session->fetch->anatomy, slot[0], session->model[0])->columns;
    if (width != cg_member_of(session->fetch->anatomy, slot[1], session->model[1])->columns)
        return 0;
    int64_t n = session->alignment->shared < MOST_TOKENS ? session->alignment->shared : MOST_TOKENS;
    struct cg_ffn_block shape = {.units = width, .width = n};
    struct sample sample;
    int result = sample_init(&sample, &shape, err); /* its rows are the embeddings' columns */
    for (int side = 0; result == 0 && side < 2; side++) {
        result = take_tokens(session, side, slot[side], n, sample.rows, sample.n, sample.values[side], err);
        cg_rows_to_units(sample.values[side], sample.n, n);
    }
    int fixed = result < 0 ? -1
                           : cg_fixed_points(sample.values[0], sample.values[1], (int32_t)sample.n, n,
                                             sample.room, err);
    row[0] = (double)sample.n;
    row[1] = fixed;
    sample_release(&sample);
    return fixed < 0 ? -1 : 0;
}

static void take_mean_row(float *rows, int64_t n, int64_t width)
{
    for (int64_t c = 0; c < width; c++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += (double)rows[i * width + c];
        for (int64_t i = 0; i < n; i++)
            rows[i * width + c] -= (float)(sum / (double)n);
    }
}

/* The inner products of shared tokens' rows, the mean row taken away, in both models: their cosine. */
static int compare_token_grams(struct session *session, const int64_t slot[2], double *out,
                               struct cg_err *err)
{
    int64_t n = session->alignment->shared < GRAM_TOKENS ? session->alignment->shared : GRAM_TOKENS;
    float *gram[2] = {NULL, NULL};
    int result = 0;
    for (int side = 0; result == 0 && side < 2; side++) {
        int64_t width = cg_member_of(session->fetch->anatomy, slot[side], session->model[side])->columns;
        float *rows = cg_new((size_t)(n * width), sizeof *rows, err);
        gram[side] = rows ? cg_new((size_t)(n * n), sizeof(float), err) : NULL;
        result = gram[side] ? take_tokens(session, side, slot[side], n, NULL, 0, rows, err) : -1;
        if (result == 0) {
            take_mean_row(rows, n, width);
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)n, (int)width, 1, rows,
                        (int)width, rows, (int)width, 0, gram[side], (int)n);
        }
        free(rows);
    }
    double product = 0, squares_a = 0, squares_b = 0;
    for (int64_t i = 0; result == 0 && i < n * n; i++) {
        product += (double)gram[0][i] * (double)gram[1][i];
        squares_a += (double)gram[0][i] * (double)gram[0][i];
        squares_b += (double)gram[1][i] * (double)gram[1][i];
    }
    *out = squares_a > 0 && squares_b > 0 ? product / (sqrt(squares_a) * sqrt(squares_b)) : NAN;
    free(gram[0]);
    free(gram[1]);
    return result;
}

static int test_embeddings(struct session *session, double *row, struct cg_err *err)
{
    int64_t slot[2];
    row[2] = NAN;
    for (int side = 0; side < 2; side++)
        slot[side] = cg_embedding_slot(session->fetch->models, session->fetch->anatomy, session->model[side]);
    if (slot[0] < 0 || slot[1] < 0 || session->alignment->shared < LEAST_TOKENS)
        return 0;
    if (test_columns(session, slot, row, err) < 0)
        return -1;
    return compare_token_grams(session, slot, &row[2], err);
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

int cg_exact_run(const struct cg_comm *comm, struct cg_fetch *fetch, const int model[2],
                 const struct cg_alignment *alignment, struct cg_kinship *out, struct cg_err *err)
{
    struct session session = {.fetch = fetch, .model = model, .alignment = alignment, .out = out};
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
