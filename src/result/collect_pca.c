#include "collect.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int set_features(struct cg_result *out, const struct cg_sweep_options *options, struct cg_err *err)
{
    char text[200];
    if (options->feature_kind == CG_FEATURES_HEAD)
        snprintf(text, sizeof text, "head:%" PRId64 ": the first %" PRId64 " elements of each matrix",
                 options->feature_length, options->feature_length);
    else
        snprintf(text, sizeof text, "sketch:%" PRId64 ": a seeded sign sketch of all elements of each matrix",
                 options->feature_length);
    return cg_result_text(&out->pca_features, text, err);
}

/* Samples are numbered as in the sweep: by model, then in canonical order. */
static int set_samples(struct cg_result *out, const struct cg_findings *findings, struct cg_err *err)
{
    const struct cg_anatomy *anatomy = findings->anatomy;
    int64_t at = 0;
    for (int m = 0; m < anatomy->models; m++)
        for (int64_t s = 0; s < anatomy->nslots; s++) {
            const struct cg_slot *slot = &anatomy->slots[s];
            if (!cg_is_sample(slot, cg_member_of(anatomy, s, m), findings->models[m], findings->options))
                continue;
            out->pca.sample_model[at] = m;
            out->pca.sample_layer[at] = slot->layer;
            out->pca.sample_expert[at] = slot->expert;
            if (cg_result_text(&out->pca.sample_role[at++], cg_role_name(slot->role), err) < 0)
                return -1;
        }
    return 0;
}

int cg_collect_pca(struct cg_result *out, const struct cg_findings *findings, struct cg_err *err)
{
    const struct cg_pca *pca = findings->pca;
    if (!pca)
        return 0;
    out->size[CG_DIM_SAMPLE] = pca->samples;
    out->size[CG_DIM_COMPONENT] = pca->components;
    out->size[CG_DIM_FEATURE] = pca->features;
    if (set_features(out, findings->options, err) < 0 || cg_result_allocate(out, "/pca", err) < 0)
        return -1;
    size_t k = (size_t)pca->components, n = (size_t)pca->samples, f = (size_t)pca->features;
    if (k > 0) {
        memcpy(out->pca.score, pca->score, n * k * sizeof(double));
        memcpy(out->pca.explained_variance, pca->variance, k * sizeof(double));
        memcpy(out->pca.explained_variance_ratio, pca->ratio, k * sizeof(double));
        memcpy(out->pca.component_vector, pca->vector, k * f * sizeof(double));
        memcpy(out->pca.feature_mean, pca->mean, f * sizeof(double));
    }
    return set_samples(out, findings, err);
}
