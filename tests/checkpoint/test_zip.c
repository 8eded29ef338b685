/* ZIP archives, most of them wrong in one place: what is accepted lies where the directory says, what is
 * refused names the entry and the rule. */
#include "checkpoint/zip.h"
#include "scratch.h"
#include "zipped.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

#define A .name = "r/a", .data = "hello", .n = 5
#define B .name = "r/b", .data = "worlds", .n = 6

/* "r/a" is looked for in what is accepted: it must hold hello. message NULL: accepted. */
static const struct {
    const char *what;
    struct archive archive;
    const char *message;
} rows[] = {
    {"plain", {.member = {{A}, {B}}}, NULL},
    {"one entry", {.member = {{A}}}, NULL},
    {"not in order of names", {.member = {{B}, {A}}}, NULL},
    {"sizes behind the data", {.member = {{A, .sizes_follow = true}, {B, .sizes_follow = true}}}, NULL},
    {"ZIP64 end records", {.member = {{A}, {B}}, .zip64 = true}, NULL},
    {"ZIP64 sizes", {.member = {{A, .wide_sizes = true}, {B, .wide_sizes = true}}, .zip64 = true}, NULL},
    {"ZIP64 sizes, old end record", {.member = {{A, .wide_sizes = true}}}, NULL},
    {"sizes behind, ZIP64", {.member = {{A, .sizes_follow = true, .wide_sizes = true}}, .zip64 = true}, NULL},
    {"empty entry", {.member = {{A}, {.name = "r/empty", .data = "", .n = 0}}}, NULL},
    {"name with an escape", {.member = {{A}, {.name = "r/\x1b[31m", .data = "", .n = 0}}}, NULL},
    {"number in full, ZIP64", {.member = {{A}, {B}}, .zip64 = true, .wrong_entries = 0xFFFF - 2}, NULL},

    {"encrypted", {.member = {{A}, {B, .flags = 1}}}, "r/b: is encrypted (at byte "},
    {"strongly encrypted", {.member = {{A, .flags = 1 | 1 << 6}}}, "r/a: is encrypted"},
    {"masked headers", {.member = {{A, .flags = 1 << 13}}}, "r/a: is encrypted"},
    {"deflated", {.member = {{A}, {B, .method = 8}}}, "r/b: is deflated: entries must be stored plainly"},
    {"packed by LZMA", {.member = {{A, .method = 14}}}, "r/a: is compressed"},
    {"deflated in the local header alone", {.member = {{A, .local_method = 8}}}, "r/a: is deflated"},
    {"encrypted in the local header alone", {.member = {{A, .local_flags = 1}}}, "r/a: is encrypted"},
    {"another local name",
     {.member = {{A, .local_name = "r/x"}}},
     "r/a: its local header has another name (at byte 0)"},
    {"a longer local name",
     {.member = {{A, .local_name = "r/aa"}}},
     "r/a: its local header has another name"},
    {"another local size",
     {.member = {{A, .local_wrong_size = 1}}},
     "r/a: its local header gives another size or CRC"},
    {"another local size, ZIP64",
     {.member = {{A, .wide_sizes = true, .local_wrong_size = 1}}},
     "r/a: its local header gives another size"},
    {"size in the directory too small",
     {.member = {{A, .wrong_size = -1}}},
     "r/a: its local header gives another size"},
    {"wrong CRC",
     {.member = {{A, .wrong_crc = 1}, {B}}},
     "r/a: its bytes do not have the CRC that the archive gives"},
    {"twice", {.member = {{A}, {A}}}, "r/a: is in the archive twice"},
    {"twice, at one place", {.member = {{A}, {A, .wrong_offset = -38}}}, "r/a: overlaps another entry"},
    {"into the next",
     {.member = {{A, .wrong_size = 17, .sizes_follow = true}, {B}}},
     "r/b: overlaps another entry"},
    {"beyond the file",
     {.member = {{A, .wrong_size = 1000, .sizes_follow = true}}},
     "r/a: reaches into the central"},
    {"offset beyond the file",
     {.member = {{A, .wrong_offset = 1000000}}},
     "r/a: reaches into the central directory"},
    {"offset without a header", {.member = {{A}, {B, .wrong_offset = 1}}}, "r/b: has no local header here"},
    {"2^62 bytes",
     {.member = {{A, .wide_size = 1ull << 62}}},
     "r/a: reaches into the central directory or beyond"},
    {"2^63 bytes", {.member = {{A, .wide_size = 1ull << 63}}}, "r/a: has sizes that cannot be"},
    {"2^64 - 1 bytes", {.member = {{A, .wide_size = UINT64_MAX}}}, "r/a: has sizes that cannot be"},
    {"4 GB without a ZIP64 field",
     {.member = {{A, .wrong_size = 0xFFFFFFFF - 5}}},
     "r/a: has sizes that cannot be"},
    {"no name", {.member = {{.name = "", .data = "", .n = 0}}}, "is no name of an entry"},
    {"two end records",
     {.member = {{A}}, .end_twice = true},
     "there are two of them, or something before the archive"},
    {"before it",
     {.member = {{A}}, .before = "MZ", .wrong_directory = -2},
     "or something before the archive"},
    {"before it, offsets right",
     {.member = {{A}}, .before = "MZ"},
     "r/a: something stands before the archive's first"},
    {"behind it",
     {.member = {{A}}, .behind = "x"},
     "without its end record here: it was cut or something was added"},
    {"comment", {.member = {{A}}, .comment = "hello"}, "without its end record here"},
    {"between directory and end",
     {.member = {{A}}, .between = "x"},
     "does not end where the end records begin"},
    {"between, ZIP64",
     {.member = {{A}}, .between = "x", .zip64 = true},
     "the two end records say different things"},
    {"end records differ", {.member = {{A}}, .zip64 = true, .wrong_end64 = 1}, "say different things"},
    {"one entry more",
     {.member = {{A}, {B}}, .wrong_entries = 1},
     "a central directory of 98 bytes for 3 entries"},
    {"one entry less", {.member = {{A}, {B}}, .wrong_entries = -1}, "does not hold as many entries"},
    {"full number, no ZIP64", {.member = {{A}}, .wrong_entries = 0xFFFE}, "for 65535 entries"},
    {"directory moved", {.member = {{A}}, .wrong_directory = 1}, "does not end where the end records begin"},
    {"no entry", {.member = {{.name = NULL}}}, "finds no r/a"},
};

