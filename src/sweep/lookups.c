#include "lookups.h"
#include "cognate/clones.h"
#include "nibbles_avx2.h"
#include "places_512.h"
#include "spread.h"
#include <assert.h>
#include <string.h>

/* MOST_BY_BYTES: blocks, in four dictionaries. */
enum { ENTRIES = 16, MOST_BY_BYTES = 64, ENTRIES_512 = 32, ABOVE = 16, MOVE = 31 };

CG_CLONES void cg_lookup_fill(const float *restrict scale, const float *restrict zero, int offset,
                              size_t blocks, struct cg_lookup *restrict row)
{
    uint32_t bits[CG_LOOKUP_BLOCKS];
    memcpy(bits, scale, blocks * sizeof *bits);
    for (size_t b = 0; b < blocks; b++) {
        uint32_t moved = (uint32_t)(ABOVE - offset - (int)zero[b]);
        row->word[b] = bits[b] | moved;
        row->byte[0][b] = (uint8_t)(bits[b] >> 8 | moved);
        row->byte[1][b] = (uint8_t)(bits[b] >> 16);
        row->byte[2][b] = (uint8_t)(bits[b] >> 24);
    }
}

#if defined(__x86_64__) && defined(__GNUC__)

bool cg_lookup_fits(int64_t columns, int64_t blocks)
{
    int64_t most = HAS_512 ? CG_LOOKUP_BLOCKS : __builtin_cpu_supports("avx2") ? MOST_BY_BYTES : 0;
    return columns % CG_LOOKUP_COLUMNS == 0 && blocks <= most;
}

/* As places_of lays codes out: by fours, to the lower half of a vector and to the upper in turn. */
void cg_lookup_places(const int32_t *block, size_t columns, uint8_t *places)
{
    for (size_t c = 0; c < columns; c++) {
        size_t four = c % MANY / 4, to = four % 2 * 16 + four / 2 * 4 + c % 4;
        places[c - c % MANY + to] = (uint8_t)block[c];
    }
}

/* Floats of bytes, the lowest first, in order. */
TARGET CG_ALWAYS_INLINE void join(__m256i a, __m256i b, __m256i c, __m256i d, __m256 out[4])
{
    const __m256i low[2] = {_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b)};
    const __m256i high[2] = {_mm256_unpacklo_epi8(c, d), _mm256_unpackhi_epi8(c, d)};
    for (int k = 0; k < 2; k++) {
        out[2 * k] = _mm256_castsi256_ps(_mm256_unpacklo_epi16(low[k], high[k]));
        out[2 * k + 1] = _mm256_castsi256_ps(_mm256_unpackhi_epi16(low[k], high[k]));
    }
}

/* 32 codes of two bits, laid out as places_of does: of each byte four copies, in which one code each is kept
 * and found where it lies in its nibble. */
TARGET CG_ALWAYS_INLINE __m256i twos_of(const uint8_t *bytes)
{
    static const uint8_t number_at[16] = {0, 1, 2, 3, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0};
    const __m256i spread = _mm256_setr_epi8(0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6, /* upper */
                                            1, 1, 1, 1, 3, 3, 3, 3, 5, 5, 5, 5, 7, 7, 7, 7);
    int64_t eight;
    memcpy(&eight, bytes, sizeof eight);
    __m256i copies = _mm256_shuffle_epi8(_mm256_set1_epi64x(eight), spread);
    __m256i kept = _mm256_and_si256(copies, _mm256_set1_epi32((int)0xC0300C03));
    __m256i either = _mm256_or_si256(kept, _mm256_srli_epi16(kept, 4));
    return _mm256_shuffle_epi8(plane_at(number_at), _mm256_and_si256(either, _mm256_set1_epi8(15)));
}

/* A byte looked up is 0 where the place has its highest bit: in all dictionaries but that of its block. What
 * a code is moved to becomes the last byte of a float of 2^23. */
TARGET CG_ALWAYS_INLINE void take(const struct cg_lookup *row, int dictionaries, const uint8_t *codes,
                                  enum cg_code_kind kind, const uint8_t *places, size_t n,
                                  float *restrict values)
{
    const __m256i none = _mm256_setzero_si256(), last_places = _mm256_set1_epi8(0x70),
                  move = _mm256_set1_epi8(MOVE);
    const __m256 base = _mm256_set1_ps((float)((1 << 23) + ABOVE));
    for (size_t i = 0; i < n; i += MANY) {
        __m256i place = _mm256_loadu_si256((const __m256i *)(const void *)(places + i));
        __m256i byte[3] = {none, none, none};
        __m256 moved[4], scale[4];
        for (int t = 0; t < dictionaries; t++) {
            __m256i own = _mm256_sub_epi8(place, _mm256_set1_epi8((char)(ENTRIES * t)));
            own = _mm256_adds_epu8(own, last_places);
            for (int k = 0; k < 3; k++)
                byte[k] =
                    _mm256_or_si256(byte[k], _mm256_shuffle_epi8(plane_at(row->byte[k] + ENTRIES * t), own));
        }
        __m256i code = kind == CG_CODE_TWOS
                           ? twos_of(codes + i / 4)
                           : places_of(codes, kind == CG_CODE_NIBBLES ? LOW_FIRST : ALONE, i);
        code = _mm256_add_epi8(code, _mm256_and_si256(byte[0], move));
        join(code, none, none, _mm256_set1_epi8(0x4B), moved);
        join(none, _mm256_andnot_si256(move, byte[0]), byte[1], byte[2], scale);
        for (int k = 0; k < 4; k++)
            _mm256_storeu_ps(values + i + 8 * k, _mm256_mul_ps(_mm256_sub_ps(moved[k], base), scale[k]));
    }
}

