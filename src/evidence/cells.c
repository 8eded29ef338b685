#include "cells.h"
#include "cognate/mem.h"
#include "shared_sketches.h"
#include <cblas.h>
#include <math.h>
#include <stdlib.h>

/* Blocks of a from the first to before the end that stand in one layer; blocks stand by layer. */
struct range {
    int32_t layer, first, end;
};

static void move_to(struct range *range, const struct cg_kinship *of, int32_t layer)
{
    if (range->end > 0 && range->layer == layer)
        return;
    range->layer = layer;
    for (range->first = 0; range->first < of->nblocks[0] && of->blocks[0][range->first].layer < layer;)
        range->first++;
    for (range->end = range->first; range->end < of->nblocks[0] && of->blocks[0][range->end].layer == layer;)
        range->end++;
}

/* What of block b is listed. */
static struct range own_layer(const struct cg_kinship *of, struct range *range, int32_t b, int32_t step)
{
    const struct cg_ffn_block *block = &of->blocks[1][b];
    if (!of->thinned)
        return (struct range){block->layer, 0, of->nblocks[0]};
    move_to(range, of, block->layer);
    return block->expert % step <= 0 ? *range : (struct range){0};
}

static void add(struct cg_kinship *out, int32_t a, int32_t b)
{
    out->cells[out->ncells++] = (struct cg_cell){.a = a, .b = b, .raw = -1, .probe = -1, .gram = NAN};
}

/* Lists the cells of block b, or counts them where there is no room yet. */
static int64_t list_block(struct cg_kinship *out, struct range own, int32_t candidate, int32_t b)
{
    bool apart = candidate >= 0 && (candidate < own.first || candidate >= own.end);
    if (out->cells && apart && candidate < own.first)
        add(out, candidate, b);
    for (int32_t a = own.first; out->cells && a < own.end; a++)
        add(out, a, b);
    if (out->cells && apart && candidate >= own.end)
        add(out, candidate, b);
    return own.end - own.first + apart;
}

static int64_t list_all(struct cg_kinship *out, const int32_t *candidate, int32_t step)
{
    struct range range = {0};
    int64_t n = 0;
    for (int32_t b = 0; b < out->nblocks[1]; b++)
        n += list_block(out, own_layer(out, &range, b, step), candidate ? candidate[b] : -1, b);
    return n;
}

int cg_cells_list(struct cg_kinship *out, int64_t most, const int32_t *candidate, struct cg_err *err)
{
    free(out->cells);
    out->cells = NULL;
    out->ncells = 0;
    out->all_cells = (int64_t)out->nblocks[0] * out->nblocks[1];
    out->thinned = out->all_cells > most;
    out->candidates = 0;
    out->step = 1;
    if (!out->thinned)
        candidate = NULL;
    for (int32_t b = 0; candidate && b < out->nblocks[1]; b++)
        out->candidates += candidate[b] >= 0;
    int64_t n = list_all(out, candidate, 1);
    while (n > most + out->candidates && out->step < out->nblocks[1])
        n = list_all(out, candidate, ++out->step);
    if (!(out->cells = cg_new((size_t)n, sizeof *out->cells, err)))
        return -1;
    list_all(out, candidate, out->step);
    return 0;
}

enum { TILE = 128, STRIP = 2048, MOST_BUCKETS = 512, LEAST_BUCKETS = 32 };
static const double MOST_WORK = 1e11, MOST_BYTES = 64 << 20, LEAST_Z = 5;

/* Both models' blocks as rows of 2 * buckets: one projection, then the other, each of unit length. */
struct search {
    const struct cg_kinship *of;
    int64_t buckets;
    struct cg_shared_sketches rows[2];
    double *best; /* [nblocks[1] * 2] block of a plus 1, cosine */
    float *room;  /* [TILE * STRIP] */
};

/* Buckets of each projection that memory and time allow. */
static int64_t choose_buckets(const struct cg_kinship *of)
{
    int64_t buckets = MOST_BUCKETS, most = of->nblocks[0] > of->nblocks[1] ? of->nblocks[0] : of->nblocks[1];
    double cells = (double)of->nblocks[0] * (double)of->nblocks[1];
    while (buckets > LEAST_BUCKETS &&
           (2 * cells * (double)buckets > MOST_WORK ||
            2 * (double)most * (double)buckets * (double)sizeof(float) > MOST_BYTES))
        buckets /= 2;
    return buckets;
}

