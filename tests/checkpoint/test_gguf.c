/* GGUF files: what is accepted names the bytes of each tensor, what is refused says why and where. Opened
 * through cg_checkpoint_open. */
#include "cognate/checkpoint.h"
#include "gguf_written.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

/* The header is filled up with zeros to the next multiple of `alignment`, where `data` bytes follow (-1: the
 * file ends with the header). `tensors`: name, type, shape, and the range from there on; NULL: refused. */
static const struct row {
    const char *what, *header;
    size_t n;
    int64_t data;
    const char *tensors, *message;
    int alignment; /* 0: 32 */
} rows[] = {
    {"vector", P(ONE(FOUR_FLOATS)), 16, "a F32 [4] 0-16;", NULL, 0},
    {"version 2", P(START(N4("\2"), N8("\1"), N8("\0")) FOUR_FLOATS), 16, "a F32 [4] 0-16;", NULL, 0},
    {"the last one padded", P(ONE(FOUR_FLOATS)), 32, "a F32 [4] 0-16;", NULL, 0},
    {"first axis is the fastest", P(ONE(TENSOR("\3", N8("\4") N8("\3") N8("\2"), "\0", N8("\0")))), 96,
     "a F32 [2,3,4] 0-96;", NULL, 0},
    {"scalar", P(ONE(TENSOR("\0", "", "\34", N8("\0")))), 8, "a F64 [] 0-8;", NULL, 0},
    {"empty", P(ONE(TENSOR("\2", N8("\0") N8("\7"), "\0", N8("\0")))), 0, "a F32 [7,0] 0-0;", NULL, 0},
    {"blocks of 32", P(ONE(TENSOR("\2", N8("\100") N8("\2"), "\10", N8("\0")))), 136, "a Q8_0 [2,64] 0-136;",
     NULL, 0},
    {"blocks of 256", P(ONE(TENSOR("\1", "\0\1\0\0\0\0\0\0", "\14", N8("\0")))), 144, "a Q4_K [256] 0-144;",
     NULL, 0},
    {"two, padded between", P(HEAD("\2", "\0") NAMED("b", "\4", "\0", "\0") NAMED("a", "\1", "\30", "\40")),
     33, "a I8 [1] 32-33;b F32 [4] 0-16;", NULL, 0},
    {"two, the other order", P(HEAD("\2", "\0") NAMED("b", "\1", "\30", "\40") NAMED("a", "\4", "\0", "\0")),
     33, "a F32 [4] 0-16;b I8 [1] 32-33;", NULL, 0},
    {"alignment 8",
     P(HEAD("\2", "\1") ALIGNMENT("\4", N4("\10")) NAMED("a", "\1", "\30", "\0")
           NAMED("b", "\1", "\30", "\10")),
     9, "a I8 [1] 0-1;b I8 [1] 8-9;", NULL, 8},
    {"values of every type",
     P(HEAD("\1", "\20") KEY("\1", "a", "\0") "\1" KEY("\1", "b", "\1") "\377" KEY(
         "\1", "c", "\2") "\1\1" KEY("\1", "d", "\3") "\377\377" KEY("\1", "e", "\4") N4("\1")
           KEY("\1", "f", "\5") N4("\1") KEY("\1", "g", "\6") N4("\1") KEY("\1", "h", "\7") "\1" KEY(
               "\1", "i", "\10") TEXT("\0", "") KEY("\1", "j", "\11") N4("\10") N8("\2") TEXT("\1", "x")
               TEXT("\2", "yz") KEY("\1", "l", "\12") ONES KEY("\1", "m", "\13") ONES KEY("\1", "n", "\14")
                   ONES KEY("\1", "o", "\11") N4("\0") N8("\0") KEY("\1", "p", "\11") N4("\7")
                       N8("\3") "\0\1\1" KEY("\1", "q", "\11") N4("\13") N8("\1") ONES FOUR_FLOATS),
     16, "a F32 [4] 0-16;", NULL, 0},
    {"entries of a codebook", P(ONE(TENSOR("\1", "\0\1\0\0\0\0\0\0", "\20", N8("\0")))), 66,
     "a IQ2_XXS [256] 0-66;", NULL, 0},

    {"bad magic", P("GGUX" N4("\3") N8("\0") N8("\0")), -1, NULL,
     "does not begin with GGUF: is no GGUF file (at byte 0)", 0},
    {"empty file", P(""), -1, NULL, "the file ends inside its header", 0},
    {"five bytes", P("GGUF\3"), -1, NULL, "4 bytes are wanted, 1 are left (at byte 4)", 0},
    {"no counts", P("GGUF" N4("\3") N8("\0")), -1, NULL, "8 bytes are wanted, 0 are left (at byte 16)", 0},
    {"version 0", P(START(N4("\0"), N8("\0"), N8("\0"))), -1, NULL, "of a version of GGUF before 2", 0},
    {"version 1", P(START(N4("\1"), N8("\0"), N8("\0"))), -1, NULL,
     "before 2: convert the model again (version 1) (at byte 4)", 0},
    {"version 4", P(START(N4("\4"), N8("\0"), N8("\0"))), -1, NULL, "that cognate does not know (version 4)",
     0},
    {"big-endian", P(START("\0\0\0\3", N8("\0"), N8("\0"))), -1, NULL, "is big-endian: convert it", 0},
    {"magic swapped", P("FUGG\0\0\0\3" N8("\0") N8("\0")), -1, NULL, "is a big-endian GGUF file", 0},
    {"-1 tensors", P(START(N4("\3"), ONES, N8("\0"))), -1, NULL,
     "18446744073709551615 tensors in a file of 24 bytes (at byte 8)", 0},
    {"2^61 tensors", P(START(N4("\3"), TWO_TO_61, N8("\0"))), -1, NULL, "2305843009213693952 tensors", 0},
    {"-1 keys", P(START(N4("\3"), N8("\0"), ONES)), -1, NULL,
     "18446744073709551615 keys in a file of 24 bytes (at byte 16)", 0},
    {"2^61 keys", P(START(N4("\3"), N8("\0"), TWO_TO_61)), -1, NULL, "2305843009213693952 keys", 0},
    {"no tensor", P(HEAD("\0", "\0")), 0, NULL, "holds no tensor", 0},

    {"key empty", P(HEAD("\1", "\1") KEY("\0", "", "\4") N4("\1") FOUR_FLOATS), 16, NULL,
     "a key of 0 bytes; they have 1 to 65535 (at byte 24)", 0},
    {"key twice", P(HEAD("\1", "\2") K1("\4") N4("\1") K1("\0") "\1" FOUR_FLOATS), 16, NULL,
     "k: this key is there already (at byte 41)", 0},
    {"key of -1 bytes", P(HEAD("\1", "\1") ONES "k" N4("\4") N4("\1") FOUR_FLOATS), 16, NULL,
     "18446744073709551615 bytes are wanted", 0},
    {"key no UTF-8", P(HEAD("\1", "\1") KEY("\1", "\377", "\4") N4("\1") FOUR_FLOATS), 16, NULL,
     "a key that is no UTF-8 text, or has a NUL in it (at byte 24)", 0},
    {"key with a NUL", P(HEAD("\1", "\1") KEY("\2", "k\0", "\4") N4("\1") FOUR_FLOATS), 16, NULL,
     "has a NUL in it", 0},
    {"value of type 13", P(HEAD("\1", "\1") K1("\15") N4("\1") FOUR_FLOATS), 16, NULL,
     "k: its value is of type 13, which does not exist (at byte 33)", 0},
    {"type -1", P(HEAD("\1", "\1") N8("\1") "k\377\377\377\377" FOUR_FLOATS), 16, NULL, "of type 4294967295",
     0},
    {"neither true nor false", P(HEAD("\1", "\1") K1("\7") "\2" FOUR_FLOATS), 16, NULL,
     "k: is neither true nor false but 2 (at byte 37)", 0},
    {"array of arrays", P(HEAD("\1", "\1") K1("\11") N4("\11") N8("\0") FOUR_FLOATS), 16, NULL,
     "k: is an array of arrays, which no file needs (at byte 37)", 0},
    {"items of type 13", P(HEAD("\1", "\1") K1("\11") N4("\15") N8("\0") FOUR_FLOATS), 16, NULL, "of type 13",
     0},
    {"2^61 items of 8 bytes", P(HEAD("\1", "\1") K1("\11") N4("\12") TWO_TO_61 FOUR_FLOATS), 16, NULL,
     "k: is an array of 2305843009213693952 items, more than the file has room for (at byte 37)", 0},
    {"-1 texts", P(HEAD("\1", "\1") K1("\11") N4("\10") ONES FOUR_FLOATS), 16, NULL,
     "an array of 18446744073709551615 items", 0},
    {"a text too long in an array",
     P(HEAD("\1", "\1") K1("\11") N4("\10") N8("\1") TEXT("\377", "x") FOUR_FLOATS), 16, NULL,
     "255 bytes are wanted", 0},
    {"text of -1 bytes", P(HEAD("\1", "\1") K1("\10") ONES FOUR_FLOATS), 16, NULL, "bytes are wanted", 0},
    {"value cut", P(HEAD("\1", "\1") K1("\12") N4("\1")), -1, NULL,
     "8 bytes are wanted, 4 are left (at byte 37)", 0},

    {"alignment 0", P(HEAD("\1", "\1") ALIGNMENT("\4", N4("\0")) FOUR_FLOATS), 16, NULL,
     "general.alignment: must be a power of two in a U32 (at byte 24)", 0},
    {"alignment 13", P(HEAD("\1", "\1") ALIGNMENT("\4", N4("\15")) FOUR_FLOATS), 16, NULL,
     "must be a power of two", 0},
    {"alignment 2^31", P(HEAD("\1", "\1") ALIGNMENT("\4", "\0\0\0\200") FOUR_FLOATS), 16, NULL,
     "power of two", 0},
    {"alignment a U64", P(HEAD("\1", "\1") ALIGNMENT("\12", N8("\40")) FOUR_FLOATS), 16, NULL, "in a U32", 0},
    {"alignment a text", P(HEAD("\1", "\1") ALIGNMENT("\10", TEXT("\2", "32")) FOUR_FLOATS), 16, NULL,
     "in a U32", 0},

    {"five axes", P(ONE(TENSOR("\5", N8("\1") N8("\1") N8("\1") N8("\1") N8("\1"), "\0", N8("\0")))), 4, NULL,
     "a: has 5 axes; ggml's tensors have up to 4 (at byte 33)", 0},
    {"-1 axes", P(HEAD("\1", "\0") N8("\1") "a\377\377\377\377" N8("\1") N4("\0") N8("\0")), 4, NULL,
     "a: has 4294967295 axes", 0},
    {"axis of -1", P(ONE(TENSOR("\1", ONES, "\0", N8("\0")))), 16, NULL,
     "a: has an axis of -1 elements (at byte 37)", 0},
    {"2^62 by 2", P(ONE(TENSOR("\2", "\0\0\0\0\0\0\0\100" N8("\2"), "\30", N8("\0")))), 16, NULL,
     "a: has 2^63 elements or more (at byte 45)", 0},
    {"0 by 2^62 by 4", P(ONE(TENSOR("\3", N8("\0") "\0\0\0\0\0\0\0\100" N8("\4"), "\30", N8("\0")))), 16,
     NULL, "a: has 2^63 elements or more (at byte 53)", 0},
    {"2^61 floats", P(ONE(TENSOR("\1", TWO_TO_61, "\0", N8("\0")))), 16, NULL, "a: has 2^63 bytes or more",
     0},
    {"2^61 bytes", P(ONE(TENSOR("\1", TWO_TO_61, "\30", N8("\0")))), 16, NULL,
     "a: has 2305843009213693952 bytes from 0 on in a file of", 0},
    {"2^63 - 1 bytes, which padding carries over",
     P(ONE(TENSOR("\1", "\377\377\377\377\377\377\377\177", "\30", N8("\0")))), 16, NULL,
     "a: has 9223372036854775807 bytes from 0 on in a file of", 0},
    {"offset 2^63", P(ONE(TENSOR("\1", N8("\4"), "\0", TWO_TO_63))), 16, NULL,
     "a: has 16 bytes from 9223372036854775808 on in a file of 80 (at byte 49)", 0},
    {"offset -32", P(ONE(TENSOR("\1", N8("\4"), "\0", "\340\377\377\377\377\377\377\377"))), 16, NULL,
     "from 18446744073709551584 on", 0},
    {"row no multiple of the block", P(ONE(VECTOR("\41", "\10", "\0"))), 68, NULL,
     "a: has rows of 33 elements; Q8_0 has blocks of 32 of them (at byte 45)", 0},
    {"elements a multiple, rows not", P(ONE(TENSOR("\2", N8("\20") N8("\2"), "\2", N8("\0")))), 18, NULL,
     "a: has rows of 16 elements; Q4_0 has blocks of 32", 0},
    {"scalar of blocks", P(ONE(TENSOR("\0", "", "\2", N8("\0")))), 18, NULL, "a: has rows of 1 elements", 0},
    {"type given up", P(ONE(VECTOR("\4", "\4", "\0"))), 16, NULL,
     "a: is of ggml's type 4, which cognate does not know (at byte 45)", 0},
    {"type 200", P(ONE(VECTOR("\4", "\310", "\0"))), 16, NULL, "ggml's type 200", 0},
    {"a gap before the first", P(ONE(VECTOR("\4", "\0", "\40"))), 48, NULL,
     "a: begins behind a gap, not at byte 64 (at byte 96)", 0},
    {"a gap", P(HEAD("\2", "\0") NAMED("a", "\4", "\0", "\0") NAMED("b", "\4", "\0", "\100")), 80, NULL,
     "b: begins behind a gap, not at byte 128 (at byte 160)", 0},
    {"not aligned", P(HEAD("\2", "\0") NAMED("a", "\4", "\0", "\0") NAMED("b", "\4", "\0", "\20")), 32, NULL,
     "b: overlaps the tensor before it, which ends at byte 128 (at byte 112)", 0},
    {"overlap", P(HEAD("\2", "\0") NAMED("a", "\4", "\0", "\0") NAMED("b", "\4", "\0", "\0")), 16, NULL,
     "b: overlaps the tensor before it", 0},
    {"cut by one byte", P(ONE(FOUR_FLOATS)), 15, NULL,
     "a: the file ends here, 1 bytes short of the tensor's end: it was cut (at byte 79)", 0},
    {"no data at all", P(ONE(FOUR_FLOATS)), -1, NULL, "a: the file ends here", 0},
    {"something behind", P(ONE(FOUR_FLOATS)), 33, NULL,
     "the last tensor ends here, the file at byte 97 (at byte 96)", 0},
    {"name twice", P(HEAD("\2", "\0") NAMED("a", "\1", "\30", "\0") NAMED("a", "\1", "\30", "\40")), 33, NULL,
     "a: is in m.gguf too", 0},
    {"name empty", P(HEAD("\1", "\0") N8("\0") N4("\1") N8("\4") N4("\0") N8("\0")), 16, NULL,
     "a tensor's name of 0 bytes; they have 1 to 1024 (at byte 24)", 0},
    {"name with a NUL", P(HEAD("\1", "\0") N8("\2") "a\0" N4("\1") N8("\4") N4("\0") N8("\0")), 16, NULL,
     "a tensor's name that is no UTF-8 text, or has a NUL", 0},
    {"name of -1 bytes", P(HEAD("\1", "\0") ONES "a" N4("\1") N8("\4") N4("\0") N8("\0")), 16, NULL,
     "bytes are wanted", 0},
    {"fewer tensors than said", P(HEAD("\2", "\0") FOUR_FLOATS), -1, NULL,
     "8 bytes are wanted, 0 are left (at byte 57)", 0},
};

