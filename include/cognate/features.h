/* What the sweep takes of each matrix in a layer besides its sums, dealt over the ranks as the sweep was:
 * features for the PCA, and sketches for maps. Both come from one sketch where the PCA asks for one. */
#ifndef COGNATE_FEATURES_H
#define COGNATE_FEATURES_H

#include "cognate/anatomy.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cg_features {
    int64_t samples;  /* n, over all ranks */
    int64_t features; /* columns, at most 8192 */
    int64_t local;    /* rows that this rank brings */
    int64_t *sample;  /* [local] global index of each, 0 <= sample < n; every sample on exactly one rank */
    double *value;    /* [local * features], row-major */
};

/* Seeded sign sketches (src/sweep/sketches.h): of each matrix inside a layer a vector of floats whose length
 * depends on role and shape alone: 2048, of an expert 512, halved while the matrix has fewer elements. A
 * model of 18,432 expert matrices takes 36 MiB over all ranks. */
struct cg_sketches {
    int64_t local;   /* members that this rank brings; every one is on exactly one rank */
    int64_t *member; /* [local] index into the anatomy's members */
    int64_t floats;
    float *value; /* [floats] one behind the other */
    size_t members_room, values_room;
};

/* Whether a member is a matrix with plain values inside a layer. */
bool cg_may_be_sketched(const struct cg_slot *slot, const struct cg_member *member,
                        const struct cg_checkpoint *model);

/* Floats in the sketch of such a member. A power of two. */
int64_t cg_sketch_length(const struct cg_slot *slot, int64_t rows, int64_t columns);

/* The sketch that a matrix of ones would have: what to take away, times the mean, to centre one. */
int cg_sketch_of_ones(float *out, int64_t length, int64_t elements, struct cg_err *err);

void cg_sketches_release(struct cg_sketches *sketches);

#endif
