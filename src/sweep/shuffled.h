/* Members whose columns belong to blocks in no order, and the parts of a dequantiser that they need. Local.
 */
#ifndef COGNATE_SWEEP_SHUFFLED_H
#define COGNATE_SWEEP_SHUFFLED_H

#include "dequantise.h"

/* The scales and zero points of a run's blocks. */
struct cg_scales {
    float scale[CG_MOST_CODES], zero[CG_MOST_CODES];
};

/* The scales of a row, where they lie by column or the member is by_group: to row_scale and what is beside
 * it.
 */
void cg_find_row(struct cg_dequantiser *d, int64_t row);

/* The codes of n columns of a row, from `column` on. Those of two a byte begin with the first of one;
 * where they cannot, and where they have other than 4 or 8 bits, they become bytes in `code`. */
struct cg_code_run cg_codes_of(struct cg_dequantiser *d, int64_t row, int64_t column, size_t n,
                               uint8_t code[CG_MOST_CODES]);

/* For a member that is by_group. */
int cg_shuffled_begin(struct cg_dequantiser *d, struct cg_err *err);

/* A run of n columns of a row, as cg_dequantise; values that lie elsewhere are left there when `values` asks
 * where they are. */
double cg_dequantise_shuffled(struct cg_dequantiser *d, int64_t row, int64_t column, size_t n, float *room,
                              const float **values);

#endif
