/* Text and bytes: a growing buffer, compact packing for broadcasts, and names made safe to print. */
#ifndef COGNATE_TEXT_H
#define COGNATE_TEXT_H

#include "cognate/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A growing byte buffer. All zero is a valid empty buffer; `data` ends in a NUL that `size` does not count
 * as soon as anything was appended. */
struct cg_buf {
    char *data;
    size_t size, capacity;
};

void cg_buf_release(struct cg_buf *buf);
int cg_buf_append(struct cg_buf *buf, const void *bytes, size_t n, struct cg_err *err);
int cg_buf_printf(struct cg_buf *buf, struct cg_err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Packing for a broadcast between ranks of one job (native byte order). */
int cg_pack_int(struct cg_buf *buf, int64_t value, struct cg_err *err);
int cg_pack_text(struct cg_buf *buf, const char *text, struct cg_err *err); /* NULL packs as "" */

/* The other side: values come out in the order they went in. A short buffer is a bug and asserts. */
struct cg_unpacker {
    const char *at, *end;
};
int64_t cg_unpack_int(struct cg_unpacker *from);
void cg_unpack_bytes(void *out, struct cg_unpacker *from, size_t n);
char *cg_unpack_text(struct cg_unpacker *from, struct cg_err *err); /* on the heap; the caller frees */

/* Writes `text` into out[size] so that a terminal and a log can show it: control characters, DEL and bytes
 * that are no UTF-8 become \xNN, a backslash doubles, what does not fit ends in "...". Returns out. */
const char *cg_printable(char *out, size_t size, const char *text);

/* Writes n bytes as 2 n lower-case hex digits and a NUL. */
void cg_hex(char *out, const uint8_t *bytes, size_t n);

/* The length in bytes of the valid UTF-8 sequence at s (1 to 4), or 0 when there is none within n bytes. */
size_t cg_utf8_length(const char *s, size_t n);

/* Writes text as a JSON string, with its quotes; bytes that are no UTF-8 become U+FFFD. */
void cg_json_string(FILE *out, const char *text);

bool cg_starts_with(const char *text, const char *prefix);
bool cg_ends_with(const char *text, const char *suffix);

#endif