/* Sixteen words of as many blocks; each pair of vectors is a dictionary. */
TARGET_512 CG_ALWAYS_INLINE __m512i look_up(const __m512i *table, int dictionaries, __m512i place)
{
    __m512i found[4];
    for (int t = 0; t < dictionaries; t++)
        found[t] = _mm512_permutex2var_epi32(table[2 * t], place, table[2 * t + 1]);
    for (int width = 1, bit = ENTRIES_512; width < dictionaries; width *= 2, bit *= 2) {
        __mmask16 upper = _mm512_test_epi32_mask(place, _mm512_set1_epi32(bit));
        for (int t = 0; t < dictionaries; t += 2 * width)
            found[t] = _mm512_mask_mov_epi32(found[t], upper, found[t + width]);
    }
    return found[0];
}

TARGET_512 CG_ALWAYS_INLINE void take_512(const struct cg_lookup *row, int dictionaries, const uint8_t *codes,
                                          int bits, const uint8_t *places, size_t n, float *restrict values)
{
    const __m512i move = _mm512_set1_epi32(MOVE), above = _mm512_set1_epi32(ABOVE),
                  code_bits = _mm512_set1_epi32((1 << bits) - 1);
    __m512i table[8];
    for (int t = 0; t < 2 * dictionaries; t++)
        table[t] = _mm512_loadu_si512(row->word + SIXTEEN * t);
    for (size_t i = 0; i < n; i += MANY) {
        __m512i place[2];
        bytes_in_order(places + i, place);
        for (size_t k = 0; k < 2; k++) {
            __m512i both = look_up(table, dictionaries, place[k]);
            __m512i code = sixteen_places(codes + (i / SIXTEEN + k) * 2 * (size_t)bits, bits);
            code = _mm512_add_epi32(_mm512_and_si512(code, code_bits), _mm512_and_si512(both, move));
            __m512 number = _mm512_cvtepi32_ps(_mm512_sub_epi32(code, above));
            __m512 scale = _mm512_castsi512_ps(_mm512_andnot_si512(move, both));
            _mm512_storeu_ps(values + i + SIXTEEN * k, _mm512_mul_ps(number, scale));
        }
    }
}

/* Codes of three bits as bytes first. */
#define TAKER(dictionaries)                                                                                  \
    TARGET static void take_##dictionaries(const struct cg_lookup *row, const struct cg_code_run *run,       \
                                           const uint8_t *places, size_t n, float *values)                   \
    {                                                                                                        \
        uint8_t spread[CG_MOST_CODES];                                                                       \
        if (run->kind == CG_CODE_THREES)                                                                     \
            cg_spread_bits(run->bytes, 0, 3, n, spread);                                                     \
        if (run->kind == CG_CODE_TWOS)                                                                       \
            take(row, dictionaries, run->bytes, CG_CODE_TWOS, places, n, values);                            \
        else if (run->kind == CG_CODE_THREES)                                                                \
            take(row, dictionaries, spread, CG_CODE_OCTETS, places, n, values);                              \
        else                                                                                                 \
            take(row, dictionaries, run->bytes, CG_CODE_NIBBLES, places, n, values);                         \
    }

TAKER(1)
TAKER(2)
TAKER(3)
TAKER(4)

#define TAKER_512(dictionaries)                                                                              \
    TARGET_512 static void take_##dictionaries##_512(const struct cg_lookup *row,                            \
                                                     const struct cg_code_run *run, const uint8_t *places,   \
                                                     size_t n, float *values)                                \
    {                                                                                                        \
        if (run->kind == CG_CODE_TWOS)                                                                       \
            take_512(row, dictionaries, run->bytes, 2, places, n, values);                                   \
        else if (run->kind == CG_CODE_THREES)                                                                \
            take_512(row, dictionaries, run->bytes, 3, places, n, values);                                   \
        else                                                                                                 \
            take_512(row, dictionaries, run->bytes, 4, places, n, values);                                   \
    }

TAKER_512(1)
TAKER_512(2)
TAKER_512(4)

void cg_lookup_take(const struct cg_lookup *row, size_t blocks, const struct cg_code_run *run,
                    const uint8_t *places, size_t n, float *values)
{
    typedef void (*taker)(const struct cg_lookup *, const struct cg_code_run *, const uint8_t *, size_t,
                          float *);
    static const taker by_bytes[] = {take_1, take_2, take_3, take_4},
                       whole[] = {take_1_512, take_2_512, take_4_512, take_4_512};
    assert(run->kind == CG_CODE_TWOS || run->kind == CG_CODE_THREES || run->kind == CG_CODE_NIBBLES);
    taker take_run = HAS_512 ? whole[(blocks - 1) / ENTRIES_512] : by_bytes[(blocks - 1) / ENTRIES];
    take_run(row, run, places, n, values);
}

#else

bool cg_lookup_fits(int64_t columns, int64_t blocks)
{
    (void)columns;
    (void)blocks;
    return false;
}

void cg_lookup_places(const int32_t *block, size_t columns, uint8_t *places)
{
    (void)block;
    (void)columns;
    (void)places;
    assert(!"nothing fits");
}

void cg_lookup_take(const struct cg_lookup *row, size_t blocks, const struct cg_code_run *run,
                    const uint8_t *places, size_t n, float *values)
{
    (void)row;
    (void)blocks;
    (void)run;
    (void)places;
    (void)n;
    (void)values;
    assert(!"nothing fits");
}

#endif
