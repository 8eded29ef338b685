#include "spread.h"
#include "cognate/clones.h"
#include <string.h>

enum { EIGHT = 8 };

/* Codes that may lie across two bytes; the second is touched only when they do. */
static void any_bits(const uint8_t *bytes, size_t first, int bits, size_t n, uint8_t *code)
{
    for (size_t i = 0; i < n; i++, first += (size_t)bits) {
        size_t at = first / 8, shift = first % 8;
        unsigned high = shift + (size_t)bits > 8 ? bytes[at + 1] : 0;
        code[i] = (uint8_t)((bytes[at] | high << 8) >> shift & ((1u << bits) - 1));
    }
}

/* Of every two pieces of `length` bits that lie together the second moves up to bit `pitch` of the two. */
static uint64_t part(uint64_t word, int length, int pitch)
{
    uint64_t first = 0;
    for (int at = 0; at < 64; at += 2 * pitch)
        first |= ((UINT64_C(1) << length) - 1) << at;
    return (word & first) | (word << (pitch - length) & first << pitch);
}

/* Eight codes fill as many bytes as they have bits. */
static void eights(const uint8_t *bytes, int bits, size_t n, uint8_t *code)
{
    for (size_t i = 0; i + EIGHT <= n; i += EIGHT, bytes += bits) {
        uint64_t word = 0;
        for (int b = 0; b < bits; b++)
            word |= (uint64_t)bytes[b] << 8 * b;
        word = part(part(part(word, 4 * bits, 32), 2 * bits, 16), bits, 8);
        for (int b = 0; b < EIGHT; b++)
            code[i + (size_t)b] = (uint8_t)(word >> 8 * b);
    }
}

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx2")))

enum { MANY = 32, WIDTH = 16 }; /* codes at a time, and bytes of a load */

/* Of each of eight codes the two bytes that it lies in, and what moves its highest bit to the top of them. */
struct windows {
    __m256i bytes, factors;
};

TARGET static struct windows windows_of(int bits)
{
    uint8_t byte[WIDTH];
    uint16_t factor[EIGHT];
    for (int k = 0; k < EIGHT; k++) {
        byte[2 * k] = (uint8_t)(k * bits / 8);
        byte[2 * k + 1] = (uint8_t)(k * bits / 8 + 1);
        factor[k] = (uint16_t)(1u << (16 - bits - k * bits % 8));
    }
    return (struct windows){
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)byte)),
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)factor))};
}

/* Sixteen codes, two bytes each. */
TARGET CG_ALWAYS_INLINE __m256i sixteen(const struct windows *windows, const uint8_t *bytes, int bits,
                                        __m128i down)
{
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)bytes);
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(bytes + bits));
    __m256i both = _mm256_shuffle_epi8(_mm256_set_m128i(high, low), windows->bytes);
    return _mm256_srl_epi16(_mm256_mullo_epi16(both, windows->factors), down);
}

/* As many as there are, a multiple of MANY. Those behind which no 16 bytes can be read are copied first. */
TARGET static size_t take_many(const uint8_t *bytes, int bits, size_t n, uint8_t *code)
{
    const struct windows windows = windows_of(bits);
    const __m128i down = _mm_cvtsi32_si128(16 - bits);
    size_t step = MANY / 8 * (size_t)bits, size = n / MANY * step, last = step - (size_t)bits + WIDTH, i = 0;
    uint8_t rest[MANY + WIDTH] = {0};
    for (size_t at = 0; at < size; at += step, i += MANY) {
        const uint8_t *from = at + last <= size ? bytes + at : memcpy(rest, bytes + at, step);
        __m256i first = sixteen(&windows, from, bits, down);
        __m256i second = sixteen(&windows, from + 2 * bits, bits, down);
        __m256i all = _mm256_permute4x64_epi64(_mm256_packus_epi16(first, second), 0xD8);
        _mm256_storeu_si256((__m256i *)(void *)(code + i), all);
    }
    return i;
}

static size_t whole_vectors(const uint8_t *bytes, int bits, size_t n, uint8_t *code)
{
    return __builtin_cpu_supports("avx2") ? take_many(bytes, bits, n, code) : 0;
}

#else

static size_t whole_vectors(const uint8_t *bytes, int bits, size_t n, uint8_t *code)
{
    (void)bytes;
    (void)bits;
    (void)n;
    (void)code;
    return 0;
}

#endif

void cg_spread_bits(const uint8_t *bytes, size_t first, int bits, size_t n, uint8_t *code)
{
    size_t done = 0;
    if (first % 8 == 0) {
        bytes += first / 8;
        first = 0;
        done = whole_vectors(bytes, bits, n, code);
        eights(bytes + done / 8 * (size_t)bits, bits, n - done, code + done);
        done = n - n % EIGHT;
    }
    any_bits(bytes, first + done * (size_t)bits, bits, n - done, code + done);
}
