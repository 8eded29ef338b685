/* The ranks, on however many the harness starts: agreement, broadcasts, exact sums. */
#include "cognate/comm.h"
#include "cognate/mem.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

static struct cg_comm comm; /* set once by main */

static void all_agree_on_success(void **state)
{
    (void)state;
    struct cg_err err = {.code = CG_EIO, .text = "from before"};
    assert_int_equal(cg_agree(&comm, 0, &err), 0);
    assert_string_equal(err.text, "from before");
}

/* Every set of failing ranks in turn: nobody hangs, and all hear the lowest rank's words. */
static void failing_ranks_are_heard_by_all(void **state)
{
    (void)state;
    for (int set = 1; set < 1 << comm.size; set++) {
        struct cg_err err = {0};
        int result = 0, lowest = __builtin_ctz((unsigned)set);
        if (set >> comm.rank & 1)
            result = cg_fail(&err, comm.rank == lowest ? CG_EMISSING : CG_EIO, "rank %d of set %d", comm.rank,
                             set);
        assert_int_equal(cg_agree(&comm, result, &err), -1);
        assert_int_equal(err.code, CG_EMISSING);
        char text[64];
        snprintf(text, sizeof text, "rank %d of set %d", lowest, set);
        assert_string_equal(err.text, text);
    }
    assert_int_equal(cg_sum_int(&comm, 1), comm.size); /* still in step */
}

static uint8_t pattern(size_t at)
{
    return (uint8_t)(at * 2654435761u >> 13);
}

static void broadcasts_reach_all(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,    1,       7,
                                   4096, 1000003, ((size_t)1 << 27) + 5}; /* the last goes in parts */
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (sizes[i] > 1 << 27 && comm.size > 2)
            continue; /* two ranks show it; more only take memory */
        struct cg_err err = {0};
        struct cg_buf buf = {0};
        char old[] = "what was there before";
        assert_int_equal(cg_buf_append(&buf, old, comm.rank == 0 ? 0 : sizeof old, &err), 0);
        if (comm.rank == 0) {
            assert_int_equal(cg_grow((void **)&buf.data, &buf.capacity, sizes[i] + 1, 1, &err), 0);
            for (size_t at = 0; at < sizes[i]; at++)
                buf.data[at] = (char)pattern(at);
            buf.size = sizes[i];
        }
        assert_int_equal(cg_broadcast(&comm, &buf, &err), 0);
        assert_int_equal(buf.size, sizes[i]);
        size_t wrong = 0;
        for (size_t at = 0; at < sizes[i]; at++)
            wrong += (uint8_t)buf.data[at] != pattern(at);
        assert_int_equal(wrong, 0);
        cg_buf_release(&buf);
    }
}

static const double awkward[] = {
    0.1, -1.0 / 3.0, 1e300, -1e-300, 0x1p-1074, 3.0, 123456789.123456789, 0x1.fffffffffffffp+1023,
};
enum { AWKWARD = sizeof awkward / sizeof *awkward, CELLS = 1000 };

static double cell_value(int i)
{
    return awkward[i % AWKWARD] * (i % 3 == 0 ? 1.0 : 0.5);
}

/* One rank fills a cell and all others hold +0.0: the sum has the same bits. */
static void check_sums(int (*owner)(int cell))
{
    double values[CELLS];
    for (int i = 0; i < CELLS; i++)
        values[i] = owner(i) == comm.rank ? cell_value(i) : 0.0;
    cg_sum_doubles(&comm, values, CELLS);
    for (int i = 0; i < CELLS; i++) {
        double expected = cell_value(i);
        assert_memory_equal(&values[i], &expected, sizeof expected);
    }
}

static int in_turn(int cell)
{
    return cell % comm.size;
}

/* Everybody but the last rank is idle. */
static int all_with_the_last(int cell)
{
    (void)cell;
    return comm.size - 1;
}

static void sums_are_exact(void **state)
{
    (void)state;
    check_sums(in_turn);
    check_sums(all_with_the_last);
    cg_sum_doubles(&comm, NULL, 0);
}

static void sums_keep_what_is_no_number(void **state)
{
    (void)state;
    bool mine = comm.rank == comm.size - 1;
    double values[] = {mine ? NAN : 0.0, mine ? INFINITY : 0.0, mine ? -INFINITY : 0.0};
    cg_sum_doubles(&comm, values, 3);
    assert_true(isnan(values[0]));
    assert_true(values[1] == INFINITY);
    assert_true(values[2] == -INFINITY);
}

static void digests_are_put_together(void **state)
{
    (void)state;
    enum { MEMBERS = 37, DIGEST = 32 };
    uint8_t digests[MEMBERS * DIGEST] = {0};
    for (size_t i = 0; i < sizeof digests; i++)
        if ((int)(i / DIGEST) % comm.size == comm.rank)
            digests[i] = pattern(i);
    cg_or_bytes(&comm, digests, sizeof digests);
    for (size_t i = 0; i < sizeof digests; i++)
        assert_int_equal(digests[i], pattern(i));
    cg_or_bytes(&comm, NULL, 0);
}

static void single_values(void **state)
{
    (void)state;
    int64_t n = comm.size;
    assert_int_equal(cg_sum_int(&comm, ((int64_t)1 << 40) + comm.rank), (n << 40) + n * (n - 1) / 2);
    assert_int_equal(cg_max_int(&comm, -5 - comm.rank), -5);
    assert_int_equal(cg_max_int(&comm, ((int64_t)1 << 40) + comm.rank), ((int64_t)1 << 40) + n - 1);
    assert_int_equal(cg_max_int(&comm, comm.rank == 0 ? (int64_t)1 << 40 : 5), (int64_t)1 << 40);
    assert_true(cg_sum_double(&comm, 0.5) == 0.5 * (double)n);
    assert_true(cg_max_double(&comm, -1.5 - comm.rank) == -1.5);
    assert_int_equal(cg_count_hosts(&comm), 1);
}

int main(int argc, char **argv)
{
    struct cg_err err = {0};
    if (cg_comm_init(&comm, &argc, &argv, &err) < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_agree_on_success),
        cmocka_unit_test(failing_ranks_are_heard_by_all),
        cmocka_unit_test(broadcasts_reach_all),
        cmocka_unit_test(sums_are_exact),
        cmocka_unit_test(sums_keep_what_is_no_number),
        cmocka_unit_test(digests_are_put_together),
        cmocka_unit_test(single_values),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cg_comm_finalize(&comm);
    return failed;
}
