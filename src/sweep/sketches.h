/* Seeded sign sketches as the sweep takes them.
 *
 * sketch[k] is the sum over all elements e = k mod N of s(e) x(e), where the signs s are pseudo-random and
 * depend on e alone: inner products of sketches are, in expectation over the signs, those of the matrices.
 * Folding a sketch of N buckets to a divisor of N adds buckets, and gives the shorter sketch. So a matrix is
 * sketched once, however many lengths are wanted of it. Local.
 */
#ifndef COGNATE_SWEEP_SKETCHES_H
#define COGNATE_SWEEP_SKETCHES_H

#include "cognate/anatomy.h"
#include "cognate/features.h"
#include "kernels.h"
#include <stddef.h>

enum { CG_MOST_SKETCH = 2048 }; /* buckets that a member is given for maps, at most */

/* Adds n values, of which the first is element `first`, to a sketch of `length` buckets. */
void cg_sketch_add(double *sketch, int64_t length, int64_t first, struct cg_values values, int64_t n);

/* length divides taken; out may be the sketch itself. */
void cg_sketch_fold(double *out, int64_t length, const double *sketch, int64_t taken);

/* Floats of the sketch of a member, slot * models + model. */
int64_t cg_sketch_floats(const struct cg_anatomy *anatomy, int64_t member);

/* Room for the sketch of one more member; NULL with err. */
float *cg_sketches_append(struct cg_sketches *sketches, const struct cg_anatomy *anatomy, int64_t member,
                          struct cg_err *err);

#endif
