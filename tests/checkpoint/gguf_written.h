/* GGUF files as bytes, put together from literals. */
#ifndef TESTS_CHECKPOINT_GGUF_WRITTEN_H
#define TESTS_CHECKPOINT_GGUF_WRITTEN_H

#include "cognate/err.h"
#include "scratch.h"
#include <stddef.h>
#include <stdint.h>

#define P(bytes) bytes, sizeof bytes - 1

/* Little-endian numbers of 4 and 8 bytes, of which only the lowest is not 0. */
#define N4(byte)                          byte "\0\0\0"
#define N8(byte)                          byte "\0\0\0\0\0\0\0"
#define ONES                              "\377\377\377\377\377\377\377\377"
#define TWO_TO_61                         "\0\0\0\0\0\0\0\40"
#define TWO_TO_63                         "\0\0\0\0\0\0\0\200"
#define START(version, ntensors, nvalues) "GGUF" version ntensors nvalues
#define HEAD(ntensors, nvalues)           START(N4("\3"), N8(ntensors), N8(nvalues))

/* A key of one letter or any, and its value. */
#define KEY(length, key, type) N8(length) key N4(type)
#define K1(type)               KEY("\1", "k", type)
#define ALIGNMENT(type, value) KEY("\21", "general.alignment", type) value
#define TEXT(length, text)     N8(length) text

/* Entries of tensors, by the number of their axes. */
#define TENSOR(axes, dims, type, offset) N8("\1") "a" N4(axes) dims N4(type) offset
#define VECTOR(dim, type, offset)        TENSOR("\1", N8(dim), type, N8(offset))
#define NAMED(name, dim, type, offset)   N8("\1") name N4("\1") N8(dim) N4(type) N8(offset)
#define ONE(tensor)                      HEAD("\1", "\0") tensor
#define FOUR_FLOATS                      VECTOR("\4", "\0", "\0")
#define ARCHITECTURE(length, name)       KEY("\24", "general.architecture", "\10") TEXT(length, name)
#define U32(length, key, value)          KEY(length, key, "\4") N4(value)

/* Writes a header, zeros up to the next multiple of `alignment` (0: of 32), and `data` bytes; -1: the header
 * alone. Returns where the data begin. */
int64_t gguf_write(struct scratch *scratch, const char *name, const char *header, size_t n, int64_t data,
                   int alignment);

/* The error is one line that holds the message. */
void gguf_check_refusal(const char *what, const struct cg_err *err, const char *message);

#endif
