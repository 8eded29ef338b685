#include "dequantise.h"
#include "codes.h"
#include "cognate/mem.h"
#include "cognate/text.h"
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

/* n elements of a side, `step` apart, as floats. */
static void side_numbers(const struct cg_dequantiser *d, enum cg_side_kind kind, int64_t first, int64_t step,
                         size_t n, float *out)
{
    enum { SOME = 128, WIDEST = 8 };
    double values[SOME];
    uint8_t bytes[SOME * WIDEST];
    enum cg_dtype dtype = d->kind[kind]->dtype;
    size_t width = (size_t)cg_dtype_bytes(dtype, 1);
    for (size_t done = 0; done < n; done += SOME) {
        size_t some = n - done < SOME ? n - done : SOME;
        const uint8_t *from = d->side[kind] + (size_t)(first + (int64_t)done * step) * width;
        for (size_t i = 0; step != 1 && i < some; i++)
            memcpy(bytes + i * width, from + i * (size_t)step * width, width);
        cg_dtype_decode(dtype, step == 1 ? from : bytes, some, values);
        for (size_t i = 0; i < some; i++)
            out[done + i] = (float)values[i];
    }
}

/* Scale b of a row lies at first + b * step. */
static int64_t scale_at(const struct cg_dequantiser *d, int64_t row, int64_t *step)
{
    const struct cg_quantised *how = d->how;
    *step = how->scales_by_column ? how->rows : 1;
    return how->scales_by_column ? row : row / how->block_rows * d->column_blocks;
}

/* The scales of blocks first to first + n - 1 of a row. */
static void load_scales(const struct cg_dequantiser *d, int64_t row, int64_t first, size_t n, float *out)
{
    int64_t step, at = scale_at(d, row, &step);
    side_numbers(d, CG_SIDE_SCALE, at + first * step, step, n, out);
    int64_t nested = d->how->nested_block;
    for (size_t i = 0; nested > 0 && i < n; i++) {
        float of_block;
        side_numbers(d, CG_SIDE_NESTED_SCALE, (at + first + (int64_t)i) / nested, 1, 1, &of_block);
        out[i] = d->nested_table[(int)out[i]] * of_block + d->how->nested_offset;
    }
    for (size_t i = 0; d->kind[CG_SIDE_GLOBAL_SCALE] && i < n; i++)
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

/* The zero points of the same blocks. GPTQ's and AWQ's wrap within their bits. */
static void load_zeros(const struct cg_dequantiser *d, int64_t row, int64_t first, size_t n, float *out)
{
    const struct cg_quantised *how = d->how;
    const uint8_t *words = d->side[CG_SIDE_ZERO];
    int mask = (1 << how->bits) - 1;
    if (how->zeros == CG_ZEROS_NUMBERS) {
        int64_t step, at = scale_at(d, row, &step);
        side_numbers(d, CG_SIDE_ZERO, at + first * step, step, n, out);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        int64_t block = first + (int64_t)i, k = block * how->rows + row;
        int zero;
        if (how->zeros == CG_ZEROS_ALONG)
            zero = (bits_of(words, k * how->bits, 1, how->bits) + how->zero_offset) & mask;
        else if (how->zeros == CG_ZEROS_AWQ)
            zero = bits_of(words + k / 8 * 4, 4 * cg_awq_nibble[k % 8], 1, 4);
        else
            zero =
                bits_of(words + 4 * block, row * how->bits, d->column_blocks, how->bits) + how->zero_offset;
        out[i] = (float)zero;
    }
}

/* Of columns that belong to any group: a row's scales, once, then one for each column. */
static void pick_scales(struct cg_dequantiser *d, int64_t row, int64_t column, size_t n, float *scale,
                        float *zero)
{
    bool zeros = d->kind[CG_SIDE_ZERO] != NULL;
    if (d->row_at != row) {
        load_scales(d, row, 0, (size_t)d->column_blocks, d->row_scale);
        if (zeros)
            load_zeros(d, row, 0, (size_t)d->column_blocks, d->row_zero);
        d->row_at = row;
    }
    for (size_t i = 0; i < n; i++) {
        int32_t group = d->group[column + (int64_t)i];
        scale[i] = d->row_scale[group];
        if (zeros)
            zero[i] = d->row_zero[group];
    }
}

static void spread_scales(const struct cg_dequantiser *d, int64_t row, int64_t column, size_t n, float *scale,
                          float *zero)
{
    float of_block[CG_MOST_CODES + 1];
    int64_t length = d->how->block_columns, first = column / length;
    size_t skip = (size_t)(column - first * length);
    size_t blocks = (size_t)((column + (int64_t)n - 1) / length - first + 1);
    load_scales(d, row, first, blocks, of_block);
    cg_spread(of_block, skip, (size_t)length, n, scale);
    if (!d->kind[CG_SIDE_ZERO])
        return;
    load_zeros(d, row, first, blocks, of_block);
    cg_spread(of_block, skip, (size_t)length, n, zero);
}

/* The codes of elements of one row, as numbers. Those of two a byte begin with an even one. */
static void unpack(const struct cg_dequantiser *d, const uint8_t *codes, int64_t codes_first, int64_t first,
                   size_t n, float *code, float *cell)
{
    const struct cg_quantised *how = d->how;
    size_t at = (size_t)(first - codes_first);
    switch (how->codes) {
    case CG_CODES_BYTES:
        cg_codes_of_bytes(how->dtype, codes + at, n, code, cell);
        break;
    case CG_CODES_BITS:
        cg_codes_of_bits(codes, at * (size_t)how->bits, how->bits, how->offset, n, code);
        break;
    case CG_CODES_AWQ: {
        int64_t row = first / how->columns, column = first % how->columns;
        int64_t band = (row - codes_first / how->columns) / 8;
        cg_codes_of_awq(codes + 4 * (band * how->columns + column), cg_awq_nibble[row % 8], n, code);
        break;
    }
    case CG_CODES_E2M1:
        cg_codes_of_e2m1(codes + at / 2, n, code, cell);
        break;
    case CG_CODES_TABLE:
        cg_codes_of_table(codes + at / 2, d->table, d->cell, n, code, cell);
    }
}

/* Whether all cells are as wide as the scale. */
static bool is_even(const struct cg_quantised *how)
{
    return how->codes == CG_CODES_BITS || how->codes == CG_CODES_AWQ ||
           (how->codes == CG_CODES_BYTES && how->dtype == CG_I8);
}

/* A NaN or an infinity among the scales: those without count. */
static double sum_finite_cells(const float *cell, const float *scale, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(scale[i]))
            sum += (double)cell[i] * ((double)scale[i] * (double)scale[i]);
    return sum;
}

