/* Tokens as the files of a vocabulary yield them, one after another, before they are sorted by id. */
#ifndef COGNATE_CHECKPOINT_TOKEN_LIST_H
#define COGNATE_CHECKPOINT_TOKEN_LIST_H

#include "cognate/vocabulary.h"
#include "token_bytes.h"

/* All zero but for the path to start with. Added tokens come first, then those of the model. */
struct cg_token_list {
    const char *path;    /* of the vocabulary's file, for errors */
    struct cg_buf bytes; /* a NUL behind each token, so that offsets tell the order of collection */
    struct cg_token *tokens;
    size_t n, capacity;
    size_t added;    /* the bytes of added tokens */
    json_t *special; /* an object whose keys are texts that are special wherever they stand; may be NULL */
    int64_t marked, malformed, duplicates;
};

/* Takes in a token as its file writes it. A special token, or one whose text is special, stands as written;
 * any other becomes bytes by `coding`. What has no text (NULL), text that is no UTF-8, or a negative id is
 * counted and left out. Fails beyond 4,194,304 tokens. */
int cg_token_list_add(struct cg_token_list *list, struct cg_token_coding coding, const char *text, size_t n,
                      int64_t id, bool special, struct cg_err *err);

/* The same for text out of cg_token_json_parse: what is marked is left out. */
int cg_token_list_add_json(struct cg_token_list *list, struct cg_token_coding coding, const char *text,
                           size_t n, int64_t id, bool special, struct cg_err *err);

/* The same for a token that is no text but raw bytes. */
int cg_token_list_add_raw(struct cg_token_list *list, const char *bytes, size_t n, int64_t id,
                          struct cg_err *err);

/* The id that 1 to 18 decimal digits say, -1 for any other text. */
int64_t cg_token_id_of(const char *digits, size_t n);

/* Ends the added tokens. */
void cg_token_list_end_added(struct cg_token_list *list);

/* Sorts by id and keeps the first of each. An added token may stand for one of the model; any other pair with
 * one id is counted. */
void cg_token_list_settle(struct cg_token_list *list);

/* A line in warnings for each reason why tokens were left out. */
int cg_token_list_report(const struct cg_token_list *list, struct cg_buf *warnings, struct cg_err *err);

/* What of it the vocabulary did not take. */
void cg_token_list_release(struct cg_token_list *list);

#endif
