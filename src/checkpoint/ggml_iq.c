/* Blocks of ggml whose codes are entries of a codebook: each stands for eight or four magnitudes at once,
 * with signs apart; and NVFP4. The order of float32 operations is that of gguf-py's quants.py
 * (https://github.com/ggml-org/llama.cpp). */
#include "ggml_iq.h"
#include "cognate/clones.h"
#include "cognate/small_float.h"
#include "ggml_grids.h"
#include <float.h>
#include <string.h>

enum { LARGE = 256, GROUP = 8, FOUR = 4, FOURS = LARGE / GROUP / FOUR };

typedef const unsigned char bytes;
typedef int32_t eight_ints __attribute__((vector_size(GROUP * sizeof(int32_t))));
typedef float eight_floats __attribute__((vector_size(GROUP * sizeof(float))));

/* A group of eight elements: what scales it, what is added before that, the places of its magnitudes in the
 * type's table, of so many bits each, and its signs. */
struct group {
    float scale, shift;
    uint32_t places;
    uint32_t signs; /* bit i: element i is negative */
};

static float half_of(uint32_t bits)
{
    return cg_small_float(bits, 5, 10, 15, CG_ENDING_IEEE);
}

CG_ALWAYS_INLINE uint32_t two_bytes(bytes *at)
{
    return (uint32_t)(at[0] | at[1] << 8);
}

CG_ALWAYS_INLINE uint32_t four_bytes(bytes *at)
{
    return two_bytes(at) | two_bytes(at + 2) << 16;
}

/* The eighth sign makes the number of minus signs even. */
CG_ALWAYS_INLINE uint32_t signs_of(uint32_t seven)
{
    seven &= 0x7F;
    return seven | ((uint32_t)__builtin_popcount(seven) & 1) << 7;
}

/* ---- A block's own scale, and group k of its fours of groups ---- */

/* Places of two bits are looked up with the lowest of the next above them. */
static const float of_iq1[GROUP] = {-1, 0, 1, 0, -1, 0, 1, 0}, of_iq2[GROUP] = {8, 25, 43, 0, 8, 25, 43, 0},
                   of_iq3_xxs[GROUP] = {4, 12, 20, 28, 36, 44, 52, 62},
                   of_iq3_s[GROUP] = {1, 3, 5, 7, 9, 11, 13, 15};

static const float delta = 0.125f; /* by which IQ1 moves all elements of a group up or down */

static float scale_at_front(bytes *b)
{
    return half_of(two_bytes(b));
}

static float scale_of_iq1_m(bytes *b)
{
    bytes *scales = b + 48;
    return half_of(two_bytes(scales) >> 12 | (two_bytes(scales + 2) >> 8 & 0xF0) |
                   (two_bytes(scales + 4) >> 4 & 0xF00) | (two_bytes(scales + 6) & 0xF000));
}

/* Which has one of two signs; not by a branch, of which nobody could foretell the way. */
CG_ALWAYS_INLINE float shift_of(uint32_t negative)
{
    return delta * (float)(1 - 2 * (int)negative);
}

CG_ALWAYS_INLINE void group_iq1_s(struct group *out, bytes *b, float d, int four, int k)
{
    uint32_t high = two_bytes(b + 34 + 2 * four);
    out->scale = d * (float)(2 * (high >> 12 & 7) + 1);
    out->shift = shift_of(high >> 15);
    out->places = cg_iq1_grid[b[2 + 4 * four + k] | (high >> (3 * k) & 7) << 8];
}

CG_ALWAYS_INLINE void group_iq1_m(struct group *out, bytes *b, float d, int four, int k)
{
    uint32_t high = b[32 + 2 * four + k / 2] >> (4 * (k % 2)), scale = two_bytes(b + 48 + 2 * (four / 2));
    out->scale = d * (float)(2 * (scale >> (6 * (four % 2) + 3 * (k / 2)) & 7) + 1);
    out->shift = shift_of(high >> 3 & 1);
    out->places = cg_iq1_grid[b[4 * four + k] | (high & 7) << 8];
}

CG_ALWAYS_INLINE void group_iq2_xxs(struct group *out, bytes *b, float d, int four, int k)
{
    uint32_t rest = four_bytes(b + 2 + 8 * four + 4);
    out->scale = d * (0.5f + (float)(rest >> 28)) * 0.25f;
    out->signs = signs_of(rest >> (7 * k));
    out->places = cg_iq2_xxs_grid[b[2 + 8 * four + k]];
}

