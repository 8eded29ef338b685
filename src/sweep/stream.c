#include "stream.h"
#include "ahead.h"
#include "cognate/log.h"
#include "cognate/mem.h"
#include "cognate/text.h"
#include "files.h"
#include "gather.h"
#include "pieces.h"
#include "sides.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Pieces wait for the caller in a ring of places: as many as AHEAD_BYTES hold, so that the cache does too, or
 * two that take all of the buffer. */
enum { LEAST_PLACES = 2, MOST_PLACES = 16, AHEAD_BYTES = 4 << 20, SIDE_TURNS = 2 };

/* A task's transposed members are announced whole, since each window takes something of all their pages: up
 * to so many bytes when the task's turn has come, and during the task before it. */
static const int64_t MOST_ANNOUNCED = INT64_C(1) << 30, MOST_ANNOUNCED_BEFORE = 256 << 20;
static const int64_t NEVER = INT64_MAX;

/* A place of the ring: a piece, and the memory its data lie in. */
struct place {
    struct cg_piece piece;
    uint8_t *memory;
    const uint8_t **data;
    size_t *bytes;
};

/* The sides of a task's members, until a later task's take their memory. */
struct sides {
    uint8_t *memory;
    const uint8_t **of; /* [members] */
    int64_t last_piece; /* the last that they serve, or -1 */
};

struct cg_stream {
    const struct cg_checkpoint *const *models;
    const struct cg_plan *plan;
    struct cg_piece_cursor cursor;
    struct cg_files *files;
    uint8_t *scratch; /* for members that are gathered */
    struct cg_ahead ahead;
    const struct cg_task *announced; /* the last task that was, or NULL */
    struct place place[MOST_PLACES];
    int64_t places;
    struct sides sides[SIDE_TURNS], none;
    int sides_turn;
    int64_t taken; /* pieces that the caller has had; it works on the last of them */

    pthread_t thread;
    bool started;
    pthread_mutex_t lock;       /* guards all below */
    pthread_cond_t read, freed; /* a piece was; as many pieces as `wanted` were */
    int64_t filled;             /* pieces read */
    int64_t released;           /* pieces that the caller has done with */
    int64_t wanted;             /* what the thread waits for `released` to reach, or NEVER */
    bool stop, ended, failed;
    struct cg_err err;
    const struct cg_file *reading; /* what the thread reads now */
    int64_t reading_offset;
    int64_t bytes;
    double seconds;
};

