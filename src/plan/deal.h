/* The second half of the plan: bundles cut into tasks and dealt to the ranks. */
#ifndef COGNATE_PLAN_DEAL_H
#define COGNATE_PLAN_DEAL_H

#include "cognate/plan.h"

/* Decides which bundles are split, fills owners, tasks and loads. */
int cg_deal(struct cg_plan *plan, struct cg_err *err);

#endif
