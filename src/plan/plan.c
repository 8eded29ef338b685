#include "cognate/plan.h"
#include "bundles.h"
#include "cognate/mem.h"
#include "deal.h"
#include <stdlib.h>

/* Cells of the reduced table: one for a bundle that one rank sums whole, one a chunk for a split one. */
static void number_cells(struct cg_plan *plan)
{
    plan->ncells = 0;
    for (int64_t i = 0; i < plan->nbundles; i++) {
        struct cg_bundle *bundle = &plan->bundles[i];
        bundle->cell = plan->ncells;
        bundle->cells = bundle->split ? cg_chunk_count(bundle->rows, bundle->columns) : 1;
        plan->ncells += bundle->cells;
    }
}

int cg_plan_build(struct cg_plan *out, const struct cg_anatomy *anatomy,
                  const struct cg_checkpoint *const *models, int ranks, struct cg_err *err)
{
    *out = (struct cg_plan){.ranks = ranks};
    int result = -1;
    CG_TRY(cg_bundles_build(out, anatomy, models, err));
    CG_TRY(cg_deal(out, err));
    number_cells(out);
    result = 0;
done:
    if (result < 0)
        cg_plan_release(out);
    return result;
}

void cg_plan_release(struct cg_plan *plan)
{
    free(plan->bundles);
    free(plan->members);
    free(plan->places);
    free(plan->tasks);
    free(plan->first_task);
    free(plan->load);
    free(plan->bytes);
    *plan = (struct cg_plan){0};
}

double cg_plan_imbalance(const struct cg_plan *plan)
{
    int64_t most = 0;
    for (int r = 0; r < plan->ranks; r++)
        if (plan->load[r] > most)
            most = plan->load[r];
    double best = (double)plan->total_load / plan->ranks;
    if (best < (double)plan->largest)
        best = (double)plan->largest;
    return best > 0 ? (double)most / best - 1.0 : 0.0;
}
