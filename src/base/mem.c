#include "cognate/mem.h"
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

static void *short_of_memory(size_t n, size_t size, struct cg_err *err)
{
    cg_fail(err, CG_ENOMEM, "out of memory: %zu items of %zu bytes", n, size);
    return NULL;
}

void *cg_new(size_t n, size_t size, struct cg_err *err)
{
    void *memory = n == 0 || size == 0 ? calloc(1, 1) : calloc(n, size);
    return memory ? memory : short_of_memory(n, size, err);
}

void *cg_new_aligned(size_t n, size_t size, struct cg_err *err)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX - 2 * ALIGNMENT)
        return short_of_memory(n, size, err);
    void *memory = aligned_alloc(ALIGNMENT, (bytes / ALIGNMENT + 1) * ALIGNMENT);
    return memory ? memory : short_of_memory(n, size, err);
}

int cg_grow(void **array, size_t *capacity, size_t need, size_t size, struct cg_err *err)
{
    if (need <= *capacity)
        return 0;
    size_t wanted = *capacity + *capacity / 2 + 8;
    if (wanted < need)
        wanted = need;
    size_t bytes;
    char *grown = __builtin_mul_overflow(wanted, size, &bytes) ? NULL : realloc(*array, bytes);
    if (!grown) {
        short_of_memory(wanted, size, err);
        return -1;
    }
    memset(grown + *capacity * size, 0, (wanted - *capacity) * size);
    *array = grown;
    *capacity = wanted;
    return 0;
}

char *cg_copy_text(const char *text, size_t n, struct cg_err *err)
{
    char *copy = cg_new(n + 1, 1, err);
    if (copy)
        memcpy(copy, text, n);
    return copy;
}

int cg_multiply(long long a, long long b, long long *out)
{
    return a < 0 || b < 0 || __builtin_mul_overflow(a, b, out) ? -1 : 0;
}
