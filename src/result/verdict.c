/* The verdict of a pair, from identity and the shift null. A slot passes with p < 1e-12 after correction for
 * all slots tested, or by equal values.
 *
 *   IDENTICAL:    every slot of both models has equal values.
 *
 *   DERIVED:      slots of at least two roles pass, in at least two groups (embedding, attention,
 *                 ffn, other); or all slots of one, not the embedding, when there was no other to weigh.
 *
 *   PARTIAL:      only one group passes, or one role.
 *
 *   NO EVIDENCE:  nothing passes, and relatives that keep a tenth of the weights' variance would have.
 *
 *   INCONCLUSIVE: the tests could not be run, cover too little of b, or had no power.
 *
 * Norms, vectors, plain cosine and PCA carry no weight; neither does anything that config.json says.
 */
#include "cognate/mem.h"
#include "collect.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double KEPT_VARIANCE = 0.10; /* that a relative must keep to be seen, for NO EVIDENCE */
static const double LEAST_COVER = 0.50; /* share of b's parameters that must be comparable, for NO EVIDENCE */

/* What the tests of one pair came to. */
struct facts {
    int64_t slots; /* that either model fills; of them: */
    int64_t compared, equal, identical, same_type, same_name;
    int64_t constant, telling; /* one value throughout; equal and not so */
    int64_t tests;             /* slots with a p-value */
    int64_t weighed, passing;  /* slots with a p-value or equal values; those that pass */
    int64_t weighed_in[CG_GROUP_COUNT], passed[CG_GROUP_COUNT];
    bool role_passed[CG_ROLE_COUNT];
    int first_layer[CG_GROUP_COUNT], last_layer[CG_GROUP_COUNT], layers[CG_GROUP_COUNT]; /* that pass */
    double best, limit; /* log10 p of the strongest slot, corrected; cosine that would have been seen */
    double matrix_sum;
    int64_t matrices;
};

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
static int find_limit(struct facts *facts, const struct cg_findings *findings,
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

static void count_pass(struct facts *facts, const struct cg_slot *slot)
{
    enum cg_group group = cg_role_group(slot->role);
    facts->passing++;
    facts->role_passed[slot->role] = true;
    facts->passed[group]++;
    if (slot->layer <= facts->last_layer[group]) /* slots come layer by layer; -1 is no layer */
        return;
    if (facts->layers[group]++ == 0)
        facts->first_layer[group] = slot->layer;
    facts->last_layer[group] = slot->layer;
}

/* Whether two members lie alike in tensors of their own. */
static bool same_view(const struct cg_view *a, const struct cg_view *b)
{
    bool same = !a == !b && (!a || (a->base == b->base && a->axes == b->axes));
    for (int k = 0; same && a && k < a->axes; k++)
        same = a->extent[k] == b->extent[k] && a->stride[k] == b->stride[k];
    return same;
}

static void count_slot(struct facts *facts, const struct cg_findings *findings,
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
    const struct cg_tensor *in_a = &findings->models[findings->pairs[p][0]]->tensors[a->tensor];
    const struct cg_tensor *in_b = &findings->models[findings->pairs[p][1]]->tensors[b->tensor];
    facts->compared++;
    facts->equal += comparison->equal;
    facts->identical += comparison->identical;
    facts->same_type += in_a->dtype == in_b->dtype;
    facts->same_name += strcmp(in_a->name, in_b->name) == 0 && same_view(a->view, b->view);
    facts->constant += comparison->constant;
    facts->telling += comparison->equal && !comparison->constant && !slot->buffer;
    if (comparison->matrix && !isnan(comparison->cosine)) {
        facts->matrices++;
        facts->matrix_sum += comparison->cosine;
    }
    double corrected = cg_corrected_log10_p(slot, comparison, facts->tests);
    bool same = cg_slot_same(slot, comparison);
    if (isnan(corrected) && !same)
        return;
    facts->weighed++;
    facts->weighed_in[cg_role_group(slot->role)]++;
    facts->best = fmin(facts->best, corrected); /* of a NaN and a number the number */
    if (cg_slot_passes(slot, comparison, facts->tests))
        count_pass(facts, slot);
}

static int find_facts(struct facts *facts, const struct cg_findings *findings,
                      const struct cg_comparisons *all, int64_t p, struct cg_err *err)
{
    *facts = (struct facts){.tests = cg_tests(findings, all, p), .best = NAN};
    for (int g = 0; g < CG_GROUP_COUNT; g++)
        facts->first_layer[g] = facts->last_layer[g] = -1;
    for (int64_t s = 0; s < findings->anatomy->nslots; s++)
        count_slot(facts, findings, cg_comparison_at(all, s, p), s, p);
    return find_limit(facts, findings, all, p, err);
}

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

static bool all_equal(const struct facts *facts)
{
    return facts->equal == facts->slots && facts->constant < facts->slots;
}

static const char *verdict_of(const struct facts *facts, double cover)
{
    if (all_equal(facts))
        return "IDENTICAL";
    int groups = count_positive(facts->passed, CG_GROUP_COUNT);
    bool one_group = count_positive(facts->weighed_in, CG_GROUP_COUNT) == 1 &&
                     facts->passing == facts->weighed && facts->weighed_in[CG_GROUP_EMBEDDING] == 0;
    if ((groups >= 2 || one_group) && count_true(facts->role_passed, CG_ROLE_COUNT) >= 2)
        return "DERIVED";
    if (groups >= 1)
        return "PARTIAL";
    bool power = facts->limit * facts->limit <= KEPT_VARIANCE;
    return power && cover >= LEAST_COVER ? "NO EVIDENCE" : "INCONCLUSIVE";
}

static const char *identical_relation(const struct facts *facts)
{
    return facts->same_type < facts->compared   ? "other type"
           : facts->same_name < facts->compared ? "same values, other container"
                                                : "same bytes";
}

/* The group of a PARTIAL verdict, with its layers. */
static int name_part(struct cg_buf *text, const struct facts *facts, struct cg_err *err)
{
    for (int g = 0; g < CG_GROUP_COUNT; g++) {
        if (facts->passed[g] == 0)
            continue;
        if (cg_buf_printf(text, err, "%s", cg_group_name((enum cg_group)g)) < 0)
            return -1;
        int first = facts->first_layer[g], last = facts->last_layer[g], layers = facts->layers[g];
        if (layers == 1)
            return cg_buf_printf(text, err, " of layer %d", first);
        if (layers == last - first + 1)
            return cg_buf_printf(text, err, " of layers %d to %d", first, last);
        if (layers > 1)
            return cg_buf_printf(text, err, " of %d layers from %d to %d", layers, first, last);
    }
    return 0;
}

static int relation_of(struct cg_buf *text, const char *verdict, const struct facts *facts,
                       const struct cg_result *out, int64_t p, struct cg_err *err)
{
    if (strcmp(verdict, "IDENTICAL") == 0)
        return cg_buf_printf(text, err, "%s", identical_relation(facts));
    if (strcmp(verdict, "PARTIAL") == 0)
        return name_part(text, facts, err);
    if (strcmp(verdict, "DERIVED") != 0)
        return cg_buf_append(text, "", 0, err);
    /* Where only some layers or widths match, the mean over all compared matrices says nothing about how far
     * training went. */
    double mean = facts->matrices > 0 ? facts->matrix_sum / (double)facts->matrices : NAN;
    const char *how = mean > 0.95 ? "fine-tuned" : mean >= 0.5 ? "continued pre-training" : "shared ancestry";
    int64_t rows_a = out->embeddings.rows_a[p], rows_b = out->embeddings.rows_b[p];
    bool vocabulary = rows_a >= 0 && rows_b >= 0 && rows_a != rows_b;
    return cg_buf_printf(text, err, "%s%s", how, vocabulary ? ", vocabulary changed" : "");
}

static int reason_identity(struct cg_buf *text, const struct facts *facts, struct cg_err *err)
{
    if (facts->constant > 0 &&
        cg_buf_printf(text, err,
                      "%" PRId64
                      " compared slots hold one value throughout; they prove nothing and are left out.\n",
                      facts->constant) < 0)
        return -1;
    if (all_equal(facts))
        return cg_buf_printf(text, err,
                             "All %" PRId64 " slots have equal values, %" PRId64 " of them the same bytes.\n",
                             facts->slots, facts->identical);
    return facts->telling == 0 ? 0
                               : cg_buf_printf(text, err,
                                               "%" PRId64 " of %" PRId64
                                               " compared slots have equal values and are not constant.\n",
                                               facts->telling, facts->compared);
}

/* A p-value as a reader takes it in: no power of ten where it is none. */
static int put_p(struct cg_buf *text, double log10_p, struct cg_err *err)
{
    return cg_buf_printf(text, err, log10_p > -2 ? "p = %.2f" : "p = 1e%.0f",
                         log10_p > -2 ? pow(10, log10_p) : log10_p);
}

static int reason_none(struct cg_buf *text, const struct facts *facts, struct cg_err *err)
{
    if (facts->tests == 0)
        return cg_buf_printf(text, err,
                             "No slot could be tested: no matrix of one shape with a residual axis that is "
                             "long enough in both.\n");
    if (cg_buf_printf(text, err,
                      "None of %" PRId64
                      " slots tested by the shift null passes p < 1e-12; the strongest has ",
                      facts->tests) < 0 ||
        put_p(text, facts->best, err) < 0)
        return -1;
    return cg_buf_printf(text, err, " after correction.\n");
}

static int reason_passing(struct cg_buf *text, const struct facts *facts, struct cg_err *err)
{
    if (facts->passing == 0)
        return reason_none(text, facts, err);
    if (cg_buf_printf(text, err, "%" PRId64 " of %" PRId64 " slots weighed pass:", facts->passing,
                      facts->weighed) < 0)
        return -1;
    for (int g = 0; g < CG_GROUP_COUNT; g++)
        if (facts->weighed_in[g] > 0 &&
            cg_buf_printf(text, err, " %s %" PRId64 " of %" PRId64 ",", cg_group_name((enum cg_group)g),
                          facts->passed[g], facts->weighed_in[g]) < 0)
            return -1;
    text->data[text->size - 1] = '.';
    if (facts->tests == 0)
        return cg_buf_printf(text, err, " They have equal values; the shift null could not be taken.\n");
    if (cg_buf_printf(text, err,
                      " To pass is p < 1e-12 by the shift null, corrected for all %" PRId64
                      " slots tested, or equal values; the strongest has ",
                      facts->tests) < 0 ||
        put_p(text, facts->best, err) < 0)
        return -1;
    return cg_buf_printf(text, err, ".\n");
}

static int reason_power(struct cg_buf *text, const char *verdict, const struct facts *facts, double cover,
                        struct cg_err *err)
{
    if (strcmp(verdict, "NO EVIDENCE") != 0 && strcmp(verdict, "INCONCLUSIVE") != 0)
        return 0;
    if (!isnan(facts->limit) &&
        cg_buf_printf(text, err,
                      "Related matrices would have been seen from a cosine of %.3f on in two roles.\n",
                      facts->limit) < 0)
        return -1;
    if (!(cover >= LEAST_COVER) &&
        cg_buf_printf(
            text, err,
            "Only %.1f%% of the later model's parameters lie in slots of one shape: the rest was not "
            "compared.\n",
            isnan(cover) ? 0 : 100 * cover) < 0)
        return -1;
    return cg_buf_printf(
        text, err,
        "Slots were compared in their own basis: permuted units, a rotated residual stream or "
        "moved layers would not be seen by this test.\n");
}

static int judge_pair(struct cg_result *out, const struct cg_findings *findings,
                      const struct cg_comparisons *all, int64_t p, struct cg_err *err)
{
    struct facts facts;
    struct cg_buf relation = {0}, reasons = {0};
    double cover = out->root.comparable_fraction[p];
    int result = -1;
    CG_TRY(find_facts(&facts, findings, all, p, err));
    const char *verdict = verdict_of(&facts, cover);
    CG_TRY(relation_of(&relation, verdict, &facts, out, p, err));
    CG_TRY(reason_identity(&reasons, &facts, err));
    CG_TRY(reason_passing(&reasons, &facts, err));
    CG_TRY(reason_power(&reasons, verdict, &facts, cover, err));
    if (reasons.size > 0)
        reasons.data[--reasons.size] = '\0'; /* lines are separated, not ended */
    out->root.log10_p[p] = facts.best;
    out->root.detection_limit[p] = facts.limit;
    CG_TRY(cg_result_text(&out->root.verdict[p], verdict, err));
    CG_TRY(cg_result_text(&out->root.relation[p], relation.data, err));
    CG_TRY(cg_result_text(&out->root.reasons[p], reasons.data ? reasons.data : "", err));
    result = 0;
done:
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
