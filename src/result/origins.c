#include "origins.h"
#include "cognate/mem.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static int32_t layers_of(const struct cg_anatomy *anatomy, int model)
{
    int32_t layers = 0;
    for (int64_t s = 0; s < anatomy->nslots; s++)
        if (cg_member_of(anatomy, s, model)->tensor >= 0 && anatomy->slots[s].layer >= layers)
            layers = anatomy->slots[s].layer + 1;
    return layers;
}

/* Slots of the same index. */
static void take_places(struct cg_origins *out, const struct cg_findings *findings,
                        const struct cg_comparisons *all, int64_t p)
{
    int64_t tests = cg_tests(findings, all, p);
    for (int64_t s = 0; s < findings->anatomy->nslots; s++) {
        const struct cg_slot *slot = &findings->anatomy->slots[s];
        const struct cg_comparison *comparison = cg_comparison_at(all, s, p);
        if (slot->layer < 0 || slot->layer >= out->layers)
            continue;
        double *log10_p = &out->log10_p[slot->layer];
        *log10_p = fmin(*log10_p, cg_corrected_log10_p(slot, comparison, tests));
        if (cg_slot_passes(slot, comparison, tests))
            out->from[slot->layer] = slot->layer;
    }
}

static void take_maps(struct cg_origins *out, const struct cg_mapped *mapped)
{
    for (int group = CG_MAP_GROUPS; mapped->of && group-- > 0;)
        for (int32_t l = 0; l < mapped->layers && l < out->layers; l++) {
            out->log10_p[l] = fmin(out->log10_p[l], mapped->log10_p[group][l]);
            if (mapped->from[group][l] >= 0)
                out->from[l] = mapped->from[group][l];
        }
}

/* A layer whose block was replaced may still have the attention of its index. */
static void take_blocks(struct cg_origins *out, const struct cg_kin *kin)
{
    for (int32_t l = 0; l < kin->layers && l < out->layers; l++) {
        out->log10_p[l] = fmin(out->log10_p[l], kin->layer_log10_p[l]);
        if (kin->from[l] >= 0)
            out->from[l] = kin->from[l];
    }
}

/* How many slots of each layer of b hold the bytes of each layer of a, [layers * layers_a]; `weighty`: only
 * those that carry weight. */
static int64_t *count_moves(const struct cg_origins *origins, const struct cg_findings *findings, int64_t p,
                            const struct cg_identities *identities, bool weighty, struct cg_err *err)
{
    int64_t *moves = cg_new((size_t)origins->layers * (size_t)origins->layers_a, sizeof *moves, err);
    const struct cg_slot *slots = findings->anatomy->slots;
    for (int64_t i = 0; moves && i < identities->n; i++) {
        const struct cg_identity *identity = &identities->list[i];
        int32_t a = slots[identity->slot_a].layer, b = slots[identity->slot_b].layer;
        if (a >= 0 && b >= 0 &&
            (!weighty || cg_member_counts(findings->anatomy, identity->slot_b, findings->pairs[p][1])))
            moves[b * origins->layers_a + a]++;
    }
    return moves;
}

/* The layer of a that most of the moves into layer l of b come from; -1 for none. */
static int32_t most_from(const struct cg_origins *origins, const int64_t *moves, int32_t l)
{
    int32_t best = -1;
    const int64_t *row = moves + (int64_t)l * origins->layers_a;
    for (int32_t a = 0; a < origins->layers_a; a++)
        if (row[a] > (best < 0 ? 0 : row[best]))
            best = a;
    return best;
}

/* Matrices of b in each layer that could carry weight. */
static void count_matrices(int64_t *matrices, const struct cg_origins *origins, const struct cg_findings *of,
                           int b)
{
    for (int64_t s = 0; s < of->anatomy->nslots; s++) {
        const struct cg_slot *slot = &of->anatomy->slots[s];
        if (slot->layer >= 0 && slot->layer < origins->layers && cg_member_counts(of->anatomy, s, b))
            matrices[slot->layer]++;
    }
}

static int take_bytes(struct cg_origins *out, const struct cg_findings *findings, int64_t p,
                      const struct cg_identities *identities, struct cg_err *err)
{
    if (identities->n == 0)
        return 0;
    int64_t *moves = count_moves(out, findings, p, identities, true, err);
    int64_t *matrices = moves ? cg_new((size_t)out->layers, sizeof *matrices, err) : NULL;
    if (matrices)
        count_matrices(matrices, out, findings, findings->pairs[p][1]);
    for (int32_t l = 0; matrices && l < out->layers; l++) {
        int32_t a = most_from(out, moves, l);
        if (a < 0 || 2 * moves[(int64_t)l * out->layers_a + a] <= matrices[l])
            continue;
        out->from[l] = a;
        out->log10_p[l] = fmin(out->log10_p[l], identities->log10_p);
    }
    free(matrices);
    free(moves);
    return matrices ? 0 : -1;
}

