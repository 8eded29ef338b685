/* The cells of a pair, matched from samples wherever those come from. */
#ifndef COGNATE_EVIDENCE_KINSHIP_H
#define COGNATE_EVIDENCE_KINSHIP_H

#include "cognate/blocks.h"
#include "cognate/comm.h"
#include "source.h"

/* Starts *out: nothing was found yet. */
void cg_kinship_init(struct cg_kinship *out);

/* Which of the pair's blocks take part, numbered. */
struct cg_places {
    int32_t *of[2]; /* [nblocks] -1: no cell uses the block */
    int64_t n;
};
int cg_places_init(struct cg_places *places, const struct cg_kinship *of, struct cg_err *err);
void cg_places_release(struct cg_places *places);

/* Collective, agreed. Fills the cells of *out and the exact tests. */
int cg_kinship_match(const struct cg_comm *comm, struct cg_source *source, const struct cg_places *places,
                     struct cg_kinship *out, struct cg_err *err);

#endif
