#include "cognate/mem.h"
#include "cognate/text.h"
#include "nibbles.h"
#include "shuffled.h"
#include "spread.h"
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What can be wrong, and where to say so. */
struct place {
    const char *file, *tensor;
};

static int refuse(struct cg_err *err, const struct place *place, const char *what)
{
    char file[400], tensor[256];
    return cg_fail(err, CG_EFORMAT, "%s: %s: %s", cg_printable(file, sizeof file, place->file),
                   cg_printable(tensor, sizeof tensor, place->tensor), what);
}

static void decode_side(enum cg_dtype dtype, const uint8_t *from, size_t n, float *out)
{
    if (cg_dtype_is_float(dtype)) {
        cg_dtype_decode_floats(dtype, from, n, out);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        double value;
        cg_dtype_decode(dtype, from + cg_dtype_bytes(dtype, (int64_t)i), 1, &value);
        out[i] = (float)value;
    }
}

/* n elements of a side, `step` apart, as floats. */
static void side_numbers(const struct cg_dequantiser *d, enum cg_side_kind kind, int64_t first, int64_t step,
                         size_t n, float *out)
{
    enum { SOME = 128, WIDEST = 8 };
    uint8_t bytes[SOME * WIDEST];
    enum cg_dtype dtype = d->kind[kind]->dtype;
    size_t width = (size_t)cg_dtype_bytes(dtype, 1);
    for (size_t done = 0; done < n; done += SOME) {
        size_t some = n - done < SOME ? n - done : SOME;
        const uint8_t *from = d->side[kind] + (size_t)(first + (int64_t)done * step) * width;
        for (size_t i = 0; step != 1 && i < some; i++)
            memcpy(bytes + i * width, from + i * (size_t)step * width, width);
        decode_side(dtype, step == 1 ? from : bytes, some, out + done);
    }
}

static float factor_of(const struct cg_quantised *how)
{
    return how->factor != 0 ? how->factor : 1;
}

/* Scale b of a row lies at first + b * step. */
static int64_t scale_at(const struct cg_dequantiser *d, int64_t row, int64_t *step)
{
    const struct cg_quantised *how = d->how;
    *step = how->scales_by_column ? how->rows : 1;
    return how->scales_by_column ? row : row / how->block_rows * d->column_blocks;
}

/* Scales that are bytes stand for numbers of a table, scaled by a number a nested block. */
static void load_nested(const struct cg_dequantiser *d, int64_t first, size_t n, float *out)
{
    const uint8_t *code = d->side[CG_SIDE_SCALE] + first;
    int64_t length = d->how->nested_block;
    for (size_t i = 0; i < n;) {
        int64_t at = first + (int64_t)i, left = length - at % length;
        size_t end = (size_t)left < n - i ? i + (size_t)left : n;
        float of_block;
        side_numbers(d, CG_SIDE_NESTED_SCALE, at / length, 1, 1, &of_block);
        for (; i < end; i++)
            out[i] = d->nested_table[code[i]] * of_block + d->how->nested_offset;
    }
}

/* Scales of a byte, all 256 of which were made before. */
static void load_bytes(const struct cg_dequantiser *d, int64_t first, int64_t step, size_t n, float *out)
{
    const uint8_t *byte = d->side[CG_SIDE_SCALE] + first;
    for (size_t i = 0; i < n; i++, byte += step)
        out[i] = d->byte_scale[*byte];
}

/* The scales of blocks first to first + n - 1 of a row. */
static void load_scales(const struct cg_dequantiser *d, int64_t row, int64_t first, size_t n, float *out)
{
    int64_t step, at = scale_at(d, row, &step);
    if (d->how->nested_block > 0)
        load_nested(d, at + first, n, out);
    else if (d->scales_are_bytes)
        load_bytes(d, at + first * step, step, n, out);
    else
        side_numbers(d, CG_SIDE_SCALE, at + first * step, step, n, out);
    for (size_t i = 0; d->kind[CG_SIDE_GLOBAL_SCALE] && !d->scales_are_bytes && i < n; i++)
        out[i] /= d->global;
}

/* `bits` from bit `at` on of words that lie `step` words apart. */
static int bits_of(const uint8_t *words, int64_t at, int64_t step, int bits)
{
    int64_t shift = at % 32;
    uint32_t low, high = 0;
    memcpy(&low, words + 4 * (at / 32 * step), sizeof low);
    if (shift + bits > 32)
        memcpy(&high, words + 4 * ((at / 32 + 1) * step), sizeof high);
    uint64_t both = low | (uint64_t)high << 32;
    return (int)(both >> shift & ((1u << bits) - 1));
}

