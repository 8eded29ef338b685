#include "weigh.h"
#include <math.h>

/* One false accusation in 10^12 pairs: none that will ever be compared. */
const double CG_PASS_LOG10_P = -12;

static bool role_counts(enum cg_role role)
{
    return cg_role_group(role) != CG_GROUP_NORM && !cg_is_by_formula(role);
}

bool cg_slot_counts(const struct cg_slot *slot, const struct cg_comparison *comparison)
{
    return comparison->compared && comparison->matrix && !comparison->constant && role_counts(slot->role);
}

bool cg_slot_same(const struct cg_slot *slot, const struct cg_comparison *comparison)
{
    bool plain = !isnan(comparison->cosine); /* values that are known not to be constant */
    return cg_slot_counts(slot, comparison) && slot->role != CG_ROLE_OTHER && comparison->equal && plain &&
           comparison->elements >= CG_LEAST_SAME;
}

bool cg_member_counts(const struct cg_anatomy *anatomy, int64_t slot, int model)
{
    const struct cg_member *member = cg_member_of(anatomy, slot, model);
    return member->tensor >= 0 && !member->tied && member->rows > 1 && member->columns > 1 &&
           role_counts(anatomy->slots[slot].role);
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
