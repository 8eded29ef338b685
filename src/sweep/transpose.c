#include "transpose.h"
#include "cognate/clones.h"
#include "cognate/small_float.h"
#include <assert.h>
#include <stdbool.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Bytes of half a vector; lines of a row that are written at a time. */
enum { HALF = 16, LINES = 2 };
typedef uint64_t half __attribute__((vector_size(HALF)));

/* Rows as they are transposed, before they are written: as many as half a vector has elements. */
struct tile {
    _Alignas(CG_TRANSPOSE_LINE) uint8_t row[HALF][LINES * CG_TRANSPOSE_LINE];
};

/* A line of memory as a whole and past the cache: nothing needs to be read for that, and the line is wanted
 * again only after many others. */
CG_ALWAYS_INLINE void put_line(uint8_t *to, const uint8_t *line)
{
#ifdef __SSE2__
    for (int k = 0; k < CG_TRANSPOSE_LINE; k += HALF)
        _mm_stream_si128((__m128i *)(void *)(to + k),
                         _mm_load_si128((const __m128i *)(const void *)(line + k)));
#else
    memcpy(to, line, CG_TRANSPOSE_LINE);
#endif
}

CG_ALWAYS_INLINE void put_rows(uint8_t *to, int64_t to_bytes, const struct tile *tile, int rows,
                               int64_t bytes, bool lines)
{
    int64_t whole = lines ? bytes - bytes % CG_TRANSPOSE_LINE : 0;
    for (int r = 0; r < rows; r++) {
        for (int64_t k = 0; k < whole; k += CG_TRANSPOSE_LINE)
            put_line(to + r * to_bytes + k, tile->row[r] + k);
        if (whole < bytes)
            memcpy(to + r * to_bytes + whole, tile->row[r] + whole, (size_t)(bytes - whole));
    }
}

/* Whether rows begin where lines of memory do. */
static bool on_lines(const uint8_t *to, int64_t to_bytes)
{
    return ((uintptr_t)to | (uintptr_t)to_bytes) % CG_TRANSPOSE_LINE == 0;
}

/* For one width. A square of as many rows and columns as half a vector has elements, n, is transposed in
 * registers together with the one beside it, each in its half: the first half of a square's columns is
 * interleaved with its second, element by element, until each element has moved from its row's place to its
 * column's. FIRST and SECOND select the halves of two vectors interleaved, OTHER every other element of two
 * loads that overlap in one. */
