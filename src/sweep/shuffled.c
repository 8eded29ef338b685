#include "shuffled.h"
#include "cognate/mem.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COUNTED = 256 }; /* columns of each block are counted up to each such column */

/* The first row of the band that a row belongs to, and its end. Bands begin with the first whole row of codes
 * that are held; what is held of the row before is a band of its own. */
static int64_t begin_of_band(struct cg_dequantiser *d, int64_t row)
{
    int64_t whole = (d->codes_first + d->columns - 1) / d->columns;
    int64_t first = row < whole ? row : whole + (row - whole) / CG_BAND * CG_BAND;
    d->band_end = row < whole ? row + 1 : first + CG_BAND;
    return first;
}

static void take_band(struct cg_dequantiser *d, int64_t first)
{
    int64_t bits = d->how->bits;
    struct cg_band band = {d->group, d->tile_scale, d->tile_zero};
    struct cg_band_codes codes = {d->codes + (first * d->columns - d->codes_first) * bits / 8,
                                  (size_t)(d->columns * bits / 8), d->how->bits, d->how->offset};
    cg_band_take(&band, &codes, (size_t)d->columns, d->band, (size_t)d->band_pitch);
}

/* The scales and zero points of a band's n rows, block by block. */
static void load_scales(struct cg_dequantiser *d, int64_t first, int64_t n)
{
    struct cg_scales row;
    for (int64_t b = 0; d->how->scales_by_column && b < d->column_blocks; b++)
        cg_load_column(d, first, n, b, d->tile_scale + b * CG_BAND, d->tile_zero + b * CG_BAND);
    for (int64_t r = 0; !d->how->scales_by_column && r < n; r++)
        for (int64_t b = 0, some; b < d->column_blocks; b += some) {
            some = d->column_blocks - b < CG_MOST_CODES ? d->column_blocks - b : CG_MOST_CODES;
            cg_load_row(d, first + r, b, (size_t)some, row.scale, row.zero);
            for (int64_t k = 0; k < some; k++) {
                d->tile_scale[(b + k) * CG_BAND + r] = row.scale[k];
                d->tile_zero[(b + k) * CG_BAND + r] = row.zero[k];
            }
        }
}

/* What all rows of a band need, and its values, if all of its codes are held and nothing is looked up. */
static void load_band(struct cg_dequantiser *d, int64_t row)
{
    int64_t first = begin_of_band(d, row), left = d->how->rows - first;
    d->tile_at = first;
    load_scales(d, first, left < CG_BAND ? left : CG_BAND);
    cg_band_squares(d->tile_scale, (size_t)d->padded_blocks, d->square);
    struct cg_code_blocks blocks = {d->tile_scale, d->tile_zero, 0, 1, 1, false};
    d->band_low = INFINITY;
    d->band_high = -INFINITY;
    cg_code_bounds(d->least_code, d->most_code, &blocks, CG_BAND * (size_t)d->padded_blocks, &d->band_low,
                   &d->band_high);
    if (d->looks_up)
        cg_lookup_fill(d->tile_scale, d->tile_zero, d->how->offset, (size_t)d->column_blocks, CG_BAND,
                       d->lookup);
    d->band_held = d->how->codes == CG_CODES_BITS && !d->looks_up && cg_band_fits(d->how->bits, d->columns) &&
                   first * d->columns >= d->codes_first && (first + CG_BAND) * d->columns <= d->codes_end;
    if (d->band_held)
        take_band(d, first);
}

/* How many columns of a run belong to each block: those before its end, less those before its beginning. */
static void count_blocks(struct cg_dequantiser *d, int64_t column, int64_t n)
{
    int64_t begin = column / COUNTED, end = (column + n) / COUNTED, blocks = d->padded_blocks;
    cg_band_count(d->before + begin * blocks, d->before + end * blocks, (size_t)blocks, d->count);
    for (int64_t c = begin * COUNTED; c < column; c++)
        d->count[d->group[c]]--;
    for (int64_t c = end * COUNTED; c < column + n; c++)
        d->count[d->group[c]]++;
}

