/* Where the layers of b come from, by all that says so; and slots that moved with their very bytes. Pure. */
#ifndef COGNATE_RESULT_ORIGINS_H
#define COGNATE_RESULT_ORIGINS_H

#include "weigh.h"

/* Of one pair. A layer comes from the layer of a whose bytes fill most of its matrices; else from where the
 * best of its blocks does; else from where the sketches of its attention do, or of its feed-forward part;
 * else from the layer of its own index, where a slot there passes. */
struct cg_origins {
    int32_t layers, layers_a; /* one more than the highest layer that b, and a, fill */
    int32_t *from;            /* [layers] layer of a, -1: none is known */
    double *log10_p;          /* [layers] corrected, of the strongest that was found there; NaN: not tested */
};

/* [npairs], in *out; the comparisons' slots, blocks and identities must stand. */
int cg_origins_find(struct cg_origins **out, const struct cg_findings *findings,
                    const struct cg_comparisons *all, struct cg_err *err);
void cg_origins_release(struct cg_origins *origins, int64_t npairs);

/* Up projections among the slots that moved, for what they say of experts. */
struct cg_moves {
    int64_t blocks, from_dense, to_dense, other_expert;
};
struct cg_moves cg_moves_of(const struct cg_findings *findings, const struct cg_identities *identities);

/* ": layers 6 to 11 those of layers 2 to 7, ..." of layers that are not in their place; nothing of none. */
int cg_put_runs(struct cg_buf *text, const int32_t *map, int32_t layers, struct cg_err *err);

/* "72 slots of b hold the very bytes of other slots of a: layers 6 to 11 those of layers 2 to 7.\n"; nothing
 * where there are none. */
int cg_moves_say(struct cg_buf *text, const struct cg_findings *findings, const struct cg_comparisons *all,
                 int64_t p, struct cg_err *err);

#endif
