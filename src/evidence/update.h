/* The numerical rank of what training changed. */
#ifndef COGNATE_EVIDENCE_UPDATE_H
#define COGNATE_EVIDENCE_UPDATE_H

#include "cognate/blocks.h"
#include "cognate/plan.h"
#include "cognate/sweep.h"
#include "fetch.h"

/* The least number of random directions whose images under `difference` (rows x columns) span 99.5% of its
 * sum of squares, by the range finder with one power of Halko, Martinsson and Tropp 2011
 * (doi 10.1137/090771806): the rank, where it is low; -1 beyond `most`. room: [(columns + rows) * (most + 1)]
 * floats. */
int32_t cg_numerical_rank(const float *difference, int64_t rows, int64_t columns, int32_t most, float *room);

/* Collective, agreed: fills update_rank and updates of *out from the matrices that differ between alike
 * members, up to eight of them, evenly spread; of each up to 1,024 rows and columns. */
int cg_update_find(const struct cg_comm *comm, struct cg_fetch *fetch, const struct cg_plan *plan,
                   const struct cg_sweep *sweep, const int model[2], struct cg_kinship *out,
                   struct cg_err *err);

#endif
