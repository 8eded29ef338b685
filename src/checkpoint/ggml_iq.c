/* Blocks of ggml whose codes are entries of a codebook: each stands for eight or four magnitudes at once,
 * with signs apart; and NVFP4. The order of float32 operations is that of gguf-py's quants.py
 * (https://github.com/ggml-org/llama.cpp). */
#include "ggml_iq.h"
#include "cognate/small_float.h"
#include "ggml_grids.h"

enum { LARGE = 256, GROUP = 8, GROUPS = LARGE / GROUP };

typedef const unsigned char bytes;

/* A group of eight elements: what scales it, what is added before that, its magnitudes and signs. */
struct group {
    float scale, shift;
    signed char magnitude[GROUP];
    unsigned signs; /* bit i: element i is negative */
};

static float half_of(uint32_t bits)
{
    return cg_small_float(bits, 5, 10, 15, CG_ENDING_IEEE);
}

static uint32_t two_bytes(bytes *at)
{
    return (uint32_t)(at[0] | at[1] << 8);
}

static uint32_t four_bytes(bytes *at)
{
    return two_bytes(at) | two_bytes(at + 2) << 16;
}

/* The eighth sign makes the number of minus signs even. */
static unsigned signs_of(uint32_t seven)
{
    seven &= 0x7F;
    return seven | ((unsigned)__builtin_popcount(seven) & 1) << 7;
}

static void take_eight(struct group *group, uint32_t entry, const signed char magnitudes[3])
{
    for (int i = 0; i < GROUP; i++)
        group->magnitude[i] = magnitudes[entry >> (2 * i) & 3];
}

static void take_four(signed char out[4], uint32_t entry, const signed char magnitudes[8])
{
    for (int i = 0; i < 4; i++)
        out[i] = magnitudes[entry >> (3 * i) & 7];
}

/* ---- Group k of a block ---- */

static const signed char of_iq1[4] = {-1, 0, 1, 0}, of_iq2[4] = {8, 25, 43, 0},
                         of_iq3_xxs[8] = {4, 12, 20, 28, 36, 44, 52, 62},
                         of_iq3_s[8] = {1, 3, 5, 7, 9, 11, 13, 15};

static const float delta = 0.125f; /* by which IQ1 moves all elements of a group up or down */

static void group_iq1_s(struct group *out, bytes *b, int k)
{
    uint32_t high = two_bytes(b + 34 + 2 * (k / 4));
    out->scale = half_of(two_bytes(b)) * (float)(2 * (high >> 12 & 7) + 1);
    out->shift = high >> 15 ? -delta : delta;
    take_eight(out, cg_iq1_grid[b[2 + k] | (high >> (3 * (k % 4)) & 7) << 8], of_iq1);
}

static void group_iq1_m(struct group *out, bytes *b, int k)
{
    bytes *scales = b + 48;
    uint32_t d = two_bytes(scales) >> 12 | (two_bytes(scales + 2) >> 8 & 0xF0) |
                 (two_bytes(scales + 4) >> 4 & 0xF00) | (two_bytes(scales + 6) & 0xF000);
    uint32_t high = b[32 + k / 2] >> (4 * (k % 2)), scale = two_bytes(scales + 2 * (k / 8));
    out->scale = half_of(d) * (float)(2 * (scale >> (3 * (k / 2 % 4)) & 7) + 1);
    out->shift = high & 8 ? -delta : delta;
    take_eight(out, cg_iq1_grid[b[k] | (high & 7) << 8], of_iq1);
}

static void group_iq2_xxs(struct group *out, bytes *b, int k)
{
    uint32_t rest = four_bytes(b + 2 + 8 * (k / 4) + 4);
    out->scale = half_of(two_bytes(b)) * (0.5f + (float)(rest >> 28)) * 0.25f;
    out->signs = signs_of(rest >> (7 * (k % 4)));
    take_eight(out, cg_iq2_xxs_grid[b[2 + 8 * (k / 4) + k % 4]], of_iq2);
}

static void group_iq2_xs(struct group *out, bytes *b, int k)
{
    uint32_t code = two_bytes(b + 2 + 2 * k);
    out->scale = half_of(two_bytes(b)) * (0.5f + (float)(b[66 + k / 4] >> (4 * (k / 2 % 2)) & 15)) * 0.25f;
    out->signs = signs_of(code >> 9);
    take_eight(out, cg_iq2_xs_grid[code & 511], of_iq2);
}

