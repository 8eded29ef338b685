/* Codes of two to four bits whose columns belong to blocks in no order: what a row needs of a block is looked
 * up. By AVX2 byte by byte, as if in a dictionary of 16 words, in several where there are more blocks; by
 * AVX-512 whole, in dictionaries of 32. The same bits by both. Pure, local.
 */
#ifndef COGNATE_SWEEP_LOOKUPS_H
#define COGNATE_SWEEP_LOOKUPS_H

#include "codes.h"

enum { CG_LOOKUP_BLOCKS = 128, CG_LOOKUP_COLUMNS = 32 };

/* Of a row's blocks their scales, which were numbers of 16 bits: the lowest 13 are 0. In five of these, the
 * lowest of `word` and of the lowest of three bytes, what codes are to be moved by to stand 16 above the
 * number that is multiplied.
 */
struct cg_lookup {
    uint32_t word[CG_LOOKUP_BLOCKS];
    uint8_t byte[3][CG_LOOKUP_BLOCKS];
};

/* Whether so many blocks can be looked up, on this processor; runs begin and end at multiples of
 * CG_LOOKUP_COLUMNS. */
bool cg_lookup_fits(int64_t columns, int64_t blocks);

/* places[columns]: the blocks of columns, in the order in which cg_lookup_take wants them. */
void cg_lookup_places(const int32_t *block, size_t columns, uint8_t *places);

/* Of a row's blocks. Zero points and offset are whole numbers, 0 to 16 together. */
void cg_lookup_fill(const float *scale, const float *zero, int offset, size_t blocks, struct cg_lookup *row);

/* (code - zero) * scale, in float, of the n codes of a run of two, three or four bits. */
void cg_lookup_take(const struct cg_lookup *row, size_t blocks, const struct cg_code_run *run,
                    const uint8_t *places, size_t n, float *values);

#endif
