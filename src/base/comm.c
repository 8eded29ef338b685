#include "cognate/comm.h"
#include "cognate/interrupt.h"
#include "cognate/mem.h"
#include "cognate/pulse.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* MPI counts are ints, and Open MPI is at its best below a gigabyte a call. */
enum { PART = 1 << 27 };

int cg_comm_init(struct cg_comm *comm, int *argc, char ***argv, struct cg_err *err)
{
    int provided;
    if (MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
        return cg_fail(err, CG_EUNSUPPORTED, "MPI does not start");
    *comm = (struct cg_comm){.mpi = MPI_COMM_WORLD};
    MPI_Comm_rank(comm->mpi, &comm->rank);
    MPI_Comm_size(comm->mpi, &comm->size);
    return 0;
}

void cg_comm_finalize(struct cg_comm *comm)
{
    MPI_Finalize();
    *comm = (struct cg_comm){0};
}

void cg_comm_abort(const struct cg_comm *comm, const char *format, ...)
{
    char text[CG_ERR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "cognate: error: rank %d: %s\n", comm->rank, text);
    MPI_Abort(comm->mpi, 1);
    abort();
}

/* One collective call. */
struct transfer {
    const struct cg_comm *comm;
    void *data;
    int n;
    MPI_Datatype type;
    MPI_Op op; /* of a reduction */
    int root;  /* of a broadcast */
};

static void reduce(void *context)
{
    const struct transfer *of = context;
    MPI_Allreduce(MPI_IN_PLACE, of->data, of->n, of->type, of->op, of->comm->mpi);
}

static void broadcast(void *context)
{
    const struct transfer *of = context;
    MPI_Bcast(of->data, of->n, of->type, of->root, of->comm->mpi);
}

static void carry_out(void (*call)(void *), struct transfer *transfer)
{
    if (transfer->comm->pulse)
        cg_pulse_meet(transfer->comm->pulse, call, transfer);
    else
        call(transfer);
}

/* n values of `size` bytes, a part after the other. */
static void reduce_all(const struct cg_comm *comm, void *values, int64_t n, size_t size, MPI_Datatype type,
                       MPI_Op op)
{
    for (int64_t at = 0; at < n; at += PART)
        carry_out(reduce, &(struct transfer){.comm = comm,
                                             .data = (char *)values + (size_t)at * size,
                                             .n = (int)(n - at < PART ? n - at : PART),
                                             .type = type,
                                             .op = op});
}

static void send_all(const struct cg_comm *comm, void *bytes, int64_t n, int root)
{
    for (int64_t at = 0; at < n; at += PART)
        carry_out(broadcast, &(struct transfer){.comm = comm,
                                                .data = (char *)bytes + at,
                                                .n = (int)(n - at < PART ? n - at : PART),
                                                .type = MPI_BYTE,
                                                .root = root});
}

int cg_agree(const struct cg_comm *comm, int result, struct cg_err *err)
{
    if (result == 0 && comm->pulse)
        result = cg_interrupt_check(err);
    int lowest = result < 0 ? comm->rank : comm->size;
    reduce_all(comm, &lowest, 1, sizeof lowest, MPI_INT, MPI_MIN);
    if (lowest == comm->size)
        return 0;
    send_all(comm, err, sizeof *err, lowest);
    return -1;
}

int cg_broadcast(const struct cg_comm *comm, struct cg_buf *buf, struct cg_err *err)
{
    int64_t size = (int64_t)buf->size;
    send_all(comm, &size, sizeof size, 0);
    int result = 0;
    if (comm->rank != 0) {
        cg_buf_release(buf);
        buf->data = cg_new((size_t)size + 1, 1, err);
        buf->size = (size_t)size;
        buf->capacity = (size_t)size + 1;
        result = buf->data ? 0 : -1;
    }
    if (cg_agree(comm, result, err) < 0)
        return -1;
    send_all(comm, buf->data, size, 0);
    return 0;
}

void cg_sum_doubles(const struct cg_comm *comm, double *values, int64_t n)
{
    reduce_all(comm, values, n, sizeof *values, MPI_DOUBLE, MPI_SUM);
}

void cg_or_bytes(const struct cg_comm *comm, uint8_t *bytes, int64_t n)
{
    reduce_all(comm, bytes, n, 1, MPI_BYTE, MPI_BOR);
}

int64_t cg_sum_int(const struct cg_comm *comm, int64_t value)
{
    reduce_all(comm, &value, 1, sizeof value, MPI_INT64_T, MPI_SUM);
    return value;
}

int64_t cg_max_int(const struct cg_comm *comm, int64_t value)
{
    reduce_all(comm, &value, 1, sizeof value, MPI_INT64_T, MPI_MAX);
    return value;
}

double cg_sum_double(const struct cg_comm *comm, double value)
{
    reduce_all(comm, &value, 1, sizeof value, MPI_DOUBLE, MPI_SUM);
    return value;
}

double cg_max_double(const struct cg_comm *comm, double value)
{
    reduce_all(comm, &value, 1, sizeof value, MPI_DOUBLE, MPI_MAX);
    return value;
}

/* A host is counted by the lowest rank on it. */
int cg_count_hosts(const struct cg_comm *comm)
{
    MPI_Comm host;
    int rank_on_host;
    MPI_Comm_split_type(comm->mpi, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
    MPI_Comm_rank(host, &rank_on_host);
    MPI_Comm_free(&host);
    return (int)cg_sum_int(comm, rank_on_host == 0);
}
