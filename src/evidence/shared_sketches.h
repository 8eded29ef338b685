/* The sketches of one model as every rank has them: centred, of unit length. */
#ifndef COGNATE_EVIDENCE_SHARED_SKETCHES_H
#define COGNATE_EVIDENCE_SHARED_SKETCHES_H

#include "cognate/anatomy.h"
#include "cognate/comm.h"
#include "cognate/plan.h"
#include "cognate/sweep.h"

struct cg_shared_sketches {
    int64_t *first; /* [nslots] where a slot's sketch begins, -1: none. The caller lays them out */
    int64_t floats; /* and says how many there are in all */
    int64_t most;   /* longer sketches are folded to so many buckets, a power of two */
    float *value;   /* [floats] */
};

/* No slot is laid out yet. */
int cg_shared_sketches_init(struct cg_shared_sketches *shared, const struct cg_anatomy *anatomy, int64_t most,
                            struct cg_err *err);
void cg_shared_sketches_release(struct cg_shared_sketches *shared);

/* Floats of a slot's sketch after folding. */
int64_t cg_shared_length(const struct cg_shared_sketches *shared, const struct cg_anatomy *anatomy,
                         int64_t slot, int model);

/* Fills the sketches that are laid out. What has no variance, or no plain values, has a sketch of zeros.
 * Collective, agreed. */
int cg_sketches_share(const struct cg_comm *comm, const struct cg_anatomy *anatomy,
                      const struct cg_plan *plan, const struct cg_sweep *sweep, int model,
                      struct cg_shared_sketches *shared, struct cg_err *err);

/* sum a_k b_k and sum a_k^2 b_k^2. */
void cg_sketch_products(const float *a, const float *b, int64_t n, double *product, double *squares);

#endif
