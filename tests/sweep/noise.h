/* Reproducible pseudo-random values for the tests of the sweep (xorshift64*). */
#ifndef TESTS_SWEEP_NOISE_H
#define TESTS_SWEEP_NOISE_H

#include <math.h>
#include <stdint.h>

static inline uint64_t noise_bits(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * UINT64_C(2685821657736338717);
}

/* Even in [-1, 1), of 24 bits: exact as float. */
static inline double noise(uint64_t *seed)
{
    return (double)((int64_t)(noise_bits(seed) >> 40) - (1 << 23)) / (1 << 23);
}

/* The same over many orders of magnitude. */
static inline double noise_wide(uint64_t *seed)
{
    double value = noise(seed);
    return ldexp(value, (int)(noise_bits(seed) % 60) - 30);
}

#endif
