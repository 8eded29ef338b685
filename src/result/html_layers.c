/* How a pair's likeness runs over depth: a line for each role group, and every layer against every layer. */
#include "cognate/mem.h"
#include "html_parts.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEFT = 34, RIGHT = 354, TOP = 8, BASE = 178, HEIGHT = 212, SPOTTED_LAYERS = 40 };

static const struct {
    const char *group, *shown;
} lines[] = {
    {"norm", "norms (no weight)"}, {"all", "all slots"}, {"ffn", "feed-forward"}, {"attention", "attention"}};

enum { LINES = sizeof lines / sizeof *lines };

static double similarity_at(const struct cg_result *result, int64_t pair, int64_t a, int64_t b)
{
    int64_t layers_a = result->size[CG_DIM_LAYER_A], layers_b = result->size[CG_DIM_LAYER_B];
    bool there = a >= 0 && a < layers_a && b < layers_b;
    return there ? result->layers.similarity[(pair * layers_a + a) * layers_b + b] : NAN;
}

/* The layers of a model, as far as the axis goes: config.json says them, or else what has a value. */
static int64_t layers_of(const struct cg_result *result, int64_t model, int64_t axis, int64_t seen)
{
    bool known =
        model >= 0 && model < result->size[CG_DIM_MODEL] && result->root.num_hidden_layers[model] > seen;
    int64_t layers = known ? result->root.num_hidden_layers[model] : seen;
    return layers < axis ? layers : axis;
}

/* A pair's part of the axes; `map` is the row marked in each column. */
struct depth {
    int64_t a, b;
    double *values;
    int64_t *map;
};

static void depth_release(struct depth *depth)
{
    free(depth->values);
    free(depth->map);
    *depth = (struct depth){0};
}

static void measure(struct depth *depth, const struct cg_result *result, int64_t pair)
{
    int64_t axis_a = result->size[CG_DIM_LAYER_A], axis_b = result->size[CG_DIM_LAYER_B], seen_a = 0,
            seen_b = 0;
    for (int64_t b = 0; b < axis_b; b++) {
        int64_t from = result->layers.layer_map[pair * axis_b + b];
        seen_b = from >= 0 ? b + 1 : seen_b;
        seen_a = from >= seen_a ? from + 1 : seen_a;
        for (int64_t a = 0; a < axis_a; a++)
            if (!isnan(similarity_at(result, pair, a, b))) {
                seen_b = b + 1;
                seen_a = a >= seen_a ? a + 1 : seen_a;
            }
    }
    int64_t profile = cg_profile_layers(result, pair);
    depth->a = layers_of(result, result->root.pair_a[pair], axis_a, seen_a);
    depth->b = layers_of(result, result->root.pair_b[pair], axis_b, profile > seen_b ? profile : seen_b);
}

static int depth_init(struct depth *depth, const struct cg_result *result, int64_t pair, struct cg_err *err)
{
    *depth = (struct depth){0};
    if (result->layers.similarity)
        measure(depth, result, pair);
    depth->values = cg_new((size_t)(depth->a * depth->b), sizeof *depth->values, err);
    depth->map = depth->values ? cg_new((size_t)depth->b, sizeof *depth->map, err) : NULL;
    if (!depth->map) {
        depth_release(depth);
        return -1;
    }
    for (int64_t b = 0; b < depth->b; b++)
        depth->map[b] = result->layers.layer_map[pair * result->size[CG_DIM_LAYER_B] + b];
    for (int64_t i = 0; i < depth->a * depth->b; i++)
        depth->values[i] = similarity_at(result, pair, i / depth->b, i % depth->b);
    return 0;
}

/* The line is broken where a layer has no value; a layer alone between gaps is a spot. */
static void put_line(FILE *out, const struct cg_result *result, int64_t pair, int64_t layers,
                     const char *name, const struct cg_scale *x, const struct cg_scale *y)
{
    int64_t group = cg_group_index(result, name);
    bool pen_down = false;
    cg_html(out, "<path class=\"line $\" d=\"", name);
    for (int64_t l = 0; l < layers; l++) {
        double value = cg_profile_at(result, pair, l, group);
        if (!isnan(value))
            fprintf(out, "%c%.1f %.1f", pen_down ? 'L' : 'M', cg_scale_place(x, (double)l),
                    cg_scale_place(y, value));
        pen_down = !isnan(value);
    }
    cg_html(out, "\"/><path class=\"line spot $\" d=\"", name);
    for (int64_t l = 0; l < layers && layers <= SPOTTED_LAYERS; l++) {
        double value = cg_profile_at(result, pair, l, group);
        if (!isnan(value))
            fprintf(out, "M%.1f %.1fh0", cg_scale_place(x, (double)l), cg_scale_place(y, value));
    }
    fputs("\"/>\n", out);
}

/* The axis holds 0 to 1, and what lies below. */
static double lowest(const struct cg_result *result, int64_t pair, int64_t layers)
{
    double low = 0;
    for (int64_t l = 0; l < layers; l++)
        for (int64_t g = 0; g < result->size[CG_DIM_ROLE_GROUP]; g++)
            low = fmin(low, cg_profile_at(result, pair, l, g));
    return low < -0.005 ? floor(5 * fmax(low, -1)) / 5 : 0;
}

