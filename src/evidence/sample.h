/* Samples of blocks: which units, columns and tokens, and how large a run can afford them. Local. */
#ifndef COGNATE_EVIDENCE_SAMPLE_H
#define COGNATE_EVIDENCE_SAMPLE_H

#include "cognate/blocks.h"
#include "fetch.h"

/* What is taken of each block of a pair. */
struct cg_sizes {
    int64_t units, columns, tokens;                  /* of signatures */
    int64_t square;                                  /* units of a Gram matrix */
    int64_t exact_rows, exact_columns, exact_tokens; /* of an exact test */
    int64_t gram_tokens;                             /* of the embeddings' Gram matrix */
};

/* The largest signatures that keep a pair's cells under CG_CELL_WORK multiply-adds by each matching, and the
 * `blocks` blocks that take part within CG_STORE_BYTES. Pure. */
enum { CG_STORE_BYTES = 128 << 20 };
#define CG_CELL_WORK 5e10
struct cg_sizes cg_sizes_for(const struct cg_kinship *of, int64_t blocks, int64_t shared_tokens);

/* The most units that signatures of a model with so many blocks have. Pure. */
int64_t cg_most_units(int64_t blocks);

/* The block's units for a signature, ascending: all, or the n whose rows of the first projection, with the
 * gain, the sweep found to be the longest: a choice that follows the units wherever they were moved, in
 * whatever basis. n is at most what was asked for (cg_blocks_request). */
void cg_choose_units(int64_t *out, const struct cg_longest *longest, const struct cg_ffn_block *block,
                     int model, int64_t n);

/* The gain of the norm before the block, [width]; ones where there is none. */
int cg_fetch_gain(float *out, struct cg_fetch *fetch, const struct cg_ffn_block *block, int model,
                  struct cg_err *err);

/* The vectors of those units (NULL, of a projection by rows: the first n) by one of the block's projections,
 * `half`: those elements of them (columns NULL: all), n x ncolumns; with the gain where the projection reads
 * the stream. Units and columns ascend. Rows are read one by one, of a projection by columns every unit's
 * element of each wanted column. */
int cg_fetch_units(float *out, struct cg_fetch *fetch, const struct cg_ffn_block *block, int half, int model,
                   const int64_t *units, int64_t n, const int64_t *columns, int64_t ncolumns,
                   struct cg_err *err);

/* The slot of a model's input embedding that can be fetched, or -1. */
int64_t cg_embedding_slot(const struct cg_checkpoint *const *models, const struct cg_anatomy *anatomy,
                          int model);

#endif
