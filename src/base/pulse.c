#include "cognate/pulse.h"
#include "cognate/log.h"
#include "cognate/mem.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum kind { BEAT, DONE, FAILED, STOP, OVER };
enum { TAG = 7201, POSITION = 480 };
static const double INTERVAL = 0.5;
static const double MARGIN = 5.0; /* a rank whose own read hangs says so itself first */

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

struct cg_pulse {
    const struct cg_comm *comm;
    const char *stage;
    int64_t total, done; /* done: by all ranks, as far as rank 0 knows */
    double timeout, sent;
    struct watched *ranks; /* [size]; rank 0 watches all others, rank 1 watches rank 0 */
    int ended;             /* ranks whose last message has come */
    bool stopping, told_to_stop, over;
    MPI_Request *request; /* [size] to each rank the last message posted */
    struct message out;   /* to this rank's watcher */
    struct message told;  /* rank 0's to all */
};

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
    pulse->stage = stage;
    pulse->total = total;
    pulse->timeout = timeout;
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
    free(pulse->ranks);
    free(pulse->request);
    free(pulse);
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

static void watch(const struct cg_pulse *pulse)
{
    int first = pulse->comm->rank == 0 ? 1 : 0,
        end = pulse->comm->rank == 0 ? pulse->comm->size : pulse->comm->rank == 1;
    for (int r = first; r < end; r++)
        if (!pulse->ranks[r].ended && cg_seconds() - pulse->ranks[r].last > pulse->timeout + MARGIN)
            cg_comm_abort(pulse->comm, "rank %d has given no sign of life for %.0f s; it was reading %s", r,
                          pulse->timeout + MARGIN,
                          pulse->ranks[r].position[0] ? pulse->ranks[r].position : "nothing yet");
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
