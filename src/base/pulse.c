#include "cognate/pulse.h"
#include "cognate/interrupt.h"
#include "cognate/log.h"
#include "cognate/mem.h"
#include "cognate/text.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum kind { BEAT, DONE, FAILED, STOP, OVER };
enum { TAG = 7201, POSITION = 480 };
static const double INTERVAL = 0.5;
static const double MARGIN = 5.0; /* a rank whose own read hangs says so itself first */
static const double AWAY = 3.0;   /* without a look at the others */

struct message {
    int64_t kind, done;
    char position[POSITION];
};

/* What a watcher knows of a rank. */
struct watched {
    double last;
    bool ended;
    int64_t done;
    char position[POSITION];
};

/* A stage that is run, and its thread. */
struct run {
    cg_stage *stage;
    void *context;
    struct cg_err *err;
    int result;
    bool on, ended;       /* there is a thread; it has ended */
    void (*call)(void *); /* what it wants from the main thread; NULL: nothing */
    void *call_context;
    bool together;    /* when all ranks are there */
    const char *path; /* what it reads or has read last; NULL: nothing yet */
    int64_t offset;
    double since; /* when that read began; 0: none is under way */
};

struct cg_pulse {
    const struct cg_comm *comm;
    struct cg_comm watched; /* the same under this pulse */
    pthread_mutex_t lock;   /* guards `run` while its thread lives */
    pthread_cond_t changed;
    struct run run;
    const char *stage;
    int64_t total, done;          /* done: by all ranks, as far as rank 0 knows */
    double timeout, sent, looked; /* when this rank last beat, and last looked at those it watches */
    struct watched *ranks;        /* [size]; rank 0 watches all others, rank 1 watches rank 0 */
    int ended;                    /* ranks whose last message has come */
    bool stopping, told_to_stop, over;
    MPI_Request *request; /* [size] to each rank the last message posted */
    struct message out;   /* to this rank's watcher */
    struct message told;  /* rank 0's to all */
};

/* A wait for it is measured on a clock that never goes back. */
static void condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct cg_pulse *cg_pulse_create(const struct cg_comm *comm, const char *stage, int64_t total, double timeout,
                                 struct cg_err *err)
{
    struct cg_pulse *pulse = cg_new(1, sizeof *pulse, err);
    size_t size = (size_t)comm->size;
    if (pulse && (!(pulse->ranks = cg_new(size, sizeof *pulse->ranks, err)) ||
                  !(pulse->request = cg_new(size, sizeof *pulse->request, err)))) {
        cg_pulse_destroy(pulse);
        pulse = NULL;
    }
    if (cg_agree(comm, pulse ? 0 : -1, err) < 0) {
        cg_pulse_destroy(pulse);
        return NULL;
    }
    pulse->comm = comm;
    pulse->watched = *comm;
    pulse->watched.pulse = pulse;
    pthread_mutex_init(&pulse->lock, NULL);
    condition_init(&pulse->changed);
    pulse->stage = stage;
    pulse->total = total;
    pulse->timeout = timeout;
    pulse->looked = cg_seconds();
    for (int r = 0; r < comm->size; r++) {
        pulse->ranks[r].last = cg_seconds();
        pulse->request[r] = MPI_REQUEST_NULL;
    }
    cg_log_progress(stage, 0, total);
    return pulse;
}

void cg_pulse_destroy(struct cg_pulse *pulse)
{
    if (!pulse)
        return;
    if (pulse->comm) {
        pthread_cond_destroy(&pulse->changed);
        pthread_mutex_destroy(&pulse->lock);
    }
    free(pulse->ranks);
    free(pulse->request);
    free(pulse);
}

const struct cg_comm *cg_pulse_comm(const struct cg_pulse *pulse)
{
    return &pulse->watched;
}

static int watcher_of(const struct cg_pulse *pulse)
{
    return pulse->comm->rank != 0 ? 0 : 1;
}

static bool is_sent(struct cg_pulse *pulse, int rank)
{
    int sent;
    MPI_Test(&pulse->request[rank], &sent, MPI_STATUS_IGNORE);
    return sent;
}

static void send_to(struct cg_pulse *pulse, int rank, const struct message *message)
{
    MPI_Isend(message, (int)sizeof *message, MPI_BYTE, rank, TAG, pulse->comm->mpi, &pulse->request[rank]);
}

/* A beat to this rank's watcher; left out while the one before is still on its way. */
static void beat(struct cg_pulse *pulse, int64_t done, const char *position)
{
    if (pulse->comm->size == 1 || !is_sent(pulse, watcher_of(pulse)))
        return;
    pulse->out = (struct message){.kind = BEAT, .done = done};
    strncpy(pulse->out.position, position, POSITION - 1);
    send_to(pulse, watcher_of(pulse), &pulse->out);
}