static int lay_out(struct search *search, int side, const struct cg_anatomy *anatomy, struct cg_err *err)
{
    struct cg_shared_sketches *rows = &search->rows[side];
    if (cg_shared_sketches_init(rows, anatomy, search->buckets, err) < 0)
        return -1;
    for (int32_t i = 0; i < search->of->nblocks[side]; i++) {
        const struct cg_ffn_block *block = &search->of->blocks[side][i];
        for (int k = 0; k < 2; k++)
            rows->first[block->by[k].slot] = (2 * i + k) * search->buckets;
    }
    rows->floats = 2 * search->of->nblocks[side] * search->buckets;
    return 0;
}

static bool same_shape(const struct cg_ffn_block *a, const struct cg_ffn_block *b)
{
    return a->units == b->units && a->width == b->width && cg_blocks_comparable(a, b);
}

/* Rows first to before end of b against a strip of a: tiles have one size, whatever rank takes them. */
static void hold_tile(struct search *search, int32_t first, int32_t end, int32_t strip)
{
    const struct cg_kinship *of = search->of;
    int64_t length = 2 * search->buckets;
    int n = of->nblocks[0] - strip < STRIP ? of->nblocks[0] - strip : STRIP;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, end - first, n, (int)length, 1,
                search->rows[1].value + first * length, (int)length, search->rows[0].value + strip * length,
                (int)length, 0, search->room, n);
    for (int32_t b = first; b < end; b++)
        for (int32_t a = strip; a < strip + n; a++) {
            const struct cg_ffn_block *block = &of->blocks[1][b];
            double *best = search->best + 2 * b,
                   cosine = (double)search->room[(b - first) * n + a - strip] / 2;
            if (cosine > best[1] && same_shape(&of->blocks[0][a], block)) {
                best[0] = a + 1;
                best[1] = cosine;
            }
        }
}

static void search_all(struct search *search, const struct cg_comm *comm)
{
    for (int32_t first = 0, tile = 0; first < search->of->nblocks[1]; first += TILE, tile++) {
        int32_t end = search->of->nblocks[1] - first < TILE ? search->of->nblocks[1] : first + TILE;
        for (int32_t strip = 0; tile % comm->size == comm->rank && strip < search->of->nblocks[0];
             strip += STRIP)
            hold_tile(search, first, end, strip);
    }
    cg_sum_doubles(comm, search->best, 2 * search->of->nblocks[1]);
}

static int allocate(struct search *search, int32_t **candidate, struct cg_err *err)
{
    size_t n = (size_t)search->of->nblocks[1];
    search->best = cg_new(2 * n, sizeof *search->best, err);
    search->room = search->best ? cg_new((size_t)TILE * STRIP, sizeof *search->room, err) : NULL;
    *candidate = search->room ? cg_new(n, sizeof **candidate, err) : NULL;
    return *candidate ? 0 : -1;
}

int cg_candidates_find(const struct cg_comm *comm, const struct cg_anatomy *anatomy,
                       const struct cg_plan *plan, const struct cg_sweep *sweep, const int model[2],
                       const struct cg_kinship *of, int32_t **candidate, struct cg_err *err)
{
    struct search search = {.of = of, .buckets = choose_buckets(of)};
    int result = cg_agree(comm, allocate(&search, candidate, err), err);
    for (int side = 0; result == 0 && side < 2; side++) {
        result = cg_agree(comm, lay_out(&search, side, anatomy, err), err);
        if (result == 0)
            result = cg_sketches_share(comm, anatomy, plan, sweep, model[side], &search.rows[side], err);
    }
    if (result == 0) {
        search_all(&search, comm);
        for (int32_t b = 0; b < of->nblocks[1]; b++) {
            double z = search.best[2 * b + 1] * sqrt(2 * (double)search.buckets);
            (*candidate)[b] = z >= LEAST_Z ? (int32_t)search.best[2 * b] - 1 : -1;
        }
    }
    for (int side = 0; side < 2; side++)
        cg_shared_sketches_release(&search.rows[side]);
    free(search.best);
    free(search.room);
    return result;
}
