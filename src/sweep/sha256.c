#include "sha256.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <cpuid.h>
#include <immintrin.h>

#define SHA_TARGET __attribute__((target("sha,sse4.1")))

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t K[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

bool cg_sha256_available(void)
{
    enum { LEAF_FEATURES = 7, EBX_SHA = 1 << 29, LEAF_BASE = 1, ECX_SSE41 = 1 << 19 };
    unsigned a, b, c, d;
    if (!__get_cpuid(LEAF_BASE, &a, &b, &c, &d) || !(c & ECX_SSE41))
        return false;
    return __get_cpuid_count(LEAF_FEATURES, 0, &a, &b, &c, &d) && (b & EBX_SHA);
}

/* The instructions keep the eight words of a state as two vectors, (a b e f) and (c d g h). */
struct lane {
    __m128i abef, cdgh, w[4];
};

SHA_TARGET static inline void load_state(struct lane *lane, const uint32_t *state)
{
    __m128i dcba = _mm_loadu_si128((const __m128i *)state),
            hgfe = _mm_loadu_si128((const __m128i *)(state + 4));
    __m128i cdab = _mm_shuffle_epi32(dcba, 0xB1), efgh = _mm_shuffle_epi32(hgfe, 0x1B);
    lane->abef = _mm_alignr_epi8(cdab, efgh, 8);
    lane->cdgh = _mm_blend_epi16(efgh, cdab, 0xF0);
}

SHA_TARGET static inline void store_state(const struct lane *lane, uint32_t *state)
{
    __m128i feba = _mm_shuffle_epi32(lane->abef, 0x1B), dchg = _mm_shuffle_epi32(lane->cdgh, 0xB1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/* Four rounds. From the fifth group on, the group's four words follow from the sixteen before them. */
SHA_TARGET static inline __attribute__((always_inline)) void four_rounds(struct lane *lane, int group)
{
    __m128i *w = lane->w;
    int now = group % 4, next = (group + 1) % 4, third = (group + 2) % 4, last = (group + 3) % 4;
    if (group >= 4) {
        __m128i before = _mm_alignr_epi8(w[last], w[third], 4);
        w[now] = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(w[now], w[next]), before), w[last]);
    }
    __m128i words = _mm_add_epi32(w[now], _mm_load_si128((const __m128i *)(K + 4 * group)));
    lane->cdgh = _mm_sha256rnds2_epu32(lane->cdgh, lane->abef, words);
    lane->abef = _mm_sha256rnds2_epu32(lane->abef, lane->cdgh, _mm_shuffle_epi32(words, 0x0E));
}

/* `lanes` is a constant where this is inlined, so that both loops unroll and the lanes' instructions
 * alternate. */
SHA_TARGET static inline __attribute__((always_inline)) void
compress(uint32_t *const *state, const uint8_t *const *data, size_t blocks, int lanes)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    struct lane lane[CG_SHA256_LANES];
    for (int l = 0; l < lanes; l++)
        load_state(&lane[l], state[l]);
    for (size_t block = 0; block < blocks; block++) {
        struct lane before[CG_SHA256_LANES];
        for (int l = 0; l < lanes; l++) {
            const uint8_t *from = data[l] + block * CG_SHA256_BLOCK;
            before[l] = lane[l];
            for (int i = 0; i < 4; i++)
                lane[l].w[i] =
                    _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(from + 16 * i)), big_endian);
        }
#pragma GCC unroll 16
        for (int group = 0; group < 16; group++)
            for (int l = 0; l < lanes; l++)
                four_rounds(&lane[l], group);
        for (int l = 0; l < lanes; l++) {
            lane[l].abef = _mm_add_epi32(lane[l].abef, before[l].abef);
            lane[l].cdgh = _mm_add_epi32(lane[l].cdgh, before[l].cdgh);
        }
    }
    for (int l = 0; l < lanes; l++)
        store_state(&lane[l], state[l]);
}

SHA_TARGET void cg_sha256_one(uint32_t state[8], const uint8_t *data, size_t blocks)
{
    compress(&state, &data, blocks, 1);
}

SHA_TARGET void cg_sha256_two(uint32_t *const state[CG_SHA256_LANES],
                              const uint8_t *const data[CG_SHA256_LANES], size_t blocks)
{
    compress(state, data, blocks, CG_SHA256_LANES);
}

#else

#include <stdlib.h>

bool cg_sha256_available(void)
{
    return false;
}

void cg_sha256_one(uint32_t state[8], const uint8_t *data, size_t blocks)
{
    (void)state, (void)data, (void)blocks;
    abort(); /* not available: a bug of the caller */
}

void cg_sha256_two(uint32_t *const state[CG_SHA256_LANES], const uint8_t *const data[CG_SHA256_LANES],
                   size_t blocks)
{
    (void)state, (void)data, (void)blocks;
    abort();
}

#endif