/* A row's part of a band that is not held whole, or whose codes are bytes: these have steps of their own. */
static double take_alone(struct cg_dequantiser *d, int64_t row, int64_t column, size_t n, float *values)
{
    const float one = 1, none = 0;
    float number[CG_MOST_CODES], code[CG_MOST_CODES];
    struct cg_scales scales;
    const int32_t *block = d->group + column;
    size_t in_band = (size_t)(row - d->tile_at);
    struct cg_code_run run = cg_codes_of(d, row, column, n, number);
    for (size_t i = 0; i < n; i++) {
        scales.scale[i] = d->tile_scale[CG_BAND * (size_t)block[i] + in_band];
        scales.zero[i] = d->tile_zero[CG_BAND * (size_t)block[i] + in_band];
    }
    if (d->how->codes == CG_CODES_BYTES)
        return cg_take_codes(&run, &(struct cg_code_blocks){scales.scale, scales.zero, 0, 1, 1, false}, n,
                             values);
    cg_take_codes(&run, &(struct cg_code_blocks){&one, &none, 0, n, 1, true}, n, code);
    for (size_t i = 0; i < n; i++)
        values[i] = (code[i] - scales.zero[i]) * scales.scale[i];
    return 0;
}

double cg_dequantise_shuffled(struct cg_dequantiser *d, int64_t row, int64_t column, size_t n, float *room,
                              const float **values)
{
    double sum = 0;
    if (d->tile_at < 0 || row < d->tile_at || row >= d->band_end)
        load_band(d, row);
    int64_t band = d->tile_at;
    const float *held = d->band + (row - band) * d->band_pitch + column;
    if (d->looks_up && (column | (int64_t)n) % CG_LOOKUP_COLUMNS == 0)
        cg_lookup_take(&d->lookup[row - band], (size_t)d->column_blocks,
                       d->codes + (row * d->columns + column - d->codes_first) / 2, d->places + column, n,
                       room);
    else if (!d->band_held)
        sum = take_alone(d, row, column, n, room);
    else if (values)
        *values = held;
    else
        memcpy(room, held, n * sizeof *room);
    d->low = fminf(d->low, d->band_low);
    d->high = fmaxf(d->high, d->band_high);
    if (d->how->codes != CG_CODES_BYTES) {
        count_blocks(d, column, (int64_t)n);
        sum =
            cg_band_rounding(d->square + (row - band) * d->padded_blocks, d->count, (size_t)d->padded_blocks);
    }
    return sum / 12;
}

/* Whether scales are looked up byte by byte: floats of 16 bits beside zero points of four, or none. */
static int begin_lookups(struct cg_dequantiser *d, struct cg_err *err)
{
    const struct cg_quantised *how = d->how;
    enum cg_dtype scales = d->kind[CG_SIDE_SCALE]->dtype;
    d->looks_up = how->codes == CG_CODES_BITS && how->bits == 4 && (scales == CG_F16 || scales == CG_BF16) &&
                  (!d->kind[CG_SIDE_ZERO] || how->zeros != CG_ZEROS_NUMBERS) &&
                  cg_lookup_fits(d->columns, d->column_blocks);
    if (!d->looks_up)
        return 0;
    if (cg_grow((void **)&d->places, &d->places_capacity, (size_t)d->columns, 1, err) < 0)
        return -1;
    cg_lookup_places(d->group, (size_t)d->columns, d->places);
    return 0;
}

/* Room for a band, and how many columns of each block there are before every COUNTED-th. */
int cg_shuffled_begin(struct cg_dequantiser *d, struct cg_err *err)
{
    int64_t blocks = d->padded_blocks;
    assert(d->how->factor == 0);
    d->band_pitch = d->columns + 2 * CG_BAND; /* rows of a power of two would share few places of the cache */
    free(d->band);
    d->band = NULL;
    if (begin_lookups(d, err) < 0 ||
        (!d->looks_up &&
         !(d->band = cg_new_aligned(CG_BAND * (size_t)d->band_pitch, sizeof *d->band, err))) ||
        cg_grow((void **)&d->square, &d->squares_capacity, CG_BAND * (size_t)blocks, sizeof *d->square, err) <
            0 ||
        cg_grow((void **)&d->count, &d->counts_capacity, (size_t)blocks, sizeof *d->count, err) < 0 ||
        cg_grow((void **)&d->before, &d->before_capacity, (size_t)((d->columns / COUNTED + 1) * blocks),
                sizeof *d->before, err) < 0)
        return -1;
    memset(d->tile_scale, 0, CG_BAND * (size_t)blocks * sizeof *d->tile_scale);
    memset(d->tile_zero, 0, CG_BAND * (size_t)blocks * sizeof *d->tile_zero);
    memset(d->count, 0, (size_t)blocks * sizeof *d->count);
    for (int64_t c = 0; c <= d->columns; c++) {
        if (c % COUNTED == 0)
            memcpy(d->before + c / COUNTED * blocks, d->count, (size_t)blocks * sizeof *d->count);
        if (c < d->columns)
            d->count[d->group[c]]++;
    }
    return 0;
}
