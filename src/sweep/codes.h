/* The arithmetic of quantised members on a run of codes: plain loops over elements, pure and local. */
#ifndef COGNATE_SWEEP_CODES_H
#define COGNATE_SWEEP_CODES_H

#include "cognate/dtype.h"
#include <stddef.h>
#include <stdint.h>

enum { CG_MOST_CODES = 1024 }; /* in a run */

/* In which nibble of a word AWQ has element k of eight. */
extern const uint8_t cg_awq_nibble[8];

/* Unsigned codes of `bits` each, from bit `first` of bytes on, less `offset`. */
void cg_codes_of_bits(const uint8_t *bytes, size_t first, int bits, int offset, size_t n, float *code);

/* The nibble k of each word. */
void cg_codes_of_awq(const uint8_t *words, int k, size_t n, float *code);

/* Two codes a byte, from the first of one on; the low nibble first. */
void cg_codes_of_e2m1(const uint8_t *bytes, size_t n, float *code);

/* F8 of any kind, or I8. */
void cg_codes_of_bytes(enum cg_dtype dtype, const uint8_t *bytes, size_t n, float *code);

/* What the two codes of a byte stand for, the high nibble first, and how far apart codes are there. */
struct cg_code_pair {
    float code[2], step[2];
};
void cg_codes_of_table(const uint8_t *bytes, const struct cg_code_pair pair[256], size_t n, float *code,
                       float *step);

/* out[i] = block[(skip + i) / length]; skip < length. */
void cg_spread(const float *block, size_t skip, size_t length, size_t n, float *out);

/* values[i] = (code[i] - zero[i]) * scale[i] * factor in float; zero may be NULL. */
void cg_scale_codes(const float *code, const float *zero, const float *scale, float factor, size_t n,
                    double *values);

/* The sum of (step[i] * scale[i])^2, in float by 16 lanes as all sums run. */
double cg_sum_steps(const float *step, const float *scale, size_t n);

/* The same of floats of few bits, whose step is their power of two, `least` at least; at a power of two
 * itself, where the step below is half of that above, what makes h^2 / 12 the moment of the cell. */
double cg_sum_places(const float *code, float least, const float *scale, size_t n);

#endif
