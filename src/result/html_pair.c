/* One pair: the verdict and why, what the plain method would have said, and the pictures. */
#include "html_parts.h"
#include <inttypes.h>
#include <math.h>

enum { PAIRS_OPEN = 3 };

void cg_html_pair(FILE *out, const struct cg_result *result, int64_t pair)
{
    cg_html_model(out, result, result->root.pair_a[pair]);
    fputs("<span class=\"arrow\">\u2192</span>", out);
    cg_html_model(out, result, result->root.pair_b[pair]);
}

/* The verdict stands in the title: here is why, and how sure. */
static int put_verdict(FILE *out, const struct cg_result *result, int64_t pair, struct cg_err *err)
{
    double log10_p = result->root.log10_p[pair], limit = result->root.detection_limit[pair];
    fputs("<dt>Why</dt><dd>", out);
    if (cg_html_lines(out, result->root.reasons[pair], err) < 0)
        return -1;
    fputs("</dd>\n", out);
    if (!isnan(log10_p))
        cg_html(out, "<dt>p-value</dt><dd>$ for the strongest test, corrected for all of its kind</dd>\n",
                cg_show_p(log10_p, (struct cg_style){0}).text);
    if (!isnan(limit))
        cg_html(out, "<dt>Detection limit</dt><dd>a likeness of cosine $ or more would have been seen</dd>\n",
                cg_show_cosine(limit).text);
    return 0;
}

/* What a reader of cosines alone would conclude, named as such so that nobody takes it for the verdict. */
static void put_plain_method(FILE *out, const struct cg_result *result, int64_t pair)
{
    const char *band = result->root.band[pair];
    cg_html(
        out,
        "<dt>Plain method</dt><dd class=\"plain\">would say: $. Mean cosine $, by elements $, matrices $. "
        "For comparison; it carries no weight in the verdict.</dd>\n",
        *band ? band : "nothing, no slot compares", cg_show_cosine(result->root.mean_cosine[pair]).text,
        cg_show_cosine(result->root.weighted_cosine[pair]).text,
        cg_show_cosine(result->root.matrix_cosine[pair]).text);
}

static void put_tensors(FILE *out, const struct cg_result *result, int64_t pair)
{
    int64_t constant = result->root.constant_tensors[pair];
    cg_html(out, "<dt>Tensors</dt><dd>$ of $ compared are identical",
            cg_show_count(result->root.identical_tensors[pair]).text,
            cg_show_count(result->root.compared_tensors[pair]).text);
    if (constant > 0)
        cg_html(out, ", $ of them constant: no proof", cg_show_count(constant).text);
    cg_html(out, "; $ of b's parameters stand where a has the same shape",
            cg_show_share(result->root.comparable_fraction[pair]).text);
    fputs(result->root.same_architecture[pair] ? "</dd>\n"
                                               : "; the architectures differ or are not fully known</dd>\n",
          out);
    if (!isnan(result->root.rounding_ratio[pair]))
        cg_html(out, "<dt>Rounding</dt><dd>b differs from a by $ times what rounding explains</dd>\n",
                cg_show_score(result->root.rounding_ratio[pair]).text);
}

static void put_title(FILE *out, const struct cg_result *result, int64_t pair)
{
    bool open = result->size[CG_DIM_PAIR] <= PAIRS_OPEN;
    fprintf(out, "<details class=\"pair\"%s><summary>", open ? " open=\"open\"" : "");
    cg_html_pair(out, result, pair);
    fputs(" ", out);
    cg_html_badge(out, result->root.verdict[pair]);
    cg_html(out, " <b>$</b></summary>\n", result->root.relation[pair]);
    fprintf(out, "<div class=\"anchor\" id=\"pair-%" PRId64 "\">\n", pair + 1);
}

static int put_pair(FILE *out, const struct cg_result *result, int64_t pair, struct cg_err *err)
{
    put_title(out, result, pair);
    fputs("<dl>", out);
    if (put_verdict(out, result, pair, err) < 0)
        return -1;
    put_plain_method(out, result, pair);
    put_tensors(out, result, pair);
    fputs("</dl>\n<div class=\"grid\">\n", out);
    if (cg_html_layers(out, result, pair, err) < 0 || cg_html_experts(out, result, pair, err) < 0)
        return -1;
    cg_html_identities(out, result, pair);
    if (cg_html_norms(out, result, pair, err) < 0 || cg_html_embedding(out, result, pair, err) < 0)
        return -1;
    fputs("</div></div></details>\n", out);
    return 0;
}

int cg_html_pairs(FILE *out, const struct cg_result *result, struct cg_err *err)
{
    int64_t pairs = result->size[CG_DIM_PAIR], shown = 0;
    if (pairs == 0)
        return 0;
    fprintf(out, "<section id=\"pairs\"><h2>%s</h2>\n", pairs == 1 ? "The pair" : "Pair by pair");
    for (int64_t p = 0; p < pairs; p++) {
        if (!cg_html_in_full(result, p))
            continue;
        if (put_pair(out, result, p, err) < 0)
            return -1;
        shown++;
    }
    if (shown < pairs)
        cg_html(
            out,
            "<p class=\"note\">$ of $ pairs in full, those with evidence; all are in the table above and in "
            "the file.</p>\n",
            cg_show_count(shown).text, cg_show_count(pairs).text);
    fputs("</section>\n", out);
    return 0;
}
