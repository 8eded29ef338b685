#include "cognate/pca.h"
#include "cognate/mem.h"
#include "pca/checks.h"
#include "pca/redistribute.h"
#include "pca/scalapack.h"
#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int FIRST = 1;
static const double ZERO = 0.0, ONE = 1.0;

/* Of few samples the inner products are diagonalised, a smaller matrix than the covariance with the same
 * eigenvalues: n samples of n times FEWER features or more. Its eigenvectors u give the components as X u of
 * length 1; they keep ten digits where the variance is no less than SMALL of the largest. */
enum { FEWER = 2 };
static const double SMALL = 1e-4;

/* What the stages hand on. The samples are the columns of x, which makes a sample's features one run of
 * memory, and gathers scores and vectors in the order of the result. */
struct work {
    const struct cg_comm *comm;
    const struct cg_features *features;
    struct cg_grid grid;
    struct cg_matrix x; /* (features, samples), centred */
    bool by_samples;
    struct cg_matrix square;   /* lower triangle of the covariance, or of the inner products over n - 1 */
    struct cg_matrix vectors;  /* as large, a column each, by rising variance */
    struct cg_matrix products; /* by rising variance: scores (components, samples), or by samples the
                                 components (features, components), of any length */
    double *mean;              /* [features] */
    double *eigenvalues;       /* [square.rows] */
    double total;              /* sum of all eigenvalues */
};

static int check_input(const struct cg_features *features, struct cg_err *err)
{
    if (features->features < 0 || features->features > 8192)
        return cg_fail(err, CG_EUSAGE, "PCA: %" PRId64 " features, not 0 to 8192", features->features);
    if (features->samples > INT_MAX)
        return cg_fail(err, CG_EUNSUPPORTED, "PCA: %" PRId64 " samples are more than ScaLAPACK counts",
                       features->samples);
    for (int64_t i = 0; i < features->local; i++) {
        assert(features->sample[i] >= 0 && features->sample[i] < features->samples);
        for (int64_t f = 0; f < features->features; f++)
            if (!isfinite(features->value[i * features->features + f]))
                return cg_fail(err, CG_ENUMERIC,
                               "PCA: feature %" PRId64 " of sample %" PRId64 " is not finite", f,
                               features->sample[i]);
    }
    return 0;
}

/* The mean is taken of the distances from sample 0: a constant feature is then centred to exact zeros, and a
 * large common part costs no digits. Without samples it is not a number. */
static int take_mean(struct work *w, struct cg_err *err)
{
    const struct cg_features *features = w->features;
    int64_t n = features->features;
    double *first = cg_new((size_t)n, sizeof *first, err);
    w->mean = first ? cg_new((size_t)n, sizeof *w->mean, err) : NULL;
    int result = cg_agree(w->comm, w->mean ? 0 : -1, err);
    if (result < 0)
        goto done;
    for (int64_t i = 0; i < features->local; i++)
        if (features->sample[i] == 0)
            memcpy(first, features->value + i * n, (size_t)n * sizeof *first);
    cg_sum_doubles(w->comm, first, n);
    for (int64_t i = 0; i < features->local; i++)
        for (int64_t f = 0; f < n; f++)
            w->mean[f] += features->value[i * n + f] - first[f];
    cg_sum_doubles(w->comm, w->mean, n);
    for (int64_t f = 0; f < n; f++)
        w->mean[f] = first[f] + w->mean[f] / (double)features->samples;
done:
    free(first);
    return result;
}

static int allocate(struct work *w, int components, struct cg_err *err)
{
    int n = (int)w->features->features, samples = (int)w->features->samples,
        side = w->by_samples ? samples : n;
    CG_TRY(cg_matrix_init(&w->square, &w->grid, side, side, err));
    CG_TRY(cg_matrix_init(&w->vectors, &w->grid, side, side, err));
    CG_TRY(w->by_samples ? cg_matrix_init(&w->products, &w->grid, n, components, err)
                         : cg_matrix_init(&w->products, &w->grid, components, samples, err));
    w->eigenvalues = cg_new((size_t)side, sizeof *w->eigenvalues, err);
    return w->eigenvalues ? 0 : -1;
done:
    return -1;
}

static void release_solution(struct work *w)
{
    cg_matrix_release(&w->square);
    cg_matrix_release(&w->vectors);
    cg_matrix_release(&w->products);
    free(w->eigenvalues);
    w->eigenvalues = NULL;
    w->total = 0;
}

static void release(struct work *w)
{
    release_solution(w);
    cg_matrix_release(&w->x);
    free(w->mean);
    cg_grid_release(&w->grid);
}

/* Collective over the grid. */
static void take_square(struct work *w)
{
    const double scale = 1.0 / (w->x.columns - 1);
    const struct cg_matrix *x = &w->x;
    pdsyrk_("L", w->by_samples ? "T" : "N", &w->square.rows, w->by_samples ? &x->rows : &x->columns, &scale,
            x->local, &FIRST, &FIRST, x->descriptor, &ZERO, w->square.local, &FIRST, &FIRST,
            w->square.descriptor);
}

