/* One pair's cells: signatures by the blocks' owners, shared with all ranks; cells dealt over the ranks; each
 * cell's numbers in a table that one rank fills and all others hold at 0. The bits do not depend on the
 * ranks: which rank does what changes no shape and no order of any sum. */
#include "cognate/blocks.h"
#include "cognate/mem.h"
#include "cognate/sweep.h"
#include "exact.h"
#include "matching.h"
#include "sample.h"
#include "sweep/mix.h"
#include "update.h"
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Cells of a pair, at most; beyond it experts are compared within layers of one index, and thinned. */
enum { MOST_CELLS = 1 << 16 };
enum { RAW, PROBE };
/* Of a cell in the table: what one of them found; t by the Gram matrices stands alone. */
enum { COUNT, COSINE, FIELDS };
static const double KEPT_VARIANCE = 0.1; /* of the planted relative */

struct session {
    const struct cg_comm *comm;
    const struct cg_checkpoint *const *models;
    const struct cg_anatomy *anatomy;
    int model[2];
    int64_t *ids[2]; /* [sizes.tokens] rows of the probes */
    struct cg_kinship *out;
    struct cg_fetch fetch;
    struct cg_sizes sizes;
    int32_t *place[2]; /* [nblocks] of the blocks that cells use in the store, -1: unused */
    int64_t places;
    int64_t *chosen;  /* [places * sizes.units] of this rank's own */
    float *store;     /* [places * 2 * sizes.units * length], or [places * square^2] */
    int64_t length;   /* columns or tokens of a signature at most */
    float *probes[2]; /* [tokens * width] normalised embeddings */
    float *rows, *room, *planted;
    double *table; /* [(ncells + 1) * FIELDS]; the last row is the planted cell */
};

static const struct cg_ffn_block *block_of(const struct session *session, int side, int32_t i)
{
    return &session->out->blocks[side][i];
}

static int64_t widest(const struct session *session)
{
    int64_t most = 0;
    for (int side = 0; side < 2; side++)
        for (int32_t i = 0; i < session->out->nblocks[side]; i++)
            if (block_of(session, side, i)->width > most)
                most = block_of(session, side, i)->width;
    return most;
}

static int64_t sampled(const struct session *session, const struct cg_ffn_block *block)
{
    return block->units < session->sizes.units ? block->units : session->sizes.units;
}

/* Whether a cell is looked at, when there are too many: layers of one index, and of b every step-th expert.
 */
static bool is_kept(const struct cg_kinship *out, int32_t a, int32_t b, int32_t step)
{
    return !out->thinned ||
           (out->blocks[0][a].layer == out->blocks[1][b].layer && out->blocks[1][b].expert % step <= 0);
}

static int64_t count_cells(const struct cg_kinship *out, int32_t step)
{
    int64_t n = 0;
    for (int32_t b = 0; b < out->nblocks[1]; b++)
        for (int32_t a = 0; a < out->nblocks[0]; a++)
            n += is_kept(out, a, b, step);
    return n;
}

static int list_cells(struct cg_kinship *out, struct cg_err *err)
{
    int32_t step = 1;
    int64_t all = (int64_t)out->nblocks[0] * out->nblocks[1], n = all;
    out->thinned = all > MOST_CELLS;
    while (out->thinned && (n = count_cells(out, step)) > MOST_CELLS && step < out->nblocks[1])
        step++;
    if (!(out->cells = cg_new((size_t)n, sizeof *out->cells, err)))
        return -1;
    for (int32_t b = 0; b < out->nblocks[1]; b++)
        for (int32_t a = 0; a < out->nblocks[0]; a++)
            if (is_kept(out, a, b, step))
                out->cells[out->ncells++] =
                    (struct cg_cell){.a = a, .b = b, .raw = -1, .probe = -1, .gram = NAN};
    return 0;
}

