/* The pulse on however many ranks the harness starts: all end together, and one that fails calls off the
 * others.
 */
#include "cognate/interrupt.h"
#include "cognate/log.h"
#include "cognate/pulse.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
/* cmocka wants the above first */
#include <cmocka.h>

static struct cg_comm comm; /* set once by main */

static struct cg_pulse *create(double timeout)
{
    struct cg_err err = {0};
    struct cg_pulse *pulse = cg_pulse_create(&comm, "test", 1000, timeout, &err);
    assert_non_null(pulse);
    return pulse;
}

static void sleep_for(double seconds)
{
    time_t whole = (time_t)seconds;
    nanosleep(&(struct timespec){.tv_sec = whole, .tv_nsec = (long)(1e9 * (seconds - (double)whole))}, NULL);
}

/* Beats every 10 ms for that long, or until called off. Returns what the last beat said. */
static bool beat_for(struct cg_pulse *pulse, double seconds)
{
    double start = cg_seconds();
    bool go_on = true;
    for (int64_t done = 0; go_on && cg_seconds() - start < seconds; done++) {
        sleep_for(0.01);
        go_on = cg_pulse_beat(pulse, done, "somewhere");
    }
    return go_on;
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* One rank works longer than the others: they wait for it, idle. Clocks of one host agree. */
static void waits_for_last(void **state)
{
    (void)state;
    for (int slow = 0; slow < comm.size; slow++) {
        struct cg_pulse *pulse = create(60);
        assert_true(beat_for(pulse, slow == comm.rank ? 0.7 : 0.05));
        double arrived = cg_seconds(), cpu = cpu_seconds(), wall = cg_seconds();
        cg_pulse_end(pulse, false);
        cpu = cpu_seconds() - cpu;
        wall = cg_seconds() - wall;
        double left = cg_seconds(), last = cg_max_double(&comm, arrived);
        assert_true(left >= last);
        assert_true(comm.size == 1 || slow == comm.rank || (wall > 0.3 && cpu < 0.4 * wall));
        cg_pulse_destroy(pulse);
    }
}

/* Nobody is called off while all is well; a rank that beats is not taken for dead, however long it works. */
static void goes_on(void **state)
{
    (void)state;
    struct cg_pulse *pulse = create(60);
    assert_true(cg_pulse_due(pulse));
    assert_true(cg_pulse_beat(pulse, 0, "the beginning"));
    assert_false(cg_pulse_due(pulse));
    sleep_for(0.6);
    assert_true(cg_pulse_due(pulse));
    assert_true(beat_for(pulse, 0.8));
    cg_pulse_end(pulse, false);
    cg_pulse_destroy(pulse);
}

/* One rank, or all but one, fails at once: the others hear of it at one of their next beats. */
static void calls_off(void **state)
{
    (void)state;
    for (int one = 0; one<comm.size; one += comm.size> 1 ? comm.size - 1 : 1)
        for (int others = 0; others < 2; others++) {
            struct cg_pulse *pulse = create(60);
            bool fails = (comm.rank == one) != (others == 1);
            bool somebody_fails = others == 0 || comm.size > 1;
            bool went_on = fails || beat_for(pulse, somebody_fails ? 20 : 0.1);
            assert_int_equal(went_on, fails || !somebody_fails);
            cg_pulse_end(pulse, fails);
            cg_pulse_destroy(pulse);
        }
}

/* A rank that has ended well before another failed comes home all the same. */
static void fails_last(void **state)
{
    (void)state;
    for (int one = 0; one < comm.size; one++) {
        struct cg_pulse *pulse = create(60);
        if (comm.rank == one)
            sleep_for(0.2);
        cg_pulse_end(pulse, comm.rank == one);
        cg_pulse_destroy(pulse);
    }
}

/* One stage after the other: nothing of the last is left for the next, however it ended. */
static void one_after_another(void **state)
{
    (void)state;
    for (int stage = 0; stage < 60; stage++) {
        struct cg_pulse *pulse = create(60);
        bool fails = stage % 3 == 1 && comm.rank == stage % comm.size;
        if (stage % 3 != 1)
            assert_true(cg_pulse_beat(pulse, stage, "between"));
        cg_pulse_end(pulse, fails);
        cg_pulse_destroy(pulse);
    }
    int there;
    MPI_Barrier(comm.mpi);
    MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, comm.mpi, &there, MPI_STATUS_IGNORE);
    assert_false(there);
    cg_pulse_destroy(NULL);
}

/* What a stage is to do, and what it found. */
struct errand {
    int failing;    /* this rank fails in the middle; -1: none does */
    double seconds; /* the last rank works for so long without a word */
    int64_t sum;
    char word[8];
};

