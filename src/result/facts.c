#include "facts.h"
#include "cognate/mem.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double HINT_LOG10_P = -4; /* of one slot, not corrected */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The cosine at which a slot would just pass, given the shifts of this very pair. */
static double needed_cosine(const struct cg_shift_null *null, double critical_t)
{
    return null->mean + critical_t * null->sd * sqrt(1 + 1.0 / CG_SHIFTS);
}

/* A role sees a relative when half of its slots do; the verdict needs two roles: the second smallest median.
 */
static int find_limit(struct cg_facts *facts, const struct cg_findings *findings,
                      const struct cg_comparisons *all, int64_t p, struct cg_err *err)
{
    int64_t nslots = findings->anatomy->nslots;
    double *needed = cg_new((size_t)nslots, sizeof *needed, err), lowest = INFINITY, second = INFINITY;
    if (!needed)
        return -1;
    double critical = cg_t_of_log10_tail(
        CG_PASS_LOG10_P - log10((double)(facts->tests > 0 ? facts->tests : 1)), CG_SHIFTS - 1);
    for (int role = 0; role < CG_ROLE_COUNT; role++) {
        int64_t n = 0;
        for (int64_t s = 0; s < nslots; s++) {
            const struct cg_comparison *comparison = cg_comparison_at(all, s, p);
            if (findings->anatomy->slots[s].role == (enum cg_role)role &&
                cg_slot_counts(&findings->anatomy->slots[s], comparison) && !isnan(comparison->log10_p))
                needed[n++] = needed_cosine(&comparison->null, critical);
        }
        if (n == 0)
            continue;
        qsort(needed, (size_t)n, sizeof *needed, by_value);
        double median = needed[n / 2];
        second = median < lowest ? lowest : fmin(second, median);
        lowest = fmin(lowest, median);
    }
    free(needed);
    facts->limit = second <= 1 ? second : NAN;
    return 0;
}

static void mark(struct cg_facts *facts, enum cg_group group, int32_t layer)
{
    facts->group_passed[group] = true;
    if (layer >= 0 && layer < facts->layers)
        facts->in_layer[(int32_t)group * facts->layers + layer] = true;
}

static void count_pass(struct cg_facts *facts, const struct cg_slot *slot)
{
    enum cg_group group = cg_role_group(slot->role);
    facts->passing++;
    facts->role_passed[slot->role] = true;
    facts->passed[group]++;
    facts->ups += slot->role == CG_ROLE_FFN_UP;
    mark(facts, group, slot->layer);
}

/* A layer is foreign to the other model where slots of the group are weighed and none hints at kinship. */
static void note_foreign(struct cg_facts *facts, const struct cg_slot *slot, bool hint)
{
    if (slot->role == CG_ROLE_EMBED)
        facts->foreign_embedding = !hint;
    if (slot->layer < 0)
        return;
    int64_t at = (int64_t)cg_role_group(slot->role) * facts->layers + slot->layer;
    facts->hinted[at] |= hint;
    facts->foreign[at] = !facts->hinted[at];
}

/* Blocks that pass speak for their two projections, the embeddings' columns or tokens for the embedding. */
static void count_blocks(struct cg_facts *facts)
{
    const struct cg_kin *kin = facts->kin;
    for (int32_t l = 0; l < kin->layers; l++)
        if (kin->from[l] >= 0) {
            mark(facts, CG_GROUP_FFN, l);
            facts->role_passed[CG_ROLE_FFN_UP] = true;
            facts->role_passed[cg_kin_gated(kin) ? CG_ROLE_FFN_GATE : CG_ROLE_FFN_DOWN] = true;
        }
    if (kin->columns || kin->tokens) {
        mark(facts, CG_GROUP_EMBEDDING, -1);
        facts->role_passed[CG_ROLE_EMBED] = true;
    }
}

/* Layers whose sketches pass, wherever they stand. */
static void count_maps(struct cg_facts *facts, const struct cg_mapped *mapped)
{
    static const enum cg_group groups[CG_MAP_GROUPS] = {CG_GROUP_ATTENTION, CG_GROUP_FFN};
    for (int group = 0; mapped->of && group < CG_MAP_GROUPS; group++)
        for (int32_t l = 0; l < mapped->layers; l++)
            if (mapped->from[group][l] >= 0)
                mark(facts, groups[group], l);
    for (int role = 0; mapped->of && role < CG_ROLE_COUNT; role++)
        facts->role_passed[role] |= mapped->role_passed[role];
}

/* Equal bytes in another place weigh as equal values in the same do. */
static void count_identities(struct cg_facts *facts, const struct cg_identities *identities)
{
    const struct cg_anatomy *anatomy = facts->findings->anatomy;
    for (int64_t i = 0; i < identities->n; i++) {
        int64_t s = identities->list[i].slot_b;
        if (!cg_member_counts(anatomy, s, facts->findings->pairs[facts->pair][1]))
            continue;
        facts->role_passed[anatomy->slots[s].role] = true;
        mark(facts, cg_role_group(anatomy->slots[s].role), anatomy->slots[s].layer);
        facts->matrices++;
        facts->matrix_sum += 1;
        facts->moved_log10_p = identities->log10_p;
    }
    facts->moves = cg_moves_of(facts->findings, identities);
}

