/* The verdict of a pair, from identity, the shift null and the matched blocks. A slot or a cell passes with
 * p < 1e-12 after correction for all tested, a slot also by equal values, and by equal bytes in another slot
 * of a. A block speaks for the feed-forward group; its answers to tokens for the embedding, too.
 *
 *   IDENTICAL:    every slot of both models has equal values.
 *
 *   DERIVED:      slots of at least two roles pass, in at least two groups (embedding, attention,
 *                 ffn, other); or all slots of one, not the embedding, when there was no other to weigh;
 *                 or answers to tokens agree in at least two layers.
 *
 *   PARTIAL:      only one group passes, or one role.
 *
 *   NO EVIDENCE:  nothing passes, and relatives that keep a tenth of the weights' variance would have, by
 *                 slots that cover half of b or by blocks.
 *
 *   INCONCLUSIVE: the tests could not be run, cover too little of b, or had no power.
 *
 * Norms, vectors, plain cosine and PCA carry no weight; neither does anything that config.json says.
 */
#include "collect.h"
#include "facts.h"
#include <math.h>
#include <string.h>

static const double KEPT_VARIANCE = 0.10; /* that a relative must keep to be seen, for NO EVIDENCE */
const double CG_LEAST_COVER = 0.50;

static int count_true(const bool *flags, int n)
{
    int count = 0;
    for (int i = 0; i < n; i++)
        count += flags[i];
    return count;
}

static int count_positive(const int64_t *numbers, int n)
{
    int count = 0;
    for (int i = 0; i < n; i++)
        count += numbers[i] > 0;
    return count;
}

static const char *verdict_of(const struct cg_facts *facts, double cover)
{
    if (cg_all_equal(facts))
        return "IDENTICAL";
    int groups = count_true(facts->group_passed, CG_GROUP_COUNT);
    bool one_group = count_positive(facts->weighed_in, CG_GROUP_COUNT) == 1 &&
                     facts->passing == facts->weighed && facts->weighed_in[CG_GROUP_EMBEDDING] == 0;
    if ((groups >= 2 || one_group) && count_true(facts->role_passed, CG_ROLE_COUNT) >= 2)
        return "DERIVED";
    if (facts->kin->passing[CG_BY_PROBE] >= 2)
        return "DERIVED";
    if (groups >= 1)
        return "PARTIAL";
    bool power = facts->limit * facts->limit <= KEPT_VARIANCE;
    return (power && cover >= CG_LEAST_COVER) || cg_kin_has_power(facts->kin) ? "NO EVIDENCE"
                                                                              : "INCONCLUSIVE";
}

static int judge_pair(struct cg_result *out, const struct cg_findings *findings,
                      const struct cg_comparisons *all, int64_t p, struct cg_err *err)
{
    struct cg_facts facts = {0};
    struct cg_buf relation = {0}, reasons = {0};
    double cover = out->root.comparable_fraction[p];
    int result = -1;
    CG_TRY(cg_facts_find(&facts, findings, all, p, err));
    const char *verdict = verdict_of(&facts, cover);
    CG_TRY(cg_relate(&relation, verdict, &facts, out, p, err));
    CG_TRY(cg_give_reasons(&reasons, verdict, &facts, cover, out, p, err));
    if (reasons.size > 0)
        reasons.data[--reasons.size] = '\0'; /* lines are separated, not ended */
    out->root.log10_p[p] = fmin(facts.best, facts.moved_log10_p);
    if (all->mapped[p].of)
        out->root.log10_p[p] = fmin(out->root.log10_p[p], all->mapped[p].strongest);
    if (facts.kin->of)
        out->root.log10_p[p] = fmin(out->root.log10_p[p], facts.kin->strongest);
    out->root.detection_limit[p] = facts.limit;
    out->root.rounding_ratio[p] = cg_rounding_ratio(&facts.rounding);
    CG_TRY(cg_result_text(&out->root.verdict[p], verdict, err));
    CG_TRY(cg_result_text(&out->root.relation[p], relation.data, err));
    CG_TRY(cg_result_text(&out->root.reasons[p], reasons.data ? reasons.data : "", err));
    result = 0;
done:
    cg_facts_release(&facts);
    cg_buf_release(&relation);
    cg_buf_release(&reasons);
    return result;
}

int cg_judge(struct cg_result *out, const struct cg_findings *findings, const struct cg_comparisons *all,
             struct cg_err *err)
{
    for (int64_t p = 0; p < findings->npairs; p++)
        if (judge_pair(out, findings, all, p, err) < 0)
            return -1;
    return 0;
}
