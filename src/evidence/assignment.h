/* The linear assignment problem: each row of a cost matrix a column of its own, at the least sum of costs.
 * Shortest augmenting paths after Jonker and Volgenant 1987 (doi 10.1007/BF02278710), in the rectangular form
 * of Crouse 2016 (doi 10.1109/TAES.2016.140952). O(rows^2 columns) at worst; exact up to rounding. */
#ifndef COGNATE_EVIDENCE_ASSIGNMENT_H
#define COGNATE_EVIDENCE_ASSIGNMENT_H

#include "cognate/err.h"
#include <stdint.h>

/* cost: rows x columns, row-major, finite, rows <= columns. Fills column_of[rows]. */
int cg_assign(const float *cost, int32_t rows, int32_t columns, int32_t *column_of, struct cg_err *err);

#endif