static void take(struct cg_pulse *pulse, int source, const struct message *message)
{
    struct watched *rank = &pulse->ranks[source];
    if (message->kind == STOP)
        pulse->stopping = true;
    if (message->kind == OVER)
        pulse->over = true;
    if (message->kind == STOP || message->kind == OVER)
        return;
    rank->last = cg_seconds();
    if (message->kind == BEAT) {
        pulse->done += message->done - rank->done;
        rank->done = message->done;
        memcpy(rank->position, message->position, POSITION);
        rank->position[POSITION - 1] = '\0';
        return;
    }
    rank->ended = true;
    pulse->ended++;
    if (message->kind == FAILED)
        pulse->stopping = true;
}

static void receive_all(struct cg_pulse *pulse)
{
    for (;;) {
        int there;
        MPI_Status status;
        struct message message;
        MPI_Iprobe(MPI_ANY_SOURCE, TAG, pulse->comm->mpi, &there, &status);
        if (!there)
            return;
        MPI_Recv(&message, (int)sizeof message, MPI_BYTE, status.MPI_SOURCE, TAG, pulse->comm->mpi,
                 MPI_STATUS_IGNORE);
        take(pulse, status.MPI_SOURCE, &message);
    }
}

/* A rank that was away, busy in a call of a library, could not hear the others: it gives them their time
 * anew. */
static void watch(struct cg_pulse *pulse)
{
    int rank = pulse->comm->rank, first = rank == 0 ? 1 : 0, end = rank == 0 ? pulse->comm->size : rank == 1;
    double now = cg_seconds();
    bool away = now - pulse->looked > AWAY;
    pulse->looked = now;
    for (int r = first; r < end; r++) {
        struct watched *of = &pulse->ranks[r];
        if (away)
            of->last = now;
        if (!of->ended && now - of->last > pulse->timeout + MARGIN)
            cg_comm_abort(pulse->comm, "rank %d has given no sign of life for %.0f s (%s); it was reading %s",
                          r, pulse->timeout + MARGIN, pulse->stage,
                          of->position[0] ? of->position : "nothing yet");
    }
}

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

/* Messages to a rank that has stopped may never leave: no wait without a watch. */
static void wait_sent(struct cg_pulse *pulse, int rank)
{
    while (!is_sent(pulse, rank)) {
        receive_all(pulse);
        watch(pulse);
        pause_briefly();
    }
}

/* Rank 0 to all others. */
static void tell_all(struct cg_pulse *pulse, enum kind kind)
{
    for (int r = 1; r < pulse->comm->size; r++)
        wait_sent(pulse, r);
    pulse->told = (struct message){.kind = kind};
    for (int r = 1; r < pulse->comm->size; r++)
        send_to(pulse, r, &pulse->told);
}

/* Rank 0 passes the news of a failure on, once. */
static void pass_on_stop(struct cg_pulse *pulse)
{
    if (pulse->comm->rank == 0 && pulse->stopping && !pulse->told_to_stop)
        tell_all(pulse, STOP);
    pulse->told_to_stop = pulse->stopping;
}

bool cg_pulse_due(const struct cg_pulse *pulse)
{
    return cg_seconds() - pulse->sent >= INTERVAL;
}

bool cg_pulse_beat(struct cg_pulse *pulse, int64_t done, const char *position)
{
    if (cg_pulse_due(pulse)) {
        pulse->sent = cg_seconds();
        beat(pulse, done, position);
        receive_all(pulse);
        pass_on_stop(pulse);
        watch(pulse);
    }
    int64_t own = pulse->comm->rank == 0 ? done : 0;
    if (pulse->done + own < pulse->total)
        cg_log_progress(pulse->stage, pulse->done + own, pulse->total);
    return !pulse->stopping;
}

/* This rank's last word to rank 0. */
static void sign_off(struct cg_pulse *pulse, bool failed)
{
    wait_sent(pulse, 0);
    pulse->out = (struct message){.kind = failed ? FAILED : DONE};
    send_to(pulse, 0, &pulse->out);
}

void cg_pulse_end(struct cg_pulse *pulse, bool failed)
{
    bool root = pulse->comm->rank == 0;
    pulse->stopping = pulse->stopping || (root && failed);
    if (!root)
        sign_off(pulse, failed);
    while (root ? pulse->ended < pulse->comm->size - 1 : !pulse->over) {
        receive_all(pulse);
        pass_on_stop(pulse);
        watch(pulse);
        if (root && cg_pulse_due(pulse)) {
            pulse->sent = cg_seconds();
            beat(pulse, 0, "the end of the stage, waiting for others");
        }
        pause_briefly();
    }
    if (root)
        tell_all(pulse, OVER);
    for (int r = 0; r < pulse->comm->size; r++)
        wait_sent(pulse, r);
    cg_log_progress(pulse->stage, pulse->total, pulse->total);
}

/* What the stage reads, or has read last, for a beat. Under the lock. */
static void describe_read(const struct run *run, char position[POSITION])
{
    char path[POSITION - 32];
    if (run->path)
        snprintf(position, POSITION, "%s (at byte %" PRId64 ")", cg_printable(path, sizeof path, run->path),
                 run->offset);
    else
        snprintf(position, POSITION, "nothing yet");
}

