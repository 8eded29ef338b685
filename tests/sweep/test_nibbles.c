/* What AVX2 and AVX-512 make of runs of codes of two to four bits, and of floats of eight: the bits that the
 * portable loops make. */
#include "noise.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>
/* The portable loops by names of their own. */
#define cg_awq_nibble      portable_awq_nibble
#define cg_code_bounds     portable_code_bounds
#define cg_code_steps_init portable_steps_init
#define cg_take_codes      portable_take
#define cg_sum_of_blocks   portable_sum
#define cg_zeros_of_bits   portable_zeros
#include "sweep/float8.h"
#include "sweep/nibbles.h"
#include "sweep/permute.h"
#define cg_nibbles_fit(...)  false
#define cg_nibbles_take(...) 0
#define cg_float8_take(...)  false
#define cg_permute_take(...) false
#include "sweep/codes.c"
#undef cg_nibbles_fit
#undef cg_nibbles_take
#undef cg_float8_take
#undef cg_permute_take
#undef cg_take_codes

#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_512 __builtin_cpu_supports("avx512f")
#else
#define HAS_512 false
#endif

double cg_take_codes(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n,
                     float *values);

static void fill(uint64_t *seed, uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(noise_bits(seed) >> 40);
}

static struct cg_code_run run_of(enum cg_code_kind kind, const uint8_t *bytes, struct cg_code_steps *steps)
{
    static const float e2m1[16] = {0, 0.5F, 1, 1.5F, 2, 3, 4, 6, -0.0F, -0.5F, -1, -1.5F, -2, -3, -4, -6};
    static const float any[16] = {-1,      -0.6962F, -0.5251F, -0.3949F, -0.2844F, -0.1848F, -0.0911F, 0,
                                  0.0796F, 0.1609F,  0.2461F,  0.3379F,  0.4407F,  0.5626F,  0.7230F,  1};
    double squares[16];
    for (int k = 0; k < 16; k++)
        squares[k] = kind == CG_CODE_TABLE_HIGH ? 0.003 + 0.001 * k * k : 0.25 * (1 + k);
    portable_steps_init(steps, squares, kind == CG_CODE_TABLE_HIGH ? CG_CODE_DIGITS : 1);
    return (struct cg_code_run){.kind = kind,
                                .bytes = bytes,
                                .offset = 8,
                                .table = kind == CG_CODE_TABLE_HIGH ? any : e2m1,
                                .steps = steps};
}

static void test_bits(void **state)
{
    (void)state;
    static const enum cg_code_kind kinds[] = {CG_CODE_NIBBLES, CG_CODE_TABLE_LOW, CG_CODE_TABLE_HIGH};
    static const size_t lengths[] = {32, 64, 96, 4096};
    uint64_t seed = 3;
    uint8_t bytes[CG_MOST_CODES];
    float scale[CG_MOST_CODES / 32 + 1], zero[CG_MOST_CODES / 32 + 1];
    float expected[CG_MOST_CODES], found[CG_MOST_CODES];
    for (int turn = 0; turn < 600; turn++) {
        struct cg_code_steps steps;
        struct cg_code_run run = run_of(kinds[turn % 3], bytes, &steps);
        size_t length = lengths[turn / 3 % 4], n = 32 * (1 + (size_t)turn % (CG_MOST_CODES / 32));
        struct cg_code_blocks blocks = {scale,  zero, 32 * ((size_t)turn % (length / 32)),
                                        length, 1,    turn % 8 >= 3};
        fill(&seed, bytes, sizeof bytes);
        for (size_t b = 0; b < sizeof scale / sizeof *scale; b++) {
            scale[b] = b % 7 == 6 && turn % 2 ? INFINITY : (float)noise_bits(&seed) * 1e-21F;
            zero[b] = run.kind == CG_CODE_NIBBLES
                          ? (float)(noise_bits(&seed) >> 60) - (float)(turn % 9) + (blocks.whole ? 0 : 0.5F)
                          : 0;
        }
        double sum = portable_take(&run, &blocks, n, expected);
        if (!cg_nibbles_fit(&run, &blocks, n))
            skip(); /* another processor */
        assert_true(cg_nibbles_take(&run, &blocks, n, found) == sum && sum > 0);
        assert_memory_equal(found, expected, n * sizeof *found);
    }
}

