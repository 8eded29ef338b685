/* Codes of two to four bits, sixteen at a time: what permute.c and lookups.c share. Local. */
#ifndef COGNATE_SWEEP_PLACES_512_H
#define COGNATE_SWEEP_PLACES_512_H

#if defined(__x86_64__) && defined(__GNUC__)

#include "codes.h"
#include "cognate/clones.h"
#include <immintrin.h>

#define TARGET_512 __attribute__((target("avx512f")))

/* A test that wants what older processors do says false. */
#ifndef HAS_512
#define HAS_512 __builtin_cpu_supports("avx512f")
#endif

enum { SIXTEEN = 16 };

/* The same word in all of eight places, and another in the others. */
TARGET_512 CG_ALWAYS_INLINE __m512i two_words(const uint8_t *low, const uint8_t *high)
{
    __m512i first = _mm512_castsi256_si512(_mm256_set1_epi32(cg_word_at(low)));
    return _mm512_inserti64x4(first, _mm256_set1_epi32(cg_word_at(high)), 1);
}

/* Sixteen codes that share bytes, each lowest in its place. */
TARGET_512 CG_ALWAYS_INLINE __m512i sixteen_places(const uint8_t *bytes, int bits)
{
    const __m512i twos = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i threes = _mm512_setr_epi32(0, 3, 6, 9, 12, 15, 18, 21, 8, 11, 14, 17, 20, 23, 26, 29);
    const __m512i fours = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28);
    if (bits == 2)
        return _mm512_srlv_epi32(_mm512_set1_epi32(cg_word_at(bytes)), twos);
    return _mm512_srlv_epi32(two_words(bytes, bytes + 2 * bits - 4), bits == 3 ? threes : fours);
}

/* Of 32 bytes that lie as places_of of nibbles_avx2.h has them, each lowest in its place, in order. */
TARGET_512 CG_ALWAYS_INLINE void bytes_in_order(const uint8_t *bytes, __m512i out[2])
{
    __m256i all = _mm256_loadu_si256((const __m256i *)(const void *)bytes);
    all = _mm256_permutevar8x32_epi32(all, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    out[0] = _mm512_cvtepu8_epi32(_mm256_castsi256_si128(all));
    out[1] = _mm512_cvtepu8_epi32(_mm256_extracti128_si256(all, 1));
}

#endif

#endif
