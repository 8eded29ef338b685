/* Cross-slot identity: slots of b that hold the very bytes of another slot of a. From the sweep's digests, at
 * no further cost. Pure, the same on every rank.
 *
 * Two members are the same when shape, stored type and SHA-256 are. Null: of members that differ no two have
 * one digest but with probability 2^-256 for each pair of members, n_a n_b 2^-256 for two models.
 *
 * What proves nothing is left out: members of one value throughout, of less than CG_LEAST_SAME elements, in
 * roles that strangers set by formula (cg_is_by_formula, other), and tied output embeddings. So is a slot of
 * b whose own slot of a has equal values: that is no move. Slots of one model that equal each other, such as
 * the experts of an up-cycled block, bring one row a slot of b: the first slot of a in canonical order.
 */
#ifndef COGNATE_IDENTITIES_H
#define COGNATE_IDENTITIES_H

#include "cognate/evidence.h"

struct cg_identity {
    int64_t slot_a, slot_b;
};

struct cg_identities {
    int64_t n;
    struct cg_identity *list; /* by slot_b */
    double log10_p;           /* of any of them: log10(n_a n_b 2^-256) */
};

/* Of each pair of models: *out has npairs and is released by the caller, however this ends. */
int cg_identities_find(struct cg_identities **out, const struct cg_anatomy *anatomy,
                       const struct cg_plan *plan, const struct cg_sweep *sweep, const int32_t (*pairs)[2],
                       int64_t npairs, struct cg_err *err);
void cg_identities_release(struct cg_identities *identities, int64_t npairs);

#endif
