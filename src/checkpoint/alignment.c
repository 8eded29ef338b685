#include "cognate/mem.h"
#include "cognate/vocabulary.h"
#include <stdlib.h>
#include <string.h>

enum { TOKEN_TEXT = 64 };

/* A token as it is looked up. */
struct key {
    const char *bytes;
    size_t length;
    int64_t id;
    bool special, byte;
};

struct pair {
    int64_t id_a;
    struct key b;
};

static int compare_tokens(const struct key *a, const struct key *b)
{
    if (a->special != b->special)
        return a->special - b->special;
    int order = memcmp(a->bytes, b->bytes, a->length < b->length ? a->length : b->length);
    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

/* Tokens that are a byte by its number come behind the others of the same bytes. */
static int by_token_then_id(const void *left, const void *right)
{
    const struct key *a = left, *b = right;
    int order = compare_tokens(a, b);
    if (order == 0)
        order = a->byte - b->byte;
    return order != 0 ? order : (a->id > b->id) - (a->id < b->id);
}

static int by_id_of_b(const void *left, const void *right)
{
    const struct pair *a = left, *b = right;
    return (a->b.id > b->b.id) - (a->b.id < b->b.id);
}

/* The tokens that have a row, sorted. */
static struct key *sorted_keys(const struct cg_vocabulary *vocabulary, int64_t rows, size_t *n,
                               struct cg_err *err)
{
    struct key *keys = cg_new(vocabulary->ntokens, sizeof *keys, err);
    if (!keys)
        return NULL;
    *n = 0;
    for (size_t i = 0; i < vocabulary->ntokens; i++) {
        const struct cg_token *token = &vocabulary->tokens[i];
        if (token->id < rows)
            keys[(*n)++] = (struct key){vocabulary->bytes + token->offset, token->length, token->id,
                                        token->special, token->byte};
    }
    qsort(keys, *n, sizeof *keys, by_token_then_id);
    return keys;
}

/* Keys that stand for the same bytes: `plain` of them as text, the others of `n` by the byte's number. */
struct group {
    const struct key *keys;
    size_t plain, n;
};

static struct group group_at(const struct key *keys, size_t n)
{
    struct group group = {keys, 0, 0};
    while (group.n < n && compare_tokens(keys, &keys[group.n]) == 0)
        group.plain += !keys[group.n++].byte;
    return group;
}

/* Pairs a[na] and b[nb] one to one, as far as both go. */
static size_t zip(struct pair *pairs, const struct key *a, size_t na, const struct key *b, size_t nb)
{
    size_t n = na < nb ? na : nb;
    for (size_t i = 0; i < n; i++)
        pairs[i] = (struct pair){a[i].id, b[i]};
    return n;
}

/* Like with like first; of what is left over, one side has only plain tokens and the other only bytes. */
static size_t match_groups(struct pair *pairs, struct group a, struct group b)
{
    const struct key *bytes_a = a.keys + a.plain, *bytes_b = b.keys + b.plain;
    size_t nbytes_a = a.n - a.plain, nbytes_b = b.n - b.plain;
    size_t plain = zip(pairs, a.keys, a.plain, b.keys, b.plain), n = plain;
    size_t bytes = zip(pairs + n, bytes_a, nbytes_a, bytes_b, nbytes_b);
    n += bytes;
    n += zip(pairs + n, a.keys + plain, a.plain - plain, bytes_b + bytes, nbytes_b - bytes);
    n += zip(pairs + n, bytes_a + bytes, nbytes_a - bytes, b.keys + plain, b.plain - plain);
    return n;
}

/* Merges the sorted keys of both sides. */
static size_t match(struct pair *pairs, const struct key *a, size_t na, const struct key *b, size_t nb)
{
    size_t n = 0;
    for (size_t i = 0, j = 0; i < na && j < nb;) {
        int order = compare_tokens(&a[i], &b[j]);
        struct group group_a = order <= 0 ? group_at(a + i, na - i) : (struct group){0};
        struct group group_b = order >= 0 ? group_at(b + j, nb - j) : (struct group){0};
        if (order == 0)
            n += match_groups(pairs + n, group_a, group_b);
        i += group_a.n;
        j += group_b.n;
    }
    qsort(pairs, n, sizeof *pairs, by_id_of_b);
    return n;
}

/* A token can hold the byte 0, which ends a text: what lies between such bytes is made printable in turn. */
static char *printable_token(const struct key *token, struct cg_err *err)
{
    struct cg_buf text = {0};
    const char *at = token->bytes, *end = token->bytes + token->length;
    for (;;) {
        char part[TOKEN_TEXT];
        cg_printable(part, sizeof part, at);
        if (cg_buf_append(&text, part, strlen(part), err) < 0)
            break;
        at += strlen(at);
        if (at >= end)
            return text.data;
        if (cg_buf_append(&text, "\\x00", 4, err) < 0)
            break;
        at++;
    }
    cg_buf_release(&text);
    return NULL;
}

static int fill(struct cg_alignment *out, const struct pair *pairs, size_t n, struct cg_err *err)
{
    out->id_a = cg_new(n, sizeof *out->id_a, err);
    out->id_b = out->id_a ? cg_new(n, sizeof *out->id_b, err) : NULL;
    out->text = out->id_b ? cg_new(n, sizeof *out->text, err) : NULL;
    if (!out->text)
        return -1;
    for (size_t i = 0; i < n; i++) {
        out->id_a[i] = pairs[i].id_a;
        out->id_b[i] = pairs[i].b.id;
        out->same_id += pairs[i].id_a == pairs[i].b.id;
        out->text[i] = printable_token(&pairs[i].b, err);
        if (!out->text[i])
            return -1;
        out->shared++;
    }
    return 0;
}

int cg_vocabulary_align(struct cg_alignment *out, const struct cg_vocabulary *a, int64_t rows_a,
                        const struct cg_vocabulary *b, int64_t rows_b, struct cg_err *err)
{
    size_t na = 0, nb = 0;
    struct key *keys_a = sorted_keys(a, rows_a, &na, err);
    struct key *keys_b = keys_a ? sorted_keys(b, rows_b, &nb, err) : NULL;
    struct pair *pairs = keys_b ? cg_new(na < nb ? na : nb, sizeof *pairs, err) : NULL;
    int result = pairs ? fill(out, pairs, match(pairs, keys_a, na, keys_b, nb), err) : -1;
    if (result < 0)
        cg_alignment_release(out);
    free(pairs);
    free(keys_b);
    free(keys_a);
    return result;
}

void cg_alignment_release(struct cg_alignment *alignment)
{
    for (int64_t i = 0; alignment->text && i < alignment->shared; i++)
        free(alignment->text[i]);
    free(alignment->text);
    free(alignment->id_a);
    free(alignment->id_b);
    *alignment = (struct cg_alignment){0};
}
