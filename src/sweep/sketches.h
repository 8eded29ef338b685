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

/* How many floats meet in a bucket, on average, before they join its sum; a block ends first. Part of the
 * order of the sums, which a journal names. */
enum { CG_SKETCH_FEW = 8 };

/* The signs of elements that follow each other, a bit each; a set bit is a minus. Zeroed, it holds none. */
struct cg_signs {
    int64_t first;
    size_t n;
    uint64_t bits[CG_BLOCK / 64 + 1];
};

/* The values of n elements of a member that follow each other. `signs` are filled as they are wanted, and
 * serve all members that are taken one after the other. */
struct cg_elements {
    int64_t first;
    size_t n;
    struct cg_values values;
    struct cg_signs *signs;
};

/* A sketch that is being taken. Floats meet as floats first, a few in each bucket: sums in double of a whole
 * sketch do not stay in the nearest cache. Each such sum may lose half its last bit. */
struct cg_sketch {
    int64_t length; /* 0: none is taken */
    double *sums;   /* [length] */
    float *recent;  /* [length] what is still to join the sums; NULL: nothing ever */
    int64_t n;      /* elements in recent */
};

/* Room for `most` buckets; zeroed. -1 with err. */
int cg_sketch_init(struct cg_sketch *sketch, int64_t most, struct cg_err *err);
void cg_sketch_release(struct cg_sketch *sketch);

/* Begins a sketch of `length` buckets. */
void cg_sketch_begin(struct cg_sketch *sketch, int64_t length);
void cg_sketch_add(struct cg_sketch *sketch, const struct cg_elements *run);

/* After the last run: `sums` is the sketch. */
void cg_sketch_end(struct cg_sketch *sketch);

/* length divides taken; out may be the sketch itself. */
void cg_sketch_fold(double *out, int64_t length, const double *sketch, int64_t taken);

/* Floats of the sketch of a member, slot * models + model. */
int64_t cg_sketch_floats(const struct cg_anatomy *anatomy, int64_t member);

/* Room for the sketch of one more member; NULL with err. */
float *cg_sketches_append(struct cg_sketches *sketches, const struct cg_anatomy *anatomy, int64_t member,
                          struct cg_err *err);

#endif