/* The zero points of the same blocks, where they do not lie by column. */
static void load_zeros(const struct cg_dequantiser *d, int64_t row, int64_t first, size_t n, float *out)
{
    const struct cg_quantised *how = d->how;
    const uint8_t *words = d->side[CG_SIDE_ZERO];
    if (how->zeros == CG_ZEROS_NUMBERS) {
        int64_t step, at = scale_at(d, row, &step);
        side_numbers(d, CG_SIDE_ZERO, at + first * step, step, n, out);
        return;
    }
    for (size_t i = 0; i < n; i++)
        out[i] =
            (float)(bits_of(words + 4 * (first + (int64_t)i), row * how->bits, d->column_blocks, how->bits) +
                    how->zero_offset);
}

/* Of n rows the zero points at one block, from number `first` on. */
static void load_column_of_zeros(const struct cg_dequantiser *d, int64_t first, int64_t n, float *out)
{
    const struct cg_quantised *how = d->how;
    if (!d->kind[CG_SIDE_ZERO])
        memset(out, 0, (size_t)n * sizeof *out);
    else if (how->zeros == CG_ZEROS_NUMBERS)
        side_numbers(d, CG_SIDE_ZERO, first, 1, (size_t)n, out);
    else
        cg_zeros_of_bits(d->side[CG_SIDE_ZERO], (size_t)first, how->bits, how->zero_offset,
                         how->zeros == CG_ZEROS_AWQ, (size_t)n, out);
}

static void load_column(const struct cg_dequantiser *d, int64_t row, int64_t n, int64_t block, float *scale,
                        float *zero)
{
    int64_t first = block * d->how->rows + row;
    side_numbers(d, CG_SIDE_SCALE, first, 1, (size_t)n, scale);
    load_column_of_zeros(d, first, n, zero);
}

/* Columns lie too far apart to be foreseen by the processor. */
static void ask_for_column(const struct cg_dequantiser *d, int64_t row, int64_t block)
{
    enum { LINE = 64, LINES = 2 };
    int64_t first = block * d->how->rows + row;
    const uint8_t *scale = d->side[CG_SIDE_SCALE] + cg_dtype_bytes(d->kind[CG_SIDE_SCALE]->dtype, first);
    for (int k = 0; k < LINES; k++)
        __builtin_prefetch(scale + k * LINE);
    if (d->kind[CG_SIDE_ZERO] && d->how->zeros != CG_ZEROS_NUMBERS)
        __builtin_prefetch(d->side[CG_SIDE_ZERO] + first * d->how->bits / 8);
}

/* Rows whose scales are loaded at a time, and columns. By column, those of one row lie pages apart. */
enum { TILE = 64, FEW = 8 };

/* The scales and zero points of n rows from `row` on, row by row. */
static void load_tile(struct cg_dequantiser *d, int64_t row, int64_t n)
{
    float scale[FEW * TILE] = {0}, zero[FEW * TILE] = {0};
    for (int64_t block = 0; block < d->column_blocks; block++)
        ask_for_column(d, row, block);
    for (int64_t block = 0; block < d->column_blocks; block += FEW) {
        for (int64_t b = 0; b < FEW && block + b < d->column_blocks; b++)
            load_column(d, row, n, block + b, scale + b * TILE, zero + b * TILE);
        cg_band_turn(scale, TILE, d->tile_scale + block, (size_t)d->padded_blocks, (size_t)n);
        cg_band_turn(zero, TILE, d->tile_zero + block, (size_t)d->padded_blocks, (size_t)n);
    }
}

static void load_row(const struct cg_dequantiser *d, int64_t row, int64_t first, size_t n, float *scale,
                     float *zero)
{
    load_scales(d, row, first, n, scale);
    if (d->kind[CG_SIDE_ZERO])
        load_zeros(d, row, first, n, zero);
    else
        memset(zero, 0, n * sizeof *zero);
}

