/* Which kernels OpenBLAS works with. It chooses them when it is loaded, by a table of the processors of its
 * day. On one that is newer it falls back to those of the oldest, which take twice as long for a search; a
 * processor that has AVX2 and FMA can do what Haswell's want.
 */
#ifndef COGNATE_BLAS_H
#define COGNATE_BLAS_H

#include <stdbool.h>

/* The processor that the kernels in use were written for, in OpenBLAS's words. */
const char *cg_blas_kernels(void);

/* What OPENBLAS_CORETYPE should say instead, or NULL: nothing better is known, or it says (`told`) what the
 * user wants. has_fma: the processor has AVX2 and FMA. Pure. */
const char *cg_blas_better(const char *kernels, bool has_fma, const char *told);

/* Where there are better kernels, starts this program again, with the same argv and OPENBLAS_CORETYPE set.
 * For the very beginning of main: nothing is open, no thread runs. Returns where there are none, or where the
 * system refuses. */
void cg_blas_suit_processor(char **argv);

#endif
