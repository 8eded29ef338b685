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
    bool byte;    /* SentencePiece's "<0xNN>", which a token of text may repeat */
};

struct cg_vocabulary {
    bool present; /* a tokenizer file was there and could be used */
    char *bytes;
    size_t nbytes;
    struct cg_token *tokens; /* by id, each id at most once */
    size_t ntokens;
};

/* Reads the vocabulary of a model from a GGUF file that is the model, or from the first of these files that
 * is there in its folder:
 *   tokenizer.json               BPE, WordPiece, WordLevel or Unigram, with its added tokens
 *   tekken.json                  Mistral's, with its special tokens
 *   vocab.json                   {token: id}; byte-level when more of its tokens begin with U+0120 (GPT-2's
 *                                letter for a space) than with U+2581, SentencePiece's when fewer
 *   vocab.txt                    WordPiece, the line's number is the id
 *   tokenizer.model              tiktoken when its first line is "base64 rank", otherwise SentencePiece
 *   tiktoken.model, *.tiktoken   tiktoken
 * All but the first two are completed by tokenizer_config.json's added_tokens_decoder or, without that, by
 * added_tokens.json; special is what these, the "..._token" and "..._special_tokens" of tokenizer_config.json
 * and special_tokens_map.json, the format itself, or GPT-2's, RoBERTa's and BERT's defaults say. Special
 * tokens that only a model's own code knows (Llama-3's and Qwen's of old, beside their tiktoken files) stay
 * unknown.
 *
 * In a GGUF file, tokens that are unused are left out.
 *
 * Tokens come out as the bytes they stand for: byte-level letters and "<0xNN>" as bytes, U+2581 as a space, a
 * WordPiece that begins a word with a space before it; added and special tokens as written. No file:
 * `present` stays false and 0 is returned. A file that is broken, too large (over 256 MiB, for JSON
 * 16,777,216 values) or has over 4,194,304 tokens is not fatal either: `present` stays false and a line in
 * `warnings` says why. Single tokens with lone surrogates or U+0000 in JSON, without a usable text or id, or
 * with the id of another one are left out, and a line says how many. Only want of memory returns -1. */
int cg_vocabulary_load(struct cg_vocabulary *out, const char *place, struct cg_buf *warnings,
                       struct cg_err *err);

/* Names the file that cg_vocabulary_load would read, on the heap, and its format, "SentencePiece"; both NULL
 * where there is none. Fails for want of memory only. */
int cg_vocabulary_find(char **name, const char **format, const char *place, struct cg_err *err);

void cg_vocabulary_release(struct cg_vocabulary *vocabulary);

/* Rows of a and b for the same raw bytes and the same special flag, ascending in b's id. Ids at or beyond
 * rows_a or rows_b are left out. Bytes that several ids share pair in the order of their ids: tokens of text
 * with each other, tokens that name a byte with each other, then what is left over. */
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
