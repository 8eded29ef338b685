#include "pieces.h"

/* What one read call brings in: large enough for a parallel file system, small enough for the cache's
 * outskirts. */
enum { MOST_BYTES = 16 << 20 };

int32_t cg_task_first_member(const struct cg_task *task)
{
    return task->work == CG_WORK_STREAM && task->member >= 0 ? task->member : 0;
}

int32_t cg_task_members(const struct cg_plan *plan, const struct cg_task *task)
{
    return task->work == CG_WORK_STREAM && task->member >= 0 ? 1 : plan->bundles[task->bundle].members;
}

int64_t cg_task_elements(const struct cg_plan *plan, const struct cg_task *task, int64_t *first)
{
    const struct cg_bundle *bundle = &plan->bundles[task->bundle];
    int64_t chunk = cg_chunk_elements(bundle->rows, bundle->columns), total = bundle->rows * bundle->columns;
    int64_t end = task->end_chunk * chunk < total ? task->end_chunk * chunk : total;
    *first = task->work == CG_WORK_SUMS ? task->first_chunk * chunk : 0;
    return (task->work == CG_WORK_SUMS ? end : total) - *first;
}

bool cg_takes_whole_chunks(const struct cg_bundle_member *member)
{
    return member->quantised && member->quantised->codes == CG_CODES_AWQ;
}

int64_t cg_piece_elements(const struct cg_plan *plan, const struct cg_task *task, int64_t half)
{
    const struct cg_bundle *bundle = &plan->bundles[task->bundle];
    const struct cg_bundle_member *member = &plan->members[bundle->first_member + cg_task_first_member(task)];
    int64_t bytes = 0, widest = 0, chunk = cg_chunk_elements(bundle->rows, bundle->columns);
    for (int32_t m = 0; m < cg_task_members(plan, task); m++) {
        if (cg_takes_whole_chunks(&member[m]))
            return chunk;
        int64_t own = cg_grain_bytes(member[m].grain, CG_STEP);
        bytes += own;
        widest = own > widest ? own : widest;
    }
    int64_t steps = half / bytes, most = MOST_BYTES / widest;
    steps = steps < most ? steps : most;
    int64_t elements = (steps > 1 ? steps : 1) * CG_STEP;
    return elements < chunk ? elements : chunk;
}

bool cg_piece_next(struct cg_piece_cursor *cursor, struct cg_piece *piece)
{
    while (cursor->done && cursor->task < cursor->end && *cursor->done) {
        cursor->task++;
        cursor->done++;
    }
    if (cursor->task == cursor->end)
        return false;
    const struct cg_task *task = cursor->task;
    const struct cg_bundle *bundle = &cursor->plan->bundles[task->bundle];
    int64_t total = bundle->rows * bundle->columns,
            chunk_size = cg_chunk_elements(bundle->rows, bundle->columns);
    *piece = (struct cg_piece){.task = task,
                               .chunk = task->first_chunk + cursor->chunk_done,
                               .at = cursor->at,
                               .members = cg_task_members(cursor->plan, task)};
    piece->begins_task = cursor->chunk_done == 0 && cursor->at == 0;
    int64_t start = piece->chunk * chunk_size;
    int64_t in_chunk = total - start < chunk_size ? total - start : chunk_size;
    int64_t left = in_chunk - cursor->at, most = cg_piece_elements(cursor->plan, task, cursor->half);
    piece->first = start + cursor->at;
    piece->elements = left < most ? left : most;
    cursor->at += piece->elements;
    piece->ends_chunk = cursor->at == in_chunk;
    if (piece->ends_chunk) {
        cursor->at = 0;
        cursor->chunk_done++;
    }
    piece->ends_task = piece->ends_chunk && task->first_chunk + cursor->chunk_done >= task->end_chunk;
    if (piece->ends_task) {
        cursor->chunk_done = 0;
        cursor->task++;
        if (cursor->done)
            cursor->done++;
    }
    return true;
}

const struct cg_task *cg_task_after(const struct cg_piece_cursor *cursor, const struct cg_task *task)
{
    for (task++; task < cursor->end; task++)
        if (!cursor->done || !cursor->done[task - cursor->task])
            return task;
    return NULL;
}
