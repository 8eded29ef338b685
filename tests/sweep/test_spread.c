/* Packed codes as bytes, against a walk bit by bit. */
#include "noise.h"
#include "sweep/spread.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { GUARD = 64 };

static void check(int bits, size_t first, size_t n, uint64_t *seed)
{
    size_t size = (first + n * (size_t)bits + 7) / 8;
    uint8_t *bytes = malloc(size > 0 ? size : 1),
            *code = malloc(n + GUARD); /* of just that size, for the sanitizers */
    assert_true(bytes && code);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(noise_bits(seed) >> 40);
    memset(code, 0xA5, n + GUARD);
    cg_spread_bits(bytes, first, bits, n, code);
    for (size_t i = 0; i < n; i++) {
        int wanted = 0;
        for (int b = 0; b < bits; b++) {
            size_t at = first + i * (size_t)bits + (size_t)b;
            wanted |= (bytes[at / 8] >> at % 8 & 1) << b;
        }
        if (code[i] != wanted)
            fail_msg("%d bits from %zu: code %zu of %zu is %d, not %d", bits, first, i, n, code[i], wanted);
    }
    for (size_t i = 0; i < GUARD; i++)
        assert_int_equal(code[n + i], 0xA5);
    free(bytes);
    free(code);
}

static void spread(void **state)
{
    (void)state;
    uint64_t seed = 6;
    for (int bits = 1; bits <= 8; bits++) {
        for (size_t n = 0; n < 200; n++)
            for (size_t first = 0; first <= 16; first += n % 3 == 0 ? 8 : 1)
                check(bits, first, n, &seed);
        check(bits, 0, 2048, &seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(spread)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
