/* Panels and the shift null.
 *
 * A panel is the residual axis of a slot whole by evenly spread lines of the other axis, at most
 * CG_PANEL_ELEMENTS elements, kept as float. The residual stream's basis is arbitrary: training commutes with
 * a permutation of its dimensions, so that for independent models any shift of that axis in one of them is as
 * likely as none (exchangeability: Zhu et al. 2025, arXiv 2502.12292). The centred cosine of two panels is
 * judged by those it has when b's panel is rolled along the residual axis by CG_SHIFTS shifts: shift_k = 1 +
 * k (n - 1) / S,  k = 0 .. S - 1  (integer division),  S = CG_SHIFTS t = (cosine - mean) / (sd sqrt(1 + 1 /
 * S)),  S - 1 degrees of freedom, sd with S - 1 in the denominator.
 */
#ifndef COGNATE_SWEEP_PANEL_H
#define COGNATE_SWEEP_PANEL_H

#include "block.h"
#include "cognate/roles.h"
#include "cognate/sweep.h"
#include "products.h"

/* Which elements of a (rows, columns) matrix the panel holds. */
struct cg_panel_shape {
    bool by_rows;     /* the residual axis runs over the rows; otherwise over the columns */
    int64_t residual; /* its length; 0: the slot has no panel */
    int64_t lines;    /* lines kept */
    int64_t all;      /* lines there are */
    int64_t columns;  /* of the matrix */
};

/* Pure. No panel for a slot without residual axis, for an empty one, and for an axis too short for CG_SHIFTS
 * shifts. */
struct cg_panel_shape cg_panel_shape_of(enum cg_role role, int64_t rows, int64_t columns);

/* The same with at most so many elements, or the one line that is longer. */
struct cg_panel_shape cg_panel_shape_within(enum cg_role role, int64_t rows, int64_t columns,
                                            int64_t elements);

/* Takes what the panel wants from a block that begins at the matrix's element `first`.
 * panel is [lines][residual]. A value that is not finite counts as 0. */
void cg_panel_take(const struct cg_panel_shape *shape, float *panel, int64_t first, struct cg_values values,
                   size_t n);

/* A whole panel, and what every comparison of it wants: its mean, and the sum of squares about it. */
struct cg_panel {
    const float *values; /* [lines][residual] */
    double mean, squares;
};
struct cg_panel cg_panel_of(const struct cg_panel_shape *shape, const float *values);

/* Which members meet: every two of them, or where `first` is above 0 each of the first ones and each of the
 * others. */
struct cg_meeting {
    int32_t members, first; /* first < members */
};

static inline int64_t cg_meetings(struct cg_meeting of)
{
    return of.first > 0 ? (int64_t)of.first * (of.members - of.first) : cg_pairs(of.members);
}

/* The number of members i < j among those that meet: cg_pair_index(i, j), or i by rows and j by columns. */
static inline int64_t cg_meeting_index(struct cg_meeting of, int32_t i, int32_t j)
{
    return of.first > 0 ? (int64_t)i * (of.members - of.first) + j - of.first : cg_pair_index(i, j);
}

/* The nulls of the members' panels that meet, out[cg_meeting_index(meeting, i, j)] with a = i and b = j:
 * rolled by Fourier transforms, each panel's own, where the length of the residual axis allows it, else one
 * after the other. NaN where a panel is constant. No pair's bits depend on other members. */
void cg_panels_compare(const struct cg_panel_shape *shape, const struct cg_panel *panels,
                       struct cg_meeting meeting, double *scratch, struct cg_shift_null *out);

/* Doubles of scratch, aligned to 64 bytes, that it wants. */
int64_t cg_panels_scratch(const struct cg_panel_shape *shape, struct cg_meeting meeting);

/* t of a cosine against the mean and sd of its shifts; NaN when sd is not positive. */
double cg_shift_t(double cosine, double mean, double sd);

#endif