static int find_pair(struct cg_origins *out, const struct cg_findings *findings,
                     const struct cg_comparisons *all, int64_t p, struct cg_err *err)
{
    out->layers_a = layers_of(findings->anatomy, findings->pairs[p][0]);
    out->layers = layers_of(findings->anatomy, findings->pairs[p][1]);
    if (!(out->from = cg_new((size_t)out->layers, sizeof *out->from, err)) ||
        !(out->log10_p = cg_new((size_t)out->layers, sizeof *out->log10_p, err)))
        return -1;
    for (int32_t l = 0; l < out->layers; l++) {
        out->from[l] = -1;
        out->log10_p[l] = NAN;
    }
    take_places(out, findings, all, p);
    take_maps(out, &all->mapped[p]);
    take_blocks(out, &all->kins[p]);
    return take_bytes(out, findings, p, &all->identities[p], err);
}

int cg_origins_find(struct cg_origins **out, const struct cg_findings *findings,
                    const struct cg_comparisons *all, struct cg_err *err)
{
    if (!(*out = cg_new((size_t)findings->npairs, sizeof **out, err)))
        return -1;
    for (int64_t p = 0; p < findings->npairs; p++)
        if (find_pair(&(*out)[p], findings, all, p, err) < 0)
            return -1;
    return 0;
}

void cg_origins_release(struct cg_origins *origins, int64_t npairs)
{
    for (int64_t p = 0; origins && p < npairs; p++) {
        free(origins[p].from);
        free(origins[p].log10_p);
    }
    free(origins);
}

struct cg_moves cg_moves_of(const struct cg_findings *findings, const struct cg_identities *identities)
{
    struct cg_moves moves = {0};
    for (int64_t i = 0; i < identities->n; i++) {
        const struct cg_slot *a = &findings->anatomy->slots[identities->list[i].slot_a],
                             *b = &findings->anatomy->slots[identities->list[i].slot_b];
        if (b->role != CG_ROLE_FFN_UP)
            continue;
        moves.blocks++;
        moves.from_dense += a->expert < 0 && b->expert >= 0;
        moves.to_dense += a->expert >= 0 && b->expert < 0;
        moves.other_expert += a->expert >= 0 && b->expert >= 0 && a->expert != b->expert;
    }
    return moves;
}

static int put_layers(struct cg_buf *text, int32_t first, int32_t end, struct cg_err *err)
{
    return end - first == 1 ? cg_buf_printf(text, err, "layer %" PRId32, first)
                            : cg_buf_printf(text, err, "layers %" PRId32 " to %" PRId32, first, end - 1);
}

enum { RUNS_SHOWN = 8 };

int cg_put_runs(struct cg_buf *text, const int32_t *map, int32_t layers, struct cg_err *err)
{
    int runs = 0;
    for (int32_t l = 0, end; l < layers; l = end) {
        int32_t from = map[l];
        end = l + 1;
        if (from < 0 || from == l)
            continue;
        while (end < layers && map[end] == from + end - l)
            end++;
        if (runs++ == RUNS_SHOWN)
            return cg_buf_printf(text, err, ", and others");
        if (cg_buf_printf(text, err, runs == 1 ? ": " : ", ") < 0 || put_layers(text, l, end, err) < 0 ||
            cg_buf_printf(text, err, end - l == 1 ? " that of " : " those of ") < 0 ||
            put_layers(text, from, from + end - l, err) < 0)
            return -1;
    }
    return 0;
}

int cg_moves_say(struct cg_buf *text, const struct cg_findings *findings, const struct cg_comparisons *all,
                 int64_t p, struct cg_err *err)
{
    const struct cg_identities *identities = &all->identities[p];
    const struct cg_origins *origins = &all->origins[p];
    if (identities->n == 0)
        return 0;
    int64_t within = 0, *moves = count_moves(origins, findings, p, identities, false, err);
    int32_t *map = moves ? cg_new((size_t)origins->layers, sizeof *map, err) : NULL;
    for (int32_t l = 0; map && l < origins->layers; l++)
        map[l] = most_from(origins, moves, l);
    free(moves);
    const struct cg_slot *slots = findings->anatomy->slots;
    for (int64_t i = 0; i < identities->n; i++)
        within += slots[identities->list[i].slot_a].layer == slots[identities->list[i].slot_b].layer;
    int result = map ? 0 : -1;
    if (result == 0)
        result = cg_buf_printf(text, err, "%" PRId64 " slot%s of b hold%s the very bytes of other slots of a",
                               identities->n, identities->n == 1 ? "" : "s", identities->n == 1 ? "s" : "");
    if (result == 0 && within > 0)
        result = cg_buf_printf(text, err, ", %" PRId64 " of them of the same layer", within);
    if (result == 0)
        result = cg_put_runs(text, map, origins->layers, err);
    free(map);
    return result < 0 ? -1 : cg_buf_printf(text, err, ".\n");
}
