/* Assignments and matched rows against scipy and numpy, on matrices by formula. */
#include "evidence/assignment.h"
#include "evidence/matching.h"
#include "evidence/update.h"
#include "noise.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

/* scipy.optimize.linear_sum_assignment of cost(i, j) = (7919 i + 104729 j + 31 i j mod m) / m */
static const struct {
    int32_t rows, columns, modulus;
    double total;
    int32_t first[6]; /* columns of the first rows where the solution is unique, else -1 */
} assignments[] = {
    {1, 1, 1009, 0, {0}},
    {1, 7, 1009, 0, {0}},
    {5, 5, 1009, 1.0465807765722275, {0, 4, 3, 2, 1}},
    {6, 9, 1009, 1.2001982107758522, {0, 8, 4, 3, 2, 1}},
    {60, 60, 100003, 1.2237932817079127, {0, 41, 18, 58, 56, 33}},
    {60, 80, 100003, 0.8348449536133558, {0, 41, 18, 16, 76, 74}},
    {30, 30, 3, 6.666666865348816, {-1}},
};

static void test_assignments(void **state)
{
    (void)state;
    for (size_t t = 0; t < sizeof assignments / sizeof *assignments; t++) {
        int32_t rows = assignments[t].rows, columns = assignments[t].columns, m = assignments[t].modulus;
        float *cost = malloc((size_t)rows * (size_t)columns * sizeof *cost);
        int32_t column_of[60];
        bool taken[80] = {false};
        for (int32_t i = 0; i < rows; i++)
            for (int32_t j = 0; j < columns; j++)
                cost[i * columns + j] = (float)((i * 7919 + j * 104729 + i * j * 31) % m) / (float)m;
        struct cg_err err;
        assert_int_equal(cg_assign(cost, rows, columns, column_of, &err), 0);
        double total = 0;
        for (int32_t i = 0; i < rows; i++) {
            assert_in_range(column_of[i], 0, columns - 1);
            assert_false(taken[column_of[i]]);
            taken[column_of[i]] = true;
            total += (double)cost[i * columns + column_of[i]];
            if (i < 6 && assignments[t].first[0] >= 0)
                assert_int_equal(column_of[i], assignments[t].first[i]);
        }
        assert_true(fabs(total - assignments[t].total) <= 1e-9);
        free(cost);
    }
}

enum { N = 50, LENGTH = 32 };

/* Row j of b is row (7 j + 3) mod N of a, times keep, and noise; by the second projection perhaps with its
 * sign turned, and that sign perhaps counts. */
static const struct {
    double keep;
    int m;
    double sign;
    bool either;
    int units;
    double cosine;
} agreements[] = {
    {0, 50, 1, true, 1, 0.451226642575699},
    {0.75, 50, 1, true, 37, 22.95013797107513},
    {1, 50, 1, true, 49, 34.398419949478715},
    {3, 50, 1, true, 50, 47.37584628339979},
    {3, 50, -1, true, 50, 47.37584628339979},
    {1, 37, 1, true, 36, 25.52010955131844},
    {1, 50, 1, false, 50, 35.01625990487108},
    {0.5, 50, 1, false, 15, 7.624816146630677},
    {3, 50, -1, false, 0, 0},
};

static void test_two_matchings(void **state)
{
    (void)state;
    static float a[2][N * LENGTH], b[2][N * LENGTH], moved[N * LENGTH], room[N * N + 5 * N];
    for (size_t t = 0; t < sizeof agreements / sizeof *agreements; t++) {
        int m = agreements[t].m;
        for (int half = 0; half < 2; half++) {
            fill(a[half], 1 + half, N, LENGTH, NULL, 0);
            for (int k = 0; k < m * LENGTH; k++)
                moved[k] = a[half][(k / LENGTH * 7 + 3) % N * LENGTH + k % LENGTH];
            fill(b[half], 3 + half, m, LENGTH, moved, agreements[t].keep);
            for (int k = 0; half == 1 && k < m * LENGTH; k++)
                b[half][k] *= (float)agreements[t].sign;
            cg_rows_to_units(b[half], m, LENGTH);
        }
        for (int half = 0; half < 2; half++)
            cg_rows_to_units(a[half], N, LENGTH);
        struct cg_signature in_a = {{a[0], a[1]}, N}, in_b = {{b[0], b[1]}, m};
        struct cg_agreement found = cg_agree_twice(in_a, in_b, LENGTH, agreements[t].either, room);
        assert_int_equal(found.units, agreements[t].units);
        assert_true(fabs(found.cosine - agreements[t].cosine) <= 1e-5);
        found = cg_agree_twice(in_b, in_a, LENGTH, agreements[t].either, room);
        assert_int_equal(found.units, agreements[t].units);
    }
}

