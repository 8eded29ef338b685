#include "pickle.h"
#include "bytes.h"
#include "cognate/mem.h"
#include "cognate/text.h"
#include "file.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { GLOBAL_LIMIT = 256, SHOWN_NAME = 200, PROTOCOL = 2 };

/* On the stack, in place of a value: where MARK was. */
enum { MARKED = 0 };

/* What follows an opcode in the stream. */
enum operand { NOTHING, UINT1, UINT2, UINT4, INT4, EIGHT_BYTES, TEXT1, TEXT4, TWO_LINES };

struct machine;
struct opcode {
    const char *name;
    enum operand operand;
    int (*run)(struct machine *m); /* NULL: refused */
    enum cg_pickle_kind kind;      /* of the value it makes */
    int argument;
};

struct machine {
    struct cg_pickle *pickle;
    const struct cg_pickle_source *source;
    struct cg_err *err;
    const struct opcode *opcode; /* that is run, its place and operand */
    size_t opcode_at, at;
    int64_t number;
    const char *text;
    size_t length;
    uint32_t *stack, *memo;
    size_t depth, stack_capacity, memo_capacity;
    bool stopped;
};

/* Fails with what is wrong with the opcode that is run. */
static int refuse(struct machine *m, enum cg_code code, const char *what)
{
    return cg_fail_at(m->err, code, m->source->path, NULL, m->source->start + (int64_t)m->opcode_at,
                      "pickle opcode %s %s", m->opcode->name, what);
}

static struct cg_pickle_value *value_of(struct machine *m, uint32_t id)
{
    return &m->pickle->values[id];
}

static int push_id(struct machine *m, uint32_t id)
{
    if (m->depth == CG_PICKLE_LIMIT)
        return refuse(m, CG_EUNSUPPORTED, "makes the stack too deep");
    if (cg_grow((void **)&m->stack, &m->stack_capacity, m->depth + 1, sizeof *m->stack, m->err) < 0)
        return -1;
    m->stack[m->depth++] = id;
    return 0;
}

/* Pushes a new value, its number and items zero; NULL when it fails. */
static struct cg_pickle_value *push_new(struct machine *m, enum cg_pickle_kind kind)
{
    struct cg_pickle *pickle = m->pickle;
    if (pickle->nvalues == CG_PICKLE_LIMIT) {
        refuse(m, CG_EUNSUPPORTED, "makes one value too many");
        return NULL;
    }
    if (cg_grow((void **)&pickle->values, &pickle->values_capacity, pickle->nvalues + 1,
                sizeof *pickle->values, m->err) < 0 ||
        push_id(m, (uint32_t)pickle->nvalues) < 0)
        return NULL;
    struct cg_pickle_value *value = &pickle->values[pickle->nvalues++];
    *value = (struct cg_pickle_value){.kind = kind, .at = m->source->start + (int64_t)m->opcode_at};
    return value;
}

/* The value on top, which must be there. */
static int top(struct machine *m, uint32_t *id)
{
    if (m->depth == 0 || m->stack[m->depth - 1] == MARKED)
        return refuse(m, CG_EFORMAT, "finds too little on the stack");
    *id = m->stack[m->depth - 1];
    return 0;
}

static int pop(struct machine *m, uint32_t *id)
{
    if (top(m, id) < 0)
        return -1;
    m->depth--;
    return 0;
}

static int pop_kind(struct machine *m, enum cg_pickle_kind kind, uint32_t *id)
{
    if (pop(m, id) < 0)
        return -1;
    if (value_of(m, *id)->kind != kind)
        return refuse(m, CG_EFORMAT, "finds the wrong kind of value on the stack");
    return 0;
}

static int add_item(struct machine *m, uint32_t id, uint32_t item)
{
    struct cg_pickle *pickle = m->pickle;
    if (pickle->nlinks == CG_PICKLE_LIMIT)
        return refuse(m, CG_EUNSUPPORTED, "makes one item too many");
    if (cg_grow((void **)&pickle->links, &pickle->links_capacity, pickle->nlinks + 1, sizeof *pickle->links,
                m->err) < 0)
        return -1;
    struct cg_pickle_value *value = value_of(m, id);
    uint32_t link = (uint32_t)pickle->nlinks++;
    pickle->links[link] = (struct cg_pickle_link){.value = item};
    if (value->first)
        pickle->links[value->last].next = link;
    else
        value->first = link;
    value->last = link;
    value_of(m, item)->held = true;
    return 0;
}