static void describe(char *out, size_t room, const struct cg_checkpoint *checkpoint, int64_t start)
{
    size_t at = 0;
    *out = '\0';
    for (size_t i = 0; i < checkpoint->ntensors; i++) {
        const struct cg_tensor *t = &checkpoint->tensors[i];
        at += (size_t)snprintf(out + at, room - at, "%s %s [", t->name, cg_dtype_name(t->dtype));
        for (int axis = 0; axis < t->axes; axis++)
            at += (size_t)snprintf(out + at, room - at, "%s%" PRId64, axis > 0 ? "," : "", t->shape[axis]);
        at += (size_t)snprintf(out + at, room - at, "] %" PRId64 "-%" PRId64 ";", t->offset - start,
                               t->offset + t->bytes - start);
    }
}

static void check(const char *what, const struct cg_checkpoint *checkpoint, int64_t start,
                  const char *tensors)
{
    char shown[500];
    describe(shown, sizeof shown, checkpoint, start);
    if (strcmp(shown, tensors) != 0)
        fail_msg("%s: %s, not %s", what, shown, tensors);
}

static void test_rows(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        struct cg_checkpoint checkpoint = {0};
        struct cg_err err = {0};
        int64_t start = gguf_write(*state, "m.gguf", row->header, row->n, row->data, row->alignment);
        int result = cg_checkpoint_open(&checkpoint, scratch_path(*state, "m.gguf"), &err);
        if (result < 0 && row->tensors)
            fail_msg("%s: %s", row->what, err.text);
        if (row->tensors)
            check(row->what, &checkpoint, start, row->tensors);
        else if (result == 0)
            fail_msg("%s: accepted", row->what);
        else
            gguf_check_refusal(row->what, &err, row->message);
        cg_checkpoint_release(&checkpoint);
    }
}

