/* The exact tests of a pair, on full samples: cells in one place of both models, cells that the other
 * statistics point at, and the embeddings' columns. Collective, agreed. */
#ifndef COGNATE_EVIDENCE_EXACT_H
#define COGNATE_EVIDENCE_EXACT_H

#include "cognate/comm.h"
#include "source.h"

/* Fills sample and fixed of the cells tested, columns, fixed_columns and token_gram. */
int cg_exact_run(const struct cg_comm *comm, struct cg_source *source, struct cg_kinship *out,
                 struct cg_err *err);

#endif
