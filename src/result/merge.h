/* Merges: a model of the run that lies between two others. Pure, from the sweep's sums alone.
 *
 * In a matrix that all three fill with one shape, c is held against the line through x and y by least
 * squares: c - x = w (y - x) + rest,   w = (|c - x|^2 + |y - x|^2 - |c - y|^2) / (2 |y - x|^2), |rest|^2 = |c
 * - x|^2 - w^2 |y - x|^2. w is the weight of y, 1 - w that of x; the rest over the smaller of |c - x|^2 and
 * |c - y|^2 is what the line leaves unexplained: 0 for a mean, about a half for the base of two children, 1
 * for a sibling. */
#ifndef COGNATE_RESULT_MERGE_H
#define COGNATE_RESULT_MERGE_H

#include "cognate/findings.h"

struct cg_merge {
    int other;          /* y; -1: neither model of the pair lies between the other and a third one */
    bool of_b;          /* b lies between a and it; otherwise a between b and it */
    double weight;      /* mean of w over the matrices */
    double deviation;   /* its standard deviation (n - 1) */
    double unexplained; /* over all matrices together; below a tenth */
    int64_t matrices;
};

struct cg_merge cg_find_merge(const struct cg_findings *findings, int64_t pair);

#endif
