/* Evidence: what the sums of a pair say, slot by slot, layer by layer. Pure functions of the sweep; the same
 * on every rank. */
#ifndef COGNATE_EVIDENCE_H
#define COGNATE_EVIDENCE_H

#include "cognate/anatomy.h"
#include "cognate/plan.h"
#include "cognate/sweep.h"
#include <stdbool.h>
#include <stdint.h>

/* Student's t: the decimal logarithm of P(T > t) with `freedom` degrees of freedom, for any t; far tails do
 * not underflow. By the continued fraction of the incomplete beta function (DLMF 8.17.22) in logarithms; NaN
 * for NaN. */
double cg_t_log10_tail(double t, double freedom);

/* The t whose tail has that logarithm: log10_p < 0. */
double cg_t_of_log10_tail(double log10_p, double freedom);

/* Bonferroni: the logarithm of min(1, n p). */
double cg_bonferroni(double log10_p, int64_t tests);

/* Whether strangers set a role by one formula, and may keep to it: position embeddings, Mamba's decays. */
bool cg_is_by_formula(enum cg_role role);

/* Elements from which on equal values are no accident. */
enum { CG_LEAST_SAME = 1024 };

/* A slot in a pair. Absent numbers are NaN. */
struct cg_comparison {
    bool compared;    /* both models fill the slot with tensors of one shape */
    bool matrix;      /* two axes of more than one element */
    bool identical;   /* same SHA-256 and same stored type */
    bool equal;       /* every decoded element is equal */
    bool constant;    /* one value throughout, in both */
    int64_t elements; /* of each; 0 when not compared */
    double cosine, centred_cosine, relative_difference;
    double difference; /* sum of (b - a)^2 */
    double rounding;   /* how much of it rounding to their quantised types explains: 0 where neither is */
    struct cg_shift_null null;
    double log10_p; /* of t, one-sided, not corrected */
};

/* Compares models a and b in a slot. */
struct cg_comparison cg_compare_slot(const struct cg_anatomy *anatomy, const struct cg_plan *plan,
                                     const struct cg_sweep *sweep, int64_t slot, int a, int b);

/* The same from products, a before b, and a shift null that come from elsewhere; NULL: none are known. Of the
 * sweep only digests and moments are looked at. */
struct cg_comparison cg_compare_products(const struct cg_anatomy *anatomy, const struct cg_plan *plan,
                                         const struct cg_sweep *sweep, int64_t slot, int a, int b,
                                         const struct cg_products *products,
                                         const struct cg_shift_null *null);

/* Facts of one member, from its moments; NaN where there is no finite element. */
struct cg_description {
    double l2norm, mean, std, minimum, maximum;
    int64_t nonfinite;
    double rounding; /* norm of the error that rounding to a quantised type explains, over l2norm; else NaN */
};
struct cg_description cg_describe(const struct cg_moments *moments);

#endif
