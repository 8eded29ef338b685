/* Files as checkpoints need them: opened without hanging, read whole or in part, errors that name the place.
 * All functions are local. */
#ifndef COGNATE_CHECKPOINT_FILE_H
#define COGNATE_CHECKPOINT_FILE_H

#include "cognate/checkpoint.h"

/* Fills err with "PATH: TENSOR: what is wrong (at byte N)", PATH and TENSOR made printable, and returns -1.
 * tensor may be NULL and byte -1: that part is then left out. */
int cg_fail_at(struct cg_err *err, enum cg_code code, const char *path, const char *tensor, int64_t byte,
               const char *format, ...) __attribute__((format(printf, 6, 7)));

/* Fills err by errno after "cannot DOING" failed on path, and returns -1. */
int cg_fail_by_errno(struct cg_err *err, const char *path, const char *doing);

/* Opens a regular file and says what it is in *file, whose path is on the heap, also after a failure.
 * Anything else (a folder, a named pipe, a device) is refused without hanging. Returns the descriptor or -1.
 */
int cg_file_open(struct cg_file *file, const char *path, struct cg_err *err);

/* Reads n bytes at `offset`; a file that ends before fails with CG_ECHANGED. */
int cg_file_read(int descriptor, const char *path, void *bytes, size_t n, int64_t offset, struct cg_err *err);

/* Appends the whole of a regular file of at most `limit` bytes to text. */
int cg_file_slurp(struct cg_buf *text, const char *path, int64_t limit, struct cg_err *err);

/* What stands behind the last slash of a path. */
const char *cg_last_part(const char *path);

/* "FOLDER/NAME" on the heap. */
char *cg_path_join(const char *folder, const char *name, struct cg_err *err);

/* As cg_path_join for a file that belongs to a model's folder. It may be a link only to a place inside the
 * folder or inside FOLDER/../../blobs, where a download cache keeps what its snapshots link to. */
char *cg_path_of_member(const char *folder, const char *name, struct cg_err *err);

#endif
