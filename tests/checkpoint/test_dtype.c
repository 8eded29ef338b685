/* The element types against the definitions of their formats: every pattern of every type of up to 16 bits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cognate/dtype.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PATTERNS = 65536, LONGEST_TYPE = 8 };

static int bits_of(enum cg_dtype dtype)
{
    struct cg_grain grain = cg_dtype_grain(dtype);
    return 8 * grain.bytes / grain.elements;
}

/* Bit patterns, packed from the lowest bit of the first byte upward, into memory that ends where they end and
 * starts `shift` bytes behind an aligned address: a read too far is one that a sanitizer sees. */
static unsigned char *pack(const uint64_t *patterns, size_t n, int bits, size_t shift)
{
    size_t bytes = (n * (size_t)bits + 7) / 8;
    unsigned char *memory = calloc(shift + bytes + (shift + bytes == 0), 1);
    assert_non_null(memory);
    for (size_t bit = 0; bit < n * (size_t)bits; bit++)
        if (patterns[bit / (size_t)bits] >> bit % (size_t)bits & 1)
            memory[shift + bit / 8] |= (unsigned char)(1u << bit % 8);
    return memory;
}

/* Decodes n patterns at the given shift and holds the values against `expected`, bit for bit but for NaN. */
static void check(enum cg_dtype dtype, const uint64_t *patterns, const double *expected, size_t n,
                  size_t shift)
{
    const double untouched = -77.25;
    unsigned char *memory = pack(patterns, n, bits_of(dtype), shift);
    double *values = malloc((n + 1) * sizeof *values);
    assert_non_null(values);
    values[n] = untouched;
    cg_dtype_decode(dtype, memory + shift, n, values);
    for (size_t i = 0; i < n; i++)
        if (isnan(expected[i]) ? !isnan(values[i])
                               : memcmp(&values[i], &expected[i], sizeof expected[i]) != 0)
            fail_msg("%s, pattern %#llx: %a, not %a", cg_dtype_name(dtype), (unsigned long long)patterns[i],
                     values[i], expected[i]);
    assert_true(values[n] == untouched);
    if (cg_dtype_is_float(dtype)) {
        float *floats = malloc((n + 1) * sizeof *floats);
        assert_non_null(floats);
        floats[n] = (float)untouched;
        cg_dtype_decode_floats(dtype, memory + shift, n, floats);
        for (size_t i = 0; i < n; i++) {
            double value = (double)floats[i];
            assert_true(isnan(value) ? isnan(values[i]) : memcmp(&value, &values[i], sizeof value) == 0);
        }
        assert_true((double)floats[n] == untouched);
        free(floats);
    }
    free(values);
    free(memory);
}

/* Sign, exponent and mantissa, from the top. The patterns from `infinity` (without its sign) up to the next
 * are infinite, those from `nan` on are none; minus zero is NaN where minus_zero is false. */
struct format {
    enum cg_dtype dtype;
    int exponent_bits, mantissa_bits, bias;
    unsigned infinity, nan;
    bool minus_zero;
};

enum { NEVER = 0x10000 };

static const struct format formats[] = {
    {CG_F16, 5, 10, 15, 0x7C00, 0x7C01, true},      {CG_BF16, 8, 7, 127, 0x7F80, 0x7F81, true},
    {CG_F8_E4M3, 4, 3, 7, NEVER, 0x7F, true},       {CG_F8_E5M2, 5, 2, 15, 0x7C, 0x7D, true},
    {CG_F8_E4M3FNUZ, 4, 3, 8, NEVER, NEVER, false}, {CG_F8_E5M2FNUZ, 5, 2, 16, NEVER, NEVER, false},
    {CG_F4, 2, 1, 1, NEVER, NEVER, true},           {CG_F6_E2M3, 2, 3, 1, NEVER, NEVER, true},
    {CG_F6_E3M2, 3, 2, 3, NEVER, NEVER, true},
};

static double value_of(const struct format *format, unsigned pattern)
{
    unsigned sign = pattern >> (format->exponent_bits + format->mantissa_bits);
    unsigned rest = pattern - (sign << (format->exponent_bits + format->mantissa_bits));
    int exponent = (int)(rest >> format->mantissa_bits);
    double mantissa = (double)(rest % (1u << format->mantissa_bits)) / (1 << format->mantissa_bits);
    double magnitude =
        exponent == 0 ? ldexp(mantissa, 1 - format->bias) : ldexp(1.0 + mantissa, exponent - format->bias);
    if (rest >= format->nan || (sign && rest == 0 && !format->minus_zero))
        return NAN;
    if (rest == format->infinity)
        magnitude = INFINITY;
    return sign ? -magnitude : magnitude;
}

