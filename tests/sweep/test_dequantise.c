/* Codes that the test packed itself, back to values: each against its definition, in runs of any length and
 * from anywhere; and what a file's contents cannot be. */
#include "noise.h"
#include "sweep/dequantise.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { MOST = 4096, ROOM = 4 * MOST };

static const struct kind {
    const char *name;
    enum cg_codes codes;
    enum cg_dtype dtype;
    int bits;
    int64_t rows, columns, block_rows, block_columns;
    bool flat, by_column;
    enum cg_side_kind zero; /* CG_SIDE_ZERO where there are zero points */
    enum cg_zeros zeros;
    int offset, zero_offset;
    float factor;
    bool shuffled, global, short_scales; /* BF16 */
    int64_t nested;
} kinds[] = {
    {"fp8 in blocks", CG_CODES_BYTES, CG_F8_E4M3, 8, 20, 24, 8, 16, .flat = false},
    {"fp8, one scale", CG_CODES_BYTES, CG_F8_E5M2, 8, 3, 50, 3, 50, .flat = false},
    {"fnuz by row", CG_CODES_BYTES, CG_F8_E4M3FNUZ, 8, 5, 33, 1, 33, .flat = false},
    {"the other fnuz", CG_CODES_BYTES, CG_F8_E5M2FNUZ, 8, 5, 33, 1, 11, .flat = false},
    {"int8 with a factor", CG_CODES_BYTES, CG_I8, 8, 7, 40, 1, 40, .factor = 0.00787F},
    {"int8 with zero points", CG_CODES_BYTES, CG_I8, 8, 7, 40, 1, 8, .zero = CG_SIDE_ZERO},
    {"packed 4", CG_CODES_BITS, CG_I32, 4, 8, 64, 1, 16, .offset = 8},
    {"packed 4 with zero points", CG_CODES_BITS, CG_I32, 4, 20, 64, 1, 16, .zero = CG_SIDE_ZERO,
     .zeros = CG_ZEROS_ACROSS, .offset = 8, .zero_offset = -8},
    {"packed 3 with zero points", CG_CODES_BITS, CG_I32, 3, 13, 64, 1, 32, .zero = CG_SIDE_ZERO,
     .zeros = CG_ZEROS_ACROSS, .offset = 4, .zero_offset = -4},
    {"packed 8, shuffled", CG_CODES_BITS, CG_I32, 8, 5, 48, 1, 12, .offset = 128, .shuffled = true},
    {"gptq 4", CG_CODES_BITS, CG_I32, 4, 16, 40, 1, 8, .by_column = true, .zero = CG_SIDE_ZERO,
     .zeros = CG_ZEROS_ALONG, .zero_offset = 1},
    {"gptq 2, a last short group", CG_CODES_BITS, CG_I32, 2, 16, 48, 1, 20, .by_column = true,
     .zero = CG_SIDE_ZERO, .zeros = CG_ZEROS_ALONG, .zero_offset = 1},
    {"gptq 3, v2", CG_CODES_BITS, CG_I32, 3, 32, 32, 1, 8, .by_column = true, .zero = CG_SIDE_ZERO,
     .zeros = CG_ZEROS_ALONG},
    {"gptq 8, shuffled", CG_CODES_BITS, CG_I32, 8, 8, 40, 1, 8, .by_column = true, .zero = CG_SIDE_ZERO,
     .zeros = CG_ZEROS_ALONG, .zero_offset = 1, .shuffled = true},
    {"gptq 4, shuffled", CG_CODES_BITS, CG_I32, 4, 24, 48, 1, 8, .by_column = true, .zero = CG_SIDE_ZERO,
     .zeros = CG_ZEROS_ALONG, .zero_offset = 1, .shuffled = true},
    {"gptq 3, shuffled", CG_CODES_BITS, CG_I32, 3, 32, 32, 1, 8, .by_column = true, .zero = CG_SIDE_ZERO,
     .zeros = CG_ZEROS_ALONG, .zero_offset = 1, .shuffled = true},
    {"packed 2, shuffled, in long rows", CG_CODES_BITS, CG_I32, 2, 13, 296, 1, 8, .zero = CG_SIDE_ZERO,
     .zeros = CG_ZEROS_ACROSS, .offset = 2, .zero_offset = -2, .shuffled = true},
    {"packed 4, shuffled, no whole words", CG_CODES_BITS, CG_I32, 4, 16, 44, 1, 4, .offset = 8,
     .shuffled = true},
    {"gptq 4, shuffled among a few groups", CG_CODES_BITS, CG_I32, 4, 24, 96, 1, 8, .by_column = true,
     .zero = CG_SIDE_ZERO, .zeros = CG_ZEROS_ALONG, .zero_offset = 1, .shuffled = true, .short_scales = true},
    {"gptq 4, shuffled among many groups", CG_CODES_BITS, CG_I32, 4, 16, 256, 1, 4, .by_column = true,
     .zero = CG_SIDE_ZERO, .zeros = CG_ZEROS_ALONG, .shuffled = true, .short_scales = true},
    {"packed 4, shuffled among some groups", CG_CODES_BITS, CG_I32, 4, 13, 160, 1, 8, .offset = 8,
     .shuffled = true, .short_scales = true},
    {"packed 4 with zero points, shuffled", CG_CODES_BITS, CG_I32, 4, 9, 192, 1, 4, .zero = CG_SIDE_ZERO,
     .zeros = CG_ZEROS_ACROSS, .offset = 8, .zero_offset = -8, .shuffled = true, .short_scales = true},
    {"packed 5", CG_CODES_BITS, CG_I32, 5, 9, 64, 1, 32, .offset = 16},
    {"packed 6 in groups of 32", CG_CODES_BITS, CG_I32, 6, 9, 96, 1, 32, .offset = 32},
    {"packed 3 in groups of 32", CG_CODES_BITS, CG_I32, 3, 9, 96, 1, 32, .offset = 4},
    {"packed 5, shuffled", CG_CODES_BITS, CG_I32, 5, 17, 64, 1, 8, .offset = 16, .shuffled = true},
    {"packed 6, shuffled", CG_CODES_BITS, CG_I32, 6, 17, 48, 1, 8, .offset = 32, .shuffled = true},
    {"packed 7, shuffled", CG_CODES_BITS, CG_I32, 7, 17, 32, 1, 8, .offset = 64, .shuffled = true},
    {"fp8, shuffled", CG_CODES_BYTES, CG_F8_E4M3, 8, 17, 40, 1, 8, .shuffled = true},
    {"awq", CG_CODES_AWQ, CG_I32, 4, 24, 40, 1, 8, .by_column = true, .zero = CG_SIDE_ZERO,
     .zeros = CG_ZEROS_AWQ},
    {"awq in groups of 32", CG_CODES_AWQ, CG_I32, 4, 72, 32, 1, 32, .by_column = true, .zero = CG_SIDE_ZERO,
     .zeros = CG_ZEROS_AWQ},
    {"packed 4 in groups of 32", CG_CODES_BITS, CG_I32, 4, 8, 96, 1, 32, .offset = 8},
    {"gptq 4 in groups of 64", CG_CODES_BITS, CG_I32, 4, 16, 128, 1, 64, .by_column = true,
     .zero = CG_SIDE_ZERO, .zeros = CG_ZEROS_ALONG, .zero_offset = 1},
    {"nvfp4", CG_CODES_E2M1, CG_U8, 4, 6, 64, 1, 16, .global = true},
    {"mxfp4", CG_CODES_E2M1, CG_U8, 4, 6, 96, 1, 32, .flat = false},
    {"nf4", CG_CODES_TABLE, CG_U8, 4, 9, 42, 1, 16, .flat = true},
    {"nf4 in blocks of 64", CG_CODES_TABLE, CG_U8, 4, 16, 128, 1, 64, .flat = true},
    {"nf4, nested", CG_CODES_TABLE, CG_U8, 4, 9, 42, 1, 16, .flat = true, .nested = 4},
};