static int call_eigensolver(struct work *w, double *work, int lwork, int *iwork, int liwork)
{
    int info = 0;
    pdsyevd_("V", "L", &w->square.rows, w->square.local, &FIRST, &FIRST, w->square.descriptor, w->eigenvalues,
             w->vectors.local, &FIRST, &FIRST, w->vectors.descriptor, work, &lwork, iwork, &liwork, &info, 1,
             1);
    return info;
}

/* What pdsyevd forgets when it is asked for the size of its work space: the needs of pdlasrt on processes
 * with few columns, and of pdormtr on matrices smaller than a block (seen in ScaLAPACK 2.2.1). */
static double forgotten_space(const struct cg_matrix *m)
{
    double rows = m->local_rows, columns = m->local_columns, block = CG_PCA_BLOCK;
    return rows * (block + columns) + block * (2.0 * block + rows + columns) + 6.0 * m->rows;
}

/* Collective over the grid but for memory, which the ranks agree on between the two steps. */
static int diagonalise(struct work *w, struct cg_err *err)
{
    double *work = NULL, size = 0.0;
    int *iwork = NULL, isize = 0, result = 0, info = 0;
    if (w->grid.inside) {
        call_eigensolver(w, &size, -1, &isize, -1);
        size += forgotten_space(&w->vectors);
        if (size > INT_MAX)
            result = cg_fail(err, CG_EUNSUPPORTED, "PCA: %d %s are too many for %d ranks", w->square.rows,
                             w->by_samples ? "samples" : "features", w->comm->size);
        else if (!(work = cg_new((size_t)size, sizeof *work, err)) ||
                 !(iwork = cg_new((size_t)isize, sizeof *iwork, err)))
            result = -1;
    }
    CG_TRY(result = cg_agree(w->comm, result, err));
    if (w->grid.inside)
        info = call_eigensolver(w, work, (int)size, iwork, isize);
    if (info != 0)
        result = cg_fail(err, CG_ENUMERIC, "PCA: the eigensolver did not converge (pdsyevd info %d)", info);
    result = cg_agree(w->comm, result, err);
    for (int f = 0; f < w->square.rows; f++)
        w->total += w->eigenvalues[f];
done:
    free(work);
    free(iwork);
    return result;
}

/* Collective over the grid: the last columns of the vectors are the components, or by samples lead to them.
 */
static void take_products(struct work *w, int components)
{
    const int first = w->vectors.columns - components + 1;
    if (w->by_samples)
        pdgemm_("N", "N", &w->products.rows, &w->products.columns, &w->x.columns, &ONE, w->x.local, &FIRST,
                &FIRST, w->x.descriptor, w->vectors.local, &FIRST, &first, w->vectors.descriptor, &ZERO,
                w->products.local, &FIRST, &FIRST, w->products.descriptor);
    else
        pdgemm_("T", "N", &w->products.rows, &w->products.columns, &w->x.rows, &ONE, w->vectors.local, &FIRST,
                &first, w->vectors.descriptor, w->x.local, &FIRST, &FIRST, w->x.descriptor, &ZERO,
                w->products.local, &FIRST, &FIRST, w->products.descriptor);
}

static int allocate_on_root(struct cg_pca *out, const struct work *w, int components, struct cg_err *err)
{
    size_t k = (size_t)components, n = (size_t)w->features->features;
    out->samples = w->features->samples;
    out->features = w->features->features;
    out->components = components;
    if (!(out->score = cg_new((size_t)out->samples, k * sizeof(double), err)) ||
        !(out->variance = cg_new(k, sizeof(double), err)) || !(out->ratio = cg_new(k, sizeof(double), err)) ||
        !(out->vector = cg_new(k, n * sizeof(double), err)) || !(out->mean = cg_new(n, sizeof(double), err)))
        return -1;
    memcpy(out->mean, w->mean, n * sizeof *out->mean);
    return 0;
}

/* From rising to falling variance. */
static void reverse(double *values, int64_t n)
{
    for (int64_t i = 0; i < n / 2; i++) {
        double value = values[i];
        values[i] = values[n - 1 - i];
        values[n - 1 - i] = value;
    }
}

/* The sign that makes the largest loading positive. Loadings equal but for rounding count as equal, and the
 * first decides. */
static double sign_of(const double *vector, int64_t n)
{
    double largest = 0.0;
    for (int64_t f = 0; f < n; f++)
        largest = fmax(largest, fabs(vector[f]));
    int64_t f = 0;
    while (f < n - 1 && fabs(vector[f]) < largest * (1.0 - 1e-9))
        f++;
    return vector[f] < 0.0 ? -1.0 : 1.0;
}

static void finish_on_root(struct cg_pca *out, const struct work *w)
{
    int64_t components = out->components, features = out->features;
    /* Reversing all values and then each vector's own turns the order of the vectors alone. */
    reverse(out->vector, components * features);
    for (int64_t i = 0; i < out->samples; i++)
        reverse(out->score + i * components, components);
    for (int64_t k = 0; k < components; k++) {
        double *vector = out->vector + k * features;
        reverse(vector, features);
        out->variance[k] = fmax(w->eigenvalues[w->square.rows - 1 - k], 0.0);
        out->ratio[k] = w->total > 0.0 ? out->variance[k] / w->total : 0.0;
        double sign = sign_of(vector, features);
        for (int64_t f = 0; f < features; f++)
            vector[f] *= sign;
        for (int64_t i = 0; i < out->samples; i++)
            out->score[i * components + k] *= sign;
    }
}

