/* The self check of PCA. */
#ifndef CG_PCA_CHECKS_H
#define CG_PCA_CHECKS_H

#include "cognate/pca.h"

/* Collective over all ranks, agreed. Whether `pca` (rank 0's; elsewhere it is not looked at) solves the
 * problem that `features` and their `mean` [features] pose; `total` is the sum of all eigenvalues. Made of
 * plain loops over the rows as they were brought, so that it owes nothing to BLAS, ScaLAPACK or the grid:
 *   vectors    largest |V V' - I|
 *   residual   largest |C v - lambda v| / |C|
 *   scores     largest |sum of squares / (n - 1) - lambda| / |C|
 *   variances  |total - trace C| / trace C
 * Each at most CG_PCA_TOLERANCE, or CG_ENUMERIC with the four numbers. Wants at least 1 component. */
int cg_pca_check(const struct cg_comm *comm, const struct cg_features *features, const double *mean,
                 const struct cg_pca *pca, double total, struct cg_err *err);

#define CG_PCA_TOLERANCE 1e-10

#endif
