/* Codes whose columns belong to blocks in no order. What a column needs of its block lies side by side for a
 * band of eight rows, so that a column is a product of vectors, and eight columns are turned into eight rows:
 * no row looks its scales up one by one. Pure, local.
 */
#ifndef COGNATE_SWEEP_BANDS_H
#define COGNATE_SWEEP_BANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CG_BAND = 8 };

/* What the columns of a band have in common. Tables are [blocks][CG_BAND]. */
struct cg_band {
    const int32_t *block; /* [columns] */
    const float *scale, *zero;
};

/* Unsigned codes from the lowest bit up, less `offset`; rows lie row_bytes apart. */
struct cg_band_codes {
    const uint8_t *bytes;
    size_t row_bytes;
    int bits, offset;
};

/* Columns become rows: element r of column k, of eight, goes to place k of row r. Columns have room for a
 * whole number of eights. */
void cg_band_turn(const float *from, size_t from_pitch, float *to, size_t to_pitch, size_t rows);

/* Whether cg_band_take can: eight columns in whole bytes, of codes of 2 to 8 bits. */
bool cg_band_fits(int bits, int64_t columns);

/* (code - zero) * scale of all eight rows, in float; rows of `values` lie `pitch` apart. */
void cg_band_take(const struct cg_band *band, const struct cg_band_codes *codes, size_t columns,
                  float *values, size_t pitch);

/* The squares of scales; of those that are not finite 0. */
void cg_band_squares(const float *scale, size_t blocks, double *square);

/* How many columns of each block there are between two places. */
void cg_band_count(const int32_t *before, const int32_t *after, size_t blocks, int32_t *count);

/* The sum of count * square, where blocks are a multiple of eight. */
double cg_band_rounding(const double *square, const int32_t *count, size_t blocks);

#endif
