#include "kept.h"
#include "cognate/mem.h"
#include <stdlib.h>
#include <string.h>

static size_t bytes_of(const struct cg_kept_key *key)
{
    return (size_t)key->floats * sizeof(float);
}

static size_t token_bytes(const struct cg_kept_key *key)
{
    return (size_t)key->ntokens * sizeof *key->tokens;
}

struct cg_kept_rows *cg_kept_find(struct cg_kept *kept, enum cg_statistic statistic,
                                  const struct cg_kept_key *key)
{
    struct cg_kept_rows *rows = kept ? &kept->of[statistic] : NULL;
    if (!rows || !rows->rows || rows->key.floats != key->floats || rows->key.half != key->half ||
        rows->key.length != key->length || rows->key.ntokens != key->ntokens ||
        (key->ntokens > 0 && memcmp(rows->tokens, key->tokens, token_bytes(key)) != 0))
        return NULL;
    return rows;
}

static void release(struct cg_kept_rows *rows)
{
    free(rows->tokens);
    free(rows->rows);
    *rows = (struct cg_kept_rows){0};
}

int cg_kept_put(struct cg_kept *kept, enum cg_statistic statistic, const struct cg_kept_key *key,
                const float *rows, struct cg_err *err)
{
    if (!kept || bytes_of(key) > CG_KEPT_BYTES)
        return 0;
    struct cg_kept_rows *out = &kept->of[statistic];
    release(out);
    out->key = *key;
    out->planted = -1;
    if (!(out->tokens = cg_new((size_t)key->ntokens, sizeof *out->tokens, err)) ||
        !(out->rows = cg_new((size_t)key->floats, sizeof *out->rows, err))) {
        release(out);
        return -1;
    }
    if (key->ntokens > 0)
        memcpy(out->tokens, key->tokens, token_bytes(key));
    memcpy(out->rows, rows, bytes_of(key));
    return 0;
}

void cg_kept_release(struct cg_kept *kept)
{
    for (int k = 0; k < CG_STATISTICS; k++)
        release(&kept->of[k]);
}
