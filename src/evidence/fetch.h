/* Rows of a member as floats, wherever they lie: the second, bounded read. Local. */
#ifndef COGNATE_EVIDENCE_FETCH_H
#define COGNATE_EVIDENCE_FETCH_H

#include "cognate/anatomy.h"
#include "sweep/dequantise.h"
#include "sweep/files.h"

struct cg_fetch {
    const struct cg_checkpoint *const *models;
    const struct cg_anatomy *anatomy;
    struct cg_files *files;
    uint8_t *scratch, *stored; /* for gathered views; bytes of a span of rows */
    double *values;
    int64_t elements; /* that `stored` and `values` hold */
    struct cg_dequantiser dequantiser;
    const struct cg_member *begun; /* that it is ready for */
    uint8_t *sides;
    int64_t bytes_read;
};

int cg_fetch_init(struct cg_fetch *fetch, const struct cg_checkpoint *const *models,
                  const struct cg_anatomy *anatomy, bool same_host, struct cg_err *err);
void cg_fetch_release(struct cg_fetch *fetch);

/* Whether the model fills the slot with values whose rows are whole bytes. */
bool cg_can_fetch(const struct cg_checkpoint *const *models, const struct cg_anatomy *anatomy, int64_t slot,
                  int model);

/* Takes each wanted row: index k of those asked for, its values. */
typedef void cg_take_row(void *context, int64_t k, const double *values, int64_t columns);

/* Rows in ascending order; NULL: the first n. Elements that are not finite count as 0. */
int cg_fetch_each(struct cg_fetch *fetch, int64_t slot, int model, const int64_t *rows, int64_t n,
                  cg_take_row *take, void *context, struct cg_err *err);

/* The same into out[n * columns]. */
int cg_fetch_rows(struct cg_fetch *fetch, int64_t slot, int model, const int64_t *rows, int64_t n, float *out,
                  struct cg_err *err);

#endif