/* Places in the store for the blocks that cells use. */
static int place_blocks(struct session *session, struct cg_err *err)
{
    struct cg_kinship *out = session->out;
    for (int side = 0; side < 2; side++) {
        if (!(session->place[side] = cg_new((size_t)out->nblocks[side], sizeof(int32_t), err)))
            return -1;
        for (int32_t i = 0; i < out->nblocks[side]; i++)
            session->place[side][i] = -1;
    }
    for (int64_t c = 0; c < out->ncells; c++) {
        session->place[0][out->cells[c].a] = 0;
        session->place[1][out->cells[c].b] = 0;
    }
    for (int side = 0; side < 2; side++)
        for (int32_t i = 0; i < out->nblocks[side]; i++)
            if (session->place[side][i] == 0)
                session->place[side][i] = (int32_t)session->places++;
    return 0;
}

/* Shared tokens, evenly spread over those of the alignment. */
static int choose_probes(struct session *session, const struct cg_alignment *alignment, struct cg_err *err)
{
    int64_t n = session->sizes.tokens;
    for (int side = 0; side < 2; side++) {
        const int64_t *ids = side == 0 ? alignment->id_a : alignment->id_b;
        if (!(session->ids[side] = cg_new((size_t)n, sizeof(int64_t), err)))
            return -1;
        for (int64_t i = 0; i < n; i++)
            session->ids[side][i] = ids[i * alignment->shared / n];
    }
    return 0;
}

static int64_t longest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int allocate(struct session *session, struct cg_err *err)
{
    const struct cg_sizes *sizes = &session->sizes;
    int64_t width = widest(session), n = sizes->units;
    session->length = longest(sizes->columns, sizes->tokens);
    int64_t store = session->places * longest(2 * n * session->length, sizes->square * sizes->square);
    int64_t room = longest(2 * n * n + 4 * n, sizes->square * width);
    if (!(session->store = cg_new((size_t)store, sizeof(float), err)) ||
        !(session->chosen = cg_new((size_t)(session->places * n), sizeof(int64_t), err)) ||
        !(session->rows = cg_new((size_t)(longest(n, sizes->square) * width), sizeof(float), err)) ||
        !(session->room = cg_new((size_t)room, sizeof(float), err)) ||
        !(session->planted = cg_new((size_t)(2 * n * session->length), sizeof(float), err)) ||
        !(session->table = cg_new((size_t)(session->out->ncells + 1) * FIELDS, sizeof(double), err)))
        return -1;
    return 0;
}

static void session_release(struct session *session)
{
    cg_fetch_release(&session->fetch);
    for (int side = 0; side < 2; side++) {
        free(session->place[side]);
        free(session->ids[side]);
        free(session->probes[side]);
    }
    free(session->chosen);
    free(session->store);
    free(session->rows);
    free(session->room);
    free(session->planted);
    free(session->table);
}

/* What one signature is made of; gate and up follow each other in the store. */
typedef int take_block(struct session *session, int side, const struct cg_ffn_block *block, int32_t place,
                       struct cg_err *err);

static float *half_of(const struct session *session, int32_t place, int half)
{
    return session->store + ((int64_t)place * 2 + half) * session->sizes.units * session->length;
}

static int take_raw(struct session *session, int side, const struct cg_ffn_block *block, int32_t place,
                    struct cg_err *err)
{
    int64_t n = sampled(session, block), *chosen = session->chosen + place * session->sizes.units;
    int64_t ncolumns = block->width < session->sizes.columns ? block->width : session->sizes.columns;
    int64_t *columns = cg_new((size_t)ncolumns, sizeof *columns, err);
    int result = columns ? cg_choose_units(chosen, &session->fetch, block, session->model[side], n, err) : -1;
    if (result == 0)
        result = cg_pick(columns, block->width, ncolumns, 1, err);
    for (int half = 0; result == 0 && half < 2; half++) {
        float *out = half_of(session, place, half);
        result = cg_fetch_gained(out, &session->fetch, block, half == 0 ? block->gate : block->up,
                                 session->model[side], chosen, n, columns, ncolumns, err);
        cg_rows_to_units(out, n, ncolumns);
    }
    free(columns);
    return result;
}

