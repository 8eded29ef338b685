/* A run of ggml's elements on the way from blocks to values, for ggml_blocks.c. */
#ifndef COGNATE_CHECKPOINT_GGML_RUN_H
#define COGNATE_CHECKPOINT_GGML_RUN_H

#include "cognate/dtype.h"
#include "ggml_scales.h"
#include <math.h>
#include <string.h>

enum { SOME = LARGE / SMALL, MOST = 2048, MOST_PARTS = MOST / 16 };

/* ---- Codes of four bits that stand for what a table says ---- */

/* What codes stand for, and their cells. Of a value whose neighbours are a and b away that is a^2 - ab + b^2,
 * in units of h^2 / 12, which it is where they are as far; their upper digits apart. */
struct uneven {
    signed char value[16];
    unsigned char low[16], high[16]; /* a cell is low + 256 high */
    bool two;                        /* whether any high is not 0 */
};

/* E2M1 doubled. Values up to 16 are rounded to 12, the largest; of weights, which are rare out there, few lie
 * beyond 15. */
static const struct uneven e2m1 = {
    .value = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12},
    .low = {1, 1, 1, 1, 3, 4, 12, 28, 1, 1, 1, 1, 3, 4, 12, 28},
};

/* The ends of the table as wide as their inner halves: cells of 529 487 387 292 228 183 157 133 133 144 157
 * 199 241 336 496 576. */
static const struct uneven iq4 = {
    .value = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113},
    .low = {17, 231, 131, 36, 228, 183, 157, 133, 133, 144, 157, 199, 241, 80, 240, 64},
    .high = {2, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2},
    .two = true,
};

/* Of what is decoded at once. */
struct scales {
    float scale[MOST_PARTS], shift[MOST_PARTS];
    int32_t cells[MOST_PARTS]; /* of uneven codes: the cells of a part's elements */
};

/* 256 elements of them, less at the end: the codes, and from where on the scales are theirs. */
struct run {
    unsigned char code[LARGE]; /* less than 128, or signed */
    bytes *twos;               /* or packed: element 128 c + 32 s + i in bits 2s of byte 32 c + i */
    float *scale, *shift;
    int32_t *cells;
    /* Of a large block signed bytes, and what they are multiplied by: a half for scales, and above it one
     * whose negative is for shifts. */
    unsigned char scale_code[LARGE / 16], shift_code[LARGE / 16];
    uint32_t factors;
};

/* What a type's runs have in common: value = scale * (code - offset) + shift. */
struct form {
    int length;               /* of a part: 16 or 32 */
    int offset, scale_offset; /* taken off codes, and off those of scales */
    int least, most;          /* codes less offset */
    bool shifted;
    bool twos;                  /* codes are those of two bits */
    const struct uneven *table; /* or NULL */
};

/* ---- Codes to values, on any machine ---- */

/* The scales of a large block. */
CG_ALWAYS_INLINE void plain_scales(struct run *run, struct form form)
{
    float d = half_of(run->factors & 0xFFFF), m = -half_of(run->factors >> 16);
    for (int part = 0; part < LARGE / form.length; part++)
        run->scale[part] = d * (float)((signed char)run->scale_code[part] - form.scale_offset);
    for (int part = 0; form.shifted && part < LARGE / form.length; part++)
        run->shift[part] = m * (float)(signed char)run->shift_code[part];
}

/* Puts values in the place of the codes of that many parts, and finds their cells. */
CG_ALWAYS_INLINE void plain_look_up(const struct uneven *table, int parts, struct run *run)
{
    for (int part = 0; part < parts; part++) {
        int32_t cells = 0;
        for (int i = SMALL * part; i < SMALL * (part + 1); i++) {
            unsigned char code = run->code[i];
            cells += table->low[code] + 256 * table->high[code];
            run->code[i] = (unsigned char)table->value[code];
        }
        run->cells[part] = cells;
    }
}

CG_ALWAYS_INLINE void plain_scale(const struct run *run, struct form form, int parts, float *values)
{
    for (int part = 0; part < parts; part++) {
        int first = part * form.length;
        for (int i = first; i < first + form.length; i++) {
            float scaled = (float)((signed char)run->code[i] - form.offset) * run->scale[part];
            values[i] = form.shifted ? scaled + run->shift[part] : scaled;
        }
    }
}

CG_ALWAYS_INLINE void plain_scale_twos(const struct run *run, struct form form, float *values)
{
    for (int quarter = 0; quarter < SOME; quarter++)
        for (int i = 0; i < SMALL; i++) {
            int code = run->twos[quarter / 4 * SMALL + i] >> quarter % 4 * 2 & 3;
            int at = SMALL * quarter + i, part = at / form.length;
            float scaled = (float)(code - form.offset) * run->scale[part];
            values[at] = form.shifted ? scaled + run->shift[part] : scaled;
        }
}

/* Eight sums of squares, which become one. */
CG_ALWAYS_INLINE double fold_eight(const double sum[8])
{
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

/* Where a scale is not finite no value is: such parts add nothing. */
CG_ALWAYS_INLINE struct cg_outline plain_outline(const struct scales *scales, int parts, struct form form)
{
    double sum[8] = {0};
    float low = INFINITY, high = -INFINITY;
    for (int part = 0; part < parts; part++) {
        float scale = scales->scale[part], shift = form.shifted ? scales->shift[part] : 0;
        float a = scale * (float)form.least + shift, b = scale * (float)form.most + shift;
        double square = (double)scale * (double)scale;
        if (isfinite(scale))
            sum[part % 8] += form.table ? square * (double)scales->cells[part] : square;
        low = a < low ? a : low;
        low = b < low ? b : low;
        high = a > high ? a : high;
        high = b > high ? b : high;
    }
    return (struct cg_outline){fold_eight(sum) * (form.table ? 1 : form.length) / 12, (double)low,
                               (double)high};
}

#endif
