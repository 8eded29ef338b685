/* Quantised members: matrices whose values are made from codes of a few bits and, beside them, scales, zero
 * points and tables. The codes are what is streamed; all else, the sides, is small and read whole.
 *
 *     value(r, c) = (code(r, c) - zero(r, c)) * scale(r, c), in float32, in the order of the format's own
 *     library
 */
#ifndef COGNATE_QUANTISED_H
#define COGNATE_QUANTISED_H

#include "cognate/dtype.h"
#include "cognate/view.h"
#include <stdbool.h>
#include <stdint.h>

/* How a code is stored. In all but AWQ's, element k of the member, row by row, is code k of its view. */
enum cg_codes {
    CG_CODES_BYTES, /* one stored element a code: F8, I8 */
    CG_CODES_BITS,  /* unsigned, `bits` each, from the lowest bit up, without gaps */
    CG_CODES_AWQ,   /* 4 bits; a word holds one column of eight rows, in AWQ's order */
    CG_CODES_E2M1,  /* 4 bits, low nibble first */
    CG_CODES_TABLE, /* 4 bits, high nibble first, an index into the table */
};

/* How zero points are stored: the type of an unpacked one is its side's; packed ones have `bits` each. */
enum cg_zeros {
    CG_ZEROS_NUMBERS, /* one stored element each, where the scale is */
    CG_ZEROS_ALONG,   /* packed; those of a column block side by side, row after row: GPTQ */
    CG_ZEROS_AWQ,     /* the same, eight to a word, in AWQ's order */
    CG_ZEROS_ACROSS,  /* packed down the rows: words (rows * bits / 32, column blocks) */
};

enum cg_side_kind {
    CG_SIDE_SCALE,
    CG_SIDE_ZERO,
    CG_SIDE_GROUP,        /* of each column: GPTQ's g_idx */
    CG_SIDE_GLOBAL_SCALE, /* one number, by which the scales are divided */
    CG_SIDE_TABLE,        /* the 16 values that codes stand for */
    CG_SIDE_NESTED_SCALE, /* of the scales, when these are codes themselves */
    CG_SIDE_NESTED_TABLE,
    CG_SIDE_SHAPE, /* rows and columns, to be held against the member's */
    CG_SIDE_REST,  /* belongs to the member and does not change its values */
};

/* A stored tensor, or a view of a part of one, that belongs to a member. */
struct cg_side {
    enum cg_side_kind kind;
    int32_t tensor;      /* index into the checkpoint's tensors */
    enum cg_dtype dtype; /* what its elements are; F8_E8M0 where they are stored as U8 */
    struct cg_view view; /* in its elements */
    int64_t elements, bytes;
};

enum { CG_MOST_SIDES = 8 };
struct cg_quantised {
    const char *format; /* as reports name it: "gptq-int4" */
    enum cg_codes codes;
    enum cg_dtype dtype; /* CG_CODES_BYTES: of a code */
    int bits;            /* of a code */
    int64_t rows, columns;
    int64_t block_rows, block_columns; /* of the elements that share a scale */
    bool flat;             /* blocks of block_columns run on over the ends of rows: scale k / block_columns */
    bool scales_by_column; /* scales lie (column block, row); else (row block, column block) */
    enum cg_zeros zeros;
    int offset;           /* taken from each code: 8 where 4-bit codes stand for -8 to 7 */
    int zero_offset;      /* added to each stored zero point: GPTQ's first version takes 1 off */
    float factor;         /* multiplied to each value, last; 0: none */
    int64_t nested_block; /* scales that share a scale of their own; 0: scales are numbers */
    float nested_offset;  /* added to each scale that is made from a code */
    int nsides, codes_at; /* sides in the order of their names; the codes come before side[codes_at] */
    struct cg_side side[CG_MOST_SIDES];
    int64_t side_bytes; /* of all sides */
};

#endif