/* ---- folders ---- */

#define SPLIT(no, count, tensors)                                                                            \
    KEY("\10", "split.no", "\2")                                                                             \
    no "\0" KEY("\13", "split.count", "\2") count "\0" KEY("\23", "split.tensors.count", "\5") N4(tensors)
#define PART(no, count, tensors, name)                                                                       \
    P(HEAD("\1", "\3") SPLIT(no, count, tensors) NAMED(name, "\4", "\0", "\0"))
#define WHOLE(name) P(HEAD("\1", "\0") NAMED(name, "\4", "\0", "\0"))

static const struct {
    const char *what;
    struct {
        const char *name, *header;
        size_t n;
    } files[3];
    const char *open; /* NULL: the folder */
    const char *names, *warning, *message;
} folders[] = {
    {"one file", {{"x.gguf", WHOLE("a")}}, NULL, "a", "config.json: not there", NULL},
    {"two parts",
     {{"x-00001-of-00002.gguf", PART("\0", "\2", "\2", "a")},
      {"x-00002-of-00002.gguf", PART("\1", "\2", "\2", "b")}},
     NULL,
     "ab",
     NULL,
     NULL},
    {"parts by name alone",
     {{"x-00001-of-00002.gguf", WHOLE("a")}, {"x-00002-of-00002.gguf", WHOLE("b")}},
     NULL,
     "ab",
     NULL,
     NULL},
    {"the first part given",
     {{"x-00001-of-00002.gguf", PART("\0", "\2", "\2", "a")},
      {"x-00002-of-00002.gguf", PART("\1", "\2", "\2", "b")}},
     "x-00001-of-00002.gguf",
     "ab",
     NULL,
     NULL},
    {"the first part given, others beside",
     {{"x-00001-of-00002.gguf", PART("\0", "\2", "\2", "a")},
      {"x-00002-of-00002.gguf", PART("\1", "\2", "\2", "b")},
      {"y.gguf", WHOLE("c")}},
     "x-00001-of-00002.gguf",
     "ab",
     NULL,
     NULL},
    {"the second part given",
     {{"x-00001-of-00002.gguf", PART("\0", "\2", "\2", "a")},
      {"x-00002-of-00002.gguf", PART("\1", "\2", "\2", "b")}},
     "x-00002-of-00002.gguf",
     "b",
     "shard 2 of 2, read alone",
     NULL},
    {"one of several given", {{"x.gguf", WHOLE("a")}, {"y.gguf", WHOLE("b")}}, "y.gguf", "b", NULL, NULL},
    {"the part that sees left out",
     {{"x.gguf", WHOLE("a")}, {"mmproj-x.gguf", WHOLE("b")}},
     NULL,
     "a",
     NULL,
     NULL},

    {"two models",
     {{"x.gguf", WHOLE("a")}, {"y.gguf", WHOLE("b")}},
     NULL,
     NULL,
     NULL,
     "holds several models: x.gguf, y.gguf; give one of these files"},
    {"a name almost that of a part",
     {{"x-00001-of-00002.gguf", WHOLE("a")}, {"x-00002-of-0000a.gguf", WHOLE("b")}},
     NULL,
     NULL,
     NULL,
     "holds several models: x-00001-of-00002.gguf, x-00002-of-0000a.gguf; give"},
    {"a model and parts of another",
     {{"x-00001-of-00002.gguf", WHOLE("a")}, {"x-00002-of-00002.gguf", WHOLE("b")}, {"y.gguf", WHOLE("c")}},
     NULL,
     NULL,
     NULL,
     "holds several models: x-00001-of-00002.gguf, y.gguf, ...; give"},
    {"the same model twice",
     {{"x.gguf", WHOLE("a")}, {"x-00001-of-00001.gguf", WHOLE("b")}},
     NULL,
     NULL,
     NULL,
     "holds several models"},
    {"a part is missing",
     {{"x-00001-of-00002.gguf", PART("\0", "\2", "\2", "a")}},
     NULL,
     NULL,
     NULL,
     "shard 2 of 2 is missing"},
    {"a part is missing, the first given",
     {{"x-00001-of-00002.gguf", PART("\0", "\2", "\2", "a")}},
     "x-00001-of-00002.gguf",
     NULL,
     NULL,
     "x-00002-of-00002.gguf: no such file"},
    {"a part under another name",
     {{"x.gguf", PART("\0", "\2", "\2", "a")}},
     NULL,
     NULL,
     NULL,
     "the model has 2 parts, here are 1"},
    {"parts changed over",
     {{"x-00001-of-00002.gguf", PART("\1", "\2", "\2", "a")},
      {"x-00002-of-00002.gguf", PART("\0", "\2", "\2", "b")}},
     NULL,
     NULL,
     NULL,
     "x-00001-of-00002.gguf: is part 2 of 2 by its own account, not 1 of 2"},
    {"of another number of parts",
     {{"x-00001-of-00002.gguf", PART("\0", "\3", "\2", "a")}, {"x-00002-of-00002.gguf", WHOLE("b")}},
     NULL,
     NULL,
     NULL,
     "is part 1 of 3 by its own account, not 1 of 2"},
    {"tensors are missing",
     {{"x-00001-of-00002.gguf", PART("\0", "\2", "\3", "a")},
      {"x-00002-of-00002.gguf", PART("\1", "\2", "\3", "b")}},
     NULL,
     NULL,
     NULL,
     "the model has 3 tensors by its parts' account, they hold 2"},
    {"a tensor in two parts",
     {{"x-00001-of-00002.gguf", WHOLE("a")}, {"x-00002-of-00002.gguf", WHOLE("a")}},
     NULL,
     NULL,
     NULL,
     "a: is in x-00001-of-00002.gguf too"},
};

