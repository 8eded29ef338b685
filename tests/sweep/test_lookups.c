/* Codes whose columns have their scales in no order, by AVX-512 and by AVX2 alone, against a walk code by
 * code. */
#include "noise.h"
#include "sweep/lookups.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>
/* Once more, for a processor without AVX-512. */
#define HAS_512          false
#define cg_lookup_fits   older_fits
#define cg_lookup_places older_places
#define cg_lookup_fill   older_fill
#define cg_lookup_take   older_take
#include "sweep/lookups.c"
#undef cg_lookup_fits
#undef cg_lookup_places
#undef cg_lookup_fill
#undef cg_lookup_take

bool cg_lookup_fits(int64_t columns, int64_t blocks);
void cg_lookup_places(const int32_t *block, size_t columns, uint8_t *places);
void cg_lookup_fill(const float *scale, const float *zero, int offset, size_t blocks, struct cg_lookup *row);
void cg_lookup_take(const struct cg_lookup *row, size_t blocks, const struct cg_code_run *run,
                    const uint8_t *places, size_t n, float *values);

/* A float of 16 bits, of any size, sometimes not finite. */
static float scale_of(uint64_t *seed)
{
    uint64_t bits = noise_bits(seed);
    uint32_t word = (uint32_t)(bits >> 35 << 13);
    float scale;
    memcpy(&scale, &word, sizeof scale);
    return bits % 29 == 0 ? INFINITY : isfinite(scale) ? scale : 1;
}

static int code_at(const uint8_t *bytes, size_t i, size_t bits)
{
    int code = 0;
    for (size_t b = 0; b < bits; b++)
        code |= (bytes[(i * bits + b) / 8] >> (i * bits + b) % 8 & 1) << b;
    return code;
}

static void check(size_t blocks, size_t n, size_t bits, uint64_t *seed)
{
    static const enum cg_code_kind kinds[] = {CG_CODE_TWOS, CG_CODE_THREES, CG_CODE_NIBBLES};
    int32_t block[CG_MOST_CODES];
    uint8_t places[CG_MOST_CODES], *bytes = malloc(n * bits / 8); /* of just that size, for the sanitizers */
    float scale[CG_LOOKUP_BLOCKS], zero[CG_LOOKUP_BLOCKS], wanted[CG_MOST_CODES], found[CG_MOST_CODES];
    struct cg_code_run run = {.kind = kinds[bits - 2], .bytes = bytes};
    struct cg_lookup row = {.word = {0}};
    int offset = (int)(noise_bits(seed) % 9);
    assert_non_null(bytes);
    for (size_t b = 0; b < blocks; b++) {
        scale[b] = scale_of(seed);
        zero[b] = (float)(noise_bits(seed) % 9);
    }
    for (size_t i = 0; i < n; i++)
        block[i] = (int32_t)(noise_bits(seed) % blocks);
    for (size_t i = 0; i < n * bits / 8; i++)
        bytes[i] = (uint8_t)(noise_bits(seed) >> 40);
    for (size_t i = 0; i < n; i++)
        wanted[i] = ((float)(code_at(bytes, i, bits) - offset) - zero[block[i]]) * scale[block[i]];
    cg_lookup_places(block, n, places);
    cg_lookup_fill(scale, zero, offset, blocks, &row);
    cg_lookup_take(&row, blocks, &run, places, n, found);
    assert_memory_equal(found, wanted, n * sizeof *found);
    if (older_fits((int64_t)n, (int64_t)blocks)) {
        memset(found, 0, sizeof found);
        older_take(&row, blocks, &run, places, n, found);
        assert_memory_equal(found, wanted, n * sizeof *found);
    }
    free(bytes);
}

static void test_values(void **state)
{
    (void)state;
    uint64_t seed = 10;
    for (size_t blocks = 1; blocks <= CG_LOOKUP_BLOCKS; blocks++)
        for (size_t bits = 2; bits <= 4; bits++)
            if (cg_lookup_fits(32, (int64_t)blocks))
                check(blocks, 32 * (1 + (blocks * 5 + bits) % 64), bits, &seed);
}

static void test_what_fits(void **state)
{
    (void)state;
    assert_false(cg_lookup_fits(4096, 129) || cg_lookup_fits(4080, 1));
    assert_false(older_fits(4096, 65) || older_fits(4080, 1));
    if (!older_fits(4096, 1))
        skip(); /* another processor */
    assert_true(older_fits(4096, 64) && cg_lookup_fits(4096, 64));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_what_fits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
