#include "transpose.h"
#include <assert.h>
#include <stdbool.h>
#include <string.h>

enum { VECTOR = 16 };

/* For one width. A square of as many rows and columns as a vector has elements, n, is transposed in
 * registers: its first half of columns is interleaved with its second, element by element, until each element
 * has moved from its row's place to its column's. FIRST and SECOND select the halves of two vectors
 * interleaved, OTHER every other element of two loads that overlap in one. Rows of `to` may lie pages apart:
 * those of the next squares are asked for while these are written. */
#define DEFINE_TRANSPOSE(type, n, FIRST, SECOND, OTHER)                                                      \
    typedef type vector_of_##type __attribute__((vector_size(VECTOR)));                                      \
                                                                                                             \
    static inline vector_of_##type load_##type(const uint8_t *from, bool apart)                              \
    {                                                                                                        \
        vector_of_##type a, b;                                                                               \
        memcpy(&a, from, VECTOR);                                                                            \
        if (!apart)                                                                                          \
            return a;                                                                                        \
        memcpy(&b, from + VECTOR - sizeof(type), VECTOR);                                                    \
        return __builtin_shufflevector(a, b, OTHER);                                                         \
    }                                                                                                        \
                                                                                                             \
    static inline void square_##type(uint8_t *to, int64_t to_bytes, const uint8_t *from, int64_t from_bytes, \
                                     bool apart)                                                             \
    {                                                                                                        \
        vector_of_##type line[n], mixed[n];                                                                  \
        for (int k = 0; k < n; k++)                                                                          \
            line[k] = load_##type(from + k * from_bytes, apart);                                             \
        for (int round = 1; round < n; round *= 2) {                                                         \
            for (int k = 0; k < n / 2; k++) {                                                                \
                mixed[2 * k] = __builtin_shufflevector(line[k], line[k + n / 2], FIRST);                     \
                mixed[2 * k + 1] = __builtin_shufflevector(line[k], line[k + n / 2], SECOND);                \
            }                                                                                                \
            memcpy(line, mixed, sizeof line);                                                                \
        }                                                                                                    \
        for (int k = 0; k < n; k++)                                                                          \
            memcpy(to + k * to_bytes, &line[k], VECTOR);                                                     \
    }                                                                                                        \
                                                                                                             \
    static void squares_##type(uint8_t *to, int64_t pitch, const struct cg_columns *from, int64_t rows,      \
                               int64_t columns)                                                              \
    {                                                                                                        \
        const int64_t size = sizeof(type), line = CG_TRANSPOSE_LINE / size;                                  \
        for (int64_t c0 = 0, end; c0 < columns; c0 = end) {                                                  \
            end = columns - c0 < line ? columns : c0 + line;                                                 \
            for (int64_t r = 0; r < rows; r += n) {                                                          \
                for (int k = 0; k < n && r + n < rows; k++)                                                  \
                    __builtin_prefetch(to + ((r + n + k) * pitch + c0) * size, 1);                           \
                for (int64_t c = c0; c < end; c += n)                                                        \
                    square_##type(to + (r * pitch + c) * size, pitch * size,                                 \
                                  from->memory + (r * from->step + c * from->pitch) * size,                  \
                                  from->pitch * size, from->step == 2);                                      \
            }                                                                                                \
        }                                                                                                    \
    }

#define LIST(...) __VA_ARGS__
DEFINE_TRANSPOSE(uint8_t, 16, LIST(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
                 LIST(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31),
                 LIST(0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31))
DEFINE_TRANSPOSE(uint16_t, 8, LIST(0, 8, 1, 9, 2, 10, 3, 11), LIST(4, 12, 5, 13, 6, 14, 7, 15),
                 LIST(0, 2, 4, 6, 9, 11, 13, 15))
DEFINE_TRANSPOSE(uint32_t, 4, LIST(0, 4, 1, 5), LIST(2, 6, 3, 7), LIST(0, 2, 5, 7))
DEFINE_TRANSPOSE(uint64_t, 2, LIST(0, 2), LIST(1, 3), LIST(0, 3))

static void copy_elements(uint8_t *to, int64_t pitch, const struct cg_columns *from, int64_t first_row,
                          int64_t end_row, int64_t first_column, int width)
{
    for (int64_t r = first_row; r < end_row; r++)
        for (int64_t c = first_column; c < from->columns; c++)
            memcpy(to + (r * pitch + c) * width, from->memory + (r * from->step + c * from->pitch) * width,
                   (size_t)width);
}

/* Squares as far as they fit, what is left beside and below them by elements. Rows further apart than every
 * other element occur in no family. */
void cg_transpose(uint8_t *to, int64_t pitch, const struct cg_columns *from, int width)
{
    int64_t side = VECTOR / width, rows = from->step > 2 ? 0 : from->rows / side * side;
    int64_t columns = from->columns / side * side;
    switch (width) {
    case 1:
        squares_uint8_t(to, pitch, from, rows, columns);
        break;
    case 2:
        squares_uint16_t(to, pitch, from, rows, columns);
        break;
    case 4:
        squares_uint32_t(to, pitch, from, rows, columns);
        break;
    default:
        assert(width == 8);
        squares_uint64_t(to, pitch, from, rows, columns);
    }
    copy_elements(to, pitch, from, 0, rows, columns, width);
    copy_elements(to, pitch, from, rows, from->rows, 0, width);
}
