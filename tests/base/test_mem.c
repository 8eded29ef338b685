/* Memory: zeroed, aligned and growing arrays; sizes that overflow or cannot be had. */
#include "cognate/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

static const struct {
    size_t n, size;
    bool possible;
} sizes[] = {
    {0, 0, true},
    {0, 8, true},
    {8, 0, true},
    {1, 1, true},
    {63, 1, true},
    {1000, 24, true},
    {SIZE_MAX, 2, false},
    {SIZE_MAX / 8 + 1, 8, false}, /* wraps to 0 */
    {(size_t)1 << 33, (size_t)1 << 33, false},
    {SIZE_MAX, 1, false},
    {SIZE_MAX - 64, 1, false},
    {PTRDIFF_MAX, 1, false},
};

static void check_new(void *memory, const struct cg_err *err, size_t row)
{
    if (sizes[row].possible) {
        assert_non_null(memory);
        assert_int_equal(err->code, CG_OK);
    } else {
        assert_null(memory);
        assert_int_equal(err->code, CG_ENOMEM);
        assert_non_null(strstr(err->text, "out of memory"));
    }
}

static void new_is_zeroed(void **state)
{
    (void)state;
    for (size_t row = 0; row < sizeof sizes / sizeof *sizes; row++) {
        struct cg_err err = {0};
        char *memory = cg_new(sizes[row].n, sizes[row].size, &err);
        check_new(memory, &err, row);
        for (size_t i = 0; memory && i < sizes[row].n * sizes[row].size; i++)
            assert_int_equal(memory[i], 0);
        free(memory);
    }
}

static void new_aligned_is_aligned(void **state)
{
    (void)state;
    for (size_t row = 0; row < sizeof sizes / sizeof *sizes; row++) {
        struct cg_err err = {0};
        void *memory = cg_new_aligned(sizes[row].n, sizes[row].size, &err);
        check_new(memory, &err, row);
        assert_int_equal((uintptr_t)memory % 64, 0);
        if (memory)
            memset(memory, 0xA5, sizes[row].n * sizes[row].size);
        free(memory);
    }
}

static void grow_keeps_and_zeroes(void **state)
{
    (void)state;
    struct cg_err err = {0};
    uint32_t *array = NULL;
    size_t capacity = 0;
    for (size_t n = 1; n <= 1000; n++) {
        size_t before = capacity;
        assert_int_equal(cg_grow((void **)&array, &capacity, n, sizeof *array, &err), 0);
        assert_true(capacity >= n);
        for (size_t i = before; i < capacity; i++)
            assert_int_equal(array[i], 0);
        if (capacity > before && before > 0)
            assert_true(capacity >= before + before / 2);
        array[n - 1] = (uint32_t)n;
    }
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(array[i], i + 1);
    free(array);
}

static void grow_leaves_all_as_it_was_when_it_fails(void **state)
{
    (void)state;
    static const struct {
        size_t need, size;
    } rows[] = {{SIZE_MAX, 8}, {SIZE_MAX / 8 + 1, 8}, {SIZE_MAX / 16, 8}, {SIZE_MAX, 1}};
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct cg_err err = {0};
        size_t capacity = 2;
        void *array = calloc(capacity, rows[row].size), *before = array;
        assert_int_equal(cg_grow(&array, &capacity, rows[row].need, rows[row].size, &err), -1);
        assert_int_equal(err.code, CG_ENOMEM);
        assert_ptr_equal(array, before);
        assert_int_equal(capacity, 2);
        free(array);
    }
}

static void copies_text(void **state)
{
    (void)state;
    struct cg_err err = {0};
    static const struct {
        const char *text;
        size_t n;
        const char *copy;
    } rows[] = {{"layer", 5, "layer"}, {"layer", 3, "lay"}, {"", 0, ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *copy = cg_copy_text(rows[i].text, rows[i].n, &err);
        assert_string_equal(copy, rows[i].copy);
        free(copy);
    }
}

static void multiplies_or_refuses(void **state)
{
    (void)state;
    static const struct {
        long long a, b;
        int result;
        long long product;
    } rows[] = {
        {0, 0, 0, 0},
        {0, INT64_MAX, 0, 0},
        {1, INT64_MAX, 0, INT64_MAX},
        {3037000499, 3037000499, 0, 9223372030926249001},
        {4294967296, 2147483647, 0, 9223372032559808512},
        {3037000500, 3037000500, -1, 0},
        {2, INT64_MAX, -1, 0},
        {4294967296, 4294967296, -1, 0}, /* wraps to 0 */
        {-1, 5, -1, 0},
        {5, -1, -1, 0},
        {-3, -3, -1, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        long long product = 0;
        assert_int_equal(cg_multiply(rows[i].a, rows[i].b, &product), rows[i].result);
        if (rows[i].result == 0)
            assert_true(product == rows[i].product);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_is_zeroed),         cmocka_unit_test(new_aligned_is_aligned),
        cmocka_unit_test(grow_keeps_and_zeroes), cmocka_unit_test(grow_leaves_all_as_it_was_when_it_fails),
        cmocka_unit_test(copies_text),           cmocka_unit_test(multiplies_or_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
