/* Runs of codes of two to four bits: what all codes of a block stand for is one vector, or a part of it, and
 * codes pick from it. By AVX2 those of up to three bits, by AVX-512 those of four, too; what cg_take_codes
 * does by way of them, with the same bits. Pure, local. */
#ifndef COGNATE_SWEEP_PERMUTE_H
#define COGNATE_SWEEP_PERMUTE_H

#include "codes.h"

/* As cg_take_codes, to *sum; or false: another kind, blocks or a run that 32 do not divide, or a processor
 * without the instructions. */
bool cg_permute_take(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n,
                     float *values, double *sum);

#endif
