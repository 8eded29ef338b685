/* Sums of chunks against integers that know no rounding, and the rules for what is equal and what is missing.
 */
#include "noise.h"
#include "sweep/sums.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { MEMBERS = 4 };

/* The cell of `n` elements of each member, as one chunk; losses are appended. */
static void sum_chunk(const double (*values)[CG_BLOCK * 3], int32_t members, int64_t chunk, size_t first,
                      size_t n, struct cg_losses *losses, double *cell)
{
    struct cg_err err = {0};
    struct cg_block block;
    struct cg_sums *sums = cg_sums_create(MEMBERS, &err);
    assert_non_null(sums);
    assert_int_equal(cg_block_init(&block, MEMBERS, &err), 0);
    cg_block_begin(&block, members, false);
    cg_block_begin_chunk(&block);
    cg_sums_begin(sums, members, 9, chunk);
    for (size_t at = 0; at < n; at += CG_BLOCK) {
        size_t some = n - at < CG_BLOCK ? n - at : CG_BLOCK;
        for (int m = 0; m < members; m++) {
            cg_block_decode(&block, m, CG_F64, values[m] + first + at, some);
            assert_true(block.member[m].rounding == 0);
            block.member[m].rounding = m + 1;
        }
        cg_block_measure(&block, some);
        assert_int_equal(cg_sums_add(sums, &block, losses, &err), 0);
    }
    cg_sums_end(sums, cell);
    cg_block_release(&block);
    cg_sums_destroy(sums);
}

static double pair_field(const double *cell, int32_t members, int32_t i, int32_t j, int which)
{
    return cell[CG_MEMBER_FIELDS * members + CG_PAIR_FIELDS * (j * (j - 1) / 2 + i) + which];
}

/* Integers of 20 bits: products and their sums are whole numbers below 2^53, so nothing may be lost. */
static void whole_numbers(void **state)
{
    (void)state;
    static double values[MEMBERS][CG_BLOCK * 3];
    static const size_t lengths[] = {1, 2, 15, 17, 1000, 1024, 1025, 2049, 3072};
    uint64_t seed = 5;
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        size_t n = lengths[l];
        double cell[40];
        struct cg_losses losses = {0};
        for (int m = 0; m < MEMBERS; m++)
            for (size_t i = 0; i < n; i++) /* member 3 is close to member 2 */
                values[m][i] = m == 3 ? values[2][i] + (double)(noise_bits(&seed) % 3)
                                      : (double)(int64_t)(noise_bits(&seed) % (1 << 20)) - (1 << 19);
        sum_chunk((const double(*)[CG_BLOCK * 3]) values, MEMBERS, 0, 0, n, &losses, cell);
        assert_int_equal(losses.n, 0);
        for (int m = 0; m < MEMBERS; m++) {
            int64_t sum = 0, squares = 0, low = INT64_MAX, high = INT64_MIN;
            for (size_t i = 0; i < n; i++) {
                int64_t v = (int64_t)values[m][i];
                sum += v;
                squares += v * v;
                low = v < low ? v : low;
                high = v > high ? v : high;
            }
            const double *own = cell + CG_MEMBER_FIELDS * m;
            assert_true(own[0] == (double)sum && own[1] == (double)squares && own[2] == (double)low &&
                        own[3] == (double)high && own[4] == 0);
            assert_true(own[5] == (double)(m + 1) * (double)((n + CG_BLOCK - 1) / CG_BLOCK));
            for (int k = 0; k < m; k++) {
                int64_t product = 0, difference = 0;
                for (size_t i = 0; i < n; i++) {
                    int64_t a = (int64_t)values[k][i], b = (int64_t)values[m][i];
                    product += a * b;
                    difference += (b - a) * (b - a);
                }
                assert_true(pair_field(cell, MEMBERS, k, m, 0) == (double)product);
                assert_true(pair_field(cell, MEMBERS, k, m, 1) == (double)difference);
            }
        }
    }
}

/* Models that differ in the last digits: from the products the difference would be nothing but noise. */
static void small_differences(void **state)
{
    (void)state;
    static double values[2][CG_BLOCK * 3];
    uint64_t seed = 11;
    for (int k = 0; k <= 40; k += 2) {
        long double exact = 0;
        double cell[14];
        struct cg_losses losses = {0};
        for (size_t i = 0; i < CG_BLOCK * 3; i++) {
            values[0][i] = noise(&seed);
            values[1][i] = values[0][i] + ldexp(noise(&seed), -k);
            long double d = (long double)values[1][i] - values[0][i];
            exact += d * d;
        }
        sum_chunk((const double(*)[CG_BLOCK * 3]) values, 2, 0, 0, CG_BLOCK * 3, &losses, cell);
        assert_true(fabsl(pair_field(cell, 2, 0, 1, 1) - exact) <= 1e-13L * exact);
    }
}