void cg_find_row(struct cg_dequantiser *d, int64_t row)
{
    int64_t tile = row, rows = 1;
    if (d->how->scales_by_column) {
        tile = row - row % TILE;
        rows = d->how->rows - tile < TILE ? d->how->rows - tile : TILE;
    }
    if (d->tile_at != tile && d->how->scales_by_column)
        load_tile(d, tile, rows);
    else if (d->tile_at != tile)
        load_row(d, row, 0, (size_t)d->column_blocks, d->tile_scale, d->tile_zero);
    d->tile_at = tile;
    d->row_at = row;
    d->row_scale = d->tile_scale + (row - tile) * d->padded_blocks;
    d->row_zero = d->tile_zero + (row - tile) * d->padded_blocks;
    d->row_low = INFINITY;
    d->row_high = -INFINITY;
    struct cg_code_blocks blocks = {d->row_scale, d->row_zero, 0, 1, factor_of(d->how), false};
    cg_code_bounds(d->least_code, d->most_code, &blocks, (size_t)d->column_blocks, &d->row_low, &d->row_high);
}

/* The scales and zero points of a run of n columns, in `room` or where they are, and where its values can
 * lie.
 */
static struct cg_code_blocks find_blocks(struct cg_dequantiser *d, int64_t row, int64_t column, size_t n,
                                         struct cg_scales *room)
{
    const struct cg_quantised *how = d->how;
    int64_t length = how->block_columns, first = column / length;
    struct cg_code_blocks blocks = {.scale = room->scale,
                                    .zero = room->zero,
                                    .skip = (size_t)(column - first * length),
                                    .length = (size_t)length,
                                    .factor = factor_of(how),
                                    .whole = d->whole_zeros};
    if (how->scales_by_column) {
        if (d->row_at != row)
            cg_find_row(d, row);
        blocks.scale = d->row_scale + first;
        blocks.zero = d->row_zero + first;
        d->low = fminf(d->low, d->row_low);
        d->high = fmaxf(d->high, d->row_high);
    } else {
        load_row(d, row, first, (blocks.skip + n - 1) / blocks.length + 1, room->scale, room->zero);
        cg_code_bounds(d->least_code, d->most_code, &blocks, n, &d->low, &d->high);
    }
    return blocks;
}

/* Planes of a power of two would share few places of the cache. */
static int64_t split_pitch(const struct cg_dequantiser *d)
{
    return d->columns + 64;
}

/* A run of AWQ's: eight rows are a row of words, which are read once where they are split. */
static void find_words(struct cg_dequantiser *d, int64_t row, int64_t column, size_t n,
                       struct cg_code_run *run)
{
    int64_t first = row - row % 8;
    const uint8_t *words = d->codes + (first * d->columns - d->codes_first) / 2;
    int nibble = cg_awq_nibble[row % 8];
    run->bytes = words + 4 * column;
    run->shift = 4 * nibble;
    if (!d->splits || (column | (int64_t)n) % 32 != 0)
        return;
    if (d->split_at != first)
        cg_words_split(words, (size_t)d->columns, d->split, (size_t)split_pitch(d));
    d->split_at = first;
    run->kind = CG_CODE_HALVES;
    run->bytes = d->split + nibble / 2 * split_pitch(d) + column;
    run->shift = nibble % 2 * 4;
}

struct cg_code_run cg_codes_of(struct cg_dequantiser *d, int64_t row, int64_t column, size_t n,
                               uint8_t code[CG_MOST_CODES])
{
    const struct cg_quantised *how = d->how;
    struct cg_code_run run = {
        .kind = d->code_kind, .offset = how->offset, .table = d->table, .steps = &d->steps};
    size_t at = (size_t)(row * d->columns + column - d->codes_first), bit = at * (size_t)how->bits;
    run.bytes = d->codes + bit / 8;
    if (run.kind == CG_CODE_WORDS) {
        find_words(d, row, column, n, &run);
    } else if ((how->codes == CG_CODES_BITS && how->bits > 4 && how->bits < 8) || bit % 8 != 0) {
        cg_spread_bits(d->codes, bit, how->bits, n, code);
        run.kind = CG_CODE_OCTETS;
        run.bytes = code;
    }
    return run;
}

/* A run within one row; where two codes share a byte, from the first of one on. */
static double dequantise_run(struct cg_dequantiser *d, int64_t row, int64_t column, size_t n, float *values)
{
    struct cg_scales room;
    uint8_t code[CG_MOST_CODES];
    double factor = (double)factor_of(d->how);
    if (d->by_group)
        return cg_dequantise_shuffled(d, row, column, n, values, NULL);
    struct cg_code_run run = cg_codes_of(d, row, column, n, code);
    struct cg_code_blocks blocks = find_blocks(d, row, column, n, &room);
    return cg_take_codes(&run, &blocks, n, values) * factor * factor / 12;
}

