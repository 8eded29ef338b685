#include "record.h"
#include "cognate/mem.h"
#include "pieces.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A record is walked the same way in both directions: each step copies some memory of the worker to the
 * record or back. */
struct walk {
    struct cg_worker *worker;
    const struct cg_task *task;
    const struct cg_bundle *bundle;
    const struct cg_bundle_member *member; /* the first that the task reads */
    int32_t members;
    struct cg_buf *out; /* packing; else NULL */
    struct cg_unpacker *from;
    struct cg_err *err;
};

static int step(const struct walk *walk, void *memory, size_t bytes)
{
    if (walk->out)
        return cg_buf_append(walk->out, memory, bytes, walk->err);
    assert((size_t)(walk->from->end - walk->from->at) >= bytes);
    memcpy(memory, walk->from->at, bytes);
    walk->from->at += bytes;
    return 0;
}

static struct walk walk_of(struct cg_worker *worker, const struct cg_task *task, struct cg_err *err)
{
    const struct cg_bundle *bundle = &worker->plan->bundles[task->bundle];
    return (struct walk){.worker = worker,
                         .task = task,
                         .bundle = bundle,
                         .member = &worker->plan->members[bundle->first_member + cg_task_first_member(task)],
                         .members = cg_task_members(worker->plan, task),
                         .err = err};
}

static int walk_cells(const struct walk *walk)
{
    size_t bytes = (size_t)cg_cell_size(walk->bundle->members) * sizeof(double);
    struct cg_table *table = &walk->worker->table;
    if (!walk->bundle->real || walk->task->work == CG_WORK_STREAM)
        return 0;
    if (walk->task->work == CG_WORK_WHOLE)
        return step(walk, cg_table_cell(table, walk->task->bundle, 0), bytes);
    for (int64_t chunk = walk->task->first_chunk; chunk < walk->task->end_chunk; chunk++)
        if (step(walk, cg_table_cell(table, walk->task->bundle, chunk), bytes) < 0)
            return -1;
    return 0;
}

static int walk_digests(const struct walk *walk)
{
    struct cg_table *table = &walk->worker->table;
    int64_t first = walk->member - walk->worker->plan->members, pair = table->first_pair[walk->task->bundle];
    if (step(walk, table->digest + first, (size_t)walk->members * CG_SHA256) < 0)
        return -1;
    size_t nulls = (size_t)cg_pairs(walk->bundle->members) * CG_NULL_FIELDS;
    return walk->bundle->apart ? 0 : step(walk, table->nulls + pair * CG_NULL_FIELDS, nulls * sizeof(double));
}

/* The embeddings that the worker keeps as it hashes them. */
static int walk_kept(const struct walk *walk)
{
    for (int32_t m = 0; m < walk->members; m++)
        if (cg_is_kept(walk->worker, walk->task->bundle, &walk->member[m]) &&
            step(walk, walk->worker->kept[walk->member[m].model],
                 (size_t)cg_grain_bytes(walk->member[m].grain, walk->bundle->rows * walk->bundle->columns)) <
                0)
            return -1;
    return 0;
}

/* Rows of features come in the order of the tasks. */
static int walk_features(const struct walk *walk, int64_t first)
{
    struct cg_features *features = &walk->worker->features;
    int64_t n = features->local - first;
    if (step(walk, &n, sizeof n) < 0)
        return -1;
    features->local = first + n;
    if (step(walk, features->sample + first, (size_t)n * sizeof *features->sample) < 0)
        return -1;
    return step(walk, features->value + first * features->features,
                (size_t)(n * features->features) * sizeof *features->value);
}

/* So do sketches, whose lengths follow from whose they are. */
static int walk_sketches(const struct walk *walk, int64_t first)
{
    struct cg_sketches *sketches = &walk->worker->sketches;
    int64_t n = sketches->local - first, floats = 0;
    if (step(walk, &n, sizeof n) < 0)
        return -1;
    for (int64_t i = 0; i < n; i++) {
        int64_t member = walk->out ? sketches->member[first + i] : 0;
        if (step(walk, &member, sizeof member) < 0 ||
            (!walk->out && !cg_sketches_append(sketches, walk->worker->anatomy, member, walk->err)))
            return -1;
        floats += cg_sketch_floats(walk->worker->anatomy, member);
    }
    return n == 0 ? 0
                  : step(walk, sketches->value + sketches->floats - floats, (size_t)floats * sizeof(float));
}

static int walk_longest(const struct walk *walk)
{
    struct cg_longest *longest = &walk->worker->longest;
    for (int32_t m = 0; m < walk->members; m++) {
        int64_t n;
        const int32_t *rows = cg_longest_rows(longest, walk->bundle->slot, walk->member[m].model, &n);
        if (n > 0 && step(walk, longest->row + (rows - longest->row), (size_t)n * sizeof *rows) < 0)
            return -1;
    }
    return 0;
}

static int walk_losses(const struct walk *walk, size_t first)
{
    struct cg_losses *losses = &walk->worker->table.losses;
    size_t n = losses->n - first;
    if (step(walk, &n, sizeof n) < 0 ||
        cg_grow((void **)&losses->list, &losses->capacity, first + n, sizeof *losses->list, walk->err) < 0)
        return -1;
    losses->n = first + n;
    return n == 0 ? 0 : step(walk, losses->list + first, n * sizeof *losses->list);
}

/* The panel of a stream apart, which waits for its partners'. */
static int walk_panel(const struct walk *walk)
{
    struct cg_worker *worker = walk->worker;
    struct cg_panel_shape shape = cg_bundle_panel_shape(worker->anatomy, walk->bundle);
    size_t size = (size_t)(shape.lines * shape.residual);
    if (!walk->bundle->apart)
        return 0;
    if (!walk->out) {
        float *panel = cg_new(size, sizeof *panel, walk->err);
        if (!panel || cg_hold_panel(worker, walk->task, panel, walk->err) < 0) {
            free(panel);
            return -1;
        }
    }
    return size == 0 ? 0 : step(walk, worker->held[worker->nheld - 1].panel, size * sizeof(float));
}

static int walk_task(const struct walk *walk, const struct cg_task_marks *begun)
{
    if (walk_cells(walk) < 0 || walk_losses(walk, begun->losses) < 0)
        return -1;
    if (walk->task->work == CG_WORK_SUMS)
        return 0;
    if (walk_digests(walk) < 0 || walk_kept(walk) < 0 || walk_features(walk, begun->features) < 0 ||
        walk_sketches(walk, begun->sketches) < 0 || walk_longest(walk) < 0)
        return -1;
    return walk_panel(walk);
}

struct cg_task_marks cg_task_marks_of(const struct cg_worker *worker)
{
    return (struct cg_task_marks){worker->table.losses.n, worker->features.local, worker->sketches.local};
}

int cg_record_pack(struct cg_worker *worker, const struct cg_task *task, int64_t index,
                   const struct cg_task_marks *begun, struct cg_buf *out, struct cg_err *err)
{
    struct walk walk = walk_of(worker, task, err);
    walk.out = out;
    out->size = 0;
    return step(&walk, &index, sizeof index) < 0 ? -1 : walk_task(&walk, begun);
}

int cg_record_restore(struct cg_worker *worker, const struct cg_task *tasks, struct cg_unpacker *from,
                      int64_t *index, struct cg_err *err)
{
    struct cg_task_marks begun = cg_task_marks_of(worker);
    struct walk walk = {.from = from, .err = err};
    if (step(&walk, index, sizeof *index) < 0)
        return -1;
    walk = walk_of(worker, &tasks[*index], err);
    walk.from = from;
    return walk_task(&walk, &begun);
}
