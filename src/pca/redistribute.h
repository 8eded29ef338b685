/* The ways into and out of the process grid. */
#ifndef CG_PCA_REDISTRIBUTE_H
#define CG_PCA_REDISTRIBUTE_H

#include "cognate/pca.h"
#include "pca/grid.h"

/* Collective over all ranks, agreed. Sends the rows of `features`, less `mean` [features], to their places in
 * x (features by samples: a sample is a column). In pieces: beyond its share of x a rank holds a few MiB to
 * send, and never more than its share once more to receive. */
int cg_scatter_samples(const struct cg_comm *comm, const struct cg_grid *grid,
                       const struct cg_features *features, const double *mean, struct cg_matrix *x,
                       struct cg_err *err);

/* Collective over all ranks, agreed. Columns first.. of the matrix, dense and column-major, on rank 0:
 * out [(columns - first) * rows]; not used elsewhere. */
int cg_gather_columns(const struct cg_comm *comm, const struct cg_grid *grid, const struct cg_matrix *matrix,
                      int first, double *out, struct cg_err *err);

#endif
