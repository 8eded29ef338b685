#include "cognate/blas.h"
#include <cblas.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOLD "OPENBLAS_CORETYPE"

const char *cg_blas_kernels(void)
{
    return openblas_get_corename();
}

/* Falls back: of Intel's and unknown processors, of AMD's, and of either without a system that keeps wide
 * registers. */
const char *cg_blas_better(const char *kernels, bool has_fma, const char *told)
{
    static const char *const fallbacks[] = {"Prescott", "Barcelona", "Nehalem", "Sandybridge"};
    for (size_t i = 0; has_fma && !told && i < sizeof fallbacks / sizeof *fallbacks; i++)
        if (strcmp(kernels, fallbacks[i]) == 0)
            return "Haswell";
    return NULL;
}

static bool has_fma(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

/* By its path, whose last part is what the system shows as the process's name. */
static void start_again(char **argv)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length < 0)
        return;
    path[length] = '\0';
    execv(path, argv);
}

void cg_blas_suit_processor(char **argv)
{
    const char *better = cg_blas_better(cg_blas_kernels(), has_fma(), getenv(TOLD));
    if (better && setenv(TOLD, better, 1) == 0)
        start_again(argv);
}