static void group_iq2_s(struct group *out, bytes *b, int k)
{
    uint32_t high = b[66 + k / 4] >> (2 * (k % 4)) & 3;
    out->scale = half_of(two_bytes(b)) * (0.5f + (float)(b[74 + k / 4] >> (4 * (k / 2 % 2)) & 15)) * 0.25f;
    out->signs = b[34 + k];
    take_eight(out, cg_iq2_s_grid[b[2 + k] | high << 8], of_iq2);
}

static void group_iq3_xxs(struct group *out, bytes *b, int k)
{
    uint32_t rest = four_bytes(b + 66 + 4 * (k / 4));
    out->scale = half_of(two_bytes(b)) * (0.5f + (float)(rest >> 28)) * 0.5f;
    out->signs = signs_of(rest >> (7 * (k % 4)));
    for (int half = 0; half < 2; half++)
        take_four(out->magnitude + 4 * half, cg_iq3_xxs_grid[b[2 + 2 * k + half]], of_iq3_xxs);
}

static void group_iq3_s(struct group *out, bytes *b, int k)
{
    out->scale = half_of(two_bytes(b)) * (float)(1 + 2 * (b[106 + k / 8] >> (4 * (k / 4 % 2)) & 15));
    out->signs = b[74 + k];
    for (int half = 0; half < 2; half++) {
        uint32_t high = b[66 + k / 4] >> (2 * (k % 4) + half) & 1;
        take_four(out->magnitude + 4 * half, cg_iq3_s_grid[b[2 + 2 * k + half] | high << 8], of_iq3_s);
    }
}

/* ---- All blocks ----
 * Rounding, in units of h^2 / 12 summed over the elements of a block: the codes of a group are as many as
 * they are in the box of all magnitudes and signs, so that each has a cell of side h = box / codes^(1/8).
 * Codebooks are made for weights, which lie where the codes are close; what an honest quantiser loses is
 * rather less. */

/* A scale, times what may be the largest magnitude. */
static void add_scale(struct cg_outline *outline, float scale, float most, double squares)
{
    float high = fabsf(scale) * most;
    outline->rounding += isfinite(scale) ? (double)scale * (double)scale * squares / 12 : 0;
    outline->high = (double)high > outline->high ? (double)high : outline->high;
    outline->low = -outline->high;
}

#define TYPE(name, size, most, box_by_codes)                                                                 \
    struct cg_outline cg_decode_##name(bytes *restrict stored, int n, float *restrict values)                \
    {                                                                                                        \
        struct cg_outline outline = {0};                                                                     \
        for (int k = 0; k < n / GROUP; k++) {                                                                \
            struct group group = {0};                                                                        \
            group_##name(&group, stored + k / GROUPS * (size), k % GROUPS);                                  \
            for (int i = 0; i < GROUP; i++) {                                                                \
                float value = group.scale * ((float)group.magnitude[i] + group.shift);                       \
                values[GROUP * k + i] = group.signs >> i & 1 ? -value : value;                               \
            }                                                                                                \
            add_scale(&outline, group.scale, most, GROUP *(box_by_codes) * (box_by_codes));                  \
        }                                                                                                    \
        return outline;                                                                                      \
    }

TYPE(iq1_s, 50, 1.125f, 3 / 2.5936791093) /* 3^8 among 2^11 */
TYPE(iq1_m, 56, 1.125f, 3 / 2.5936791093)
TYPE(iq2_xxs, 66, 43, 102 / 3.6680161728) /* 8 to 43 with sign: 102 wide; 2^15 codes */
TYPE(iq2_xs, 74, 43, 102 / 4.0)           /* 2^16 */
TYPE(iq2_s, 82, 43, 102 / 4.7568284600)   /* 2^18 */
TYPE(iq3_xxs, 98, 62, 132 / 7.3360323456) /* 4 to 62; 2^23 */
TYPE(iq3_s, 110, 15, 32 / 9.5136569200)   /* 1 to 15; 2^26 */

/* ---- NVFP4: sixteen elements a scale of E4M3, low nibbles before high ones ---- */

enum { NV_BLOCK = 64, NV_PART = 16, NV_BYTES = 36 };

/* Halved, since the codes' values are doubled; the pattern of its NaN stands for 0. */
static float scale_of_nvfp4(unsigned char scale)
{
    return scale == 0x7F ? 0 : 0.5f * cg_small_float(scale & 0x7F, 4, 3, 7, CG_ENDING_FINITE);
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