struct equality {
    double a, b;
    bool equal;
};

/* The difference is 0 when, and only when, every element is equal; all NaNs are one value. */
static void equal_or_not(void **state)
{
    (void)state;
    const struct equality cases[] = {
        {0.0, 0.0, true},
        {0.0, -0.0, true},
        {1.5, 1.5, true},
        {NAN, NAN, true},
        {NAN, -NAN, true},
        {INFINITY, INFINITY, true},
        {-INFINITY, -INFINITY, true},
        {0x1p-1074, 0x1p-1074, true},
        {0x1p1000, 0x1p1000, true}, /* whose square is no number */
        {1.0, 1.0 + 0x1p-52, false},
        {0.0, 0x1p-1074, false}, /* whose square is nothing */
        {0x1p-600, 0x1p-601, false},
        {0x1p1000, 0x1.0000000000001p1000, false},
        {NAN, 0.0, false},
        {NAN, INFINITY, false},
        {NAN, -INFINITY, false},
        {INFINITY, -INFINITY, false},
        {INFINITY, 0.0, false},
        {INFINITY, 0x1.fffffffffffffp1023, false},
    };
    static const size_t places[][2] = {{1, 0}, {70, 0}, {70, 69}, {1024, 1000}, {2000, 1500}};
    static double values[2][CG_BLOCK * 3];
    for (size_t c = 0; c < 2 * sizeof cases / sizeof *cases; c++)
        for (size_t p = 0; p < sizeof places / sizeof *places; p++)
            for (int beside = 0; beside < 3; beside++) { /* others: zeros, numbers, a NaN among them */
                const struct equality *row = &cases[c / 2];
                size_t n = places[p][0], at = places[p][1];
                double cell[14];
                struct cg_losses losses = {0};
                for (size_t i = 0; i < n; i++)
                    values[0][i] = values[1][i] = beside == 2 && i % 50 == 7 ? NAN : beside * 0.25;
                values[c % 2][at] = row->a;
                values[1 - c % 2][at] = row->b;
                sum_chunk((const double(*)[CG_BLOCK * 3]) values, 2, 0, 0, n, &losses, cell);
                double difference = pair_field(cell, 2, 0, 1, 1);
                assert_false(difference < 0 || isnan(difference));
                assert_int_equal(difference == 0, row->equal);
                free(losses.list);
            }
}

/* The same values in other places are not equal. */
static void moved_values(void **state)
{
    (void)state;
    static double values[2][CG_BLOCK * 3];
    static const double odd[] = {NAN, INFINITY, -INFINITY};
    for (size_t k = 0; k < 9; k++) {
        double cell[14];
        struct cg_losses losses = {0};
        for (size_t i = 0; i < 100; i++)
            values[0][i] = values[1][i] = 0;
        values[0][10] = values[1][10 + k % 2] = odd[k / 3];
        values[0][20] = values[1][20] = odd[k % 3];
        sum_chunk((const double(*)[CG_BLOCK * 3]) values, 2, 0, 0, 100, &losses, cell);
        assert_int_equal(pair_field(cell, 2, 0, 1, 1) == 0, k % 2 == 0);
        free(losses.list);
    }
}

/* What a pair has left when either side may have holes, counted one by one. */
struct left {
    double elements, sum[2], squares[2], product, difference;
};

static struct left count_left(const double *a, const double *b, size_t n)
{
    struct left left = {0};
    for (size_t i = 0; i < n; i++)
        if (isfinite(a[i]) && isfinite(b[i])) {
            left.elements++;
            left.sum[0] += a[i];
            left.sum[1] += b[i];
            left.squares[0] += a[i] * a[i];
            left.squares[1] += b[i] * b[i];
            left.product += a[i] * b[i];
            left.difference += (b[i] - a[i]) * (b[i] - a[i]);
        }
    return left;
}

static void check_left(const double (*values)[CG_BLOCK * 3], const double *cell, int32_t i, int32_t j,
                       const struct cg_losses *losses, size_t n)
{
    const int32_t member[2] = {i, j};
    struct left left = count_left(values[i], values[j], n), lost = {0};
    double lost_elements[2] = {0};
    for (size_t k = 0; k < losses->n; k++)
        if (losses->list[k].low == i && losses->list[k].high == j)
            for (int side = 0; side < 2; side++) {
                lost_elements[side] += losses->list[k].elements[side];
                lost.sum[side] += losses->list[k].sum[side];
                lost.squares[side] += losses->list[k].squares[side];
            }
    for (int side = 0; side < 2; side++) {
        const double *own = cell + CG_MEMBER_FIELDS * member[side];
        assert_true((double)n - own[4] - lost_elements[side] == left.elements);
        assert_true(own[0] - lost.sum[side] == left.sum[side]);
        assert_true(own[1] - lost.squares[side] == left.squares[side]);
    }
    assert_true(pair_field(cell, MEMBERS, i, j, 0) == left.product);
    assert_true(left.difference == 0 || pair_field(cell, MEMBERS, i, j, 1) == left.difference);
}