/* One value in the second half of a byte. */
static double dequantise_odd(struct cg_dequantiser *d, int64_t row, int64_t column, float *value)
{
    float both[2];
    double sum = dequantise_run(d, row, column - 1, 2, both);
    sum -= dequantise_run(d, row, column - 1, 1, value);
    *value = both[1];
    return sum;
}

void cg_dequantiser_hold(struct cg_dequantiser *d, const uint8_t *codes, int64_t first, int64_t n)
{
    d->codes = codes;
    d->codes_first = first;
    d->codes_end = first + n;
    d->tile_at = -1;
    d->row_at = -1;
    d->squares_at = -1;
    d->band_at = -1;
    d->split_at = -1;
}

double cg_dequantise(struct cg_dequantiser *d, int64_t first, size_t n, float *room, const float **values)
{
    double sum = 0;
    d->low = INFINITY;
    d->high = -INFINITY;
    *values = room;
    assert(n <= CG_MOST_CODES);
    bool paired = d->how->codes == CG_CODES_E2M1 || d->how->codes == CG_CODES_TABLE;
    int64_t row = first / d->columns, column = first - row * d->columns;
    if (d->by_group && column + (int64_t)n <= d->columns)
        return cg_dequantise_shuffled(d, row, column, n, room, values);
    for (size_t done = 0; done < n; row++, column = 0)
        while (done < n && column < d->columns) {
            int64_t left = d->columns - column, at = row * d->columns + column;
            size_t run = (size_t)left < n - done ? (size_t)left : n - done;
            if (paired && (at - d->codes_first) % 2 != 0) {
                run = 1;
                sum += dequantise_odd(d, row, column, room + done);
            } else {
                sum += dequantise_run(d, row, column, run, room + done);
            }
            done += run;
            column += (int64_t)run;
        }
    return sum;
}

double cg_dequantise_wide(struct cg_dequantiser *d, int64_t first, size_t n, double *values)
{
    float single[CG_MOST_CODES];
    const float *where;
    double rounding = cg_dequantise(d, first, n, single, &where);
    cg_dtype_decode(CG_F32, where, n, values);
    return rounding;
}

static int compare_floats(const void *left, const void *right)
{
    float a = *(const float *)left, b = *(const float *)right;
    return (a > b) - (a < b);
}

/* How far apart codes are at table[k]: what makes h^2 / 12 the second moment of its cell. Cells end half way
 * to the next value; those of the least and the greatest end there, since blocks are scaled so that nothing
 * lies beyond. `sorted` holds the same values, growing. */
static double squared_step_at(float value, const float sorted[16])
{
    double below = 0, above = 0;
    for (int i = 0; i < 16; i++)
        if (sorted[i] < value)
            below = ((double)value - (double)sorted[i]) / 2;
    for (int i = 15; i >= 0; i--)
        if (sorted[i] > value)
            above = ((double)sorted[i] - (double)value) / 2;
    double width = below + above;
    return width > 0 ? 4 * (below * below * below + above * above * above) / width : 0;
}

static int begin_table(struct cg_dequantiser *d, const struct place *place, struct cg_err *err)
{
    float sorted[16];
    double squares[16];
    side_numbers(d, CG_SIDE_TABLE, 0, 1, 16, d->table);
    for (int k = 0; k < 16; k++)
        if (!isfinite(d->table[k]))
            return refuse(err, place, "its table of 16 values holds one that is not finite");
    memcpy(sorted, d->table, sizeof sorted);
    qsort(sorted, 16, sizeof *sorted, compare_floats);
    for (int k = 0; k < 16; k++)
        squares[k] = squared_step_at(d->table[k], sorted);
    cg_code_steps_init(&d->steps, squares, CG_CODE_DIGITS);
    return 0;
}

/* E2M1, its sign in the highest bit. What rounds to 6 may lie as far above it as below. */
static void begin_e2m1(struct cg_dequantiser *d)
{
    static const float values[8] = {0, 0.5F, 1, 1.5F, 2, 3, 4, 6};
    static const double squares[16] = {0.25, 0.25, 0.25, 0.25, 0.75, 1, 3, 4,
                                       0.25, 0.25, 0.25, 0.25, 0.75, 1, 3, 4};
    for (int k = 0; k < 16; k++)
        d->table[k] = k < 8 ? values[k] : -values[k - 8];
    cg_code_steps_init(&d->steps, squares, 1);
}

