/* cg_single_pair by AVX-512: all sixteen lanes at once, with the same bits. Pure, local. */
#ifndef COGNATE_SWEEP_PAIR_512_H
#define COGNATE_SWEEP_PAIR_512_H

#include "kernels.h"
#include <stdbool.h>

/* As cg_single_pair, to *product; false on a processor without the instructions. */
bool cg_pair_512(const float *a, const float *b, size_t n, struct cg_block_moments *out, double *product);

#endif
