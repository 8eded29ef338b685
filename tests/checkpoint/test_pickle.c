/* Pickles as data: what is accepted comes out as written below, what is refused names the opcode, the rule
 * and the byte. */
#include "checkpoint/pickle.h"
#include "cognate/text.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

static const char *const globals[] = {"collections.OrderedDict", "torch.Size", NULL};

/* A value as Python would write it, nearly. Values hold no loops, and those below are not deep. */
static void show(struct cg_buf *out, const struct cg_pickle *pickle, const struct cg_pickle_value *value)
{
    static const char *const names[] = {"None", "",      "",     "long", "float", "",
                                        "",     "tuple", "list", "dict", "",      "stored"};
    struct cg_err err = {0};
    int k = 0;
    if (value->kind == CG_PICKLE_INT || value->kind == CG_PICKLE_BOOL)
        cg_buf_printf(out, &err, "%s%" PRId64, value->kind == CG_PICKLE_BOOL ? "bool" : "", value->number);
    else if (value->kind == CG_PICKLE_TEXT)
        cg_buf_printf(out, &err, "'%.*s'", (int)value->length, value->text);
    else if (value->kind == CG_PICKLE_GLOBAL || value->kind == CG_PICKLE_CALL)
        cg_buf_printf(out, &err, "%s", globals[value->number]);
    cg_buf_printf(out, &err, "%s", names[value->kind]);
    if (value->kind < CG_PICKLE_TUPLE)
        return;
    for (const struct cg_pickle_value *item; (item = cg_pickle_item(pickle, value, k)); k++) {
        cg_buf_printf(out, &err, k > 0 ? "," : "(");
        show(out, pickle, item);
    }
    cg_buf_printf(out, &err, k > 0 ? ")" : "()");
}

#define P(text)     text, sizeof text - 1
#define GLOBAL_SIZE "ctorch\nSize\n"
#define ORDERED     "ccollections\nOrderedDict\n"

