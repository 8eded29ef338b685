/* The finaliser of SplitMix64 (Steele, Lea and Flood 2014, doi 10.1145/2660193.2660195): a bijection that
 * scatters bits. The seed of every pseudo-random choice of the sweep. */
#ifndef COGNATE_SWEEP_MIX_H
#define COGNATE_SWEEP_MIX_H

#include <stdint.h>

static inline uint64_t cg_mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

#endif