static void put_key(FILE *out)
{
    fputs("<ul class=\"key\">", out);
    for (int i = LINES; i-- > 0;) {
        cg_html(out,
                "<li><svg viewBox=\"0 0 26 11\" aria-hidden=\"true\"><path class=\"line $\" d=\"M2 "
                "6H24\"/></svg>",
                lines[i].group);
        cg_html(out, "$</li>", lines[i].shown);
    }
    fputs("</ul>\n", out);
}

static void put_profile(FILE *out, const struct cg_result *result, int64_t pair, int64_t layers)
{
    struct cg_scale x = {0, (double)(layers - 1), LEFT + 6, RIGHT - LEFT - 12};
    struct cg_scale y = {lowest(result, pair, layers), 1, BASE, TOP - BASE};
    put_key(out);
    fprintf(out,
            "<svg viewBox=\"0 0 360 %d\" role=\"img\"><title>Mean cosine by layer and role group</title>\n",
            HEIGHT);
    cg_html_axis_y(out, &y, LEFT, RIGHT, 0.2, 1);
    cg_html_axis_x(out, &x, BASE, cg_scale_step((double)layers, 1, 12), 0);
    for (int i = 0; i < LINES; i++)
        put_line(out, result, pair, layers, lines[i].group, &x, &y);
    fprintf(out, "<text class=\"name\" x=\"%d\" y=\"%d\">layer, in both the same index</text></svg>\n", LEFT,
            HEIGHT - 4);
}

/* An index in the file: -1 is absent. */
static struct cg_number show_layer(int64_t layer)
{
    return cg_show_count(layer);
}

static void put_row(FILE *out, const struct cg_result *result, int64_t pair, int64_t b)
{
    int64_t at = pair * result->size[CG_DIM_LAYER_B] + b, from = result->layers.layer_map[at];
    cg_html(out, "<tr><td>$</td><td>$</td><td>$</td><td>$</td>", show_layer(b).text, show_layer(from).text,
            cg_show_p(result->layers.layer_log10_p[at], (struct cg_style){0}).text,
            cg_show_cosine(similarity_at(result, pair, from, b)).text);
    for (int i = LINES; i-- > 0;) {
        int64_t group = cg_group_index(result, lines[i].group);
        cg_html(out, "<td>$</td>", cg_show_cosine(cg_profile_at(result, pair, b, group)).text);
    }
    fputs("</tr>\n", out);
}

static void put_table(FILE *out, const struct cg_result *result, int64_t pair, int64_t layers)
{
    fputs("<details class=\"numbers\"><summary>The numbers, layer by layer</summary><div class=\"scroll\">"
          "<table class=\"layers\">\n<thead><tr><th>layer of b</th><th>from "
          "a's</th><th>p</th><th>similarity</th>"
          "<th>attention</th><th>ffn</th><th>all</th><th>norm</th></tr></thead><tbody>\n",
          out);
    for (int64_t b = 0; b < layers; b++)
        put_row(out, result, pair, b);
    fputs("</tbody></table></div></details>\n", out);
}

static bool any(const double *values, int64_t n)
{
    return cg_range_of(values, n).n > 0;
}

static void put_map(FILE *out, const struct depth *depth)
{
    const struct cg_heat heat = {.title = "Similarity of every layer of a with every layer of b",
                                 .row_name = "layer of a",
                                 .col_name = "layer of b",
                                 .rows = depth->a,
                                 .cols = depth->b,
                                 .values = depth->values,
                                 .marked = depth->map};
    fputs("<section><h4>Layer against layer</h4><figure>\n", out);
    cg_html_heat_legend(out);
    cg_html_heat(out, &heat);
    fputs("<figcaption>Mean cosine of the matrices of two layers; off the diagonal by sketches, or of "
          "matched hidden "
          "units where that is more. "
          "A dot: the layer of b comes from that layer of a, by the test. Blank: not compared."
          "</figcaption></figure></section>\n",
          out);
}

int cg_html_layers(FILE *out, const struct cg_result *result, int64_t pair, struct cg_err *err)
{
    struct depth depth;
    int64_t profile = cg_profile_layers(result, pair);
    const char *pattern = result->root.layer_pattern[pair];
    if (depth_init(&depth, result, pair, err) < 0)
        return -1;
    cg_html(out, "<section><h4>Depth profile$$</h4>\n", *pattern ? ": " : "", pattern);
    if (profile > 0) {
        fputs("<figure>\n", out);
        put_profile(out, result, pair, profile);
        fputs("</figure>\n", out);
    } else {
        fputs("<p class=\"note\">No layer compares slot by slot with the layer of the same index.</p>\n",
              out);
    }
    if (depth.b > 0)
        put_table(out, result, pair, depth.b);
    fputs("</section>\n", out);
    if (any(depth.values, depth.a * depth.b))
        put_map(out, &depth);
    depth_release(&depth);
    return 0;
}
