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
    bool stopping, over;
    MPI_Request request;
    struct message out;
};

struct cg_pulse *cg_pulse_create(const struct cg_comm *comm, const char *stage, int64_t total, double timeout,
                                 struct cg_err *err)
{
    struct cg_pulse *pulse = cg_new(1, sizeof *pulse, err);
    if (pulse && !(pulse->ranks = cg_new((size_t)comm->size, sizeof *pulse->ranks, err))) {
        free(pulse);
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
    pulse->request = MPI_REQUEST_NULL;
    for (int r = 0; r < comm->size; r++)
        pulse->ranks[r].last = cg_seconds();
    cg_log_progress(stage, 0, total);
    return pulse;
}

void cg_pulse_destroy(struct cg_pulse *pulse)
{
    if (!pulse)
        return;
    free(pulse->ranks);
    free(pulse);
}

static int watcher_of(const struct cg_pulse *pulse)
{
    return pulse->comm->rank != 0 ? 0 : 1;
}

/* Posts a message to this rank's watcher; a beat is left out while the one before is still on its way. */
static void post(struct cg_pulse *pulse, enum kind kind, int64_t done, const char *position)
{
    if (pulse->comm->size == 1)
        return;
    int sent = 1;
    if (kind == BEAT)
        MPI_Test(&pulse->request, &sent, MPI_STATUS_IGNORE);
    else
        MPI_Wait(&pulse->request, MPI_STATUS_IGNORE);
    if (!sent)
        return;
    pulse->out = (struct message){.kind = kind, .done = done};
    strncpy(pulse->out.position, position, POSITION - 1);
    MPI_Isend(&pulse->out, (int)sizeof pulse->out, MPI_BYTE, watcher_of(pulse), TAG, pulse->comm->mpi,
              &pulse->request);
}

/* Rank 0 to all others. */
static void tell_all(const struct cg_pulse *pulse, enum kind kind)
{
    struct message message = {.kind = kind};
    for (int r = 1; r < pulse->comm->size; r++)
        MPI_Send(&message, (int)sizeof message, MPI_BYTE, r, TAG, pulse->comm->mpi);
}

static void stop_all(struct cg_pulse *pulse)
{
    if (!pulse->stopping && pulse->comm->rank == 0)
        tell_all(pulse, STOP);
    pulse->stopping = true;
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
        stop_all(pulse);
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

bool cg_pulse_due(const struct cg_pulse *pulse)
{
    return cg_seconds() - pulse->sent >= INTERVAL;
}

bool cg_pulse_beat(struct cg_pulse *pulse, int64_t done, const char *position)
{
    if (cg_pulse_due(pulse)) {
        pulse->sent = cg_seconds();
        post(pulse, BEAT, done, position);
        receive_all(pulse);
        watch(pulse);
    }
    int64_t own = pulse->comm->rank == 0 ? done : 0;
    if (pulse->done + own < pulse->total)
        cg_log_progress(pulse->stage, pulse->done + own, pulse->total);
    return !pulse->stopping;
}

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

void cg_pulse_end(struct cg_pulse *pulse, bool failed)
{
    bool root = pulse->comm->rank == 0;
    if (root && failed)
        stop_all(pulse);
    if (!root)
        post(pulse, failed ? FAILED : DONE, 0, "");
    while (root ? pulse->ended < pulse->comm->size - 1 : !pulse->over) {
        receive_all(pulse);
        watch(pulse);
        if (root && cg_pulse_due(pulse)) {
            pulse->sent = cg_seconds();
            post(pulse, BEAT, 0, "the end of the stage, waiting for others");
        }
        pause_briefly();
    }
    MPI_Wait(&pulse->request, MPI_STATUS_IGNORE);
    if (root)
        tell_all(pulse, OVER);
    cg_log_progress(pulse->stage, pulse->total, pulse->total);
}