/* Moves the stack's entries from `from` on into the value as items. */
static int add_items(struct machine *m, uint32_t id, size_t from)
{
    for (size_t i = from; i < m->depth; i++)
        if (add_item(m, id, m->stack[i]) < 0)
            return -1;
    m->depth = from;
    return 0;
}

/* The place on the stack behind the last MARK. */
static int find_mark(struct machine *m, size_t *from)
{
    for (*from = m->depth; *from > 0; --*from)
        if (m->stack[*from - 1] == MARKED)
            return 0;
    return refuse(m, CG_EFORMAT, "finds no MARK on the stack");
}

/* The place on the stack `n` values below its top. */
static int find_values(struct machine *m, size_t n, size_t *from)
{
    for (size_t i = 1; i <= n; i++)
        if (i > m->depth || m->stack[m->depth - i] == MARKED)
            return refuse(m, CG_EFORMAT, "finds too little on the stack");
    *from = m->depth - n;
    return 0;
}

/* ---- the opcodes ---- */

static int run_proto(struct machine *m)
{
    return m->number == PROTOCOL && m->opcode_at == 0
               ? 0
               : refuse(m, CG_EUNSUPPORTED, "asks for another protocol than torch.save's, 2");
}

static int run_stop(struct machine *m)
{
    if (pop(m, &m->pickle->root) < 0)
        return -1;
    m->stopped = true;
    return m->depth == 0 ? 0 : refuse(m, CG_EFORMAT, "leaves more than one object on the stack");
}

static int run_mark(struct machine *m)
{
    return push_id(m, MARKED);
}

static int push_number(struct machine *m)
{
    struct cg_pickle_value *value = push_new(m, m->opcode->kind);
    if (!value)
        return -1;
    value->number = m->opcode->operand == NOTHING ? m->opcode->argument : m->number;
    return 0;
}

static int push_text(struct machine *m)
{
    struct cg_pickle_value *value = push_new(m, m->opcode->kind);
    if (!value)
        return -1;
    value->text = m->text;
    value->length = m->length;
    return 0;
}

/* Two's complement in as many bytes as it takes. */
static int run_long(struct machine *m)
{
    if (m->length > 8)
        return push_text(m);
    struct cg_pickle_value *value = push_new(m, CG_PICKLE_INT);
    if (!value)
        return -1;
    uint64_t bits = cg_little_endian((const unsigned char *)m->text, (int)m->length);
    unsigned unused = 64 - 8 * (unsigned)m->length;
    value->number = unused == 64 ? 0 : (int64_t)(bits << unused) >> unused;
    return 0;
}

/* The name that GLOBAL gives must be on the list; what it names is not looked for anywhere. */
static int run_global(struct machine *m)
{
    char name[GLOBAL_LIMIT], shown[SHOWN_NAME];
    const char *end = memchr(m->text, '\n', m->length);
    if (m->length >= sizeof name || memchr(m->text, '\0', m->length))
        return refuse(m, CG_EFORMAT, "has a name that no global has");
    snprintf(name, sizeof name, "%.*s.%.*s", (int)(end - m->text), m->text,
             (int)(m->text + m->length - end - 1), end + 1);
    for (int i = 0; m->source->globals[i]; i++)
        if (strcmp(m->source->globals[i], name) == 0) {
            m->number = i;
            return push_number(m);
        }
    return cg_fail_at(m->err, CG_EUNSUPPORTED, m->source->path, NULL,
                      m->source->start + (int64_t)m->opcode_at,
                      "%s is not a global that a checkpoint needs; pickles are read, never executed",
                      cg_printable(shown, sizeof shown, name));
}

/* A tuple of the `argument` values on top, of all behind the last MARK when that is -1. */
static int run_tuple(struct machine *m)
{
    size_t from = 0;
    bool marked = m->opcode->argument < 0;
    if ((marked ? find_mark(m, &from) : find_values(m, (size_t)m->opcode->argument, &from)) < 0)
        return -1;
    /* The tuple is made above its items, which then are moved into it from below. */
    if (!push_new(m, CG_PICKLE_TUPLE))
        return -1;
    uint32_t tuple = m->stack[--m->depth];
    if (add_items(m, tuple, from) < 0)
        return -1;
    m->depth -= marked;
    return push_id(m, tuple);
}

/* Adds `argument` values, or all behind the last MARK when that is -1, to the list or dict below them. It
 * must not be an item of anything yet: that keeps every value out of itself, and real picklers fill first. */
