#include "cognate/mem.h"
#include "sweep/mix.h"
#include "take.h"
#include <stdlib.h>
#include <string.h>

static const uint64_t TOKEN_SEED = UINT64_C(0x746F6B656E); /* "token" */

uint64_t cg_print_token_key(const char *bytes, size_t n, bool special)
{
    uint64_t key = cg_mix(TOKEN_SEED + special);
    for (size_t i = 0; i < n; i++)
        key = cg_mix(key ^ (uint64_t)(unsigned char)bytes[i]);
    return key;
}

struct keyed {
    uint64_t key;
    int64_t id;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t count_rows(const struct cg_vocabulary *vocabulary, int64_t rows)
{
    int64_t n = 0;
    for (size_t i = 0; i < vocabulary->ntokens; i++)
        n += vocabulary->tokens[i].id < rows;
    return n;
}

static void set_sizes_on_root(struct cg_fingerprint *out, const struct cg_vocabulary *vocabulary,
                              int64_t rows, int64_t width)
{
    int64_t sample = least(count_rows(vocabulary, rows), CG_PRINT_TOKENS_KEPT), bytes = 0;
    for (size_t i = 0; i < vocabulary->ntokens; i++)
        bytes += (int64_t)vocabulary->tokens[i].length;
    out->size[CG_PRINT_ENTRY] = (int64_t)vocabulary->ntokens;
    out->size[CG_PRINT_BYTE] = bytes;
    out->size[CG_PRINT_SAMPLE] = sample;
    out->size[CG_PRINT_SAMPLE_COLUMN] = least(width, CG_PRINT_TOKEN_COLUMNS);
    out->size[CG_PRINT_GRAM] = out->size[CG_PRINT_GRAM_COLUMN] = least(sample, CG_PRINT_GRAM_TOKENS);
    out->root.size_value[CG_PRINT_VOCABULARY_NUMBER] = vocabulary->present;
}

static int choose_on_root(struct cg_fingerprint *out, const struct cg_vocabulary *vocabulary, int64_t rows,
                          struct cg_err *err)
{
    size_t n = 0;
    struct keyed *list = cg_new(vocabulary->ntokens, sizeof *list, err);
    if (!list)
        return -1;
    for (size_t i = 0; i < vocabulary->ntokens; i++) {
        const struct cg_token *token = &vocabulary->tokens[i];
        if (token->id < rows)
            list[n++] = (struct keyed){
                cg_print_token_key(vocabulary->bytes + token->offset, token->length, token->special),
                token->id};
    }
    if (n > 0)
        qsort(list, n, sizeof *list, by_key);
    for (int64_t i = 0; i < out->size[CG_PRINT_SAMPLE]; i++)
        out->tokens.sample_id[i] = list[i].id;
    free(list);
    return 0;
}

static int fill_on_root(const struct cg_comm *comm, struct cg_fingerprint *out,
                        const struct cg_vocabulary *vocabulary, int64_t rows, struct cg_err *err)
{
    int64_t at = 0;
    if (comm->rank != 0)
        return 0;
    for (size_t i = 0; i < vocabulary->ntokens; i++) {
        const struct cg_token *token = &vocabulary->tokens[i];
        out->tokens.id[i] = token->id;
        out->tokens.first[i] = at;
        out->tokens.length[i] = (int64_t)token->length;
        out->tokens.special[i] = token->special;
        out->tokens.names_byte[i] = token->byte;
        memcpy(out->tokens.bytes + at, vocabulary->bytes + token->offset, token->length);
        at += (int64_t)token->length;
    }
    return choose_on_root(out, vocabulary, rows, err);
}

int cg_print_vocabulary(const struct cg_comm *comm, struct cg_fingerprint *out,
                        const struct cg_vocabulary *vocabulary, int64_t rows, int64_t width,
                        struct cg_err *err)
{
    static const enum cg_print_dimension sized[] = {CG_PRINT_ENTRY,  CG_PRINT_BYTE,
                                                    CG_PRINT_SAMPLE, CG_PRINT_SAMPLE_COLUMN,
                                                    CG_PRINT_GRAM,   CG_PRINT_GRAM_COLUMN};
    out->root.size_value[CG_PRINT_VOCABULARY_NUMBER] = 0;
    if (comm->rank == 0)
        set_sizes_on_root(out, vocabulary, rows, width);
    for (size_t i = 0; i < sizeof sized / sizeof *sized; i++)
        out->size[sized[i]] = cg_max_int(comm, out->size[sized[i]]);
    int64_t *present = &out->root.size_value[CG_PRINT_VOCABULARY_NUMBER];
    *present = cg_max_int(comm, *present);
    if (cg_agree(comm, cg_print_allocate(out, "/tokens", err), err) < 0 ||
        cg_agree(comm, fill_on_root(comm, out, vocabulary, rows, err), err) < 0)
        return -1;
    cg_print_share(comm, out, "/tokens");
    return 0;
}
