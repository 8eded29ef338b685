/* The first two principal components: a mark a matrix, a colour and a shape a model. */
#include "cognate/mem.h"
#include "html_parts.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The plane is half units, so that no two marks of a model are drawn in one place. */
enum {
    LEFT = 40,
    TOP = 6,
    BASE = 306,
    RIGHT = 354,
    GRAIN = 2,
    WIDE = GRAIN * (RIGHT - LEFT) + 1,
    HIGH = GRAIN * (BASE - TOP) + 1
};

/* A mark around the current point, and the class that says how it is stroked. */
static const struct {
    const char *class_name, *path;
} shapes[] = {{"dot", "h0"},
              {"open", "m-2.5 2h5l-2.5-4.5z"},
              {"open", "m-2-2h4v4h-4z"},
              {"open", "m-2.2-2.2l4.4 4.4m0-4.4l-4.4 4.4"},
              {"open", "m0-3l3 3-3 3-3-3z"},
              {"open", "m-2.8 0h5.6m-2.8-2.8v5.6"},
              {"open", "m-2.5-2h5l-2.5 4.5z"}};

enum { SHAPES = sizeof shapes / sizeof *shapes };

/* 8 colours and 7 shapes run side by side: 56 models before a mark comes again. */
static void open_mark(FILE *out, int64_t model)
{
    fprintf(out, "<path class=\"scatter %s c%" PRId64 "\" d=\"", shapes[model % SHAPES].class_name,
            model % CG_HTML_COLOURS);
}

static void put_samples(FILE *out, const struct cg_result *result, int64_t model,
                        const struct cg_scale axis[2], int8_t *taken)
{
    memset(taken, 0, (size_t)WIDE * HIGH);
    open_mark(out, model);
    for (int64_t i = 0; i < result->size[CG_DIM_SAMPLE]; i++) {
        double x = cg_scale_place(&axis[0], cg_score_at(result, i, 0));
        double y = cg_scale_place(&axis[1], cg_score_at(result, i, 1));
        if (result->pca.sample_model[i] != model || !isfinite(x) || !isfinite(y))
            continue;
        int64_t column = lround(GRAIN * (x - LEFT)), row = lround(GRAIN * (y - TOP));
        if (taken[row * WIDE + column]++)
            continue;
        fputc('M', out);
        cg_html_place(out, LEFT + (double)column / GRAIN);
        fputc(' ', out);
        cg_html_place(out, TOP + (double)row / GRAIN);
        fputs(shapes[model % SHAPES].path, out);
        taken[row * WIDE + column] = 1;
    }
    fputs("\"/>\n", out);
}

/* A margin keeps marks off the frame. */
static struct cg_scale scale_of(const struct cg_range *range, double start, double extent)
{
    double margin = range->most > range->least ? 0.04 * (range->most - range->least) : 1;
    return (struct cg_scale){range->least - margin, range->most + margin, start, extent};
}

static int decimals_of(double step)
{
    return step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);
}

/* Ticks from a unit well below the range. */
static double step_of(const struct cg_scale *scale)
{
    double range = scale->to - scale->from;
    return cg_scale_step(range, pow(10, floor(log10(range)) - 1), 6);
}

static void put_key(FILE *out, const struct cg_result *result)
{
    fputs("<ul class=\"key\">", out);
    for (int64_t m = 0; m < result->size[CG_DIM_MODEL]; m++) {
        fputs("<li><svg class=\"sample\" viewBox=\"0 0 11 11\" aria-hidden=\"true\">", out);
        open_mark(out, m);
        fprintf(out, "M5.5 6%s\"/></svg>", shapes[m % SHAPES].path);
        cg_html_model(out, result, m);
        fputs("</li>", out);
    }
    fputs("</ul>\n", out);
}

