/* Rows of numbers as 16-bit integers times a scale. Pure, local. */
#ifndef COGNATE_FINGERPRINT_PACK_H
#define COGNATE_FINGERPRINT_PACK_H

#include <stdint.h>

/* out[i] * *scale is within half a *scale of row[i]; *scale is the largest magnitude over 32,767. */
void cg_row_pack(int16_t *out, float *scale, const float *row, int64_t n);
void cg_row_unpack(float *out, const int16_t *row, float scale, int64_t n);

/* The same without rounding. */
void cg_row_widen(double *out, const int16_t *row, float scale, int64_t n);

/* Of a packed row the elements at `columns`, of which no two are the same, ascending; NULL: the first n. */
void cg_row_pick(float *out, const int16_t *row, float scale, const int64_t *columns, int64_t n);

#endif
