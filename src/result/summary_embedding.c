#include "cognate/mem.h"
#include "summary_parts.h"
#include <math.h>
#include <stdlib.h>

enum { TOKENS_SHOWN = 3, TOKEN_COLUMNS = 24 };

/* Ties go by index, so that the same tokens are named in every run. */
static int by_cosine(const void *x, const void *y)
{
    const struct cg_ranked_token *a = x, *b = y;
    if (a->cosine != b->cosine)
        return a->cosine < b->cosine ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

int cg_tokens_of(struct cg_tokens *out, const struct cg_result *result, int64_t pair, struct cg_err *err)
{
    int64_t all = result->embeddings.token_cosine ? result->size[CG_DIM_TOKEN] : 0;
    *out = (struct cg_tokens){.sorted = cg_new((size_t)all, sizeof *out->sorted, err)};
    if (!out->sorted)
        return -1;
    for (int64_t i = 0; i < all; i++) {
        double cosine = result->embeddings.token_cosine[i];
        if (result->embeddings.token_pair[i] == pair && !isnan(cosine))
            out->sorted[out->n++] = (struct cg_ranked_token){cosine, i};
    }
    qsort(out->sorted, (size_t)out->n, sizeof *out->sorted, by_cosine);
    return 0;
}

double cg_tokens_quantile(const struct cg_tokens *tokens, double share)
{
    if (tokens->n == 0)
        return NAN;
    double at = share * (double)(tokens->n - 1);
    int64_t below = (int64_t)at, above = below + 1 < tokens->n ? below + 1 : below;
    double low = tokens->sorted[below].cosine;
    return low + (at - (double)below) * (tokens->sorted[above].cosine - low);
}

/* Not wrapped like the other fields: blanks are part of a token. */
static void print_token(struct cg_page page, const char *name, const struct cg_result *result,
                        const struct cg_ranked_token *token)
{
    char text[CG_FIT_BYTES];
    cg_page_fit(text, result->embeddings.token_text[token->index], TOKEN_COLUMNS, page.style);
    fprintf(page.out, "  %-16s%-10s \"%s\"\n", name, cg_show_cosine(token->cosine).text, text);
}

static void print_tokens(struct cg_page page, const struct cg_result *result, const struct cg_tokens *tokens)
{
    int64_t n = tokens->n, shown = n < TOKENS_SHOWN ? n : TOKENS_SHOWN;
    cg_page_field(page, "by token", "5 %% of tokens below %s, median %s, 5 %% above %s",
                  cg_show_cosine(cg_tokens_quantile(tokens, 0.05)).text,
                  cg_show_cosine(cg_tokens_quantile(tokens, 0.50)).text,
                  cg_show_cosine(cg_tokens_quantile(tokens, 0.95)).text);
    for (int64_t i = 0; i < shown; i++)
        print_token(page, i == 0 ? "most alike" : "", result, &tokens->sorted[n - 1 - i]);
    for (int64_t i = 0; i < shown; i++)
        print_token(page, i == 0 ? "least alike" : "", result, &tokens->sorted[i]);
}

int cg_summary_embedding(struct cg_page page, const struct cg_result *result, int64_t pair,
                         struct cg_err *err)
{
    struct cg_tokens tokens;
    if (!result->embeddings.rows_a)
        return 0;
    int64_t a = result->embeddings.rows_a[pair], b = result->embeddings.rows_b[pair];
    int64_t shared = result->embeddings.shared_tokens[pair];
    if (a < 0 && b < 0)
        return 0;
    if (cg_tokens_of(&tokens, result, pair, err) < 0)
        return -1;
    cg_page_heading(page, "Embedding");
    cg_page_field(page, "rows", "%s in a, %s in b", cg_show_count(a).text, cg_show_count(b).text);
    if (shared >= 0)
        cg_page_field(page, "shared tokens", "%s, %s of them with the same id", cg_show_count(shared).text,
                      cg_show_count(result->embeddings.same_id_tokens[pair]).text);
    else
        cg_page_field(page, "shared tokens", "unknown: a vocabulary is missing");
    if (!isnan(result->embeddings.cosine[pair]))
        cg_page_field(page, "cosine", "%s plain, %s centred",
                      cg_show_cosine(result->embeddings.cosine[pair]).text,
                      cg_show_cosine(result->embeddings.centred_cosine[pair]).text);
    if (tokens.n > 0)
        print_tokens(page, result, &tokens);
    free(tokens.sorted);
    return 0;
}
