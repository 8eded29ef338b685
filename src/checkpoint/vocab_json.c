/* vocab.json: {token: id}, as slow tokenizers keep it, mostly with a merges.txt beside it. */
#include "file.h"
#include "token_json.h"
#include "vocabulary_source.h"
#include <string.h>

/* Nothing in the folder says reliably how the tokens are written: merges.txt also lies beside vocabularies of
 * plain letters, and the tokenizer's class is often one of its own. The tokens themselves do: nearly all
 * words begin with the sign for a space, which is U+0120 in GPT-2's byte map and U+2581 in SentencePiece.
 * Where neither is the more frequent, tokens stand as written. */
static struct cg_token_coding coding_of(json_t *vocab)
{
    int64_t byte_level = 0, pieces = 0;
    const char *text;
    json_t *id;
    json_object_foreach(vocab, text, id)
    {
        byte_level += cg_starts_with(text, "\xC4\xA0");
        pieces += cg_starts_with(text, "\xE2\x96\x81");
    }
    struct cg_token_coding coding = {CG_TOKEN_AS_WRITTEN, NULL};
    if (byte_level != pieces)
        coding.kind = byte_level > pieces ? CG_TOKEN_BYTE_LEVEL : CG_TOKEN_PIECE;
    return coding;
}

int cg_vocab_json_load(struct cg_token_list *list, struct cg_buf *text, struct cg_err *err)
{
    json_t *vocab = cg_token_json_parse(text, list->path, err);
    if (!vocab)
        return -1;
    int result = 0;
    if (!json_is_object(vocab))
        result = cg_fail_at(err, CG_EFORMAT, list->path, NULL, 0, "is not an object of tokens");
    struct cg_token_coding coding = coding_of(vocab);
    const char *token;
    json_t *id;
    json_object_foreach(vocab, token, id)
    {
        result = cg_token_list_add_json(list, coding, token, strlen(token), cg_token_json_id(id), false, err);
        if (result < 0)
            break;
    }
    json_decref(vocab);
    return result;
}
