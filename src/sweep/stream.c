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

enum { HALVES = 2 };

/* One half of the buffer: a piece, and the memory its data lie in. */
struct half {
    struct cg_piece piece;
    uint8_t *memory;
    const uint8_t **data;
    size_t *bytes;
    bool full;
};

struct cg_stream {
    const struct cg_checkpoint *const *models;
    const struct cg_plan *plan;
    struct cg_piece_cursor cursor;
    struct cg_files *files;
    uint8_t *scratch; /* for members that are gathered */
    struct cg_ahead ahead;
    struct half half[HALVES];
    /* Of two tasks: the thread is never further ahead of the caller than at the next one's first piece. */
    uint8_t *side_memory[2];
    const uint8_t **sides[2]; /* [members] */
    int sides_turn;
    int next;     /* the half that the caller takes next */
    bool holding; /* the caller works on the half before it */

    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* guards all below, and full */
    pthread_cond_t changed;
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

static int allocate_halves(struct cg_stream *stream, struct cg_err *err)
{
    int32_t members;
    int64_t side_bytes, bytes = widest_piece(stream, &members, &side_bytes);
    for (int i = 0; i < HALVES; i++) {
        struct half *half = &stream->half[i];
        if (!(half->memory = cg_new_aligned((size_t)bytes, 1, err)) ||
            !(half->data = cg_new((size_t)members, sizeof *half->data, err)) ||
            !(half->bytes = cg_new((size_t)members, sizeof *half->bytes, err)) ||
            !(stream->side_memory[i] = cg_new_aligned((size_t)side_bytes, 1, err)) ||
            !(stream->sides[i] = cg_new((size_t)members, sizeof *stream->sides[i], err)))
            return -1;
    }
    return 0;
}

/* The members that a piece is of. */
static const struct cg_bundle_member *members_of(const struct cg_stream *stream, const struct cg_piece *piece)
{
    const struct cg_bundle *bundle = &stream->plan->bundles[piece->task->bundle];
    return &stream->plan->members[bundle->first_member + cg_task_first_member(piece->task)];
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

/* Reads one member's part of a piece, to `out` or to where *data says. */
static int read_member(struct cg_stream *stream, const struct cg_piece *piece, int32_t m, uint8_t *out,
                       const uint8_t **data)
{
    const struct cg_bundle_member *member = &members_of(stream, piece)[m];
    const struct cg_checkpoint *model = stream->models[member->model];
    const struct cg_tensor *tensor = &model->tensors[member->tensor];
    struct cg_gather from = {.files = stream->files,
                             .file = &model->files[tensor->file],
                             .tensor = tensor,
                             .view = member->view,
                             .scratch = stream->scratch};
    int64_t offset = cg_gather_offset(&from, cg_stored_elements(member->dtype, member->grain, piece->first));
    struct cg_err err;
    double start = begin_reading(stream, from.file, offset);
    int result = cg_ahead_read(&stream->ahead, &from, member, piece, m, out, data, &err);
    return end_reading(stream, start, from.bytes_read, result, &err);
}

/* Reads the sides of all members at a task's beginning. */
static int read_sides(struct cg_stream *stream, const struct cg_piece *piece)
{
    const struct cg_bundle_member *member = members_of(stream, piece);
    stream->sides_turn = 1 - stream->sides_turn;
    uint8_t *to = stream->side_memory[stream->sides_turn];
    for (int32_t m = 0; m < piece->members; m++) {
        const struct cg_quantised *how = member[m].quantised;
        stream->sides[stream->sides_turn][m] = how ? to : NULL;
        if (!how || how->nsides == 0)
            continue;
        const struct cg_checkpoint *model = stream->models[member[m].model];
        const struct cg_tensor *tensor = &model->tensors[how->side[0].tensor];
        struct cg_err err;
        int64_t bytes = 0;
        double start = begin_reading(stream, &model->files[tensor->file], tensor->offset);
        int result = cg_sides_read(stream->files, model, how, stream->scratch, to, &bytes, &err);
        if (end_reading(stream, start, bytes, result, &err) < 0)
            return -1;
        to += on_lines(how->side_bytes);
    }
    return 0;
}

static int fill(struct cg_stream *stream, struct half *half)
{
    struct cg_piece *piece = &half->piece;
    uint8_t *to = half->memory;
    if (piece->begins_task && read_sides(stream, piece) < 0)
        return -1;
    for (int32_t m = 0; m < piece->members; m++) {
        if (read_member(stream, piece, m, to, &half->data[m]) < 0)
            return -1;
        half->bytes[m] = (size_t)cg_grain_bytes(members_of(stream, piece)[m].grain, piece->elements);
        to += on_lines((int64_t)half->bytes[m]);
    }
    piece->data = half->data;
    piece->bytes = half->bytes;
    piece->sides = stream->sides[stream->sides_turn];
    return 0;
}

/* Waits for an empty half; false when the caller wants no more. */
static bool wait_for_room(struct cg_stream *stream, const struct half *half)
{
    pthread_mutex_lock(&stream->lock);
    while (half->full && !stream->stop)
        pthread_cond_wait(&stream->changed, &stream->lock);
    bool go = !stream->stop;
    pthread_mutex_unlock(&stream->lock);
    return go;
}

static void *read_all(void *argument)
{
    struct cg_stream *stream = argument;
    int result = 0;
    for (int turn = 0;; turn = (turn + 1) % HALVES) {
        struct half *half = &stream->half[turn];
        if (!wait_for_room(stream, half) || !cg_piece_next(&stream->cursor, &half->piece) ||
            (result = fill(stream, half)) < 0)
            break;
        pthread_mutex_lock(&stream->lock);
        half->full = true;
        pthread_cond_broadcast(&stream->changed);
        pthread_mutex_unlock(&stream->lock);
    }
    pthread_mutex_lock(&stream->lock);
    stream->ended = true;
    stream->failed = result < 0;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
    return NULL;
}

static int start_thread(struct cg_stream *stream, struct cg_err *err)
{
    pthread_condattr_t attributes;
    pthread_mutex_init(&stream->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&stream->changed, &attributes);
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
    stream->cursor = (struct cg_piece_cursor){.plan = plan,
                                              .task = plan->tasks + plan->first_task[rank],
                                              .end = plan->tasks + plan->first_task[rank + 1],
                                              .done = done,
                                              .half = (buffer - cg_gather_scratch(plan) - ahead) / HALVES};
    stream->files = cg_files_create(rank == 0, err);
    stream->scratch = cg_new_aligned((size_t)cg_gather_scratch(plan), 1, err);
    if (stream->files && stream->scratch &&
        cg_ahead_init(&stream->ahead, plan, stream->cursor.task, stream->cursor.end, ahead, err) == 0 &&
        allocate_halves(stream, err) == 0 && start_thread(stream, err) == 0)
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

int cg_stream_next(struct cg_stream *stream, double timeout, struct cg_piece *out, struct cg_err *err)
{
    struct half *half = &stream->half[stream->next];
    struct timespec until = moment_in(timeout);
    pthread_mutex_lock(&stream->lock);
    if (stream->holding) {
        stream->half[(stream->next + HALVES - 1) % HALVES].full = false;
        stream->holding = false;
        pthread_cond_broadcast(&stream->changed);
    }
    int waited = 0;
    while (!half->full && !stream->ended && waited == 0)
        waited = pthread_cond_timedwait(&stream->changed, &stream->lock, &until);
    int result = half->full ? 1 : stream->failed ? -1 : stream->ended ? 0 : -2;
    if (result == -1)
        *err = stream->err;
    if (result == -2) {
        char where[700];
        position_of(stream, where, sizeof where);
        cg_fail(err, CG_EIO, "no answer to a read for %.0f s: %s", timeout, where);
    }
    pthread_mutex_unlock(&stream->lock);
    if (result == 1) {
        *out = half->piece;
        stream->next = (stream->next + 1) % HALVES;
        stream->holding = true;
    }
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

void cg_stream_destroy(struct cg_stream *stream)
{
    if (!stream)
        return;
    if (stream->started) {
        pthread_mutex_lock(&stream->lock);
        stream->stop = true;
        pthread_cond_broadcast(&stream->changed);
        pthread_mutex_unlock(&stream->lock);
        pthread_join(stream->thread, NULL);
        pthread_cond_destroy(&stream->changed);
        pthread_mutex_destroy(&stream->lock);
    }
    for (int i = 0; i < HALVES; i++) {
        free(stream->half[i].memory);
        free(stream->half[i].data);
        free(stream->half[i].bytes);
        free(stream->side_memory[i]);
        free(stream->sides[i]);
    }
    cg_ahead_release(&stream->ahead);
    cg_files_destroy(stream->files);
    free(stream->scratch);
    free(stream);
}
