/* Principal components of the matrices of all models, by ScaLAPACK over all ranks.
 *
 * Samples are the rows of an (n, features) matrix that no rank ever holds whole: every rank brings the rows
 * it owns, in any number and order. Each feature is centred, none is scaled. The covariance matrix C = Xc' Xc
 * / (n - 1) (features, features) is formed and diagonalised block-cyclically; scores are Xc V. Where there
 * are at most half as many samples as features it is Xc Xc' / (n - 1) (n, n), which has the same eigenvalues,
 * and eigenvectors u that give v = Xc' u / |Xc' u| and scores |Xc' u| u, unless a component that is wanted
 * has so little variance that it would come out inexact. The largest loading of every component is positive.
 * Equal to sklearn.decomposition.PCA up to that sign.
 */
#ifndef COGNATE_PCA_H
#define COGNATE_PCA_H

#include "cognate/comm.h"
#include "cognate/err.h"
#include "cognate/features.h"
#include <stdint.h>

struct cg_pca {
    int64_t samples, features, components;
    double *score;            /* [samples * components] */
    double *variance, *ratio; /* [components] explained variance (n - 1), and its share of the whole */
    double *vector;           /* [components * features], each of length 1 */
    double *mean;             /* [features] */
};

/* Collective, agreed. components is cut to min(samples - 1, features). out is filled on rank 0 and all zero
 * elsewhere; fewer than 2 samples give components = 0 (and a mean that is NaN when there is none). features
 * is not changed. Checks its own result before it returns: orthonormal vectors, residual |C v - lambda v|,
 * sum of all variances against the trace; CG_ENUMERIC when one is off (some BLAS builds compute wrong values
 * on newer processors). */
int cg_pca_run(const struct cg_comm *comm, const struct cg_features *features, int components,
               struct cg_pca *out, struct cg_err *err);
void cg_pca_release(struct cg_pca *pca);

#endif