static int run_fill(struct machine *m)
{
    size_t from = 0;
    bool marked = m->opcode->argument < 0;
    if ((marked ? find_mark(m, &from) : find_values(m, (size_t)m->opcode->argument, &from)) < 0)
        return -1;
    size_t below = from - marked, added = m->depth - from;
    if (below == 0 || m->stack[below - 1] == MARKED)
        return refuse(m, CG_EFORMAT, "finds too little on the stack");
    uint32_t id = m->stack[below - 1];
    if (value_of(m, id)->kind != m->opcode->kind)
        return refuse(m, CG_EFORMAT, "finds the wrong kind of value on the stack");
    if (m->opcode->kind == CG_PICKLE_DICT && added % 2 != 0)
        return refuse(m, CG_EFORMAT, "has a key without a value");
    for (size_t i = from; i < m->depth; i++)
        if (m->stack[i] == id)
            return refuse(m, CG_EFORMAT, "puts a value into itself");
    if (value_of(m, id)->held)
        return refuse(m, CG_EFORMAT, "fills what was put elsewhere before, perhaps into itself");
    if (add_items(m, id, from) < 0)
        return -1;
    m->depth = below;
    return 0;
}

/* REDUCE and NEWOBJ: OrderedDict() is a dict, every other call is only written down. */
static int run_call(struct machine *m)
{
    uint32_t arguments = 0, callee = 0;
    if (pop_kind(m, CG_PICKLE_TUPLE, &arguments) < 0 || pop_kind(m, CG_PICKLE_GLOBAL, &callee) < 0)
        return -1;
    int64_t global = value_of(m, callee)->number;
    bool dict = strcmp(m->source->globals[global], "collections.OrderedDict") == 0;
    if (dict && value_of(m, arguments)->first)
        return refuse(m, CG_EUNSUPPORTED, "makes an OrderedDict in the way of Python 2");
    struct cg_pickle_value *value = push_new(m, dict ? CG_PICKLE_DICT : CG_PICKLE_CALL);
    if (!value)
        return -1;
    value->number = global;
    value->first = value_of(m, arguments)->first;
    value->last = value_of(m, arguments)->last;
    return 0;
}

/* Attributes of a dict, such as _metadata, say nothing of tensors. Those of anything else might. */
static int run_build(struct machine *m)
{
    uint32_t state = 0, object = 0;
    if (pop(m, &state) < 0 || top(m, &object) < 0)
        return -1;
    return value_of(m, object)->kind == CG_PICKLE_DICT
               ? 0
               : refuse(m, CG_EUNSUPPORTED, "sets the state of an object that is no dict");
}

static int run_persistent(struct machine *m)
{
    uint32_t id = 0;
    if (pop_kind(m, CG_PICKLE_TUPLE, &id) < 0)
        return -1;
    struct cg_pickle_value *value = push_new(m, CG_PICKLE_PERSISTENT);
    if (!value)
        return -1;
    value->first = value_of(m, id)->first;
    value->last = value_of(m, id)->last;
    return 0;
}

static int run_get(struct machine *m)
{
    size_t key = (size_t)m->number;
    if (key >= m->memo_capacity || !m->memo[key])
        return refuse(m, CG_EFORMAT, "asks for what no PUT stored");
    return push_id(m, m->memo[key]);
}

static int run_put(struct machine *m)
{
    uint32_t id = 0;
    size_t key = (size_t)m->number;
    if (top(m, &id) < 0)
        return -1;
    if (key >= CG_PICKLE_LIMIT)
        return refuse(m, CG_EUNSUPPORTED, "has a number over the limit of 4194304");
    if (cg_grow((void **)&m->memo, &m->memo_capacity, key + 1, sizeof *m->memo, m->err) < 0)
        return -1;
    m->memo[key] = id;
    return 0;
}

/* All opcodes up to protocol 5, so that a refusal has a name. EMPTY_SET comes as a tuple: no opcode here
 * would add to a set. */
