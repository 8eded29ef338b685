/* Imprints: what a fingerprint keeps of each member as the sweep passes over it. Local, but for the last. */
#ifndef COGNATE_SWEEP_IMPRINT_H
#define COGNATE_SWEEP_IMPRINT_H

#include "cognate/comm.h"
#include "cognate/sweep.h"
#include "panel.h"
#include "sketches.h"

/* Room for all members of the plan, zeroed; nothing where the options ask for no imprints. */
int cg_imprints_init(struct cg_imprints *imprints, const struct cg_plan *plan,
                     const struct cg_anatomy *anatomy, const struct cg_imprint_options *options,
                     struct cg_err *err);
void cg_imprints_release(struct cg_imprints *imprints);

/* The panel of a member: residual 0 where none is kept. */
struct cg_panel_shape cg_imprint_shape(const struct cg_imprints *imprints, const struct cg_plan *plan,
                                       const struct cg_anatomy *anatomy, int64_t bundle, int64_t member);

/* Takes a run of the member's values; runs come in order, each once. `sketch` is the member's, begun with
 * imprints->sketch buckets. */
void cg_imprint_take(struct cg_imprints *imprints, int64_t member, const struct cg_panel_shape *shape,
                     struct cg_sketch *sketch, const struct cg_elements *run);

/* After the last block. */
void cg_imprint_end(struct cg_imprints *imprints, int64_t member, struct cg_sketch *sketch);

/* Collective: each member's imprint, on one rank so far, reaches all. */
void cg_imprints_share(const struct cg_comm *comm, struct cg_imprints *imprints, int64_t nmembers);

#endif
