#include "json.h"
#include "file.h"
#include <stdlib.h>
#include <string.h>

enum { JSON_FILE_LIMIT = 100000000 };

json_t *cg_json_parse(const char *text, size_t n, int64_t start, const char *path, struct cg_err *err)
{
    json_error_t error;
    char shown[JSON_ERROR_TEXT_LENGTH * 2];
    json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
    if (root && json_is_object(root))
        return root;
    if (root)
        cg_fail_at(err, CG_EFORMAT, path, NULL, start, "the JSON is not an object");
    else if (error.text[0] == '\0') /* jansson has a text for all else */
        cg_fail_at(err, CG_ENOMEM, path, NULL, -1, "out of memory for its JSON");
    else
        cg_fail_at(err, CG_EFORMAT, path, NULL, start + error.position, "invalid JSON: %s",
                   cg_printable(shown, sizeof shown, error.text));
    json_decref(root);
    return NULL;
}

json_t *cg_json_read(const char *path, struct cg_err *err)
{
    struct cg_buf text = {0};
    json_t *root = NULL;
    if (cg_file_slurp(&text, path, JSON_FILE_LIMIT, err) == 0)
        root = cg_json_parse(text.data, text.size, 0, path, err);
    cg_buf_release(&text);
    return root;
}

bool cg_json_count(const json_t *value, int64_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out = json_integer_value(value);
    return true;
}

const char *cg_json_shown(char *out, size_t size, const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    cg_printable(out, size, text ? text : "?");
    free(text);
    return out;
}
