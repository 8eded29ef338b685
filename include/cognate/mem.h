/* Memory: allocation that reports failure in words, and growing arrays. */
#ifndef COGNATE_MEM_H
#define COGNATE_MEM_H

#include "cognate/err.h"
#include <stddef.h>
#include <stdint.h>

/* n items of `size` bytes, zeroed. n or size may be 0: the result is then a valid pointer to nothing.
 * NULL with err filled when the product overflows or memory is short. The caller frees with free(). */
void *cg_new(size_t n, size_t size, struct cg_err *err);

/* As cg_new, aligned to 64 bytes and not zeroed. */
void *cg_new_aligned(size_t n, size_t size, struct cg_err *err);

/* Makes room for `need` items in *array (capacity in items); grows by half at least, new items are zeroed. */
int cg_grow(void **array, size_t *capacity, size_t need, size_t size, struct cg_err *err);

/* A copy of n bytes of text with a NUL behind. */
char *cg_copy_text(const char *text, size_t n, struct cg_err *err);

/* a * b in *out; -1 without a text when it overflows or an operand is negative. */
int cg_multiply(long long a, long long b, long long *out);

#endif
