#include "affine.h"
#include <math.h>

enum { MOST = CG_AFFINE_MEMBERS };
static const double LEAST_OFF = 1e-4; /* of a member's square, that must lie off the others */

/* (i - origin).(j - origin); -1 stands for the child. */
static double along(const double *distance, int n, int origin, int i, int j)
{
    const double *from = distance + (origin + 1) * (n + 1);
    return (from[i + 1] + from[j + 1] - distance[(i + 1) * (n + 1) + j + 1]) / 2;
}

/* The rows of the Cholesky factor, in the order of `use`; a member whose pivot is next to nothing is left
 * out. Returns how many are in. */
static int factorise(double factor[MOST][MOST], int use[MOST], const double *distance, int n, int origin)
{
    int in = 0;
    for (int i = 0; i < n; i++) {
        if (i == origin)
            continue;
        double square = along(distance, n, origin, i, i), pivot = square, *row = factor[in];
        for (int k = 0; k < in; k++) {
            row[k] = along(distance, n, origin, i, use[k]);
            for (int l = 0; l < k; l++)
                row[k] -= row[l] * factor[k][l];
            row[k] /= factor[k][k];
            pivot -= row[k] * row[k];
        }
        if (!(pivot > LEAST_OFF * square))
            continue;
        row[in] = sqrt(pivot);
        use[in++] = i;
    }
    return in;
}

/* x in L L' x = b; on the way *square loses the square of L^-1 b. */
static void solve(double factor[MOST][MOST], int n, const double *b, double *x, double *square)
{
    for (int i = 0; i < n; i++) {
        x[i] = b[i];
        for (int k = 0; k < i; k++)
            x[i] -= factor[i][k] * x[k];
        x[i] /= factor[i][i];
        *square -= x[i] * x[i];
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int k = i + 1; k < n; k++)
            x[i] -= factor[k][i] * x[k];
        x[i] /= factor[i][i];
    }
}

struct cg_affine cg_affine_fit(const double *distance, int n, int origin)
{
    struct cg_affine fit = {.n = n, .origin = origin, .rest = along(distance, n, origin, -1, -1)};
    double factor[MOST][MOST], right[MOST] = {0}, x[MOST], ignored = 0;
    int use[MOST], in = factorise(factor, use, distance, n, origin);
    for (int i = 0; i < in; i++)
        right[i] = along(distance, n, origin, use[i], -1);
    solve(factor, in, right, x, &fit.rest);
    fit.rest = fmax(0, fit.rest);
    fit.told = in == n - 1;
    fit.weight[origin] = 1;
    for (int i = 0; i < in; i++) {
        fit.weight[use[i]] = x[i];
        fit.weight[origin] -= x[i];
    }
    for (int i = 0; i < in; i++) {
        double unit[MOST] = {0};
        unit[i] = 1;
        solve(factor, in, unit, x, &ignored);
        for (int k = 0; k < in; k++)
            fit.inverse[use[k]][use[i]] = x[k];
    }
    return fit;
}

void cg_affine_add_score(const struct cg_affine *fit, const double *distance, double meat[MOST][MOST])
{
    double score[MOST] = {0};
    int n = fit->n, origin = fit->origin;
    for (int i = 0; i < n; i++) {
        if (i == origin)
            continue;
        score[i] = along(distance, n, origin, i, -1);
        for (int j = 0; j < n; j++)
            if (j != origin)
                score[i] -= fit->weight[j] * along(distance, n, origin, i, j);
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            meat[i][j] += score[i] * score[j];
}

void cg_affine_variances(const struct cg_affine *fit, double meat[MOST][MOST], double factor,
                         double variance[MOST])
{
    int n = fit->n, origin = fit->origin;
    for (int w = 0; w < n; w++) {
        double row[MOST] = {0}; /* of (X'X)^-1; the origin's weight is one minus all others */
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                row[j] += w == origin ? fit->inverse[i][j] : i == w ? fit->inverse[i][j] : 0;
        variance[w] = 0;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                variance[w] += factor * row[i] * meat[i][j] * row[j];
    }
}
