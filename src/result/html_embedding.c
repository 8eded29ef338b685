/* The rows of the tokens that two vocabularies share. */
#include "html_parts.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { LEFT = 34, RIGHT = 354, TOP = 6, BASE = 116, BINS = 50, TOKENS_SHOWN = 5 };

/* Bins over [low, 1]; 1 itself falls into the last. */
static int64_t count_bins(const struct cg_tokens *tokens, double low, int64_t count[BINS])
{
    int64_t most = 0;
    for (int64_t i = 0; i < tokens->n; i++) {
        int bin = (int)((tokens->sorted[i].cosine - low) / (1 - low) * BINS);
        bin = bin < 0 ? 0 : bin < BINS ? bin : BINS - 1;
        most = ++count[bin] > most ? count[bin] : most;
    }
    return most;
}

static void put_histogram(FILE *out, const struct cg_tokens *tokens)
{
    int64_t count[BINS] = {0};
    double low = tokens->sorted[0].cosine < -0.005 ? -1 : 0;
    int64_t most = count_bins(tokens, low, count);
    struct cg_scale x = {low, 1, LEFT, RIGHT - LEFT}, y = {0, (double)most, BASE, TOP - BASE};
    fprintf(out, "<figure><svg viewBox=\"0 0 360 %d\" role=\"img\"><title>Tokens by cosine</title>\n",
            BASE + 34);
    cg_html_axis_y(out, &y, LEFT, RIGHT, cg_scale_step((double)most, 1, 4), 0);
    cg_html_axis_x(out, &x, BASE, low < 0 ? 0.5 : 0.2, 1);
    fputs("<path class=\"bars\" d=\"", out);
    for (int i = 0; i < BINS; i++)
        if (count[i] > 0)
            fprintf(out, "M%.1f %dV%.1fh5.6V%dz", LEFT + 0.4 + i * x.extent / BINS, BASE,
                    cg_scale_place(&y, (double)count[i]), BASE);
    fprintf(
        out,
        "\"/>\n<text class=\"name\" x=\"%d\" y=\"%d\">cosine of a token's two rows</text></svg></figure>\n",
        LEFT, BASE + 30);
}

static void put_token(FILE *out, const struct cg_result *result, const struct cg_ranked_token *token)
{
    cg_html(out, "<tr><td class=\"text\"><code>$</code></td><td>$</td><td>$</td></tr>\n",
            result->embeddings.token_text[token->index], cg_show_cosine(token->cosine).text,
            cg_show_cosine(result->embeddings.token_centred_cosine[token->index]).text);
}

/* The least and the most alike; all where they are few. */
static void put_tokens(FILE *out, const struct cg_result *result, const struct cg_tokens *tokens)
{
    int64_t n = tokens->n, cut = n > 2 * TOKENS_SHOWN ? TOKENS_SHOWN : n;
    cg_html(
        out,
        "<p class=\"note\">5 % of tokens below $, median $, 5 % above $.</p>\n"
        "<details class=\"numbers\"><summary>The tokens most and least alike</summary><div class=\"scroll\">"
        "<table "
        "class=\"tokens\"><thead><tr><th>token</th><th>cosine</th><th>centred</th></tr></thead><tbody>\n",
        cg_show_cosine(cg_tokens_quantile(tokens, 0.05)).text,
        cg_show_cosine(cg_tokens_quantile(tokens, 0.5)).text,
        cg_show_cosine(cg_tokens_quantile(tokens, 0.95)).text);
    for (int64_t i = 0; i < cut; i++)
        put_token(out, result, &tokens->sorted[n - 1 - i]);
    for (int64_t i = cut < n ? cut : 0; i-- > 0;)
        put_token(out, result, &tokens->sorted[i]);
    fputs("</tbody></table></div></details>\n", out);
}

static void put_facts(FILE *out, const struct cg_result *result, int64_t pair)
{
    int64_t shared = result->embeddings.shared_tokens[pair];
    cg_html(out, "<dl><dt>Rows</dt><dd>$ in a, $ in b</dd><dt>Shared tokens</dt><dd>",
            cg_show_count(result->embeddings.rows_a[pair]).text,
            cg_show_count(result->embeddings.rows_b[pair]).text);
    if (shared >= 0)
        cg_html(out, "$, of which $ with the same id</dd>", cg_show_count(shared).text,
                cg_show_count(result->embeddings.same_id_tokens[pair]).text);
    else
        fputs("unknown: a vocabulary is missing</dd>", out);
    if (!isnan(result->embeddings.cosine[pair]))
        cg_html(out, "<dt>Cosine</dt><dd>$ plain, $ centred</dd>",
                cg_show_cosine(result->embeddings.cosine[pair]).text,
                cg_show_cosine(result->embeddings.centred_cosine[pair]).text);
    fputs("</dl>\n", out);
}

int cg_html_embedding(FILE *out, const struct cg_result *result, int64_t pair, struct cg_err *err)
{
    struct cg_tokens tokens;
    if (!result->embeddings.rows_a ||
        (result->embeddings.rows_a[pair] < 0 && result->embeddings.rows_b[pair] < 0))
        return 0;
    if (cg_tokens_of(&tokens, result, pair, err) < 0)
        return -1;
    fputs("<section><h4>Embedding, by shared token</h4>\n", out);
    put_facts(out, result, pair);
    if (tokens.n > 0) {
        put_histogram(out, &tokens);
        put_tokens(out, result, &tokens);
    }
    free(tokens.sorted);
    fputs("</section>\n", out);
    return 0;
}
