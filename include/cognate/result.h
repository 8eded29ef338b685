/* The result: everything that a run found, as it stands in the HDF5 file. One table (result_schema.h) says
 * what there is; the struct, the writer, the reader and the documentation all come from it. Rank 0 alone. */
#ifndef COGNATE_RESULT_H
#define COGNATE_RESULT_H

#include "cognate/err.h"
#include "cognate/result_schema.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cg_dimension {
#define CG_DIMENSION_ENUM(id, group, name) id,
    CG_DIMENSION_LIST(CG_DIMENSION_ENUM)
#undef CG_DIMENSION_ENUM
        CG_DIMENSION_COUNT
};

/* One member a group; in it one array a variable, row-major over its dimensions. */
#define CG_C_BOOL                                                   int8_t *
#define CG_C_INT32                                                  int32_t *
#define CG_C_INT64                                                  int64_t *
#define CG_C_FLOAT64                                                double *
#define CG_C_TEXT                                                   char **
#define CG_VARIABLE_FIELD(name, type, d0, d1, d2, units, long_name) CG_C_##type name;

/* What differs from run to run: attributes of /run. */
struct cg_run {
    char *date_created, *history;
    int64_t ranks, hosts, bytes_read, bytes_reread, peak_rss_bytes_max;
    double wall_seconds, sweep_seconds, read_seconds_max, read_seconds_mean;
};

struct cg_result {
    int64_t size[CG_DIMENSION_COUNT];
    struct {
        CG_ROOT_VARIABLES(CG_VARIABLE_FIELD)
    } root;
    struct {
        CG_TENSORS_VARIABLES(CG_VARIABLE_FIELD)
    } tensors;
    struct {
        CG_LAYERS_VARIABLES(CG_VARIABLE_FIELD)
    } layers;
    struct {
        CG_EXPERTS_VARIABLES(CG_VARIABLE_FIELD)
    } experts;
    struct {
        CG_CELLS_VARIABLES(CG_VARIABLE_FIELD)
    } cells;
    struct {
        CG_MERGES_VARIABLES(CG_VARIABLE_FIELD)
    } merges;
    struct {
        CG_IDENTITIES_VARIABLES(CG_VARIABLE_FIELD)
    } identities;
    struct {
        CG_EMBEDDINGS_VARIABLES(CG_VARIABLE_FIELD)
    } embeddings;
    struct {
        CG_PCA_VARIABLES(CG_VARIABLE_FIELD)
    } pca;
    char *pca_features; /* attribute `features` of /pca: how they were taken; NULL: no PCA, no group */
    char *source;       /* root attribute: "cognate VERSION" */
    char *notes;        /* root attribute: warnings of the run, lines; "" when none */
    struct cg_run run;
};

/* All zero memory is a valid empty result. */
void cg_result_release(struct cg_result *result);

/* Allocates the variables of one group for the sizes set, filled with what "absent" is: NaN, -1, false, "".
 * group: "/", "/tensors", "/layers", "/experts", "/cells", "/merges", "/identities", "/embeddings", "/pca".
 * The sizes that the group uses stay as they are from then on. */
int cg_result_allocate(struct cg_result *result, const char *group, struct cg_err *err);

/* Replaces one cell of a text variable (or a text attribute) by a copy. */
int cg_result_text(char **cell, const char *text, struct cg_err *err);

/* Every group allocated but /pca where pca_features is NULL. Bytes of a text that are no UTF-8 are written as
 * `?`. Writes the file atomically: temp file in the same folder, write, close, fsync, reopen and verify,
 * rename, fsync the folder. On failure the temp file is gone and an older file at `path` is untouched. Temp
 * files that dead processes left for the same path are removed. */
int cg_result_write(const struct cg_result *result, const char *path, struct cg_err *err);

/* Fails early, before the sweep: the folder must exist and be writable, `path` must be no folder. */
int cg_result_writable(const char *path, struct cg_err *err);

/* Holds the place of a result for this process until unlock; a second run on it is refused with the number
 * and host of the first. Where the file system knows no locks, a warning says so. Returns what unlock takes,
 * or -1 with err. Local: rank 0. */
int cg_result_lock(const char *path, struct cg_err *err);
void cg_result_unlock(const char *path, int lock);

/* Reads a file that cognate wrote. *out must be all zero; released on failure. */
int cg_result_read(struct cg_result *out, const char *path, struct cg_err *err);

/* Opens the file, checks the completion record, that every variable of the schema is there with its type and
 * shape, and the SHA-256 stored with each dataset. */
int cg_result_verify(const char *path, struct cg_err *err);

#endif