/* Codes of few bits, one by one as they lie. */
static int code_at(const struct cg_code_run *run, size_t i)
{
    static const int bits_of[CG_CODE_KINDS] = {
        [CG_CODE_TWOS] = 2, [CG_CODE_THREES] = 3, [CG_CODE_NIBBLES] = 4};
    int bits = bits_of[run->kind], code = 0;
    if (run->kind == CG_CODE_WORDS)
        return run->bytes[4 * i + (size_t)run->shift / 8] >> run->shift % 8 & 15;
    for (size_t b = 0; b < (size_t)bits; b++) {
        size_t at = i * (size_t)bits + b;
        code |= (run->bytes[at / 8] >> at % 8 & 1) << b;
    }
    return code;
}

/* Whole zero points and others, scales that are not finite, blocks that the portable loops alone can take;
 * bytes of just the run's size, for the sanitizers. */
static void test_permute(void **state)
{
    (void)state;
    static const enum cg_code_kind kinds[] = {CG_CODE_TWOS, CG_CODE_THREES, CG_CODE_NIBBLES, CG_CODE_WORDS};
    static const size_t lengths[] = {32, 96, 64, 128, 4096, 10, 7}, bits[] = {2, 3, 4, 32};
    uint64_t seed = 7;
    float scale[CG_MOST_CODES], zero[CG_MOST_CODES], expected[CG_MOST_CODES], found[CG_MOST_CODES];
    for (int turn = 0; turn < 1400; turn++) {
        size_t length = lengths[turn / 4 % 7], n = 32 * (1 + (size_t)turn % 64);
        n -= length % 32 != 0 ? (size_t)turn % 31 : 0;
        struct cg_code_run run = {
            .kind = kinds[turn % 4], .offset = turn % 11 - 2, .shift = turn / 4 % 8 * 4};
        struct cg_code_blocks blocks = {scale,  zero, 32 * ((size_t)turn / 28 % 4) % length / 32 * 32,
                                        length, 1,    false};
        size_t size = (n * bits[turn % 4] + 7) / 8;
        uint8_t *bytes = malloc(size);
        assert_non_null(bytes);
        run.bytes = bytes;
        fill(&seed, bytes, size);
        for (size_t b = 0; b < CG_MOST_CODES; b++) {
            scale[b] = b % 7 == 6 && turn % 2 ? INFINITY : (float)noise_bits(&seed) * 1e-21F;
            zero[b] = (float)(noise_bits(&seed) >> 60) - (turn % 3 ? 0.5F : 0);
        }
        double sum = portable_take(&run, &blocks, n, expected), permuted = 0, wanted = 0;
        for (size_t i = 0; i < n; i++) {
            size_t b = (blocks.skip + i) / length;
            float value = ((float)(code_at(&run, i) - run.offset) - zero[b]) * scale[b];
            wanted += isfinite(scale[b]) ? (double)scale[b] * (double)scale[b] : 0;
            assert_true(value == expected[i] || (isnan(value) && isnan(expected[i])));
        }
        assert_true(fabs(sum - wanted) <= 1e-12 * wanted);
        if (cg_permute_take(&run, &blocks, n, found, &permuted)) {
            assert_true(length % 32 == 0 && permuted == sum);
            assert_memory_equal(found, expected, n * sizeof *found);
        } else {
            assert_true(length % 32 != 0 || run.kind == CG_CODE_WORDS || !HAS_512);
        }
        free(bytes);
    }
}

