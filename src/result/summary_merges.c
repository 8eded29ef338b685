#include "summary_parts.h"
#include <math.h>

struct cg_merge_line cg_merge_line_at(const struct cg_result *result, int64_t first)
{
    int64_t rows = result->merges.child ? result->size[CG_DIM_MERGE_ROW] : 0, end = first;
    struct cg_merge_line line = {
        .child = -1, .base = -1, .parent = -1, .mean = NAN, .least = NAN, .most = NAN, .error = NAN};
    if (first >= rows)
        return line;
    line.child = result->merges.child[first];
    line.base = result->merges.base[first];
    line.parent = result->merges.parent[first];
    while (end < rows && result->merges.child[end] == line.child && result->merges.parent[end] == line.parent)
        end++;
    line.rows = end - first;
    bool inside = result->merges.layer[end - 1] >= 0;
    double sum = 0;
    for (int64_t i = first; i < end; i++) {
        double weight = result->merges.weight[i];
        if (inside && result->merges.layer[i] < 0)
            continue;
        line.layers++;
        if (isnan(weight))
            continue;
        line.told++;
        sum += weight;
        line.least = fmin(line.least, weight); /* of a NaN and a number the number */
        line.most = fmax(line.most, weight);
        line.error = fmax(line.error, result->merges.standard_error[i]);
    }
    if (line.told > 0)
        line.mean = sum / (double)line.told;
    return line;
}

static int add_line(struct cg_text_table *table, const struct cg_result *result, int64_t first,
                    const struct cg_merge_line *line, bool again, struct cg_err *err)
{
    int status = -1;
    if (again)
        CG_TRY(cg_text_table_add(table, err, "%s", ""));
    else
        CG_TRY(cg_text_table_add_model(table, result, line->child, err));
    CG_TRY(cg_text_table_add_model(table, result, line->parent, err));
    CG_TRY(cg_text_table_add(table, err, "%s", cg_show_weight(line->mean).text));
    CG_TRY(cg_text_table_add(table, err, "%s", cg_show_weight(line->least).text));
    CG_TRY(cg_text_table_add(table, err, "%s", cg_show_weight(line->most).text));
    CG_TRY(cg_text_table_add(table, err, "%s", cg_show_score(line->error).text));
    if (line->base >= 0 && !again)
        CG_TRY(cg_text_table_add_model(table, result, line->base, err));
    else
        CG_TRY(cg_text_table_add(table, err, "%s", ""));
    CG_TRY(cg_text_table_add(table, err, "%s",
                             again ? "" : cg_show_share(result->merges.unexplained_in_all[first]).text));
    status = 0;
done:
    return status;
}

int cg_summary_merges(struct cg_page page, const struct cg_result *result, struct cg_err *err)
{
    static const char *const heads[] = {"model", "is made of", "weight", "least",
                                        "most",  "error",      "base",   "unexplained"};
    struct cg_text_table table = {.kinds = "LLrrrrLr"};
    int64_t rows = result->merges.child ? result->size[CG_DIM_MERGE_ROW] : 0;
    int32_t before = -1;
    int status = -1;
    if (rows == 0)
        return 0;
    CG_TRY(cg_text_table_heads(&table, heads, err));
    for (int64_t first = 0; first < rows;) {
        struct cg_merge_line line = cg_merge_line_at(result, first);
        CG_TRY(add_line(&table, result, first, &line, line.child == before, err));
        before = line.child;
        first += line.rows;
    }
    cg_page_heading(page, "Merges");
    cg_text_table_print(&table, page);
    cg_page_caption(page,
                    "weight: mean over layers, least and most of one; error: the largest standard error "
                    "of one. Weights sum to one, with that of a base where there is one.");
    status = 0;
done:
    cg_text_table_release(&table);
    return status;
}