static void test_every_pattern(void **state)
{
    (void)state;
    static uint64_t patterns[MOST_PATTERNS];
    static double expected[MOST_PATTERNS];
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
        size_t n = (size_t)1 << bits_of(formats[f].dtype);
        for (size_t i = 0; i < n; i++) {
            patterns[i] = i;
            expected[i] = value_of(&formats[f], (unsigned)i);
        }
        for (size_t shift = 0; shift < 4; shift++)
            check(formats[f].dtype, patterns, expected, n, shift);
    }
}

static void test_every_power(void **state)
{
    (void)state;
    uint64_t patterns[256];
    double expected[256];
    for (int i = 0; i < 256; i++) {
        patterns[i] = (uint64_t)i;
        expected[i] = i == 255 ? NAN : ldexp(1.0, i - 127);
    }
    check(CG_F8_E8M0, patterns, expected, 256, 1);
}

/* Values written down by hand, from the definitions and from IEEE 754; integers beyond 2^53 round to even. */
static const struct {
    enum cg_dtype dtype;
    uint64_t pattern;
    double value;
} known[] = {
    {CG_U8, 0xFF, 255},
    {CG_I8, 0x80, -128},
    {CG_U16, 0xFFFF, 65535},
    {CG_I16, 0x8000, -32768},
    {CG_U32, 0xFFFFFFFF, 4294967295.0},
    {CG_I32, 0x80000000, -2147483648.0},
    {CG_U64, 0x0020000000000000, 0x1p53},
    {CG_U64, 0x0020000000000001, 0x1p53},
    {CG_U64, 0x0020000000000003, 0x1.0000000000002p53},
    {CG_U64, 0x8000000000000401, 0x1.0000000000001p63},
    {CG_U64, UINT64_MAX, 0x1p64},
    {CG_I64, 0x0020000000000001, 0x1p53},
    {CG_I64, 0xFFDFFFFFFFFFFFFD, -0x1.0000000000002p53},
    {CG_I64, 0x8000000000000000, -0x1p63},
    {CG_I64, INT64_MAX, 0x1p63},
    {CG_F16, 0x0001, 0x1p-24},
    {CG_F16, 0x03FF, 0x1.ff8p-15},
    {CG_F16, 0x3C01, 1.0009765625},
    {CG_F16, 0xFBFF, -65504},
    {CG_F16, 0x7C00, INFINITY},
    {CG_BF16, 0x3F80, 1},
    {CG_BF16, 0xC049, -3.140625},
    {CG_BF16, 0x0001, 0x1p-133},
    {CG_F32, 0x00000001, 0x1p-149},
    {CG_F32, 0x3DCCCCCD, 0x1.99999ap-4},
    {CG_F32, 0xFF800000, -INFINITY},
    {CG_F64, 0x3FB999999999999A, 0.1},
    {CG_F64, 0x0000000000000001, 0x1p-1074},
    {CG_F64, 0x8000000000000000, -0.0},
    {CG_F8_E4M3, 0x7E, 448},
    {CG_F8_E4M3, 0x81, -0x1p-9},
    {CG_F8_E4M3FNUZ, 0x7F, 240},
    {CG_F8_E4M3FNUZ, 0x80, NAN},
    {CG_F8_E5M2, 0x7B, 57344},
    {CG_F8_E5M2, 0xFC, -INFINITY},
    {CG_F8_E5M2FNUZ, 0x7F, 57344},
    {CG_F8_E5M2FNUZ, 0x80, NAN},
    {CG_F8_E8M0, 0x00, 0x1p-127},
    {CG_F8_E8M0, 0xFE, 0x1p127},
    {CG_F4, 0x7, 6},
    {CG_F4, 0x9, -0.5},
    {CG_F6_E2M3, 0x1F, 7.5},
    {CG_F6_E2M3, 0x21, -0.125},
    {CG_F6_E3M2, 0x1F, 28},
    {CG_F6_E3M2, 0x01, 0.0625},
};

static void test_known_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        check(known[i].dtype, &known[i].pattern, &known[i].value, 1, 0);
}

/* Every type at every length and alignment gives what it gives one by one. The patterns are pseudo-random. */
static void test_lengths_and_alignments(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 7, 8, 9, 1000};
    static uint64_t patterns[1000];
    static double expected[1000];
    for (int d = 0; d < CG_FIRST_BLOCK_DTYPE; d++) {
        enum cg_dtype dtype = (enum cg_dtype)d;
        if (!cg_dtype_is_real(dtype))
            continue;
        uint64_t random = 20250921;
        for (size_t i = 0; i < 1000; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            patterns[i] = (random ^ random >> 29) >> (64 - bits_of(dtype));
            unsigned char *one = pack(&patterns[i], 1, bits_of(dtype), 0);
            cg_dtype_decode(dtype, one, 1, &expected[i]);
            free(one);
        }
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
            for (size_t shift = 0; shift < LONGEST_TYPE; shift++)
                check(dtype, patterns, expected, lengths[l], shift);
    }
}

