/* Codes to values, a run at a time. Local. */
#ifndef COGNATE_SWEEP_DEQUANTISE_H
#define COGNATE_SWEEP_DEQUANTISE_H

#include "bands.h"
#include "codes.h"
#include "cognate/err.h"
#include "cognate/quantised.h"
#include "lookups.h"

/* One member's, for a task and then for another's. All zero to start with. */
struct cg_dequantiser {
    const struct cg_quantised *how;
    const struct cg_side *kind[CG_SIDE_REST]; /* NULL where there is none */
    const uint8_t *side[CG_SIDE_REST];
    const uint8_t *codes; /* that are held: elements codes_first to codes_end - 1 */
    int64_t codes_first, codes_end;
    int64_t columns, column_blocks; /* of all elements in one row, where blocks are flat */
    int64_t padded_blocks;          /* a multiple of eight; scales beyond the blocks are 0 */
    float global;
    enum cg_code_kind code_kind;
    uint8_t
        *split; /* [4][columns and some] AWQ's words of eight rows, byte by byte: two rows' codes in each */
    size_t split_capacity;
    bool splits;      /* runs are taken from there where they can */
    int64_t split_at; /* the first of those rows; -1: none yet */
    bool whole_zeros; /* zero points are small whole numbers */
    float least_code, most_code;
    float table[16]; /* what codes of 4 bits stand for */
    struct cg_code_steps steps;
    float nested_table[256];
    bool scales_are_bytes; /* not nested ones */
    float byte_scale[256]; /* then, what each stands for, over the global scale */
    bool by_group;         /* columns belong to blocks in no order */
    int32_t *group;        /* [columns] then, the block of each */
    size_t groups_capacity;
    float *tile_scale,
        *tile_zero; /* [rows of a tile][padded_blocks], where scales are by column or by_group */
    size_t scales_capacity, zeros_capacity;
    int64_t tile_at; /* the first row of the tile; -1: none yet */
    int64_t row_at;  /* the row of the tile that was found last; -1: none yet */
    const float *row_scale, *row_zero;
    float row_low, row_high;               /* no value of it lies beyond */
    bool by_band;                          /* eight rows of whole codes become values together */
    int64_t band_at, band_end, band_pitch; /* its first row, or -1, and the row behind it */
    bool band_held;
    float *band;    /* [CG_BAND][band_pitch] by_band, the values of a band when all its codes are held */
    float *tables;  /* [4][CG_BAND * padded_blocks] by_band, its scales and zero points by row and by block */
    double *square; /* [padded_blocks] by_group, of a row's scales */
    int64_t squares_at; /* of which row; -1: none yet */
    bool looks_up;      /* the scales of a row by its bytes, when values are wanted */
    uint8_t *places;    /* [columns] */
    size_t places_capacity;
    struct cg_lookup lookup;
    int32_t *count, *before; /* columns of each block: in a run, and before every COUNTED-th */
    size_t squares_capacity, counts_capacity, before_capacity;
    float low, high; /* no value of the last call lies beyond, but for what is not finite */
};

/* Makes it ready for a member whose sides lie at `sides`, one behind the other; they must stay there. Fails
 * with CG_EFORMAT, naming file and tensor, when what they hold cannot be. */
int cg_dequantiser_begin(struct cg_dequantiser *d, const struct cg_quantised *how, const uint8_t *sides,
                         const char *file, const char *tensor, struct cg_err *err);
void cg_dequantiser_release(struct cg_dequantiser *d);

/* The codes of n elements from `first` on, a whole number of grains, with AWQ of eight rows: they must stay
 * there until other codes are held. Values are made faster where eight rows of them are whole. */
void cg_dequantiser_hold(struct cg_dequantiser *d, const uint8_t *codes, int64_t first, int64_t n);

/* Makes the n values, at most CG_MOST_CODES, from element `first` on, whose codes are held, and points
 * *values to them: to `room` for as many, or where they lie until the next call. Returns the sum over the
 * values of the squared error that rounding to their codes leaves one to expect: h^2 / 12 where codes are h
 * apart. What is not finite adds nothing. */
double cg_dequantise(struct cg_dequantiser *d, int64_t first, size_t n, float *room, const float **values);

/* The same, into values[n]. */
double cg_dequantise_wide(struct cg_dequantiser *d, int64_t first, size_t n, double *values);

#endif
