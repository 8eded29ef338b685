/* The models of a run: given on the command line or by a manifest, with labels made unique, and the pairs. */
#ifndef COGNATE_MANIFEST_H
#define COGNATE_MANIFEST_H

#include "cognate/err.h"
#include <stddef.h>
#include <stdint.h>

struct cg_entry {
    char *label, *path, *family;
    char *role;  /* "base", "target" or "" */
    char *error; /* why its model cannot be used; NULL: nothing is known against it */
};

struct cg_manifest {
    struct cg_entry *entries;
    size_t n;
};

/* Adds `LABEL=MODEL` or `MODEL`; without a label the last part of the path. */
int cg_manifest_add(struct cg_manifest *manifest, const char *argument, struct cg_err *err);

/* Reads a tab-separated table with a header line: label path family role (path alone is required, any order).
 * Relative paths start at the manifest's folder. Lines that begin with # and empty ones are skipped.
 * Errors name file and line. */
int cg_manifest_read(struct cg_manifest *manifest, const char *path, struct cg_err *err);

/* Makes labels unique by adding -2, -3, ... to later ones. */
int cg_manifest_unique_labels(struct cg_manifest *manifest, struct cg_err *err);

/* Takes down why the model of entry i cannot be used. */
int cg_manifest_blame(struct cg_manifest *manifest, size_t i, const char *error, struct cg_err *err);

/* Moves the entries that have an error to *broken, all zero before; the others close up. Labels stay. */
int cg_manifest_set_apart(struct cg_manifest *manifest, struct cg_manifest *broken, struct cg_err *err);

/* With roles: every base with every target. Without: every i < j. In a pair, a is the base or the earlier
 * one. *pairs is [*npairs][2] on the heap. Fewer than one pair is an error. */
int cg_manifest_pairs(const struct cg_manifest *manifest, int32_t (**pairs)[2], size_t *npairs,
                      struct cg_err *err);

void cg_manifest_release(struct cg_manifest *manifest);

#endif