/* NaN and infinities here and there, in one side or both: small whole numbers, so sums are exact. */
static void holes(void **state)
{
    (void)state;
    static double values[MEMBERS][CG_BLOCK * 3];
    static const double odd[] = {NAN, INFINITY, -INFINITY};
    static const uint64_t one_in[] = {1, 2, 10, 1000, 100000};
    static const size_t lengths[] = {1, 17, 1024, 3000};
    uint64_t seed = 77;
    for (size_t c = 0; c < sizeof one_in / sizeof *one_in * 4; c++) {
        size_t n = lengths[c % 4];
        struct cg_losses losses = {0};
        double cell[40];
        for (int m = 0; m < MEMBERS; m++) /* member 0 is whole */
            for (size_t i = 0; i < n; i++)
                values[m][i] = m > 0 && noise_bits(&seed) % one_in[c / 4] == 0
                                   ? odd[noise_bits(&seed) % 3]
                                   : (double)(noise_bits(&seed) % 200) - 100;
        sum_chunk((const double(*)[CG_BLOCK * 3]) values, MEMBERS, 4, 0, n, &losses, cell);
        for (size_t k = 0; k < losses.n; k++)
            assert_true(losses.list[k].bundle == 9 && losses.list[k].chunk == 4);
        for (int m = 0; m < MEMBERS; m++) {
            double low = NAN, high = NAN;
            for (size_t i = 0; i < n; i++)
                if (isfinite(values[m][i])) {
                    low = fmin(low, values[m][i]); /* fmin leaves a NaN out */
                    high = fmax(high, values[m][i]);
                }
            const double *own = cell + CG_MEMBER_FIELDS * m;
            assert_true(isnan(low) ? isnan(own[2]) && isnan(own[3]) : own[2] == low && own[3] == high);
            for (int k = 0; k < m; k++)
                check_left((const double(*)[CG_BLOCK * 3]) values, cell, k, m, &losses, n);
        }
        free(losses.list);
    }
}

/* One chunk of floats, as F32 blocks of floats or of doubles. */
static void sum_floats(float (*values)[3000], int32_t members, bool floats, size_t n,
                       struct cg_losses *losses, double *cell)
{
    struct cg_err err = {0};
    struct cg_block block;
    struct cg_sums *sums = cg_sums_create(members, &err);
    assert_non_null(sums);
    assert_int_equal(cg_block_init(&block, members, &err), 0);
    cg_block_begin(&block, members, floats);
    assert_int_equal(block.single, floats);
    cg_block_begin_chunk(&block);
    cg_sums_begin(sums, members, 9, 4);
    for (size_t at = 0; at < n; at += CG_BLOCK) {
        size_t some = n - at < CG_BLOCK ? n - at : CG_BLOCK;
        for (int m = 0; m < members; m++) {
            cg_block_decode(&block, m, CG_F32, values[m] + at, some);
            if (floats && m == 1) { /* where they lie already */
                block.member[m].values.single = values[m] + at;
                memset(cg_block_singles(&block, m), 0, CG_BLOCK * sizeof(float));
            }
        }
        cg_block_measure(&block, some);
        assert_int_equal(cg_sums_add(sums, &block, losses, &err), 0);
    }
    cg_sums_end(sums, cell);
    cg_block_release(&block);
    cg_sums_destroy(sums);
}

/* Blocks of floats have the bits of blocks of the same values as doubles: strangers, near and equal ones,
 * with holes and without. */
static void floats_as_doubles(void **state)
{
    (void)state;
    static float values[3][3000];
    static const float odd[] = {NAN, INFINITY, -INFINITY};
    static const size_t lengths[] = {1, 17, 1024, 3000};
    uint64_t seed = 78;
    for (int c = 0; c < 4 * 3 * 3 * 3; c++) {
        size_t n = lengths[c % 4], hole = c / 12 % 3 == 0 ? 100000 : c / 12 % 3 == 1 ? 50 : 2;
        int32_t members = 1 + c / 36;
        double near = c / 4 % 3 == 0 ? 1 : c / 4 % 3 == 1 ? 1e-3 : 0, cell[2][40];
        struct cg_losses losses[2] = {{0}};
        for (size_t i = 0; i < n; i++) {
            values[0][i] = (float)noise(&seed);
            for (int m = 1; m < 3; m++)
                values[m][i] = (float)((near < 1 ? (double)values[0][i] : 0) + near * noise(&seed));
            for (int m = 0; m < 3; m++)
                if (noise_bits(&seed) % hole == 0)
                    values[m][i] = odd[noise_bits(&seed) % 3];
        }
        for (int floats = 0; floats < 2; floats++)
            sum_floats(values, members, floats == 1, n, &losses[floats], cell[floats]);
        assert_memory_equal(cell[0], cell[1], (size_t)cg_cell_size(members) * sizeof(double));
        assert_int_equal(losses[0].n, losses[1].n);
        if (losses[0].n > 0)
            assert_memory_equal(losses[0].list, losses[1].list, losses[0].n * sizeof(struct cg_loss));
        free(losses[0].list);
        free(losses[1].list);
    }
}

