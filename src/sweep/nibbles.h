/* Runs of four-bit codes by AVX2: what cg_take_codes does by way of them, with the same bits. Pure, local. */
#ifndef COGNATE_SWEEP_NIBBLES_H
#define COGNATE_SWEEP_NIBBLES_H

#include "codes.h"
#include <stdbool.h>

/* Whether cg_nibbles_take can take a run: two codes a byte, from a whole byte on, or halves, 32 at a time
 * in each of its blocks, or of E2M1 in two blocks of 16, and a processor that has the instructions. */
bool cg_nibbles_fit(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n);

/* As cg_take_codes. */
double cg_nibbles_take(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n,
                       float *values);

/* Whether words can be split and cg_nibbles_take can take their halves, where runs begin and end at multiples
 * of 32. */
bool cg_words_split_fit(int64_t columns, int64_t block);

/* The bytes of n words, a multiple of 32, those in the same place of each together: planes[4][pitch]. Of
 * every 32 they lie in the order in which cg_nibbles_take wants halves. */
void cg_words_split(const uint8_t *words, size_t n, uint8_t *planes, size_t pitch);

#endif
