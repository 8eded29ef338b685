#include "block.h"
#include "cognate/mem.h"
#include "mix.h"
#include "pair_512.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

int cg_block_init(struct cg_block *block, int members, struct cg_err *err)
{
    *block = (struct cg_block){0};
    block->member = cg_new((size_t)members, sizeof *block->member, err);
    size_t pairs = (size_t)cg_pairs(members);
    block->products = block->member ? cg_new(pairs + 1, sizeof *block->products, err) : NULL;
    block->lanes = block->products ? cg_new_aligned(pairs * CG_LANES, sizeof *block->lanes, err) : NULL;
    block->wides = block->lanes ? cg_new_aligned((size_t)members * CG_STRIDE, sizeof(double), err) : NULL;
    block->singles = block->wides ? cg_new_aligned((size_t)members * CG_STRIDE, sizeof(float), err) : NULL;
    if (block->singles)
        return 0;
    cg_block_release(block);
    return -1;
}

void cg_block_release(struct cg_block *block)
{
    free(block->member);
    free(block->products);
    free(block->lanes);
    free(block->wides);
    free(block->singles);
    *block = (struct cg_block){0};
}

double *cg_block_wides(struct cg_block *block, int m)
{
    return block->wides + (size_t)m * CG_STRIDE;
}

float *cg_block_singles(struct cg_block *block, int m)
{
    return block->singles + (size_t)m * CG_STRIDE;
}

void cg_block_begin(struct cg_block *block, int members, bool floats)
{
    block->members = members;
    block->single = floats;
    for (int m = 0; m < members; m++)
        block->member[m].values = block->single ? (struct cg_values){.single = cg_block_singles(block, m)}
                                                : (struct cg_values){.wide = cg_block_wides(block, m)};
}

void cg_block_begin_chunk(struct cg_block *block)
{
    for (int m = 0; m < block->members; m++)
        block->member[m].least = block->member[m].greatest = NAN;
}

void cg_block_decode(struct cg_block *block, int m, enum cg_dtype dtype, const void *stored, size_t n)
{
    struct cg_outline outline = block->single
                                    ? cg_dtype_decode_floats(dtype, stored, n, cg_block_singles(block, m))
                                    : cg_dtype_decode(dtype, stored, n, cg_block_wides(block, m));
    block->member[m].rounding = outline.rounding;
    block->member[m].low = outline.low;
    block->member[m].high = outline.high;
}

static void clear_value(struct cg_block *block, int m, size_t i)
{
    if (block->single)
        cg_block_singles(block, m)[i] = 0;
    else
        cg_block_wides(block, m)[i] = 0;
}

/* Where the chunk's extremes reach as far as the bounds there is nothing to be found. */
static void find_extremes(struct cg_block *block, int m)
{
    struct cg_block_member *member = &block->member[m];
    if (member->least <= member->low && member->high <= member->greatest) {
        member->moments.minimum = member->least;
        member->moments.maximum = member->greatest;
    } else {
        cg_single_extremes(member->values.single, block->n, &member->moments);
    }
}

static void remember_extremes(struct cg_block_member *member)
{
    const struct cg_block_moments *moments = &member->moments;
    if (isnan(member->least) || moments->minimum < member->least)
        member->least = moments->minimum;
    if (isnan(member->greatest) || moments->maximum > member->greatest)
        member->greatest = moments->maximum;
}

static void measure_one(struct cg_block *block, int m)
{
    struct cg_block_member *member = &block->member[m];
    if (block->single)
        cg_single_moments(member->values.single, block->n, &member->moments);
    else
        cg_block_moments(member->values.wide, block->n, &member->moments);
}

/* Puts 0 in the place of values that are not finite, remembers them, and measures the others again. */
static void set_aside_nonfinite(struct cg_block *block, int m)
{
    struct cg_block_member *member = &block->member[m];
    double low = INFINITY, high = -INFINITY;
    memset(member->mask, 0, sizeof member->mask);
    if (block->single && member->values.single != cg_block_singles(block, m)) { /* somebody else's */
        memcpy(cg_block_singles(block, m), member->values.single, block->n * sizeof(float));
        member->values.single = cg_block_singles(block, m);
    }
    for (size_t i = 0; i < block->n; i++) {
        double v = cg_value(member->values, i);
        if (isfinite(v)) {
            low = v < low ? v : low;
            high = v > high ? v : high;
            continue;
        }
        uint64_t kind = isnan(v) ? 1 : v > 0 ? 2 : 3;
        member->mask[i / 64] |= UINT64_C(1) << i % 64;
        member->oddities = cg_mix(member->oddities ^ (4 * i + kind));
        member->nonfinite++;
        clear_value(block, m, i);
    }
    measure_one(block, m);
    bool some = member->nonfinite < block->n;
    member->moments.minimum = some ? low : NAN;
    member->moments.maximum = some ? high : NAN;
}

/* The sums of both members, and of their products. */
static double measure_two(struct cg_block *block, struct cg_block_moments out[2])
{
    const float *a = block->member[0].values.single, *b = block->member[1].values.single;
    double product;
    return cg_pair_512(a, b, block->n, out, &product) ? product : cg_single_pair(a, b, block->n, out);
}

void cg_block_measure(struct cg_block *block, size_t n)
{
    struct cg_block_moments pair[2];
    bool paired = block->single && block->members == 2, odd = false;
    block->n = n;
    if (paired)
        block->products[0] = measure_two(block, pair);
    for (int m = 0; m < block->members; m++) {
        struct cg_block_member *member = &block->member[m];
        member->nonfinite = 0;
        member->oddities = 0;
        if (paired)
            member->moments = pair[m];
        else
            measure_one(block, m);
        if (block->single)
            find_extremes(block, m);
        /* Squares of finite f64 values beyond 1e154 overflow too: then nothing is set aside and the sum stays
         * infinite. */
        if (!isfinite(member->moments.squares)) {
            set_aside_nonfinite(block, m);
            odd = true;
        }
        remember_extremes(member);
    }
    if (paired && odd)
        block->products[0] =
            cg_single_product(block->member[0].values.single, block->member[1].values.single, n);
}

const double *cg_block_multiply(struct cg_block *block)
{
    if (block->single && block->members == 2)
        return block->products;
    for (int m = 0; block->single && m < block->members; m++)
        cg_dtype_decode(CG_F32, block->member[m].values.single, block->n, cg_block_wides(block, m));
    cg_block_products(block->wides, block->members, block->n, block->single, block->lanes, block->products);
    return block->products;
}
