/* The comparisons of a run, and which of them carry weight: the rules that all parts of a result share. Pure.
 */
#ifndef COGNATE_RESULT_WEIGH_H
#define COGNATE_RESULT_WEIGH_H

#include "cognate/identities.h"
#include "cognate/merges.h"
#include "kin.h"
#include "mapped.h"

struct cg_origins;

/* All slots of all pairs compared once: [nslots * npairs], the comparison of pair p in slot s is [s * npairs
 * + p]; and the pairs' blocks, judged; and the models that are sums of others. */
struct cg_comparisons {
    struct cg_comparison *cell;
    int64_t npairs;
    struct cg_kin *kins;              /* [npairs] */
    struct cg_mapped *mapped;         /* [npairs] */
    struct cg_identities *identities; /* [npairs] */
    struct cg_origins *origins;       /* [npairs] */
    struct cg_merges merges;
};

static inline const struct cg_comparison *cg_comparison_at(const struct cg_comparisons *all, int64_t slot,
                                                           int64_t pair)
{
    return &all->cell[slot * all->npairs + pair];
}

/* Whether a slot may carry weight in the verdict: a matrix, not one value throughout. No norm; no vector,
 * since one outlying element in the same place in both makes any t large; no table of positions, since many
 * models compute theirs. */
bool cg_slot_counts(const struct cg_slot *slot, const struct cg_comparison *comparison);

/* Whether a slot that counts is evidence by equal values alone, whatever its t: 1,024 elements or more, in a
 * role that is trained (role other may hold masks and tables that many models compute alike). */
bool cg_slot_same(const struct cg_slot *slot, const struct cg_comparison *comparison);

/* The same of a member alone: whether its bytes in another place of the other model (identities.h) are
 * evidence, as equal values in its own are. */
bool cg_member_counts(const struct cg_anatomy *anatomy, int64_t slot, int model);

/* Slots of the pair whose t is judged: the number of tests that p-values are corrected for. */
int64_t cg_tests(const struct cg_findings *findings, const struct cg_comparisons *all, int64_t pair);

/* A p-value as it stands after correction for `tests`, of a slot that counts; NaN otherwise. */
double cg_corrected_log10_p(const struct cg_slot *slot, const struct cg_comparison *comparison,
                            int64_t tests);

/* The p below which a slot passes: log10. Equal values pass without. */
extern const double CG_PASS_LOG10_P;
bool cg_slot_passes(const struct cg_slot *slot, const struct cg_comparison *comparison, int64_t tests);

#endif