#define DEFINE_TRANSPOSE(type, n, FIRST, SECOND, OTHER)                                                      \
    typedef type half_of_##type __attribute__((vector_size(HALF)));                                          \
    typedef type vector_of_##type __attribute__((vector_size(2 * HALF)));                                    \
                                                                                                             \
    CG_ALWAYS_INLINE void load_##type(half *out, const uint8_t *from, bool apart)                            \
    {                                                                                                        \
        half_of_##type a, b;                                                                                 \
        memcpy(&a, from, HALF);                                                                              \
        if (apart)                                                                                           \
            memcpy(&b, from + HALF - sizeof(type), HALF);                                                    \
        *out = (half)(apart ? __builtin_shufflevector(a, b, OTHER) : a);                                     \
    }                                                                                                        \
                                                                                                             \
    CG_ALWAYS_INLINE void squares_##type(uint8_t *to, const uint8_t *from, int64_t from_bytes, bool apart)   \
    {                                                                                                        \
        vector_of_##type line[n], mixed[n];                                                                  \
        for (int k = 0; k < n; k++) {                                                                        \
            half low, high;                                                                                  \
            load_##type(&low, from + k * from_bytes, apart);                                                 \
            load_##type(&high, from + (n + k) * from_bytes, apart);                                          \
            line[k] = (vector_of_##type)__builtin_shufflevector(low, high, 0, 1, 2, 3);                      \
        }                                                                                                    \
        for (int round = 1; round < n; round *= 2) {                                                         \
            for (int k = 0; k < n / 2; k++) {                                                                \
                mixed[2 * k] = __builtin_shufflevector(line[k], line[k + n / 2], FIRST);                     \
                mixed[2 * k + 1] = __builtin_shufflevector(line[k], line[k + n / 2], SECOND);                \
            }                                                                                                \
            memcpy(line, mixed, sizeof line);                                                                \
        }                                                                                                    \
        for (int k = 0; k < n; k++)                                                                          \
            memcpy(to + k * LINES * CG_TRANSPOSE_LINE, &line[k], sizeof line[k]);                            \
    }                                                                                                        \
                                                                                                             \
    CG_CLONES static void transpose_##type(uint8_t *to, int64_t pitch, const struct cg_columns *from,        \
                                           int64_t rows, int64_t columns)                                    \
    {                                                                                                        \
        const int64_t size = sizeof(type), most = LINES * CG_TRANSPOSE_LINE / size;                          \
        const bool lines = on_lines(to, pitch * size);                                                       \
        struct tile tile;                                                                                    \
        for (int64_t c0 = 0, end; c0 < columns; c0 = end) {                                                  \
            end = columns - c0 < most ? columns : c0 + most;                                                 \
            for (int64_t r = 0; r < rows; r += n) {                                                          \
                for (int64_t c = c0; c < end; c += 2 * n) {                                                  \
                    const uint8_t *corner = from->memory + (r * from->step + c * from->pitch) * size;        \
                    if (from->step == 2)                                                                     \
                        squares_##type(tile.row[0] + (c - c0) * size, corner, from->pitch * size, true);     \
                    else                                                                                     \
                        squares_##type(tile.row[0] + (c - c0) * size, corner, from->pitch * size, false);    \
                }                                                                                            \
                put_rows(to + (r * pitch + c0) * size, pitch * size, &tile, n, (end - c0) * size, lines);    \
            }                                                                                                \
        }                                                                                                    \
    }

#define LIST(...) __VA_ARGS__
DEFINE_TRANSPOSE(uint8_t, 16,
                 LIST(0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39, 16, 48, 17, 49, 18, 50, 19, 51,
                      20, 52, 21, 53, 22, 54, 23, 55),
                 LIST(8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47, 24, 56, 25, 57, 26, 58,
                      27, 59, 28, 60, 29, 61, 30, 62, 31, 63),
                 LIST(0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31))
DEFINE_TRANSPOSE(uint16_t, 8, LIST(0, 16, 1, 17, 2, 18, 3, 19, 8, 24, 9, 25, 10, 26, 11, 27),
                 LIST(4, 20, 5, 21, 6, 22, 7, 23, 12, 28, 13, 29, 14, 30, 15, 31),
                 LIST(0, 2, 4, 6, 9, 11, 13, 15))
DEFINE_TRANSPOSE(uint32_t, 4, LIST(0, 8, 1, 9, 4, 12, 5, 13), LIST(2, 10, 3, 11, 6, 14, 7, 15),
                 LIST(0, 2, 5, 7))
DEFINE_TRANSPOSE(uint64_t, 2, LIST(0, 4, 2, 6), LIST(1, 5, 3, 7), LIST(0, 3))

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
    int64_t side = HALF / width, rows = from->step > 2 ? 0 : from->rows / side * side;
    int64_t columns = from->columns - from->columns % (2 * side);
    switch (width) {
    case 1:
        transpose_uint8_t(to, pitch, from, rows, columns);
        break;
    case 2:
        transpose_uint16_t(to, pitch, from, rows, columns);
        break;
    case 4:
        transpose_uint32_t(to, pitch, from, rows, columns);
        break;
    default:
        assert(width == 8);
        transpose_uint64_t(to, pitch, from, rows, columns);
    }
#ifdef __SSE2__
    _mm_sfence(); /* before another thread is told of it */
#endif
    copy_elements(to, pitch, from, 0, rows, columns, width);
    copy_elements(to, pitch, from, rows, from->rows, 0, width);
}
