/* Rows of one model's input embedding, from memory or from the file. Local. */
#ifndef COGNATE_EVIDENCE_ROWS_H
#define COGNATE_EVIDENCE_ROWS_H

#include "cognate/checkpoint.h"
#include "cognate/sweep.h"
#include "sweep/files.h"

struct cg_rows {
    const struct cg_file *file;
    const struct cg_tensor *tensor;
    const uint8_t *kept; /* the whole tensor, or NULL */
    struct cg_files *files;
    int64_t columns;
    uint8_t *raw; /* one row */
    int64_t bytes_read;
};

int cg_rows_init(struct cg_rows *rows, const struct cg_checkpoint *model, const struct cg_tensor *tensor,
                 int64_t columns, const uint8_t *kept, struct cg_files *files, struct cg_err *err);
void cg_rows_release(struct cg_rows *rows);

/* The values of row `id`; one that is not finite counts as 0. */
int cg_rows_get(struct cg_rows *rows, int64_t id, double *values, struct cg_err *err);

#endif
