/* Reading ahead for members that are gathered. A transposed matrix is stored column by column, so that a
 * piece of some rows is a short segment of each stored line. Several chunks are gathered at a time: the
 * segments are that much longer, and no byte is read twice. Local.
 */
#ifndef COGNATE_SWEEP_AHEAD_H
#define COGNATE_SWEEP_AHEAD_H

#include "gather.h"
#include "stream.h"

/* What is held of one member. The last piece of it is copied, so that it can be filled anew while that one is
 * still in use. */
struct cg_window {
    const struct cg_task *task;
    int64_t first, n; /* canonical elements */
    uint8_t *memory;
};

struct cg_ahead {
    const struct cg_plan *plan;
    int64_t bytes; /* of a window's memory; 0: no member of the tasks is gathered, or there is no room */
    struct cg_window *window; /* by a member's number among the gathered ones of its task */
    uint8_t *memory;
};

/* The part of the buffer that goes to windows: none where no member of the plan is gathered. */
int64_t cg_ahead_share(const struct cg_plan *plan, int64_t buffer);

/* Shares `bytes` out to as many windows as a task between `task` and `end` has gathered members. */
int cg_ahead_init(struct cg_ahead *ahead, const struct cg_plan *plan, const struct cg_task *task,
                  const struct cg_task *end, int64_t bytes, struct cg_err *err);
void cg_ahead_release(struct cg_ahead *ahead);

/* As cg_gather, for the member that is number m of the piece's task: its elements, in canonical order, to
 * *data. That is `out`, or lies in a window, where they stay until the second piece after this one is read.
 */
int cg_ahead_read(struct cg_ahead *ahead, struct cg_gather *from, const struct cg_bundle_member *member,
                  const struct cg_piece *piece, int32_t m, uint8_t *out, const uint8_t **data,
                  struct cg_err *err);

#endif