static enum cg_code_kind kind_of(const struct cg_quantised *how)
{
    switch (how->codes) {
    case CG_CODES_BITS:
        return how->bits == 2   ? CG_CODE_TWOS
               : how->bits == 3 ? CG_CODE_THREES
               : how->bits == 4 ? CG_CODE_NIBBLES
                                : CG_CODE_OCTETS;
    case CG_CODES_AWQ:
        return CG_CODE_WORDS;
    case CG_CODES_E2M1:
        return CG_CODE_TABLE_LOW;
    case CG_CODES_TABLE:
        return CG_CODE_TABLE_HIGH;
    default:
        return how->dtype == CG_F8_E4M3       ? CG_CODE_F8_E4M3
               : how->dtype == CG_F8_E5M2     ? CG_CODE_F8_E5M2
               : how->dtype == CG_F8_E4M3FNUZ ? CG_CODE_F8_E4M3FNUZ
               : how->dtype == CG_F8_E5M2FNUZ ? CG_CODE_F8_E5M2FNUZ
                                              : CG_CODE_INTEGERS;
    }
}

/* The greatest number that a code can stand for; the least of those of bytes has the other sign. */
static float greatest_byte(enum cg_dtype dtype)
{
    return dtype == CG_F8_E4M3 ? 448 : dtype == CG_F8_E4M3FNUZ ? 240 : dtype == CG_I8 ? 128 : 57344;
}

static void find_outermost(struct cg_dequantiser *d)
{
    const struct cg_quantised *how = d->how;
    bool bytes = how->codes == CG_CODES_BYTES;
    d->most_code = bytes ? greatest_byte(how->dtype) : (float)((1 << how->bits) - 1 - how->offset);
    d->least_code = bytes ? -d->most_code : (float)-how->offset;
    if (d->code_kind != CG_CODE_TABLE_LOW && d->code_kind != CG_CODE_TABLE_HIGH)
        return;
    d->least_code = d->most_code = d->table[0];
    for (int k = 1; k < 16; k++) {
        d->least_code = fminf(d->least_code, d->table[k]);
        d->most_code = fmaxf(d->most_code, d->table[k]);
    }
}

/* What a byte of scales stands for. */
static void begin_byte_scales(struct cg_dequantiser *d)
{
    const struct cg_side *scale = d->kind[CG_SIDE_SCALE];
    uint8_t byte[256];
    d->scales_are_bytes = scale && cg_dtype_bytes(scale->dtype, 1) == 1 && d->how->nested_block == 0;
    if (!d->scales_are_bytes)
        return;
    for (int k = 0; k < 256; k++)
        byte[k] = (uint8_t)k;
    decode_side(scale->dtype, byte, 256, d->byte_scale);
    for (int k = 0; d->kind[CG_SIDE_GLOBAL_SCALE] && k < 256; k++)
        d->byte_scale[k] /= d->global;
}

static int begin_tables(struct cg_dequantiser *d, const struct place *place, struct cg_err *err)
{
    d->code_kind = kind_of(d->how);
    if (d->how->codes == CG_CODES_E2M1)
        begin_e2m1(d);
    if (d->kind[CG_SIDE_NESTED_TABLE])
        side_numbers(d, CG_SIDE_NESTED_TABLE, 0, 1, 256, d->nested_table);
    if (d->kind[CG_SIDE_GLOBAL_SCALE])
        side_numbers(d, CG_SIDE_GLOBAL_SCALE, 0, 1, 1, &d->global);
    begin_byte_scales(d);
    if (d->kind[CG_SIDE_TABLE] && begin_table(d, place, err) < 0)
        return -1;
    find_outermost(d);
    d->whole_zeros = !d->kind[CG_SIDE_ZERO] || (d->how->zeros != CG_ZEROS_NUMBERS && d->how->bits <= 4);
    return 0;
}

static int64_t side_integer(const struct cg_dequantiser *d, enum cg_side_kind kind, int64_t at)
{
    int32_t narrow;
    int64_t wide;
    if (d->kind[kind]->dtype == CG_I64) {
        memcpy(&wide, d->side[kind] + 8 * at, sizeof wide);
        return wide;
    }
    memcpy(&narrow, d->side[kind] + 4 * at, sizeof narrow);
    return narrow;
}

