/* The outcome of a run at a glance: a cell a pair, and a row a pair. */
#include "cognate/mem.h"
#include "html_parts.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_OPEN = 24, LEAST_FOR_MATRIX = 4, PAIRS_IN_FULL = 200 };

static bool passes(const struct cg_result *result, int64_t pair)
{
    const char *verdict = cg_verdict_look(result->root.verdict[pair]).class_name;
    return strcmp(verdict, "none") != 0 && strcmp(verdict, "uncertain") != 0;
}

bool cg_html_in_full(const struct cg_result *result, int64_t pair)
{
    int64_t before = 0;
    if (result->size[CG_DIM_PAIR] <= PAIRS_IN_FULL)
        return true;
    if (!passes(result, pair))
        return false;
    for (int64_t p = 0; p < pair && before < PAIRS_IN_FULL; p++)
        before += passes(result, p);
    return before < PAIRS_IN_FULL;
}

/* "3 of DERIVED", for each verdict that occurs. */
static void put_counts(FILE *out, const struct cg_result *result)
{
    static const char *const verdicts[] = {"IDENTICAL", "DERIVED", "PARTIAL", "NO EVIDENCE", "INCONCLUSIVE"};
    fputs("<ul class=\"counts\">", out);
    for (size_t v = 0; v < sizeof verdicts / sizeof *verdicts; v++) {
        int64_t n = 0;
        for (int64_t p = 0; p < result->size[CG_DIM_PAIR]; p++)
            n += strcmp(result->root.verdict[p], verdicts[v]) == 0;
        if (n == 0)
            continue;
        fputs("<li>", out);
        cg_html_badge(out, verdicts[v]);
        cg_html(out, " $</li>", cg_show_count(n).text);
    }
    fputs("</ul>\n", out);
}

/* Which pair a cell of the matrix is: models squared, -1 where there is none. */
struct places {
    int64_t models;
    int64_t *pair;
    bool *row, *column; /* models that are some pair's a, some pair's b */
};

static void places_release(struct places *places)
{
    free(places->pair);
    free(places->row);
    free(places->column);
    *places = (struct places){0};
}

static int places_init(struct places *places, const struct cg_result *result, struct cg_err *err)
{
    size_t models = (size_t)result->size[CG_DIM_MODEL];
    *places = (struct places){.models = (int64_t)models};
    if (!(places->pair = cg_new(models * models, sizeof *places->pair, err)) ||
        !(places->row = cg_new(models, sizeof *places->row, err)) ||
        !(places->column = cg_new(models, sizeof *places->column, err))) {
        places_release(places);
        return -1;
    }
    memset(places->pair, 0xFF, models * models * sizeof *places->pair); /* -1 */
    for (int64_t p = 0; p < result->size[CG_DIM_PAIR]; p++) {
        int64_t a = result->root.pair_a[p], b = result->root.pair_b[p];
        if (a < 0 || b < 0 || a >= places->models || b >= places->models)
            continue;
        places->pair[a * places->models + b] = p;
        places->row[a] = places->column[b] = true;
    }
    return 0;
}

static void put_cell(FILE *out, const struct cg_result *result, int64_t pair)
{
    if (pair < 0) {
        fputs("<td class=\"same\"></td>", out);
        return;
    }
    const char *verdict = result->root.verdict[pair], *relation = result->root.relation[pair];
    struct cg_verdict_look look = cg_verdict_look(verdict);
    cg_html(out, "<td class=\"$\"><a title=\"$ \u2192 $: $$$\"", look.class_name,
            cg_model_label(result, result->root.pair_a[pair]),
            cg_model_label(result, result->root.pair_b[pair]), verdict, *relation ? ", " : "", relation);
    if (cg_html_in_full(result, pair))
        fprintf(out, " href=\"#pair-%" PRId64 "\"", pair + 1);
    cg_html(out, ">$</a></td>", look.letter);
}

static void put_matrix_head(FILE *out, const struct cg_result *result, const struct places *places)
{
    fputs("<thead><tr><td></td>", out);
    for (int64_t m = 0; m < places->models; m++)
        if (places->column[m])
            cg_html(out, "<th scope=\"col\"><span class=\"up\" title=\"$\">$ <bdi>$</bdi></span></th>",
                    cg_model_label(result, m), cg_show_count(m + 1).text, cg_model_label(result, m));
    fputs("</tr></thead><tbody>\n", out);
}

static int put_matrix(FILE *out, const struct cg_result *result, struct cg_err *err)
{
    struct places places;
    if (places_init(&places, result, err) < 0)
        return -1;
    fputs("<p class=\"note\">Rows: a, the base or earlier model; columns: b. I identical, D derived, P "
          "partial, n no "
          "evidence, ? inconclusive.</p>\n<div class=\"scroll\"><table class=\"matrix\">\n",
          out);
    put_matrix_head(out, result, &places);
    for (int64_t a = 0; a < places.models; a++) {
        if (!places.row[a])
            continue;
        fputs("<tr><th scope=\"row\">", out);
        cg_html_model(out, result, a);
        fputs("</th>", out);
        for (int64_t b = 0; b < places.models; b++)
            if (places.column[b])
                put_cell(out, result, places.pair[a * places.models + b]);
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
    places_release(&places);
    return 0;
}

static void put_row(FILE *out, const struct cg_result *result, int64_t p)
{
    bool in_full = cg_html_in_full(result, p);
    fputs("<tr><td class=\"text wrap\">", out);
    if (in_full)
        fprintf(out, "<a href=\"#pair-%" PRId64 "\">", p + 1);
    cg_html_pair(out, result, p);
    fputs(in_full ? "</a></td><td class=\"text\">" : "</td><td class=\"text\">", out);
    cg_html_badge(out, result->root.verdict[p]);
    cg_html(out, "</td><td class=\"text wrap\">$</td><td>$</td><td>$</td><td class=\"plain\">$</td></tr>\n",
            result->root.relation[p], cg_show_p(result->root.log10_p[p], (struct cg_style){0}).text,
            cg_show_cosine(result->root.detection_limit[p]).text,
            cg_show_cosine(result->root.mean_cosine[p]).text);
}

static void put_table(FILE *out, const struct cg_result *result)
{
    int64_t pairs = result->size[CG_DIM_PAIR];
    fprintf(out,
            "<details class=\"every\"%s><summary>Every pair, a line each</summary><div class=\"scroll\">\n",
            pairs <= ROWS_OPEN ? " open=\"open\"" : "");
    fputs("<table class=\"verdicts\"><thead><tr><th>pair</th><th class=\"text\">verdict</th>"
          "<th class=\"text\">relation</th><th>p</th><th>detection limit</th>"
          "<th class=\"plain\">plain cosine</th></tr></thead><tbody>\n",
          out);
    for (int64_t p = 0; p < pairs; p++)
        put_row(out, result, p);
    fputs("</tbody></table></div>\n<p class=\"note\">p: corrected, of the strongest test. Plain cosine: mean "
          "over the "
          "compared slots; it carries no weight in the verdict.</p></details>\n",
          out);
}

int cg_html_overview(FILE *out, const struct cg_result *result, struct cg_err *err)
{
    int64_t pairs = result->size[CG_DIM_PAIR];
    if (pairs < 2)
        return 0;
    put_counts(out, result);
    fputs("<section id=\"verdicts\"><h2>Verdicts</h2>\n", out);
    if (pairs >= LEAST_FOR_MATRIX && put_matrix(out, result, err) < 0)
        return -1;
    put_table(out, result);
    fputs("</section>\n", out);
    return 0;
}