/* `shown` of what is accepted, else NULL and the message. Without the PROTO in front. */
static const struct {
    const char *what, *bytes;
    size_t n;
    const char *shown, *message;
} rows[] = {
    {"None", P("N."), "None", NULL},
    {"True", P("\x88."), "bool1", NULL},
    {"False", P("\x89."), "bool0", NULL},
    {"BININT", P("J\376\377\377\377."), "-2", NULL},
    {"BININT1", P("K\377."), "255", NULL},
    {"BININT2", P("M\377\377."), "65535", NULL},
    {"LONG1 of no byte", P("\x8A\0."), "0", NULL},
    {"LONG1, negative", P("\x8A\1\377."), "-1", NULL},
    {"LONG1, two bytes", P("\x8A\2\0\200."), "-32768", NULL},
    {"LONG1, eight bytes", P("\x8A\10\0\0\0\0\0\0\0\200."), "-9223372036854775808", NULL},
    {"LONG1, ten bytes", P("\x8A\12\0\0\0\0\0\0\0\0\0\1."), "long", NULL},
    {"BINFLOAT", P("G?\360\0\0\0\0\0\0."), "float", NULL},
    {"BINUNICODE", P("X\3\0\0\0abc."), "'abc'", NULL},
    {"SHORT_BINSTRING", P("U\3abc."), "'abc'", NULL},
    {"empty text", P("X\0\0\0\0."), "''", NULL},
    {"EMPTY_TUPLE", P(")."), "tuple()", NULL},
    {"EMPTY_SET", P("\x8F."), "tuple()", NULL},
    {"TUPLE", P("(K\1K\2t."), "tuple(1,2)", NULL},
    {"TUPLE of nothing", P("(t."), "tuple()", NULL},
    {"TUPLE1", P("K\1\x85."), "tuple(1)", NULL},
    {"TUPLE2", P("K\1K\2\x86."), "tuple(1,2)", NULL},
    {"TUPLE3", P("K\1K\2K\3\x87."), "tuple(1,2,3)", NULL},
    {"APPEND", P("]K\1aK\2a."), "list(1,2)", NULL},
    {"APPENDS", P("](K\1K\2e."), "list(1,2)", NULL},
    {"APPENDS, twice", P("](K\1e(K\2e."), "list(1,2)", NULL},
    {"APPENDS of nothing", P("](e."), "list()", NULL},
    {"SETITEM", P("}K\1K\2s."), "dict(1,2)", NULL},
    {"SETITEMS", P("}(K\1K\2K\3Nu."), "dict(1,2,3,None)", NULL},
    {"nested", P("}(X\1\0\0\0a]K\1aX\1\0\0\0b}u."), "dict('a',list(1),'b',dict())", NULL},
    {"memo, read twice", P("K\7q\0h\0\x86."), "tuple(7,7)", NULL},
    {"long memo", P("K\7r\0\1\0\0j\0\1\0\0\x86."), "tuple(7,7)", NULL},
    {"memo, written anew", P("K\7q\0K\10q\0h\0\x87."), "tuple(7,8,8)", NULL},
    {"a value twice", P("]q\0h\0\x86."), "tuple(list(),list())", NULL},
    {"GLOBAL", P(GLOBAL_SIZE "."), "torch.Size", NULL},
    {"REDUCE", P(GLOBAL_SIZE "K\1K\2\x86\x85R."), "torch.Size(tuple(1,2))", NULL},
    {"NEWOBJ", P(GLOBAL_SIZE ")\x81."), "torch.Size()", NULL},
    {"OrderedDict", P(ORDERED ")R(K\1K\2u."), "dict(1,2)", NULL},
    {"BUILD", P(ORDERED ")R}K\1K\2sb."), "dict()", NULL},
    {"BINPERSID", P("(K\1K\2tQ."), "stored(1,2)", NULL},

    {"nothing", P(""), NULL, "the pickle ends without STOP (at byte 102)"},
    {"no STOP", P("N"), NULL, "the pickle ends without STOP (at byte 103)"},
    {"STOP of nothing", P("."), NULL, "pickle opcode STOP finds too little on the stack (at byte 102)"},
    {"STOP of two", P("NN."), NULL, "STOP leaves more than one object on the stack (at byte 104)"},
    {"STOP of a mark", P("(."), NULL, "STOP finds too little on the stack"},
    {"STOP above a mark", P("(N."), NULL, "STOP leaves more than one object"},
    {"no opcode", P("N\377."), NULL, "0xFF is no pickle opcode (at byte 103)"},
    {"NUL", P("\0."), NULL, "0x00 is no pickle opcode"},
    {"PROTO again", P("\x80\2N."), NULL, "PROTO asks for another protocol"},
    {"os.system", P("cos\nsystem\n(X\4\0\0\0true\x85R."), NULL,
     "f.pkl: os.system is not a global that a checkpoint needs; pickles are read, never executed (at byte "
     "102)"},
    {"eval", P("c__builtin__\neval\n."), NULL, "__builtin__.eval is not a global"},
    {"torch.load", P("ctorch.serialization\nload\n."), NULL, "torch.serialization.load is not a global"},
    {"dotted name", P("ctorch\nSize.__init__\n."), NULL, "torch.Size.__init__ is not a global"},
    {"the dot elsewhere", P("ctorch.Size\n\n."), NULL, "torch.Size. is not a global"},
    {"global with an escape", P("c\x1b[31m\nx\n."), NULL, "\\x1B[31m.x is not a global"},
    {"global with a NUL", P("ctorch\nSize\0\n."), NULL, "GLOBAL has a name that no global has"},
    {"global cut", P("ctorch\nSize"), NULL, "GLOBAL goes beyond the end of the pickle (at byte 102)"},
    {"REDUCE of a number", P("K\1)R."), NULL, "REDUCE finds the wrong kind of value on the stack"},
    {"REDUCE of a call", P(GLOBAL_SIZE ")R)R."), NULL, "REDUCE finds the wrong kind of value"},
    {"REDUCE with a list", P(GLOBAL_SIZE "]R."), NULL, "REDUCE finds the wrong kind of value"},
    {"REDUCE of one", P(")R."), NULL, "REDUCE finds too little on the stack"},
    {"OrderedDict of pairs", P(ORDERED "]\x85R."), NULL, "makes an OrderedDict in the way of Python 2"},
    {"BUILD of a call", P(GLOBAL_SIZE ")R}b."), NULL, "BUILD sets the state of an object that is no dict"},
    {"BUILD of one", P("}b."), NULL, "BUILD finds too little"},
    {"BINPERSID of text", P("X\1\0\0\0aQ."), NULL, "BINPERSID finds the wrong kind of value"},
    {"BININT cut", P("J\1\1\1"), NULL, "BININT goes beyond the end of the pickle (at byte 102)"},
    {"BINFLOAT cut", P("G\1\1\1\1\1\1\1"), NULL, "BINFLOAT goes beyond the end"},
    {"BINUNICODE cut", P("X\4\0\0\0abc"), NULL, "BINUNICODE goes beyond the end"},
    {"BINUNICODE of 4 GB", P("X\377\377\377\377abc."), NULL, "BINUNICODE goes beyond the end"},
    {"LONG1 cut", P("\x8A\377\1\1"), NULL, "LONG1 goes beyond the end"},
    {"TUPLE without a mark", P("K\1t."), NULL, "TUPLE finds no MARK on the stack"},
    {"TUPLE3 of two", P("K\1K\2\x87."), NULL, "TUPLE3 finds too little on the stack"},
    {"TUPLE1 of nothing", P("\x85."), NULL, "TUPLE1 finds too little"},
    {"TUPLE2 across a mark", P("K\1(K\2\x86."), NULL, "TUPLE2 finds too little"},
    {"APPEND to nothing", P("K\1a."), NULL, "APPEND finds too little"},
    {"APPEND to a dict", P("}K\1a."), NULL, "APPEND finds the wrong kind"},
    {"APPEND to a mark", P("](K\1a."), NULL, "APPEND finds too little"},
    {"APPENDS to nothing", P("(K\1e."), NULL, "APPENDS finds too little"},
    {"APPENDS to a set", P("\x8F(K\1e."), NULL, "APPENDS finds the wrong kind"},
    {"SETITEM to a list", P("]K\1K\2s."), NULL, "SETITEM finds the wrong kind"},
    {"SETITEMS of a key alone", P("}(K\1u."), NULL, "SETITEMS has a key without a value"},
    {"BINGET of nothing", P("h\0."), NULL, "BINGET asks for what no PUT stored"},
    {"BINGET of another", P("Nq\1h\0."), NULL, "BINGET asks for what no PUT stored"},
    {"BINGET far off", P("Nq\1j\377\377\377\377."), NULL, "LONG_BINGET asks for what no PUT stored"},
    {"BINPUT of nothing", P("q\0."), NULL, "BINPUT finds too little"},
    {"BINPUT of a mark", P("(q\0."), NULL, "BINPUT finds too little"},
    {"memo 2^32 - 1", P("Nr\377\377\377\377."), NULL, "LONG_BINPUT has a number over the limit of 4194304"},
    {"memo 4194304", P("Nr\0\0@\0."), NULL, "LONG_BINPUT has a number over the limit"},
    {"list in itself", P("]q\0h\0a."), NULL, "APPEND puts a value into itself (at byte 107)"},
    {"list in itself, among others", P("]q\0(K\1h\0e."), NULL, "APPENDS puts a value into itself"},
    {"dict in itself", P("}q\0K\1h\0s."), NULL, "SETITEM puts a value into itself"},
    {"dict as its own key", P("}q\0h\0K\1s."), NULL, "SETITEM puts a value into itself"},
    {"list in itself by a tuple", P("]q\0h\0\x85q\1a."), NULL, "APPEND fills what was put elsewhere before"},
    {"list in itself by a list", P("]q\0]h\0aa."), NULL, "fills what was put elsewhere before"},
    {"list in itself by a call", P("]q\0" GLOBAL_SIZE "h\0\x85Ra."), NULL, "fills what was put elsewhere"},
    {"LONG4 of 2 GB", P("\x8B\377\377\377\177."), NULL, "LONG4 is none that torch.save writes (at byte 102)"},
    {"BINUNICODE8 of 2^63", P("\x8D\0\0\0\0\0\0\0\200."), NULL, "BINUNICODE8 is none that torch.save writes"},
    {"STACK_GLOBAL", P("X\2\0\0\0osX\6\0\0\0system\x93."), NULL, "STACK_GLOBAL is none that"},
    {"INST", P("(ios\nsystem\n."), NULL, "INST is none that"},
    {"OBJ", P("(" GLOBAL_SIZE "o."), NULL, "OBJ is none that"},
    {"EXT1", P("\x82\1."), NULL, "EXT1 is none that"},
    {"POP", P("NN0."), NULL, "POP is none that"},
    {"DUP", P("N2."), NULL, "DUP is none that"},
    {"PERSID", P("P1\n."), NULL, "PERSID is none that"},
    {"INT", P("I1\n."), NULL, "INT is none that"},
    {"payload, then a broken stream", P("cos\nsystem\n(X\4\0\0\0true\x85R\377"), NULL, "os.system is not"},
};

