#include "cognate/text.h"
#include "cognate/mem.h"
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void cg_buf_release(struct cg_buf *buf)
{
    free(buf->data);
    *buf = (struct cg_buf){0};
}

int cg_buf_append(struct cg_buf *buf, const void *bytes, size_t n, struct cg_err *err)
{
    if (cg_grow((void **)&buf->data, &buf->capacity, buf->size + n + 1, 1, err) < 0)
        return -1;
    if (n > 0)
        memcpy(buf->data + buf->size, bytes, n);
    buf->size += n;
    buf->data[buf->size] = '\0';
    return 0;
}

int cg_buf_printf(struct cg_buf *buf, struct cg_err *err, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(n >= 0);
    int result = cg_grow((void **)&buf->data, &buf->capacity, buf->size + (size_t)n + 1, 1, err);
    if (result == 0) {
        vsnprintf(buf->data + buf->size, (size_t)n + 1, format, again);
        buf->size += (size_t)n;
    }
    va_end(again);
    return result;
}

int cg_pack_int(struct cg_buf *buf, int64_t value, struct cg_err *err)
{
    return cg_buf_append(buf, &value, sizeof value, err);
}

int cg_pack_text(struct cg_buf *buf, const char *text, struct cg_err *err)
{
    size_t n = text ? strlen(text) : 0;
    if (cg_pack_int(buf, (int64_t)n, err) < 0)
        return -1;
    return cg_buf_append(buf, text, n, err);
}

void cg_unpack_bytes(void *out, struct cg_unpacker *from, size_t n)
{
    assert((size_t)(from->end - from->at) >= n);
    memcpy(out, from->at, n);
    from->at += n;
}

int64_t cg_unpack_int(struct cg_unpacker *from)
{
    int64_t value;
    cg_unpack_bytes(&value, from, sizeof value);
    return value;
}

char *cg_unpack_text(struct cg_unpacker *from, struct cg_err *err)
{
    int64_t n = cg_unpack_int(from);
    assert(n >= 0 && n <= from->end - from->at);
    char *text = cg_copy_text(from->at, (size_t)n, err);
    from->at += n;
    return text;
}

/* Lead bytes say the length; the ranges refuse overlong forms, surrogates and what lies beyond U+10FFFF. */
size_t cg_utf8_length(const char *s, size_t n)
{
    const unsigned char *u = (const unsigned char *)s;
    if (n == 0)
        return 0;
    if (u[0] < 0x80)
        return 1;
    size_t length = u[0] >= 0xF0 ? 4 : u[0] >= 0xE0 ? 3 : 2;
    if (u[0] < 0xC2 || u[0] > 0xF4 || length > n)
        return 0;
    unsigned char low = u[0] == 0xE0 ? 0xA0 : u[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = u[0] == 0xED ? 0x9F : u[0] == 0xF4 ? 0x8F : 0xBF;
    if (u[1] < low || u[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (u[i] < 0x80 || u[i] > 0xBF)
            return 0;
    return length;
}

/* Control characters of ASCII, and of Latin-1 in UTF-8 (C2 80 to C2 9F). */
static bool is_control(const char *s, size_t length)
{
    unsigned char first = (unsigned char)s[0];
    return (length == 1 && (first < 0x20 || first == 0x7F)) ||
           (length == 2 && first == 0xC2 && (unsigned char)s[1] < 0xA0);
}

const char *cg_printable(char *out, size_t size, const char *text)
{
    assert(size >= 4);
    size_t n = strlen(text), at = 0, cut = 0;
    for (size_t i = 0; i < n;) {
        char piece[8];
        size_t length = cg_utf8_length(text + i, n - i), step = length > 0 ? length : 1;
        if (length == 0 || is_control(text + i, length)) {
            step = 1;
            snprintf(piece, sizeof piece, "\\x%02X", (unsigned)(unsigned char)text[i]);
        } else if (text[i] == '\\') {
            memcpy(piece, "\\\\", 3);
        } else {
            memcpy(piece, text + i, step);
            piece[step] = '\0';
        }
        size_t written = strlen(piece);
        if (at + written >= size) {
            memcpy(out + cut, "...", 4);
            return out;
        }
        memcpy(out + at, piece, written);
        at += written;
        if (at + 4 <= size)
            cut = at; /* the last place where "..." still fits */
        i += step;
    }
    out[at] = '\0';
    return out;
}

void cg_json_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (size_t i = 0, n = strlen(text); i < n;) {
        size_t length = cg_utf8_length(text + i, n - i);
        if (length == 0)
            fputs("\xEF\xBF\xBD", out);
        else if (text[i] == '"' || text[i] == '\\')
            fprintf(out, "\\%c", text[i]);
        else if ((unsigned char)text[i] < 0x20)
            fprintf(out, "\\u%04x", (unsigned)text[i]);
        else
            fwrite(text + i, 1, length, out);
        i += length > 0 ? length : 1;
    }
    fputc('"', out);
}

void cg_hex(char *out, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] / 16];
        out[2 * i + 1] = digits[bytes[i] % 16];
    }
    out[2 * n] = '\0';
}

bool cg_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool cg_ends_with(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);
    return m <= n && strcmp(text + n - m, suffix) == 0;
}
