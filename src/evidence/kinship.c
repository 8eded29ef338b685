/* One pair's cells: signatures by the blocks' owners, shared with all ranks; cells dealt over the ranks; each
 * cell's numbers in a table that one rank fills and all others hold at 0. The bits do not depend on the
 * ranks: which rank does what changes no shape and no order of any sum. */
#include "kinship.h"
#include "cells.h"
#include "cognate/blocks.h"
#include "cognate/mem.h"
#include "cognate/sweep.h"
#include "exact.h"
#include "grams.h"
#include "matching.h"
#include "routers.h"
#include "sweep/mix.h"
#include "update.h"
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of a cell in the table: what one of them found; t by the Gram matrices stands alone. */
enum { COUNT, COSINE, FIELDS };
static const double KEPT_VARIANCE = 0.1; /* of the planted relative */

struct session {
    const struct cg_comm *comm;
    struct cg_source *source;
    struct cg_kinship *out;
    const struct cg_places *places;
    float *store;              /* [places * 2 * sizes.units * length], or [places * square^2] */
    const float *rows[2];      /* of either side's blocks: the store, or what is kept */
    int64_t length;            /* columns or tokens of a signature at most */
    struct cg_kept_rows *kept; /* of the statistic at hand, or NULL */
    float *planted;
    float *room;   /* of one matching */
    double *table; /* [(ncells + 1) * FIELDS]; the last row is the planted cell */
};

static const struct cg_ffn_block *block_of(const struct session *session, int side, int32_t i)
{
    return &session->out->blocks[side][i];
}

int cg_places_init(struct cg_places *places, const struct cg_kinship *out, struct cg_err *err)
{
    for (int side = 0; side < 2; side++) {
        if (!(places->of[side] = cg_new((size_t)out->nblocks[side], sizeof(int32_t), err)))
            return -1;
        for (int32_t i = 0; i < out->nblocks[side]; i++)
            places->of[side][i] = -1;
    }
    for (int64_t c = 0; c < out->ncells; c++) {
        places->of[0][out->cells[c].a] = 0;
        places->of[1][out->cells[c].b] = 0;
    }
    for (int side = 0; side < 2; side++)
        for (int32_t i = 0; i < out->nblocks[side]; i++)
            if (places->of[side][i] == 0)
                places->of[side][i] = (int32_t)places->n++;
    return 0;
}

void cg_places_release(struct cg_places *places)
{
    free(places->of[0]);
    free(places->of[1]);
    *places = (struct cg_places){0};
}

static int64_t longest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int allocate(struct session *session, struct cg_err *err)
{
    const struct cg_sizes *sizes = &session->source->sizes;
    int64_t n = sizes->units, square = sizes->square, places = session->places->n;
    session->length = longest(sizes->columns, sizes->tokens);
    int64_t store = places * longest(2 * n * session->length, square * square), room = n * n + 5 * n;
    if (!(session->store = cg_new_aligned((size_t)store, sizeof(float), err)) ||
        !(session->room = cg_new_aligned((size_t)room, sizeof *session->room, err)) ||
        !(session->planted = cg_new_aligned((size_t)(2 * n * session->length), sizeof(float), err)) ||
        !(session->table = cg_new((size_t)(session->out->ncells + 1) * FIELDS, sizeof(double), err)))
        return -1;
    return 0;
}

static void session_release(struct session *session)
{
    free(session->store);
    free(session->room);
    free(session->planted);
    free(session->table);
}

static int64_t half_size(const struct session *session)
{
    return session->source->sizes.units * session->length;
}

static int64_t length_of(const struct session *session, const struct cg_ffn_block *block,
                         enum cg_statistic what)
{
    if (what != CG_STATISTIC_RAW)
        return session->source->sizes.tokens;
    return block->width < session->source->sizes.columns ? block->width : session->source->sizes.columns;
}

/* What one block takes of the store; the projections of a signature follow each other. */
static int64_t place_size(const struct session *session, enum cg_statistic what)
{
    int64_t square = session->source->sizes.square;
    return what == CG_STATISTIC_GRAM ? square * square : 2 * half_size(session);
}

/* Takes one block; of a signature's second vectors only what the first do not say already. */
static int take_block(struct session *session, enum cg_statistic what, int side, int32_t i, float *out,
                      struct cg_err *err)
{
    struct cg_source *source = session->source;
    int64_t half = half_size(session);
    if (source->take(source, what, side, i, out, half, err) < 0)
        return -1;
    if (what != CG_STATISTIC_GRAM)
        cg_rows_apart(out, out + half, source->units(source, side, i),
                      length_of(session, block_of(session, side, i), what));
    return 0;
}