/* What the values are made of, unpacked, and how it is stored. */
struct matrix {
    struct cg_quantised how;
    int code[MOST], zero[MOST], group[MOST];
    float scale[MOST], table[16], nested[256], coarse[MOST], global;
    uint8_t codes[ROOM], sides[4 * ROOM];
    int64_t columns, blocks; /* blocks in a row of columns */
};

static void put_bits(uint8_t *bytes, int64_t first, int bits, int value)
{
    for (int b = 0; b < bits; b++)
        bytes[(first + b) / 8] |= (uint8_t)((value >> b & 1) << (first + b) % 8);
}

static const int awq_order[8] = {0, 2, 4, 6, 1, 3, 5, 7};

/* The nibble that holds element k of a word. */
static int awq_place(int64_t k)
{
    for (int i = 0; i < 8; i++)
        if (awq_order[i] == k % 8)
            return i;
    abort();
}

static void pack_codes(struct matrix *m, const struct kind *kind)
{
    for (int64_t r = 0; r < kind->rows; r++)
        for (int64_t c = 0; c < kind->columns; c++) {
            int64_t k = r * kind->columns + c;
            int64_t bit = k * kind->bits;
            if (kind->codes == CG_CODES_AWQ)
                bit = 32 * (r / 8 * kind->columns + c) + 4 * awq_place(r);
            if (kind->codes == CG_CODES_TABLE)
                bit = 4 * (k ^ 1);
            put_bits(m->codes, bit, kind->bits, m->code[k]);
        }
}

