#include "collect.h"
#include "cognate/mem.h"
#include <math.h>
#include <stdlib.h>

/* 3-evidence asks for p < 1e-12 after correction. */
const double CG_PASS_LOG10_P = -12;

/* Elements from which on equal values are no accident. */
enum { LEAST_SAME = 1024 };

bool cg_slot_counts(const struct cg_slot *slot, const struct cg_comparison *comparison)
{
    return comparison->compared && comparison->matrix && !comparison->constant &&
           cg_role_group(slot->role) != CG_GROUP_NORM && slot->role != CG_ROLE_POSITION_EMBED;
}

bool cg_slot_same(const struct cg_slot *slot, const struct cg_comparison *comparison)
{
    bool plain = !isnan(comparison->cosine); /* values that are known not to be constant */
    return cg_slot_counts(slot, comparison) && slot->role != CG_ROLE_OTHER && comparison->equal && plain &&
           comparison->elements >= LEAST_SAME;
}

int64_t cg_tests(const struct cg_findings *findings, const struct cg_comparisons *all, int64_t pair)
{
    int64_t tests = 0;
    for (int64_t s = 0; s < findings->anatomy->nslots; s++) {
        const struct cg_comparison *comparison = cg_comparison_at(all, s, pair);
        tests += cg_slot_counts(&findings->anatomy->slots[s], comparison) && !isnan(comparison->log10_p);
    }
    return tests;
}

double cg_corrected_log10_p(const struct cg_slot *slot, const struct cg_comparison *comparison, int64_t tests)
{
    return cg_slot_counts(slot, comparison) ? cg_bonferroni(comparison->log10_p, tests) : NAN;
}

bool cg_slot_passes(const struct cg_slot *slot, const struct cg_comparison *comparison, int64_t tests)
{
    return cg_corrected_log10_p(slot, comparison, tests) < CG_PASS_LOG10_P || cg_slot_same(slot, comparison);
}

static int compare_all(struct cg_comparisons *all, const struct cg_findings *findings, struct cg_err *err)
{
    int64_t nslots = findings->anatomy->nslots;
    all->npairs = findings->npairs;
    all->cell = cg_new((size_t)(nslots * findings->npairs), sizeof *all->cell, err);
    if (!all->cell)
        return -1;
    for (int64_t s = 0; s < nslots; s++)
        for (int64_t p = 0; p < findings->npairs; p++)
            all->cell[s * findings->npairs + p] =
                cg_compare_slot(findings->anatomy, findings->plan, findings->sweep, s, findings->pairs[p][0],
                                findings->pairs[p][1]);
    return 0;
}

int cg_result_collect(struct cg_result *out, const struct cg_findings *findings, struct cg_err *err)
{
    struct cg_comparisons all = {0};
    int result = -1;
    out->size[CG_DIM_MODEL] = findings->anatomy->models;
    out->size[CG_DIM_PAIR] = findings->npairs;
    CG_TRY(compare_all(&all, findings, err));
    CG_TRY(cg_collect_models(out, findings, err));
    CG_TRY(cg_collect_tensors(out, findings, &all, err));
    CG_TRY(cg_collect_layers(out, findings, &all, err));
    CG_TRY(cg_collect_experts(out, findings, &all, err));
    CG_TRY(cg_collect_embeddings(out, findings, err));
    CG_TRY(cg_collect_pca(out, findings, err));
    CG_TRY(cg_collect_pairs(out, findings, &all, err));
    CG_TRY(cg_judge(out, findings, &all, err));
    result = 0;
done:
    free(all.cell);
    if (result < 0)
        cg_result_release(out);
    return result;
}