/* Whether two members lie alike in tensors of their own. */
static bool same_view(const struct cg_view *a, const struct cg_view *b)
{
    bool same = !a == !b && (!a || (a->base == b->base && a->axes == b->axes));
    for (int k = 0; same && a && k < a->axes; k++)
        same = a->extent[k] == b->extent[k] && a->stride[k] == b->stride[k];
    return same;
}

static void count_slot(struct cg_facts *facts, const struct cg_findings *findings,
                       const struct cg_comparison *comparison, int64_t s, int64_t p)
{
    const struct cg_slot *slot = &findings->anatomy->slots[s];
    const struct cg_member *a = cg_member_of(findings->anatomy, s, findings->pairs[p][0]);
    const struct cg_member *b = cg_member_of(findings->anatomy, s, findings->pairs[p][1]);
    if ((a->tensor < 0 || a->tied) && (b->tensor < 0 || b->tied))
        return;
    facts->slots++;
    if (!comparison->compared)
        return;
    const struct cg_checkpoint *model_a = findings->models[findings->pairs[p][0]];
    const struct cg_checkpoint *model_b = findings->models[findings->pairs[p][1]];
    facts->compared++;
    facts->equal += comparison->equal;
    facts->identical += comparison->identical;
    facts->same_type += strcmp(cg_member_type(model_a, a), cg_member_type(model_b, b)) == 0;
    facts->same_name += strcmp(model_a->tensors[a->tensor].name, model_b->tensors[b->tensor].name) == 0 &&
                        same_view(a->view, b->view);
    cg_rounding_add(&facts->rounding, model_a, a, model_b, b, comparison);
    facts->constant += comparison->constant;
    facts->telling += comparison->equal && !comparison->constant && !slot->buffer;
    double corrected = cg_corrected_log10_p(slot, comparison, facts->tests);
    bool same = cg_slot_same(slot, comparison);
    if (isnan(corrected) && !same)
        return;
    facts->weighed++;
    facts->weighed_in[cg_role_group(slot->role)]++;
    facts->best = fmin(facts->best, corrected); /* of a NaN and a number the number */
    bool passes = cg_slot_passes(slot, comparison, facts->tests);
    if (passes)
        count_pass(facts, slot);
    if (passes && !isnan(comparison->cosine)) {
        facts->matrices++;
        facts->matrix_sum += comparison->cosine;
    }
    note_foreign(facts, slot, passes || comparison->log10_p < HINT_LOG10_P);
}

/* Foreign is what shows no kinship in a layer whose other half does, attention or feed-forward, and where no
 * block was found either. */
static void narrow_foreign(struct cg_facts *facts)
{
    static const int groups[] = {CG_GROUP_ATTENTION, CG_GROUP_FFN};
    for (int k = 0; k < 2; k++) {
        bool *foreign = facts->foreign + groups[k] * facts->layers;
        const bool *found = facts->in_layer + groups[k] * facts->layers,
                   *rest = facts->in_layer + groups[1 - k] * facts->layers;
        for (int32_t l = 0; l < facts->layers; l++)
            foreign[l] = foreign[l] && rest[l] && !found[l];
    }
}

int cg_facts_find(struct cg_facts *facts, const struct cg_findings *findings,
                  const struct cg_comparisons *all, int64_t p, struct cg_err *err)
{
    const struct cg_anatomy *anatomy = findings->anatomy;
    *facts = (struct cg_facts){.findings = findings,
                               .all = all,
                               .pair = p,
                               .tests = cg_tests(findings, all, p),
                               .best = NAN,
                               .moved_log10_p = NAN,
                               .kin = &all->kins[p],
                               .origins = &all->origins[p]};
    for (int64_t s = 0; s < anatomy->nslots; s++)
        if (anatomy->slots[s].layer >= facts->layers)
            facts->layers = anatomy->slots[s].layer + 1;
    size_t places = CG_GROUP_COUNT * (size_t)facts->layers;
    if (!(facts->in_layer = cg_new(places, sizeof *facts->in_layer, err)) ||
        !(facts->hinted = cg_new(places, sizeof *facts->hinted, err)) ||
        !(facts->foreign = cg_new(places, sizeof *facts->foreign, err)))
        return -1;
    for (int64_t s = 0; s < anatomy->nslots; s++)
        count_slot(facts, findings, cg_comparison_at(all, s, p), s, p);
    count_maps(facts, &all->mapped[p]);
    count_identities(facts, &all->identities[p]);
    if (facts->kin->of)
        count_blocks(facts);
    narrow_foreign(facts);
    facts->merge = cg_merge_of(&all->merges, findings->pairs[p][0], findings->pairs[p][1]);
    return find_limit(facts, findings, all, p, err);
}

void cg_facts_release(struct cg_facts *facts)
{
    free(facts->in_layer);
    free(facts->hinted);
    free(facts->foreign);
    *facts = (struct cg_facts){0};
}

bool cg_all_equal(const struct cg_facts *facts)
{
    return facts->equal == facts->slots && facts->constant < facts->slots;
}