/* What is made of words that have been split, and of the same words one by one. */
static void test_halves(void **state)
{
    (void)state;
    enum { PITCH = CG_MOST_CODES + 64 };
    uint64_t seed = 8;
    static uint8_t words[4 * CG_MOST_CODES], planes[4 * PITCH];
    float scale[CG_MOST_CODES / 32], zero[CG_MOST_CODES / 32];
    float expected[CG_MOST_CODES], found[CG_MOST_CODES];
    assert_false(cg_words_split_fit(96, 16) || cg_words_split_fit(80, 32));
    if (!cg_words_split_fit(CG_MOST_CODES, 32))
        skip(); /* another processor */
    for (int turn = 0; turn < 256; turn++) {
        size_t at = 32 * ((size_t)turn / 8 % 5), n = 32 * (1 + (size_t)turn % 59);
        int place = turn % 8;
        struct cg_code_run run = {.kind = CG_CODE_WORDS, .bytes = words + 4 * at, .shift = 4 * place};
        struct cg_code_blocks blocks = {scale, zero, 32, 64, 1, turn % 3 != 0};
        double permuted;
        fill(&seed, words, sizeof words);
        for (size_t b = 0; b < sizeof scale / sizeof *scale; b++) {
            scale[b] = b % 7 == 6 && turn % 2 ? INFINITY : (float)noise_bits(&seed) * 1e-21F;
            zero[b] = (float)(noise_bits(&seed) >> 60) + (blocks.whole ? 0 : 0.5F);
        }
        double sum = portable_take(&run, &blocks, n, expected);
        cg_words_split(words, CG_MOST_CODES, planes, PITCH);
        run = (struct cg_code_run){
            .kind = CG_CODE_HALVES, .bytes = planes + place / 2 * PITCH + at, .shift = place % 2 * 4};
        assert_true(cg_nibbles_fit(&run, &blocks, n) && cg_nibbles_take(&run, &blocks, n, found) == sum);
        assert_memory_equal(found, expected, n * sizeof *found);
        memset(found, 0, sizeof found);
        if (!cg_permute_take(&run, &blocks, n, found, &permuted)) {
            assert_false(HAS_512);
            continue;
        }
        assert_true(permuted == sum);
        assert_memory_equal(found, expected, n * sizeof *found);
    }
}

/* E2M1 in blocks of 16. */
static void test_short_blocks(void **state)
{
    (void)state;
    uint64_t seed = 4;
    uint8_t bytes[CG_MOST_CODES / 2];
    float scale[CG_MOST_CODES / 16], expected[CG_MOST_CODES], found[CG_MOST_CODES];
    static const float zero[CG_MOST_CODES / 16];
    for (size_t n = 32; n <= CG_MOST_CODES; n += 32) {
        struct cg_code_steps steps;
        struct cg_code_run run = run_of(CG_CODE_TABLE_LOW, bytes, &steps);
        struct cg_code_blocks blocks = {.scale = scale, .zero = zero, .length = 16, .factor = 1};
        double wanted = 0;
        fill(&seed, bytes, sizeof bytes);
        for (size_t b = 0; b < n / 16; b++)
            scale[b] = b % 7 == 6 && n % 64 == 0 ? INFINITY : (float)noise_bits(&seed) * 1e-21F;
        double sum = portable_take(&run, &blocks, n, expected);
        for (size_t i = 0; i < n; i++) {
            int place = bytes[i / 2] >> i % 2 * 4 & 15;
            wanted += steps.square[place] * (double)cg_code_weight(scale[i / 16]);
            assert_true(expected[i] == run.table[place] * scale[i / 16] || isnan(expected[i]));
        }
        assert_true(fabs(sum - wanted) < 1e-12 * wanted);
        if (!cg_nibbles_fit(&run, &blocks, n))
            skip(); /* another processor */
        assert_true(cg_nibbles_take(&run, &blocks, n, found) == sum);
        assert_memory_equal(found, expected, n * sizeof *found);
    }
}

/* A whole run whose steps are all the greatest is still counted in full. */
static void test_greatest(void **state)
{
    (void)state;
    static const enum cg_code_kind kinds[] = {CG_CODE_TABLE_LOW, CG_CODE_TABLE_HIGH};
    uint8_t bytes[CG_MOST_CODES / 2];
    float values[CG_MOST_CODES];
    const float one = 1, none = 0;
    memset(bytes, 0xFF, sizeof bytes);
    for (int k = 0; k < 2; k++) {
        struct cg_code_steps steps;
        struct cg_code_run run = run_of(kinds[k], bytes, &steps);
        struct cg_code_blocks blocks = {.scale = &one, .zero = &none, .length = CG_MOST_CODES, .factor = 1};
        double wanted = CG_MOST_CODES * steps.square[15];
        assert_true(fabs(portable_take(&run, &blocks, CG_MOST_CODES, values) - wanted) < 1e-12 * wanted);
        assert_true(fabs(cg_take_codes(&run, &blocks, CG_MOST_CODES, values) - wanted) < 1e-12 * wanted);
    }
}

/* E4M3 of all codes but NaN, in blocks of any length and with any scales; then what is left to the portable
 * loops. */
