/* tekken.json, Mistral's: special tokens first, by their rank; then those of text, in base64, whose ranks
 * count from the end of the room for special ones. The file may list more than the model has.
 * https://github.com/mistralai/mistral-common (src/mistral_common/tokens/tokenizers/tekken.py) */
#include "cognate/mem.h"
#include "file.h"
#include "token_json.h"
#include "vocabulary_source.h"
#include <stdlib.h>
#include <string.h>

/* Those of files that list none, by rank. */
static const char *const usual[] = {
    "<unk>",
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    "[TOOL_CALLS]",
    "[IMG]",
    "<pad>",
    "[IMG_BREAK]",
    "[IMG_END]",
    "[PREFIX]",
    "[MIDDLE]",
    "[SUFFIX]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "[TOOL_CONTENT]",
};

/* A member that is text, with its length; NULL for any other. */
static const char *text_of(const json_t *object, const char *key, size_t *n)
{
    const json_t *value = json_object_get(object, key);
    *n = json_string_length(value);
    return json_string_value(value);
}

static int add_special(struct cg_token_list *list, const char *text, size_t n, int64_t rank, int64_t room,
                       struct cg_err *err)
{
    const struct cg_token_coding coding = {CG_TOKEN_AS_WRITTEN, NULL};
    return cg_token_list_add_json(list, coding, text, n, rank < room ? rank : -1, true, err);
}

static int load_special(struct cg_token_list *list, const json_t *tokens, int64_t room, struct cg_err *err)
{
    const json_t *token;
    size_t i, n;
    for (i = 0; !json_is_array(tokens) && i < sizeof usual / sizeof *usual && (int64_t)i < room; i++)
        if (add_special(list, usual[i], strlen(usual[i]), (int64_t)i, room, err) < 0)
            return -1;
    json_array_foreach(tokens, i, token)
    {
        const char *text = text_of(token, "token_str", &n);
        if (add_special(list, text, n, cg_token_json_id(json_object_get(token, "rank")), room, err) < 0)
            return -1;
    }
    return 0;
}

/* Tokens of text have ids from `room` to before `end`. */
static int load_text(struct cg_token_list *list, const json_t *tokens, int64_t room, int64_t end,
                     struct cg_err *err)
{
    const json_t *token;
    size_t i, n;
    json_array_foreach(tokens, i, token)
    {
        const char *base64 = text_of(token, "token_bytes", &n);
        int64_t rank = cg_token_json_id(json_object_get(token, "rank"));
        int64_t letters = base64 ? cg_base64_letters(base64, n) : -1;
        if (rank >= end - room)
            continue;
        char *bytes = cg_copy_text(base64 ? base64 : "", n, err);
        size_t length = bytes && letters >= 0 ? cg_base64_decode(bytes, (size_t)letters) : 0;
        int result = !bytes ? -1
                            : cg_token_list_add_raw(list, letters < 0 ? NULL : bytes, length,
                                                    rank < 0 ? -1 : room + rank, err);
        free(bytes);
        if (result < 0)
            return -1;
    }
    return 0;
}

int cg_tekken_load(struct cg_token_list *list, struct cg_buf *text, struct cg_err *err)
{
    json_t *tekken = cg_token_json_parse(text, list->path, err);
    if (!tekken)
        return -1;
    int result = -1;
    const json_t *config = json_object_get(tekken, "config"), *tokens = json_object_get(tekken, "vocab");
    int64_t room = cg_token_json_id(json_object_get(config, "default_num_special_tokens"));
    int64_t end = cg_token_json_id(json_object_get(config, "default_vocab_size"));
    if (!json_is_array(tokens) || room < 0 || end < room)
        cg_fail_at(err, CG_EFORMAT, list->path, NULL, 0,
                   "needs a vocab and in its config default_vocab_size and default_num_special_tokens");
    else if (load_special(list, json_object_get(tekken, "special_tokens"), room, err) == 0)
        result = load_text(list, tokens, room, end, err);
    json_decref(tekken);
    return result;
}