static const struct opcode opcodes[256] = {
    [0x80] = {"PROTO", UINT1, run_proto, 0, 0},
    ['.'] = {"STOP", NOTHING, run_stop, 0, 0},
    ['('] = {"MARK", NOTHING, run_mark, 0, 0},
    ['N'] = {"NONE", NOTHING, push_number, CG_PICKLE_NONE, 0},
    [0x88] = {"NEWTRUE", NOTHING, push_number, CG_PICKLE_BOOL, 1},
    [0x89] = {"NEWFALSE", NOTHING, push_number, CG_PICKLE_BOOL, 0},
    ['J'] = {"BININT", INT4, push_number, CG_PICKLE_INT, 0},
    ['K'] = {"BININT1", UINT1, push_number, CG_PICKLE_INT, 0},
    ['M'] = {"BININT2", UINT2, push_number, CG_PICKLE_INT, 0},
    [0x8A] = {"LONG1", TEXT1, run_long, CG_PICKLE_LONG, 0},
    ['G'] = {"BINFLOAT", EIGHT_BYTES, push_number, CG_PICKLE_FLOAT, 0},
    ['X'] = {"BINUNICODE", TEXT4, push_text, CG_PICKLE_TEXT, 0},
    ['U'] = {"SHORT_BINSTRING", TEXT1, push_text, CG_PICKLE_TEXT, 0},
    ['c'] = {"GLOBAL", TWO_LINES, run_global, CG_PICKLE_GLOBAL, 0},
    [')'] = {"EMPTY_TUPLE", NOTHING, push_number, CG_PICKLE_TUPLE, 0},
    [']'] = {"EMPTY_LIST", NOTHING, push_number, CG_PICKLE_LIST, 0},
    ['}'] = {"EMPTY_DICT", NOTHING, push_number, CG_PICKLE_DICT, 0},
    [0x8F] = {"EMPTY_SET", NOTHING, push_number, CG_PICKLE_TUPLE, 0},
    ['t'] = {"TUPLE", NOTHING, run_tuple, 0, -1},
    [0x85] = {"TUPLE1", NOTHING, run_tuple, 0, 1},
    [0x86] = {"TUPLE2", NOTHING, run_tuple, 0, 2},
    [0x87] = {"TUPLE3", NOTHING, run_tuple, 0, 3},
    ['a'] = {"APPEND", NOTHING, run_fill, CG_PICKLE_LIST, 1},
    ['e'] = {"APPENDS", NOTHING, run_fill, CG_PICKLE_LIST, -1},
    ['s'] = {"SETITEM", NOTHING, run_fill, CG_PICKLE_DICT, 2},
    ['u'] = {"SETITEMS", NOTHING, run_fill, CG_PICKLE_DICT, -1},
    ['R'] = {"REDUCE", NOTHING, run_call, 0, 0},
    [0x81] = {"NEWOBJ", NOTHING, run_call, 0, 0},
    ['b'] = {"BUILD", NOTHING, run_build, 0, 0},
    ['Q'] = {"BINPERSID", NOTHING, run_persistent, 0, 0},
    ['h'] = {"BINGET", UINT1, run_get, 0, 0},
    ['j'] = {"LONG_BINGET", UINT4, run_get, 0, 0},
    ['q'] = {"BINPUT", UINT1, run_put, 0, 0},
    ['r'] = {"LONG_BINPUT", UINT4, run_put, 0, 0},

    ['0'] = {.name = "POP"},
    ['1'] = {.name = "POP_MARK"},
    ['2'] = {.name = "DUP"},
    ['B'] = {.name = "BINBYTES"},
    ['C'] = {.name = "SHORT_BINBYTES"},
    ['F'] = {.name = "FLOAT"},
    ['I'] = {.name = "INT"},
    ['L'] = {.name = "LONG"},
    ['P'] = {.name = "PERSID"},
    ['S'] = {.name = "STRING"},
    ['T'] = {.name = "BINSTRING"},
    ['V'] = {.name = "UNICODE"},
    ['d'] = {.name = "DICT"},
    ['g'] = {.name = "GET"},
    ['i'] = {.name = "INST"},
    ['l'] = {.name = "LIST"},
    ['o'] = {.name = "OBJ"},
    ['p'] = {.name = "PUT"},
    [0x82] = {.name = "EXT1"},
    [0x83] = {.name = "EXT2"},
    [0x84] = {.name = "EXT4"},
    [0x8B] = {.name = "LONG4"},
    [0x8C] = {.name = "SHORT_BINUNICODE"},
    [0x8D] = {.name = "BINUNICODE8"},
    [0x8E] = {.name = "BINBYTES8"},
    [0x90] = {.name = "ADDITEMS"},
    [0x91] = {.name = "FROZENSET"},
    [0x92] = {.name = "NEWOBJ_EX"},
    [0x93] = {.name = "STACK_GLOBAL"},
    [0x94] = {.name = "MEMOIZE"},
    [0x95] = {.name = "FRAME"},
    [0x96] = {.name = "BYTEARRAY8"},
    [0x97] = {.name = "NEXT_BUFFER"},
    [0x98] = {.name = "READONLY_BUFFER"},
};

