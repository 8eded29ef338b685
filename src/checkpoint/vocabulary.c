#include "cognate/vocabulary.h"
#include "cognate/mem.h"
#include "file.h"
#include "json.h"
#include "token_bytes.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The number of values bounds the memory that the parsed file takes, before it is parsed. */
enum { MOST_BYTES = 256 << 20, MOST_TOKENS = 4194304, MOST_VALUES = 16777216 };

/* A character that is for internal use only (Unicode 23.7), in the place of what cannot be in any text. */
static const char mark[] = "\xEF\xB7\x90"; /* U+FDD0 */

/* Tokens as they are collected: first the added ones, then those of the model. */
struct collection {
    struct cg_buf bytes; /* a NUL behind each token, so that offsets tell the order of collection */
    struct cg_token *tokens;
    size_t n, capacity;
    size_t added; /* the bytes of added tokens */
    int64_t marked, malformed, duplicates;
};

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

static json_t *parse(struct cg_buf *text, const char *path, struct cg_err *err)
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

/* Takes a token in, or counts why not. text may be NULL; id is negative where the file has no usable one. */
static int collect(struct collection *to, struct cg_token_coding coding, const char *text, size_t n,
                   int64_t id, bool special, struct cg_err *err)
{
    if (!text || id < 0) {
        to->malformed++;
        return 0;
    }
    if (memmem(text, n, mark, sizeof mark - 1)) {
        to->marked++;
        return 0;
    }
    size_t offset = to->bytes.size;
    if (cg_token_bytes(&to->bytes, coding, text, n, err) < 0)
        return -1;
    size_t length = to->bytes.size - offset;
    if (cg_buf_append(&to->bytes, "", 1, err) < 0 ||
        cg_grow((void **)&to->tokens, &to->capacity, to->n + 1, sizeof *to->tokens, err) < 0)
        return -1;
    to->tokens[to->n++] = (struct cg_token){offset, length, id, special};
    return 0;
}

static int64_t id_of(const json_t *value)
{
    int64_t id;
    return cg_json_count(value, &id) ? id : -1;
}

static int collect_added(struct collection *to, const json_t *added, struct cg_err *err)
{
    const struct cg_token_coding as_written = {CG_TOKEN_AS_WRITTEN, NULL};
    for (size_t i = 0; i < json_array_size(added); i++) {
        const json_t *entry = json_array_get(added, i), *content = json_object_get(entry, "content");
        if (collect(to, as_written, json_string_value(content), json_string_length(content),
                    id_of(json_object_get(entry, "id")), json_is_true(json_object_get(entry, "special")),
                    err) < 0)
            return -1;
    }
    to->added = to->bytes.size;
    return 0;
}

/* {token: id} of BPE, WordPiece and WordLevel, or [[token, score]] of Unigram, where the id is the index. */
static int collect_model(struct collection *to, struct cg_token_coding coding, json_t *vocab,
                         struct cg_err *err)
{
    const char *text;
    json_t *id;
    json_object_foreach(vocab, text,
                        id) if (collect(to, coding, text, strlen(text), id_of(id), false, err) < 0) return -1;
    for (size_t i = 0; i < json_array_size(vocab); i++) {
        const json_t *piece = json_array_get(json_array_get(vocab, i), 0);
        if (collect(to, coding, json_string_value(piece), json_string_length(piece), (int64_t)i, false, err) <
            0)
            return -1;
    }
    return 0;
}

static int by_id_then_order(const void *left, const void *right)
{
    const struct cg_token *a = left, *b = right;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

/* Sorts by id and keeps the first of each. An added token may stand for one of the model; any other pair with
 * one id is counted. */
static void settle(struct collection *all)
{
    if (all->n == 0)
        return;
    qsort(all->tokens, all->n, sizeof *all->tokens, by_id_then_order);
    size_t kept = 0;
    for (size_t i = 1; i < all->n; i++) {
        bool kept_is_added = all->tokens[kept].offset < all->added;
        bool is_added = all->tokens[i].offset < all->added;
        if (all->tokens[i].id != all->tokens[kept].id)
            all->tokens[++kept] = all->tokens[i];
        else
            all->duplicates += kept_is_added == is_added;
    }
    all->n = kept + 1;
}

static int report_count(struct cg_buf *warnings, const char *path, int64_t count, const char *what,
                        struct cg_err *err)
{
    return count == 0
               ? 0
               : cg_buf_printf(warnings, err, "%s: %" PRId64 " tokens left out: %s\n", path, count, what);
}

static int report(struct cg_buf *warnings, const char *path, const struct collection *all, struct cg_err *err)
{
    if (report_count(warnings, path, all->marked, "lone surrogates or a NUL in their text", err) < 0 ||
        report_count(warnings, path, all->malformed, "no usable text or id", err) < 0 ||
        report_count(warnings, path, all->duplicates, "another token has the same id", err) < 0)
        return -1;
    return 0;
}

static int collect_all(struct collection *all, const json_t *root, const char *path, struct cg_err *err)
{
    const json_t *added = json_object_get(root, "added_tokens");
    json_t *vocab = json_object_get(json_object_get(root, "model"), "vocab");
    if (!json_is_object(vocab) && !json_is_array(vocab))
        return cg_fail_at(err, CG_EFORMAT, path, NULL, -1, "no vocabulary in model.vocab");
    size_t n = json_object_size(vocab) + json_array_size(vocab) + json_array_size(added);
    if (n > MOST_TOKENS)
        return cg_fail_at(err, CG_EUNSUPPORTED, path, NULL, -1, "%zu tokens, over %d", n, MOST_TOKENS);
    if (collect_added(all, added, err) < 0)
        return -1;
    return collect_model(all, cg_token_coding_of(root), vocab, err);
}

static int load(struct cg_vocabulary *out, const char *path, struct cg_buf *warnings, struct cg_err *err)
{
    struct cg_buf text = {0};
    struct collection all = {0};
    json_t *root = NULL;
    int result = -1;
    CG_TRY(cg_file_slurp(&text, path, MOST_BYTES, err));
    root = parse(&text, path, err);
    CG_TRY(root ? 0 : -1);
    CG_TRY(collect_all(&all, root, path, err));
    settle(&all);
    CG_TRY(report(warnings, path, &all, err));
    *out = (struct cg_vocabulary){true, all.bytes.data, all.bytes.size, all.tokens, all.n};
    all = (struct collection){0};
    result = 0;
done:
    cg_buf_release(&text);
    cg_buf_release(&all.bytes);
    free(all.tokens);
    json_decref(root);
    return result;
}

int cg_vocabulary_load(struct cg_vocabulary *out, const char *folder, struct cg_buf *warnings,
                       struct cg_err *err)
{
    struct cg_err why = {0};
    char *path = cg_path_of_member(folder, "tokenizer.json", &why);
    bool absent = path && access(path, F_OK) < 0;
    int result = 0;
    if (!absent && (!path || load(out, path, warnings, &why) < 0)) {
        if (why.code == CG_ENOMEM)
            result = cg_fail(err, why.code, "%s", why.text);
        else
            result = cg_buf_printf(warnings, err, "%s; no token is compared\n", why.text);
    }
    free(path);
    return result;
}

void cg_vocabulary_release(struct cg_vocabulary *vocabulary)
{
    free(vocabulary->bytes);
    free(vocabulary->tokens);
    *vocabulary = (struct cg_vocabulary){0};
}
