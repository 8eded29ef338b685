/* The raw bytes that a token stands for, whatever the way its tokenizer writes them. */
#ifndef COGNATE_CHECKPOINT_TOKEN_BYTES_H
#define COGNATE_CHECKPOINT_TOKEN_BYTES_H

#include "cognate/err.h"
#include "cognate/text.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cg_token_coding {
    enum {
        CG_TOKEN_AS_WRITTEN,
        CG_TOKEN_BYTE_LEVEL, /* each byte is a letter of GPT-2's byte map: "Ġthe" is " the" */
        CG_TOKEN_PIECE,      /* SentencePiece: U+2581 is a space, "<0xNN>" one byte */
        CG_TOKEN_SPACED,     /* the same without bytes: U+2581 is a space, that is all */
        CG_TOKEN_WORD_PIECE  /* a token without the prefix begins a word, which a space precedes */
    } kind;
    const char *prefix; /* of word pieces, mostly "##"; lives in the tokenizer that it was read from */
};

/* How the vocabulary of a tokenizer.json is written. */
struct cg_token_coding cg_token_coding_of(const json_t *tokenizer);

/* Whether the token is a byte by its number, "<0x41>", which the letter itself may stand for as well. */
bool cg_token_names_byte(struct cg_token_coding coding, const char *text, size_t n);

/* Appends the raw bytes of the token text[n], which must be valid UTF-8. */
int cg_token_bytes(struct cg_buf *out, struct cg_token_coding coding, const char *text, size_t n,
                   struct cg_err *err);

/* How many letters of base64[n] (RFC 4648) stand for bytes, or -1 when it is none: up to two = may fill the
 * last four. */
int64_t cg_base64_letters(const char *base64, size_t n);

/* Decodes that many letters in place; returns the number of bytes. */
size_t cg_base64_decode(char *base64, size_t letters);

#endif
