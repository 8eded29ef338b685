#include "gguf.h"
#include "bytes.h"
#include "cognate/mem.h"
#include "file.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_VALUES = 65536,
    LONGEST_KEY = 65535,
    LONGEST_KEPT = 1024,
    LONGEST_LIST = 65536,
    SHOWN_WHAT = 320,
    SHOWN_KEY = 80
};

static const int width_of[CG_GGUF_TYPES] = {
    [CG_GGUF_U8] = 1,  [CG_GGUF_I8] = 1,  [CG_GGUF_U16] = 2, [CG_GGUF_I16] = 2,
    [CG_GGUF_U32] = 4, [CG_GGUF_I32] = 4, [CG_GGUF_F32] = 4, [CG_GGUF_BOOL] = 1,
    [CG_GGUF_U64] = 8, [CG_GGUF_I64] = 8, [CG_GGUF_F64] = 8,
};

int cg_gguf_refuse(const struct cg_gguf *gguf, const char *name, int64_t at, struct cg_err *err,
                   const char *format, ...)
{
    char what[SHOWN_WHAT];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return cg_fail_at(err, CG_EFORMAT, gguf->path, name, at, "%s", what);
}

bool cg_gguf_is_name(const char *text, size_t n)
{
    for (size_t at = 0, length; at < n; at += length) {
        length = cg_utf8_length(text + at, n - at);
        if (length == 0 || text[at] == '\0')
            return false;
    }
    return true;
}

/* ---- bytes ---- */

static int check_left(const struct cg_gguf *gguf, uint64_t n, struct cg_err *err)
{
    if (n <= (uint64_t)(gguf->end - gguf->at))
        return 0;
    return cg_gguf_refuse(gguf, NULL, gguf->at, err,
                          "the file ends inside its header: %" PRIu64 " bytes are wanted, %" PRId64
                          " are left",
                          n, gguf->end - gguf->at);
}

const char *cg_gguf_take(struct cg_gguf *gguf, size_t n, struct cg_err *err)
{
    if (check_left(gguf, n, err) < 0)
        return NULL;
    if (gguf->at < gguf->window_at || gguf->at + (int64_t)n > gguf->window_at + (int64_t)gguf->window_bytes) {
        int64_t left = gguf->end - gguf->at;
        size_t bytes = left < CG_GGUF_WINDOW ? (size_t)left : CG_GGUF_WINDOW;
        gguf->window_bytes = 0;
        if (cg_file_read(gguf->descriptor, gguf->path, gguf->window, bytes, gguf->at, err) < 0)
            return NULL;
        gguf->window_at = gguf->at;
        gguf->window_bytes = bytes;
    }
    const char *taken = gguf->window + (gguf->at - gguf->window_at);
    gguf->at += (int64_t)n;
    return taken;
}

int cg_gguf_take_number(struct cg_gguf *gguf, int bytes, uint64_t *out, struct cg_err *err)
{
    const char *taken = cg_gguf_take(gguf, (size_t)bytes, err);
    if (!taken)
        return -1;
    *out = cg_little_endian((const unsigned char *)taken, bytes);
    return 0;
}

int cg_gguf_take_text(struct cg_gguf *gguf, const char **text, size_t *n, struct cg_err *err)
{
    uint64_t length;
    if (cg_gguf_take_number(gguf, 8, &length, err) < 0 || check_left(gguf, length, err) < 0)
        return -1;
    *n = (size_t)length;
    *text = NULL;
    if (length > CG_GGUF_WINDOW) {
        gguf->at += (int64_t)length;
        return 0;
    }
    *text = cg_gguf_take(gguf, *n, err);
    return *text ? 0 : -1;
}

/* ---- keys and values ---- */

static int take_type(struct cg_gguf *gguf, enum cg_gguf_type *type, const char *key, struct cg_err *err)
{
    uint64_t number;
    int64_t at = gguf->at;
    if (cg_gguf_take_number(gguf, 4, &number, err) < 0)
        return -1;
    if (number >= CG_GGUF_TYPES)
        return cg_gguf_refuse(gguf, key, at, err, "its value is of type %" PRIu64 ", which does not exist",
                              number);
    *type = (enum cg_gguf_type)number;
    return 0;
}