/* A run within one row, from an even column on where two codes share a byte. */
static double dequantise_run(struct cg_dequantiser *d, const uint8_t *codes, int64_t codes_first,
                             int64_t first, size_t n, double *values)
{
    float code[CG_MOST_CODES], cell[CG_MOST_CODES], scale[CG_MOST_CODES], zero[CG_MOST_CODES];
    const struct cg_quantised *how = d->how;
    int64_t row = first / d->columns, column = first % d->columns;
    float factor = how->factor != 0 ? how->factor : 1;
    for (size_t i = 0; is_even(how) && i < n; i++)
        cell[i] = 1;
    unpack(d, codes, codes_first, first, n, code, cell);
    if (d->by_group)
        pick_scales(d, row, column, n, scale, zero);
    else
        spread_scales(d, row, column, n, scale, zero);
    cg_scale_codes(code, d->kind[CG_SIDE_ZERO] ? zero : NULL, scale, factor, n, values);
    double sum = cg_sum_cells(cell, scale, n);
    if (!isfinite(sum))
        sum = sum_finite_cells(cell, scale, n);
    return sum * (double)factor * (double)factor / 12;
}

/* One value in the second half of a byte. */
static double dequantise_odd(struct cg_dequantiser *d, const uint8_t *codes, int64_t codes_first,
                             int64_t first, double *value)
{
    double both[2], before;
    double sum = dequantise_run(d, codes, codes_first, first - 1, 2, both);
    before = dequantise_run(d, codes, codes_first, first - 1, 1, value);
    *value = both[1];
    return sum - before;
}

