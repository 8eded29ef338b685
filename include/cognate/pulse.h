/* The pulse of a long stage in which the ranks work apart: progress to rank 0, a watch over ranks that stop,
 * and an early end for all when one fails. Ranks beat at rank 0; rank 0 beats at rank 1, so that nobody is
 * unwatched.
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

/* Collective: every rank comes here once, failed or not, and waits without burning its core until all have.
 */
void cg_pulse_end(struct cg_pulse *pulse, bool failed);

/* NULL is fine. */
void cg_pulse_destroy(struct cg_pulse *pulse);

#endif