/* The value of a whole number of that type, or -1. */
static int64_t whole_number(uint64_t bits, enum cg_gguf_type type)
{
    if (type == CG_GGUF_F32 || type == CG_GGUF_F64 || (type == CG_GGUF_U64 && bits > INT64_MAX))
        return -1;
    bool is_signed = type == CG_GGUF_I8 || type == CG_GGUF_I16 || type == CG_GGUF_I32 || type == CG_GGUF_I64;
    bool negative = is_signed && bits >> (8 * width_of[type] - 1);
    return negative ? -1 : (int64_t)bits;
}

static int take_scalar(struct cg_gguf *gguf, struct cg_gguf_value *value, struct cg_err *err)
{
    uint64_t bits;
    int64_t at = gguf->at;
    if (cg_gguf_take_number(gguf, width_of[value->type], &bits, err) < 0)
        return -1;
    if (value->type == CG_GGUF_BOOL && bits > 1)
        return cg_gguf_refuse(gguf, value->key, at, err, "is neither true nor false but %" PRIu64, bits);
    value->number = whole_number(bits, value->type);
    return 0;
}

/* Texts are walked through; of numbers only the largest is kept, as of one for each layer. Long lists of
 * numbers are the scores and types of tokens. */
static int take_items(struct cg_gguf *gguf, struct cg_gguf_value *value, struct cg_err *err)
{
    const char *text;
    size_t n;
    if (value->item != CG_GGUF_TEXT && value->count > LONGEST_LIST) {
        gguf->at += value->count * width_of[value->item];
        return 0;
    }
    for (int64_t i = 0; i < value->count; i++) {
        uint64_t bits = 0;
        if (value->item == CG_GGUF_TEXT ? cg_gguf_take_text(gguf, &text, &n, err) < 0
                                        : cg_gguf_take_number(gguf, width_of[value->item], &bits, err) < 0)
            return -1;
        int64_t number = value->item == CG_GGUF_TEXT ? -1 : whole_number(bits, value->item);
        value->number = number > value->number ? number : value->number;
    }
    return 0;
}

static int take_array(struct cg_gguf *gguf, struct cg_gguf_value *value, struct cg_err *err)
{
    uint64_t count;
    int64_t at = gguf->at;
    if (take_type(gguf, &value->item, value->key, err) < 0 || cg_gguf_take_number(gguf, 8, &count, err) < 0)
        return -1;
    if (value->item == CG_GGUF_ARRAY)
        return cg_gguf_refuse(gguf, value->key, at, err, "is an array of arrays, which no file needs");
    uint64_t least = value->item == CG_GGUF_TEXT ? 8 : (uint64_t)width_of[value->item];
    if (count > (uint64_t)(gguf->end - gguf->at) / least)
        return cg_gguf_refuse(gguf, value->key, at, err,
                              "is an array of %" PRIu64 " items, more than the file has room for", count);
    value->count = (int64_t)count;
    value->first = gguf->at;
    return take_items(gguf, value, err);
}

static int take_value(struct cg_gguf *gguf, struct cg_gguf_value *value, struct cg_err *err)
{
    const char *text;
    size_t n;
    if (take_type(gguf, &value->type, value->key, err) < 0)
        return -1;
    if (value->type == CG_GGUF_ARRAY)
        return take_array(gguf, value, err);
    if (value->type != CG_GGUF_TEXT)
        return take_scalar(gguf, value, err);
    if (cg_gguf_take_text(gguf, &text, &n, err) < 0)
        return -1;
    if (!text || n > LONGEST_KEPT || !cg_gguf_is_name(text, n))
        return 0;
    value->text = cg_copy_text(text, n, err);
    return value->text ? 0 : -1;
}

static int take_key(struct cg_gguf *gguf, struct cg_gguf_value *value, struct cg_err *err)
{
    const char *text;
    size_t n;
    if (cg_gguf_take_text(gguf, &text, &n, err) < 0)
        return -1;
    if (!text || n == 0 || n > LONGEST_KEY)
        return cg_gguf_refuse(gguf, NULL, value->at, err, "a key of %zu bytes; they have 1 to %d", n,
                              LONGEST_KEY);
    if (!cg_gguf_is_name(text, n))
        return cg_gguf_refuse(gguf, NULL, value->at, err, "a key that is no UTF-8 text, or has a NUL in it");
    value->key = cg_copy_text(text, n, err);
    return value->key ? 0 : -1;
}