/* second = cos first + sin rest, with a rest of length 1 that is orthogonal to first. */
static void test_rows_apart(void **state)
{
    (void)state;
    static float first[N * LENGTH], second[N * LENGTH], rest[N * LENGTH];
    fill(first, 1, N, LENGTH, NULL, 0);
    fill(second, 2, N, LENGTH, first, 1.5);
    memcpy(second, first, LENGTH * sizeof *second); /* nothing is left of the first row */
    cg_rows_to_units(first, N, LENGTH);
    cg_rows_to_units(second, N, LENGTH);
    memcpy(rest, second, sizeof rest);
    cg_rows_apart(first, rest, N, LENGTH);
    for (int i = 0; i < N; i++) {
        double cosine = 0, product = 0, squares = 0;
        for (int c = i * LENGTH; c < (i + 1) * LENGTH; c++) {
            cosine += (double)first[c] * (double)second[c];
            product += (double)first[c] * (double)rest[c];
            squares += (double)rest[c] * (double)rest[c];
        }
        assert_true(fabs(squares - (i > 0)) <= 1e-6 && fabs(product) <= 1e-6);
        for (int c = i * LENGTH; i > 0 && c < (i + 1) * LENGTH; c++)
            assert_true(fabs((double)second[c] - cosine * (double)first[c] -
                             sqrt(1 - cosine * cosine) * (double)rest[c]) <= 1e-6);
    }
}

/* Dead units: zeros match nothing. */
static void test_zeros_match_nothing(void **state)
{
    (void)state;
    static float rows[N * LENGTH], room[2 * N * N + 4 * N];
    for (int k = 0; k < N * LENGTH; k++)
        rows[k] = 0.25f;
    cg_rows_to_units(rows, N, LENGTH);
    struct cg_signature dead = {{rows, rows}, N};
    assert_int_equal(cg_agree_twice(dead, dead, LENGTH, true, room).units, 0);
}

static void test_fixed_points(void **state)
{
    (void)state;
    static const struct {
        double keep;
        int fixed;
    } rows[] = {{0, 1}, {0.25, 13}, {0.5, 35}, {0.75, 48}, {3, 50}};
    static float a[N * LENGTH], b[N * LENGTH], room[N * N + N * LENGTH];
    for (size_t t = 0; t < sizeof rows / sizeof *rows; t++) {
        struct cg_err err;
        fill(a, 1, N, LENGTH, NULL, 0);
        fill(b, 5, N, LENGTH, a, rows[t].keep);
        cg_rows_to_units(a, N, LENGTH);
        cg_rows_to_units(b, N, LENGTH);
        assert_int_equal(cg_fixed_points(a, b, N, LENGTH, room, &err), rows[t].fixed);
    }
}

/* scipy.optimize.linear_sum_assignment of the cosines; those not above 0 name nobody. Row j of b is row
 * (7 j + 3) mod N of the first N of seed 1, times keep, and noise; a has the first na of these. */
static const struct {
    int32_t na, nb;
    double keep;
    int named;
    int32_t first[6];
    double cosine;
} namings[] = {
    {50, 37, 0.5, 37, {3, 10, 17, 38, 39, 22}, 16.984946223236417},
    {37, 50, 0.5, 37, {20, 10, 17, 24, -1, 22}, 17.136135250478304},
    {50, 50, 0.25, 50, {20, 39, 17, 38, 19, 45}, 17.732964049831235},
    {20, 50, 0, 20, {-1, -1, 6, -1, 19, -1}, 7.29662648514349},
};

static void test_names(void **state)
{
    (void)state;
    static float a[N * LENGTH], b[N * LENGTH], moved[N * LENGTH];
    struct cg_err err;
    int32_t name[N];
    double cosine[N];
    fill(a, 1, N, LENGTH, NULL, 0);
    for (int k = 0; k < N * LENGTH; k++)
        moved[k] = a[(k / LENGTH * 7 + 3) % N * LENGTH + k % LENGTH];
    cg_rows_to_units(a, N, LENGTH);
    for (size_t t = 0; t < sizeof namings / sizeof *namings; t++) {
        int32_t na = namings[t].na, nb = namings[t].nb;
        fill(b, 3, nb, LENGTH, moved, namings[t].keep);
        cg_rows_to_units(b, nb, LENGTH);
        assert_int_equal(cg_name_rows(a, na, b, nb, LENGTH, name, cosine, &err), 0);
        int named = 0;
        double sum = 0;
        for (int32_t i = 0; i < nb; i++) {
            named += name[i] >= 0;
            sum += name[i] >= 0 ? cosine[i] : 0;
            assert_true(i >= 6 || name[i] == namings[t].first[i]);
        }
        assert_int_equal(named, namings[t].named);
        assert_true(fabs(sum - namings[t].cosine) <= 1e-4);
    }
}