/* A negative zero would become positive in the reduction: on no rank it may be seen. */
static void no_negative_zero(void **state)
{
    (void)state;
    static double values[MEMBERS][CG_BLOCK * 3];
    for (size_t n = 1; n <= 40; n++) {
        double cell[40];
        struct cg_losses losses = {0};
        for (int m = 0; m < MEMBERS; m++)
            for (size_t i = 0; i < n; i++)
                values[m][i] = m == 0 || i % 2 == 0 ? -0.0 : m == 3 ? NAN : 0.0;
        sum_chunk((const double(*)[CG_BLOCK * 3]) values, MEMBERS, 0, 0, n, &losses, cell);
        for (int64_t k = 0; k < cg_cell_size(MEMBERS); k++)
            assert_false(cell[k] == 0 && signbit(cell[k]));
        free(losses.list);
    }
}

/* Chunks meet in order, however they came about, with less error than one rounding of the result. */
static void fold_exact(void **state)
{
    (void)state;
    enum { CHUNKS = 500, SIZE = 14 }; /* two members */
    static double cells[CHUNKS * SIZE], folded[SIZE];
    uint64_t seed = 3;
    for (int round = 0; round < 20; round++) {
        __int128 exact[SIZE] = {0};
        double low = INFINITY, high = -INFINITY;
        int chunks = round == 0 ? 1 : CHUNKS;
        for (int k = 0; k < chunks; k++)
            for (int f = 0; f < SIZE; f++) { /* whole numbers up to 2^90 that cancel */
                double v = ldexp(floor(ldexp(noise(&seed), 20)), (int)(noise_bits(&seed) % 70));
                v = k >= chunks / 2 && k < chunks / 2 * 2 && round % 2 ? -cells[(k - chunks / 2) * SIZE + f]
                                                                       : v;
                cells[k * SIZE + f] = v;
                exact[f] += (__int128)v;
            }
        for (int k = 0; k < chunks; k++) {
            low = fmin(low, cells[k * SIZE + 2]);
            high = fmax(high, cells[k * SIZE + 3]);
        }
        cg_cells_fold(cells, chunks, 2, folded);
        for (int f = 0; f < SIZE; f++) {
            if (f % CG_MEMBER_FIELDS == 2 && f < 2 * CG_MEMBER_FIELDS)
                continue;
            if (f % CG_MEMBER_FIELDS == 3 && f < 2 * CG_MEMBER_FIELDS)
                continue;
            /* second-order errors: 2^-104 times the sizes added, some 2^99 */
            assert_true(fabs(folded[f] - (double)exact[f]) <= 0x1p-52 * fabs((double)exact[f]) + 1);
        }
        assert_true(folded[2] == low && folded[3] == high);
        cg_cells_fold(cells, chunks, 2, cells); /* in place */
        assert_memory_equal(cells, folded, sizeof folded);
    }
}

/* Minimum and maximum pass over chunks that have none. */
static void fold_extremes(void **state)
{
    (void)state;
    const struct {
        double of[3], low, high;
    } cases[] = {
        {{1, 2, 3}, 1, 3},        {{3, 2, 1}, 1, 3},     {{NAN, 2, NAN}, 2, 2},
        {{NAN, NAN, -1}, -1, -1}, {{5, NAN, NAN}, 5, 5}, {{NAN, NAN, NAN}, NAN, NAN},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        double cells[3 * CG_MEMBER_FIELDS] = {0}, out[CG_MEMBER_FIELDS];
        for (int k = 0; k < 3; k++)
            cells[CG_MEMBER_FIELDS * k + 2] = cells[CG_MEMBER_FIELDS * k + 3] = cases[c].of[k];
        cg_cells_fold(cells, 3, 1, out);
        assert_true(isnan(cases[c].low) ? isnan(out[2]) && isnan(out[3])
                                        : out[2] == cases[c].low && out[3] == cases[c].high);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers),
        cmocka_unit_test(small_differences),
        cmocka_unit_test(equal_or_not),
        cmocka_unit_test(moved_values),
        cmocka_unit_test(holes),
        cmocka_unit_test(floats_as_doubles),
        cmocka_unit_test(no_negative_zero),
        cmocka_unit_test(fold_exact),
        cmocka_unit_test(fold_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