/* Members, and their sides, begin on cache lines. */
static int64_t on_lines(int64_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* The widest piece of the rank's tasks, in bytes and in members, and its widest sides. */
static int64_t widest_piece(const struct cg_stream *stream, int32_t *members, int64_t *widest_sides)
{
    int64_t widest = 1;
    *members = 1;
    *widest_sides = 1;
    for (const struct cg_task *task = stream->cursor.task; task < stream->cursor.end; task++) {
        const struct cg_bundle *bundle = &stream->plan->bundles[task->bundle];
        const struct cg_bundle_member *member =
            &stream->plan->members[bundle->first_member + cg_task_first_member(task)];
        int64_t elements = cg_piece_elements(stream->plan, task, stream->cursor.half), bytes = 0, sides = 0;
        int32_t n = cg_task_members(stream->plan, task);
        for (int32_t m = 0; m < n; m++) {
            bytes += on_lines(cg_grain_bytes(member[m].grain, elements));
            sides += on_lines(cg_side_bytes(&member[m]));
        }
        widest = bytes > widest ? bytes : widest;
        *widest_sides = sides > *widest_sides ? sides : *widest_sides;
        *members = n > *members ? n : *members;
    }
    return widest;
}

static int allocate_sides(struct sides *sides, int64_t bytes, int32_t members, struct cg_err *err)
{
    sides->last_piece = -1;
    sides->memory = cg_new_aligned((size_t)bytes, 1, err);
    sides->of = sides->memory ? cg_new((size_t)members, sizeof *sides->of, err) : NULL;
    return sides->of ? 0 : -1;
}

static int allocate_places(struct cg_stream *stream, struct cg_err *err)
{
    int32_t members;
    int64_t side_bytes, bytes = widest_piece(stream, &members, &side_bytes);
    int64_t share = LEAST_PLACES * stream->cursor.half, room = share < AHEAD_BYTES ? share : AHEAD_BYTES;
    stream->places = room / bytes < MOST_PLACES ? room / bytes : MOST_PLACES;
    if (stream->places < LEAST_PLACES)
        stream->places = LEAST_PLACES;
    for (int i = 0; i < stream->places; i++) {
        struct place *place = &stream->place[i];
        if (!(place->memory = cg_new_aligned((size_t)bytes, 1, err)) ||
            !(place->data = cg_new((size_t)members, sizeof *place->data, err)) ||
            !(place->bytes = cg_new((size_t)members, sizeof *place->bytes, err)))
            return -1;
    }
    for (int i = 0; i < SIDE_TURNS; i++)
        if (allocate_sides(&stream->sides[i], side_bytes, members, err) < 0)
            return -1;
    return allocate_sides(&stream->none, 1, members, err);
}

/* The members that a task reads. */
static const struct cg_bundle_member *members_of_task(const struct cg_stream *stream,
                                                      const struct cg_task *task)
{
    return &stream->plan
                ->members[stream->plan->bundles[task->bundle].first_member + cg_task_first_member(task)];
}

static const struct cg_bundle_member *members_of(const struct cg_stream *stream, const struct cg_piece *piece)
{
    return members_of_task(stream, piece->task);
}

/* Says where the thread is about to read. */
static double begin_reading(struct cg_stream *stream, const struct cg_file *file, int64_t offset)
{
    pthread_mutex_lock(&stream->lock);
    stream->reading = file;
    stream->reading_offset = offset;
    pthread_mutex_unlock(&stream->lock);
    return cg_seconds();
}

static int end_reading(struct cg_stream *stream, double start, int64_t bytes, int result,
                       const struct cg_err *err)
{
    pthread_mutex_lock(&stream->lock);
    stream->seconds += cg_seconds() - start;
    stream->bytes += bytes;
    if (result < 0)
        stream->err = *err;
    pthread_mutex_unlock(&stream->lock);
    return result;
}

/* Where a member is read from. */
static struct cg_gather source_of(const struct cg_stream *stream, const struct cg_bundle_member *member)
{
    const struct cg_checkpoint *model = stream->models[member->model];
    const struct cg_tensor *tensor = &model->tensors[member->tensor];
    return (struct cg_gather){.files = stream->files,
                              .file = &model->files[tensor->file],
                              .tensor = tensor,
                              .view = member->view,
                              .scratch = stream->scratch};
}

/* Announces what a task gathers, where that is at most so many bytes. */
static int announce(struct cg_stream *stream, const struct cg_task *task, int64_t most)
{
    const struct cg_bundle_member *member = members_of_task(stream, task);
    int64_t first, n = cg_task_elements(stream->plan, task, &first);
    if (stream->announced == task || cg_task_bytes(stream->plan, task) > most)
        return 0;
    stream->announced = task;
    for (int32_t m = 0; m < cg_task_members(stream->plan, task); m++) {
        if (!cg_is_gathered(member[m].view))
            continue;
        struct cg_gather from = source_of(stream, &member[m]);
        int64_t begin = cg_stored_elements(member[m].dtype, member[m].grain, first);
        struct cg_err err;
        double start = begin_reading(stream, from.file, cg_gather_offset(&from, begin));
        int result =
            cg_gather_announce(&from, begin, cg_stored_elements(member[m].dtype, member[m].grain, n), &err);
        if (end_reading(stream, start, 0, result, &err) < 0)
            return -1;
    }
    return 0;
}

/* What the task that begins gathers, and the next, so that it lies in memory when its turn has come. */
static int announce_ahead(struct cg_stream *stream, const struct cg_task *task)
{
    const struct cg_task *next = cg_task_after(&stream->cursor, task);
    if (announce(stream, task, MOST_ANNOUNCED) < 0)
        return -1;
    return next ? announce(stream, next, MOST_ANNOUNCED_BEFORE) : 0;
}

/* Reads one member's part of piece n, to `out` or to where *data says. */
static int read_member(struct cg_stream *stream, const struct cg_piece *piece, int32_t m, uint8_t *out,
                       int64_t n, const uint8_t **data)
{
    const struct cg_bundle_member *member = &members_of(stream, piece)[m];
    struct cg_gather from = source_of(stream, member);
    int64_t offset = cg_gather_offset(&from, cg_stored_elements(member->dtype, member->grain, piece->first));
    struct cg_err err;
    double start = begin_reading(stream, from.file, offset);
    int result = cg_ahead_read(&stream->ahead, &from, member, piece, m, n, out, data, &err);
    return end_reading(stream, start, from.bytes_read, result, &err);
}

/* Waits until the caller has done with `pieces` pieces; false when it wants no more. */
static bool wait_for_release(struct cg_stream *stream, int64_t pieces)
{
    pthread_mutex_lock(&stream->lock);
    stream->wanted = pieces;
    while (stream->released < pieces && !stream->stop)
        pthread_cond_wait(&stream->freed, &stream->lock);
    stream->wanted = NEVER;
    bool go = !stream->stop;
    pthread_mutex_unlock(&stream->lock);
    return go;
}

/* Waits for a place for piece n: where all are full, until half of them are not, since to wake takes time. */
static bool wait_for_place(struct cg_stream *stream, int64_t n)
{
    int64_t least = n - stream->places + 1;
    pthread_mutex_lock(&stream->lock);
    bool go = !stream->stop, full = stream->released < least;
    pthread_mutex_unlock(&stream->lock);
    return full ? wait_for_release(stream, least + (stream->places - 1) / 2) : go;
}

static bool any_sides(const struct cg_stream *stream, const struct cg_piece *piece)
{
    for (int32_t m = 0; m < piece->members; m++)
        if (members_of(stream, piece)[m].quantised)
            return true;
    return false;
}

/* What a step of the thread came to. */
enum outcome { DONE, FAILED, STOPPED };

/* Reads the sides of all members at a task's beginning. */
static enum outcome read_sides(struct cg_stream *stream, const struct cg_piece *piece)
{
    const struct cg_bundle_member *member = members_of(stream, piece);
    stream->sides_turn = (stream->sides_turn + 1) % SIDE_TURNS;
    struct sides *sides = &stream->sides[stream->sides_turn];
    uint8_t *to = sides->memory;
    if (!wait_for_release(stream, sides->last_piece + 1))
        return STOPPED;
    for (int32_t m = 0; m < piece->members; m++) {
        const struct cg_quantised *how = member[m].quantised;
        sides->of[m] = how ? to : NULL;
        if (!how || how->nsides == 0)
            continue;
        const struct cg_checkpoint *model = stream->models[member[m].model];
        const struct cg_tensor *tensor = &model->tensors[how->side[0].tensor];
        struct cg_err err;
        int64_t bytes = 0;
        double start = begin_reading(stream, &model->files[tensor->file], tensor->offset);
        int result = cg_sides_read(stream->files, model, how, stream->scratch, to, &bytes, &err);
        if (end_reading(stream, start, bytes, result, &err) < 0)
            return FAILED;
        to += on_lines(how->side_bytes);
    }
    return DONE;
}

/* Reads piece n. */
static enum outcome fill(struct cg_stream *stream, struct place *place, int64_t n)
{
    struct cg_piece *piece = &place->piece;
    uint8_t *to = place->memory;
    bool sides = any_sides(stream, piece);
    if (piece->begins_task && announce_ahead(stream, piece->task) < 0)
        return FAILED;
    enum outcome outcome = sides && piece->begins_task ? read_sides(stream, piece) : DONE;
    for (int32_t m = 0; outcome == DONE && m < piece->members; m++) {
        const struct cg_bundle_member *member = &members_of(stream, piece)[m];
        int64_t in_use = cg_ahead_in_use(&stream->ahead, member, piece, m);
        if (in_use >= 0 && !wait_for_release(stream, in_use + 1))
            return STOPPED;
        if (read_member(stream, piece, m, to, n, &place->data[m]) < 0)
            return FAILED;
        place->bytes[m] = (size_t)cg_grain_bytes(member->grain, piece->elements);
        to += on_lines((int64_t)place->bytes[m]);
    }
    struct sides *of = sides ? &stream->sides[stream->sides_turn] : &stream->none;
    of->last_piece = n;
    piece->data = place->data;
    piece->bytes = place->bytes;
    piece->sides = of->of;
    return outcome;
}

static void *read_all(void *argument)
{
    struct cg_stream *stream = argument;
    enum outcome outcome = DONE;
    for (int64_t n = 0;; n++) {
        struct place *place = &stream->place[n % stream->places];
        if (!wait_for_place(stream, n) || !cg_piece_next(&stream->cursor, &place->piece) ||
            (outcome = fill(stream, place, n)) != DONE)
            break;
        pthread_mutex_lock(&stream->lock);
        stream->filled = n + 1;
        pthread_mutex_unlock(&stream->lock);
        pthread_cond_signal(&stream->read);
    }
    pthread_mutex_lock(&stream->lock);
    stream->ended = true;
    stream->failed = outcome == FAILED;
    pthread_cond_signal(&stream->read);
    pthread_mutex_unlock(&stream->lock);
    return NULL;
}

static int start_thread(struct cg_stream *stream, struct cg_err *err)
{
    pthread_condattr_t attributes;
    pthread_mutex_init(&stream->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&stream->read, &attributes);
    pthread_cond_init(&stream->freed, &attributes);
    pthread_condattr_destroy(&attributes);
    int reason = pthread_create(&stream->thread, NULL, read_all, stream);
    stream->started = reason == 0;
    return reason == 0 ? 0 : cg_fail(err, CG_ENOMEM, "no thread for reading: %s", strerror(reason));
}

struct cg_stream *cg_stream_create(const struct cg_checkpoint *const *models, const struct cg_plan *plan,
                                   int rank, const bool *done, int64_t buffer, struct cg_err *err)
{
    struct cg_stream *stream = cg_new(1, sizeof *stream, err);
    if (!stream)
        return NULL;
    int64_t ahead = cg_ahead_share(plan, buffer);
    stream->models = models;
    stream->plan = plan;
    stream->cursor =
        (struct cg_piece_cursor){.plan = plan,
                                 .task = plan->tasks + plan->first_task[rank],
                                 .end = plan->tasks + plan->first_task[rank + 1],
                                 .done = done,
                                 .half = (buffer - cg_gather_scratch(plan) - ahead) / LEAST_PLACES};
    stream->wanted = NEVER;
    stream->files = cg_files_create(rank == 0, err);
    stream->scratch = cg_new_aligned((size_t)cg_gather_scratch(plan), 1, err);
    if (stream->files && stream->scratch &&
        cg_ahead_init(&stream->ahead, plan, stream->cursor.task, stream->cursor.end, ahead, err) == 0 &&
        allocate_places(stream, err) == 0 && start_thread(stream, err) == 0)
        return stream;
    cg_stream_destroy(stream);
    return NULL;
}

/* The moment `seconds` from now. */
static struct timespec moment_in(double seconds)
{
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    double whole = seconds < 1e9 ? seconds : 1e9; /* 30 years are for ever */
    moment.tv_sec += (time_t)whole;
    moment.tv_nsec += (long)(1e9 * (whole - (double)(time_t)whole));
    if (moment.tv_nsec >= 1000000000L) {
        moment.tv_sec++;
        moment.tv_nsec -= 1000000000L;
    }
    return moment;
}

static void position_of(const struct cg_stream *stream, char *out, size_t size)
{
    char path[512];
    if (stream->reading)
        snprintf(out, size, "%s (at byte %" PRId64 ")",
                 cg_printable(path, sizeof path, stream->reading->path), stream->reading_offset);
    else
        snprintf(out, size, "nothing read yet");
}

/* The caller has done with all pieces that it has had. Wakes the thread when that is what it waits for. */
static void release(struct cg_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    stream->released = stream->taken;
    bool enough = stream->released >= stream->wanted;
    pthread_mutex_unlock(&stream->lock);
    if (enough)
        pthread_cond_signal(&stream->freed);
}

int cg_stream_next(struct cg_stream *stream, double timeout, struct cg_piece *out, struct cg_err *err)
{
    struct timespec until = moment_in(timeout);
    release(stream);
    pthread_mutex_lock(&stream->lock);
    int waited = 0;
    while (stream->filled == stream->taken && !stream->ended && waited == 0)
        waited = pthread_cond_timedwait(&stream->read, &stream->lock, &until);
    int result = stream->filled > stream->taken ? 1 : stream->failed ? -1 : stream->ended ? 0 : -2;
    if (result == -1)
        *err = stream->err;
    if (result == -2) {
        char where[700];
        position_of(stream, where, sizeof where);
        cg_fail(err, CG_EIO, "no answer to a read for %.0f s: %s", timeout, where);
    }
    pthread_mutex_unlock(&stream->lock);
    if (result == 1)
        *out = stream->place[stream->taken++ % stream->places].piece;
    return result;
}

void cg_stream_position(struct cg_stream *stream, char *out, size_t size)
{
    pthread_mutex_lock(&stream->lock);
    position_of(stream, out, size);
    pthread_mutex_unlock(&stream->lock);
}

int cg_stream_check(struct cg_stream *stream, struct cg_err *err)
{
    return cg_files_check(stream->files, err);
}

int64_t cg_stream_bytes(const struct cg_stream *stream)
{
    return stream->bytes;
}

double cg_stream_read_seconds(const struct cg_stream *stream)
{
    return stream->seconds;
}

static void release_sides(struct sides *sides)
{
    free(sides->memory);
    free(sides->of);
}

void cg_stream_destroy(struct cg_stream *stream)
{
    if (!stream)
        return;
    if (stream->started) {
        pthread_mutex_lock(&stream->lock);
        stream->stop = true;
        pthread_cond_signal(&stream->freed);
        pthread_mutex_unlock(&stream->lock);
        pthread_join(stream->thread, NULL);
        pthread_cond_destroy(&stream->read);
        pthread_cond_destroy(&stream->freed);
        pthread_mutex_destroy(&stream->lock);
    }
    for (int64_t i = 0; i < stream->places; i++) {
        free(stream->place[i].memory);
        free(stream->place[i].data);
        free(stream->place[i].bytes);
    }
    for (int i = 0; i < SIDE_TURNS; i++)
        release_sides(&stream->sides[i]);
    release_sides(&stream->none);
    cg_ahead_release(&stream->ahead);
    cg_files_destroy(stream->files);
    free(stream->scratch);
    free(stream);
}
