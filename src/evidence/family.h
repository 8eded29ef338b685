/* A child and its relatives by their squared distances, layer by layer: all that an account of it needs
 * (merges.h). Local. */
#ifndef COGNATE_EVIDENCE_FAMILY_H
#define COGNATE_EVIDENCE_FAMILY_H

#include "cognate/anatomy.h"
#include "cognate/plan.h"
#include "cognate/sweep.h"

enum { CG_MOST_RELATIVES = 12, CG_FAMILY = CG_MOST_RELATIVES + 1, CG_LEAST_MATRICES = 3 };

struct cg_sums {
    const struct cg_anatomy *anatomy;
    const struct cg_plan *plan;
    const struct cg_sweep *sweep;
};

/* A child, its relatives, and their squared distances, the child first. */
struct cg_family {
    int n, model[CG_FAMILY];
    int32_t groups, first;               /* outside layers, then layer by layer; the first that counts */
    int64_t *matrices;                   /* [groups] */
    double *distance;                    /* [groups * n * n] */
    double total[CG_FAMILY * CG_FAMILY]; /* over the groups that count */
    double rounding;                     /* what the sums themselves may leave unexplained */
};

/* Lists the child and its nearest relatives that share most of its shapes, of equal models the first, and
 * measures them. Fewer than two relatives leave `groups` 0. */
int cg_family_init(struct cg_family *family, const struct cg_sums *sums, int child, struct cg_err *err);
void cg_family_release(struct cg_family *family);

/* Fills the distances of the models listed, over the slots that all of them fill alike. */
int cg_family_measure(struct cg_family *family, const struct cg_sums *sums, struct cg_err *err);

/* |i - j|^2 over all groups that count. */
double cg_family_total(const struct cg_family *family, int i, int j);

/* The group of a slot, and the [n * n] distances in it; false where not all of the models fill it with finite
 * matrices that are swept side by side. */
int32_t cg_family_group(const struct cg_slot *slot);
bool cg_family_in_slot(double *out, const struct cg_sums *sums, int64_t slot, const int *model, int n);

#endif
