/* The first half of the plan: which members are swept together. */
#ifndef COGNATE_PLAN_BUNDLES_H
#define COGNATE_PLAN_BUNDLES_H

#include "cognate/plan.h"

/* Fills bundles, members (without owners) and places. */
int cg_bundles_build(struct cg_plan *plan, const struct cg_anatomy *anatomy,
                     const struct cg_checkpoint *const *models, struct cg_err *err);

#endif
