#include "shuffled.h"
#include "cognate/mem.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COUNTED = 256 }; /* columns of each block are counted up to each such column */

/* The first row of the band that a row belongs to, and its end. Bands begin with the first whole row of codes
 * that are held; what is held of the row before is a band of its own. */
static void find_band(struct cg_dequantiser *d, int64_t row)
{
    int64_t whole = (d->codes_first + d->columns - 1) / d->columns;
    d->band_at = row < whole ? row : whole + (row - whole) / CG_BAND * CG_BAND;
    d->band_end = row < whole ? row + 1 : d->band_at + CG_BAND;
}

/* The scales and zero points of a band, block by block, and its values. */
static void take_band(struct cg_dequantiser *d)
{
    size_t blocks = (size_t)d->padded_blocks, table = CG_BAND * blocks;
    float *rows = d->tables, *scale = rows + 2 * table, *zero = scale + table;
    for (size_t r = 0; r < CG_BAND; r++) {
        cg_find_row(d, d->band_at + (int64_t)r);
        memcpy(rows + r * blocks, d->row_scale, blocks * sizeof *rows);
        memcpy(rows + table + r * blocks, d->row_zero, blocks * sizeof *rows);
    }
    cg_band_turn(rows, blocks, scale, CG_BAND, blocks);
    cg_band_turn(rows + table, blocks, zero, CG_BAND, blocks);
    int64_t bits = d->how->bits;
    struct cg_band band = {d->group, scale, zero};
    struct cg_band_codes codes = {d->codes + (d->band_at * d->columns - d->codes_first) * bits / 8,
                                  (size_t)(d->columns * bits / 8), d->how->bits, d->how->offset};
    cg_band_take(&band, &codes, (size_t)d->columns, d->band, (size_t)d->band_pitch);
}

/* Whether a row's values lie in the band, which takes all of its codes to be held. */
static bool is_in_band(struct cg_dequantiser *d, int64_t row)
{
    if (!d->by_band || (d->band_at >= 0 && row >= d->band_at && row < d->band_end))
        return d->by_band && d->band_held;
    find_band(d, row);
    d->band_held = d->band_at * d->columns >= d->codes_first &&
                   (d->band_at + CG_BAND) * d->columns <= d->codes_end && d->band_end - d->band_at == CG_BAND;
    if (d->band_held)
        take_band(d);
    return d->band_held;
}

