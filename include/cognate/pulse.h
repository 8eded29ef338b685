/* The pulse of a stage: progress to rank 0, a watch over ranks that stop, and an early end for all when one
 * fails. Ranks beat at rank 0; rank 0 beats at rank 1, so that nobody is unwatched. A stage either beats
 * itself (cg_pulse_beat, between pieces of its work) or is run (cg_pulse_run): its work then has a thread of
 * its own, and reads, computes and meets the other ranks without a thought of the pulse.
 */
#ifndef COGNATE_PULSE_H
#define COGNATE_PULSE_H

#include "cognate/comm.h"
#include <stdbool.h>
#include <stdint.h>

struct cg_pulse;

/* Collective. `total` is the work of all ranks, in bytes, for the progress shown by rank 0 under the name
 * `stage`. A rank without a beat for longer than `timeout` seconds (and a margin) aborts the job with its
 * number and its last position. */
struct cg_pulse *cg_pulse_create(const struct cg_comm *comm, const char *stage, int64_t total, double timeout,
                                 struct cg_err *err);

/* Local, cheap: sends at most every half second. `position` says where this rank is, as text. Returns false
 * when another rank has failed and this one should leave off. */
bool cg_pulse_beat(struct cg_pulse *pulse, int64_t done, const char *position);

/* Whether a beat would send now: to spare the making of `position`. */
bool cg_pulse_due(const struct cg_pulse *pulse);

/* The ranks under this pulse: for collective work in which nobody beats but while it waits in a function of
 * comm.h. What waits elsewhere, such as in ScaLAPACK, is not watched. Valid as long as the pulse. */
const struct cg_comm *cg_pulse_comm(const struct cg_pulse *pulse);

/* A stage that is run: what it returns, and err, are the caller's. It makes no MPI call but through comm.h,
 * on the ranks that it is given. */
typedef int cg_stage(const struct cg_comm *comm, void *context, struct cg_err *err);

/* Collective. Runs the stage in a thread of its own, while this one beats, watches, and carries out what
 * comm.h asks for. A read (see below) that takes longer than the timeout aborts the job with rank, file and
 * offset. */
int cg_pulse_run(struct cg_pulse *pulse, cg_stage *stage, void *context, struct cg_err *err);

/* Local, in a stage that is run: what is about to be read, and that it has been. The path must live as long
 * as the pulse. Fails with CG_EINTERRUPTED when a signal asks to stop. */
int cg_pulse_begin_read(struct cg_pulse *pulse, const char *path, int64_t offset, struct cg_err *err);
void cg_pulse_end_read(struct cg_pulse *pulse);

/* Collective, for comm.c alone: waits under the watch until all ranks are here, then makes the call. */
void cg_pulse_meet(struct cg_pulse *pulse, void (*call)(void *), void *context);

/* Collective: every rank comes here once, failed or not, and waits without burning its core until all have.
 */
void cg_pulse_end(struct cg_pulse *pulse, bool failed);

/* NULL is fine. */
void cg_pulse_destroy(struct cg_pulse *pulse);

#endif
