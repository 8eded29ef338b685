#include "sketches.h"
#include "cognate/mem.h"
#include "kernels.h"
#include "mix.h"
#include <stdlib.h>

static const uint64_t SKETCH_SEED = UINT64_C(0x636F676E617465); /* "cognate" */

enum { EXPERT_LENGTH = 512 }; /* experts are many, and judged by three matrices together */

bool cg_may_be_sketched(const struct cg_slot *slot, const struct cg_member *member,
                        const struct cg_checkpoint *model)
{
    return member->tensor >= 0 && !member->tied && slot->layer >= 0 && member->rows > 1 &&
           member->columns > 1 && cg_member_is_real(model, member);
}

int64_t cg_sketch_length(const struct cg_slot *slot, int64_t rows, int64_t columns)
{
    int64_t length = slot->expert < 0 ? CG_MOST_SKETCH : EXPERT_LENGTH;
    while (length > 1 && length > rows * columns)
        length /= 2;
    return length;
}

/* Signs come in blocks of CG_BLOCK elements, by the block's number. */
static void signs_of(uint64_t block, double *signs)
{
    uint64_t bits[CG_BLOCK / 64];
    for (uint64_t w = 0; w < CG_BLOCK / 64; w++)
        bits[w] = cg_mix(SKETCH_SEED ^ cg_mix(block * (CG_BLOCK / 64) + w));
    cg_block_signs(bits, signs);
}

void cg_sketch_add(double *sketch, int64_t length, int64_t first, struct cg_values values, int64_t n)
{
    double signs[CG_BLOCK];
    int64_t known = -1;
    for (size_t at = 0; n > 0;) {
        int64_t block = first / CG_BLOCK, in_block = first % CG_BLOCK, bucket = first % length;
        int64_t run = CG_BLOCK - in_block < n ? CG_BLOCK - in_block : n;
        if (length - bucket < run)
            run = length - bucket;
        if (block != known)
            signs_of((uint64_t)block, signs);
        known = block;
        if (values.single)
            cg_single_signed_add(sketch + bucket, values.single + at, signs + in_block, (size_t)run);
        else
            cg_block_signed_add(sketch + bucket, values.wide + at, signs + in_block, (size_t)run);
        first += run;
        at += (size_t)run;
        n -= run;
    }
}

void cg_sketch_fold(double *out, int64_t length, const double *sketch, int64_t taken)
{
    for (int64_t k = 0; k < length; k++)
        out[k] = sketch[k];
    for (int64_t first = length; first < taken; first += length)
        for (int64_t k = 0; k < length; k++)
            out[k] += sketch[first + k];
}

int cg_sketch_of_ones(float *out, int64_t length, int64_t elements, struct cg_err *err)
{
    double ones[CG_BLOCK], *sketch = cg_new((size_t)length, sizeof *sketch, err);
    if (!sketch)
        return -1;
    for (int i = 0; i < CG_BLOCK; i++)
        ones[i] = 1;
    for (int64_t at = 0; at < elements; at += CG_BLOCK)
        cg_sketch_add(sketch, length, at, (struct cg_values){.wide = ones},
                      elements - at < CG_BLOCK ? elements - at : CG_BLOCK);
    for (int64_t k = 0; k < length; k++)
        out[k] = (float)sketch[k];
    free(sketch);
    return 0;
}

int64_t cg_sketch_floats(const struct cg_anatomy *anatomy, int64_t member)
{
    const struct cg_member *of = &anatomy->members[member];
    return cg_sketch_length(&anatomy->slots[member / anatomy->models], of->rows, of->columns);
}

float *cg_sketches_append(struct cg_sketches *sketches, const struct cg_anatomy *anatomy, int64_t member,
                          struct cg_err *err)
{
    int64_t length = cg_sketch_floats(anatomy, member);
    size_t n = (size_t)sketches->local;
    if (cg_grow((void **)&sketches->member, &sketches->members_room, n + 1, sizeof *sketches->member, err) <
            0 ||
        cg_grow((void **)&sketches->value, &sketches->values_room, (size_t)(sketches->floats + length),
                sizeof *sketches->value, err) < 0)
        return NULL;
    sketches->member[sketches->local++] = member;
    sketches->floats += length;
    return sketches->value + sketches->floats - length;
}

void cg_sketches_release(struct cg_sketches *sketches)
{
    free(sketches->member);
    free(sketches->value);
    *sketches = (struct cg_sketches){0};
}