/* Packed rows say how many columns they have; of a fused matrix the member is a part. */
static int check_shape(const struct cg_dequantiser *d, const struct place *place, struct cg_err *err)
{
    if (!d->kind[CG_SIDE_SHAPE])
        return 0;
    int64_t rows = side_integer(d, CG_SIDE_SHAPE, 0), columns = side_integer(d, CG_SIDE_SHAPE, 1);
    char what[160];
    if (rows >= d->how->rows && columns == d->how->columns)
        return 0;
    snprintf(what, sizeof what,
             "its shape is said to be [%" PRId64 ", %" PRId64 "], but its codes are those of [%" PRId64
             ", %" PRId64 "]",
             rows, columns, d->how->rows, d->how->columns);
    return refuse(err, place, what);
}

static int refuse_group(const struct cg_dequantiser *d, const struct place *place, int64_t column,
                        int64_t group, struct cg_err *err)
{
    char what[160];
    snprintf(what, sizeof what,
             "column %" PRId64 " belongs to group %" PRId64 ", but there are %" PRId64 " groups", column,
             group, d->column_blocks);
    return refuse(err, place, what);
}

/* Groups that follow each other in order, as most do, are blocks of columns. */
static int begin_groups(struct cg_dequantiser *d, const struct place *place, struct cg_err *err)
{
    bool in_order = true;
    d->by_group = false;
    if (!d->kind[CG_SIDE_GROUP])
        return 0;
    if (cg_grow((void **)&d->group, &d->groups_capacity, (size_t)d->columns, sizeof *d->group, err) < 0)
        return -1;
    for (int64_t c = 0; c < d->columns; c++) {
        int64_t group = side_integer(d, CG_SIDE_GROUP, c);
        if (group < 0 || group >= d->column_blocks)
            return refuse_group(d, place, c, group, err);
        d->group[c] = (int32_t)group;
        in_order = in_order && group == c / d->how->block_columns;
    }
    d->by_group = !in_order;
    return 0;
}

static int begin_tile(struct cg_dequantiser *d, struct cg_err *err)
{
    size_t rows = d->how->scales_by_column ? TILE : d->by_group ? 1 : 0;
    size_t n = rows * (size_t)d->padded_blocks;
    d->tile_at = -1;
    if (cg_grow((void **)&d->tile_scale, &d->scales_capacity, n, sizeof *d->tile_scale, err) < 0)
        return -1;
    return cg_grow((void **)&d->tile_zero, &d->zeros_capacity, n, sizeof *d->tile_zero, err);
}

/* Room for the bytes of AWQ's words, eight rows at a time. */
static int begin_split(struct cg_dequantiser *d, struct cg_err *err)
{
    d->splits = d->how->codes == CG_CODES_AWQ && cg_words_split_fit(d->columns, d->how->block_columns);
    size_t n = d->splits ? 4 * (size_t)split_pitch(d) : 0;
    return cg_grow((void **)&d->split, &d->split_capacity, n, 1, err);
}

int cg_dequantiser_begin(struct cg_dequantiser *d, const struct cg_quantised *how, const uint8_t *sides,
                         const char *file, const char *tensor, struct cg_err *err)
{
    const struct place place = {file, tensor};
    d->how = how;
    d->columns = how->flat ? how->rows * how->columns : how->columns;
    d->column_blocks = (d->columns + how->block_columns - 1) / how->block_columns;
    d->padded_blocks = (d->column_blocks + 7) / 8 * 8;
    memset(d->kind, 0, sizeof d->kind);
    for (int k = 0; k < how->nsides; k++) {
        const struct cg_side *side = &how->side[k];
        if (side->kind != CG_SIDE_REST) {
            d->kind[side->kind] = side;
            d->side[side->kind] = sides;
        }
        sides += side->bytes;
    }
    if (begin_tables(d, &place, err) < 0 || check_shape(d, &place, err) < 0)
        return -1;
    if (begin_groups(d, &place, err) < 0 || begin_tile(d, err) < 0 || begin_split(d, err) < 0)
        return -1;
    return d->by_group ? cg_shuffled_begin(d, err) : 0;
}

void cg_dequantiser_release(struct cg_dequantiser *d)
{
    free(d->group);
    free(d->split);
    free(d->places);
    free(d->tile_scale);
    free(d->tile_zero);
    free(d->band);
    free(d->tables);
    free(d->square);
    free(d->count);
    free(d->before);
    *d = (struct cg_dequantiser){0};
}
