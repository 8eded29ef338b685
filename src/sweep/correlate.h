/* The circular cross-correlations of every two members' panels along the residual axis, at a few shifts:
 *     sum over lines l and places k of a(l, k + shift mod n) b(l, k),  both less their means
 * by the correlation theorem: each member is transformed once, and each pair multiplies spectra. Local and
 * pure.
 */
#ifndef COGNATE_SWEEP_CORRELATE_H
#define COGNATE_SWEEP_CORRELATE_H

#include "panel.h"

enum { CG_ROLLS = CG_SHIFTS + 1 };

/* Doubles of scratch, aligned to 64 bytes, that cg_correlate wants. */
int64_t cg_correlate_scratch(const struct cg_panel_shape *shape, struct cg_meeting meeting);

/* out[cg_meeting_index(meeting, i, j) * CG_ROLLS + k], a = member i and b = member j for i < j, at shift[k],
 * 0 <= shift < n; n is shape->residual, and cg_fourier_fits(n). No pair's bits depend on other members. */
void cg_correlate(const struct cg_panel_shape *shape, const struct cg_panel *panels,
                  struct cg_meeting meeting, const int64_t shift[CG_ROLLS], double *scratch, double *out);

#endif
