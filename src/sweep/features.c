#include "features.h"
#include "cognate/mem.h"
#include "mix.h"
#include <stdlib.h>

static const uint64_t SKETCH_SEED = UINT64_C(0x636F676E617465); /* "cognate" */

bool cg_is_sample(const struct cg_slot *slot, const struct cg_member *member,
                  const struct cg_checkpoint *model, const struct cg_sweep_options *options)
{
    return member->tensor >= 0 && !member->tied && slot->layer >= 0 && member->rows > 1 &&
           member->columns > 1 && cg_member_is_real(model, member) &&
           (options->feature_kind == CG_FEATURES_SKETCH ||
            (options->feature_kind == CG_FEATURES_HEAD &&
             member->rows * member->columns >= options->feature_length));
}

int cg_samples_number(struct cg_samples *samples, const struct cg_anatomy *anatomy,
                      const struct cg_checkpoint *const *models, const struct cg_sweep_options *options,
                      struct cg_err *err)
{
    samples->n = 0;
    samples->index = cg_new((size_t)(anatomy->nslots * anatomy->models), sizeof *samples->index, err);
    if (!samples->index)
        return -1;
    for (int m = 0; m < anatomy->models; m++)
        for (int64_t s = 0; s < anatomy->nslots; s++)
            samples->index[s * anatomy->models + m] =
                cg_is_sample(&anatomy->slots[s], cg_member_of(anatomy, s, m), models[m], options)
                    ? samples->n++
                    : -1;
    return 0;
}

void cg_samples_release(struct cg_samples *samples)
{
    free(samples->index);
    *samples = (struct cg_samples){0};
}

int cg_features_init(struct cg_features *features, const struct cg_samples *samples,
                     const struct cg_sweep_options *options, int64_t local, struct cg_err *err)
{
    *features = (struct cg_features){.samples = samples->n, .features = options->feature_length};
    features->sample = cg_new((size_t)local, sizeof *features->sample, err);
    features->value = features->sample
                          ? cg_new((size_t)local, (size_t)options->feature_length * sizeof(double), err)
                          : NULL;
    return features->value ? 0 : -1;
}

/* Signs come in blocks of CG_BLOCK elements, by the block's number. */
static void signs_of(uint64_t block, double *signs)
{
    uint64_t bits[CG_BLOCK / 64];
    for (uint64_t w = 0; w < CG_BLOCK / 64; w++)
        bits[w] = cg_mix(SKETCH_SEED ^ cg_mix(block * (CG_BLOCK / 64) + w));
    cg_block_signs(bits, signs);
}

static void sketch(double *row, int64_t length, int64_t first, struct cg_values values, int64_t n)
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
            cg_single_signed_add(row + bucket, values.single + at, signs + in_block, (size_t)run);
        else
            cg_block_signed_add(row + bucket, values.wide + at, signs + in_block, (size_t)run);
        first += run;
        at += (size_t)run;
        n -= run;
    }
}

void cg_features_take(const struct cg_sweep_options *options, double *row, int64_t first,
                      struct cg_values values, size_t n)
{
    int64_t length = options->feature_length, count = (int64_t)n;
    if (options->feature_kind == CG_FEATURES_SKETCH)
        sketch(row, length, first, values, count);
    else
        for (int64_t i = 0; i < count && first + i < length; i++)
            row[first + i] = cg_value(values, (size_t)i);
}