static uint8_t *add_side(struct matrix *m, enum cg_side_kind kind, enum cg_dtype dtype, int64_t elements)
{
    struct cg_side *side = &m->how.side[m->how.nsides++];
    uint8_t *at = m->sides + m->how.side_bytes;
    *side = (struct cg_side){
        .kind = kind, .dtype = dtype, .elements = elements, .bytes = cg_dtype_bytes(dtype, elements)};
    m->how.side_bytes += side->bytes;
    assert_true(m->how.side_bytes <= (int64_t)sizeof m->sides);
    return at;
}

/* Scale b of row block r lies at that index. */
static int64_t scale_index(const struct matrix *m, const struct kind *kind, int64_t r, int64_t b)
{
    return kind->by_column ? b * kind->rows + r : r * m->blocks + b;
}

static void pack_zeros(struct matrix *m, const struct kind *kind, int64_t row_blocks)
{
    int64_t words = (kind->rows * kind->bits + 31) / 32;
    bool numbers = kind->zeros == CG_ZEROS_NUMBERS;
    int64_t elements = numbers ? row_blocks * m->blocks : words * m->blocks;
    uint8_t *to = add_side(m, CG_SIDE_ZERO, numbers ? CG_I8 : CG_I32, elements);
    for (int64_t r = 0; r < row_blocks; r++)
        for (int64_t b = 0; b < m->blocks; b++) {
            int zero = m->zero[r * m->blocks + b] - kind->zero_offset, mask = (1 << kind->bits) - 1;
            int64_t k = b * kind->rows + r, bit = r * kind->bits;
            if (numbers)
                to[scale_index(m, kind, r, b)] = (uint8_t)zero;
            else if (kind->zeros == CG_ZEROS_ALONG)
                put_bits(to, k * kind->bits, kind->bits, zero & mask);
            else if (kind->zeros == CG_ZEROS_AWQ)
                put_bits(to, 32 * (k / 8) + 4 * awq_place(k), 4, zero);
            else
                for (int i = 0; i < kind->bits; i++, bit++)
                    put_bits(to, 32 * (bit / 32 * m->blocks + b) + bit % 32, 1, zero >> i & 1);
        }
}

static void pack_scales(struct matrix *m, const struct kind *kind, int64_t row_blocks)
{
    int64_t n = row_blocks * m->blocks;
    if (kind->nested > 0) {
        uint8_t *marks = add_side(m, CG_SIDE_SCALE, CG_U8, n);
        for (int64_t b = 0; b < n; b++)
            marks[b] = (uint8_t)(37 * b);
        memcpy(add_side(m, CG_SIDE_NESTED_SCALE, CG_F32, n / kind->nested + 1), m->coarse,
               (size_t)(n / kind->nested + 1) * 4);
        memcpy(add_side(m, CG_SIDE_NESTED_TABLE, CG_F32, 256), m->nested, sizeof m->nested);
        for (int64_t b = 0; b < n; b++)
            m->scale[b] = m->nested[(uint8_t)(37 * b)] * m->coarse[b / kind->nested] + 0.125F;
        return;
    }
    int bytes = kind->short_scales ? 2 : 4;
    uint8_t *to = add_side(m, CG_SIDE_SCALE, kind->short_scales ? CG_BF16 : CG_F32, n);
    for (int64_t r = 0; r < row_blocks; r++)
        for (int64_t b = 0; b < m->blocks; b++) {
            float *scale = &m->scale[r * m->blocks + b];
            uint8_t stored[4];
            memcpy(stored, scale, 4);
            memset(stored, 0, (size_t)(4 - bytes)); /* the upper bytes count */
            memcpy(scale, stored, 4);
            memcpy(to + bytes * scale_index(m, kind, r, b), stored + 4 - bytes, (size_t)bytes);
        }
    if (kind->global)
        memcpy(add_side(m, CG_SIDE_GLOBAL_SCALE, CG_F32, 1), &m->global, 4);
}