static int do_errand(const struct cg_comm *ranks, void *context, struct cg_err *err)
{
    struct errand *errand = context;
    struct cg_buf word = {0};
    if (ranks->rank == ranks->size - 1)
        sleep_for(errand->seconds);
    if (ranks->rank == 0 && cg_buf_printf(&word, err, "hello") < 0)
        return -1;
    assert_true(cg_pulse_begin_read(ranks->pulse, "a file", 17, err) == 0);
    cg_pulse_end_read(ranks->pulse);
    errand->sum = cg_sum_int(ranks, ranks->rank + 1);
    int result = ranks->rank == errand->failing ? cg_fail(err, CG_EIO, "rank %d is unwell", ranks->rank) : 0;
    if (cg_agree(ranks, result, err) < 0) {
        cg_buf_release(&word);
        return -1;
    }
    result = cg_broadcast(ranks, &word, err);
    snprintf(errand->word, sizeof errand->word, "%.7s", result == 0 ? word.data : "");
    cg_buf_release(&word);
    return result;
}

/* A stage in a thread of its own meets the other ranks like any other code, and fails on all when one does.
 */
static void runs_a_stage(void **state)
{
    (void)state;
    for (int failing = -1; failing < comm.size; failing++) {
        struct cg_pulse *pulse = create(60);
        struct cg_err err = {0};
        struct errand errand = {.failing = failing};
        int result = cg_pulse_run(pulse, do_errand, &errand, &err);
        cg_pulse_end(pulse, result < 0);
        cg_pulse_destroy(pulse);
        assert_int_equal(errand.sum, comm.size * (comm.size + 1) / 2);
        assert_int_equal(result, failing < 0 ? 0 : -1);
        assert_string_equal(errand.word, failing < 0 ? "hello" : "");
        if (failing >= 0) {
            char text[32];
            snprintf(text, sizeof text, "rank %d is unwell", failing);
            assert_string_equal(err.text, text);
        }
    }
}

static int sit_still(const struct cg_comm *ranks, void *context, struct cg_err *err)
{
    if (ranks->rank == ranks->size - 1)
        sleep_for(*(double *)context);
    return cg_agree(ranks, 0, err);
}

/* A stage that says nothing for longer than a rank may be silent is not taken for dead: its pulse goes on. */
static void works_on_in_silence(void **state)
{
    (void)state;
    double limit = 2, margin = 5; /* of pulse.c */
    if (comm.size != 2)
        return;
    struct cg_pulse *pulse = create(limit - margin);
    struct cg_err err = {0};
    double seconds = 1.5 * limit;
    assert_int_equal(cg_pulse_run(pulse, sit_still, &seconds, &err), 0);
    cg_pulse_end(pulse, false);
    cg_pulse_destroy(pulse);
}

/* Without a thread of its own, too, ranks wait for each other under the pulse. */
static void meets_by_itself(void **state)
{
    (void)state;
    struct cg_pulse *pulse = create(60);
    struct cg_err err = {0};
    struct errand errand = {.failing = -1, .seconds = 0.3};
    assert_int_equal(do_errand(cg_pulse_comm(pulse), &errand, &err), 0);
    cg_pulse_end(pulse, false);
    cg_pulse_destroy(pulse);
    assert_string_equal(errand.word, "hello");
}

static int read_once(const struct cg_comm *ranks, void *context, struct cg_err *err)
{
    *(int *)context = cg_pulse_begin_read(ranks->pulse, "a file", 0, err);
    cg_pulse_end_read(ranks->pulse);
    return cg_agree(ranks, *(int *)context, err);
}

/* The last of the tests: a signal that came to one rank stops all of them under a pulse, at its next read,
 * and is nothing to ranks without. */
static void heeds_signals(void **state)
{
    (void)state;
    struct cg_err err = {0};
    bool hit = comm.rank == comm.size - 1;
    cg_interrupt_listen();
    assert_int_equal(cg_interrupt_check(&err), 0);
    if (hit)
        raise(SIGUSR1);
    assert_int_equal(cg_agree(&comm, 0, &err), 0);
    struct cg_pulse *pulse = create(60);
    int own = 1;
    assert_int_equal(cg_pulse_run(pulse, read_once, &own, &err), -1);
    assert_int_equal(own, hit ? -1 : 0);
    cg_pulse_end(pulse, true);
    cg_pulse_destroy(pulse);
    assert_int_equal(err.code, CG_EINTERRUPTED);
    assert_non_null(strstr(err.text, strsignal(SIGUSR1)));
}

int main(int argc, char **argv)
{
    struct cg_err err = {0};
    if (cg_comm_init(&comm, &argc, &argv, &err) < 0)
        return 1;
    cg_log_setup(true, false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_for_last),      cmocka_unit_test(goes_on),
        cmocka_unit_test(calls_off),           cmocka_unit_test(fails_last),
        cmocka_unit_test(one_after_another),   cmocka_unit_test(runs_a_stage),
        cmocka_unit_test(works_on_in_silence), cmocka_unit_test(meets_by_itself),
        cmocka_unit_test(heeds_signals),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cg_comm_finalize(&comm);
    return failed;
}
