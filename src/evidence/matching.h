/* Arithmetic of matched rows: the statistics of blocks.h on plain matrices. Pure, local. */
#ifndef COGNATE_EVIDENCE_MATCHING_H
#define COGNATE_EVIDENCE_MATCHING_H

#include "cognate/err.h"
#include <stdbool.h>
#include <stdint.h>

/* The m of n indices that a seed picks, ascending; all of them when m >= n. Depends on n, m and seed alone.
 */
int cg_pick(int64_t *out, int64_t n, int64_t m, uint64_t seed, struct cg_err *err);

/* The indices of the m largest of n keys, ascending; of equal keys the lower index. */
int cg_pick_largest(int64_t *out, const double *key, int64_t n, int64_t m, struct cg_err *err);

/* Takes each row's mean away and makes it a unit vector; a row without variance becomes zero. */
void cg_rows_to_units(float *rows, int64_t n, int64_t columns);

/* Takes the mean of n rows away from each. */
void cg_take_mean_row(float *rows, int64_t n, int64_t columns);

/* Takes away from each row of `second` its part along the same row of `first`, and makes what is left a unit
 * vector; zero where that is no more than rounding. Both: n unit rows. */
void cg_rows_apart(const float *first, float *second, int64_t n, int64_t columns);

/* The units of a block by each of its projections: n rows in both. */
struct cg_signature {
    const float *by[2];
    int64_t n;
};

struct cg_agreement {
    int32_t units; /* K */
    double cosine; /* summed over the K: mean of both cosines */
};

/* K of two signatures with unit rows of `columns` elements; either_sign: cosines by the second projection
 * count without their sign. room: [a.n * b.n + 3 * a.n + 2 * b.n] floats. */
struct cg_agreement cg_agree_twice(struct cg_signature a, struct cg_signature b, int64_t columns,
                                   bool either_sign, float *room);

/* Fixed points of the exact test: a's unit rows in the order of a seed, assigned to b's and put back.
 * room: [n * n + n * columns] floats. -1 with err for want of memory. */
int cg_fixed_points(const float *a, const float *b, int32_t n, int64_t columns, float *room,
                    struct cg_err *err);

/* Gives each of b's nb unit rows one of a's na as a name, no two the same: name[nb], the pairs' cosines in
 * cosine[nb]. Linear assignment, the rows of the fewer in the order of a seed, so that ties favour no place.
 * -1: left over, the cosine is not above 0, or another pair of either row is as near. -1 with err for want of
 * memory. */
int cg_name_rows(const float *a, int32_t na, const float *b, int32_t nb, int64_t columns, int32_t *name,
                 double *cosine, struct cg_err *err);

/* n x n, its mean taken away, to length 1. */
void cg_square_to_unit(float *square, int64_t n);

#endif
