/* Matrices by formula, which numpy makes alike. */
#ifndef TESTS_EVIDENCE_NOISE_H
#define TESTS_EVIDENCE_NOISE_H

#include <stdint.h>

static inline uint32_t mixed(uint32_t x)
{
    x = (x ^ x >> 16) * 0x45d9f3bu;
    x = (x ^ x >> 16) * 0x45d9f3bu;
    return x ^ x >> 16;
}

/* Element (row, column) of matrix `seed`: thousandths from -1 to 1. */
static inline double noise(int seed, int row, int column)
{
    return ((int)(mixed((uint32_t)(seed * 1000003 + row * 1009 + column)) % 2001) - 1000) / 1000.0;
}

/* n rows of that, and `keep` times `base` where there is one. */
static inline void fill(float *out, int seed, int n, int length, const float *base, double keep)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < length; j++)
            out[i * length + j] =
                (float)(noise(seed, i, j) + (base ? keep * (double)base[i * length + j] : 0));
}

#endif
