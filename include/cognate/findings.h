/* From what the stages found to the result. Rank 0 alone. */
#ifndef COGNATE_FINDINGS_H
#define COGNATE_FINDINGS_H

#include "cognate/anatomy.h"
#include "cognate/blocks.h"
#include "cognate/evidence.h"
#include "cognate/manifest.h"
#include "cognate/maps.h"
#include "cognate/pca.h"
#include "cognate/plan.h"
#include "cognate/result.h"
#include "cognate/sweep.h"
#include "cognate/tokens.h"
#include "cognate/vocabulary.h"

/* Everything that the stages before left behind; nothing is owned. */
struct cg_findings {
    const struct cg_checkpoint *const *models;
    const struct cg_manifest *skipped;           /* broken models that the run went on without */
    const struct cg_architecture *architectures; /* [models] */
    const struct cg_anatomy *anatomy;
    const struct cg_plan *plan;
    const struct cg_sweep *sweep;
    const int32_t (*pairs)[2];
    int64_t npairs;
    const struct cg_alignment *alignments; /* [npairs] */
    const bool *aligned;                   /* [npairs] both vocabularies were there */
    const struct cg_token_cosines *tokens; /* [npairs] */
    const struct cg_kinship *kinships;     /* [npairs]; NULL: --evidence quick */
    const struct cg_maps *maps;            /* [npairs]; NULL likewise */
    const struct cg_pca *pca;              /* NULL: none */
    const struct cg_sweep_options *options;
};

/* Fills a zeroed result, all but `run`. Released on failure. */
int cg_result_collect(struct cg_result *out, const struct cg_findings *findings, struct cg_err *err);

#endif