static int read_row(struct cg_pickle *pickle, const struct cg_buf *bytes, struct cg_err *err)
{
    const struct cg_pickle_source source = {"f.pkl", (const unsigned char *)bytes->data, bytes->size, 100,
                                            globals};
    return cg_pickle_read(pickle, &source, err);
}

static void check(const char *what, const struct cg_buf *bytes, const char *shown, const char *message)
{
    struct cg_pickle pickle = {0};
    struct cg_buf text = {0};
    struct cg_err err = {0};
    int result = read_row(&pickle, bytes, &err);
    if ((result == 0) != !message)
        fail_msg("%s: %s: %s", what, result == 0 ? "accepted" : "refused", err.text);
    if (message && !strstr(err.text, message))
        fail_msg("%s: \"%s\" does not say \"%s\"", what, err.text, message);
    if (result == 0) {
        show(&text, &pickle, &pickle.values[pickle.root]);
        if (shown)
            assert_string_equal(text.data, shown);
        assert_int_equal(pickle.used, bytes->size);
    }
    assert_int_equal(pickle.cut,
                     message && (strstr(message, "goes beyond") || strstr(message, "without STOP")));
    cg_buf_release(&text);
    cg_pickle_release(&pickle);
}

static void test_rows(void **state)
{
    (void)state;
    struct cg_err err = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cg_buf bytes = {0};
        assert_int_equal(cg_buf_append(&bytes, "\x80\2", 2, &err), 0);
        assert_int_equal(cg_buf_append(&bytes, rows[i].bytes, rows[i].n, &err), 0);
        check(rows[i].what, &bytes, rows[i].shown, rows[i].message);
        cg_buf_release(&bytes);
    }
}

