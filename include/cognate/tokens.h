/* Embedding rows of tokens that two models share.
 *
 * For tokens i of the same bytes, a_i and b_i are rows of the two input embeddings, and m_a, m_b the mean
 * rows over the shared tokens:   cosine_i = cos(a_i, b_i),   centred_i = cos(a_i - m_a, b_i - m_b). The means
 * need all rows before the first centred cosine: embeddings small enough are kept during the sweep, larger
 * ones are read again, twice.
 */
#ifndef COGNATE_TOKENS_H
#define COGNATE_TOKENS_H

#include "cognate/anatomy.h"
#include "cognate/comm.h"
#include "cognate/sweep.h"
#include "cognate/vocabulary.h"

struct cg_token_cosines {
    int64_t shared; /* tokens */
    int64_t listed; /* those with a cosine below: all of them; none when the rows have different widths or
                       were not read; fewer after cg_tokens_thin */
    double *cosine, *centred;           /* [listed] */
    double whole_cosine, whole_centred; /* of all shared rows as one vector */
    int64_t bytes_reread;               /* by this rank */
};

/* Collective, agreed. Models a and b; ids as in `alignment`, the same on every rank (its text is not needed).
 * With `reread` false only kept embeddings are used. Exact on any number of ranks. */
int cg_tokens_compare(const struct cg_comm *comm, const struct cg_checkpoint *const *models,
                      const struct cg_anatomy *anatomy, const struct cg_sweep *sweep, int a, int b,
                      const struct cg_alignment *alignment, bool reread, struct cg_token_cosines *out,
                      struct cg_err *err);
void cg_token_cosines_release(struct cg_token_cosines *cosines);

/* Keeps every stride-th token of both; the whole cosines stay those of all. Local. */
void cg_tokens_thin(struct cg_token_cosines *cosines, struct cg_alignment *alignment, int64_t stride);

/* Collective, agreed: ids of rank 0's alignment to all ranks (the text stays there). */
int cg_alignment_broadcast(const struct cg_comm *comm, struct cg_alignment *alignment, struct cg_err *err);

#endif
