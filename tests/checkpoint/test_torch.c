/* PyTorch checkpoints of both containers: what is accepted names the bytes of each tensor, what is refused
 * says why. Opened through cg_checkpoint_open, as a single file. */
#include "cognate/checkpoint.h"
#include "scratch.h"
#include "zipped.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#define P(text)    text, sizeof text - 1
#define TORCH(it)  "ctorch\n" it "\n"
#define ORDERED    "ccollections\nOrderedDict\n)R"
#define TEXT1(key) "X\1\0\0\0" key
/* A storage's persistent id; `numel` as an opcode. */
#define STORED(class, key, numel) "(X\7\0\0\0storage" class TEXT1(key) "X\3\0\0\0cpu" numel "tQ"
#define FLOATS                    STORED(TORCH("FloatStorage"), "0", "K\6") /* six of them */
#define V2(storage, offset, size, stride)                                                                    \
    "ctorch._utils\n_rebuild_tensor_v2\n(" storage offset size stride "\x89" ORDERED "tR"
#define V3(storage, offset, size, stride, dtype)                                                             \
    "ctorch._utils\n_rebuild_tensor_v3\n(" storage offset size stride "\x89" ORDERED dtype "tR"
#define BYTES(numel, size, dtype)                                                                            \
    V3(STORED("ctorch.storage\nUntypedStorage\n", "0", numel), "K\0", size "\x85", "K\1\x85", TORCH(dtype))
/* All of storage 0's bytes. */
#define STRIDED(size, stride, dtype)                                                                         \
    V3(STORED("ctorch.storage\nUntypedStorage\n", "0", "K\30"), "K\0", size, stride, TORCH(dtype))
#define TWO_BY_THREE   V2(FLOATS, "K\0", "K\2K\3\x86", "K\3K\1\x86")
#define PARAMETER(it)  "ctorch._utils\n_rebuild_parameter\n" it "\x88" ORDERED "\x87R"
#define ITEM(key, it)  TEXT1(key) it
#define DICT(items)    "}(" items "u"
#define OBJECT(object) "\x80\2" object "."
#define ONE(it)        OBJECT(DICT(ITEM("a", it)))
#define STATE_DICT     "X\12\0\0\0state_dict"
#define MODEL          "X\5\0\0\0model"

/* Six floats in storage 0, of which the tensors are views. `tensors`: name, dtype, shape, and the range in
 * bytes of the storage of each, in the order of names; NULL: refused. */
