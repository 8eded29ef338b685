/* The sketches of one model as every rank has them: centred, of unit length. */
#ifndef COGNATE_EVIDENCE_SHARED_SKETCHES_H
#define COGNATE_EVIDENCE_SHARED_SKETCHES_H

#include "cognate/anatomy.h"
#include "cognate/comm.h"
#include "cognate/plan.h"
#include "cognate/sweep.h"

struct cg_shared_sketches {
    int64_t *first; /* [nslots] where a slot's sketch begins, -1: none */
    int64_t floats;
    float *value;
    int64_t fold; /* of an expert's sketch so many buckets became one */
};

/* Which slots of a model are wanted. */
typedef bool cg_wants_sketch(const struct cg_slot *slot, const struct cg_member *member);

/* Floats of a slot's sketch after folding. */
int64_t cg_shared_length(const struct cg_shared_sketches *shared, const struct cg_anatomy *anatomy,
                         int64_t slot, int model);

/* Collective, agreed. What has no variance has a sketch of zeros. */
int cg_sketches_share(const struct cg_comm *comm, const struct cg_checkpoint *const *models,
                      const struct cg_anatomy *anatomy, const struct cg_plan *plan,
                      const struct cg_sweep *sweep, int model, cg_wants_sketch *wants, int64_t fold,
                      struct cg_shared_sketches *out, struct cg_err *err);
void cg_shared_sketches_release(struct cg_shared_sketches *shared);

/* sum a_k b_k and sum a_k^2 b_k^2. */
void cg_sketch_products(const float *a, const float *b, int64_t n, double *product, double *squares);

#endif