/* Types under a byte in the bytes of a file. */
static void test_packing(void **state)
{
    (void)state;
    double values[4];
    cg_dtype_decode(CG_F4, "\x21\xF7", 4, values);
    assert_true(values[0] == 0.5 && values[1] == 1 && values[2] == 6 && values[3] == -6);
    cg_dtype_decode(CG_F6_E2M3, "\x81\x30\x10", 4, values); /* patterns 1, 2, 3, 4 */
    assert_true(values[0] == 0.125 && values[1] == 0.25 && values[2] == 0.375 && values[3] == 0.5);
    cg_dtype_decode(CG_F6_E3M2, "\x81\x30\x10", 4, values);
    assert_true(values[0] == 0.0625 && values[1] == 0.125 && values[2] == 0.1875 && values[3] == 0.25);
}

static const struct {
    const char *name;
    int dtype, bits;
    bool real;
    int64_t bytes; /* of 1000 elements */
} names[] = {
    {"BOOL", CG_BOOL, 8, false, 1000},
    {"U8", CG_U8, 8, true, 1000},
    {"I8", CG_I8, 8, true, 1000},
    {"U16", CG_U16, 16, true, 2000},
    {"I16", CG_I16, 16, true, 2000},
    {"U32", CG_U32, 32, true, 4000},
    {"I32", CG_I32, 32, true, 4000},
    {"U64", CG_U64, 64, true, 8000},
    {"I64", CG_I64, 64, true, 8000},
    {"F16", CG_F16, 16, true, 2000},
    {"BF16", CG_BF16, 16, true, 2000},
    {"F32", CG_F32, 32, true, 4000},
    {"F64", CG_F64, 64, true, 8000},
    {"C64", CG_C64, 64, false, 8000},
    {"F8_E4M3", CG_F8_E4M3, 8, true, 1000},
    {"F8_E5M2", CG_F8_E5M2, 8, true, 1000},
    {"F8_E4M3FNUZ", CG_F8_E4M3FNUZ, 8, true, 1000},
    {"F8_E5M2FNUZ", CG_F8_E5M2FNUZ, 8, true, 1000},
    {"F8_E8M0", CG_F8_E8M0, 8, true, 1000},
    {"F4", CG_F4, 4, true, 500},
    {"F6_E2M3", CG_F6_E2M3, 6, true, 750},
    {"F6_E3M2", CG_F6_E3M2, 6, true, 750},
};

static void test_names(void **state)
{
    (void)state;
    assert_int_equal(sizeof names / sizeof *names, CG_FIRST_BLOCK_DTYPE);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        enum cg_dtype dtype = (enum cg_dtype)names[i].dtype;
        assert_int_equal(cg_dtype_of_name(names[i].name), names[i].dtype);
        assert_string_equal(cg_dtype_name(dtype), names[i].name);
        assert_int_equal(bits_of(dtype), names[i].bits);
        assert_int_equal(cg_dtype_is_real(dtype), names[i].real);
        assert_int_equal(cg_dtype_bytes(dtype, 1000), names[i].bytes);
        assert_int_equal(cg_dtype_bytes(dtype, 0), 0);
    }
}

static void test_bytes_beyond_32_bits(void **state)
{
    (void)state;
    assert_int_equal(cg_dtype_bytes(CG_BF16, INT64_C(102651799552)), INT64_C(205303599104));
    assert_int_equal(cg_dtype_bytes(CG_F64, INT64_MAX / 8), INT64_MAX / 8 * 8);
    assert_int_equal(cg_dtype_bytes(CG_F6_E3M2, INT64_C(1) << 40), INT64_C(6) << 37);
}

static void test_names_of_nothing(void **state)
{
    (void)state;
    static const char *const unknown[] = {"",     "f16",  "F16 ", " F16",    "F8",   "F8_E4M3FN", "FP4", "F1",
                                          "BF17", "F160", "U4",   "float16", "C128", "bool",      "Q8_0"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_int_equal(cg_dtype_of_name(unknown[i]), -1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pattern),
        cmocka_unit_test(test_every_power),
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_lengths_and_alignments),
        cmocka_unit_test(test_packing),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_bytes_beyond_32_bits),
        cmocka_unit_test(test_names_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
