/* The arithmetic of quantised members on a run of codes: plain loops over elements, pure and local.
 *
 * What rounding explains of an element is the second moment, about its value, of the cell of numbers that
 * round to its code: h^2 / 12 where codes are h apart. All that is here in units of a twelfth.
 */
#ifndef COGNATE_SWEEP_CODES_H
#define COGNATE_SWEEP_CODES_H

#include "cognate/dtype.h"
#include <stddef.h>
#include <stdint.h>

/* In which nibble of a word AWQ has element k of eight. */
extern const uint8_t cg_awq_nibble[8];

/* Unsigned codes of `bits` each, from bit `first` of bytes on, less `offset`. */
void cg_codes_of_bits(const uint8_t *bytes, size_t first, int bits, int offset, size_t n, float *code);

/* The nibble k of each word. */
void cg_codes_of_awq(const uint8_t *words, int k, size_t n, float *code);

/* Two codes a byte, from an even one on. */
void cg_codes_of_e2m1(const uint8_t *bytes, size_t n, float *code, float *cell);
void cg_codes_of_table(const uint8_t *bytes, const float *table, const float *cells, size_t n, float *code,
                       float *cell);

/* F8 of any kind; or I8, whose cells are all 1. */
void cg_codes_of_bytes(enum cg_dtype dtype, const uint8_t *bytes, size_t n, float *code, float *cell);

/* out[i] = block[(skip + i) / length]. */
void cg_spread(const float *block, size_t skip, size_t length, size_t n, float *out);

/* values[i] = (code[i] - zero[i]) * scale[i] * factor in float; zero may be NULL. */
void cg_scale_codes(const float *code, const float *zero, const float *scale, float factor, size_t n,
                    double *values);

/* The sum of cell[i] * scale[i]^2, in lanes as all sums. */
double cg_sum_cells(const float *cell, const float *scale, size_t n);

#endif
