/* What the PCA sees of each matrix: its first N elements, or a seeded sign sketch of all of them
 * (sketches.h). */
#ifndef COGNATE_SWEEP_FEATURES_H
#define COGNATE_SWEEP_FEATURES_H

#include "cognate/anatomy.h"
#include "cognate/err.h"
#include "cognate/sweep.h"
#include "kernels.h"
#include "sketches.h"

/* Every sample's index: by model, then in canonical order. */
struct cg_samples {
    int64_t n;
    int64_t *index; /* [nslots * models], -1: no sample */
};
int cg_samples_number(struct cg_samples *samples, const struct cg_anatomy *anatomy,
                      const struct cg_checkpoint *const *models, const struct cg_sweep_options *options,
                      struct cg_err *err);
void cg_samples_release(struct cg_samples *samples);

/* Room for `local` rows, zeroed and unassigned. */
int cg_features_init(struct cg_features *features, const struct cg_samples *samples,
                     const struct cg_sweep_options *options, int64_t local, struct cg_err *err);

/* Takes a run, wherever it begins. `row` is the sample's row of values. */
void cg_features_take(const struct cg_sweep_options *options, double *row, const struct cg_elements *run);

#endif
