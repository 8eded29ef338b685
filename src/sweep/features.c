#include "features.h"
#include "cognate/mem.h"
#include <stdlib.h>

bool cg_is_sample(const struct cg_slot *slot, const struct cg_member *member,
                  const struct cg_checkpoint *model, const struct cg_sweep_options *options)
{
    return cg_may_be_sketched(slot, member, model) &&
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

void cg_features_take(const struct cg_sweep_options *options, double *row, const struct cg_elements *run)
{
    int64_t length = options->feature_length;
    if (options->feature_kind == CG_FEATURES_SKETCH)
        cg_sketch_add(&(struct cg_sketch){.length = length, .sums = row}, run);
    else
        for (size_t i = 0; i < run->n && run->first + (int64_t)i < length; i++)
            row[run->first + (int64_t)i] = cg_value(run->values, i);
}