/* Two alike on either side could each be either: neither has a name, and the others keep theirs. */
static void test_ties_are_not_named(void **state)
{
    (void)state;
    static float a[N * LENGTH], b[N * LENGTH];
    struct cg_err err;
    int32_t name[N];
    double cosine[N];
    fill(a, 1, N, LENGTH, NULL, 0);
    cg_rows_to_units(a, N, LENGTH);
    memcpy(b, a, sizeof b);
    memcpy(a + 5 * LENGTH, a + 2 * LENGTH, LENGTH * sizeof *a);
    memcpy(b + 8 * LENGTH, b + 7 * LENGTH, LENGTH * sizeof *b);
    assert_int_equal(cg_name_rows(a, N, b, N, LENGTH, name, cosine, &err), 0);
    for (int32_t i = 0; i < N; i++)
        if (i == 2 || i == 7)
            assert_int_equal(name[i], -1);
        else if (i != 5 && i != 8)
            assert_int_equal(name[i], i);
}

/* The sum of r outer products and noise of a hundredth of their length: the rank is r by construction. */
static void test_numerical_rank(void **state)
{
    (void)state;
    enum { ROWS = 60, COLUMNS = 48, MOST = 12 };
    static float matrix[ROWS * COLUMNS], room[(ROWS + COLUMNS) * (MOST + 1)];
    static const int32_t expected[][2] = {{1, 1}, {3, 3}, {12, 12}, {13, -1}, {0, -1}};
    for (size_t t = 0; t < sizeof expected / sizeof *expected; t++) {
        for (int i = 0; i < ROWS; i++)
            for (int j = 0; j < COLUMNS; j++) {
                double sum = 0.01 * noise(20, i, j);
                for (int k = 0; k < expected[t][0]; k++)
                    sum += noise(21, i, k) * noise(22, j, k);
                matrix[i * COLUMNS + j] = (float)sum;
            }
        assert_int_equal(cg_numerical_rank(matrix, ROWS, COLUMNS, MOST, room), expected[t][1]);
    }
}

static void test_picks(void **state)
{
    (void)state;
    struct cg_err err;
    int64_t picked[100], again[100];
    assert_int_equal(cg_pick(picked, 1000, 100, 1, &err), 0);
    assert_int_equal(cg_pick(again, 1000, 100, 1, &err), 0);
    assert_memory_equal(picked, again, sizeof picked);
    int64_t low = 0;
    for (int i = 0; i < 100; i++) {
        assert_true(i == 0 || picked[i] > picked[i - 1]);
        low += picked[i] < 500;
    }
    assert_in_range(low, 30, 70);
    assert_in_range(picked[99], 900, 999);
    assert_int_equal(cg_pick(again, 1000, 100, 2, &err), 0);
    assert_memory_not_equal(picked, again, sizeof picked);
    assert_int_equal(cg_pick(picked, 60, 100, 1, &err), 0);
    for (int i = 0; i < 60; i++)
        assert_int_equal(picked[i], i);
    assert_int_equal(cg_pick_largest(picked, (const double[]){2, 7, 1, 7, 3, 7}, 6, 3, &err), 0);
    assert_int_equal(picked[0], 1);
    assert_int_equal(picked[1], 3);
    assert_int_equal(picked[2], 5);
    assert_int_equal(cg_pick_largest(picked, (const double[]){2, 7, 1, 7, 3, 7}, 6, 2, &err), 0);
    assert_int_equal(picked[1], 3); /* of equals the lower index */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_assignments),        cmocka_unit_test(test_two_matchings),
        cmocka_unit_test(test_rows_apart),         cmocka_unit_test(test_zeros_match_nothing),
        cmocka_unit_test(test_fixed_points),       cmocka_unit_test(test_names),
        cmocka_unit_test(test_ties_are_not_named), cmocka_unit_test(test_picks),
        cmocka_unit_test(test_numerical_rank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