static void fill(struct matrix *m, const struct kind *kind, uint64_t *seed)
{
    bool whole = kind->codes == CG_CODES_BYTES && kind->dtype == CG_I8;
    for (int k = 0; k < MOST; k++) {
        m->code[k] = (int)((noise_bits(seed) >> 20) % (1u << kind->bits));
        if (kind->codes == CG_CODES_BYTES && !whole)
            m->code[k] = (m->code[k] & ~0x14) == 0x80 ? 0 : m->code[k] & ~0x14; /* neither NaN nor near it */
        m->zero[k] = (int)((noise_bits(seed) >> 20) % (1u << kind->bits)) -
                     (kind->zero_offset < 0 || whole ? 1 << (kind->bits - 1) : 0);
        m->scale[k] = (float)(0.5 + (double)((noise_bits(seed) >> 20) % 1000) / 999);
        m->coarse[k] = (float)((noise_bits(seed) >> 20) % 1000) / 997;
        m->group[k] = (int)((noise_bits(seed) >> 20) % (uint64_t)m->blocks);
    }
    for (int k = 0; k < 256; k++)
        m->nested[k] = (float)((noise_bits(seed) >> 20) % 1000) / 991 - 0.5F;
    for (int k = 0; k < 16; k++)
        m->table[k] = (float)(k * k) / 225 - 0.25F;
    m->global = 3.7F;
}

static void build(struct matrix *m, const struct kind *kind, uint64_t *seed)
{
    memset(m, 0, sizeof *m);
    m->columns = kind->flat ? kind->rows * kind->columns : kind->columns;
    m->blocks = (m->columns + kind->block_columns - 1) / kind->block_columns;
    m->how = (struct cg_quantised){.format = kind->name,
                                   .codes = kind->codes,
                                   .dtype = kind->dtype,
                                   .bits = kind->bits,
                                   .rows = kind->rows,
                                   .columns = kind->columns,
                                   .block_rows = kind->block_rows,
                                   .block_columns = kind->block_columns,
                                   .flat = kind->flat,
                                   .scales_by_column = kind->by_column,
                                   .zeros = kind->zeros,
                                   .offset = kind->offset,
                                   .zero_offset = kind->zero_offset,
                                   .factor = kind->factor,
                                   .nested_block = kind->nested,
                                   .nested_offset = 0.125F};
    fill(m, kind, seed);
    int64_t row_blocks = kind->flat ? 1 : (kind->rows + kind->block_rows - 1) / kind->block_rows;
    pack_codes(m, kind);
    if (kind->zero == CG_SIDE_ZERO)
        pack_zeros(m, kind, row_blocks);
    pack_scales(m, kind, row_blocks);
    if (kind->shuffled) {
        uint8_t *to = add_side(m, CG_SIDE_GROUP, CG_I32, kind->columns);
        for (int64_t c = 0; c < kind->columns; c++)
            memcpy(to + 4 * c, &m->group[c], 4);
    }
    if (kind->codes == CG_CODES_TABLE)
        memcpy(add_side(m, CG_SIDE_TABLE, CG_F32, 16), m->table, sizeof m->table);
}

/* What a code stands for, and how far apart codes are there. */
static float number_of(const struct matrix *m, const struct kind *kind, int code, double *step)
{
    static const float e2m1[] = {0, 0.5F, 1, 1.5F, 2, 3, 4, 6};
    static const double moments[] = {0.25, 0.25, 0.25, 0.25, 0.75, 1, 3, 4}; /* times 12, of the cells */
    uint8_t byte = (uint8_t)code;
    double value[2];
    *step = 1;
    switch (kind->codes) {
    case CG_CODES_E2M1:
        *step = sqrt(moments[code & 7]);
        return code & 8 ? -e2m1[code & 7] : e2m1[code & 7];
    case CG_CODES_TABLE: {
        double below = code > 0 ? ((double)m->table[code] - (double)m->table[code - 1]) / 2 : 0;
        double above = code < 15 ? ((double)m->table[code + 1] - (double)m->table[code]) / 2 : 0;
        *step = sqrt(4 * (pow(below, 3) + pow(above, 3)) / (below + above));
        return m->table[code];
    }
    case CG_CODES_BYTES:
        cg_dtype_decode(kind->dtype, &byte, 1, value);
        if (kind->dtype != CG_I8) {
            uint8_t next = (uint8_t)(byte + 1), last = (uint8_t)(byte - 1);
            double above, below;
            cg_dtype_decode(kind->dtype, &next, 1, &above);
            cg_dtype_decode(kind->dtype, &last, 1, &below);
            above = (fabs(above) - fabs(value[0])) / 2;
            below = (byte & 0x7F) == 0 ? above : (fabs(value[0]) - fabs(below)) / 2;
            *step = sqrt(4 * (pow(below, 3) + pow(above, 3)) / (below + above));
        }
        return (float)value[0];
    default:
        return (float)(code - kind->offset);
    }
}

