/* What the files beside a vocabulary say of it, as PyPI's transformers reads them
 * (src/transformers/tokenization_utils_base.py). */
#include "file.h"
#include "token_json.h"
#include "vocabulary_source.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The file's JSON; *out stays NULL when there is no file or it is broken. */
static int read_beside(json_t **out, const char *folder, const char *name, struct cg_buf *warnings,
                       struct cg_err *err)
{
    struct cg_err why = {0};
    struct cg_buf text = {0};
    char *path = cg_path_of_member(folder, name, &why);
    bool absent = path && access(path, F_OK) < 0;
    if (path && !absent && cg_file_slurp(&text, path, CG_VOCABULARY_BYTES, &why) == 0)
        *out = cg_token_json_parse(&text, path, &why);
    cg_buf_release(&text);
    free(path);
    return cg_vocabulary_excuse(&why, "tokens that it adds are not known", warnings, err);
}

/* "text" or {"content": "text"}; NULL for anything else. */
static const json_t *text_of(const json_t *value)
{
    const json_t *text = json_is_object(value) ? json_object_get(value, "content") : value;
    return json_is_string(text) ? text : NULL;
}

static int note(struct cg_token_list *list, const char *text, struct cg_err *err)
{
    if (json_object_set_new(list->special, text, json_true()) < 0)
        return cg_fail(err, CG_ENOMEM, "out of memory for special tokens");
    return 0;
}

/* One special token, or an array or object of them. */
static int note_value(struct cg_token_list *list, json_t *value, struct cg_err *err)
{
    const json_t *text = text_of(value);
    if (text)
        return note(list, json_string_value(text), err);
    for (size_t i = 0; i < json_array_size(value); i++) {
        text = text_of(json_array_get(value, i));
        if (text && note(list, json_string_value(text), err) < 0)
            return -1;
    }
    const char *key;
    json_t *item;
    json_object_foreach(value, key, item)
    {
        text = text_of(item);
        if (text && note(list, json_string_value(text), err) < 0)
            return -1;
    }
    return 0;
}

/* "bos_token" and its like; "additional_special_tokens", "extra_special_tokens". */
static int note_specials(struct cg_token_list *list, json_t *config, struct cg_err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach(config, key, value)
    {
        bool names = cg_ends_with(key, "_token") || cg_ends_with(key, "_special_tokens");
        if (names && note_value(list, value, err) < 0)
            return -1;
    }
    return 0;
}

/* {"id": {"content": ..., "special": ...}} of tokenizer_config.json. */
static int add_decoder(struct cg_token_list *list, json_t *decoder, struct cg_err *err)
{
    const struct cg_token_coding as_written = {CG_TOKEN_AS_WRITTEN, NULL};
    const char *id;
    json_t *entry;
    json_object_foreach(decoder, id, entry)
    {
        const json_t *text = text_of(entry);
        if (cg_token_list_add_json(list, as_written, json_string_value(text), json_string_length(text),
                                   cg_token_id_of(id, strlen(id)),
                                   json_is_true(json_object_get(entry, "special")), err) < 0)
            return -1;
    }
    return 0;
}

/* {token: id} of added_tokens.json. */
static int add_encoder(struct cg_token_list *list, json_t *encoder, struct cg_err *err)
{
    const struct cg_token_coding as_written = {CG_TOKEN_AS_WRITTEN, NULL};
    const char *text;
    json_t *id;
    json_object_foreach(encoder, text, id)
    {
        if (cg_token_list_add_json(list, as_written, text, strlen(text), cg_token_json_id(id), false, err) <
            0)
            return -1;
    }
    return 0;
}

int cg_added_tokens_load(struct cg_token_list *list, const char *folder, const char *const *usual,
                         struct cg_buf *warnings, struct cg_err *err)
{
    json_t *config = NULL, *map = NULL, *added = NULL;
    int result = -1;
    list->special = json_object();
    if (!list->special) {
        cg_fail(err, CG_ENOMEM, "out of memory for special tokens");
        goto done;
    }
    CG_TRY(read_beside(&config, folder, "tokenizer_config.json", warnings, err));
    CG_TRY(read_beside(&map, folder, "special_tokens_map.json", warnings, err));
    for (; *usual; usual++)
        CG_TRY(note(list, *usual, err));
    CG_TRY(note_specials(list, config, err));
    CG_TRY(note_specials(list, map, err));
    json_t *decoder = json_object_get(config, "added_tokens_decoder");
    if (!decoder)
        CG_TRY(read_beside(&added, folder, "added_tokens.json", warnings, err));
    CG_TRY(decoder ? add_decoder(list, decoder, err) : add_encoder(list, added, err));
    cg_token_list_end_added(list);
    result = 0;
done:
    json_decref(config);
    json_decref(map);
    json_decref(added);
    return result;
}
