/* Features: what the sweep takes of each matrix for the PCA, dealt over the ranks as the sweep was. */
#ifndef COGNATE_FEATURES_H
#define COGNATE_FEATURES_H

#include <stdint.h>

struct cg_features {
    int64_t samples;  /* n, over all ranks */
    int64_t features; /* columns, at most 8192 */
    int64_t local;    /* rows that this rank brings */
    int64_t *sample;  /* [local] global index of each, 0 <= sample < n; every sample on exactly one rank */
    double *value;    /* [local * features], row-major */
};

#endif
