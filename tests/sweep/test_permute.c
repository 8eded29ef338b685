/* What AVX2 alone makes of runs of two and three bits: the values that the library makes with whatever this
 * processor has. */
#include "noise.h"
#include "sweep/codes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>
/* Once more, for a processor without AVX-512. */
#define HAS_512         false
#define cg_permute_take older_permute_take
#include "sweep/permute.c"

static void test_older(void **state)
{
    (void)state;
    enum { LENGTH = 64, BLOCKS = CG_MOST_CODES / LENGTH + 1 };
    uint64_t seed = 9;
    float scale[BLOCKS], zero[BLOCKS], expected[CG_MOST_CODES], found[CG_MOST_CODES];
    for (int turn = 0; turn < 256; turn++) {
        size_t bits = 2 + (size_t)turn % 2, n = 32 * (1 + (size_t)turn / 4), size = n * bits / 8;
        struct cg_code_blocks blocks = {scale, zero, (size_t)turn / 2 % 2 * 32, LENGTH, 1, false};
        uint8_t *bytes = malloc(size); /* of just that size, for the sanitizers */
        assert_non_null(bytes);
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)(noise_bits(&seed) >> 40);
        for (size_t b = 0; b < BLOCKS; b++) {
            scale[b] = b % 7 == 6 && turn % 3 == 0 ? INFINITY : (float)noise_bits(&seed) * 1e-21F;
            zero[b] = (float)(noise_bits(&seed) >> 60) - (turn % 5 ? 0.5F : 0);
        }
        struct cg_code_run run = {
            .kind = bits == 2 ? CG_CODE_TWOS : CG_CODE_THREES, .bytes = bytes, .offset = 2};
        double sum = 0, wanted = cg_take_codes(&run, &blocks, n, expected);
        if (!older_permute_take(&run, &blocks, n, found, &sum))
            skip(); /* another processor */
        assert_true(sum == wanted);
        assert_memory_equal(found, expected, n * sizeof *found);
        run.kind = CG_CODE_NIBBLES;
        assert_false(older_permute_take(&run, &blocks, n / 2, found, &sum));
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_older)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
