/* Least squares with weights that sum to one, from squared distances (merges.h has the formulas). Pure. */
#ifndef COGNATE_EVIDENCE_AFFINE_H
#define COGNATE_EVIDENCE_AFFINE_H

#include <stdbool.h>

enum { CG_AFFINE_MEMBERS = 4 };

struct cg_affine {
    int n, origin;                    /* members; the one that differences are taken from */
    double weight[CG_AFFINE_MEMBERS]; /* sum to one */
    double inverse[CG_AFFINE_MEMBERS][CG_AFFINE_MEMBERS]; /* (X'X)^-1, zero in the origin's row and column */
    double rest;                                          /* its squared length */
    bool told; /* no member lies all but on the others; otherwise weights are those without it */
};

/* distance: [(n + 1) * (n + 1)] squared, the child first, then the members. */
struct cg_affine cg_affine_fit(const double *distance, int n, int origin);

/* Adds u u' to meat, u the score of a part of the elements, of which these are the distances. */
void cg_affine_add_score(const struct cg_affine *fit, const double *distance,
                         double meat[CG_AFFINE_MEMBERS][CG_AFFINE_MEMBERS]);

/* Variances of the weights: the sandwich with that meat, times `factor`. */
void cg_affine_variances(const struct cg_affine *fit, double meat[CG_AFFINE_MEMBERS][CG_AFFINE_MEMBERS],
                         double factor, double variance[CG_AFFINE_MEMBERS]);

#endif
