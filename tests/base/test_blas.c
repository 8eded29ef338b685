/* Which of OpenBLAS's kernels are to be replaced, and by which. */
#include "cognate/blas.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the above first */
#include <cmocka.h>

static void better(void **state)
{
    (void)state;
    static const struct {
        const char *kernels, *told, *better;
        bool has_fma;
    } cases[] = {
        {"Prescott", NULL, "Haswell", true},
        {"Barcelona", NULL, "Haswell", true},
        {"Nehalem", NULL, "Haswell", true},
        {"Sandybridge", NULL, "Haswell", true},
        {"Prescott", NULL, NULL, false},      /* an old processor */
        {"Prescott", "Prescott", NULL, true}, /* as the user wants */
        {"Haswell", NULL, NULL, true},
        {"Zen", NULL, NULL, true},
        {"SkylakeX", NULL, NULL, true},
        {"Cooperlake", NULL, NULL, true},
        {"one that is not known yet", NULL, NULL, true},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const char *found = cg_blas_better(cases[c].kernels, cases[c].has_fma, cases[c].told);
        if (cases[c].better)
            assert_string_equal(found, cases[c].better);
        else
            assert_null(found);
    }
    assert_true(*cg_blas_kernels() != '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(better)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