CG_ALWAYS_INLINE void group_iq2_xs(struct group *out, bytes *b, float d, int four, int k)
{
    uint32_t code = two_bytes(b + 2 + 8 * four + 2 * k);
    out->scale = d * (0.5f + (float)(b[66 + four] >> (4 * (k / 2)) & 15)) * 0.25f;
    out->signs = signs_of(code >> 9);
    out->places = cg_iq2_xs_grid[code & 511];
}

CG_ALWAYS_INLINE void group_iq2_s(struct group *out, bytes *b, float d, int four, int k)
{
    uint32_t high = b[66 + four] >> (2 * k) & 3;
    out->scale = d * (0.5f + (float)(b[74 + four] >> (4 * (k / 2)) & 15)) * 0.25f;
    out->signs = b[34 + 4 * four + k];
    out->places = cg_iq2_s_grid[b[2 + 4 * four + k] | high << 8];
}

CG_ALWAYS_INLINE void group_iq3_xxs(struct group *out, bytes *b, float d, int four, int k)
{
    uint32_t rest = four_bytes(b + 66 + 4 * four);
    bytes *code = b + 2 + 8 * four + 2 * k;
    out->scale = d * (0.5f + (float)(rest >> 28)) * 0.5f;
    out->signs = signs_of(rest >> (7 * k));
    out->places = cg_iq3_xxs_grid[code[0]] | (uint32_t)cg_iq3_xxs_grid[code[1]] << 12;
}

CG_ALWAYS_INLINE void group_iq3_s(struct group *out, bytes *b, float d, int four, int k)
{
    uint32_t high = b[66 + four] >> (2 * k);
    bytes *code = b + 2 + 8 * four + 2 * k;
    out->scale = d * (float)(1 + 2 * (b[106 + four / 2] >> (4 * (four % 2)) & 15));
    out->signs = b[74 + 4 * four + k];
    out->places = cg_iq3_s_grid[code[0] | (high & 1) << 8] |
                  (uint32_t)cg_iq3_s_grid[code[1] | (high >> 1 & 1) << 8] << 12;
}

/* ---- All blocks ----
 * Rounding, in units of h^2 / 12 summed over the elements of a block: the codes of a group are as many as
 * they are in the box of all magnitudes and signs, so that each has a cell of side h = box / codes^(1/8).
 * Codebooks are made for weights, which lie where the codes are close; what an honest quantiser loses is
 * rather less. */

/* The values of a group, spelled out as vectors. */
CG_ALWAYS_INLINE void put_group(const struct group *group, int bits, const float table[GROUP], float *values)
{
    const eight_ints element = {0, 1, 2, 3, 4, 5, 6, 7}, top = {31, 30, 29, 28, 27, 26, 25, 24};
    int32_t p = (int32_t)group->places, s = (int32_t)group->signs;
    eight_ints place = (eight_ints){p, p, p, p, p, p, p, p} >> (bits * element);
    eight_ints sign = (eight_ints){s, s, s, s, s, s, s, s} << top & INT32_MIN;
    eight_floats magnitude;
#ifdef __clang__
    for (int i = 0; i < GROUP; i++)
        magnitude[i] = table[place[i] & 7];
#else
    memcpy(&magnitude, table, sizeof magnitude);
    magnitude = __builtin_shuffle(magnitude, place);
#endif
    eight_floats value = group->scale * (magnitude + group->shift);
    value = (eight_floats)((eight_ints)value ^ sign);
    memcpy(values, &value, sizeof value);
}

/* 0 where it is not finite. */
CG_ALWAYS_INLINE double square_of(float scale)
{
    double finite = (double)(fabsf(scale) <= FLT_MAX ? scale : 0);
    return finite * finite;
}

/* Of blocks whose largest scale is `scale`, and whose scales' squares are `squares` in all. */
static struct cg_outline outline_of(float scale, float most, double squares, double box_by_codes)
{
    double high = (double)(scale * most);
    return (struct cg_outline){squares * GROUP * (box_by_codes * box_by_codes / 12), -high, high};
}

