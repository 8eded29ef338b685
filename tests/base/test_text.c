/* Text: growing buffers, packing, names made printable, UTF-8 and JSON strings. */
#include "cognate/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

static void buffer_grows(void **state)
{
    (void)state;
    struct cg_err err = {0};
    struct cg_buf buf = {0};
    assert_int_equal(cg_buf_append(&buf, "ab\0c", 4, &err), 0);
    assert_int_equal(cg_buf_printf(&buf, &err, "%d/%s", 17, "x"), 0);
    assert_int_equal(cg_buf_append(&buf, NULL, 0, &err), 0);
    assert_int_equal(buf.size, 8);
    assert_memory_equal(buf.data, "ab\0c17/x", 9); /* with the NUL behind */
    for (int i = 0; i < 5000; i++)
        assert_int_equal(cg_buf_printf(&buf, &err, "%d,", i), 0);
    assert_int_equal(buf.size, 8 + 10 * 2 + 90 * 3 + 900 * 4 + 4000 * 5);
    assert_int_equal(strlen(buf.data + 4), buf.size - 4);
    assert_string_equal(buf.data + buf.size - 5, "4999,");
    cg_buf_release(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.size, 0);
    cg_buf_release(&buf);
}

static void packs_and_unpacks(void **state)
{
    (void)state;
    struct cg_err err = {0};
    struct cg_buf buf = {0};
    static const int64_t ints[] = {0, -1, 1, INT64_MAX, INT64_MIN, 4294967296};
    static const char *const texts[] = {"", "model.layers.0", "caf\xC3\xA9\n", NULL};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(cg_pack_int(&buf, ints[i], &err), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(cg_pack_text(&buf, texts[i], &err), 0);

    struct cg_unpacker from = {buf.data, buf.data + buf.size};
    for (size_t i = 0; i < 6; i++)
        assert_true(cg_unpack_int(&from) == ints[i]);
    for (size_t i = 0; i < 4; i++) {
        char *text = cg_unpack_text(&from, &err);
        assert_string_equal(text, texts[i] ? texts[i] : "");
        free(text);
    }
    assert_ptr_equal(from.at, from.end);
    cg_buf_release(&buf);
}

/* size 0 stands for 64 */
static const struct {
    const char *text;
    size_t size;
    const char *shown;
} printable[] = {
    {"model.layers.0.weight", 0, "model.layers.0.weight"},
    {"", 0, ""},
    {"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\xA4\x97", 0, "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\xA4\x97"},
    {"a\nb\tc", 0, "a\\x0Ab\\x09c"},
    {"\x1B[31mred", 0, "\\x1B[31mred"},
    {"\x7F", 0, "\\x7F"},
    {"\xC2\x9B"
     "31m",
     0, "\\xC2\\x9B31m"}, /* the terminal's other escape, U+009B */
    {"a\\x0A", 0, "a\\\\x0A"},
    {"\xFF\xFE", 0, "\\xFF\\xFE"},
    {"\xC3", 0, "\\xC3"},                   /* cut sequence */
    {"\xC0\xAF", 0, "\\xC0\\xAF"},          /* overlong */
    {"\xED\xA0\x80", 0, "\\xED\\xA0\\x80"}, /* surrogate */
    {"abc", 4, "abc"},
    {"abcd", 4, "..."},
    {"abcdefgh", 8, "abcd..."},
    {"abcdefg", 8, "abcdefg"},
    {"\n\n\n", 12, "\\x0A\\x0A..."},
    {"\n\n\n", 13, "\\x0A\\x0A\\x0A"},
    {"abc\xE2\x82\xAC"
     "d",
     7, "abc..."}, /* never half a character */
};

static void shows_names_safely(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof printable / sizeof *printable; i++) {
        size_t size = printable[i].size ? printable[i].size : 64;
        char *out = malloc(size); /* exact, so that a sanitizer sees a byte too many */
        assert_ptr_equal(cg_printable(out, size, printable[i].text), out);
        assert_string_equal(out, printable[i].shown);
        free(out);
    }
}

