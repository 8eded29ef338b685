#include "bands.h"
#include "cognate/clones.h"
#include "cognate/small_float.h"
#include <math.h>
#include <string.h>

typedef int32_t eight_ints __attribute__((vector_size(CG_BAND * sizeof(int32_t))));
typedef float eight_floats __attribute__((vector_size(CG_BAND * sizeof(float))));

bool cg_band_fits(int bits, int64_t columns)
{
    return bits >= 2 && bits <= 8 && columns % CG_BAND == 0;
}

/* Four bytes, or as many as eight codes fill where that is less. */
CG_ALWAYS_INLINE int32_t word_at(const uint8_t *bytes, int bits)
{
    uint16_t half;
    int32_t whole;
    if (bits >= 4) {
        memcpy(&whole, bytes, sizeof whole);
        return whole;
    }
    memcpy(&half, bytes, sizeof half);
    return bits == 2 ? half : half | bytes[2] << 16;
}

/* Of each row such a word. */
CG_ALWAYS_INLINE void words_of(const uint8_t *b, size_t row, int bits, eight_ints *out)
{
    *out = (eight_ints){word_at(b, bits),           word_at(b + row, bits),     word_at(b + 2 * row, bits),
                        word_at(b + 3 * row, bits), word_at(b + 4 * row, bits), word_at(b + 5 * row, bits),
                        word_at(b + 6 * row, bits), word_at(b + 7 * row, bits)};
}

/* Eight columns of eight rows become eight rows of eight columns: single floats of neighbours are
 * interleaved, then pairs, then fours. */
CG_ALWAYS_INLINE void turn(eight_floats line[CG_BAND])
{
    eight_floats mixed[CG_BAND];
    for (int k = 0; k < CG_BAND; k += 2) {
        mixed[k] = __builtin_shufflevector(line[k], line[k + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        mixed[k + 1] = __builtin_shufflevector(line[k], line[k + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    for (int k = 0; k < CG_BAND; k += 4)
        for (int i = 0; i < 2; i++) {
            line[k + 2 * i] =
                __builtin_shufflevector(mixed[k + i], mixed[k + i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            line[k + 2 * i + 1] =
                __builtin_shufflevector(mixed[k + i], mixed[k + i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    for (int k = 0; k < CG_BAND / 2; k++) {
        mixed[k] = __builtin_shufflevector(line[k], line[k + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        mixed[k + 4] = __builtin_shufflevector(line[k], line[k + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
    memcpy(line, mixed, sizeof mixed);
}

CG_CLONES void cg_band_turn(const float *restrict from, size_t from_pitch, float *restrict to,
                            size_t to_pitch, size_t rows)
{
    for (size_t first = 0; first < rows; first += CG_BAND) {
        eight_floats line[CG_BAND];
        for (size_t k = 0; k < CG_BAND; k++)
            memcpy(&line[k], from + k * from_pitch + first, sizeof line[k]);
        turn(line);
        for (size_t r = 0; r < CG_BAND && first + r < rows; r++)
            memcpy(to + (first + r) * to_pitch, &line[r], sizeof line[r]);
    }
}

/* Of codes wider than four bits the first four are in a row's first word, the others at the top of its last.
 */
CG_ALWAYS_INLINE void take(const struct cg_band *band, const struct cg_band_codes *codes, int bits,
                           size_t columns, float *restrict values, size_t pitch)
{
    const int mask = (1 << bits) - 1, in_word = bits > 4 ? 4 : 8, last = 32 - 4 * bits,
              offset = codes->offset;
    for (size_t c = 0; c < columns; c += CG_BAND) {
        eight_floats line[CG_BAND];
        eight_ints word, second = {0};
        size_t at = c * (size_t)bits / 8;
        words_of(codes->bytes + at, codes->row_bytes, bits, &word);
        if (bits > 4)
            words_of(codes->bytes + at + bits - 4, codes->row_bytes, bits, &second);
        CG_UNROLL(8)
        for (int k = 0; k < CG_BAND; k++) {
            eight_floats scale, zero;
            size_t table = CG_BAND * (size_t)band->block[c + (size_t)k];
            memcpy(&scale, band->scale + table, sizeof scale);
            memcpy(&zero, band->zero + table, sizeof zero);
            eight_ints code = k < in_word ? word >> k * bits : second >> (last + (k - 4) * bits);
            line[k] = (__builtin_convertvector((code & mask) - offset, eight_floats) - zero) * scale;
        }
        turn(line);
        CG_UNROLL(8)
        for (size_t r = 0; r < CG_BAND; r++)
            memcpy(values + r * pitch + c, &line[r], sizeof line[r]);
    }
}

#define TAKER(bits)                                                                                          \
    CG_CLONES static void take_##bits(const struct cg_band *band, const struct cg_band_codes *codes,         \
                                      size_t columns, float *values, size_t pitch)                           \
    {                                                                                                        \
        take(band, codes, bits, columns, values, pitch);                                                     \
    }

TAKER(2)
TAKER(3)
TAKER(4)
TAKER(5)
TAKER(6)
TAKER(7)
TAKER(8)

void cg_band_take(const struct cg_band *band, const struct cg_band_codes *codes, size_t columns,
                  float *values, size_t pitch)
{
    static void (*const takers[])(const struct cg_band *, const struct cg_band_codes *, size_t, float *,
                                  size_t) = {take_2, take_3, take_4, take_5, take_6, take_7, take_8};
    takers[codes->bits - 2](band, codes, columns, values, pitch);
}

CG_CLONES void cg_band_squares(const float *restrict scale, size_t blocks, double *restrict square)
{
    for (size_t b = 0; b < blocks; b++) {
        double of = (double)scale[b];
        square[b] = isfinite(of) ? of * of : 0;
    }
}

CG_CLONES void cg_band_count(const int32_t *restrict before, const int32_t *restrict after, size_t blocks,
                             int32_t *restrict count)
{
    for (size_t b = 0; b < blocks; b++)
        count[b] = after[b] - before[b];
}

CG_CLONES double cg_band_rounding(const double *restrict square, const int32_t *restrict count, size_t blocks)
{
    double lane[CG_BAND] = {0};
    for (size_t b = 0; b < blocks; b += CG_BAND)
        for (size_t l = 0; l < CG_BAND; l++)
            lane[l] += (double)count[b + l] * square[b + l];
    for (size_t width = CG_BAND / 2; width > 0; width /= 2)
        for (size_t l = 0; l < width; l++)
            lane[l] += lane[l + width];
    return lane[0];
}
