#include "ahead.h"
#include "cognate/mem.h"
#include "pieces.h"
#include <stdlib.h>
#include <string.h>

/* Enough for segments of some KiB of two members. Longer ones than LONG_SEGMENT gain little, and pages that
 * are not touched cost nothing. */
enum { MOST_BYTES = 64 << 20, LONG_SEGMENT = 32000 };

static bool any_gathered(const struct cg_plan *plan)
{
    for (int64_t i = 0; i < plan->nmembers; i++)
        if (cg_is_gathered(plan->members[i].view))
            return true;
    return false;
}

int64_t cg_ahead_share(const struct cg_plan *plan, int64_t buffer)
{
    if (!any_gathered(plan))
        return 0;
    int64_t room = (buffer - cg_sweep_least_buffer(plan)) / 2;
    return room < 0 ? 0 : room < MOST_BYTES ? room : MOST_BYTES;
}

/* How many of a task's first members are gathered. */
static int32_t gathered_in(const struct cg_plan *plan, const struct cg_task *task, int32_t members)
{
    const struct cg_bundle_member *member =
        &plan->members[plan->bundles[task->bundle].first_member + cg_task_first_member(task)];
    int32_t n = 0;
    for (int32_t m = 0; m < members; m++)
        n += cg_is_gathered(member[m].view);
    return n;
}

int cg_ahead_init(struct cg_ahead *ahead, const struct cg_plan *plan, const struct cg_task *task,
                  const struct cg_task *end, int64_t bytes, struct cg_err *err)
{
    *ahead = (struct cg_ahead){.plan = plan};
    int32_t gathered = 0;
    for (; bytes > 0 && task < end; task++) {
        int32_t own = gathered_in(plan, task, cg_task_members(plan, task));
        gathered = own > gathered ? own : gathered;
    }
    if (gathered == 0)
        return 0;
    ahead->bytes = bytes / gathered / 128 * 128;
    ahead->window = cg_new((size_t)gathered, sizeof *ahead->window, err);
    ahead->memory = ahead->window ? cg_new_aligned((size_t)bytes, 1, err) : NULL;
    for (int32_t k = 0; ahead->memory && k < gathered; k++)
        ahead->window[k].memory = ahead->memory + k * ahead->bytes;
    return ahead->memory ? 0 : -1;
}

void cg_ahead_release(struct cg_ahead *ahead)
{
    free(ahead->window);
    free(ahead->memory);
    *ahead = (struct cg_ahead){0};
}

/* After how many chunks of a gathered member segments are long enough. */
static int64_t chunks_of_long_segments(const struct cg_bundle_member *member, int64_t chunk)
{
    const struct cg_view *view = member->view;
    int last = view->axes - 1;
    if (last == 0 || view->extent[last] == 0)
        return INT64_MAX;
    int64_t rows = cg_stored_elements(member->dtype, member->grain, chunk) / view->extent[last];
    int64_t bytes = cg_dtype_bytes(member->dtype, rows * view->stride[last - 1]);
    return bytes > 0 ? (LONG_SEGMENT + bytes - 1) / bytes : INT64_MAX;
}

/* Gathers the chunks from element `first` on that fit the window; whole chunks, since rows are whole in them.
 */
static int fill_window(struct cg_window *window, struct cg_gather *from,
                       const struct cg_bundle_member *member, const struct cg_bundle *bundle, int64_t first,
                       int64_t chunks, struct cg_err *err)
{
    int64_t chunk = cg_chunk_elements(bundle->rows, bundle->columns);
    int64_t end = window->task->end_chunk * chunk, total = bundle->rows * bundle->columns;
    if (window->task->work != CG_WORK_SUMS || end > total)
        end = total;
    window->first = first;
    window->n = end - first < chunks * chunk ? end - first : chunks * chunk;
    return cg_gather(from, cg_stored_elements(member->dtype, member->grain, first),
                     cg_stored_elements(member->dtype, member->grain, window->n), window->memory, err);
}

int cg_ahead_read(struct cg_ahead *ahead, struct cg_gather *from, const struct cg_bundle_member *member,
                  const struct cg_piece *piece, int32_t m, uint8_t *out, const uint8_t **data,
                  struct cg_err *err)
{
    const struct cg_bundle *bundle = &ahead->plan->bundles[piece->task->bundle];
    int64_t chunk = cg_chunk_elements(bundle->rows, bundle->columns), chunks = 0;
    if (cg_is_gathered(member->view) && piece->elements > 0) {
        int64_t room = ahead->bytes / cg_grain_bytes(member->grain, chunk);
        chunks = chunks_of_long_segments(member, chunk);
        chunks = chunks < room ? chunks : room;
    }
    *data = out;
    if (chunks * chunk <= piece->elements)
        return cg_gather(from, cg_stored_elements(member->dtype, member->grain, piece->first),
                         cg_stored_elements(member->dtype, member->grain, piece->elements), out, err);
    struct cg_window *window = &ahead->window[gathered_in(ahead->plan, piece->task, m)];
    if (window->task != piece->task || piece->first >= window->first + window->n) {
        window->task = piece->task;
        if (fill_window(window, from, member, bundle, piece->first, chunks, err) < 0)
            return -1;
    }
    *data = window->memory + cg_grain_bytes(member->grain, piece->first - window->first);
    if (piece->first + piece->elements == window->first + window->n) { /* the next read fills it anew */
        memcpy(out, *data, (size_t)cg_grain_bytes(member->grain, piece->elements));
        *data = out;
    }
    return 0;
}
