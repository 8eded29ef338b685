/* Gram matrices under common shifts, against numpy and against plain sums. */
#include "cognate/comm.h"
#include "evidence/grams.h"
#include "noise.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { SQUARE = 48, CELL = SQUARE * SQUARE, MOST = 40, SHIFTS = 31 };

/* By numpy, of squares of 40 whose b keeps that much of a. */
static void against_numpy(void **state)
{
    (void)state;
    enum { UNITS = 40 };
    static const double rows[][2] = {
        {0, 0.39971682688030497}, {0.1, 4.610781448582499}, {1, 34.63900887919176}};
    static float squares[2 * UNITS * UNITS];
    const struct cg_comm comm = cg_comm_alone();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cg_ffn_block block[2] = {{.units = UNITS}, {.units = UNITS}};
        struct cg_cell cell = {0};
        const int32_t first = 0, second = 1;
        const struct cg_kinship of = {
            .blocks = {&block[0], &block[1]}, .nblocks = {1, 1}, .ncells = 1, .cells = &cell};
        const struct cg_grams grams = {{squares, squares}, {&first, &second}, UNITS};
        struct cg_err err;
        double t = 0;
        fill(squares, 6, UNITS, UNITS, NULL, 0);
        fill(squares + UNITS * UNITS, 7, UNITS, UNITS, squares, rows[i][0]);
        assert_int_equal(cg_grams_compare(&comm, &of, &grams, &t, &err), 0);
        assert_true(fabs(t - rows[i][1]) <= 1e-4);
    }
}

/* The correlation, b shifted, of squares less their means. */
static double shifted(const float *a, const float *b, int n, int shift)
{
    double mean_a = 0, mean_b = 0, product = 0, squares_a = 0, squares_b = 0;
    for (int k = 0; k < n * n; k++) {
        mean_a += (double)a[k] / (n * n);
        mean_b += (double)b[k] / (n * n);
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            double x = (double)a[i * n + j] - mean_a,
                   y = (double)b[(i + shift) % n * n + (j + shift) % n] - mean_b;
            product += x * y;
            squares_a += x * x;
            squares_b += y * y;
        }
    return product / sqrt(squares_a * squares_b);
}

static double t_of(const float *a, const float *b, int n)
{
    double mean = 0, squares = 0, null[SHIFTS];
    for (int k = 0; k < SHIFTS; k++) {
        null[k] = shifted(a, b, n, 1 + k * (n - 1) / SHIFTS);
        mean += null[k] / SHIFTS;
    }
    for (int k = 0; k < SHIFTS; k++)
        squares += (null[k] - mean) * (null[k] - mean);
    return (shifted(a, b, n, 0) - mean) / sqrt(squares / (SHIFTS - 1) * (1 + 1.0 / SHIFTS));
}

/* Runs of blocks: more than one group, a prime number of units that no Fourier transform takes, more units
 * than a square has, too few, and another kind. */
static int32_t make_blocks(struct cg_ffn_block *blocks, int32_t n)
{
    static const struct {
        int32_t until;
        int64_t units;
        bool gated;
    } runs[] = {{19, 40, true}, {22, 47, true},  {26, 60, true},
                {28, 31, true}, {30, 40, false}, {MOST, 40, true}};
    for (int32_t i = 0, run = 0; i < n; i++) {
        run += i == runs[run].until;
        blocks[i] = (struct cg_ffn_block){.units = runs[run].units, .gated = runs[run].gated};
    }
    return n;
}

static bool wanted(const struct cg_ffn_block *a, const struct cg_ffn_block *b)
{
    return a->gated == b->gated && a->units == b->units && a->units > SHIFTS;
}

/* Every cell of 38 by 35 blocks, or every third: as plain sums have it, and with the same bits by the shares
 * of three ranks. */
static void every_cell(void **state)
{
    enum { A = 38, B = 35 };
    int step = *(const int *)*state; /* cells taken: one in so many */
    static float squares[(A + B) * CELL];
    static int32_t place[2][MOST];
    static struct cg_cell cells[A * B];
    static double t[A * B], shared[A * B];
    struct cg_ffn_block blocks[2][MOST];
    struct cg_kinship of = {.blocks = {blocks[0], blocks[1]}, .cells = cells};
    const struct cg_grams grams = {{squares, squares}, {place[0], place[1]}, SQUARE};
    struct cg_comm comm = cg_comm_alone();
    struct cg_err err;
    of.nblocks[0] = make_blocks(blocks[0], A);
    of.nblocks[1] = make_blocks(blocks[1], B);
    for (int side = 0, n = 0; side < 2; side++)
        for (int32_t i = 0; i < of.nblocks[side]; i++, n++) {
            int size = (int)(blocks[side][i].units < SQUARE ? blocks[side][i].units : SQUARE);
            place[side][i] = n;
            fill(squares + n * CELL, 10 + n, size, size,
                 side == 1 && wanted(&blocks[0][i], &blocks[1][i]) ? squares + i * CELL : NULL, 0.1);
        }
    for (int32_t b = 0; b < B; b++)
        for (int32_t a = 0; a < A; a++)
            if ((a * 7 + b) % step == 0)
                cells[of.ncells++] = (struct cg_cell){.a = a, .b = b};
    memset(t, 0, sizeof t);
    memset(shared, 0, sizeof shared);
    assert_int_equal(cg_grams_compare(&comm, &of, &grams, t, &err), 0);
    for (comm.size = 3; comm.rank < comm.size; comm.rank++)
        assert_int_equal(cg_grams_compare(&comm, &of, &grams, shared, &err), 0);
    assert_memory_equal(t, shared, sizeof t);
    int taken = 0;
    for (int64_t c = 0; c < of.ncells; c++) {
        const struct cg_ffn_block *a = &blocks[0][cells[c].a], *b = &blocks[1][cells[c].b];
        if (!wanted(a, b)) {
            assert_true(isnan(t[c]));
            continue;
        }
        double expected = t_of(squares + cells[c].a * CELL, squares + (A + cells[c].b) * CELL,
                               (int)(a->units < SQUARE ? a->units : SQUARE));
        if (!(fabs(t[c] - expected) <= 1e-9 * (1 + fabs(expected))))
            fail_msg("cell %d, %d: %.17g, not %.17g", cells[c].a, cells[c].b, t[c], expected);
        taken++;
    }
    assert_true(taken > of.ncells / 3);
}

int main(void)
{
    static int all = 1, some = 3;
    static int *const of[] = {&all, &some};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_numpy),
        {"every cell", every_cell, NULL, NULL, (void *)of[0]},
        {"every third cell", every_cell, NULL, NULL, (void *)of[1]},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
