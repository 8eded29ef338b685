#include "sketches.h"
#include "cognate/mem.h"
#include "kernels.h"
#include "mix.h"
#include <stdlib.h>
#include <string.h>

static const uint64_t SKETCH_SEED = UINT64_C(0x636F676E617465); /* "cognate" */

enum { EXPERT_LENGTH = 512 }; /* experts are many, and judged by three matrices together */

enum { SHORTEST = 512 }; /* sketch where it gains that floats meet as floats first */

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

/* n bits from bit `at` on: where they lie, or shifted into `room`. The word behind the last is touched. */
static const uint64_t *bits_from(const uint64_t *bits, size_t at, size_t n, uint64_t *room)
{
    size_t word = at / 64, shift = at % 64;
    for (size_t w = 0; shift > 0 && w < (n + 63) / 64; w++)
        room[w] = bits[word + w] >> shift | bits[word + w + 1] << (64 - shift);
    return shift > 0 ? room : bits + word;
}

/* 64 elements from a multiple of 64 on have the bits of one number. */
static uint64_t signs_of(uint64_t number)
{
    return cg_mix(SKETCH_SEED ^ cg_mix(number));
}

static void find_signs(struct cg_signs *signs, int64_t first, size_t n)
{
    uint64_t number = (uint64_t)first / 64, shift = (uint64_t)first % 64;
    size_t words = (n + 63) / 64;
    if (signs->first == first && signs->n >= n)
        return;
    for (size_t w = 0; w < words; w++)
        signs->bits[w] = signs_of(number + w);
    signs->bits[words] = shift > 0 ? signs_of(number + words) : 0;
    for (size_t w = 0; shift > 0 && w < words; w++)
        signs->bits[w] = signs->bits[w] >> shift | signs->bits[w + 1] << (64 - shift);
    signs->first = first;
    signs->n = n;
}

int cg_sketch_init(struct cg_sketch *sketch, int64_t most, struct cg_err *err)
{
    *sketch = (struct cg_sketch){0};
    if ((sketch->sums = cg_new_aligned((size_t)most, sizeof *sketch->sums, err)) &&
        (sketch->recent = cg_new_aligned((size_t)most, sizeof *sketch->recent, err)))
        return 0;
    cg_sketch_release(sketch);
    return -1;
}

void cg_sketch_release(struct cg_sketch *sketch)
{
    free(sketch->sums);
    free(sketch->recent);
    *sketch = (struct cg_sketch){0};
}

void cg_sketch_begin(struct cg_sketch *sketch, int64_t length)
{
    sketch->length = length;
    sketch->n = 0;
    memset(sketch->sums, 0, (size_t)length * sizeof *sketch->sums);
    memset(sketch->recent, 0, (size_t)length * sizeof *sketch->recent);
}

void cg_sketch_end(struct cg_sketch *sketch)
{
    if (sketch->n > 0)
        cg_single_join(sketch->sums, sketch->recent, (size_t)sketch->length);
    sketch->n = 0;
}

static void add_signed(struct cg_sketch *sketch, int64_t bucket, struct cg_values values, size_t at,
                       const uint64_t *bits, size_t n)
{
    if (values.wide)
        cg_block_signed_add(sketch->sums + bucket, values.wide + at, bits, n);
    else if (!sketch->recent || sketch->length < SHORTEST)
        cg_single_signed_add(sketch->sums + bucket, values.single + at, bits, n);
    else {
        cg_single_signed_add_single(sketch->recent + bucket, values.single + at, bits, n);
        sketch->n += (int64_t)n;
    }
}

/* Up to CG_BLOCK elements, as far as buckets follow each other at a time. */
static void add_block(struct cg_sketch *sketch, const struct cg_elements *run, size_t begin, size_t end)
{
    uint64_t room[CG_BLOCK / 64];
    for (size_t at = begin, some; at < end; at += some) {
        int64_t bucket = (run->first + (int64_t)at) % sketch->length;
        size_t left = (size_t)(sketch->length - bucket);
        some = left < end - at ? left : end - at;
        add_signed(sketch, bucket, run->values, at, bits_from(run->signs->bits, at - begin, some, room),
                   some);
    }
    if (sketch->n >= CG_SKETCH_FEW * sketch->length)
        cg_sketch_end(sketch);
}

void cg_sketch_add(struct cg_sketch *sketch, const struct cg_elements *run)
{
    for (size_t at = 0, end; at < run->n; at = end) {
        end = run->n - at < CG_BLOCK ? run->n : at + CG_BLOCK;
        find_signs(run->signs, run->first + (int64_t)at, end - at);
        add_block(sketch, run, at, end);
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
    float ones[CG_BLOCK];
    struct cg_signs signs = {0};
    struct cg_sketch sketch;
    if (cg_sketch_init(&sketch, length, err) < 0)
        return -1;
    cg_sketch_begin(&sketch, length);
    for (int i = 0; i < CG_BLOCK; i++)
        ones[i] = 1;
    for (int64_t at = 0; at < elements; at += CG_BLOCK) {
        size_t n = (size_t)(elements - at < CG_BLOCK ? elements - at : CG_BLOCK);
        cg_sketch_add(&sketch, &(struct cg_elements){at, n, {.single = ones}, &signs});
    }
    cg_sketch_end(&sketch);
    for (int64_t k = 0; k < length; k++)
        out[k] = (float)sketch.sums[k];
    cg_sketch_release(&sketch);
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
