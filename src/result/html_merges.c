/* Models that are weighted sums of others: a row a parent, and below it the weights layer by layer. */
#include "html_parts.h"

static void put_line(FILE *out, const struct cg_result *result, int64_t first,
                     const struct cg_merge_line *line)
{
    fputs("<tr><td class=\"text wrap\">", out);
    cg_html_model(out, result, line->child);
    fputs("</td><td class=\"text wrap\">", out);
    cg_html_model(out, result, line->parent);
    cg_html(out, "</td><td>$</td><td>$</td><td>$</td><td>$</td><td class=\"text wrap\">",
            cg_show_weight(line->mean).text, cg_show_weight(line->least).text,
            cg_show_weight(line->most).text, cg_show_score(line->error).text);
    if (line->base >= 0)
        cg_html_model(out, result, line->base);
    cg_html(out, "</td><td>$</td></tr>\n", cg_show_share(result->merges.unexplained_in_all[first]).text);
}

static void put_layer(FILE *out, const struct cg_result *result, int64_t row)
{
    int64_t layer = result->merges.layer[row];
    fputs("<tr><td class=\"text wrap\">", out);
    cg_html_model(out, result, result->merges.child[row]);
    fputs("</td><td class=\"text wrap\">", out);
    cg_html_model(out, result, result->merges.parent[row]);
    cg_html(out, "</td><td>$</td><td>$</td><td>$</td><td>$</td><td>$</td></tr>\n",
            layer < 0 ? "outside" : cg_show_count(layer).text,
            cg_show_weight(result->merges.weight[row]).text,
            cg_show_score(result->merges.standard_error[row]).text,
            cg_show_count(result->merges.matrices[row]).text,
            cg_show_share(result->merges.unexplained[row]).text);
}

static void put_layers(FILE *out, const struct cg_result *result, int64_t rows)
{
    enum { ROWS_SHOWN = 1024 };
    fputs(
        "<details class=\"numbers\"><summary>The weights, layer by layer</summary><div class=\"scroll\">"
        "<table class=\"merges\">\n<thead><tr><th class=\"text\">model</th><th class=\"text\">is made of</th>"
        "<th>layer</th><th>weight</th><th>standard error</th><th>matrices</th><th>unexplained</th></tr>"
        "</thead><tbody>\n",
        out);
    for (int64_t i = 0; i < rows && i < ROWS_SHOWN; i++)
        put_layer(out, result, i);
    fputs("</tbody></table></div>", out);
    if (rows > ROWS_SHOWN)
        cg_html(out, "<p class=\"note\">The first $ of $; the file has all.</p>",
                cg_show_count(ROWS_SHOWN).text, cg_show_count(rows).text);
    fputs("</details>\n", out);
}

void cg_html_merges(FILE *out, const struct cg_result *result)
{
    int64_t rows = result->merges.child ? result->size[CG_DIM_MERGE_ROW] : 0;
    if (rows == 0)
        return;
    fputs("<section id=\"merges\"><h2>Merges</h2>\n<p class=\"note\">Models that are weighted sums of others "
          "of this run, by least squares in each layer. The weights of a model sum to one, with that of its "
          "base where one is named. Least and most: of one layer; standard error: the largest of one layer, "
          "from how its matrices differ.</p>\n<div class=\"scroll\"><table class=\"merges\"><thead><tr>"
          "<th class=\"text\">model</th><th class=\"text\">is made of</th><th>weight</th><th>least</th>"
          "<th>most</th><th>standard error</th><th class=\"text\">base</th><th>unexplained</th></tr></thead>"
          "<tbody>\n",
          out);
    for (int64_t first = 0; first < rows;) {
        struct cg_merge_line line = cg_merge_line_at(result, first);
        put_line(out, result, first, &line);
        first += line.rows;
    }
    fputs("</tbody></table></div>\n", out);
    put_layers(out, result, rows);
    fputs("</section>\n", out);
}
