/* Panels of split bundles meet: their streams may lie on different ranks. */
#ifndef COGNATE_SWEEP_EXCHANGE_H
#define COGNATE_SWEEP_EXCHANGE_H

#include "cognate/comm.h"
#include "worker.h"

/* Collective, agreed. The owner of a split bundle's first member receives the other members' panels and
 * writes the shift nulls into its table. */
int cg_exchange_panels(const struct cg_comm *comm, struct cg_worker *worker, struct cg_err *err);

#endif
