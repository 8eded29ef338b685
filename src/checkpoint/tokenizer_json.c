/* tokenizer.json of PyPI's tokenizers: the model's vocabulary and the tokens added to it. */
#include "file.h"
#include "token_json.h"
#include "vocabulary_source.h"
#include <string.h>

static int add_added(struct cg_token_list *list, const json_t *added, struct cg_err *err)
{
    const struct cg_token_coding as_written = {CG_TOKEN_AS_WRITTEN, NULL};
    for (size_t i = 0; i < json_array_size(added); i++) {
        const json_t *entry = json_array_get(added, i), *content = json_object_get(entry, "content");
        if (cg_token_list_add_json(list, as_written, json_string_value(content), json_string_length(content),
                                   cg_token_json_id(json_object_get(entry, "id")),
                                   json_is_true(json_object_get(entry, "special")), err) < 0)
            return -1;
    }
    cg_token_list_end_added(list);
    return 0;
}

/* {token: id} of BPE, WordPiece and WordLevel, or [[token, score]] of Unigram, where the id is the index. */
static int add_model(struct cg_token_list *list, struct cg_token_coding coding, json_t *vocab,
                     struct cg_err *err)
{
    const char *text;
    json_t *id;
    json_object_foreach(vocab, text, id)
    {
        if (cg_token_list_add_json(list, coding, text, strlen(text), cg_token_json_id(id), false, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < json_array_size(vocab); i++) {
        const json_t *piece = json_array_get(json_array_get(vocab, i), 0);
        if (cg_token_list_add_json(list, coding, json_string_value(piece), json_string_length(piece),
                                   (int64_t)i, false, err) < 0)
            return -1;
    }
    return 0;
}

int cg_tokenizer_json_load(struct cg_token_list *list, struct cg_buf *text, struct cg_err *err)
{
    int result = -1;
    json_t *root = cg_token_json_parse(text, list->path, err);
    CG_TRY(root ? 0 : -1);
    json_t *vocab = json_object_get(json_object_get(root, "model"), "vocab");
    if (!json_is_object(vocab) && !json_is_array(vocab)) {
        cg_fail_at(err, CG_EFORMAT, list->path, NULL, -1, "no vocabulary in model.vocab");
        goto done;
    }
    CG_TRY(add_added(list, json_object_get(root, "added_tokens"), err));
    result = add_model(list, cg_token_coding_of(root), vocab, err);
done:
    json_decref(root);
    return result;
}