/* What a reader does: the directory, then an entry in full. */
static int read_entry(struct cg_buf *text, const char *path, struct cg_err *err)
{
    struct cg_zip zip = {0};
    struct cg_file file = {.path = (char *)path};
    int result = -1, descriptor = open(path, O_RDONLY);
    assert_true(descriptor >= 0);
    file.bytes = lseek(descriptor, 0, SEEK_END);
    CG_TRY(cg_zip_read(&zip, &file, descriptor, err));
    const struct cg_zip_entry *entry = cg_zip_find(&zip, "r/a");
    assert_null(cg_zip_find(&zip, "r/"));
    result = entry ? cg_zip_slurp(text, entry, 5, &file, descriptor, err)
                   : cg_fail(err, CG_EMISSING, "finds no r/a");
done:
    assert_true(result == 0 || zip.n == 0 || zip.entries);
    cg_zip_release(&zip);
    close(descriptor);
    return result;
}

static void check(struct scratch *scratch, const struct bytes *bytes, const char *what, const char *message)
{
    struct cg_buf text = {0};
    struct cg_err err = {0};
    scratch_bytes(scratch, "x.zip", bytes->data, bytes->n);
    int result = read_entry(&text, scratch_path(scratch, "x.zip"), &err);
    if ((result == 0) != !message)
        fail_msg("%s: %s: %s", what, result == 0 ? "accepted" : "refused", err.text);
    if (message && !strstr(err.text, message))
        fail_msg("%s: \"%s\" does not say \"%s\"", what, err.text, message);
    if (!message)
        assert_string_equal(text.data, "hello");
    assert_int_equal(err.code == CG_OK, result == 0);
    cg_buf_release(&text);
}

static void test_rows(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes bytes = {.n = 0};
        zip_put(&bytes, &rows[i].archive);
        check(*state, &bytes, rows[i].what, rows[i].message);
    }
}

/* Cut anywhere, an archive is refused. */
static void test_cut(void **state)
{
    const struct archive archive = {.member = {{A, .sizes_follow = true}, {B, .wide_sizes = true}},
                                    .zip64 = true};
    struct bytes bytes = {.n = 0};
    zip_put(&bytes, &archive);
    check(*state, &bytes, "whole", NULL);
    while (bytes.n-- > 0)
        check(*state, &bytes, "cut", "is a ZIP archive ");
}

/* Any one byte changed: accepted or refused in words, never read beyond (the sanitizers' build sees that). */
static void test_one_byte(void **state)
{
    const struct archive archive = {.member = {{A, .sizes_follow = true}, {B, .wide_sizes = true}},
                                    .zip64 = true};
    struct bytes bytes = {.n = 0};
    zip_put(&bytes, &archive);
    int refused = 0;
    for (size_t i = 0; i < bytes.n; i++)
        for (int bit = 0; bit < 8; bit += 7) {
            struct cg_buf text = {0};
            struct cg_err err = {0};
            bytes.data[i] ^= (unsigned char)(1 << bit);
            scratch_bytes(*state, "x.zip", bytes.data, bytes.n);
            int result = read_entry(&text, scratch_path(*state, "x.zip"), &err);
            assert_int_equal(err.code == CG_OK, result == 0);
            refused += result < 0;
            cg_buf_release(&text);
            bytes.data[i] ^= (unsigned char)(1 << bit);
        }
    assert_true(refused > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_one_byte),
    };
    return cmocka_run_group_tests_name("zip", tests, scratch_set_up, scratch_tear_down);
}
