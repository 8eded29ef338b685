/* How a rank's tasks fall into pieces. Pure arithmetic. */
#ifndef COGNATE_SWEEP_PIECES_H
#define COGNATE_SWEEP_PIECES_H

#include "stream.h"

/* Whether a member's codes can be told apart only by bands of rows, of which a chunk has a whole number. */
bool cg_takes_whole_chunks(const struct cg_bundle_member *member);

/* The largest number of elements in a piece of this task, so that the bytes of all its members fit into
 * `half`; a whole chunk where a member takes those. */
int64_t cg_piece_elements(const struct cg_plan *plan, const struct cg_task *task, int64_t half);

/* The members that a task reads: the first, and how many. */
int32_t cg_task_first_member(const struct cg_task *task);
int32_t cg_task_members(const struct cg_plan *plan, const struct cg_task *task);

/* The elements of the bundle that a task reads of each member: from *first on, so many. */
int64_t cg_task_elements(const struct cg_plan *plan, const struct cg_task *task, int64_t *first);

/* Walks a rank's pieces: set task, end and half, all else zero. */
struct cg_piece_cursor {
    const struct cg_plan *plan;
    const struct cg_task *task, *end;
    const bool *done; /* [end - task] tasks to pass over; NULL: none */
    int64_t half;     /* bytes of one half of the buffer */
    int64_t chunk_done, at;
};

/* Fills all of *piece but data and bytes; false after the last. */
bool cg_piece_next(struct cg_piece_cursor *cursor, struct cg_piece *piece);

/* The task whose pieces follow those of `task`, which the cursor has come to; NULL after the last. */
const struct cg_task *cg_task_after(const struct cg_piece_cursor *cursor, const struct cg_task *task);

#endif