double cg_dequantise(struct cg_dequantiser *d, const uint8_t *codes, int64_t codes_first, int64_t first,
                     size_t n, double *values)
{
    double sum = 0;
    bool paired = d->how->codes == CG_CODES_E2M1 || d->how->codes == CG_CODES_TABLE;
    assert(n <= CG_MOST_CODES);
    for (size_t done = 0; done < n;) {
        int64_t at = first + (int64_t)done, left = d->columns - at % d->columns;
        size_t run = (size_t)left < n - done ? (size_t)left : n - done;
        if (paired && (at - codes_first) % 2 != 0) {
            run = 1;
            sum += dequantise_odd(d, codes, codes_first, at, values + done);
        } else {
            sum += dequantise_run(d, codes, codes_first, at, run, values + done);
        }
        done += run;
    }
    return sum;
}

static int compare_floats(const void *left, const void *right)
{
    float a = *(const float *)left, b = *(const float *)right;
    return (a > b) - (a < b);
}

/* The second moment of each cell of a table, in twelfths. Cells end half way to the next value; those of the
 * least and the greatest end there: blocks are scaled so that nothing lies beyond. */
static void measure_cells(struct cg_dequantiser *d)
{
    float sorted[16];
    memcpy(sorted, d->table, sizeof sorted);
    qsort(sorted, 16, sizeof *sorted, compare_floats);
    for (int k = 0; k < 16; k++) {
        double value = (double)d->table[k], below = 0, above = 0;
        for (int i = 15; i >= 0; i--)
            if ((double)sorted[i] > value)
                above = ((double)sorted[i] - value) / 2;
        for (int i = 0; i < 16; i++)
            if ((double)sorted[i] < value)
                below = (value - (double)sorted[i]) / 2;
        double width = below + above;
        d->cell[k] = width > 0 ? (float)(4 * (pow(below, 3) + pow(above, 3)) / width) : 0;
    }
}

static int begin_tables(struct cg_dequantiser *d, const struct place *place, struct cg_err *err)
{
    if (d->kind[CG_SIDE_TABLE]) {
        side_numbers(d, CG_SIDE_TABLE, 0, 1, 16, d->table);
        for (int i = 0; i < 16; i++)
            if (!isfinite(d->table[i]))
                return refuse(err, place, "its table of 16 values holds one that is not finite");
        measure_cells(d);
    }
    if (d->kind[CG_SIDE_NESTED_TABLE])
        side_numbers(d, CG_SIDE_NESTED_TABLE, 0, 1, 256, d->nested_table);
    if (d->kind[CG_SIDE_GLOBAL_SCALE])
        side_numbers(d, CG_SIDE_GLOBAL_SCALE, 0, 1, 1, &d->global);
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
        char what[160];
        snprintf(what, sizeof what,
                 "column %" PRId64 " belongs to group %" PRId64 ", but there are %" PRId64 " groups", c,
                 group, d->column_blocks);
        if (group < 0 || group >= d->column_blocks)
            return refuse(err, place, what);
        d->group[c] = (int32_t)group;
        in_order = in_order && group == c / d->how->block_columns;
    }
    d->by_group = !in_order;
    if (in_order)
        return 0;
    size_t groups = (size_t)d->column_blocks;
    if (cg_grow((void **)&d->row_scale, &d->scales_capacity, groups, sizeof *d->row_scale, err) < 0)
        return -1;
    return cg_grow((void **)&d->row_zero, &d->zeros_capacity, groups, sizeof *d->row_zero, err);
}

int cg_dequantiser_begin(struct cg_dequantiser *d, const struct cg_quantised *how, const uint8_t *sides,
                         const char *file, const char *tensor, struct cg_err *err)
{
    const struct place place = {file, tensor};
    d->how = how;
    d->row_at = -1;
    d->columns = how->flat ? how->rows * how->columns : how->columns;
    d->column_blocks = (d->columns + how->block_columns - 1) / how->block_columns;
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
    return begin_groups(d, &place, err);
}

void cg_dequantiser_release(struct cg_dequantiser *d)
{
    free(d->group);
    free(d->row_scale);
    free(d->row_zero);
    *d = (struct cg_dequantiser){0};
}
