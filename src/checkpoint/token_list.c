#include "token_list.h"
#include "cognate/mem.h"
#include "file.h"
#include "token_json.h"
#include <inttypes.h>
#include <stdlib.h>

enum { MOST_TOKENS = 4194304, MOST_DIGITS = 18, SHOWN_PATH = 400 };

/* Counts a token that is left out, or makes room for it. Returns 1 when there is a token to take in. */
static int begin(struct cg_token_list *list, int64_t *left_out, struct cg_err *err)
{
    if ((int64_t)list->n + list->marked + list->malformed >= MOST_TOKENS)
        return cg_fail_at(err, CG_EUNSUPPORTED, list->path, NULL, -1, "more than %d tokens", MOST_TOKENS);
    if (left_out) {
        ++*left_out;
        return 0;
    }
    if (cg_grow((void **)&list->tokens, &list->capacity, list->n + 1, sizeof *list->tokens, err) < 0)
        return -1;
    return 1;
}

/* The token's bytes stand behind `offset`. */
static int end(struct cg_token_list *list, struct cg_token token, struct cg_err *err)
{
    token.length = list->bytes.size - token.offset;
    if (cg_buf_append(&list->bytes, "", 1, err) < 0)
        return -1;
    list->tokens[list->n++] = token;
    return 0;
}

static bool is_utf8(const char *text, size_t n)
{
    for (size_t at = 0, length; at < n; at += length) {
        length = cg_utf8_length(text + at, n - at);
        if (length == 0)
            return false;
    }
    return true;
}

int cg_token_list_add(struct cg_token_list *list, struct cg_token_coding coding, const char *text, size_t n,
                      int64_t id, bool special, struct cg_err *err)
{
    bool malformed = !text || id < 0 || !is_utf8(text, n);
    int todo = begin(list, malformed ? &list->malformed : NULL, err);
    if (todo <= 0)
        return todo;
    if (!special && list->special)
        special = json_object_getn(list->special, text, n) != NULL;
    if (special)
        coding.kind = CG_TOKEN_AS_WRITTEN;
    struct cg_token token = {.offset = list->bytes.size, .id = id, .special = special};
    token.byte = cg_token_names_byte(coding, text, n);
    if (cg_token_bytes(&list->bytes, coding, text, n, err) < 0)
        return -1;
    return end(list, token, err);
}

int cg_token_list_add_json(struct cg_token_list *list, struct cg_token_coding coding, const char *text,
                           size_t n, int64_t id, bool special, struct cg_err *err)
{
    if (text && id >= 0 && cg_token_json_is_marked(text, n))
        return begin(list, &list->marked, err);
    return cg_token_list_add(list, coding, text, n, id, special, err);
}

int cg_token_list_add_raw(struct cg_token_list *list, const char *bytes, size_t n, int64_t id,
                          struct cg_err *err)
{
    int todo = begin(list, !bytes || id < 0 ? &list->malformed : NULL, err);
    if (todo <= 0)
        return todo;
    struct cg_token token = {.offset = list->bytes.size, .id = id};
    if (cg_buf_append(&list->bytes, bytes, n, err) < 0)
        return -1;
    return end(list, token, err);
}

int64_t cg_token_id_of(const char *digits, size_t n)
{
    int64_t id = 0;
    for (size_t i = 0; i < n; i++) {
        if (n > MOST_DIGITS || digits[i] < '0' || digits[i] > '9')
            return -1;
        id = id * 10 + (digits[i] - '0');
    }
    return n > 0 ? id : -1;
}

void cg_token_list_end_added(struct cg_token_list *list)
{
    list->added = list->bytes.size;
}

static int by_id_then_order(const void *left, const void *right)
{
    const struct cg_token *a = left, *b = right;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

void cg_token_list_settle(struct cg_token_list *list)
{
    if (list->n == 0)
        return;
    qsort(list->tokens, list->n, sizeof *list->tokens, by_id_then_order);
    size_t kept = 0;
    for (size_t i = 1; i < list->n; i++) {
        bool kept_is_added = list->tokens[kept].offset < list->added;
        bool is_added = list->tokens[i].offset < list->added;
        if (list->tokens[i].id != list->tokens[kept].id)
            list->tokens[++kept] = list->tokens[i];
        else
            list->duplicates += kept_is_added == is_added;
    }
    list->n = kept + 1;
}

static int report_count(struct cg_buf *warnings, const char *path, int64_t count, const char *what,
                        struct cg_err *err)
{
    return count == 0
               ? 0
               : cg_buf_printf(warnings, err, "%s: %" PRId64 " tokens left out: %s\n", path, count, what);
}

int cg_token_list_report(const struct cg_token_list *list, struct cg_buf *warnings, struct cg_err *err)
{
    char path[SHOWN_PATH];
    cg_printable(path, sizeof path, list->path);
    if (report_count(warnings, path, list->marked, "lone surrogates or a NUL in their text", err) < 0 ||
        report_count(warnings, path, list->malformed, "no usable text or id", err) < 0 ||
        report_count(warnings, path, list->duplicates, "another token has the same id", err) < 0)
        return -1;
    return 0;
}

void cg_token_list_release(struct cg_token_list *list)
{
    cg_buf_release(&list->bytes);
    free(list->tokens);
    json_decref(list->special);
    *list = (struct cg_token_list){0};
}