/* Collective, agreed. */
static int solve(struct work *w, int components, struct cg_err *err)
{
    int result = cg_agree(w->comm, allocate(w, components, err), err);
    if (result == 0 && w->grid.inside)
        take_square(w);
    return result == 0 ? diagonalise(w, err) : result;
}

/* Whether inner products give all components well; rank 0, which is in every grid, knows. */
static bool is_steep(const struct work *w, int components)
{
    int n = w->square.rows;
    bool steep = w->comm->rank == 0 && w->eigenvalues[n - components] > SMALL * w->eigenvalues[n - 1];
    return cg_max_int(w->comm, steep) > 0;
}

/* Rank 0. Components of length 1; a sample's score is its part of the eigenvector times the length before. */
static void scale_on_root(struct cg_pca *out, const double *vectors)
{
    for (int64_t k = 0; k < out->components; k++) {
        double squares = 0, *component = out->vector + k * out->features;
        for (int64_t f = 0; f < out->features; f++)
            squares += component[f] * component[f];
        for (int64_t f = 0; f < out->features; f++)
            component[f] /= sqrt(squares);
        for (int64_t i = 0; i < out->samples; i++)
            out->score[i * out->components + k] = vectors[k * out->samples + i] * sqrt(squares);
    }
}

/* Collective, agreed: scores and vectors on rank 0, by rising variance. */
static int gather(const struct work *w, int components, struct cg_pca *out, struct cg_err *err)
{
    const struct cg_comm *comm = w->comm;
    double *vectors = NULL;
    int result = 0, first = w->vectors.columns - components;
    if (!w->by_samples) {
        CG_TRY(result = cg_gather_columns(comm, &w->grid, &w->vectors, first, out->vector, err));
        CG_TRY(result = cg_gather_columns(comm, &w->grid, &w->products, 0, out->score, err));
        return 0;
    }
    if (comm->rank == 0)
        vectors = cg_new((size_t)(out->samples * components), sizeof *vectors, err);
    CG_TRY(result = cg_agree(comm, comm->rank == 0 && !vectors ? -1 : 0, err));
    CG_TRY(result = cg_gather_columns(comm, &w->grid, &w->products, 0, out->vector, err));
    CG_TRY(result = cg_gather_columns(comm, &w->grid, &w->vectors, first, vectors, err));
    if (comm->rank == 0)
        scale_on_root(out, vectors);
done:
    free(vectors);
    return result;
}

static int decompose(struct work *w, int components, struct cg_pca *out, struct cg_err *err)
{
    const struct cg_comm *comm = w->comm;
    int64_t n = w->features->features, samples = w->features->samples;
    cg_grid_init(&w->grid, comm, n);
    CG_TRY(cg_agree(comm, cg_matrix_init(&w->x, &w->grid, (int)n, (int)samples, err), err));
    CG_TRY(cg_scatter_samples(comm, &w->grid, w->features, w->mean, &w->x, err));
    w->by_samples = FEWER * samples <= n;
    CG_TRY(solve(w, components, err));
    if (w->by_samples && !is_steep(w, components)) {
        release_solution(w);
        w->by_samples = false;
        CG_TRY(solve(w, components, err));
    }
    if (w->grid.inside)
        take_products(w, components);
    CG_TRY(gather(w, components, out, err));
    if (comm->rank == 0)
        finish_on_root(out, w);
    return cg_pca_check(comm, w->features, w->mean, out, w->total, err);
done:
    return -1;
}

static int possible(const struct cg_features *features, int components)
{
    int64_t most = features->samples - 1 < features->features ? features->samples - 1 : features->features;
    if (most > components)
        most = components;
    return most > 0 ? (int)most : 0;
}

int cg_pca_run(const struct cg_comm *comm, const struct cg_features *features, int components,
               struct cg_pca *out, struct cg_err *err)
{
    struct work w = {.comm = comm, .features = features};
    *out = (struct cg_pca){0};
    openblas_set_num_threads(1); /* the ranks are the parallelism */
    components = possible(features, components);
    int result = cg_agree(comm, check_input(features, err), err);
    CG_TRY(result);
    CG_TRY(result = take_mean(&w, err));
    if (comm->rank == 0)
        result = allocate_on_root(out, &w, components, err);
    CG_TRY(result = cg_agree(comm, result, err));
    if (components > 0)
        result = decompose(&w, components, out, err);
done:
    release(&w);
    if (result < 0)
        cg_pca_release(out);
    return result;
}

void cg_pca_release(struct cg_pca *pca)
{
    free(pca->score);
    free(pca->variance);
    free(pca->ratio);
    free(pca->vector);
    free(pca->mean);
    *pca = (struct cg_pca){0};
}