static double value_of(const struct matrix *m, const struct kind *kind, int64_t k, double *rounding)
{
    int64_t r = kind->flat ? 0 : k / kind->columns / kind->block_rows;
    int64_t c = kind->flat ? k : k % kind->columns;
    int64_t block = r * m->blocks + (kind->shuffled ? m->group[c] : c / kind->block_columns);
    float scale = m->scale[block];
    double step;
    if (kind->global)
        scale /= m->global;
    float value = number_of(m, kind, m->code[k], &step);
    if (kind->zero == CG_SIDE_ZERO)
        value -= (float)m->zero[block];
    value *= scale;
    if (kind->factor > 0)
        value *= kind->factor;
    step *= (double)scale * (kind->factor > 0 ? (double)kind->factor : 1);
    *rounding = step * step / 12;
    return (double)value;
}

static void check_run(const struct matrix *m, const struct kind *kind, struct cg_dequantiser *d,
                      int64_t first, size_t n)
{
    double sum = 0;
    float room[CG_MOST_CODES];
    const float *values;
    /* Codes begin with a whole grain somewhere before, AWQ's with eight rows. */
    int64_t grain = kind->codes == CG_CODES_AWQ ? 8 * kind->columns : 32;
    int64_t from = first % 3 == 0 ? 0 : first / grain * grain;
    int64_t end = first % 2 == 0 ? kind->rows * kind->columns : first + (int64_t)n;
    size_t bytes = (size_t)((end * kind->bits + 7) / 8 - from * kind->bits / 8);
    if (kind->codes == CG_CODES_AWQ)
        bytes = (size_t)(kind->rows * kind->columns / 2 - from / 2);
    uint8_t *codes = malloc(bytes); /* no more than are held */
    assert_non_null(codes);
    memcpy(codes, m->codes + from * kind->bits / 8, bytes);
    cg_dequantiser_hold(d, codes, from, end - from);
    double rounding = cg_dequantise(d, first, n, room, &values);
    free(codes);
    for (size_t i = 0; i < n; i++) {
        double one, expected = value_of(m, kind, first + (int64_t)i, &one);
        sum += one;
        assert_true(d->low <= values[i] && values[i] <= d->high);
        if ((double)values[i] != expected)
            fail_msg("%s: element %lld is %g, not %g", kind->name, (long long)first + (long long)i,
                     (double)values[i], expected);
    }
    if (fabs(rounding - sum) > 1e-5 * sum)
        fail_msg("%s: %zu from %lld: rounding explains %g, not %g", kind->name, n, (long long)first, rounding,
                 sum);
}

static void test_values(void **state)
{
    (void)state;
    static struct matrix m;
    struct cg_dequantiser d = {0};
    uint64_t seed = 1;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct cg_err err;
        build(&m, &kinds[i], &seed);
        assert_int_equal(cg_dequantiser_begin(&d, &m.how, m.sides, "f", "t", &err), 0);
        int64_t all = kinds[i].rows * kinds[i].columns;
        for (int64_t at = 0; at < all; at += CG_MOST_CODES)
            check_run(&m, &kinds[i], &d, at, (size_t)(all - at < CG_MOST_CODES ? all - at : CG_MOST_CODES));
        for (int run = 0; run < 200; run++) {
            int64_t first = (int64_t)((noise_bits(&seed) >> 20) % (uint64_t)all);
            int64_t most = all - first < CG_MOST_CODES ? all - first : CG_MOST_CODES;
            check_run(&m, &kinds[i], &d, first, (size_t)(1 + (noise_bits(&seed) >> 20) % (uint64_t)most));
        }
    }
    cg_dequantiser_release(&d);
}