static int put_plot(FILE *out, const struct cg_result *result, struct cg_err *err)
{
    struct cg_range range[2];
    if (cg_score_range(result, 0, &range[0], err) < 0 || cg_score_range(result, 1, &range[1], err) < 0)
        return -1;
    if (!isfinite(range[0].most - range[0].least) || !isfinite(range[1].most - range[1].least))
        return 0;
    const struct cg_scale axis[2] = {scale_of(&range[0], LEFT, RIGHT - LEFT),
                                     scale_of(&range[1], BASE, TOP - BASE)};
    int8_t *taken = cg_new((size_t)WIDE * HIGH, sizeof *taken, err);
    if (!taken)
        return -1;
    fputs("<figure class=\"wide\">\n", out);
    put_key(out, result);
    fprintf(out,
            "<svg viewBox=\"0 0 360 %d\" role=\"img\"><title>Scores on the first two components</title>\n",
            BASE + 34);
    fprintf(out, "<rect class=\"frame\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", LEFT, TOP,
            RIGHT - LEFT, BASE - TOP);
    double step = step_of(&axis[0]);
    cg_html_axis_x(out, &axis[0], BASE, step, decimals_of(step));
    step = step_of(&axis[1]);
    cg_html_axis_y(out, &axis[1], LEFT, RIGHT, step, decimals_of(step));
    for (int64_t m = 0; m < result->size[CG_DIM_MODEL]; m++)
        put_samples(out, result, m, axis, taken);
    free(taken);
    cg_html(out, "<text class=\"name\" x=\"$\" y=\"$\">component 1 to the right, 2 upward</text></svg>\n",
            "40", "336");
    fputs("<figcaption>A mark is a matrix. Relatives lie on top of each other; this picture describes and "
          "carries no "
          "weight in a verdict.</figcaption></figure>\n",
          out);
    return 0;
}

static void put_shares(FILE *out, const struct cg_result *result)
{
    fputs("<div class=\"scroll\"><table class=\"components\"><thead><tr><th>component</th><th>variance</th>"
          "<th>share</th></tr></thead><tbody>\n",
          out);
    for (int64_t k = 0; k < result->size[CG_DIM_COMPONENT]; k++)
        cg_html(out, "<tr><td>$</td><td>$</td><td>$</td></tr>\n", cg_show_count(k + 1).text,
                cg_show_score(result->pca.explained_variance[k]).text,
                cg_show_share(result->pca.explained_variance_ratio[k]).text);
    fputs("</tbody></table></div>\n", out);
}

static void put_scores(FILE *out, const struct cg_result *result)
{
    fputs("<div class=\"scroll\"><table class=\"scores\"><thead><tr><th>model</th><th>samples</th><th>1: "
          "mean</th>"
          "<th>spread</th><th>2: mean</th><th>spread</th></tr></thead><tbody>\n",
          out);
    for (int64_t m = 0; m < result->size[CG_DIM_MODEL]; m++) {
        double mean[2] = {NAN, NAN}, spread[2] = {NAN, NAN};
        int64_t samples = 0;
        for (int64_t k = 0; k < 2 && k < result->size[CG_DIM_COMPONENT]; k++)
            samples = cg_scores_of(result, m, k, &mean[k], &spread[k]);
        fputs("<tr><th scope=\"row\">", out);
        cg_html_model(out, result, m);
        cg_html(out, "</th><td>$</td><td>$</td><td>$</td><td>$</td><td>$</td></tr>\n",
                cg_show_count(samples).text, cg_show_score(mean[0]).text, cg_show_score(spread[0]).text,
                cg_show_score(mean[1]).text, cg_show_score(spread[1]).text);
    }
    fputs("</tbody></table></div>\n", out);
}

int cg_html_pca(FILE *out, const struct cg_result *result, struct cg_err *err)
{
    int64_t components = result->size[CG_DIM_COMPONENT], samples = result->size[CG_DIM_SAMPLE];
    if (!result->pca_features)
        return 0;
    cg_html(out,
            "<section id=\"pca\"><h2>Principal components of the matrices</h2>\n<p class=\"note\">$ matrices "
            "of $ "
            "features each. Features: $.</p>\n",
            cg_show_count(samples).text, cg_show_count(result->size[CG_DIM_FEATURE]).text,
            result->pca_features);
    if (components > 1 && samples > 0 && put_plot(out, result, err) < 0)
        return -1;
    if (components > 0 && samples > 0) {
        fputs("<details class=\"numbers\"><summary>The numbers</summary>\n", out);
        put_shares(out, result);
        put_scores(out, result);
        fputs("</details>\n", out);
    }
    fputs("</section>\n", out);
    return 0;
}