static int take_probe(struct session *session, int side, const struct cg_ffn_block *block, int32_t place,
                      struct cg_err *err)
{
    int64_t n = sampled(session, block), tokens = session->sizes.tokens;
    const int64_t *chosen = session->chosen + place * session->sizes.units;
    for (int half = 0; half < 2; half++) {
        float *out = half_of(session, place, half);
        if (cg_fetch_gained(session->rows, &session->fetch, block, half == 0 ? block->gate : block->up,
                            session->model[side], chosen, n, NULL, block->width, err) < 0)
            return -1;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)tokens, (int)block->width, 1,
                    session->rows, (int)block->width, session->probes[side], (int)block->width, 0, out,
                    (int)tokens);
        cg_rows_to_units(out, n, tokens);
    }
    return 0;
}

/* The Gram matrix of a sample of units that depends on their number alone. */
static int take_gram(struct session *session, int side, const struct cg_ffn_block *block, int32_t place,
                     struct cg_err *err)
{
    int64_t square = session->sizes.square, n = block->units < square ? block->units : square;
    int64_t width = block->width, *units = cg_new((size_t)n, sizeof *units, err);
    float *out = session->store + place * square * square;
    int model = session->model[side], result = units ? cg_pick(units, block->units, n, 2, err) : -1;
    if (result == 0)
        result = cg_fetch_gained(session->rows, &session->fetch, block, block->gate, model, units, n, NULL,
                                 width, err);
    if (result == 0)
        result = cg_fetch_gained(session->room, &session->fetch, block, block->up, model, units, n, NULL,
                                 width, err);
    if (result == 0) {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)n, (int)width, 1, session->rows,
                    (int)width, session->room, (int)width, 0, out, (int)n);
        cg_square_to_unit(out, n);
    }
    free(units);
    return result;
}

/* This rank's blocks, then every rank has all. */
static int fill_store(struct session *session, take_block *take, int64_t floats_a_block, struct cg_err *err)
{
    int64_t n = session->places * floats_a_block;
    for (int64_t i = 0; i < n; i++)
        session->store[i] = 0;
    int result = 0;
    for (int side = 0; side < 2; side++)
        for (int32_t i = 0; result == 0 && i < session->out->nblocks[side]; i++) {
            int32_t place = session->place[side][i];
            if (place >= 0 && place % session->comm->size == session->comm->rank)
                result = take(session, side, block_of(session, side, i), place, err);
        }
    if (cg_agree(session->comm, result, err) < 0)
        return -1;
    cg_or_bytes(session->comm, (uint8_t *)session->store, n * (int64_t)sizeof(float));
    return 0;
}

static struct cg_signature signature(const struct session *session, int side, int32_t i)
{
    int32_t place = session->place[side][i];
    return (struct cg_signature){half_of(session, place, 0), half_of(session, place, 1),
                                 sampled(session, block_of(session, side, i))};
}

/* Whether the two blocks of a cell can be held against each other: raw rows need one basis. */
static bool comparable(const struct session *session, const struct cg_cell *cell, int field)
{
    return field == PROBE || block_of(session, 0, cell->a)->width == block_of(session, 1, cell->b)->width;
}

static int64_t length_of(const struct session *session, const struct cg_ffn_block *block, int field)
{
    if (field != RAW)
        return session->sizes.tokens;
    return block->width < session->sizes.columns ? block->width : session->sizes.columns;
}

/* Near-normal noise of variance 1: the sum of twelve uniform numbers, less 6. */
static float noise(uint64_t at)
{
    double sum = -6;
    for (uint64_t k = 0; k < 12; k++)
        sum += (double)(cg_mix(cg_mix(at) + k) >> 11) * 0x1p-53;
    return (float)sum;
}

/* Rows that keep a cosine of sqrt(KEPT_VARIANCE) with a signature's and are noise besides. */
static void plant(float *out, const float *rows, int64_t n, int64_t length, uint64_t seed)
{
    float kept = (float)sqrt(KEPT_VARIANCE), rest = (float)sqrt((1 - KEPT_VARIANCE) / (double)length);
    for (int64_t i = 0; i < n * length; i++)
        out[i] = kept * rows[i] + rest * noise(seed + (uint64_t)i);
    cg_rows_to_units(out, n, length);
}

