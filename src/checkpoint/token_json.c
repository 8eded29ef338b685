#include "token_json.h"
#include "file.h"
#include "json.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The number of values bounds the memory that the parsed file takes, before it is parsed. */
enum { MOST_VALUES = 16777216 };

/* A character that is for internal use only (Unicode 23.7), in the place of what cannot be in any text. */
static const char mark[] = "\xEF\xB7\x90"; /* U+FDD0 */

/* The code unit of the escape \uXXXX at `at`, or -1. */
static long unit_at(const char *at, const char *end)
{
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    char digits[5] = {at[2], at[3], at[4], at[5]};
    return strspn(digits, "0123456789abcdefABCDEF") == 4 ? strtol(digits, NULL, 16) : -1;
}

/* jansson refuses a whole file for one lone surrogate or NUL. Such an escape, "\uD83D", becomes the mark and
 * its own last three digits: as many bytes, and still another token than all others. */
static void mark_escapes(char *text, size_t n)
{
    char *end = text + n;
    for (char *at = memchr(text, '\\', n); at; at = memchr(at, '\\', (size_t)(end - at))) {
        long unit = unit_at(at, end);
        if (unit < 0) {
            at += end - at < 2 ? 1 : 2;
            continue;
        }
        long next = unit >= 0xD800 && unit <= 0xDBFF ? unit_at(at + 6, end) : -1;
        if (next >= 0xDC00 && next <= 0xDFFF)
            at += 6;
        else if (unit == 0 || (unit >= 0xD800 && unit <= 0xDFFF))
            memcpy(at, mark, sizeof mark - 1);
        at += 6;
    }
}

json_t *cg_token_json_parse(struct cg_buf *text, const char *path, struct cg_err *err)
{
    size_t values = 1;
    for (size_t i = 0; i < text->size; i++)
        values += text->data[i] == ',';
    if (values > MOST_VALUES) {
        cg_fail_at(err, CG_EUNSUPPORTED, path, NULL, -1, "more than %d values", MOST_VALUES);
        return NULL;
    }
    mark_escapes(text->data, text->size);
    json_error_t why;
    errno = 0;
    json_t *root = json_loadb(text->data, text->size, 0, &why);
    char reason[2 * JSON_ERROR_TEXT_LENGTH];
    if (!root && errno == ENOMEM) /* jansson has no reliable word for this */
        cg_fail_at(err, CG_ENOMEM, path, NULL, -1, "out of memory");
    else if (!root)
        cg_fail_at(err, CG_EFORMAT, path, NULL, why.position, "invalid JSON: %s",
                   cg_printable(reason, sizeof reason, why.text));
    return root;
}

bool cg_token_json_is_marked(const char *text, size_t n)
{
    return memmem(text, n, mark, sizeof mark - 1) != NULL;
}

int64_t cg_token_json_id(const json_t *value)
{
    int64_t id;
    return cg_json_count(value, &id) ? id : -1;
}
