#include "collect.h"
#include "cognate/mem.h"
#include "origins.h"
#include <stdlib.h>

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
                findings->comparisons ? findings->comparisons[s * findings->npairs + p]
                                      : cg_compare_slot(findings->anatomy, findings->plan, findings->sweep, s,
                                                        findings->pairs[p][0], findings->pairs[p][1]);
    return 0;
}

/* Maps and blocks are judged last: whether a pair may serve others as a control depends on its slots. */
static int judge_cells(struct cg_comparisons *all, const struct cg_findings *findings, struct cg_err *err)
{
    bool *silent = cg_new((size_t)all->npairs, sizeof *silent, err);
    if (!silent)
        return -1;
    for (int64_t p = 0; p < all->npairs; p++) {
        int64_t tests = cg_tests(findings, all, p);
        silent[p] = true;
        for (int64_t s = 0; s < findings->anatomy->nslots; s++)
            silent[p] &= !cg_slot_passes(&findings->anatomy->slots[s], cg_comparison_at(all, s, p), tests);
        silent[p] &= all->identities[p].n == 0;
    }
    int result = cg_mapped_judge(&all->mapped, findings, silent, err);
    if (result == 0)
        result = cg_kins_judge(&all->kins, findings, silent, err);
    for (int64_t p = 0; result == 0 && p < all->npairs; p++)
        silent[p] &= !(all->kins[p].strongest < CG_PASS_LOG10_P);
    if (result == 0)
        cg_mapped_control(all->mapped, findings, silent);
    free(silent);
    return result;
}

int cg_result_collect(struct cg_result *out, const struct cg_findings *findings, struct cg_err *err)
{
    struct cg_comparisons all = {0};
    int result = -1;
    out->size[CG_DIM_MODEL] = findings->anatomy->models;
    out->size[CG_DIM_PAIR] = findings->npairs;
    out->size[CG_DIM_SKIPPED] = (int64_t)findings->skipped->n;
    CG_TRY(compare_all(&all, findings, err));
    CG_TRY(cg_identities_find(&all.identities, findings->anatomy, findings->plan, findings->sweep,
                              findings->pairs, findings->npairs, err));
    CG_TRY(judge_cells(&all, findings, err));
    if (findings->sweep->products)
        CG_TRY(cg_merges_find(&all.merges, findings->anatomy, findings->plan, findings->sweep, err));
    CG_TRY(cg_origins_find(&all.origins, findings, &all, err));
    CG_TRY(cg_collect_models(out, findings, err));
    CG_TRY(cg_collect_tensors(out, findings, &all, err));
    CG_TRY(cg_collect_layers(out, findings, &all, err));
    CG_TRY(cg_collect_experts(out, findings, &all, err));
    CG_TRY(cg_collect_cells(out, findings, err));
    CG_TRY(cg_collect_merges(out, &all.merges, err));
    CG_TRY(cg_collect_identities(out, findings, &all, err));
    CG_TRY(cg_collect_embeddings(out, findings, err));
    CG_TRY(cg_collect_pca(out, findings, err));
    CG_TRY(cg_collect_pairs(out, findings, &all, err));
    CG_TRY(cg_judge(out, findings, &all, err));
    result = 0;
done:
    free(all.cell);
    cg_kins_release(all.kins, findings->npairs);
    cg_mapped_release(all.mapped, findings->npairs);
    cg_merges_release(&all.merges);
    cg_identities_release(all.identities, findings->npairs);
    cg_origins_release(all.origins, findings->npairs);
    if (result < 0)
        cg_result_release(out);
    return result;
}
