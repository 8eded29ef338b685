/* The vocabulary that a GGUF file holds. */
#include "file.h"
#include "gguf.h"
#include "vocabulary_source.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The types of tokens, as SentencePiece numbers them. */
enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER_DEFINED = 4, UNUSED = 5, BYTE = 6 };

/* How the tokens of a kind of tokenizer are written. BERT's begin with U+2581 where a word begins. */
static const struct kind {
    const char *model;
    struct cg_token_coding coding, defined; /* of tokens, and of those that users defined */
} kinds[] = {
    {"llama", {CG_TOKEN_SPACED, NULL}, {CG_TOKEN_SPACED, NULL}},
    {"gpt2", {CG_TOKEN_BYTE_LEVEL, NULL}, {CG_TOKEN_AS_WRITTEN, NULL}},
    {"bert", {CG_TOKEN_SPACED, NULL}, {CG_TOKEN_AS_WRITTEN, NULL}},
    {"t5", {CG_TOKEN_SPACED, NULL}, {CG_TOKEN_SPACED, NULL}},
};

static const struct kind *kind_of(const struct cg_gguf *gguf, struct cg_err *err)
{
    const struct cg_gguf_value *model = cg_gguf_find(gguf, "tokenizer.ggml.model");
    char shown[80];
    for (size_t i = 0; model && model->text && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].model, model->text) == 0)
            return &kinds[i];
    cg_fail_at(err, CG_EUNSUPPORTED, gguf->path, NULL, model ? model->at : -1,
               "its tokenizer is of a kind that cognate does not read: %s",
               cg_printable(shown, sizeof shown, model && model->text ? model->text : "none"));
    return NULL;
}

/* The types of the tokens, in a buffer of 4 bytes each; empty where the file does not say them. */
static int read_types(struct cg_buf *out, struct cg_gguf *gguf, int64_t count, struct cg_err *err)
{
    const struct cg_gguf_value *types = cg_gguf_find(gguf, "tokenizer.ggml.token_type");
    if (!types)
        return 0;
    if (types->item != CG_GGUF_I32 || types->count != count)
        return cg_gguf_refuse(gguf, types->key, types->at, err,
                              "must be an I32 for each of the %" PRId64 " tokens", count);
    gguf->at = types->first;
    for (int64_t left = 4 * count; left > 0;) {
        size_t n = left < CG_GGUF_WINDOW ? (size_t)left : CG_GGUF_WINDOW;
        const char *bytes = cg_gguf_take(gguf, n, err);
        if (!bytes || cg_buf_append(out, bytes, n, err) < 0)
            return -1;
        left -= (int64_t)n;
    }
    return 0;
}

/* What is unused fills the numbers between tokens. */
static int add_token(struct cg_token_list *list, const struct kind *kind, int type, const char *text,
                     size_t n, int64_t id, struct cg_err *err)
{
    struct cg_token_coding coding = type == USER_DEFINED ? kind->defined : kind->coding;
    if (type == UNUSED)
        return 0;
    if (type == BYTE)
        coding.kind = CG_TOKEN_PIECE;
    return cg_token_list_add(list, coding, text, n, id, type == UNKNOWN || type == CONTROL, err);
}

static int add_tokens(struct cg_token_list *list, struct cg_gguf *gguf, struct cg_err *err)
{
    const struct cg_gguf_value *tokens = cg_gguf_find(gguf, "tokenizer.ggml.tokens");
    const struct kind *kind = kind_of(gguf, err);
    struct cg_buf types = {0};
    int result = -1;
    if (!kind)
        goto done;
    if (!tokens || tokens->item != CG_GGUF_TEXT || tokens->type != CG_GGUF_ARRAY) {
        cg_gguf_refuse(gguf, "tokenizer.ggml.tokens", tokens ? tokens->at : -1, err,
                       "must be a list of texts");
        goto done;
    }
    CG_TRY(read_types(&types, gguf, tokens->count, err));
    gguf->at = tokens->first;
    for (int64_t id = 0; id < tokens->count; id++) {
        const char *text;
        size_t n;
        int32_t type = NORMAL;
        if (types.size > 0)
            memcpy(&type, types.data + 4 * id, sizeof type);
        CG_TRY(cg_gguf_take_text(gguf, &text, &n, err));
        CG_TRY(add_token(list, kind, type, text, n, id, err));
    }
    result = 0;
done:
    cg_buf_release(&types);
    return result;
}

int cg_gguf_vocabulary_read(struct cg_token_list *list, struct cg_err *err)
{
    struct cg_gguf gguf = {0};
    struct cg_file file = {0};
    int result = -1, descriptor = cg_file_open(&file, list->path, err);
    CG_TRY(descriptor);
    CG_TRY(cg_gguf_read(&gguf, descriptor, &file, err));
    result = add_tokens(list, &gguf, err);
done:
    if (descriptor >= 0)
        close(descriptor);
    cg_gguf_release(&gguf);
    free(file.path);
    return result;
}
