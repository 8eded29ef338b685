/* The transform against its definition in long doubles, for every length that fits up to a few hundred. */
#include "noise.h"
#include "sweep/fourier.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

static void lengths(void **state)
{
    (void)state;
    static const struct {
        int64_t n;
        bool fits;
    } cases[] = {
        {-4, false},          {0, false},     {1, true},      {2, true},        {31, true},
        {37, false},          {74, false},    {4 * 31, true}, {4096, true},     {29 * 512, true},
        {32768, true},        {32769, false}, {65536, false}, {71 * 64, false}, {7168, true},
        {31 * 31 * 31, true}, {32749, false}, {2880, true},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        assert_int_equal(cg_fourier_fits(cases[c].n), cases[c].fits);
}

static void roots(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 2, 5, 63, 64, 65, 4096, 32768};
    for (size_t c = 0; c < sizeof sizes / sizeof *sizes; c++) {
        int64_t n = sizes[c];
        double *root = calloc((size_t)(2 * n), sizeof *root);
        assert_non_null(root);
        cg_fourier_roots(n, root);
        for (int64_t k = 0; k < n; k++) {
            long double angle = 2 * acosl(-1) * (long double)k / (long double)n;
            assert_true(fabsl(root[2 * k] - cosl(angle)) < 5e-16L);
            assert_true(fabsl(root[2 * k + 1] - sinl(angle)) < 5e-16L);
        }
        free(root);
    }
}

static double *aligned(int64_t doubles)
{
    double *memory = aligned_alloc(64, (size_t)doubles * sizeof(double));
    assert_non_null(memory);
    return memory;
}

/* Lane l at frequency f by the definition; the largest error there may be. */
static void check_place(const double *in, const double *out, int64_t n, int64_t f, int64_t l)
{
    long double re = 0, im = 0, size = 0;
    for (int64_t k = 0; k < n; k++) {
        long double angle = -2 * acosl(-1) * (long double)(f * k % n) / (long double)n, c = cosl(angle),
                    s = sinl(angle);
        long double x = in[k * CG_FOURIER_PLACE + l], y = in[k * CG_FOURIER_PLACE + CG_FOURIER_LINES + l];
        re += x * c - y * s;
        im += x * s + y * c;
        size += x * x + y * y;
    }
    long double most = 4e-15L * sqrtl(size);
    assert_true(fabsl(out[f * CG_FOURIER_PLACE + l] - re) <= most);
    assert_true(fabsl(out[f * CG_FOURIER_PLACE + CG_FOURIER_LINES + l] - im) <= most);
}

static void by_definition(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (int64_t n = 1; n <= 300; n += n < 130 ? 1 : 17) {
        if (!cg_fourier_fits(n))
            continue;
        int64_t size = n * CG_FOURIER_PLACE;
        double *in = aligned(size), *x = aligned(size), *other = aligned(size), *root = aligned(8 * n);
        for (int64_t i = 0; i < size; i++)
            in[i] = x[i] = noise(&seed);
        cg_fourier_roots(n, root);
        const double *out = cg_fourier(n, root, x, other);
        for (int64_t f = 0; f < n; f += 1 + n / 16)
            for (int64_t l = 0; l < CG_FOURIER_LINES; l++)
                check_place(in, out, n, f, l);
        free(in);
        free(x);
        free(other);
        free(root);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths),
        cmocka_unit_test(roots),
        cmocka_unit_test(by_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
