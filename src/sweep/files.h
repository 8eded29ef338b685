/* Descriptors of the data files of a run, opened on demand, a few at a time. Local, one thread. */
#ifndef COGNATE_SWEEP_FILES_H
#define COGNATE_SWEEP_FILES_H

#include "cognate/checkpoint.h"
#include "cognate/comm.h"

struct cg_files;

/* same_host: whether the files' device numbers were read on this host. */
struct cg_files *cg_files_create(bool same_host, struct cg_err *err);

/* From now on reads are told to the pulse that `comm` is under, if any, and fail when a signal asks to stop.
 * For a stage that is run (pulse.h). */
void cg_files_watch(struct cg_files *files, const struct cg_comm *comm);

/* Closes all. NULL is fine. */
void cg_files_destroy(struct cg_files *files);

/* Reads exactly `bytes` bytes at `offset`; loops over short reads and interruptions. A file that is not the
 * one whose header was read, or that ends too early, fails with CG_ECHANGED. `name` is the tensor, for the
 * message. */
int cg_files_read(struct cg_files *files, const struct cg_file *file, const char *name, int64_t offset,
                  uint8_t *out, size_t bytes, struct cg_err *err);

/* Lines that lie one behind the other in the file, written `pitch` bytes apart. */
struct cg_lines {
    uint8_t *out;
    size_t bytes, n, pitch; /* of each */
};

/* As cg_files_read. */
int cg_files_read_lines(struct cg_files *files, const struct cg_file *file, const char *name, int64_t offset,
                        const struct cg_lines *lines, struct cg_err *err);

/* Tells the system that so many bytes at `offset` will be read: it fetches them in their order in the file,
 * and goes on doing so after the call. Fails as cg_files_read does where the file is not the one. */
int cg_files_announce(struct cg_files *files, const struct cg_file *file, const char *name, int64_t offset,
                      int64_t bytes, struct cg_err *err);

/* Whether any of the files still open has changed since its header was read. */
int cg_files_check(const struct cg_files *files, struct cg_err *err);

#endif