/* What model a's blocks depend on; they stand first in the store. */
static struct cg_kept_key key_of(const struct session *session, enum cg_statistic what)
{
    const struct cg_source *source = session->source;
    bool probe = what == CG_STATISTIC_PROBE;
    return (struct cg_kept_key){.floats = session->out->nblocks[0] * place_size(session, what),
                                .half = what == CG_STATISTIC_GRAM ? 0 : half_size(session),
                                .length = probe                      ? source->sizes.tokens
                                          : what == CG_STATISTIC_RAW ? source->sizes.columns
                                                                     : source->sizes.square,
                                .tokens = source->answered,
                                .ntokens = probe ? source->sizes.tokens : 0};
}

/* Whether all of model a's blocks take part: only then are they what they are in other pairs. */
static bool may_keep(const struct session *session)
{
    return session->source->kept && session->comm->size == 1 && !session->out->thinned;
}

/* This rank's blocks of a side; the others' are zero. */
static int take_side(struct session *session, enum cg_statistic what, int side, struct cg_err *err)
{
    int64_t size = place_size(session, what);
    for (int32_t i = 0; i < session->out->nblocks[side]; i++) {
        int32_t place = session->places->of[side][i];
        float *out = session->store + place * size;
        if (place < 0)
            continue;
        if (place % session->comm->size != session->comm->rank)
            memset(out, 0, (size_t)size * sizeof *out);
        else if (take_block(session, what, side, i, out, err) < 0)
            return -1;
    }
    return 0;
}

static int take_first_side(struct session *session, enum cg_statistic what, struct cg_err *err)
{
    struct cg_kept *kept = may_keep(session) ? session->source->kept : NULL;
    const struct cg_kept_key key = key_of(session, what);
    session->rows[0] = session->store;
    session->kept = cg_kept_find(kept, what, &key);
    if (session->kept) {
        session->rows[0] = session->kept->rows;
        return 0;
    }
    int result = take_side(session, what, 0, err);
    if (result == 0)
        result = cg_kept_put(kept, what, &key, session->store, err);
    session->kept = cg_kept_find(kept, what, &key);
    return result;
}

/* This rank's blocks, then every rank has all. */
static int fill_store(struct session *session, enum cg_statistic what, struct cg_err *err)
{
    int result = take_first_side(session, what, err);
    session->rows[1] = session->store;
    if (result == 0)
        result = take_side(session, what, 1, err);
    if (cg_agree(session->comm, result, err) < 0)
        return -1;
    cg_or_bytes(session->comm, (uint8_t *)session->store,
                session->places->n * place_size(session, what) * (int64_t)sizeof(float));
    return 0;
}

static struct cg_signature signature(const struct session *session, int side, int32_t i)
{
    const float *first = session->rows[side] + session->places->of[side][i] * 2 * half_size(session);
    return (struct cg_signature){{first, first + half_size(session)},
                                 session->source->units(session->source, side, i)};
}

