#include "pca/checks.h"
#include "cognate/mem.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Components are checked in groups of this many, side by side in memory: what a rank needs stays small
 * however many there are, and the loops vectorise. */
enum { GROUP = 16 };

struct quality {
    double vectors, residual, scores, variances;
};

/* The larger of two errors, where no number at all is the largest. */
static double worse(double a, double b)
{
    return isnan(a) || a > b ? a : b;
}

static double trace_of(const struct cg_comm *comm, const struct cg_features *features, const double *mean)
{
    double sum = 0.0;
    for (int64_t i = 0; i < features->local; i++) {
        const double *value = features->value + i * features->features;
        double row = 0.0;
        for (int64_t f = 0; f < features->features; f++)
            row += (value[f] - mean[f]) * (value[f] - mean[f]);
        sum += row;
    }
    return cg_sum_double(comm, sum) / (double)(features->samples - 1);
}

/* product += Xc' Xc v over this rank's rows; v and product are [features][GROUP]. */
static void multiply(const struct cg_features *features, const double *mean, const double *v, double *product)
{
    for (int64_t i = 0; i < features->local; i++) {
        const double *value = features->value + i * features->features;
        double score[GROUP] = {0};
        for (int64_t f = 0; f < features->features; f++)
            for (int k = 0; k < GROUP; k++)
                score[k] += (value[f] - mean[f]) * v[f * GROUP + k];
        for (int64_t f = 0; f < features->features; f++)
            for (int k = 0; k < GROUP; k++)
                product[f * GROUP + k] += (value[f] - mean[f]) * score[k];
    }
}

/* The largest |C v - lambda v| of the group; product is (n - 1) C v. */
static double residual_on_root(const struct cg_pca *pca, int64_t first, int64_t count, const double *product)
{
    double largest = 0.0;
    for (int64_t k = 0; k < count; k++) {
        const double *v = pca->vector + (first + k) * pca->features;
        double squares = 0.0;
        for (int64_t f = 0; f < pca->features; f++) {
            double off =
                product[f * GROUP + k] / (double)(pca->samples - 1) - pca->variance[first + k] * v[f];
            squares += off * off;
        }
        largest = worse(sqrt(squares), largest);
    }
    return largest;
}

static int check_residual(const struct cg_comm *comm, const struct cg_features *features, const double *mean,
                          const struct cg_pca *pca, double *residual, struct cg_err *err)
{
    int64_t components = cg_max_int(comm, comm->rank == 0 ? pca->components : 0);
    size_t n = (size_t)features->features * GROUP;
    double *v = cg_new(n, sizeof *v, err);
    double *product = v ? cg_new(n, sizeof *product, err) : NULL;
    int result = cg_agree(comm, product ? 0 : -1, err);
    for (int64_t first = 0; first < components && result == 0; first += GROUP) {
        int64_t count = components - first < GROUP ? components - first : GROUP;
        memset(product, 0, n * sizeof *product);
        for (int64_t k = 0; k < count && comm->rank == 0; k++)
            for (int64_t f = 0; f < pca->features; f++)
                v[f * GROUP + k] = pca->vector[(first + k) * pca->features + f];
        MPI_Bcast(v, (int)n, MPI_DOUBLE, 0, comm->mpi);
        multiply(features, mean, v, product);
        cg_sum_doubles(comm, product, (int64_t)n);
        if (comm->rank == 0)
            *residual = worse(residual_on_root(pca, first, count, product), *residual);
    }
    free(v);
    free(product);
    return result;
}

static double vectors_on_root(const struct cg_pca *pca)
{
    double largest = 0.0;
    for (int64_t i = 0; i < pca->components; i++)
        for (int64_t j = 0; j <= i; j++) {
            double product = 0.0;
            for (int64_t f = 0; f < pca->features; f++)
                product += pca->vector[i * pca->features + f] * pca->vector[j * pca->features + f];
            largest = worse(fabs(product - (i == j)), largest);
        }
    return largest;
}

static double scores_on_root(const struct cg_pca *pca)
{
    double largest = 0.0;
    for (int64_t k = 0; k < pca->components; k++) {
        double squares = 0.0;
        for (int64_t i = 0; i < pca->samples; i++)
            squares += pca->score[i * pca->components + k] * pca->score[i * pca->components + k];
        largest = worse(fabs(squares / (double)(pca->samples - 1) - pca->variance[k]), largest);
    }
    return largest;
}

static int judge_on_root(const struct quality *q, const struct cg_pca *pca, double trace, struct cg_err *err)
{
    double allowed = CG_PCA_TOLERANCE * pca->variance[0];
    if (q->vectors <= CG_PCA_TOLERANCE && q->residual <= allowed && q->scores <= allowed &&
        q->variances <= CG_PCA_TOLERANCE * trace)
        return 0;
    return cg_fail(
        err, CG_ENUMERIC,
        "PCA: the result fails its own check: vectors not orthonormal by %.2e, residual %.2e and "
        "scores %.2e of the largest variance %.6e, sum of variances off by %.2e of %.6e; some BLAS "
        "builds compute wrong values on processors newer than they are (with OpenBLAS try "
        "OPENBLAS_CORETYPE=Haswell)",
        q->vectors, q->residual / pca->variance[0], q->scores / pca->variance[0], pca->variance[0],
        q->variances / trace, trace);
}

int cg_pca_check(const struct cg_comm *comm, const struct cg_features *features, const double *mean,
                 const struct cg_pca *pca, double total, struct cg_err *err)
{
    struct quality quality = {0};
    int result = 0;
    double trace = trace_of(comm, features, mean);
    if (check_residual(comm, features, mean, pca, &quality.residual, err) < 0)
        return -1;
    if (comm->rank == 0) {
        quality.vectors = vectors_on_root(pca);
        quality.scores = scores_on_root(pca);
        quality.variances = fabs(total - trace);
        result = judge_on_root(&quality, pca, trace, err);
    }
    return cg_agree(comm, result, err);
}
