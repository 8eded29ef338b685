/* Reading ahead for members that are gathered. A transposed matrix is stored column by column, so that a
 * piece of some rows is a short segment of each stored line. Several chunks are gathered at a time: the
 * segments are that much longer, and no byte is read twice. Local.
 */
#ifndef COGNATE_SWEEP_AHEAD_H
#define COGNATE_SWEEP_AHEAD_H

#include "gather.h"
#include "stream.h"

/* What is held of one member: while the caller works on pieces of one window, the other is filled. Where a
 * window is too short for long segments, the first takes the memory of both, and is filled when the caller
 * has done with all of it. */
struct cg_window {
    const struct cg_task *task;
    int64_t first, n;   /* canonical elements */
    int64_t last_piece; /* the last that lies in it, or -1 */
    uint8_t *memory;
};
struct cg_windows {
    struct cg_window of[2];
    int turn; /* the one filled last */
};

struct cg_ahead {
    const struct cg_plan *plan;
    int64_t bytes; /* of a window's memory; 0: no member of the tasks is gathered, or there is no room */
    struct cg_windows *windows; /* by a member's number among the gathered ones of its task */
    uint8_t *memory;
};

/* The part of the buffer that goes to windows: none where no member of the plan is gathered. */
int64_t cg_ahead_share(const struct cg_plan *plan, int64_t buffer);

/* Shares `bytes` out to the windows of as many members as a task between `task` and `end` has gathered ones.
 */
int cg_ahead_init(struct cg_ahead *ahead, const struct cg_plan *plan, const struct cg_task *task,
                  const struct cg_task *end, int64_t bytes, struct cg_err *err);
void cg_ahead_release(struct cg_ahead *ahead);

/* The piece that the caller must have done with before this one, of the member that is number m of its task,
 * can be read: it lies where the next window goes. -1: none. */
int64_t cg_ahead_in_use(struct cg_ahead *ahead, const struct cg_bundle_member *member,
                        const struct cg_piece *piece, int32_t m);

/* As cg_gather, for that member and piece n: its elements, in canonical order, to *data. That is `out`, or
 * lies in a window, where they stay until a piece is read that cg_ahead_in_use says n of. */
int cg_ahead_read(struct cg_ahead *ahead, struct cg_gather *from, const struct cg_bundle_member *member,
                  const struct cg_piece *piece, int32_t m, int64_t n, uint8_t *out, const uint8_t **data,
                  struct cg_err *err);

#endif
