/* Codes of four bits and less, many at a time: what nibbles.c and lookups.c share. Local. */
#ifndef COGNATE_SWEEP_NIBBLES_AVX2_H
#define COGNATE_SWEEP_NIBBLES_AVX2_H

#if defined(__x86_64__) && defined(__GNUC__)

#include "cognate/clones.h"
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define TARGET __attribute__((target("avx2")))

enum { MANY = 32 }; /* codes at a time */

TARGET CG_ALWAYS_INLINE __m256i plane_at(const uint8_t *bytes)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)bytes));
}

/* Where a code lies: two a byte, one that is all of it, or a half of bytes that lie as places_of has them. */
enum source { LOW_FIRST, HIGH_FIRST, ALONE, LOW_HALVES, HIGH_HALVES };

/* Codes i to i + 31, a byte each. Interleaving works within halves of vectors, so four codes go to the lower
 * half and four to the upper, in turn. */
TARGET CG_ALWAYS_INLINE __m256i places_of(const uint8_t *codes, enum source source, size_t i)
{
    const __m256i spread = _mm256_setr_epi8(0, 0, 1, 1, 4, 4, 5, 5, 8, 8, 9, 9, 12, 12, 13, 13, /* upper */
                                            2, 2, 3, 3, 6, 6, 7, 7, 10, 10, 11, 11, 14, 14, 15, 15);
    const __m256i upper_nibble = _mm256_set1_epi16((short)(source == HIGH_FIRST ? 0x00FF : 0xFF00));
    const __m256i by_fours = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
    const uint8_t *bytes = codes + (source < ALONE ? i / 2 : i);
    if (source >= ALONE) {
        __m256i whole = _mm256_loadu_si256((const __m256i *)(const void *)bytes);
        if (source == ALONE)
            return _mm256_permutevar8x32_epi32(whole, by_fours);
        whole = source == HIGH_HALVES ? _mm256_srli_epi16(whole, 4) : whole;
        return _mm256_and_si256(whole, _mm256_set1_epi8(15));
    }
    __m256i stored = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)bytes));
    __m256i twice = _mm256_shuffle_epi8(stored, spread);
    __m256i either = _mm256_blendv_epi8(twice, _mm256_srli_epi16(twice, 4), upper_nibble);
    return _mm256_and_si256(either, _mm256_set1_epi8(15));
}

#endif

#endif