/* Whether the two blocks of a cell can be held against each other: raw rows need one basis. */
static bool comparable(const struct session *session, const struct cg_cell *cell, enum cg_statistic what)
{
    const struct cg_ffn_block *a = block_of(session, 0, cell->a), *b = block_of(session, 1, cell->b);
    return cg_blocks_comparable(a, b) && (what == CG_STATISTIC_PROBE || a->width == b->width);
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

/* A block of a against its planted relative: K. */
static int32_t match_planted(struct session *session, enum cg_statistic what)
{
    const struct cg_ffn_block *block = block_of(session, 0, session->out->cells[0].a);
    struct cg_signature of = signature(session, 0, session->out->cells[0].a);
    int64_t length = length_of(session, block, what);
    float *first = session->planted, *second = first + of.n * length;
    plant(first, of.by[0], of.n, length, 0);
    plant(second, of.by[1], of.n, length, UINT64_C(1) << 40);
    cg_rows_apart(first, second, of.n, length);
    return cg_agree_twice(of, (struct cg_signature){{first, second}, of.n}, length, block->gated,
                          session->room)
        .units;
}

/* The planted cell, which has a row of its own in the table. */
static void find_planted(struct session *session, enum cg_statistic what)
{
    struct cg_kept_rows *kept = session->kept;
    int32_t units = kept && kept->planted >= 0 ? kept->planted : match_planted(session, what);
    if (kept)
        kept->planted = units;
    session->table[session->out->ncells * FIELDS + COUNT] = units;
}

/* All cells by one of the two matchings, raw or probe. */
static void match_cells(struct session *session, enum cg_statistic what)
{
    struct cg_kinship *out = session->out;
    for (int64_t c = session->comm->rank; c < out->ncells; c += session->comm->size) {
        const struct cg_cell *cell = &out->cells[c];
        double *row = session->table + c * FIELDS;
        row[COUNT] = -1;
        if (!comparable(session, cell, what))
            continue;
        const struct cg_ffn_block *block = block_of(session, 0, cell->a);
        struct cg_agreement found =
            cg_agree_twice(signature(session, 0, cell->a), signature(session, 1, cell->b),
                           length_of(session, block, what), block->gated, session->room);
        row[COUNT] = found.units;
        row[COSINE] = found.units > 0 ? found.cosine / found.units : 0;
    }
    if (out->ncells % session->comm->size == session->comm->rank)
        find_planted(session, what);
}

/* Takes what a stage filled in over to the cells, and clears the table for the next one. */
static void read_counts(struct session *session, enum cg_statistic what)
{
    struct cg_kinship *out = session->out;
    const struct cg_source *source = session->source;
    bool raw = what == CG_STATISTIC_RAW;
    cg_sum_doubles(session->comm, session->table, (out->ncells + 1) * FIELDS);
    for (int64_t c = 0; c < out->ncells; c++) {
        struct cg_cell *cell = &out->cells[c];
        const double *row = session->table + c * FIELDS;
        int64_t units_a = source->units(source, 0, cell->a), units_b = source->units(source, 1, cell->b);
        cell->units = (int32_t)(units_a < units_b ? units_a : units_b);
        *(raw ? &cell->raw : &cell->probe) = (int32_t)row[COUNT];
        *(raw ? &cell->raw_cosine : &cell->probe_cosine) = row[COSINE];
    }
    out->planted = (int32_t)source->units(source, 0, out->cells[0].a);
    *(raw ? &out->planted_raw : &out->planted_probe) = (int32_t)session->table[out->ncells * FIELDS + COUNT];
    memset(session->table, 0, (size_t)(out->ncells + 1) * FIELDS * sizeof(double));
}

static int find_grams(struct session *session, struct cg_err *err)
{
    struct cg_kinship *out = session->out;
    const struct cg_grams grams = {.squares = {session->rows[0], session->rows[1]},
                                   .place = {session->places->of[0], session->places->of[1]},
                                   .square = session->source->sizes.square};
    int result = cg_grams_compare(session->comm, out, &grams, session->table, err);
    if (cg_agree(session->comm, result, err) < 0)
        return -1;
    cg_sum_doubles(session->comm, session->table, out->ncells);
    for (int64_t c = 0; c < out->ncells; c++)
        out->cells[c].gram = session->table[c];
    return 0;
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
    if (fill_store(session, CG_STATISTIC_RAW, err) < 0)
        return -1;
    match_cells(session, CG_STATISTIC_RAW);
    read_counts(session, CG_STATISTIC_RAW);
    if (session->source->probes && !rows_say_all(session->out)) {
        session->out->tokens = session->source->sizes.tokens;
        if (fill_store(session, CG_STATISTIC_PROBE, err) < 0)
            return -1;
        match_cells(session, CG_STATISTIC_PROBE);
        read_counts(session, CG_STATISTIC_PROBE);
    }
    if (fill_store(session, CG_STATISTIC_GRAM, err) < 0)
        return -1;
    return find_grams(session, err);
}

void cg_kinship_init(struct cg_kinship *out)
{
    *out = (struct cg_kinship){.update_rank = -1, .planted_raw = -1, .planted_probe = -1, .token_gram = NAN};
}

int cg_kinship_match(const struct cg_comm *comm, struct cg_source *source, const struct cg_places *places,
                     struct cg_kinship *out, struct cg_err *err)
{
    struct session session = {.comm = comm, .source = source, .out = out, .places = places};
    out->units = (int32_t)source->sizes.units;
    int result = out->ncells > 0 ? cg_agree(comm, allocate(&session, err), err) : 0;
    if (result == 0 && out->ncells > 0)
        result = find_cells(&session, err);
    if (result == 0 && out->ncells > 0)
        result = cg_routers_match(comm, source, out, err);
    session_release(&session);
    return result == 0 ? cg_exact_run(comm, source, out, err) : -1;
}

/* What a pair of models is held against each other with, read from their files. */
struct reading {
    struct cg_fetch fetch;
    struct cg_places places;
    struct cg_model_source *models;
    struct cg_source source;
};

static int prepare(struct reading *reading, const struct cg_comm *comm,
                   const struct cg_checkpoint *const *models, const struct cg_anatomy *anatomy,
                   const struct cg_longest *longest, const int model[2], const struct cg_alignment *alignment,
                   struct cg_kinship *out, struct cg_err *err)
{
    if (cg_fetch_init(&reading->fetch, models, anatomy, comm->rank == 0, err) < 0 ||
        cg_places_init(&reading->places, out, err) < 0)
        return -1;
    cg_files_watch(reading->fetch.files, comm);
    struct cg_sizes sizes = cg_sizes_for(out, reading->places.n, alignment->shared);
    reading->models = cg_model_source_create(&reading->source, &reading->fetch, longest, model, out, &sizes,
                                             alignment, err);
    return reading->models ? 0 : -1;
}

/* Collective, agreed: blocks and cells; where those are too many, by what sketches say. */
static int list_all(const struct cg_comm *comm, const struct cg_checkpoint *const *models,
                    const struct cg_anatomy *anatomy, const struct cg_plan *plan,
                    const struct cg_sweep *sweep, const int model[2], struct cg_kinship *out,
                    struct cg_err *err)
{
    int32_t *candidate = NULL;
    openblas_set_num_threads(1); /* with threads its sums would depend on their number */
    int result = 0;
    cg_kinship_init(out);
    for (int side = 0; result == 0 && side < 2; side++) {
        result = cg_blocks_list(&out->blocks[side], &out->nblocks[side], models, anatomy, model[side], err);
        if (result == 0)
            result =
                cg_routers_list(&out->routers[side], &out->nrouters[side], models, anatomy, model[side], err);
    }
    if (result == 0)
        result = cg_cells_list(out, CG_MOST_CELLS, NULL, err);
    result = cg_agree(comm, result, err);
    if (result < 0 || !out->thinned)
        return result;
    result = cg_candidates_find(comm, anatomy, plan, sweep, model, out, &candidate, err);
    if (result == 0)
        result = cg_agree(comm, cg_cells_list(out, CG_MOST_CELLS, candidate, err), err);
    free(candidate);
    return result;
}

int cg_kinship_find(const struct cg_comm *comm, const struct cg_checkpoint *const *models,
                    const struct cg_anatomy *anatomy, const struct cg_plan *plan,
                    const struct cg_sweep *sweep, int a, int b, const struct cg_alignment *alignment,
                    struct cg_kinship *out, struct cg_err *err)
{
    const int model[2] = {a, b};
    struct reading reading = {0};
    int result = list_all(comm, models, anatomy, plan, sweep, model, out, err);
    if (result == 0)
        result = cg_agree(
            comm, prepare(&reading, comm, models, anatomy, &sweep->longest, model, alignment, out, err), err);
    if (result == 0)
        result = cg_kinship_match(comm, &reading.source, &reading.places, out, err);
    if (result == 0)
        result = cg_update_find(comm, &reading.fetch, plan, sweep, model, out, err);
    out->bytes_reread = reading.fetch.bytes_read;
    cg_model_source_destroy(reading.models);
    cg_places_release(&reading.places);
    cg_fetch_release(&reading.fetch);
    if (result < 0)
        cg_kinship_release(out);
    return result;
}

void cg_kinship_release(struct cg_kinship *kinship)
{
    free(kinship->blocks[0]);
    free(kinship->blocks[1]);
    free(kinship->cells);
    free(kinship->routers[0]);
    free(kinship->routers[1]);
    free(kinship->routed);
    *kinship = (struct cg_kinship){0};
}

int cg_kinship_pack(const struct cg_kinship *kinship, struct cg_buf *buf, struct cg_err *err)
{
    if (cg_buf_append(buf, kinship, sizeof *kinship, err) < 0)
        return -1;
    for (int side = 0; side < 2; side++)
        if (cg_buf_append(buf, kinship->blocks[side],
                          (size_t)kinship->nblocks[side] * sizeof *kinship->blocks[side], err) < 0)
            return -1;
    return cg_buf_append(buf, kinship->cells, (size_t)kinship->ncells * sizeof *kinship->cells, err);
}

/* A copy of the next `bytes` of `from`, on the heap. */
static void *take_bytes(struct cg_unpacker *from, size_t bytes, struct cg_err *err)
{
    void *out = cg_new(bytes, 1, err);
    if (out)
        cg_unpack_bytes(out, from, bytes);
    return out;
}

int cg_kinship_unpack(struct cg_kinship *out, struct cg_unpacker *from, struct cg_err *err)
{
    cg_unpack_bytes(out, from, sizeof *out);
    for (int side = 0; side < 2; side++) {
        out->blocks[side] = NULL;
        out->routers[side] = NULL;
        out->nrouters[side] = 0;
    }
    out->cells = NULL;
    out->routed = NULL;
    for (int side = 0; side < 2; side++)
        if (!(out->blocks[side] =
                  take_bytes(from, (size_t)out->nblocks[side] * sizeof *out->blocks[side], err)))
            goto done;
    if ((out->cells = take_bytes(from, (size_t)out->ncells * sizeof *out->cells, err)))
        return 0;
done:
    cg_kinship_release(out);
    return -1;
}
