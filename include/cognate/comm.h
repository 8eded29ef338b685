/* The ranks: start and end, agreement on errors, broadcasts and exact sums.
 *
 * All functions here are collective over all ranks unless their comment says "local". MPI itself failing
 * aborts the job; it never returns. Sizes are 64-bit: larger than an MPI int goes in parts.
 */
#ifndef COGNATE_COMM_H
#define COGNATE_COMM_H

#include "cognate/err.h"
#include "cognate/text.h"
#include <mpi.h>
#include <stdint.h>

struct cg_pulse;

struct cg_comm {
    MPI_Comm mpi;
    int rank, size;
    struct cg_pulse *pulse; /* of the stage at hand: what is collective here then waits under its watch, and
                               cg_agree fails when a signal asks to stop. NULL: neither. See pulse.h */
};

/* MPI_Init with MPI_THREAD_FUNNELED. Call once, first. */
int cg_comm_init(struct cg_comm *comm, int *argc, char ***argv, struct cg_err *err);
void cg_comm_finalize(struct cg_comm *comm);

/* Local. One line on stderr with the rank, then MPI_Abort: for a failed MPI call or a peer that stopped. */
void cg_comm_abort(const struct cg_comm *comm, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/* The one agreement primitive: no rank leaves between two collectives except through it.
 * `result` is what this rank's own work returned (0 or -1, err filled). Returns 0 on every rank when all
 * succeeded; otherwise -1 on every rank, with the code and text of the lowest failing rank in every err. */
int cg_agree(const struct cg_comm *comm, int result, struct cg_err *err);

/* Broadcasts buf from rank 0; other ranks' buffers are replaced. Agreed. */
int cg_broadcast(const struct cg_comm *comm, struct cg_buf *buf, struct cg_err *err);

/* In place, over all ranks. Exact when all ranks but one hold +0.0 (or 0) in a cell. */
void cg_sum_doubles(const struct cg_comm *comm, double *values, int64_t n);
void cg_or_bytes(const struct cg_comm *comm, uint8_t *bytes, int64_t n);
int64_t cg_sum_int(const struct cg_comm *comm, int64_t value);
int64_t cg_max_int(const struct cg_comm *comm, int64_t value);
double cg_sum_double(const struct cg_comm *comm, double value);
double cg_max_double(const struct cg_comm *comm, double value);

/* The number of different hosts in the job. */
int cg_count_hosts(const struct cg_comm *comm);

#endif
