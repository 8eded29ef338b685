/* Each element of a matrix stored column by column, in its place row by row; nothing else read or written. */
#include "sweep/transpose.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BLANK = 0xEE };

/* The memory of both matrices ends where they end. */
static void check(int width, int64_t rows, int64_t columns, int64_t step, int64_t gap, int64_t margin,
                  size_t shift)
{
    int64_t pitch = (rows - 1) * step + 1 + gap, to_pitch = columns + margin;
    size_t size = (size_t)(((columns - 1) * pitch + (rows - 1) * step + 1) * width);
    size_t to_size = (size_t)(((rows - 1) * to_pitch + columns) * width);
    uint8_t *memory = malloc(size), *room = aligned_alloc(64, (shift + to_size + 63) / 64 * 64);
    assert_true(memory && room);
    uint8_t *to = room + shift;
    for (size_t i = 0; i < size; i++)
        memory[i] = (uint8_t)(i * 151 + i / 256 * 7);
    memset(to, BLANK, to_size);
    struct cg_columns from = {memory, rows, columns, step, pitch};
    cg_transpose(to, to_pitch, &from, width);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < columns; c++)
            assert_memory_equal(to + (r * to_pitch + c) * width, memory + (r * step + c * pitch) * width,
                                (size_t)width);
        for (int64_t i = columns * width; r < rows - 1 && i < to_pitch * width; i++)
            assert_int_equal(to[r * to_pitch * width + i], BLANK);
    }
    free(memory);
    free(room);
}

static void test_sizes(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 130};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    for (int width = 1; width <= 8; width *= 2)
        for (int64_t step = 1; step <= 3; step++)
            for (int r = 0; r < SIZES; r++)
                for (int c = 0; c < SIZES; c++)
                    check(width, sizes[r], sizes[c], step, (r + c) % 3, (r + 2 * c) % 4, 8);
}

/* Rows that begin on lines of memory, whole lines of them or not, and rows that begin a little behind. */
static void test_lines(void **state)
{
    (void)state;
    static const int64_t bytes[] = {32, 64, 96, 128, 192, 256, 320};
    enum { SIZES = sizeof bytes / sizeof *bytes };
    for (int width = 1; width <= 8; width *= 2)
        for (int64_t step = 1; step <= 2; step++)
            for (int64_t rows = 1; rows <= 40; rows += 13)
                for (int k = 0; k < SIZES; k++) {
                    int64_t pitch = (bytes[k] + 127) / 64 * 64, margin = (pitch - bytes[k]) / width;
                    check(width, rows, bytes[k] / width, step, k % 2, margin, 0);
                    check(width, rows, bytes[k] / width, step, k % 2, margin, 32);
                }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sizes), cmocka_unit_test(test_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