static const struct {
    const char *what, *object;
    size_t n;
    const char *tensors, *message;
} rows[] = {
    {"plain", P(ONE(TWO_BY_THREE)), "a F32 [2,3] 0-24;", NULL},
    {"ordered dict", P(OBJECT(ORDERED "(" ITEM("a", TWO_BY_THREE) "u")), "a F32 [2,3] 0-24;", NULL},
    {"ordered dict with attributes", P(OBJECT(ORDERED "(" ITEM("a", TWO_BY_THREE) "u}X\1\0\0\0x}sb")),
     "a F32 [2,3] 0-24;", NULL},
    {"parameter", P(ONE(PARAMETER(TWO_BY_THREE))), "a F32 [2,3] 0-24;", NULL},
    {"parameter of a parameter", P(ONE(PARAMETER(PARAMETER(TWO_BY_THREE)))), "a F32 [2,3] 0-24;", NULL},
    {"torch.Size", P(ONE(V2(FLOATS, "K\0", TORCH("Size") "K\2K\3\x86\x85R", "K\3K\1\x86"))),
     "a F32 [2,3] 0-24;", NULL},
    {"shared storage",
     P(OBJECT(DICT(ITEM("b", TWO_BY_THREE) ITEM("a", V2(FLOATS, "K\2", "K\4\x85", "K\1\x85"))))),
     "a F32 [4] 8-24;b F32 [2,3] 0-24;", NULL},
    {"one tensor twice", P(OBJECT(DICT(ITEM("a", TWO_BY_THREE "q\1") ITEM("b", "h\1")))),
     "a F32 [2,3] 0-24;b F32 [2,3] 0-24;", NULL},
    {"scalar", P(ONE(V2(FLOATS, "K\5", ")", ")"))), "a F32 [] 20-24;", NULL},
    {"empty", P(ONE(V2(FLOATS, "K\6", "K\0K\7\x86", "K\7K\1\x86"))), "a F32 [0,7] 24-24;", NULL},
    {"axes of one element", P(ONE(V2(FLOATS, "K\2", "(K\1K\2K\1K\2t", "(M\0\1K\2K\7K\1t"))),
     "a F32 [1,2,1,2] 8-24;", NULL},
    {"transposed", P(ONE(V2(FLOATS, "K\0", "K\3K\2\x86", "K\1K\3\x86"))), "a F32 [3,2] 0-24 by 1,3;", NULL},
    {"transposed square", P(ONE(V2(FLOATS, "K\1", "K\2K\2\x86", "K\1K\2\x86"))), "a F32 [2,2] 4-20 by 1,2;",
     NULL},
    {"transposed around an axis of one", P(ONE(V2(FLOATS, "K\0", "K\3K\1K\2\x87", "K\1K\0K\3\x87"))),
     "a F32 [3,1,2] 0-24 by 1,0,3;", NULL},
    {"two transposed", P(ONE(STRIDED("K\2K\4K\3\x87", "K\14K\1K\4\x87", "uint8"))),
     "a U8 [2,4,3] 0-24 by 12,1,4;", NULL},
    {"all axes turned round", P(ONE(STRIDED("K\4K\3K\2\x87", "K\1K\4K\14\x87", "uint8"))),
     "a U8 [4,3,2] 0-24 by 1,4,12;", NULL},
    {"the first two axes turned round", P(ONE(STRIDED("K\3K\2K\4\x87", "K\4K\14K\1\x87", "uint8"))),
     "a U8 [3,2,4] 0-24 by 4,12,1;", NULL},
    {"transposed, with gaps", P(ONE(V2(FLOATS, "K\0", "K\2K\2\x86", "K\1K\3\x86"))),
     "a F32 [2,2] 0-16 by 1,3;", NULL},
    {"columns", P(ONE(V2(FLOATS, "K\1", "K\2K\2\x86", "K\3K\1\x86"))), "a F32 [2,2] 4-20 by 3,1;", NULL},
    {"every other", P(ONE(V2(FLOATS, "K\0", "K\3\x85", "K\2\x85"))), "a F32 [3] 0-12 by 2;", NULL},
    {"untyped storage", P(ONE(BYTES("K\30", "K\14", "uint16"))), "a U16 [12] 0-24;", NULL},
    {"float8", P(ONE(BYTES("K\30", "K\3", "float8_e4m3fn"))), "a F8_E4M3 [3] 0-3;", NULL},
    {"pairs of float4", P(ONE(BYTES("K\30", "K\3", "float4_e2m1fn_x2"))), "a F4 [6] 0-3;", NULL},
    {"list", P(OBJECT("](" TWO_BY_THREE TWO_BY_THREE "e")), "0 F32 [2,3] 0-24;1 F32 [2,3] 0-24;", NULL},
    {"what is no tensor", P(OBJECT(DICT("K\1N" ITEM("a", TWO_BY_THREE) ITEM("b", "G\0\0\0\0\0\0\0\0")))),
     "a F32 [2,3] 0-24;", NULL},
    {"dict in dict", P(ONE(DICT(ITEM("b", TWO_BY_THREE) "K\7" TWO_BY_THREE))),
     "a.7 F32 [2,3] 0-24;a.b F32 [2,3] 0-24;", NULL},
    {"state_dict",
     P(OBJECT(DICT("X\5\0\0\0epoch"
                   "K\3" STATE_DICT DICT(ITEM("a", TWO_BY_THREE))))),
     "a F32 [2,3] 0-24;", NULL},
    {"model and optimizer",
     P(OBJECT(DICT(ITEM("o", DICT(ITEM("x", TWO_BY_THREE))) MODEL DICT(ITEM("a", TWO_BY_THREE))))),
     "a F32 [2,3] 0-24;", NULL},
    {"state_dict in model", P(OBJECT(DICT(MODEL DICT(STATE_DICT DICT(ITEM("a", TWO_BY_THREE)))))),
     "a F32 [2,3] 0-24;", NULL},
    {"a model that is settings", P(OBJECT(DICT(MODEL DICT("K\1N") ITEM("w", DICT(ITEM("a", TWO_BY_THREE)))))),
     "w.a F32 [2,3] 0-24;", NULL},
    {"model beside a tensor", P(OBJECT(DICT(MODEL DICT(ITEM("a", TWO_BY_THREE)) ITEM("b", TWO_BY_THREE)))),
     "b F32 [2,3] 0-24;model.a F32 [2,3] 0-24;", NULL},

    {"no tensor", P(OBJECT(DICT("K\1N"))), NULL, "holds no tensor"},
    {"a tensor alone", P(OBJECT(TWO_BY_THREE)), NULL, "its object is no dict or list of tensors"},
    {"None", P(OBJECT("N")), NULL, "its object is no dict or list of tensors (at byte 42)"},
    {"a call of os.system", P(ONE("cos\nsystem\n(X\4\0\0\0truetR")), NULL, "os.system is not a global"},
    {"something behind", P(ONE(TWO_BY_THREE) "N."), NULL, "m/data.pkl: something follows the pickle's end"},
    {"pairs of float4, transposed", P(ONE(STRIDED("K\6K\4\x86", "K\1K\6\x86", "float4_e2m1fn_x2"))), NULL,
     "a: is a strided view that cannot be read as it lies"},
    {"five axes turned round",
     P(ONE(STRIDED("(K\2K\1K\2K\2K\1K\3K\1t", "(K\1K\1K\2K\4K\1K\10K\1t", "uint8"))),
     "a U8 [2,1,2,2,1,3,1] 0-24 by 1,1,2,4,1,8,1;", NULL},
    {"six axes turned round",
     P(ONE(STRIDED("(K\1K\2K\1K\2K\1K\2K\1K\3t", "(K\1K\1K\1K\2K\1K\4K\1K\10t", "uint8"))),
     "a U8 [1,2,1,2,1,2,1,3] 0-24 by 1,1,1,2,1,4,1,8;", NULL},
    {"expanded", P(ONE(V2(FLOATS, "K\0", "K\5\x85", "K\0\x85"))), NULL,
     "a: is an expanded view that repeats elements"},
    {"expanded rows", P(ONE(V2(FLOATS, "K\0", "K\2K\3\x86", "K\0K\1\x86"))), NULL, "a: is an expanded view"},
    {"a window that slides", P(ONE(V2(FLOATS, "K\0", "K\3K\3\x86", "K\1K\1\x86"))), NULL,
     "a: is an expanded view"},
    {"offset beyond", P(ONE(V2(FLOATS, "K\1", "K\2K\3\x86", "K\3K\1\x86"))), NULL,
     "a: its offset and strides lead out of its storage"},
    {"offset beyond, empty", P(ONE(V2(FLOATS, "K\7", "K\0\x85", "K\1\x85"))), NULL,
     "lead out of its storage"},
    {"negative offset", P(ONE(V2(FLOATS, "J\377\377\377\377", "K\1\x85", "K\1\x85"))), NULL, "lead out of"},
    {"stride beyond", P(ONE(V2(FLOATS, "K\0", "K\2K\3\x86", "K\4K\1\x86"))), NULL, "lead out of its storage"},
    {"stride 2^62", P(ONE(V2(FLOATS, "K\0", "K\3\x85", "\x8A\10\0\0\0\0\0\0\0\100\x85"))), NULL,
     "lead out of"},
    {"negative stride", P(ONE(V2(FLOATS, "K\5", "K\6\x85", "J\377\377\377\377\x85"))), NULL,
     "a: has a negative stride"},
    {"negative size", P(ONE(V2(FLOATS, "K\0", "J\377\377\377\377\x85", "K\1\x85"))), NULL,
     "a: its size and strides must be whole numbers"},
    {"2^62 x 2^62", P(ONE(V2(FLOATS, "K\0", "\x8A\10\0\0\0\0\0\0\0\100q\11h\11\x86", "K\0K\0\x86"))), NULL,
     "a: has 2^63 elements or more"},
    {"more sizes than strides", P(ONE(V2(FLOATS, "K\0", "K\2K\3\x86", "K\1\x85"))), NULL, "as many of each"},
    {"more strides than sizes", P(ONE(V2(FLOATS, "K\0", "K\2\x85", "K\1K\1\x86"))), NULL, "as many of each"},
    {"nine axes", P(ONE(V2(FLOATS, "K\0", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t"))),
     NULL, "a: has more than 8 axes"},
    {"size a list", P(ONE(V2(FLOATS, "K\0", "]", ")"))), NULL, "needs a storage, an offset, a size, strides"},
    {"no storage", P(ONE(V2("N", "K\0", ")", ")"))), NULL, "a: needs a storage: its class, key, place"},
    {"too few arguments", P(ONE("ctorch._utils\n_rebuild_tensor_v2\n)R")), NULL,
     "a: needs a storage, an offset"},
    {"no type", P(ONE(V3(FLOATS, "K\0", ")", ")", "N"))), NULL, "strides and a type"},
    {"bytes without a type",
     P(ONE(V2(STORED("ctorch.storage\nUntypedStorage\n", "0", "K\30"), "K\0", ")", ")"))), NULL,
     "a: is of a type that cognate does not read"},
    {"storage missing", P(ONE(V2(STORED(TORCH("FloatStorage"), "1", "K\6"), "K\0", ")", ")"))), NULL,
     "a: its storage 1 is not in the file"},
    {"storage too small", P(ONE(V2(STORED(TORCH("FloatStorage"), "0", "K\7"), "K\0", ")", ")"))), NULL,
     "a: its storage 0 has 24 bytes, not 28"},
    {"storage too large", P(ONE(V2(STORED(TORCH("HalfStorage"), "0", "K\6"), "K\0", ")", ")"))), NULL,
     "a: its storage 0 has 24 bytes, not 12"},
    {"storage of 2^63 elements",
     P(ONE(
         V2(STORED(TORCH("FloatStorage"), "0", "\x8A\10\377\377\377\377\377\377\377\177"), "K\0", ")", ")"))),
     NULL, "a: has a storage of 2^63 bytes or more"},
    {"storage of -1", P(ONE(V2(STORED(TORCH("FloatStorage"), "0", "J\377\377\377\377"), "K\0", ")", ")"))),
     NULL, "a: needs a storage: its class, key"},
    {"module as persistent id", P(ONE(V2("(X\6\0\0\0moduleNNNNtQ", "K\0", ")", ")"))), NULL,
     "a: needs a storage"},
    {"complex128", P(ONE(V2(STORED(TORCH("ComplexDoubleStorage"), "0", "K\1"), "K\0", ")", ")"))), NULL,
     "a: is stored as torch.ComplexDoubleStorage, which cognate does not read"},
    {"quantised", P(ONE("ctorch._utils\n_rebuild_qtensor\n)R")), NULL, "_rebuild_qtensor is not a global"},
    {"conjugate",
     P(ONE("ctorch._utils\n_rebuild_tensor_v2\n(" FLOATS "K\0))\x89" ORDERED "}X\4\0\0\0conj\x88stR")), NULL,
     "a: is marked as conjugate or negative"},
    {"float4 without an axis",
     P(ONE(V3(STORED("ctorch.storage\nUntypedStorage\n", "0", "K\30"), "K\0", ")", ")",
              TORCH("float4_e2m1fn_x2")))),
     NULL, "a: has no axis to count its 4-bit numbers along"},
    {"key a tuple", P(OBJECT(DICT(")" TWO_BY_THREE))), NULL, "a tensor's key must be text or a whole number"},
    {"key with a NUL", P(OBJECT(DICT(TEXT1("\0") TWO_BY_THREE))), NULL, "must be UTF-8 text without NUL"},
    {"key no UTF-8", P(OBJECT(DICT(TEXT1("\377") TWO_BY_THREE))), NULL, "must be UTF-8 text without NUL"},
    {"a name twice", P(OBJECT(DICT(ITEM("a", TWO_BY_THREE) ITEM("a", TWO_BY_THREE)))), NULL,
     "m.bin: a: is in m.bin too"},
    {"a name twice, by two ways",
     P(OBJECT(DICT(ITEM("a", DICT(ITEM("b", TWO_BY_THREE))) "X\3\0\0\0a.b" TWO_BY_THREE))), NULL,
     "m.bin: a.b: is in m.bin too"},
    {"expanded, name with an escape",
     P(OBJECT(DICT("X\4\0\0\0\x1b[2J" V2(FLOATS, "K\0", "K\2\x85", "K\0\x85")))), NULL,
     "\\x1B[2J: is an expanded view"},
};

static void open_file(struct scratch *scratch, const struct bytes *bytes, struct cg_checkpoint *checkpoint,
                      struct cg_err *err)
{
    scratch_bytes(scratch, "m.bin", bytes->data, bytes->n);
    cg_checkpoint_open(checkpoint, scratch_path(scratch, "m.bin"), err);
}

/* As in `tensors` above; storage 0 begins at byte `start`. */
static void show(char *out, size_t size, const struct cg_checkpoint *checkpoint, int64_t start)
{
    int at = 0;
    *out = '\0';
    for (size_t i = 0; i < checkpoint->ntensors; i++) {
        const struct cg_tensor *t = &checkpoint->tensors[i];
        at += snprintf(out + at, size - (size_t)at, "%s %s [", t->name, cg_dtype_name(t->dtype));
        int64_t elements = 1;
        for (int k = 0; k < t->axes; k++) {
            at += snprintf(out + at, size - (size_t)at, "%s%d", k > 0 ? "," : "", (int)t->shape[k]);
            elements *= t->shape[k];
        }
        assert_int_equal(t->elements, elements);
        assert_int_equal(t->bytes, cg_dtype_bytes(t->dtype, elements));
        at += snprintf(out + at, size - (size_t)at, "] %d-%d", (int)(t->offset - start),
                       (int)(t->offset + t->bytes - start));
        for (int k = 0; t->stride && k < t->axes; k++)
            at += snprintf(out + at, size - (size_t)at, "%s%d", k > 0 ? "," : " by ", (int)t->stride[k]);
        at += snprintf(out + at, size - (size_t)at, ";");
    }
}

static void check(struct scratch *scratch, const struct bytes *bytes, int64_t start, const char *what,
                  const char *tensors, const char *message)
{
    struct cg_checkpoint checkpoint = {0};
    struct cg_err err = {0};
    char shown[1024];
    open_file(scratch, bytes, &checkpoint, &err);
    if ((err.code == CG_OK) != !message)
        fail_msg("%s: %s: %s", what, message ? "accepted" : "refused", err.text);
    if (message && !strstr(err.text, message))
        fail_msg("%s: \"%s\" does not say \"%s\"", what, err.text, message);
    if (message && !strstr(err.text, "m.bin: "))
        fail_msg("%s: \"%s\" does not name the file", what, err.text);
    show(shown, sizeof shown, &checkpoint, start);
    if (strcmp(shown, tensors ? tensors : "") != 0)
        fail_msg("%s: \"%s\", not \"%s\"", what, shown, tensors);
    cg_checkpoint_release(&checkpoint);
}

static const char floats[24] = "0123456789abcdefghijklmn";

static int64_t find(const struct bytes *bytes, const char *what, size_t n)
{
    const unsigned char *found = memmem(bytes->data, bytes->n, what, n);
    return found ? found - bytes->data : -1;
}

static void test_zip_rows(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes bytes = {.n = 0};
        const struct archive archive = {
            .member = {{.name = "m/data.pkl", .data = rows[i].object, .n = rows[i].n},
                       {.name = "m/byteorder", .data = "little", .n = 6},
                       {.name = "m/data/0", .data = floats, .n = sizeof floats}}};
        zip_put(&bytes, &archive);
        check(*state, &bytes, find(&bytes, floats, sizeof floats), rows[i].what, rows[i].tensors,
              rows[i].message);
    }
}

static const char plain[] = ONE(TWO_BY_THREE);
#define OBJECT_IN(folder) .name = folder "/data.pkl", .data = plain, .n = sizeof plain - 1
#define DATA_IN(folder)   .name = folder "/data/0", .data = floats, .n = sizeof floats

static const struct {
    const char *what;
    struct archive archive;
    const char *message;
} archives[] = {
    {"plain", {.member = {{OBJECT_IN("m")}, {DATA_IN("m")}}}, NULL},
    {"data first", {.member = {{DATA_IN("m")}, {OBJECT_IN("m")}}}, NULL},
    {"a root without a name", {.member = {{OBJECT_IN("")}, {DATA_IN("")}}}, NULL},
    {"as PyTorch writes it",
     {.member = {{OBJECT_IN("m"), .sizes_follow = true}, {DATA_IN("m"), .sizes_follow = true}},
      .zip64 = true},
     NULL},
    {"tensor's CRC wrong: not looked at",
     {.member = {{OBJECT_IN("m")}, {DATA_IN("m"), .wrong_crc = 1}}},
     NULL},
    {"object's CRC wrong",
     {.member = {{OBJECT_IN("m"), .wrong_crc = 1}, {DATA_IN("m")}}},
     "m/data.pkl: its bytes do not"},
    {"no object", {.member = {{DATA_IN("m")}}}, "is a ZIP archive without ROOT/data.pkl"},
    {"object not below a root",
     {.member = {{.name = "data.pkl", .data = "N.", .n = 2}}},
     "without ROOT/data.pkl"},
    {"two objects",
     {.member = {{OBJECT_IN("m")}, {OBJECT_IN("n")}, {DATA_IN("m")}}},
     "n/data.pkl: is a second object"},
    {"data of another root",
     {.member = {{OBJECT_IN("m")}, {DATA_IN("n")}}},
     "a: its storage 0 is not in the file"},
    {"big-endian",
     {.member = {{OBJECT_IN("m")}, {DATA_IN("m")}, {.name = "m/byteorder", .data = "big", .n = 3}}},
     "m/byteorder: is not \"little\""},
    {"byte order a book",
     {.member = {{OBJECT_IN("m")}, {DATA_IN("m")}, {.name = "m/byteorder", .data = floats, .n = 24}}},
     "m/byteorder: has 24 bytes, over the limit of 16"},
    {"object empty",
     {.member = {{.name = "m/data.pkl", .data = "", .n = 0}, {DATA_IN("m")}}},
     "the pickle ends without"},
    {"deflated", {.member = {{OBJECT_IN("m")}, {DATA_IN("m"), .method = 8}}}, "m/data/0: is deflated"},
};

static void test_archives(void **state)
{
    for (size_t i = 0; i < sizeof archives / sizeof *archives; i++) {
        struct bytes bytes = {.n = 0};
        zip_put(&bytes, &archives[i].archive);
        check(*state, &bytes, find(&bytes, floats, sizeof floats), archives[i].what,
              archives[i].message ? NULL : "a F32 [2,3] 0-24;", archives[i].message);
    }
}

/* The stream: its parts are as below where a row does not say otherwise. */
#define HEAD   "\x80\2\x8A\12\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19."
#define LITTLE "\x80\2}X\15\0\0\0little_endian\x88s."
#define BIG    "\x80\2}X\15\0\0\0little_endian\x89s."
#define KEYS   "\x80\2](" TEXT1("0") "e."
#define SHORTS STORED(TORCH("ShortStorage"), "1", "K\2")
/* With the view's place in the id, as PyTorch writes it here. */
#define FLOATS6                                                                                              \
    "(X\7\0\0\0storage" TORCH("FloatStorage") TEXT1("0") "X\3\0\0\0cpu"                                      \
                                                         "K\6NtQ"
#define SIX                                                                                                  \
    "\6\0\0\0\0\0\0\0"                                                                                       \
    "0123456789abcdefghijklmn"

static const struct part {
    const char *text;
    size_t n;
} usual[] = {{P(HEAD)}, {P("\x80\2M\351\3.")}, {P(LITTLE)}, {P(ONE(TWO_BY_THREE))}, {P(KEYS)}, {P(SIX)}};
enum { USUAL = sizeof usual / sizeof *usual };

static const struct {
    const char *what;
    struct part part[USUAL]; /* text NULL: as usual */
    const char *tensors, *message;
} streams[] = {
    {"plain", {{0}}, "a F32 [2,3] 0-24;", NULL},
    {"with a view's place",
     {[3] = {P(ONE(V2(FLOATS6, "K\2", "K\4\x85", "K\1\x85")))}},
     "a F32 [4] 8-24;",
     NULL},
    {"two storages",
     {[3] = {P(OBJECT(DICT(ITEM("a", TWO_BY_THREE) ITEM("b", V2(SHORTS, "K\0", "K\2\x85", "K\1\x85")))))},
      [4] = {P("\x80\2](" TEXT1("0") TEXT1("1") "e.")},
      [5] = {P(SIX "\2\0\0\0\0\0\0\0"
                   "wxyz")}},
     "a F32 [2,3] 0-24;b I16 [2] 32-36;",
     NULL},
    {"two storages, the other order",
     {[3] = {P(OBJECT(DICT(ITEM("a", TWO_BY_THREE) ITEM("b", V2(SHORTS, "K\0", "K\2\x85", "K\1\x85")))))},
      [4] = {P("\x80\2](" TEXT1("1") TEXT1("0") "e.")},
      [5] = {P("\2\0\0\0\0\0\0\0"
               "wxyz" SIX)}},
     "a F32 [2,3] 0-24;b I16 [2] -12--8;",
     NULL},

    {"magic number alone", {[1] = {"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}}, NULL, "ends without STOP"},
    {"another magic number",
     {{P("\x80\2\x8A\12\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x18.")}},
     NULL,
     "is a Python pickle, but none that torch.save wrote"},
    {"another version", {[1] = {P("\x80\2M\352\3.")}}, NULL, "another version of PyTorch's stream than 1001"},
    {"big-endian", {[2] = {P(BIG)}}, NULL, "is not little-endian"},
    {"no byte order", {[2] = {P("\x80\2}.")}}, NULL, "is not little-endian"},
    {"no system", {[2] = {P("\x80\2N.")}}, NULL, "is not little-endian"},
    {"a call of os.system",
     {[2] = {P("\x80\2"
               "cos\nsystem\n(X\4\0\0\0truetR.")}},
     NULL,
     "os.system is not"},
    {"payload, then a broken stream",
     {[3] = {P("\x80\2"
               "cos\nsystem\n(X\4\0\0\0truetR\377")}},
     NULL,
     "os.system is not a global"},
    {"module", {[3] = {P(ONE(V2("(X\6\0\0\0moduleNNNNtQ", "K\0", ")", ")")))}}, NULL, "needs a storage"},
    {"a view of a storage",
     {[3] = {P(ONE(V2("(X\7\0\0\0storage" TORCH("FloatStorage") TEXT1("0") "X\3\0\0\0cpu"
                                                                           "K\6" TEXT1("1") "K\0K\2\x87tQ",
                      "K\0", ")", ")")))}},
     NULL,
     "is in a view of a storage, as PyTorch wrote them before 0.4"},
    {"one storage in two types",
     {[3] = {P(OBJECT(DICT(ITEM("a", TWO_BY_THREE)
                               ITEM("b", V2(STORED(TORCH("HalfStorage"), "0", "K\14"), "K\0", ")", ")")))))}},
     NULL,
     "two tensors say different things of one storage"},
    {"keys no list", {[4] = {P("\x80\2N.")}}, NULL, "must have the list of storages here"},
    {"key of nothing", {[4] = {P("\x80\2](" TEXT1("9") "e.")}}, NULL, "no tensor refers to this storage"},
    {"key a number", {[4] = {P("\x80\2](K\0e.")}}, NULL, "no tensor refers to this storage"},
    {"key missing", {[4] = {P("\x80\2].")}, {"", 0}}, NULL, "a: its storage 0 is not in the file"},
    {"key twice", {[4] = {P("\x80\2](" TEXT1("0") TEXT1("0") "e.")}, {P(SIX SIX)}}, NULL, "second copy"},
    {"another count",
     {[5] = {P("\7\0\0\0\0\0\0\0"
               "0123456789abcdefghijklmn....")}},
     NULL,
     "a storage of 7 elements, not 6"},
    {"count -1",
     {[5] = {P("\377\377\377\377\377\377\377\377"
               "0123456789abcdefghijklmn")}},
     NULL,
     "a storage of 18446744073709551615 elements, not 6"},
    {"storage cut",
     {[5] = {P("\6\0\0\0\0\0\0\0"
               "0123456789")}},
     NULL,
     "the file ends inside a storage"},
    {"count cut", {[5] = {P("\6\0\0\0")}}, NULL, "the file ends inside a storage"},
    {"something behind", {[5] = {P(SIX ".")}}, NULL, "something follows the last storage"},
    {"storage of 2^62 elements",
     {[3] = {P(ONE(V2(STORED(TORCH("ByteStorage"), "0", "\x8A\10\0\0\0\0\0\0\0\100"), "K\0", ")", ")")))}},
     NULL,
     "the file ends inside a storage"},
};

static void test_streams(void **state)
{
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        struct bytes bytes = {.n = 0};
        for (size_t k = 0; k < USUAL; k++) {
            const struct part *part = streams[i].part[k].text ? &streams[i].part[k] : &usual[k];
            put(&bytes, part->text, part->n);
        }
        check(*state, &bytes, find(&bytes, floats, sizeof floats), streams[i].what, streams[i].tensors,
              streams[i].message);
    }
}

/* Pickles that do not fit the first window over a stream. */
static void test_long_stream(void **state)
{
    enum { LONG = 3 << 20 };
    struct scratch *scratch = *state;
    struct cg_checkpoint checkpoint = {0};
    struct cg_err err = {0};
    size_t n = 0;
    char *bytes = calloc(LONG + 4096, 1);
    assert_non_null(bytes);
    for (size_t k = 0; k < USUAL; k++) {
        if (k == 3) { /* its dict gets a long text first */
            unsigned char length[4] = {0, 0, LONG >> 16, 0};
            memcpy(bytes + n, "\x80\2}K\1X", 6);
            memcpy(bytes + n + 6, length, 4);
            memset(bytes + n + 10, 'x', LONG);
            memcpy(bytes + n + 10 + LONG, "s", 1);
            memcpy(bytes + n + 11 + LONG, usual[k].text + 3, usual[k].n - 3);
            n += 11 + LONG + usual[k].n - 3;
        } else {
            memcpy(bytes + n, usual[k].text, usual[k].n);
            n += usual[k].n;
        }
    }
    scratch_bytes(scratch, "m.bin", bytes, n);
    if (cg_checkpoint_open(&checkpoint, scratch_path(scratch, "m.bin"), &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(err.code, CG_OK);
    assert_int_equal(checkpoint.ntensors, 1);
    assert_int_equal(checkpoint.tensors[0].offset, n - 24);
    cg_checkpoint_release(&checkpoint);
    scratch_bytes(scratch, "m.bin", bytes, LONG);
    assert_int_equal(cg_checkpoint_open(&checkpoint, scratch_path(scratch, "m.bin"), &err), -1);
    assert_non_null(strstr(err.text, "BINUNICODE goes beyond the end of the pickle"));
    free(bytes);
}

/* Containers shared twice on every level would take for ever to walk: 2^60 tensors. */
static void test_shared_containers(void **state)
{
    struct bytes object = {.n = 0}, bytes = {.n = 0};
    put(&object, P("\x80\2" TWO_BY_THREE "q\0\x85"));
    for (int i = 0; i < 60; i++)
        put(&object, P("q\1h\1\x86"));
    put(&object, P("."));
    const struct archive archive = {
        .member = {{.name = "m/data.pkl", .data = object.data, .n = object.n}, {DATA_IN("m")}}};
    zip_put(&bytes, &archive);
    check(*state, &bytes, 0, "shared", NULL, "is one item or name too many for a checkpoint");
    object.n -= 1;
    for (int i = 0; i < 10; i++)
        put(&object, P("\x85"));
    put(&object, P("."));
    const struct archive deeper = {
        .member = {{.name = "m/data.pkl", .data = object.data, .n = object.n}, {DATA_IN("m")}}};
    bytes.n = 0;
    zip_put(&bytes, &deeper);
    check(*state, &bytes, 0, "deep", NULL, "is nested deeper than 64 levels");
}

/* Names of a long key for many tensors: refused before they fill the memory. */
static void test_long_names(void **state)
{
    enum { KEY = 30000, TENSORS = 5000 };
    struct bytes object = {.n = 0}, bytes = {.n = 0};
    put(&object, P("\x80\2" TWO_BY_THREE "q\0}X"));
    put_number(&object, KEY, 4);
    for (int i = 0; i < KEY; i++)
        put(&object, "k", 1);
    put(&object, P("]("));
    for (int i = 0; i < TENSORS; i++)
        put(&object, P("h\0"));
    put(&object, P("es\x86."));
    const struct archive archive = {
        .member = {{.name = "m/data.pkl", .data = object.data, .n = object.n}, {DATA_IN("m")}}};
    zip_put(&bytes, &archive);
    check(*state, &bytes, 0, "names", NULL, "is one item or name too many for a checkpoint");
}

static int make(void **state)
{
    static struct scratch scratch;
    scratch_make(&scratch);
    scratch_text(&scratch, "config.json", "{}");
    *state = &scratch;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zip_rows),          cmocka_unit_test(test_archives),
        cmocka_unit_test(test_streams),           cmocka_unit_test(test_long_stream),
        cmocka_unit_test(test_shared_containers), cmocka_unit_test(test_long_names),
    };
    return cmocka_run_group_tests_name("torch", tests, make, scratch_tear_down);
}
