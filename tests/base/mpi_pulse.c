/* The pulse on however many ranks the harness starts: all end together, and one that fails calls off the
 * others.
 */
#include "cognate/log.h"
#include "cognate/pulse.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

int main(int argc, char **argv)
{
    struct cg_err err = {0};
    if (cg_comm_init(&comm, &argc, &argv, &err) < 0)
        return 1;
    cg_log_setup(true, false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_for_last), cmocka_unit_test(goes_on),           cmocka_unit_test(calls_off),
        cmocka_unit_test(fails_last),     cmocka_unit_test(one_after_another),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cg_comm_finalize(&comm);
    return failed;
}
