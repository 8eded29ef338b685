/* JSON as checkpoints need it: no duplicate keys, whole numbers only, errors with the byte in the file. */
#ifndef COGNATE_CHECKPOINT_JSON_H
#define COGNATE_CHECKPOINT_JSON_H

#include "cognate/err.h"
#include "cognate/text.h"
#include <jansson.h>

/* Parses an object out of n bytes of text that begin at byte `start` of the file at `path`. Refused:
 * duplicate keys (also when spelled with escapes), NaN, NUL, text that is no UTF-8, anything but space behind
 * the object. The caller calls json_decref; NULL with err on failure. */
json_t *cg_json_parse(const char *text, size_t n, int64_t start, const char *path, struct cg_err *err);

/* The same for the whole file, of at most 100 MB. */
json_t *cg_json_read(const char *path, struct cg_err *err);

/* The value as a whole number of at least 0. Returns false for 1.0, 1e3, "1", -1 and all else. */
bool cg_json_count(const json_t *value, int64_t *out);

/* The value as JSON on one line, cut to size and printable. Returns out. */
const char *cg_json_shown(char *out, size_t size, const json_t *value);

#endif
