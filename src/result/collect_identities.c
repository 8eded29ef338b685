#include "collect.h"

/* Rows over all pairs: beyond it the first of each pair are listed. */
enum { MOST_ROWS = 1 << 16 };

static int64_t listed(const struct cg_findings *findings, const struct cg_identities *identities)
{
    int64_t most = MOST_ROWS / findings->npairs + 1;
    return identities->n < most ? identities->n : most;
}

int cg_collect_identities(struct cg_result *out, const struct cg_findings *findings,
                          const struct cg_comparisons *all, struct cg_err *err)
{
    int64_t at = 0;
    out->size[CG_DIM_IDENTITY] = 0;
    for (int64_t p = 0; p < findings->npairs; p++)
        out->size[CG_DIM_IDENTITY] += listed(findings, &all->identities[p]);
    if (cg_result_allocate(out, "/identities", err) < 0)
        return -1;
    for (int64_t p = 0; p < findings->npairs; p++)
        for (int64_t i = 0; i < listed(findings, &all->identities[p]); i++, at++) {
            out->identities.pair[at] = (int32_t)p;
            out->identities.tensor_b[at] = all->identities[p].list[i].slot_b;
            out->identities.tensor_a[at] = all->identities[p].list[i].slot_a;
        }
    return 0;
}
