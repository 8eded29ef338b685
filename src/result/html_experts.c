/* Where the experts of b come from: one cell an expert, and the same as a table. */
#include "cognate/mem.h"
#include "html_parts.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { ROWS_SHOWN = 1024, LARGEST_GRID = 1 << 20 };

/* A pair's matches on the grid of b's layers and experts: the row of /experts in each cell, -1 none. */
struct grid {
    const struct cg_result *result;
    int64_t layers, experts, matches;
    int64_t routed, agreeing; /* matches that the routers name an expert for; the same one */
    int64_t *match;
    double *cosine;
};

static void grid_release(struct grid *grid)
{
    free(grid->match);
    free(grid->cosine);
    *grid = (struct grid){0};
}

/* Matches that name no cell of their own are left to the table. */
static bool belongs(const struct cg_result *result, int64_t match, int64_t pair)
{
    return result->experts.pair[match] == pair && result->experts.layer_b[match] >= 0 &&
           result->experts.expert_b[match] >= 0;
}

static void measure(struct grid *grid, int64_t pair)
{
    const struct cg_result *result = grid->result;
    int64_t b = result->root.pair_b[pair], known = b >= 0 && b < result->size[CG_DIM_MODEL] ? b : -1;
    for (int64_t i = 0; i < result->size[CG_DIM_EXPERT_MATCH]; i++) {
        if (!belongs(result, i, pair))
            continue;
        int64_t layer = result->experts.layer_b[i], expert = result->experts.expert_b[i];
        grid->layers = layer >= grid->layers ? layer + 1 : grid->layers;
        grid->experts = expert >= grid->experts ? expert + 1 : grid->experts;
        grid->matches++;
        grid->routed += result->experts.router_expert_a[i] >= 0;
        grid->agreeing += result->experts.maps_agree[i];
    }
    if (grid->matches > 0 && known >= 0 && result->root.num_experts[known] > grid->experts)
        grid->experts = result->root.num_experts[known];
    if (grid->layers > LARGEST_GRID / (grid->experts + 1)) /* no picture, then; the table stays */
        grid->layers = grid->experts = 0;
}

static int grid_init(struct grid *grid, const struct cg_result *result, int64_t pair, struct cg_err *err)
{
    *grid = (struct grid){.result = result};
    if (result->experts.pair)
        measure(grid, pair);
    int64_t cells = grid->layers * grid->experts;
    grid->match = cg_new((size_t)cells, sizeof *grid->match, err);
    grid->cosine = grid->match ? cg_new((size_t)cells, sizeof *grid->cosine, err) : NULL;
    if (!grid->cosine) {
        grid_release(grid);
        return -1;
    }
    for (int64_t i = 0; i < cells; i++) {
        grid->match[i] = -1;
        grid->cosine[i] = NAN;
    }
    for (int64_t i = 0; i < result->size[CG_DIM_EXPERT_MATCH]; i++) {
        if (grid->layers == 0 || !belongs(result, i, pair))
            continue;
        int64_t cell = result->experts.layer_b[i] * grid->experts + result->experts.expert_b[i];
        grid->match[cell] = i;
        grid->cosine[cell] = result->experts.cosine[i];
    }
    return 0;
}

/* "5", in another layer "L3.5", from a dense block "d" or "L3.d". */
static struct cg_number show_origin(const struct cg_result *result, int64_t match)
{
    struct cg_number out;
    int64_t layer = result->experts.layer_a[match], expert = result->experts.expert_a[match];
    int n = layer == result->experts.layer_b[match]
                ? 0
                : snprintf(out.text, sizeof out.text, "L%" PRId64 ".", layer);
    if (expert < 0)
        snprintf(out.text + n, sizeof out.text - (size_t)n, "d");
    else
        snprintf(out.text + n, sizeof out.text - (size_t)n, "%" PRId64, expert);
    return out;
}

static struct cg_number label_of(const void *context, int64_t layer, int64_t expert)
{
    const struct grid *grid = context;
    return show_origin(grid->result, grid->match[layer * grid->experts + expert]);
}

static void put_map(FILE *out, const struct grid *grid)
{
    const struct cg_heat heat = {.title = "Cosine of every expert of b with the one it comes from",
                                 .row_name = "layer of b",
                                 .col_name = "expert of b",
                                 .rows = grid->layers,
                                 .cols = grid->experts,
                                 .values = grid->cosine,
                                 .label = label_of,
                                 .context = grid};
    fputs("<figure>\n", out);
    cg_html_heat_legend(out);
    cg_html_heat(out, &heat);
    fputs(
        "<figcaption>Cosine of each expert with its origin. Where there is room, the number is the expert of "
        "a in the same layer, L3.5 expert 5 of layer 3, d a dense block. Blank: no origin "
        "found.</figcaption></figure>\n",
        out);
}

static void put_row(FILE *out, const struct cg_result *result, int64_t i)
{
    int64_t expert = result->experts.expert_a[i];
    int64_t routed = result->experts.router_expert_a[i];
    cg_html(out, "<tr><td>$</td><td>$</td><td>$</td><td>$</td><td>$</td><td>$</td><td>$</td></tr>\n",
            cg_show_count(result->experts.layer_b[i]).text, cg_show_count(result->experts.expert_b[i]).text,
            cg_show_count(result->experts.layer_a[i]).text, expert < 0 ? "dense" : cg_show_count(expert).text,
            cg_show_cosine(result->experts.cosine[i]).text,
            cg_show_p(result->experts.log10_p[i], (struct cg_style){0}).text,
            routed < 0 ? "\u2013" : cg_show_count(routed).text);
}

static void put_table(FILE *out, const struct cg_result *result, int64_t pair, int64_t matches)
{
    fputs("<details class=\"numbers\"><summary>The numbers, expert by expert</summary><div class=\"scroll\">"
          "<table class=\"experts\">\n<thead><tr><th>layer of b</th><th>expert</th><th>layer of a</th>"
          "<th>expert</th><th>cosine</th><th>p</th><th>by router</th></tr></thead><tbody>\n",
          out);
    for (int64_t i = 0, shown = 0; i < result->size[CG_DIM_EXPERT_MATCH] && shown < ROWS_SHOWN; i++)
        if (belongs(result, i, pair)) {
            put_row(out, result, i);
            shown++;
        }
    fputs("</tbody></table></div>", out);
    if (matches > ROWS_SHOWN)
        cg_html(out, "<p class=\"note\">The first $ of $; the file has all.</p>",
                cg_show_count(ROWS_SHOWN).text, cg_show_count(matches).text);
    fputs("</details>\n", out);
}

int cg_html_experts(FILE *out, const struct cg_result *result, int64_t pair, struct cg_err *err)
{
    struct grid grid;
    if (grid_init(&grid, result, pair, err) < 0)
        return -1;
    if (grid.matches > 0) {
        cg_html(out,
                "<section><h4>Experts</h4>\n<p class=\"note\">$ of b's experts have an origin in a.</p>\n",
                cg_show_count(grid.matches).text);
        if (grid.routed > 0)
            cg_html(out,
                    "<p class=\"note\">Routers and matrices, matched apart, name the same partner for $ of $ "
                    "experts.</p>\n",
                    cg_show_count(grid.agreeing).text, cg_show_count(grid.routed).text);
        if (grid.layers > 0)
            put_map(out, &grid);
        put_table(out, result, pair, grid.matches);
        fputs("</section>\n", out);
    }
    grid_release(&grid);
    return 0;
}
