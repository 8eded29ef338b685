/* Where the samples of a pair's blocks and embeddings come from, behind a table of functions: the models'
 * files (model_source.c), or fingerprints. Samples are nested: those of a smaller size are among those of a
 * larger one, so that sources of different sizes meet in the smaller. Local. */
#ifndef COGNATE_EVIDENCE_SOURCE_H
#define COGNATE_EVIDENCE_SOURCE_H

#include "cognate/blocks.h"
#include "fetch.h"
#include "kept.h"
#include "sample.h"

struct cg_source {
    void *self;
    const struct cg_kinship *of; /* the pair's blocks and cells */
    struct cg_sizes sizes;       /* what is taken of this pair */
    int64_t shared_tokens;       /* that rows of both embeddings are there for */
    int64_t width[2];            /* of the embeddings; 0: none, and no tokens are asked for */
    bool probes;                 /* whether blocks answer tokens in both */
    struct cg_kept *kept;        /* of model a, from pair to pair; or NULL */
    const int32_t *answered;     /* [sizes.tokens] which of a's tokens these are; wanted where `kept` is */

    /* How many units the signature of a block has, at most sizes.units. */
    int64_t (*units)(const struct cg_source *source, int side, int32_t block);

    /* The block's signature: unit rows by its first projection from out on and by the second from out + half
     * on, units x min(width, sizes.columns) or units x sizes.tokens, whole. Of CG_STATISTIC_GRAM the unit
     * square alone, of the first cg_pick(units, sizes.square, 2). Raw comes before the others. */
    int (*take)(struct cg_source *source, enum cg_statistic what, int side, int32_t block, float *out,
                int64_t half, struct cg_err *err);

    /* Units' vectors by one of the projections, with the gain where it reads, not centred: n x ncolumns,
     * units and elements as cg_pick picks them with the seeds CG_PICK_ROWS and CG_PICK_COLUMNS. */
    int (*rows)(struct cg_source *source, int side, int32_t block, int half, int64_t n, int64_t ncolumns,
                float *out, struct cg_err *err);

    /* A row an expert of one of the pair's routers: with the gain, units x width, or answers to the tokens,
     * units x sizes.tokens. Not centred. NULL: the source has no routers. */
    int (*router)(struct cg_source *source, int side, const struct cg_ffn_block *router, bool tokens,
                  float *out, struct cg_err *err);

    /* Of n shared tokens the columns that cg_pick picks of the width with CG_PICK_ROWS: ncolumns x n. */
    int (*token_columns)(struct cg_source *source, int side, int64_t n, int64_t ncolumns, float *out,
                         struct cg_err *err);

    /* Inner products of the rows of n shared tokens, their mean row taken away: n x n. */
    int (*token_gram)(struct cg_source *source, int side, int64_t n, float *out, struct cg_err *err);
};

enum { CG_PICK_COLUMNS = 1, CG_PICK_ROWS = 2 }; /* seeds */

/* The source that reads models a and b of a run, at those sizes. Of the aligned tokens it takes as many as it
 * is asked for, evenly spread. `of`, `alignment` and `fetch` must outlive it. */
struct cg_model_source;
struct cg_model_source *cg_model_source_create(struct cg_source *out, struct cg_fetch *fetch,
                                               const struct cg_longest *longest, const int model[2],
                                               const struct cg_kinship *of, const struct cg_sizes *sizes,
                                               const struct cg_alignment *alignment, struct cg_err *err);
void cg_model_source_destroy(struct cg_model_source *source);

#endif
