#include "block.h"
#include "cognate/mem.h"
#include "mix.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

int cg_block_init(struct cg_block *block, int members, struct cg_err *err)
{
    *block = (struct cg_block){.members = members};
    block->member = cg_new((size_t)members, sizeof *block->member, err);
    block->memory = block->member ? cg_new_aligned((size_t)members * CG_BLOCK, sizeof(double), err) : NULL;
    if (!block->memory) {
        cg_block_release(block);
        return -1;
    }
    for (int m = 0; m < members; m++)
        block->member[m].values = block->memory + (size_t)m * CG_BLOCK;
    return 0;
}

void cg_block_release(struct cg_block *block)
{
    free(block->member);
    free(block->memory);
    *block = (struct cg_block){0};
}

/* Puts 0 in the place of values that are not finite, remembers them, and measures the others again. */
static void set_aside_nonfinite(struct cg_block_member *member, size_t n)
{
    double low = INFINITY, high = -INFINITY;
    memset(member->mask, 0, sizeof member->mask);
    for (size_t i = 0; i < n; i++) {
        double v = member->values[i];
        if (isfinite(v)) {
            low = v < low ? v : low;
            high = v > high ? v : high;
            continue;
        }
        uint64_t kind = isnan(v) ? 1 : v > 0 ? 2 : 3;
        member->mask[i / 64] |= UINT64_C(1) << i % 64;
        member->oddities = cg_mix(member->oddities ^ (4 * i + kind));
        member->nonfinite++;
        member->values[i] = 0;
    }
    cg_block_moments(member->values, n, &member->moments);
    bool some = member->nonfinite < n;
    member->moments.minimum = some ? low : NAN;
    member->moments.maximum = some ? high : NAN;
}

void cg_block_measure(struct cg_block *block, int m, size_t n, double rounding)
{
    struct cg_block_member *member = &block->member[m];
    block->n = n;
    member->rounding = rounding;
    cg_block_moments(member->values, n, &member->moments);
    member->nonfinite = 0;
    member->oddities = 0;
    /* Squares of finite f64 values beyond 1e154 overflow too: then nothing is set aside and the sum stays
     * infinite. */
    if (!isfinite(member->moments.squares))
        set_aside_nonfinite(member, n);
}

void cg_block_decode(struct cg_block *block, int m, enum cg_dtype dtype, const void *stored, size_t n)
{
    cg_dtype_decode(dtype, stored, n, block->member[m].values);
    cg_block_measure(block, m, n, cg_dtype_rounding(dtype, stored, n));
}
