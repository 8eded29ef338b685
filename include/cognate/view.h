/* Views: which elements of a stored tensor make a matrix, and in which order. */
#ifndef COGNATE_VIEW_H
#define COGNATE_VIEW_H

#include <stdint.h>

/* Where the elements of a matrix lie in the stored tensor that holds them. Element (i, j, ...) is the
 * tensor's element base + i * stride[0] + j * stride[1] + ...; taken in row-major order of (i, j, ...) they
 * are the canonical (out, in) matrix, row by row. Axes that follow each other without a gap are one, so that
 * one axis of stride 1 is a contiguous range. Elements that share bytes occur in contiguous ranges of whole
 * grains only. */
enum { CG_VIEW_AXES = 4 };
struct cg_view {
    int64_t base;
    int axes;
    int64_t extent[CG_VIEW_AXES], stride[CG_VIEW_AXES];
};

#endif
