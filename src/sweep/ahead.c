#include "ahead.h"
#include "cognate/mem.h"
#include "pieces.h"
#include <stdlib.h>
#include <string.h>

/* Enough for segments of 2 KiB and more of two members, in about the memory that other tensors take. Longer
 * ones than LONG_SEGMENT gain little, and pages that are not touched cost nothing. */
enum { MOST_BYTES = 16 << 20, LONG_SEGMENT = 8000 };

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
    ahead->bytes = bytes / gathered / 2 / 128 * 128;
    ahead->windows = cg_new((size_t)gathered, sizeof *ahead->windows, err);
    ahead->memory = ahead->windows ? cg_new_aligned((size_t)bytes, 1, err) : NULL;
    for (int32_t k = 0; ahead->memory && k < 2 * gathered; k++)
        ahead->windows[k / 2].of[k % 2] =
            (struct cg_window){.last_piece = -1, .memory = ahead->memory + k * ahead->bytes};
    return ahead->memory ? 0 : -1;
}

void cg_ahead_release(struct cg_ahead *ahead)
{
    free(ahead->windows);
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
                       const struct cg_bundle_member *member, const struct cg_plan *plan, int64_t first,
                       int64_t n, struct cg_err *err)
{
    int64_t begin, left = cg_task_elements(plan, window->task, &begin) - (first - begin);
    window->first = first;
    window->n = n < left ? n : left;
    return cg_gather(from, cg_stored_elements(member->dtype, member->grain, first),
                     cg_stored_elements(member->dtype, member->grain, window->n), window->memory, err);
}

/* How a gathered member's elements are held: so many at a time, in one window or the memory of both. */
struct holding {
    int64_t elements; /* of whole chunks; 0: windows gain nothing */
    bool both;
};

static struct holding holding_of(const struct cg_ahead *ahead, const struct cg_bundle_member *member,
                                 const struct cg_piece *piece)
{
    const struct cg_bundle *bundle = &ahead->plan->bundles[piece->task->bundle];
    int64_t chunk = cg_chunk_elements(bundle->rows, bundle->columns);
    if (!cg_is_gathered(member->view) || piece->elements == 0)
        return (struct holding){0};
    int64_t room = ahead->bytes / cg_grain_bytes(member->grain, chunk);
    int64_t all = (bundle->rows * bundle->columns + chunk - 1) / chunk;
    int64_t chunks = chunks_of_long_segments(member, chunk);
    chunks = chunks < all ? chunks : all;
    bool both = chunks > room;
    if (chunks > 2 * room)
        chunks = 2 * room;
    return chunks * chunk > piece->elements ? (struct holding){chunks * chunk, both} : (struct holding){0};
}

/* The windows of the member that is number m of the piece's task. */
static struct cg_windows *windows_of(struct cg_ahead *ahead, const struct cg_piece *piece, int32_t m)
{
    return &ahead->windows[gathered_in(ahead->plan, piece->task, m)];
}

static bool is_in(const struct cg_window *window, const struct cg_piece *piece)
{
    return window->task == piece->task && piece->first < window->first + window->n;
}

int64_t cg_ahead_in_use(struct cg_ahead *ahead, const struct cg_bundle_member *member,
                        const struct cg_piece *piece, int32_t m)
{
    struct holding holding = holding_of(ahead, member, piece);
    if (holding.elements == 0)
        return -1;
    const struct cg_windows *windows = windows_of(ahead, piece, m);
    const struct cg_window *last = &windows->of[windows->turn], *next = &windows->of[1 - windows->turn];
    if (is_in(last, piece))
        return -1;
    return holding.both && last->last_piece > next->last_piece ? last->last_piece : next->last_piece;
}

int cg_ahead_read(struct cg_ahead *ahead, struct cg_gather *from, const struct cg_bundle_member *member,
                  const struct cg_piece *piece, int32_t m, int64_t n, uint8_t *out, const uint8_t **data,
                  struct cg_err *err)
{
    struct holding holding = holding_of(ahead, member, piece);
    *data = out;
    if (holding.elements == 0)
        return cg_gather(from, cg_stored_elements(member->dtype, member->grain, piece->first),
                         cg_stored_elements(member->dtype, member->grain, piece->elements), out, err);
    struct cg_windows *windows = windows_of(ahead, piece, m);
    if (!is_in(&windows->of[windows->turn], piece)) {
        windows->turn = holding.both ? 0 : 1 - windows->turn;
        struct cg_window *window = &windows->of[windows->turn];
        window->task = piece->task;
        if (fill_window(window, from, member, ahead->plan, piece->first, holding.elements, err) < 0)
            return -1;
    }
    struct cg_window *window = &windows->of[windows->turn];
    window->last_piece = n;
    if (holding.both)
        windows->of[1].last_piece = n;
    *data = window->memory + cg_grain_bytes(member->grain, piece->first - window->first);
    return 0;
}
