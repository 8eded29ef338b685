#include "cognate/mem.h"
#include "collect.h"
#include <math.h>
#include <stdlib.h>

/* One expert of b and where it comes from: by default the expert of a with the same layer and number. */
struct match {
    int32_t pair, layer, expert, layer_a, expert_a;
    double sum, log10_p;
    int64_t cosines;
    int32_t router_expert; /* of a, that the router names; -1: none */
    double router_cosine;
    bool agree;
    bool bytes; /* the very bytes say so: then nothing else is asked */
};

struct matches {
    struct match *list;
    size_t n, capacity;
};

/* The slots of an expert are many roles apart in canonical order: matches of one pair are found by sorting.
 */
static int by_place(const void *a, const void *b)
{
    const struct match *x = a, *y = b;
    if (x->pair != y->pair)
        return x->pair < y->pair ? -1 : 1;
    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    return x->expert < y->expert ? -1 : x->expert > y->expert;
}

/* Those by bytes first. */
static int by_place_and_kind(const void *a, const void *b)
{
    int order = by_place(a, b);
    return order != 0 ? order : ((const struct match *)b)->bytes - ((const struct match *)a)->bytes;
}

static int list_slots(struct matches *matches, const struct cg_findings *findings,
                      const struct cg_comparisons *all, int64_t p, struct cg_err *err)
{
    int64_t tests = cg_tests(findings, all, p);
    for (int64_t s = 0; s < findings->anatomy->nslots; s++) {
        const struct cg_slot *slot = &findings->anatomy->slots[s];
        const struct cg_comparison *comparison = cg_comparison_at(all, s, p);
        if (slot->expert < 0 || !comparison->compared || isnan(comparison->cosine))
            continue;
        if (cg_grow((void **)&matches->list, &matches->capacity, matches->n + 1, sizeof *matches->list, err) <
            0)
            return -1;
        matches->list[matches->n++] = (struct match){.pair = (int32_t)p,
                                                     .layer = slot->layer,
                                                     .expert = slot->expert,
                                                     .layer_a = slot->layer,
                                                     .expert_a = slot->expert,
                                                     .sum = comparison->cosine,
                                                     .cosines = 1,
                                                     .log10_p = cg_corrected_log10_p(slot, comparison, tests),
                                                     .router_expert = -1,
                                                     .router_cosine = NAN};
    }
    return 0;
}

/* What routers say of an expert holds wherever its origin is known from. */
static void take_name(struct match *match, const struct match *other)
{
    if (other->router_expert < 0 || other->layer_a != match->layer_a)
        return;
    match->router_expert = other->router_expert;
    match->router_cosine = other->router_cosine;
    match->agree = other->router_expert == match->expert_a;
}

/* Joins the entries of one expert and keeps those that pass. */
static void join(struct matches *matches)
{
    size_t kept = 0, end;
    qsort(matches->list, matches->n, sizeof *matches->list, by_place_and_kind);
    for (size_t i = 0; i < matches->n; i = end) {
        struct match match = matches->list[i];
        for (end = i + 1; end < matches->n && by_place(&match, &matches->list[end]) == 0; end++) {
            take_name(&match, &matches->list[end]);
            if (match.bytes)
                continue;
            match.sum += matches->list[end].sum;
            match.cosines++;
            match.log10_p = fmin(match.log10_p, matches->list[end].log10_p);
        }
        if (match.log10_p < CG_PASS_LOG10_P)
            matches->list[kept++] = match;
    }
    matches->n = kept;
}

/* Where the blocks were matched, they say which expert, or which dense block, an expert comes from. */
static int list_blocks(struct matches *matches, const struct cg_kin *kin, int64_t p, struct cg_err *err)
{
    const struct cg_kinship *of = kin->of;
    for (int32_t i = 0; i < of->nblocks[1]; i++) {
        const struct cg_ffn_block *block = &of->blocks[1][i];
        if (block->expert < 0 || kin->origin[i] < 0)
            continue;
        const struct cg_cell *cell = &of->cells[kin->origin[i]];
        enum cg_names names = cg_kin_names(kin, i);
        if (cg_grow((void **)&matches->list, &matches->capacity, matches->n + 1, sizeof *matches->list, err) <
            0)
            return -1;
        matches->list[matches->n++] = (struct match){.pair = (int32_t)p,
                                                     .layer = block->layer,
                                                     .expert = block->expert,
                                                     .layer_a = of->blocks[0][cell->a].layer,
                                                     .expert_a = of->blocks[0][cell->a].expert,
                                                     .sum = cg_cell_likeness(cell),
                                                     .cosines = 1,
                                                     .log10_p = kin->log10_p[i],
                                                     .router_expert = -1,
                                                     .router_cosine = NAN,
                                                     .agree = names == CG_NAMES_AGREE};
        if (names != CG_NAMES_UNTOLD) {
            matches->list[matches->n - 1].router_expert = of->routed[i].expert;
            matches->list[matches->n - 1].router_cosine = of->routed[i].cosine;
        }
    }
    return 0;
}

/* Experts whose up projection moved with its bytes. */
static int list_identities(struct matches *matches, const struct cg_findings *findings,
                           const struct cg_identities *identities, int64_t p, struct cg_err *err)
{
    for (int64_t i = 0; i < identities->n; i++) {
        const struct cg_slot *a = &findings->anatomy->slots[identities->list[i].slot_a],
                             *b = &findings->anatomy->slots[identities->list[i].slot_b];
        if (b->role != CG_ROLE_FFN_UP || b->expert < 0)
            continue;
        if (cg_grow((void **)&matches->list, &matches->capacity, matches->n + 1, sizeof *matches->list, err) <
            0)
            return -1;
        matches->list[matches->n++] = (struct match){.pair = (int32_t)p,
                                                     .layer = b->layer,
                                                     .expert = b->expert,
                                                     .layer_a = a->layer,
                                                     .expert_a = a->expert,
                                                     .sum = 1,
                                                     .cosines = 1,
                                                     .log10_p = identities->log10_p,
                                                     .bytes = true,
                                                     .router_expert = -1,
                                                     .router_cosine = NAN};
    }
    return 0;
}

int cg_collect_experts(struct cg_result *out, const struct cg_findings *findings,
                       const struct cg_comparisons *all, struct cg_err *err)
{
    struct matches matches = {0};
    int result = -1;
    for (int64_t p = 0; p < findings->npairs; p++) {
        CG_TRY(all->kins[p].of && all->kins[p].of->ncells > 0 ? list_blocks(&matches, &all->kins[p], p, err)
                                                              : list_slots(&matches, findings, all, p, err));
        CG_TRY(list_identities(&matches, findings, &all->identities[p], p, err));
    }
    if (matches.n > 0)
        join(&matches);
    out->size[CG_DIM_EXPERT_MATCH] = (int64_t)matches.n;
    CG_TRY(cg_result_allocate(out, "/experts", err));
    for (size_t i = 0; i < matches.n; i++) {
        const struct match *match = &matches.list[i];
        out->experts.pair[i] = match->pair;
        out->experts.layer_b[i] = match->layer;
        out->experts.expert_b[i] = match->expert;
        out->experts.layer_a[i] = match->layer_a;
        out->experts.expert_a[i] = match->expert_a;
        out->experts.cosine[i] = match->sum / (double)match->cosines;
        out->experts.log10_p[i] = match->log10_p;
        out->experts.router_expert_a[i] = match->router_expert;
        out->experts.router_cosine[i] = match->router_cosine;
        out->experts.maps_agree[i] = match->agree;
    }
    result = 0;
done:
    free(matches.list);
    return result;
}
