/* Weights that sum to one, from squared distances of vectors made by formula; merges among them. */
#include "evidence/affine.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { LENGTH = 60, MOST = CG_AFFINE_MEMBERS + 1 };

static double element(int vector, int i)
{
    return sin(1.7 * vector + 0.9 * i) + cos(0.3 * vector * i + vector);
}

/* distance of n + 1 vectors */
static void measure(double *distance, double vectors[MOST][LENGTH], int n)
{
    for (int a = 0; a <= n; a++)
        for (int b = 0; b <= n; b++) {
            distance[a * (n + 1) + b] = 0;
            for (int i = 0; i < LENGTH; i++)
                distance[a * (n + 1) + b] += pow(vectors[a][i] - vectors[b][i], 2);
        }
}

/* The child is the sum of the members by these weights and a rest that is orthogonal to nothing. */
static const struct {
    int n;
    double weight[CG_AFFINE_MEMBERS];
    double rest;     /* size of what is added */
    double parallel; /* of the last member: how far it lies off the line through the first two; 1: as drawn */
    bool told;
} rows[] = {
    {2, {0.5, 0.5}, 0, 1, true},          {2, {-0.25, 1.25}, 0, 1, true},
    {2, {0.3, 0.7}, 0.1, 1, true},        {3, {0.2, 0.3, 0.5}, 0, 1, true},
    {3, {-1, 1, 1}, 0.01, 1, true},       {4, {0.1, 0.2, 0.3, 0.4}, 0, 1, true},
    {4, {2, -1, 1, -1}, 0.3, 1, true},    {3, {0.3, 0.3, 0.4}, 0, 0.1, true},
    {3, {0.3, 0.3, 0.4}, 0, 1e-3, false}, {3, {0.3, 0.3, 0.4}, 0, 0, false},
};

static void make(double vectors[MOST][LENGTH], size_t row)
{
    int n = rows[row].n;
    for (int m = 1; m <= n; m++)
        for (int i = 0; i < LENGTH; i++)
            vectors[m][i] = element(m, i);
    for (int i = 0; i < LENGTH; i++) {
        double line = 0.4 * vectors[1][i] + 0.6 * vectors[2][i];
        vectors[n][i] = n > 2 ? line + rows[row].parallel * (vectors[n][i] - line) : vectors[n][i];
        vectors[0][i] = rows[row].rest * element(9, i);
        for (int m = 1; m <= n; m++)
            vectors[0][i] += rows[row].weight[m - 1] * vectors[m][i];
    }
}

/* The rest of a least-squares fit is orthogonal to every difference of members, and no other sum is nearer.
 */
static void test_fits(void **state)
{
    (void)state;
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++)
        for (int origin = 0; origin < rows[row].n; origin++) {
            double vectors[MOST][LENGTH], distance[MOST * MOST], square = 0, sum = 0;
            int n = rows[row].n;
            make(vectors, row);
            measure(distance, vectors, n);
            struct cg_affine fit = cg_affine_fit(distance, n, origin);
            assert_int_equal(fit.told, rows[row].told);
            double rest[LENGTH];
            for (int i = 0; i < LENGTH; i++) {
                rest[i] = vectors[0][i];
                for (int m = 0; m < n; m++)
                    rest[i] -= fit.weight[m] * vectors[m + 1][i];
                square += rest[i] * rest[i];
            }
            for (int m = 0; m < n; m++)
                sum += fit.weight[m];
            assert_true(fabs(sum - 1) < 1e-12 && fabs(square - fit.rest) < 1e-9);
            for (int m = 0; fit.told && m < n; m++) {
                double along = 0;
                for (int i = 0; i < LENGTH; i++)
                    along += rest[i] * (vectors[m + 1][i] - vectors[origin + 1][i]);
                assert_true(fabs(along) < 1e-9);
                assert_true(rows[row].rest > 0 || fabs(fit.weight[m] - rows[row].weight[m]) < 1e-9);
            }
        }
}

/* Equal members, and a child that is one of them. */
static void test_equal_members(void **state)
{
    (void)state;
    const double pair[9] = {0, 4, 4, 4, 0, 0, 4, 0, 0}, same[9] = {0, 0, 4, 0, 0, 4, 4, 4, 0};
    struct cg_affine fit = cg_affine_fit(pair, 2, 0);
    assert_true(!fit.told && fit.rest == 4 && fit.weight[0] == 1 && fit.weight[1] == 0);
    fit = cg_affine_fit(same, 2, 0);
    assert_true(fit.told && fit.rest == 0 && fit.weight[0] == 1 && fit.weight[1] == 0);
}

/* Two parts of a line: scores are opposite, and the variance is their square over that of the regressor,
 * twice. */
static void test_variances(void **state)
{
    (void)state;
    /* c - x = w (y - x): in the first part w = 0.2, in the second 0.6; |y - x|^2 = 1 and 3; w = 0.5 in all */
    const double first[9] = {0, 0.04, 0.64, 0.04, 0, 1, 0.64, 1, 0},
                 second[9] = {0, 1.08, 0.48, 1.08, 0, 3, 0.48, 3, 0};
    double whole[9], meat[CG_AFFINE_MEMBERS][CG_AFFINE_MEMBERS] = {{0}}, variance[CG_AFFINE_MEMBERS];
    for (int i = 0; i < 9; i++)
        whole[i] = first[i] + second[i];
    struct cg_affine fit = cg_affine_fit(whole, 2, 0);
    assert_true(fabs(fit.weight[1] - 0.5) < 1e-12);
    cg_affine_add_score(&fit, first, meat);
    cg_affine_add_score(&fit, second, meat);
    cg_affine_variances(&fit, meat, 2, variance);
    for (int m = 0; m < 2; m++)
        assert_true(fabs(variance[m] - 2 * 2 * 0.3 * 0.3 / 16) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_equal_members),
        cmocka_unit_test(test_variances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
