/* What one finished task has put into a worker, packed for the journal, and back. Local. */
#ifndef COGNATE_SWEEP_RECORD_H
#define COGNATE_SWEEP_RECORD_H

#include "worker.h"

/* Where the worker's lists stood when a task began. */
struct cg_task_marks {
    size_t losses;
    int64_t features, sketches;
};
struct cg_task_marks cg_task_marks_of(const struct cg_worker *worker);

/* Replaces *out by the record of task number `index` of the rank, which has just ended. */
int cg_record_pack(struct cg_worker *worker, const struct cg_task *task, int64_t index,
                   const struct cg_task_marks *begun, struct cg_buf *out, struct cg_err *err);

/* Does to the worker what the recorded task did; it is tasks[*index]. */
int cg_record_restore(struct cg_worker *worker, const struct cg_task *tasks, struct cg_unpacker *from,
                      int64_t *index, struct cg_err *err);

#endif