static int by_key(const void *left, const void *right)
{
    const struct cg_gguf_value *a = left, *b = right;
    int order = strcmp(a->key, b->key);
    return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

static int take_values(struct cg_gguf *gguf, uint64_t n, struct cg_err *err)
{
    for (uint64_t i = 0; i < n; i++) {
        if (cg_grow((void **)&gguf->values, &gguf->values_capacity, gguf->nvalues + 1, sizeof *gguf->values,
                    err) < 0)
            return -1;
        struct cg_gguf_value *value = &gguf->values[gguf->nvalues++];
        value->at = gguf->at;
        value->number = -1;
        if (take_key(gguf, value, err) < 0 || take_value(gguf, value, err) < 0)
            return -1;
    }
    if (n > 0)
        qsort(gguf->values, gguf->nvalues, sizeof *gguf->values, by_key);
    for (size_t i = 1; i < gguf->nvalues; i++)
        if (strcmp(gguf->values[i - 1].key, gguf->values[i].key) == 0)
            return cg_gguf_refuse(gguf, gguf->values[i].key, gguf->values[i].at, err,
                                  "this key is there already");
    return 0;
}

const struct cg_gguf_value *cg_gguf_find(const struct cg_gguf *gguf, const char *key)
{
    struct cg_gguf_value wanted = {.key = (char *)key};
    for (size_t low = 0, high = gguf->nvalues; low < high;) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(wanted.key, gguf->values[middle].key);
        if (order == 0)
            return &gguf->values[middle];
        *(order < 0 ? &high : &low) = order < 0 ? middle : middle + 1;
    }
    return NULL;
}

/* ---- the header ---- */

static int check_version(struct cg_gguf *gguf, uint64_t version, struct cg_err *err)
{
    if (version == 2 || version == 3)
        return 0;
    const char *what = (version & 0xFFFF) == 0 && version > 0
                           ? "is big-endian: convert it to little-endian first"
                       : version < 2 ? "is of a version of GGUF before 2: convert the model again"
                                     : "is of a version of GGUF that cognate does not know";
    return cg_fail_at(err, CG_EUNSUPPORTED, gguf->path, NULL, 4, "%s (version %" PRIu64 ")", what, version);
}

/* A tensor takes at least 24 bytes of header, a key and its value 13. */
static int check_count(const struct cg_gguf *gguf, uint64_t n, uint64_t least, const char *what,
                       uint64_t most, int64_t at, struct cg_err *err)
{
    if (n <= (uint64_t)gguf->end / least && n <= most)
        return 0;
    return cg_gguf_refuse(gguf, NULL, at, err, "%" PRIu64 " %s in a file of %" PRId64 " bytes", n, what,
                          gguf->end);
}

int cg_gguf_read(struct cg_gguf *out, int descriptor, const struct cg_file *file, struct cg_err *err)
{
    uint64_t version, ntensors, nvalues;
    *out = (struct cg_gguf){.path = file->path, .descriptor = descriptor, .end = file->bytes};
    out->window = cg_new(CG_GGUF_WINDOW, 1, err);
    const char *magic = out->window ? cg_gguf_take(out, 4, err) : NULL;
    if (!magic)
        return -1;
    if (memcmp(magic, "GGUF", 4) != 0)
        return cg_gguf_refuse(out, NULL, 0, err, "does not begin with GGUF: is no GGUF file");
    if (cg_gguf_take_number(out, 4, &version, err) < 0 || check_version(out, version, err) < 0 ||
        cg_gguf_take_number(out, 8, &ntensors, err) < 0 || cg_gguf_take_number(out, 8, &nvalues, err) < 0 ||
        check_count(out, ntensors, 24, "tensors", 1 << 24, 8, err) < 0 ||
        check_count(out, nvalues, 13, "keys", MOST_VALUES, 16, err) < 0)
        return -1;
    out->ntensors = (int64_t)ntensors;
    return take_values(out, nvalues, err);
}

void cg_gguf_release(struct cg_gguf *gguf)
{
    for (size_t i = 0; i < gguf->nvalues; i++) {
        free(gguf->values[i].key);
        free(gguf->values[i].text);
    }
    free(gguf->values);
    free(gguf->window);
    *gguf = (struct cg_gguf){0};
}
