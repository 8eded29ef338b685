/* Files that appear under their name only when they are whole and on disk. */
#ifndef COGNATE_RESULT_PUBLISH_H
#define COGNATE_RESULT_PUBLISH_H

#include "schema.h"

/* What is made of a record: how it is written, and how the file is looked at once it is on disk (may be
 * NULL). */
struct cg_publication {
    int (*write)(int descriptor, const void *record, struct cg_err *err);
    int (*check)(const char *path, struct cg_err *err);
    const void *record;
};

/* Temp file in the same folder, write, fsync, check, rename, fsync the folder. On failure the temp file is
 * gone and an older file at `path` is untouched. */
int cg_publish(const struct cg_publication *what, const char *path, struct cg_err *err);

#endif
