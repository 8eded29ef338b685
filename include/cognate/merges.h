/* Merges: models of a run that are weighted sums of others. Pure, from the sweep's sums alone; the same on
 * every rank.
 *
 * An account of a child c is a set of two to four other models, its members. Layer by layer c is held against
 * them by least squares with weights that sum to one:
 *
 *     c = sum of w_m m + rest,   sum of w_m = 1,   |rest|^2 least,
 *
 * over the elements of all matrices of the layer (axes of more than one element, finite in all, swept side by
 * side). With a base o among the members that is the regression of c - o on the parents m - o: the parents'
 * weights are free and o has one minus their sum, so that weights of other sums and signs are found
 * (task arithmetic, Ilharco et al. 2023, arXiv 2212.04089). The normal equations come from squared distances,
 * by polarisation, 2 (x - o).(y - o) = |x - o|^2 + |y - o|^2 - |x - y|^2, with the member nearest to c in
 * place of o: products of whole matrices would cancel.
 *
 * unexplained: |rest|^2 over |c - m|^2 of the member m nearest to c, both over all layers: 0 for an exact
 * merge, about a half for the base of two children, 1 for a sibling. An account explains with less than a
 * tenth, and where no weight's mean size is beyond 1: of models on one line it is the middle one that lies
 * between the others. The account taken is that of the fewest members that explains; a larger one only if it
 * leaves less than a tenth of what the smaller one left. Among those that leave up to a quarter more than the
 * least, it is that whose members lie furthest apart.
 *
 * No model is made of one that is made of it: of all children the plainest accounts are taken first (weights
 * above 0, then fewer members, then smaller weights, then the later model of the run), and who comes after
 * looks among what is left.
 *
 * base: of three or four members the one nearest to the others among those that see any two others at a
 * cosine below 1/3, as models that were fine-tuned apart are seen from where they began; its weight is then
 * one minus the parents'. -1: there is none, or a relative outside the account, nearer to it than the others,
 * sees all members so: they are fine-tuned from that one, an ancestor whose own weight is 0. Geometry cannot
 * tell more: where another model of the same set is as good a child (as in a parallelogram, where all weights
 * are 1 or -1) `ambiguous` is set.
 *
 * Standard errors are between matrices, since elements within one are not independent (further training moves
 * whole matrices): with the score u_s = X_s' rest_s of each of the layer's n matrices and k free weights,
 *
 *     V = n / (n - k) (X'X)^-1 (sum of u_s u_s') (X'X)^-1,
 *
 * the sandwich of Liang and Zeger 1986 (doi 10.1093/biomet/73.1.13) with matrices as clusters. It assumes
 * independent matrices, and is to be read with Student's t of n - k degrees of freedom; below ten matrices it
 * is rather too small (Cameron and Miller 2015, doi 10.3368/jhr.50.2.317). NaN for n <= k.
 *
 * Work: of each child the twelve nearest models of its shapes, at most 781 accounts, each a system of at most
 * three equations a layer; three passes over the slots' sums. Nothing is read again. */
#ifndef COGNATE_MERGES_H
#define COGNATE_MERGES_H

#include "cognate/anatomy.h"
#include "cognate/plan.h"
#include "cognate/sweep.h"
#include <stdbool.h>
#include <stdint.h>

enum { CG_MERGE_PARENTS = 4 };

struct cg_merge_layer {
    int32_t layer;    /* -1: matrices outside layers, which `unexplained` of the whole leaves out */
    int64_t matrices; /* n above, at least 1 */
    double
        weight[CG_MERGE_PARENTS]; /* NaN: in this layer parents are equal or so nearly on one line (less
                                     than 1e-4 of one lies off the others) that they cannot be told apart */
    double standard_error[CG_MERGE_PARENTS];
    double unexplained; /* |rest|^2 over |c - m|^2 of the same member m, in this layer; 0 where both are */
};

struct cg_merge {
    int child, base; /* base -1: none */
    int parents;
    int parent[CG_MERGE_PARENTS]; /* ascending; without a base their weights sum to one */
    int alike[CG_MERGE_PARENTS];  /* a model that in the parent's place leaves no more than twice as much:
                                     which  of the two took part cannot be told; -1: none */
    bool ambiguous;
    double unexplained;
    int32_t nlayers;
    struct cg_merge_layer *layers; /* [nlayers] ascending */
};

struct cg_merges {
    int n;
    struct cg_merge *list; /* by child, at most one each */
};

int cg_merges_find(struct cg_merges *out, const struct cg_anatomy *anatomy, const struct cg_plan *plan,
                   const struct cg_sweep *sweep, struct cg_err *err);
void cg_merges_release(struct cg_merges *merges);

/* The merge that holds one of the two as child and the other as parent or base, or NULL. */
const struct cg_merge *cg_merge_of(const struct cg_merges *merges, int a, int b);

#endif
