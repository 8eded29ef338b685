/* The formats of vocabularies. A format is a file of its own and one row in the table of vocabulary.c. */
#ifndef COGNATE_CHECKPOINT_VOCABULARY_SOURCE_H
#define COGNATE_CHECKPOINT_VOCABULARY_SOURCE_H

#include "token_list.h"

enum { CG_VOCABULARY_BYTES = 256 << 20 }; /* the most that one file may have */

struct cg_vocabulary_source {
    const char *format;
    const char *file; /* its name in a folder; "*.tiktoken": the first with that suffix */
    /* Whether the first n bytes of the file (256, or all there are) show the format; NULL: its name does. */
    bool (*recognises)(const char *head, size_t n);
    /* Adds the tokens of the file, text[size] with a NUL behind; may write to it. */
    int (*load)(struct cg_token_list *list, struct cg_buf *text, struct cg_err *err);
    /* Special tokens that need not be named anywhere, a list that ends in NULL. NULL: the file itself holds
     * all added tokens; otherwise the files beside it are asked for them. */
    const char *const *usual;
    /* In place of `load`, for a file that holds more than the vocabulary: reads what it needs of it. */
    int (*read)(struct cg_token_list *list, struct cg_err *err);
};

/* A file for each row of the table. */
int cg_tokenizer_json_load(struct cg_token_list *list, struct cg_buf *text, struct cg_err *err);
int cg_tekken_load(struct cg_token_list *list, struct cg_buf *text, struct cg_err *err);
int cg_vocab_json_load(struct cg_token_list *list, struct cg_buf *text, struct cg_err *err);
int cg_vocab_txt_load(struct cg_token_list *list, struct cg_buf *text, struct cg_err *err);
int cg_sentencepiece_load(struct cg_token_list *list, struct cg_buf *text, struct cg_err *err);
int cg_fairseq_load(struct cg_token_list *list, struct cg_buf *text, struct cg_err *err);
bool cg_tiktoken_recognises(const char *head, size_t n);
int cg_tiktoken_load(struct cg_token_list *list, struct cg_buf *text, struct cg_err *err);
int cg_gguf_vocabulary_read(struct cg_token_list *list, struct cg_err *err);

/* For a file that is no use: a line in warnings with `consequence` behind it, or -1 when `why` is want of
 * memory. 0 when nothing is wrong. */
int cg_vocabulary_excuse(const struct cg_err *why, const char *consequence, struct cg_buf *warnings,
                         struct cg_err *err);

/* added_tokens.c: takes in the tokens that the files beside a vocabulary add: tokenizer_config.json's
 * added_tokens_decoder or, where there is none, added_tokens.json; and notes as special what `usual`,
 * tokenizer_config.json and special_tokens_map.json name so. A broken file is a line in warnings. */
int cg_added_tokens_load(struct cg_token_list *list, const char *folder, const char *const *usual,
                         struct cg_buf *warnings, struct cg_err *err);

#endif