#define TYPE(name, size, own_scale, bits, most, box_by_codes)                                                \
    CG_CLONES struct cg_outline cg_decode_##name(bytes *restrict stored, int n, float *restrict values)      \
    {                                                                                                        \
        double squares = 0;                                                                                  \
        float largest = 0;                                                                                   \
        for (int at = 0; at < n; at += LARGE, stored += (size)) {                                            \
            float own = own_scale(stored);                                                                   \
            for (int four = 0; four < FOURS; four++)                                                         \
                CG_UNROLL(4) for (int k = 0; k < FOUR; k++)                                                  \
                {                                                                                            \
                    struct group group = {0};                                                                \
                    group_##name(&group, stored, own, four, k);                                              \
                    put_group(&group, bits, of_##name, values + at + GROUP * (FOUR * four + k));             \
                    squares += square_of(group.scale);                                                       \
                    largest = fabsf(group.scale) > largest ? fabsf(group.scale) : largest;                   \
                }                                                                                            \
        }                                                                                                    \
        return outline_of(largest, most, squares, box_by_codes);                                             \
    }

#define of_iq1_s   of_iq1
#define of_iq1_m   of_iq1
#define of_iq2_xxs of_iq2
#define of_iq2_xs  of_iq2
#define of_iq2_s   of_iq2

TYPE(iq1_s, 50, scale_at_front, 2, 1.125f, 3 / 2.5936791093) /* 3^8 among 2^11 */
TYPE(iq1_m, 56, scale_of_iq1_m, 2, 1.125f, 3 / 2.5936791093)
TYPE(iq2_xxs, 66, scale_at_front, 2, 43, 102 / 3.6680161728) /* 8 to 43 with sign: 102 wide; 2^15 codes */
TYPE(iq2_xs, 74, scale_at_front, 2, 43, 102 / 4.0)           /* 2^16 */
TYPE(iq2_s, 82, scale_at_front, 2, 43, 102 / 4.7568284600)   /* 2^18 */
TYPE(iq3_xxs, 98, scale_at_front, 3, 62, 132 / 7.3360323456) /* 4 to 62; 2^23 */
TYPE(iq3_s, 110, scale_at_front, 3, 15, 32 / 9.5136569200)   /* 1 to 15; 2^26 */

/* ---- NVFP4: sixteen elements a scale of E4M3, low nibbles before high ones ---- */

enum { NV_BLOCK = 64, NV_PART = 16, NV_BYTES = 36 };

/* Halved, since the codes' values are doubled; the pattern of its NaN stands for 0. */
static float scale_of_nvfp4(unsigned char scale)
{
    return scale == 0x7F ? 0 : 0.5f * cg_small_float(scale & 0x7F, 4, 3, 7, CG_ENDING_FINITE);
}

/* A scale, times what may be the largest magnitude. */
static void add_scale(struct cg_outline *outline, float scale, float most, double squares)
{
    float high = fabsf(scale) * most;
    outline->rounding += isfinite(scale) ? (double)scale * (double)scale * squares / 12 : 0;
    outline->high = (double)high > outline->high ? (double)high : outline->high;
    outline->low = -outline->high;
}

static const signed char of_nvfp4[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static int code_of_nvfp4(bytes *block, int i)
{
    unsigned char pair = block[4 + i / NV_PART * 8 + i % 8];
    return i % NV_PART < 8 ? pair & 15 : pair >> 4;
}

struct cg_outline cg_decode_nvfp4(bytes *restrict stored, int n, float *restrict values)
{
    /* a^2 - a b + b^2 for neighbours a below and b above; none lies beyond the last, whose scale is its own.
     */
    static const int cells[8] = {1, 1, 1, 1, 3, 4, 12, 16};
    struct cg_outline outline = {0};
    for (int k = 0; k < n; k += NV_PART) {
        bytes *block = stored + k / NV_BLOCK * NV_BYTES;
        float scale = scale_of_nvfp4(block[k % NV_BLOCK / NV_PART]);
        int squares = 0;
        for (int i = k; i < k + NV_PART; i++) {
            int code = code_of_nvfp4(block, i % NV_BLOCK);
            values[i] = scale * (float)of_nvfp4[code];
            squares += cells[code & 7];
        }
        add_scale(&outline, scale, 12, squares);
    }
    return outline;
}