/* A row's scales, their squares, and bytes to be looked up. */
static void load_row(struct cg_dequantiser *d, int64_t row)
{
    if (d->row_at != row)
        cg_find_row(d, row);
    if (d->squares_at == row)
        return;
    d->squares_at = row;
    cg_band_squares(d->row_scale, (size_t)d->padded_blocks, d->square);
    if (d->looks_up)
        cg_lookup_fill(d->row_scale, d->row_zero, d->how->offset, (size_t)d->column_blocks, &d->lookup);
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

/* Column by column. Codes that are bytes have steps of their own. */
static double take_alone(struct cg_dequantiser *d, int64_t row, int64_t column, size_t n, float *values)
{
    const float one = 1, none = 0;
    uint8_t bytes[CG_MOST_CODES];
    float code[CG_MOST_CODES];
    struct cg_scales scales;
    const int32_t *block = d->group + column;
    struct cg_code_run run = cg_codes_of(d, row, column, n, bytes);
    for (size_t i = 0; i < n; i++) {
        scales.scale[i] = d->row_scale[block[i]];
        scales.zero[i] = d->row_zero[block[i]];
    }
    if (d->how->codes == CG_CODES_BYTES)
        return cg_take_codes(&run, &(struct cg_code_blocks){scales.scale, scales.zero, 0, 1, 1, false}, n,
                             values);
    cg_take_codes(&run, &(struct cg_code_blocks){&one, &none, 0, n, 1, true}, n, code);
    for (size_t i = 0; i < n; i++)
        values[i] = (code[i] - scales.zero[i]) * scales.scale[i];
    return 0;
}

static void look_up(struct cg_dequantiser *d, int64_t row, int64_t column, size_t n, float *values)
{
    struct cg_code_run run = cg_codes_of(d, row, column, n, NULL); /* of a whole byte on, as they lie */
    cg_lookup_take(&d->lookup, (size_t)d->column_blocks, &run, d->places + column, n, values);
}

double cg_dequantise_shuffled(struct cg_dequantiser *d, int64_t row, int64_t column, size_t n, float *room,
                              const float **values)
{
    double sum = 0;
    bool in_band = is_in_band(d, row);
    const float *held = in_band ? d->band + (row - d->band_at) * d->band_pitch + column : NULL;
    load_row(d, row);
    if (d->looks_up && (column | (int64_t)n) % CG_LOOKUP_COLUMNS == 0)
        look_up(d, row, column, n, room);
    else if (!in_band)
        sum = take_alone(d, row, column, n, room);
    else if (values)
        *values = held;
    else
        memcpy(room, held, n * sizeof *room);
    d->low = fminf(d->low, d->row_low);
    d->high = fmaxf(d->high, d->row_high);
    if (d->how->codes != CG_CODES_BYTES) {
        count_blocks(d, column, (int64_t)n);
        sum = cg_band_rounding(d->square, d->count, (size_t)d->padded_blocks);
    }
    return sum / 12;
}

/* Whether scales are looked up byte by byte: floats of 16 bits beside zero points of four at most, or none.
 */
static int begin_lookups(struct cg_dequantiser *d, struct cg_err *err)
{
    const struct cg_quantised *how = d->how;
    enum cg_dtype scales = d->kind[CG_SIDE_SCALE]->dtype;
    d->looks_up = how->codes == CG_CODES_BITS && how->bits >= 2 && how->bits <= 4 &&
                  (scales == CG_F16 || scales == CG_BF16) &&
                  (!d->kind[CG_SIDE_ZERO] || how->zeros != CG_ZEROS_NUMBERS) &&
                  cg_lookup_fits(d->columns, d->column_blocks);
    if (!d->looks_up)
        return 0;
    if (cg_grow((void **)&d->places, &d->places_capacity, (size_t)d->columns, 1, err) < 0)
        return -1;
    cg_lookup_places(d->group, (size_t)d->columns, d->places);
    return 0;
}

/* Room for a band's scales and values, where there are bands. */
static int begin_bands(struct cg_dequantiser *d, struct cg_err *err)
{
    d->by_band = !d->looks_up && d->how->codes == CG_CODES_BITS && cg_band_fits(d->how->bits, d->columns);
    d->band_pitch = d->columns + 2 * CG_BAND; /* rows of a power of two would share few places of the cache */
    free(d->band);
    free(d->tables);
    d->band = d->tables = NULL;
    if (!d->by_band)
        return 0;
    d->band = cg_new_aligned(CG_BAND * (size_t)d->band_pitch, sizeof *d->band, err);
    d->tables = d->band ? cg_new(4 * CG_BAND * (size_t)d->padded_blocks, sizeof *d->tables, err) : NULL;
    return d->tables ? 0 : -1;
}

/* The room that a row takes, and how many columns of each block there are before every COUNTED-th. */
int cg_shuffled_begin(struct cg_dequantiser *d, struct cg_err *err)
{
    int64_t blocks = d->padded_blocks;
    assert(d->how->factor == 0);
    if (begin_lookups(d, err) < 0 || begin_bands(d, err) < 0 ||
        cg_grow((void **)&d->square, &d->squares_capacity, (size_t)blocks, sizeof *d->square, err) < 0 ||
        cg_grow((void **)&d->count, &d->counts_capacity, (size_t)blocks, sizeof *d->count, err) < 0 ||
        cg_grow((void **)&d->before, &d->before_capacity, (size_t)((d->columns / COUNTED + 1) * blocks),
                sizeof *d->before, err) < 0)
        return -1;
    memset(d->count, 0, (size_t)blocks * sizeof *d->count);
    for (int64_t c = 0; c <= d->columns; c++) {
        if (c % COUNTED == 0)
            memcpy(d->before + c / COUNTED * blocks, d->count, (size_t)blocks * sizeof *d->count);
        if (c < d->columns)
            d->count[d->group[c]]++;
    }
    return 0;
}