static const struct {
    const char *bytes;
    size_t n, length;
} utf8[] = {
    {"a", 1, 1},
    {"\0", 1, 1},
    {"\x7F", 1, 1},
    {"\xC2\x80", 2, 2},
    {"\xDF\xBF", 2, 2},
    {"\xE0\xA0\x80", 3, 3},
    {"\xED\x9F\xBF", 3, 3}, /* U+D7FF, before the surrogates */
    {"\xEE\x80\x80", 3, 3}, /* U+E000, after them */
    {"\xEF\xBF\xBF", 3, 3},
    {"\xF0\x90\x80\x80", 4, 4},
    {"\xF4\x8F\xBF\xBF", 4, 4}, /* U+10FFFF */
    {"\xC3\xA9 and more", 11, 2},
    {"a", 0, 0},
    {"\x80", 1, 0},
    {"\xBF", 1, 0},
    {"\xC0\x80", 2, 0}, /* overlong NUL */
    {"\xC1\xBF", 2, 0},
    {"\xC3", 1, 0},
    {"\xC3"
     "a",
     2, 0},
    {"\xE0\x9F\xBF", 3, 0}, /* overlong */
    {"\xED\xA0\x80", 3, 0}, /* U+D800 */
    {"\xED\xBF\xBF", 3, 0},
    {"\xC3\xA9", 1, 0}, /* whole, were it not for n */
    {"\xE2\x82\xAC", 2, 0},
    {"\xE2\x82", 2, 0},
    {"\xE2\x82"
     "a",
     3, 0},
    {"\xF0\x8F\xBF\xBF", 4, 0}, /* overlong */
    {"\xF4\x90\x80\x80", 4, 0}, /* beyond U+10FFFF */
    {"\xF5\x80\x80\x80", 4, 0},
    {"\xF0\x9F\xA4", 3, 0},
    {"\xF0\x9F\xA4"
     "a",
     4, 0},
    {"\xFF", 1, 0},
};

static void measures_utf8(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof utf8 / sizeof *utf8; i++) {
        assert_int_equal(cg_utf8_length(utf8[i].bytes, utf8[i].n), utf8[i].length);
        char *bytes = malloc(utf8[i].n); /* exact, so that a sanitizer sees a byte too many */
        if (utf8[i].n > 0)
            memcpy(bytes, utf8[i].bytes, utf8[i].n);
        assert_int_equal(cg_utf8_length(bytes, utf8[i].n), utf8[i].length);
        free(bytes);
    }
}

static void writes_json_strings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *json;
    } rows[] = {
        {"", "\"\""},
        {"embed", "\"embed\""},
        {"caf\xC3\xA9", "\"caf\xC3\xA9\""},
        {"say \"hi\" \\", "\"say \\\"hi\\\" \\\\\""},
        {"a\nb\x01", "\"a\\u000ab\\u0001\""},
        {"/", "\"/\""},
        {"\xFF"
         "a",
         "\"\xEF\xBF\xBD"
         "a\""},
        {"\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        cg_json_string(out, rows[i].text);
        fclose(out);
        assert_string_equal(text, rows[i].json);
        free(text);
    }
}

static void compares_ends(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
        bool starts, ends;
    } rows[] = {
        {"model.norm", "model.", true, false},
        {"model.norm", ".norm", false, true},
        {"norm", "norm", true, true},
        {"norm", "", true, true},
        {"", "", true, true},
        {"", "a", false, false},
        {"orm", "norm", false, false},
        {"nor", "norm", false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(cg_starts_with(rows[i].text, rows[i].part), rows[i].starts);
        assert_int_equal(cg_ends_with(rows[i].text, rows[i].part), rows[i].ends);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffer_grows),        cmocka_unit_test(packs_and_unpacks),
        cmocka_unit_test(shows_names_safely),  cmocka_unit_test(measures_utf8),
        cmocka_unit_test(writes_json_strings), cmocka_unit_test(compares_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