/* A block of a against its planted relative. */
static void match_planted(struct session *session, int field)
{
    struct cg_signature block = signature(session, 0, session->out->cells[0].a);
    int64_t length = length_of(session, block_of(session, 0, session->out->cells[0].a), field);
    float *gate = session->planted, *up = gate + block.n * length;
    plant(gate, block.gate, block.n, length, 0);
    plant(up, block.up, block.n, length, UINT64_C(1) << 40);
    struct cg_agreement found =
        cg_agree_twice(block, (struct cg_signature){gate, up, block.n}, length, session->room);
    session->table[session->out->ncells * FIELDS + COUNT] = found.units;
}

/* All cells by one of the two matchings, RAW or PROBE. */
static void match_cells(struct session *session, int field)
{
    struct cg_kinship *out = session->out;
    for (int64_t c = session->comm->rank; c < out->ncells; c += session->comm->size) {
        const struct cg_cell *cell = &out->cells[c];
        double *row = session->table + c * FIELDS;
        row[COUNT] = -1;
        if (!comparable(session, cell, field))
            continue;
        struct cg_agreement found =
            cg_agree_twice(signature(session, 0, cell->a), signature(session, 1, cell->b),
                           length_of(session, block_of(session, 0, cell->a), field), session->room);
        row[COUNT] = found.units;
        row[COSINE] = found.units > 0 ? found.cosine / found.units : 0;
    }
    if (out->ncells % session->comm->size == session->comm->rank)
        match_planted(session, field);
}

static void correlate_grams(struct session *session)
{
    int64_t square = session->sizes.square;
    for (int64_t c = session->comm->rank; c < session->out->ncells; c += session->comm->size) {
        const struct cg_cell *cell = &session->out->cells[c];
        int64_t units = block_of(session, 0, cell->a)->units;
        const float *a = session->store + session->place[0][cell->a] * square * square,
                    *b = session->store + session->place[1][cell->b] * square * square;
        session->table[c * FIELDS] = units == block_of(session, 1, cell->b)->units
                                         ? cg_square_t(a, b, units < square ? units : square)
                                         : NAN;
    }
}

/* Embeddings of the probes, each over its root mean square. */
static int take_embeddings(struct session *session, struct cg_err *err)
{
    int64_t slot[2], n = session->sizes.tokens;
    for (int side = 0; side < 2; side++) {
        int model = session->model[side];
        slot[side] = cg_embedding_slot(session->models, session->anatomy, model);
        if (slot[side] < 0 || n < 64)
            return 0;
        for (int32_t i = 0; i < session->out->nblocks[side]; i++)
            if (block_of(session, side, i)->width !=
                cg_member_of(session->anatomy, slot[side], model)->columns)
                return 0;
    }
    for (int side = 0; side < 2; side++) {
        int64_t width = cg_member_of(session->anatomy, slot[side], session->model[side])->columns;
        float *rows = session->probes[side] = cg_new((size_t)(n * width), sizeof(float), err);
        if (!rows || cg_fetch_tokens(rows, &session->fetch, slot[side], session->model[side],
                                     session->ids[side], n, err) < 0)
            return -1;
        for (int64_t i = 0; i < n; i++) {
            double squares = 0;
            for (int64_t c = 0; c < width; c++)
                squares += (double)rows[i * width + c] * (double)rows[i * width + c];
            double scale = squares > 0 ? 1 / sqrt(squares / (double)width) : 0;
            for (int64_t c = 0; c < width; c++)
                rows[i * width + c] = (float)((double)rows[i * width + c] * scale);
        }
    }
    return 0;
}

/* Takes what a stage filled in over to the cells, and clears the table for the next one. */
static void read_counts(struct session *session, int field)
{
    struct cg_kinship *out = session->out;
    cg_sum_doubles(session->comm, session->table, (out->ncells + 1) * FIELDS);
    for (int64_t c = 0; c < out->ncells; c++) {
        struct cg_cell *cell = &out->cells[c];
        const double *row = session->table + c * FIELDS;
        int64_t units_a = sampled(session, block_of(session, 0, cell->a)),
                units_b = sampled(session, block_of(session, 1, cell->b));
        cell->units = (int32_t)(units_a < units_b ? units_a : units_b);
        *(field == RAW ? &cell->raw : &cell->probe) = (int32_t)row[COUNT];
        *(field == RAW ? &cell->raw_cosine : &cell->probe_cosine) = row[COSINE];
    }
    out->planted = (int32_t)sampled(session, block_of(session, 0, out->cells[0].a));
    *(field == RAW ? &out->planted_raw : &out->planted_probe) =
        (int32_t)session->table[out->ncells * FIELDS + COUNT];
    memset(session->table, 0, (size_t)(out->ncells + 1) * FIELDS * sizeof(double));
}

