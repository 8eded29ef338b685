/* Numbers out of the bytes of a file. */
#ifndef COGNATE_CHECKPOINT_BYTES_H
#define COGNATE_CHECKPOINT_BYTES_H

#include <stdint.h>

/* The little-endian number of n bytes, n at most 8. */
static inline uint64_t cg_little_endian(const unsigned char *bytes, int n)
{
    uint64_t value = 0;
    while (n-- > 0)
        value = value << 8 | bytes[n];
    return value;
}

#endif