static void test_float8(void **state)
{
    (void)state;
    static const size_t lengths[] = {32, 64, 128, 4096};
    static float zero[CG_MOST_CODES / 32 + 1];
    uint64_t seed = 5;
    uint8_t bytes[CG_MOST_CODES];
    float scale[CG_MOST_CODES / 32 + 1], expected[CG_MOST_CODES], found[CG_MOST_CODES];
    struct cg_code_run run = {.kind = CG_CODE_F8_E4M3, .bytes = bytes};
    double sum = 0;
    for (int turn = 0; turn < 400; turn++) {
        size_t length = lengths[turn % 4], n = 32 * (1 + (size_t)(turn * 7) % (CG_MOST_CODES / 32));
        struct cg_code_blocks blocks = {scale, zero, 32 * ((size_t)turn % (length / 32)), length, 1, false};
        fill(&seed, bytes, sizeof bytes);
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)(bytes[i] ^ ((bytes[i] & 0x7F) == 0x7F)) & (turn % 3 == 0 ? 0x8F : 0xFF);
        for (size_t b = 0; b < sizeof scale / sizeof *scale; b++)
            scale[b] =
                b % 7 == 6 && turn % 2 ? -1e-45F : (float)noise_bits(&seed) * (turn % 5 ? 1e-21F : 1e13F);
        double wanted = portable_take(&run, &blocks, n, expected);
        if (!cg_float8_take(&run, &blocks, n, found, &sum))
            skip(); /* another processor */
        assert_true(sum == wanted && (sum > 0 || turn % 5 == 0));
        assert_memory_equal(found, expected, n * sizeof *found);
    }
    const struct cg_code_blocks whole = {.scale = scale, .zero = zero, .length = 64, .factor = 1};
    assert_true(cg_float8_take(&run, &whole, 64, found, &sum));
    assert_false(cg_float8_take(&run, &whole, 63, found, &sum));
    assert_false(
        cg_float8_take(&run, &(struct cg_code_blocks){scale, zero, 0, 48, 1, false}, 64, found, &sum));
    assert_false(
        cg_float8_take(&run, &(struct cg_code_blocks){scale, zero, 8, 64, 1, false}, 64, found, &sum));
    assert_false(
        cg_float8_take(&run, &(struct cg_code_blocks){scale, scale, 0, 64, 1, false}, 64, found, &sum));
    scale[0] = INFINITY;
    assert_false(cg_float8_take(&run, &whole, 64, found, &sum));
    scale[0] = 1;
    for (int sign = 0; sign < 2; sign++) {
        bytes[37] = (uint8_t)(0x7F | sign << 7);
        assert_false(cg_float8_take(&run, &whole, 64, found, &sum));
    }
    bytes[37] = 0x7E;
    run.kind = CG_CODE_F8_E5M2;
    assert_false(cg_float8_take(&run, &whole, 64, found, &sum));
}

static void test_what_fits(void **state)
{
    (void)state;
    struct cg_code_run run = {.kind = CG_CODE_NIBBLES};
    assert_false(cg_nibbles_fit(&run, &(struct cg_code_blocks){.length = 48}, 64));
    assert_false(cg_nibbles_fit(&run, &(struct cg_code_blocks){.length = 64, .skip = 16}, 64));
    assert_false(cg_nibbles_fit(&run, &(struct cg_code_blocks){.length = 64}, 63));
    assert_false(cg_nibbles_fit(&run, &(struct cg_code_blocks){.length = 16}, 64));
    run.kind = CG_CODE_TABLE_LOW;
    assert_false(cg_nibbles_fit(&run, &(struct cg_code_blocks){.length = 16, .skip = 8}, 64));
    assert_false(cg_nibbles_fit(&run, &(struct cg_code_blocks){.length = 16}, 48));
    run.kind = CG_CODE_OCTETS;
    assert_false(cg_nibbles_fit(&run, &(struct cg_code_blocks){.length = 64}, 64));
    double sum;
    float values[64];
    assert_false(cg_permute_take(&run, &(struct cg_code_blocks){.length = 64}, 64, values, &sum));
    run.kind = CG_CODE_TWOS;
    assert_false(cg_permute_take(&run, &(struct cg_code_blocks){.length = 64}, 63, values, &sum));
    assert_false(cg_permute_take(&run, &(struct cg_code_blocks){.length = 48}, 96, values, &sum));
    assert_false(cg_permute_take(&run, &(struct cg_code_blocks){.length = 64, .skip = 16}, 32, values, &sum));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bits),     cmocka_unit_test(test_permute),
                                       cmocka_unit_test(test_halves),   cmocka_unit_test(test_short_blocks),
                                       cmocka_unit_test(test_greatest), cmocka_unit_test(test_float8),
                                       cmocka_unit_test(test_what_fits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
