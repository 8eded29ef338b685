/* Block-cyclic arithmetic against a table made by dealing blocks out one at a time. */
#include "pca/block_cyclic.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { MOST = 200, MOST_PROCESSES = 8 };

/* Deals n indices: whose each is, at which place, and how many each process got. */
static void deal(int n, int block, int processes, int *owner, int *local, int *count)
{
    for (int p = 0; p < processes; p++)
        count[p] = 0;
    int turn = 0, left = block;
    for (int i = 0; i < n; i++) {
        owner[i] = turn;
        local[i] = count[turn]++;
        if (--left == 0) {
            turn = turn + 1 == processes ? 0 : turn + 1;
            left = block;
        }
    }
}

static void agrees_with_dealing(void **state)
{
    (void)state;
    static const int blocks[] = {1, 2, 3, 32, 64, 500};
    int owner[MOST], local[MOST], count[MOST_PROCESSES];
    for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++)
        for (int processes = 1; processes <= MOST_PROCESSES; processes++)
            for (int n = 0; n <= MOST; n++) {
                deal(n, blocks[b], processes, owner, local, count);
                for (int p = 0; p < processes; p++)
                    assert_int_equal(cg_cyclic_count(n, blocks[b], processes, p), count[p]);
                for (int i = 0; i < n; i++) {
                    assert_int_equal(cg_cyclic_owner(i, blocks[b], processes), owner[i]);
                    assert_int_equal(cg_cyclic_local(i, blocks[b], processes), local[i]);
                    assert_int_equal(cg_cyclic_global(local[i], blocks[b], processes, owner[i]), i);
                }
            }
}

/* Beyond what an int counts. */
static void large_indices(void **state)
{
    (void)state;
    int64_t i = (INT64_C(1) << 40) + 5; /* 2^35 blocks of 32, and 2^35 = 2 modulo 3 */
    assert_int_equal(cg_cyclic_owner(i, 32, 3), 2);
    assert_int_equal(cg_cyclic_local(i, 32, 3), INT64_C(11453246122) * 32 + 5);
    assert_int_equal(cg_cyclic_global(INT64_C(11453246122) * 32 + 5, 32, 3, 2), i);
    assert_int_equal(cg_cyclic_count(i, 32, 3, 2), INT64_C(11453246122) * 32 + 5);
}

static void grids(void **state)
{
    (void)state;
    static const struct {
        int ranks;
        int64_t blocks;
        int rows, columns;
    } cases[] = {
        {1, 32, 1, 1},       {2, 32, 1, 2},      {3, 32, 1, 3}, {4, 32, 2, 2},   {5, 32, 2, 2},
        {6, 32, 2, 3},       {7, 32, 2, 3},      {8, 32, 2, 4}, {16, 32, 4, 4},  {64, 32, 8, 8},
        {1024, 32, 32, 32},  {4096, 32, 32, 32}, {4, 1, 1, 1},  {4096, 1, 1, 1}, {3, 2, 1, 2},
        {4095, 256, 63, 65}, {9, 2, 2, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int rows, columns;
        cg_cyclic_grid(cases[i].ranks, cases[i].blocks, &rows, &columns);
        assert_int_equal(rows, cases[i].rows);
        assert_int_equal(columns, cases[i].columns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_dealing),
        cmocka_unit_test(large_indices),
        cmocka_unit_test(grids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
