/* What the ranks of a sweep tell each other, counted from the plan: the same calls, with the same sizes, that
 * cg_sweep_run makes. Agreements and single numbers are left out. Pure.
 */
#ifndef COGNATE_TRAFFIC_H
#define COGNATE_TRAFFIC_H

#include "cognate/sweep.h"

/* enumerator, name in JSON, what it is */
#define CG_TRAFFIC_LIST(X)                                                                                   \
    X(CG_TRAFFIC_TABLE, table, "sums of the chunks")                                                         \
    X(CG_TRAFFIC_NULLS, nulls, "shift nulls of the pairs")                                                   \
    X(CG_TRAFFIC_DIGESTS, digests, "SHA-256 of the members")                                                 \
    X(CG_TRAFFIC_EMBEDDINGS, embeddings, "small embeddings, kept for their tokens")

enum cg_traffic_kind {
#define CG_TRAFFIC_ENUM(id, name, what) id,
    CG_TRAFFIC_LIST(CG_TRAFFIC_ENUM)
#undef CG_TRAFFIC_ENUM
        CG_TRAFFIC_KINDS
};

struct cg_traffic {
    struct {
        int64_t calls; /* of MPI_Allreduce */
        int64_t bytes; /* that every rank hands in, all calls together */
    } reduction[CG_TRAFFIC_KINDS];
    int64_t panels, panel_bytes; /* of split slots: messages from one rank to another */
};

void cg_traffic_of(struct cg_traffic *out, const struct cg_plan *plan, const struct cg_anatomy *anatomy);

/* As above, what the reductions take as messages when each halves and doubles (Rabenseifner 2004, doi
 * 10.1007/978-3-540-24685-5_1): 2 ceil(log2 ranks) messages a rank and call, 2 (ranks - 1) times the bytes in
 * all; and the panels. */
int64_t cg_traffic_messages(const struct cg_traffic *traffic, int ranks);
int64_t cg_traffic_bytes(const struct cg_traffic *traffic, int ranks);

#endif