static void read_grams(struct session *session)
{
    cg_sum_doubles(session->comm, session->table, session->out->ncells * FIELDS);
    for (int64_t c = 0; c < session->out->ncells; c++)
        session->out->cells[c].gram = session->table[c * FIELDS];
}

/* Whether every block of b has most of its units in some block of a by their rows: then probes, which cost
 * most, have nothing to add. */
static bool rows_say_all(const struct cg_kinship *out)
{
    int32_t found = 0;
    for (int64_t c = 0, last = -1; c < out->ncells; c++)
        if (2 * out->cells[c].raw > out->cells[c].units && out->cells[c].b != last) {
            last = out->cells[c].b; /* cells stand by b */
            found++;
        }
    return found == out->nblocks[1];
}

/* Collective: every rank comes here with its session ready. */
static int find_cells(struct session *session, struct cg_err *err)
{
    const struct cg_sizes *sizes = &session->sizes;
    int64_t floats = 2 * sizes->units * session->length;
    if (fill_store(session, take_raw, floats, err) < 0)
        return -1;
    match_cells(session, RAW);
    read_counts(session, RAW);
    if (session->probes[0] && session->probes[1] && !rows_say_all(session->out)) {
        session->out->tokens = sizes->tokens;
        if (fill_store(session, take_probe, floats, err) < 0)
            return -1;
        match_cells(session, PROBE);
        read_counts(session, PROBE);
    }
    if (fill_store(session, take_gram, sizes->square * sizes->square, err) < 0)
        return -1;
    correlate_grams(session);
    read_grams(session);
    return 0;
}

static int prepare(struct session *session, const struct cg_alignment *alignment, struct cg_err *err)
{
    struct cg_kinship *out = session->out;
    openblas_set_num_threads(1); /* with threads its sums would depend on their number */
    for (int side = 0; side < 2; side++)
        if (cg_blocks_list(&out->blocks[side], &out->nblocks[side], session->models, session->anatomy,
                           session->model[side], err) < 0)
            return -1;
    if (cg_fetch_init(&session->fetch, session->models, session->anatomy, session->comm->rank == 0, err) <
            0 ||
        list_cells(out, err) < 0 || place_blocks(session, err) < 0)
        return -1;
    cg_files_watch(session->fetch.files, session->comm);
    session->sizes = cg_sizes_for(out, session->places, alignment->shared);
    out->units = (int32_t)session->sizes.units;
    if (out->ncells == 0)
        return 0;
    if (choose_probes(session, alignment, err) < 0 || allocate(session, err) < 0)
        return -1;
    return take_embeddings(session, err);
}

int cg_kinship_find(const struct cg_comm *comm, const struct cg_checkpoint *const *models,
                    const struct cg_anatomy *anatomy, const struct cg_plan *plan,
                    const struct cg_sweep *sweep, int a, int b, const struct cg_alignment *alignment,
                    struct cg_kinship *out, struct cg_err *err)
{
    *out = (struct cg_kinship){.update_rank = -1, .planted_raw = -1, .planted_probe = -1, .token_gram = NAN};
    struct session session = {
        .comm = comm, .models = models, .anatomy = anatomy, .model = {a, b}, .out = out};
    int result = cg_agree(comm, prepare(&session, alignment, err), err);
    if (result == 0 && out->ncells > 0)
        result = find_cells(&session, err);
    if (result == 0)
        result = cg_exact_run(comm, &session.fetch, session.model, alignment, out, err);
    if (result == 0)
        result = cg_update_find(comm, &session.fetch, plan, sweep, session.model, out, err);
    out->bytes_reread = session.fetch.bytes_read;
    session_release(&session);
    if (result < 0)
        cg_kinship_release(out);
    return result;
}

void cg_kinship_release(struct cg_kinship *kinship)
{
    free(kinship->blocks[0]);
    free(kinship->blocks[1]);
    free(kinship->cells);
    *kinship = (struct cg_kinship){0};
}