/* A NaN among codes or scales is a NaN among values, and rounding explains the others. */
static void test_nonfinite(void **state)
{
    (void)state;
    static struct matrix m;
    struct cg_dequantiser d = {0};
    uint64_t seed = 2;
    struct cg_err err;
    float room[480];
    const float *values;
    build(&m, &kinds[0], &seed); /* fp8: 20 x 24, blocks of 8 x 16 */
    const float nan = NAN;
    memcpy(m.sides + 4, &nan, sizeof nan); /* block (0, 1) */
    m.codes[5] = 0x7F;
    assert_int_equal(cg_dequantiser_begin(&d, &m.how, m.sides, "f", "t", &err), 0);
    cg_dequantiser_hold(&d, m.codes, 0, 480);
    double rounding = cg_dequantise(&d, 0, 480, room, &values), sum = 0, one;
    for (int64_t k = 0; k < 480; k++) {
        bool lost = k == 5 || (k / 24 < 8 && k % 24 >= 16);
        double expected = value_of(&m, &kinds[0], k, &one);
        assert_true(lost ? isnan(values[k]) : (double)values[k] == expected);
        sum += lost ? 0 : one;
    }
    assert_true(fabs(rounding - sum) < 1e-5 * sum);
    cg_dequantiser_release(&d);
}

/* What a side may not hold, at the side's own number in the file. */
static const struct {
    const char *kind;
    enum cg_side_kind side;
    int64_t at;
    int32_t value;
    const char *message; /* NULL: accepted */
} contents[] = {
    {"gptq 8, shuffled", CG_SIDE_GROUP, 0, 4, NULL},
    {"gptq 8, shuffled", CG_SIDE_GROUP, 39, 5, "f: t: column 39 belongs to group 5, but there are 5 groups"},
    {"gptq 8, shuffled", CG_SIDE_GROUP, 7, -1, "column 7 belongs to group -1"},
    {"packed 8, shuffled", CG_SIDE_GROUP, 3, INT32_MAX, "column 3 belongs to group 2147483647"},
    {"nf4", CG_SIDE_TABLE, 15, 0x7F800000, "its table of 16 values holds one that is not finite"},
    {"nf4, nested", CG_SIDE_TABLE, 0, 0x7FC00000, "its table of 16 values holds one that is not finite"},
};

static void test_contents(void **state)
{
    (void)state;
    static struct matrix m;
    uint64_t seed = 3;
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        struct cg_dequantiser d = {0};
        struct cg_err err = {0};
        uint8_t *side = m.sides;
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            if (strcmp(kinds[k].name, contents[i].kind) == 0)
                build(&m, &kinds[k], &seed);
        for (int k = 0; m.how.side[k].kind != contents[i].side; k++)
            side += m.how.side[k].bytes;
        memcpy(side + 4 * contents[i].at, &contents[i].value, 4);
        int result = cg_dequantiser_begin(&d, &m.how, m.sides, "f", "t", &err);
        if ((result == 0) != (contents[i].message == NULL) ||
            (result < 0 && (err.code != CG_EFORMAT || !strstr(err.text, contents[i].message))))
            fail_msg("row %zu: %s", i, result == 0 ? "accepted" : err.text);
        cg_dequantiser_release(&d);
    }
}

/* Packed rows tell their shape; a part of a fused matrix has fewer rows. */
static void test_shape(void **state)
{
    (void)state;
    static const struct {
        int64_t rows, columns;
        bool fits;
    } rows[] = {{8, 64, true},  {24, 64, true}, {7, 64, false},
                {8, 60, false}, {8, 65, false}, {-8, 64, false}};
    static struct matrix m;
    uint64_t seed = 4;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cg_dequantiser d = {0};
        struct cg_err err = {0};
        build(&m, &kinds[6], &seed);
        memcpy(add_side(&m, CG_SIDE_SHAPE, CG_I64, 2), (int64_t[]){rows[i].rows, rows[i].columns}, 16);
        int result = cg_dequantiser_begin(&d, &m.how, m.sides, "f", "t", &err);
        assert_int_equal(result == 0, rows[i].fits);
        assert_true(result == 0 || strstr(err.text, "but its codes are those of [8, 64]") != NULL);
        cg_dequantiser_release(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_nonfinite),
        cmocka_unit_test(test_contents),
        cmocka_unit_test(test_shape),
    };
    return cmocka_run_group_tests_name("dequantise", tests, NULL, NULL);
}