/* ---- the stream ---- */

/* The next n bytes. */
static const unsigned char *take(struct machine *m, size_t n)
{
    if (n > m->source->n - m->at) {
        m->pickle->cut = true;
        refuse(m, CG_EFORMAT, "goes beyond the end of the pickle");
        return NULL;
    }
    m->at += n;
    return m->source->bytes + m->at - n;
}

static int take_text(struct machine *m, int digits)
{
    const unsigned char *prefix = take(m, (size_t)digits);
    if (!prefix)
        return -1;
    m->length = cg_little_endian(prefix, digits);
    m->text = (const char *)take(m, m->length);
    return m->text ? 0 : -1;
}

/* Two lines without the last newline. */
static int take_lines(struct machine *m)
{
    size_t n = 0;
    m->text = (const char *)m->source->bytes + m->at;
    for (int lines = 0; lines < 2; n++) {
        const unsigned char *c = take(m, 1);
        if (!c)
            return -1;
        lines += *c == '\n';
    }
    m->length = n - 1;
    return 0;
}

static int take_number(struct machine *m, int digits)
{
    const unsigned char *bytes = take(m, (size_t)digits);
    if (!bytes)
        return -1;
    m->number = (int64_t)cg_little_endian(bytes, digits);
    return 0;
}

static int take_operand(struct machine *m)
{
    switch (m->opcode->operand) {
    case UINT1:
        return take_number(m, 1);
    case UINT2:
        return take_number(m, 2);
    case UINT4:
        return take_number(m, 4);
    case INT4:
        if (take_number(m, 4) < 0)
            return -1;
        m->number = (int32_t)(uint32_t)m->number;
        return 0;
    case EIGHT_BYTES:
        return take_number(m, 8);
    case TEXT1:
        return take_text(m, 1);
    case TEXT4:
        return take_text(m, 4);
    case TWO_LINES:
        return take_lines(m);
    case NOTHING:
        break;
    }
    return 0;
}

static int step(struct machine *m)
{
    m->opcode_at = m->at;
    if (m->at == m->source->n) {
        m->pickle->cut = true;
        return cg_fail_at(m->err, CG_EFORMAT, m->source->path, NULL, m->source->start + (int64_t)m->at,
                          "the pickle ends without STOP");
    }
    unsigned char code = m->source->bytes[m->at++];
    m->opcode = &opcodes[code];
    if (!m->opcode->name)
        return cg_fail_at(m->err, CG_EFORMAT, m->source->path, NULL, m->source->start + (int64_t)m->opcode_at,
                          "0x%02X is no pickle opcode", code);
    if (!m->opcode->run)
        return refuse(m, CG_EUNSUPPORTED, "is none that torch.save writes");
    return take_operand(m) < 0 ? -1 : m->opcode->run(m);
}

int cg_pickle_read(struct cg_pickle *out, const struct cg_pickle_source *source, struct cg_err *err)
{
    struct machine m = {.pickle = out, .source = source, .err = err};
    int result = -1;
    /* Value 0 is a mark, link 0 none. */
    CG_TRY(cg_grow((void **)&out->values, &out->values_capacity, 1, sizeof *out->values, err));
    CG_TRY(cg_grow((void **)&out->links, &out->links_capacity, 1, sizeof *out->links, err));
    out->nvalues = out->nlinks = 1;
    while (!m.stopped)
        CG_TRY(step(&m));
    out->used = m.at;
    result = 0;
done:
    free(m.stack);
    free(m.memo);
    return result;
}

void cg_pickle_release(struct cg_pickle *pickle)
{
    free(pickle->values);
    free(pickle->links);
    *pickle = (struct cg_pickle){0};
}

const struct cg_pickle_value *cg_pickle_item(const struct cg_pickle *pickle,
                                             const struct cg_pickle_value *value, int k)
{
    uint32_t link = value->first;
    while (link && k-- > 0)
        link = pickle->links[link].next;
    return link ? &pickle->values[pickle->links[link].value] : NULL;
}

bool cg_pickle_is_text(const struct cg_pickle_value *value, const char *text)
{
    return value->kind == CG_PICKLE_TEXT && value->length == strlen(text) &&
           memcmp(value->text, text, value->length) == 0;
}
