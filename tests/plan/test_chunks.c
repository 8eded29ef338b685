/* Chunks: where a tensor is cut depends on its shape alone. */
#include "cognate/dtype.h"
#include "cognate/plan.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the above first */
#include <cmocka.h>

#define MIB ((int64_t)1 << 20)

static void known_sizes(void **state)
{
    (void)state;
    static const struct {
        int64_t rows, columns, elements, count;
    } shapes[] = {
        {0, 0, 0, 0},
        {0, 5, 0, 0},
        {5, 0, 0, 0},
        {1, 1, 1, 1},
        {1, 4096, 4096, 1},
        {4096, 512, 2 * MIB, 1},                 /* exactly one */
        {4097, 512, 2 * MIB, 2},                 /* and a row */
        {4096, 4096, 512 * 4096, 8},             /* rows that divide it */
        {1000, 3000, 696 * 3000, 2},             /* 699 rows fit, 696 are whole eights */
        {32000, 4096, 512 * 4096, 63},           /* 62.5 */
        {128256, 4096, 512 * 4096, 251},         /* 250.5 */
        {9, 262144, 8 * 262144, 2},              /* eight rows just fit */
        {9, 262145, 2 * MIB, 2},                 /* eight rows do not: rows are cut */
        {1, 2 * MIB, 2 * MIB, 1},                /* a vector of one chunk */
        {1, 2 * MIB + 1, 2 * MIB, 2},            /* and one element */
        {3, 5 * MIB, 2 * MIB, 8},                /* 7.5 */
        {1, (int64_t)1 << 40, 2 * MIB, 1 << 19}, /* larger than any int */
        {(int64_t)1 << 32, 4, 2 * MIB, 8192},    /* more rows than an int */
        {(int64_t)1 << 40, 1, 2 * MIB, 1 << 19}, /* one column */
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        assert_int_equal(cg_chunk_elements(shapes[i].rows, shapes[i].columns), shapes[i].elements);
        assert_int_equal(cg_chunk_count(shapes[i].rows, shapes[i].columns), shapes[i].count);
    }
}

/* Laid end to end they end where the tensor does, none is empty, all but the last begin at a byte of every
 * type, rows stay whole where eight fit, and none is much smaller than it may be. */
static void cover_all(void **state)
{
    (void)state;
    for (int64_t rows = 1; rows < 3 * MIB; rows = rows * 5 / 3 + 1)
        for (int64_t columns = 1; columns < 9 * MIB; columns = columns * 7 / 4 + 1) {
            int64_t chunk = cg_chunk_elements(rows, columns), count = cg_chunk_count(rows, columns);
            int64_t total = rows * columns;
            assert_in_range(chunk, 1, CG_CHUNK_ELEMENTS);
            assert_true((count - 1) * chunk < total && total <= count * chunk);
            if (count == 1)
                continue;
            for (int dtype = 0; dtype < CG_DTYPE_COUNT; dtype++) {
                int64_t grain = cg_dtype_grain((enum cg_dtype)dtype).elements;
                bool whole_rows = columns % grain == 0; /* blocks never run over the end of a row */
                assert_true(chunk % grain == 0 || (grain > 8 && !whole_rows));
            }
            if (columns <= CG_CHUNK_ELEMENTS / 8)
                assert_int_equal(chunk % columns, 0);
            assert_true(chunk > CG_CHUNK_ELEMENTS - 8 * columns);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_sizes),
        cmocka_unit_test(cover_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
