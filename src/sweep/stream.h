/* The reading side of the sweep: a thread reads the next pieces of this rank's tasks while the caller works
 * on the one it has. Local. The thread makes no MPI call.
 */
#ifndef COGNATE_SWEEP_STREAM_H
#define COGNATE_SWEEP_STREAM_H

#include "cognate/sweep.h"

/* A run of elements of a chunk, of every member that the task reads. */
struct cg_piece {
    const struct cg_task *task;
    int64_t chunk;
    int64_t first;    /* element of the tensor */
    int64_t at;       /* the same from the chunk's beginning: a multiple of CG_STEP */
    int64_t elements; /* 0 for an empty tensor */
    bool begins_task, ends_chunk, ends_task;
    int32_t members;       /* of the bundle, or 1 for a stream */
    const uint8_t **data;  /* [members] */
    size_t *bytes;         /* [members] */
    const uint8_t **sides; /* [members] those of quantised ones, side after side, while the task lasts */
};

/* Pieces are cut at multiples of this many elements of a chunk: whole blocks, whole bytes of every type. */
enum { CG_STEP = 8192 };

struct cg_stream;

/* Starts the thread on the tasks of `rank` but for those that are `done` (by task of the rank; NULL: none,
 * else it must outlive the stream). NULL with err filled on failure. */
struct cg_stream *cg_stream_create(const struct cg_checkpoint *const *models, const struct cg_plan *plan,
                                   int rank, const bool *done, int64_t buffer, struct cg_err *err);

/* The next piece in *out: 1, or 0 after the last. -1 with err filled when a read failed. The piece is valid
 * until the next call. Waits at most `timeout` seconds for a read: then -2, and err says which file and
 * offset. */
int cg_stream_next(struct cg_stream *stream, double timeout, struct cg_piece *out, struct cg_err *err);

/* Where the thread reads now: "FILE at byte N". out[size]. */
void cg_stream_position(struct cg_stream *stream, char *out, size_t size);

/* Call after the last piece: fails when a file that was read has changed meanwhile. */
int cg_stream_check(struct cg_stream *stream, struct cg_err *err);

/* Bytes read and seconds spent reading; call after the last piece. */
int64_t cg_stream_bytes(const struct cg_stream *stream);
double cg_stream_read_seconds(const struct cg_stream *stream);

/* Stops the thread when it is still reading. NULL is fine. */
void cg_stream_destroy(struct cg_stream *stream);

#endif
