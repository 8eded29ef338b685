/* The JSON of tokenizers, which is laxer than that of checkpoints: keys may repeat, and strings may hold what
 * is no text. */
#ifndef COGNATE_CHECKPOINT_TOKEN_JSON_H
#define COGNATE_CHECKPOINT_TOKEN_JSON_H

#include "cognate/err.h"
#include "cognate/text.h"
#include <jansson.h>

/* Parses `text`, writing to it. Escapes of lone surrogates and of NUL do not break it: the strings that hold
 * them come out marked. The caller calls json_decref; NULL with err on failure. */
json_t *cg_token_json_parse(struct cg_buf *text, const char *path, struct cg_err *err);

bool cg_token_json_is_marked(const char *text, size_t n);

/* The value as an id, -1 when it is no usable one. */
int64_t cg_token_json_id(const json_t *value);

#endif