/* Something small many times over: memory and depth stay within the limits. */
static const struct {
    const char *what, *piece, *tail;
    size_t n;
    const char *message;
} large[] = {
    {"a million nested tuples", "\x85", ".", 1000000, NULL},
    {"marks", "(", ".", 5000000, "MARK makes the stack too deep"},
    {"values", "N", ".", 5000000, "NONE makes one value too many"},
    {"values, one held", "K\1\x86", ".", 2500000, "makes one value too many"},
    {"one value many times", "h\1", ".", 5000000, "BINGET makes the stack too deep"},
    {"items", "(h\1h\1h\1e", ".", 2000000, "APPENDS makes one item too many"},
};

static void test_large(void **state)
{
    (void)state;
    struct cg_err err = {0};
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        struct cg_buf bytes = {0};
        struct cg_pickle pickle = {0};
        const char *start = strchr(large[i].piece, 'e') ? "\x80\2]Nq\1a" : "\x80\2Nq\1";
        assert_int_equal(cg_buf_append(&bytes, start, strlen(start), &err), 0);
        for (size_t k = 0; k < large[i].n; k++)
            assert_int_equal(cg_buf_append(&bytes, large[i].piece, strlen(large[i].piece), &err), 0);
        assert_int_equal(cg_buf_append(&bytes, large[i].tail, 1, &err), 0);
        int result = read_row(&pickle, &bytes, &err);
        if ((result == 0) != !large[i].message || (result < 0 && !strstr(err.text, large[i].message)))
            fail_msg("%s: %d: %s", large[i].what, result, err.text);
        assert_true(pickle.nvalues <= CG_PICKLE_LIMIT && pickle.nlinks <= CG_PICKLE_LIMIT);
        cg_pickle_release(&pickle);
        cg_buf_release(&bytes);
    }
}

/* Every pickle above cut at every byte: refused, and `cut` says so where only bytes were missing. */
static void test_cut(void **state)
{
    (void)state;
    struct cg_err err = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t n = 0; !rows[i].message && n < rows[i].n; n++) {
            struct cg_buf bytes = {0};
            struct cg_pickle pickle = {0};
            assert_int_equal(cg_buf_append(&bytes, "\x80\2", 2, &err), 0);
            assert_int_equal(cg_buf_append(&bytes, rows[i].bytes, n, &err), 0);
            assert_int_equal(read_row(&pickle, &bytes, &err), -1);
            assert_true(pickle.cut);
            cg_pickle_release(&pickle);
            cg_buf_release(&bytes);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests_name("pickle", tests, NULL, NULL);
}
