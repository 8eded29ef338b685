/* Runs of E4M3, DeepSeek's and NVIDIA's floats of eight bits, by AVX2: what cg_take_codes does by way of
 * them, with the same bits. Pure, local. */
#ifndef COGNATE_SWEEP_FLOAT8_H
#define COGNATE_SWEEP_FLOAT8_H

#include "codes.h"

/* As cg_take_codes, to *sum; or false, and values are of no use: another kind, blocks or a run that 32 do not
 * divide, zero points, a NaN among the codes, a scale beyond 2^119, or a processor without the instructions.
 */
bool cg_float8_take(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n,
                    float *values, double *sum);

#endif
