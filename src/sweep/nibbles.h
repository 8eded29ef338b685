/* Runs of four-bit codes by AVX2: what cg_take_codes does by way of them, with the same bits. Pure, local. */
#ifndef COGNATE_SWEEP_NIBBLES_H
#define COGNATE_SWEEP_NIBBLES_H

#include "codes.h"
#include <stdbool.h>

/* Whether cg_nibbles_take can take a run: two codes a byte, from a whole byte on, 32 at a time in each of its
 * blocks, or of E2M1 in two blocks of 16, and a processor that has the instructions. */
bool cg_nibbles_fit(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n);

/* As cg_take_codes. */
double cg_nibbles_take(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n,
                       float *values);

#endif