/* A beat of the main thread for the stage that it waits for. A read that hangs ends the job here, before
 * other ranks miss this one. */
static void beat_for_run(struct cg_pulse *pulse)
{
    char position[POSITION];
    if (!cg_pulse_due(pulse))
        return;
    pthread_mutex_lock(&pulse->lock);
    double since = pulse->run.since;
    describe_read(&pulse->run, position);
    pthread_mutex_unlock(&pulse->lock);
    if (since > 0 && cg_seconds() - since > pulse->timeout)
        cg_comm_abort(pulse->comm, "no answer to a read for %.0f s: %s", pulse->timeout, position);
    cg_pulse_beat(pulse, 0, position);
}

/* Every rank waits here for the others, under the watch: none comes to a call that may hang. */
static void await_all(struct cg_pulse *pulse)
{
    enum { PATIENCE = 1000 }; /* turns without a pause: most waits are short */
    MPI_Request request;
    int there = 0;
    MPI_Ibarrier(pulse->comm->mpi, &request);
    for (int turn = 0; !there; turn++) {
        beat_for_run(pulse);
        MPI_Test(&request, &there, MPI_STATUS_IGNORE);
        if (turn > PATIENCE)
            pause_briefly();
    }
}

/* The stage's thread has the main thread make a call. */
static void ask(struct cg_pulse *pulse, void (*call)(void *), void *context, bool together)
{
    pthread_mutex_lock(&pulse->lock);
    pulse->run.call = call;
    pulse->run.call_context = context;
    pulse->run.together = together;
    pthread_cond_broadcast(&pulse->changed);
    while (pulse->run.call)
        pthread_cond_wait(&pulse->changed, &pulse->lock);
    pthread_mutex_unlock(&pulse->lock);
}

void cg_pulse_meet(struct cg_pulse *pulse, void (*call)(void *), void *context)
{
    if (pulse->run.on) {
        ask(pulse, call, context, true);
    } else {
        await_all(pulse);
        call(context);
    }
}

static void *run_stage(void *argument)
{
    struct cg_pulse *pulse = argument;
    int result = pulse->run.stage(&pulse->watched, pulse->run.context, pulse->run.err);
    pthread_mutex_lock(&pulse->lock);
    pulse->run.result = result;
    pulse->run.ended = true;
    pthread_cond_broadcast(&pulse->changed);
    pthread_mutex_unlock(&pulse->lock);
    return NULL;
}

/* Until the stage wants a call or has ended, or a moment is over. */
static void await_run(struct cg_pulse *pulse)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 100000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (!pulse->run.call && !pulse->run.ended)
        pthread_cond_timedwait(&pulse->changed, &pulse->lock, &until);
}

/* The main thread's part, under the lock but for the calls. */
static void serve(struct cg_pulse *pulse)
{
    while (!pulse->run.ended) {
        await_run(pulse);
        bool wanted = pulse->run.call != NULL;
        pthread_mutex_unlock(&pulse->lock);
        beat_for_run(pulse);
        if (wanted && pulse->run.together)
            await_all(pulse);
        if (wanted)
            pulse->run.call(pulse->run.call_context);
        pthread_mutex_lock(&pulse->lock);
        if (wanted) {
            pulse->run.call = NULL;
            pthread_cond_broadcast(&pulse->changed);
        }
    }
}

int cg_pulse_run(struct cg_pulse *pulse, cg_stage *stage, void *context, struct cg_err *err)
{
    pthread_t thread;
    pulse->run = (struct run){.stage = stage, .context = context, .err = err, .on = true};
    if (pthread_create(&thread, NULL, run_stage, pulse) != 0) {
        pulse->run.on = false; /* a machine at its limits: the pulse then beats only where ranks meet */
        return stage(&pulse->watched, context, err);
    }
    pthread_mutex_lock(&pulse->lock);
    serve(pulse);
    pthread_mutex_unlock(&pulse->lock);
    pthread_join(thread, NULL);
    pulse->run.on = false;
    return pulse->run.result;
}

/* The first read of a stage waits until its place is told, so that whoever misses this rank knows where it
 * began. */
static void tell(void *context)
{
    struct cg_pulse *pulse = context;
    pulse->sent = 0;
    beat_for_run(pulse);
}

int cg_pulse_begin_read(struct cg_pulse *pulse, const char *path, int64_t offset, struct cg_err *err)
{
    pthread_mutex_lock(&pulse->lock);
    bool first = !pulse->run.path;
    pulse->run.path = path;
    pulse->run.offset = offset;
    pulse->run.since = cg_seconds();
    pthread_mutex_unlock(&pulse->lock);
    if (first && pulse->run.on)
        ask(pulse, tell, pulse, false);
    return cg_interrupt_check(err);
}

void cg_pulse_end_read(struct cg_pulse *pulse)
{
    pthread_mutex_lock(&pulse->lock);
    pulse->run.since = 0;
    pthread_mutex_unlock(&pulse->lock);
}
