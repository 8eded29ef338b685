/* safetensors files, most of them malformed: accepted means exact, refused means a message that names the
 * rule, the tensor and the byte. Opened through cg_checkpoint_open, as a single file. */
#include "cognate/checkpoint.h"
#include "scratch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}" /* 52 bytes */
#define ENTRY(dtype, shape, range)                                                                           \
    "{\"a\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" range "}}"
#define NAMED(name) "{\"" name "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}"
#define PAIR(a, b)                                                                                           \
    "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" a "},"                                        \
    "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" b "}}"

/* Headers that JSON text alone describes. `data` bytes follow; message NULL: accepted. */
static const struct {
    const char *what, *header;
    size_t data;
    const char *message;
} headers[] = {
    {"plain", "{" A "}", 8, NULL},
    {"spaces behind", "{" A "} \n\t  ", 8, NULL},
    {"spaces before", "  {" A "}", 8, NULL},
    {"metadata", "{\"__metadata__\":{\"format\":\"pt\"}," A "}", 8, NULL},
    {"unknown field", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":1}}", 1, NULL},
    {"scalar", ENTRY("F32", "[]", "[0,4]"), 4, NULL},
    {"zero size", ENTRY("F32", "[0,7]", "[0,0]"), 0, NULL},
    {"zero size beside another",
     "{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},"
     "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}",
     4, NULL},
    {"JSON order other than offset order", PAIR("[4,8]", "[0,4]"), 8, NULL},
    {"F4", ENTRY("F4", "[2,3]", "[0,3]"), 3, NULL},
    {"F6", ENTRY("F6_E2M3", "[4]", "[0,3]"), 3, NULL},
    {"eight axes", ENTRY("U8", "[1,1,1,1,1,1,1,2]", "[0,2]"), 2, NULL},
    {"name empty", NAMED(""), 1, NULL},
    {"name with a newline", NAMED("a\\nb"), 1, NULL},
    {"name with an escape", NAMED("\\u001b[31m"), 1, NULL},
    {"name with dots", NAMED("../../etc/passwd"), 1, NULL},
    {"name like a field", NAMED("shape"), 1, NULL},

    {"no tensor", "{}", 0, "holds no tensor"},
    {"lone brace", "{", 0, "invalid JSON: string or '}' expected near end of file (at byte 9)"},
    {"list", "[]", 0, "not an object (at byte 8)"},
    {"null", "null", 0, "invalid JSON"},
    {"number", "  12", 0, "invalid JSON"},
    {"text", "hello, no JSON", 0, "invalid JSON: '[' or '{' expected near 'hello' (at byte 13)"},
    {"invalid UTF-8", "{\"\xFF\":1}", 0, "unable to decode byte 0xff near '\"' (at byte 10)"},
    {"overlong UTF-8", "{\"\xC0\x80\":1}", 0, "unable to decode byte 0xc0"},
    {"byte order mark", "\xEF\xBB\xBF{" A "}", 8, "invalid JSON"},
    {"bytes behind", "{" A "}x", 8, "end of file expected near 'x' (at byte 63)"},
    {"second object behind", "{" A "}{}", 8, "end of file expected"},
    {"comma behind", "{" A ",}", 8, "invalid JSON"},
    {"duplicate, other range", "{" A ",\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}", 16,
     "duplicate object key near '\"a\"' (at byte 65)"},
    {"duplicate, same range", "{" A "," A "}", 8, "duplicate object key near '\"a\"' (at byte 65)"},
    {"duplicate, escaped", "{" A ",\"\\u0061\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}",
     16, "duplicate object key"},
    {"duplicate field", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
     "duplicate object key near '\"shape\"' (at byte 46)"},
    {"duplicate metadata", "{\"__metadata__\":{},\"__metadata__\":{}," A "}", 8, "duplicate object key"},
    {"metadata a list", "{\"__metadata__\":[]," A "}", 8,
     "__metadata__: must be a map of strings, not [] (at byte 9)"},
    {"metadata null", "{\"__metadata__\":null," A "}", 8, "must be a map of strings, not null"},
    {"metadata of numbers", "{\"__metadata__\":{\"n\":1}," A "}", 8, "must be a map of strings, not 1"},
    {"entry a number", "{" A ",\"b\":3}", 8, "b: its entry must be an object, not 3 (at byte 62)"},
    {"dtype unknown", ENTRY("F31", "[2]", "[0,8]"), 8, "a: dtype must be one of safetensors', not \"F31\""},
    {"dtype in lower case", ENTRY("f32", "[2]", "[0,8]"), 8, "a: dtype must be one of"},
    {"dtype empty", ENTRY("", "[2]", "[0,8]"), 8, "a: dtype must be one of"},
    {"dtype a number", "{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
     "a: dtype must be a string, not 1"},
    {"no dtype", "{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "a: has no dtype (at byte 9)"},
    {"no shape", "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, "a: has no shape (at byte 9)"},
    {"no offsets", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "a: has no data_offsets (at byte 9)"},
    {"shape a number", ENTRY("U8", "1", "[0,1]"), 1, "a: shape must be a list, not 1"},
    {"shape null", ENTRY("U8", "null", "[0,1]"), 1, "a: shape must be a list, not null"},
    {"one offset", ENTRY("U8", "[1]", "[1]"), 1, "a: data_offsets must be two numbers, not [1]"},
    {"three offsets", ENTRY("U8", "[1]", "[0,1,1]"), 1, "a: data_offsets must be two numbers, not [0,1,1]"},
    {"shape negative", ENTRY("U8", "[-1]", "[0,1]"), 1, "whole numbers of at least 0, not [-1]"},
    {"shape -2 x -2", ENTRY("U8", "[-2,-2]", "[0,4]"), 4, "whole numbers of at least 0"},
    {"shape 1.0", ENTRY("U8", "[1.0]", "[0,1]"), 1, "whole numbers of at least 0, not [1.0]"},
    {"shape 1e0", ENTRY("U8", "[1e0]", "[0,1]"), 1, "whole numbers of at least 0"},
    {"shape a string", ENTRY("U8", "[\"1\"]", "[0,1]"), 1, "whole numbers of at least 0"},
    {"shape true", ENTRY("U8", "[true]", "[0,1]"), 1, "whole numbers of at least 0"},
    {"offset negative", ENTRY("U8", "[1]", "[-1,0]"), 1, "data_offsets must be whole numbers of at least 0"},
    {"offset 1.0", ENTRY("U8", "[1]", "[0,1.0]"), 1, "data_offsets must be whole numbers of at least 0"},
    {"offset 1e3", ENTRY("U8", "[1000]", "[0,1e3]"), 1000, "data_offsets must be whole numbers"},
    {"offset a string", ENTRY("U8", "[1]", "[\"0\",1]"), 1, "data_offsets must be whole numbers"},
    {"offset 2^63", ENTRY("U8", "[1]", "[0,9223372036854775808]"), 1, "too big integer"},
    {"offset 2^64 + 1", ENTRY("U8", "[1]", "[0,18446744073709551617]"), 1, "too big integer"},
    {"end before begin", ENTRY("U8", "[1]", "[1,0]"), 1, "must end where they begin or later, not [1,0]"},
    {"overlap", PAIR("[0,4]", "[2,6]"), 6, "b: its data overlap another tensor's (at byte 115)"},
    {"same range twice", PAIR("[0,4]", "[0,4]"), 4, "its data overlap another tensor's"},
    {"hole", PAIR("[0,4]", "[5,9]"), 9, "b: its data begin at byte 118, behind a hole (at byte 117)"},
    {"first begin not 0", ENTRY("U8", "[1]", "[1,2]"), 2,
     "a: its data begin at byte 62, behind a hole (at byte 61)"},
    {"trailing bytes", "{" A "}", 11, "the last tensor ends here, the file at byte 73 (at byte 70)"},
    {"cut by one byte", "{" A "}", 7, "a: the file ends here, 1 short of the tensor's end"},
    {"cut to its header", "{" A "}", 0, "a: the file ends here, 8 short of the tensor's end"},
    {"shape too small", ENTRY("F32", "[1]", "[0,8]"), 8,
     "a: shape and dtype F32 need 4 bytes, data_offsets give 8 (at byte 9)"},
    {"shape too large", ENTRY("F64", "[2]", "[0,8]"), 8, "need 16 bytes, data_offsets give 8"},
    {"empty range", ENTRY("F64", "[2]", "[0,0]"), 0, "need 16 bytes, data_offsets give 0"},
    {"2 x (2^64 - 2)", ENTRY("U8", "[2,18446744073709551614]", "[0,4]"), 4, "too big integer"},
    {"2 x (2^63 - 1)", ENTRY("U8", "[2,9223372036854775807]", "[0,4]"), 4, "fewer than 2^63 elements"},
    {"2^32 x 2^32, empty range", ENTRY("U8", "[4294967296,4294967296]", "[0,0]"), 0,
     "fewer than 2^63 elements"},
    {"2^61 F32, empty range", ENTRY("F32", "[2305843009213693952]", "[0,0]"), 0, "fewer than 2^63 bytes"},
    {"odd number of F4", ENTRY("F4", "[3]", "[0,2]"), 2, "a: 3 elements of F4 do not fill whole bytes"},
    {"odd number of F4, rounded down", ENTRY("F4", "[3]", "[0,1]"), 1, "3 elements of F4 do not fill"},
    {"two F6", ENTRY("F6_E3M2", "[2]", "[0,2]"), 2, "2 elements of F6_E3M2 do not fill whole bytes"},
    {"nine axes", ENTRY("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, "a: has 9 axes"},
    {"name with a NUL", NAMED("a\\u0000b"), 1, "NUL byte in object key not supported"},
    {"lone surrogate in a name", NAMED("\\ud800"), 1, "invalid Unicode"},
    {"raw newline in a name", NAMED("a\nb"), 1, "unexpected newline"},
    {"NaN", "{\"a\":NaN}", 0, "invalid token near 'NaN'"},
};

static void check_file(struct scratch *scratch, const char *what, const char *message)
{
    struct cg_checkpoint checkpoint = {0};
    struct cg_err err = {0};
    int result = cg_checkpoint_open(&checkpoint, scratch_path(scratch, "model.safetensors"), &err);
    if (result == 0 && message)
        fail_msg("%s: accepted", what);
    if (result < 0 && !message)
        fail_msg("%s: refused: %s", what, err.text);
    if (result < 0 && !strstr(err.text, message))
        fail_msg("%s: \"%s\" does not say \"%s\"", what, err.text, message);
    if (result < 0 && !strstr(err.text, "model.safetensors: "))
        fail_msg("%s: \"%s\" does not name the file", what, err.text);
    if (result < 0 && checkpoint.given)
        fail_msg("%s: not released", what);
    cg_checkpoint_release(&checkpoint);
}

static void test_headers(void **state)
{
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        scratch_safetensors(*state, "model.safetensors", -1, headers[i].header, headers[i].data);
        check_file(*state, headers[i].what, headers[i].message);
    }
}

/* The first eight bytes and what else is no JSON. */
static const struct {
    const char *what, *bytes;
    size_t n;
    const char *message;
} raw[] = {
    {"empty file", "", 0, "too short for a safetensors file: 0 bytes (at byte 0)"},
    {"seven bytes", "\0\0\0\0\0\0\0", 7, "too short for a safetensors file: 7 bytes"},
    {"N = 0", "\0\0\0\0\0\0\0\0", 8, "a header of 0 bytes in a file of 8"},
    {"N = 0, then a header", "\0\0\0\0\0\0\0\0{}", 10, "a header of 0 bytes"},
    {"N larger than the file", "\3\0\0\0\0\0\0\0{}", 10, "a header of 3 bytes in a file of 10"},
    {"N = 2^63", "\0\0\0\0\0\0\0\x80{}", 10, "a header of 9223372036854775808 bytes is over"},
    {"N = 2^64 - 1", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}", 10, "18446744073709551615 bytes is over"},
    {"N = 2^64 - 8, wraps with the prefix", "\xF8\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}", 10, "is over"},
    {"N = 100,000,001", "\x01\xE1\xF5\x05\0\0\0\0{}", 10, "a header of 100000001 bytes is over"},
    {"N = 100,000,000", "\0\xE1\xF5\x05\0\0\0\0{}", 10, "a header of 100000000 bytes in a file of 10"},
    {"UTF-16", "\4\0\0\0\0\0\0\0{\0}\0", 12, "invalid JSON"},
    {"NUL behind", "\3\0\0\0\0\0\0\0{}\0", 11, "invalid JSON"},
    {"LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 9\n", 66,
     "is a Git LFS pointer"},
    {"HTML page", "<!DOCTYPE html>\n<html><head>", 28, "is an HTML page"},
    {"HTML page, spaces before", "\n\n  <HTML lang=en>", 17, "is an HTML page"},
    {"error as JSON", "{\"error\":\"Repository not found\"}", 32, "is JSON text"},
    {"ZIP", "PK\x03\x04\x14\0\0\0\0\0\0\0", 12, "is a ZIP archive that was cut"},
    {"empty ZIP", "PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22, "is an empty ZIP archive"},
    {"7z", "7z\xBC\xAF\x27\x1C\0\4\0\0\0\0", 12, "is a 7z archive"},
    {"pickle of another protocol", "\x80\4\x95\0\0\0\0\0\0\0\0N.", 13, "is a Python pickle, but none that"},
    {"pickle", "\x80\x02}q\0.\0\0\0\0", 10, "is a Python pickle"},
    {"gzip", "\x1F\x8B\x08\0\0\0\0\0\0\0", 10, "compressed by gzip"},
};

/* A tar archive says so behind the name, mode and so on of its first file. */
static void test_tar(void **state)
{
    char bytes[512] = "sys_info";
    memcpy(bytes + 257, "ustar", 6);
    scratch_bytes(*state, "model.safetensors", bytes, sizeof bytes);
    check_file(*state, "tar", "is a tar archive: unpack it first");
}

static void test_raw(void **state)
{
    for (size_t i = 0; i < sizeof raw / sizeof *raw; i++) {
        scratch_bytes(*state, "model.safetensors", raw[i].bytes, raw[i].n);
        check_file(*state, raw[i].what, raw[i].message);
    }
}

/* text, then `piece` n times, then tail, on the heap */
static char *repeated(const char *text, const char *piece, size_t n, const char *tail)
{
    size_t length = strlen(piece), start = strlen(text);
    char *all = malloc(start + n * length + strlen(tail) + 1);
    assert_non_null(all);
    memcpy(all, text, start);
    for (size_t i = 0; i < n; i++)
        memcpy(all + start + i * length, piece, length);
    strcpy(all + start + n * length, tail);
    return all;
}

#define MILLION 1000000
static const struct {
    const char *what, *text, *piece;
    size_t n;
    const char *tail;
    size_t data;
    const char *message;
} large[] = {
    {"100,000 nested lists", "", "[", 100000, "", 0, "maximum parsing depth"},
    {"100,000 nested lists in an entry", "{\"a\":", "[", 100000, "", 0, "maximum parsing depth"},
    {"100,000 nested objects", "", "{\"a\":", 100000, "", 0, "maximum parsing depth"},
    {"1,000 axes", "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1],\"shape\":[1", ",1", 999, "]}}", 1,
     "a: has 1000 axes"},
    {"name of 1 MB", "{\"", "n", MILLION, "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
     NULL},
    {"name of 1 MB, hole", "{\"", "n", MILLION, "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
     2, "nnn...: its data begin at byte 1000061, behind a hole (at byte 1000060)"},
    {"metadata of 1 MB", "{\"__metadata__\":{\"n\":\"", "n", MILLION, "\"}," A "}", 8, NULL},
    {"1 MB of spaces", "{" A "}", " ", MILLION, "", 8, NULL},
};

static void test_large(void **state)
{
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        char *header = repeated(large[i].text, large[i].piece, large[i].n, large[i].tail);
        scratch_safetensors(*state, "model.safetensors", -1, header, large[i].data);
        check_file(*state, large[i].what, large[i].message);
        free(header);
    }
}

/* What an accepted header says is what the tensors hold. */
static void test_values(void **state)
{
    struct scratch *scratch = *state;
    struct cg_checkpoint checkpoint = {0};
    struct cg_err err = {0};
    scratch_safetensors(scratch, "model.safetensors", -1,
                        "{\"b\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[6,18]},"
                        "\"a\":{\"dtype\":\"F4\",\"shape\":[3,2,2],\"data_offsets\":[0,6]},"
                        "\"c\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[18,26]}}",
                        26);
    assert_int_equal(cg_checkpoint_open(&checkpoint, scratch_path(scratch, "model.safetensors"), &err), 0);
    assert_int_equal(checkpoint.ntensors, 3);
    assert_int_equal(checkpoint.nfiles, 1);
    assert_int_equal(checkpoint.files[0].bytes, 8 + 168 + 26);
    const struct cg_tensor *a = &checkpoint.tensors[0], *b = a + 1, *c = b + 1;
    assert_string_equal(a->name, "a");
    assert_int_equal(a->dtype, CG_F4);
    assert_int_equal(a->axes, 3);
    assert_int_equal(a->shape[0], 3);
    assert_int_equal(a->shape[2], 2);
    assert_int_equal(a->elements, 12);
    assert_int_equal(a->bytes, 6);
    assert_int_equal(a->offset, 176);
    assert_int_equal(b->dtype, CG_BF16);
    assert_int_equal(b->offset, 182);
    assert_int_equal(b->bytes, 12);
    assert_int_equal(c->axes, 0);
    assert_int_equal(c->elements, 1);
    assert_int_equal(c->offset, 194);
    assert_ptr_equal(cg_checkpoint_find(&checkpoint, "b"), b);
    assert_null(cg_checkpoint_find(&checkpoint, "bb"));
    assert_int_equal(cg_checkpoint_bytes(&checkpoint), 26);
    cg_checkpoint_release(&checkpoint);
}

/* A control character of a name never reaches the terminal. */
static void test_names_are_printable(void **state)
{
    struct scratch *scratch = *state;
    struct cg_checkpoint checkpoint = {0};
    struct cg_err err = {0};
    scratch_safetensors(
        scratch, "model.safetensors", -1,
        "{\"\\u001b[31m\\n\":{\"dtype\":\"\\u001b[2J\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1);
    assert_int_equal(cg_checkpoint_open(&checkpoint, scratch_path(scratch, "model.safetensors"), &err), -1);
    assert_null(strpbrk(err.text, "\x1b\n"));
    assert_non_null(strstr(err.text, ": \\x1B[31m\\x0A: dtype must be"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers), cmocka_unit_test(test_raw),
        cmocka_unit_test(test_tar),     cmocka_unit_test(test_large),
        cmocka_unit_test(test_values),  cmocka_unit_test(test_names_are_printable),
    };
    return cmocka_run_group_tests_name("safetensors", tests, scratch_set_up, scratch_tear_down);
}