static void test_folders(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        struct scratch scratch;
        struct cg_checkpoint checkpoint = {0};
        struct cg_err err = {0};
        scratch_make(&scratch);
        for (size_t f = 0; f < 3 && folders[i].files[f].name; f++)
            gguf_write(&scratch, folders[i].files[f].name, folders[i].files[f].header, folders[i].files[f].n,
                       16, 0);
        const char *path = folders[i].open ? scratch_path(&scratch, folders[i].open) : scratch.folder;
        int result = cg_checkpoint_open(&checkpoint, path, &err);
        if (folders[i].message ? result == 0 : result < 0)
            fail_msg("%s: %s", folders[i].what, result == 0 ? "accepted" : err.text);
        if (folders[i].message)
            gguf_check_refusal(folders[i].what, &err, folders[i].message);
        for (size_t t = 0; folders[i].names && t < checkpoint.ntensors; t++)
            if (checkpoint.ntensors != strlen(folders[i].names) ||
                checkpoint.tensors[t].name[0] != folders[i].names[t])
                fail_msg("%s: other tensors", folders[i].what);
        if (folders[i].warning && !strstr(checkpoint.warnings.data, folders[i].warning))
            fail_msg("%s: %s", folders[i].what, checkpoint.warnings.data);
        cg_checkpoint_release(&checkpoint);
        scratch_remove(&scratch);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_folders),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
