/* Vocabularies: which token each embedding row stands for, and rows of two models that mean the same bytes.
 * Local: rank 0 reads and aligns; only the aligned pairs travel. */
#ifndef COGNATE_VOCABULARY_H
#define COGNATE_VOCABULARY_H

#include "cognate/err.h"
#include "cognate/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cg_token {
    size_t offset, length; /* its raw bytes in `bytes`, where a NUL follows them */
    int64_t id;
    bool special; /* a special token: its bytes are its written form */
};

struct cg_vocabulary {
    bool present; /* a tokenizer file was there and could be used */
    char *bytes;
    size_t nbytes;
    struct cg_token *tokens; /* by id, each id at most once */
    size_t ntokens;
};

/* Reads FOLDER/tokenizer.json. Tokens come out as the bytes they stand for: byte-level letters and "<0xNN>"
 * as bytes, U+2581 as a space, a WordPiece that begins a word with a space before it; added tokens as
 * written. No file: `present` stays false and 0 is returned. A file that is broken, too large (over 256 MiB
 * or 16,777,216 values) or has over 4,194,304 tokens is not fatal either: `present` stays false and a line in
 * `warnings` says why. Single tokens with lone surrogates or U+0000, without a usable text or id, or with the
 * id of another one are left out, and a line says how many. Only want of memory returns -1. */
int cg_vocabulary_load(struct cg_vocabulary *out, const char *folder, struct cg_buf *warnings,
                       struct cg_err *err);
void cg_vocabulary_release(struct cg_vocabulary *vocabulary);

/* Rows of a and b for the same raw bytes and the same special flag, ascending in b's id. Ids at or beyond
 * rows_a or rows_b are left out. Bytes that several ids share pair in the order of their ids. */
struct cg_alignment {
    int64_t shared;       /* pairs */
    int64_t same_id;      /* pairs with id_a == id_b */
    int64_t *id_a, *id_b; /* [shared] */
    char **text; /* [shared] the token, printable (cg_printable); NULL where only the ids are known */
};
int cg_vocabulary_align(struct cg_alignment *out, const struct cg_vocabulary *a, int64_t rows_a,
                        const struct cg_vocabulary *b, int64_t rows_b, struct cg_err *err);
void cg_alignment_release(struct cg_alignment *alignment);

#endif
