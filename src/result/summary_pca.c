#include "cognate/mem.h"
#include "summary_parts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PLOT_COLUMNS = 60, PLOT_ROWS = 16, SHARES_SHOWN = 10 };

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* The letter of a model in the plot; '+' stands for all beyond the alphabet. */
static char letter_of(int64_t model)
{
    return model < (int64_t)sizeof letters - 1 ? letters[model] : '+';
}

/* Components to show: at most two. */
static int64_t axes_of(const struct cg_result *result)
{
    int64_t components = result->size[CG_DIM_COMPONENT];
    return components < 2 ? components : 2;
}

double cg_score_at(const struct cg_result *result, int64_t sample, int64_t component)
{
    return result->pca.score[sample * result->size[CG_DIM_COMPONENT] + component];
}

int64_t cg_scores_of(const struct cg_result *result, int64_t model, int64_t component, double *mean,
                     double *spread)
{
    int64_t n = 0;
    double squares = 0;
    *mean = 0;
    for (int64_t i = 0; i < result->size[CG_DIM_SAMPLE]; i++) {
        if (result->pca.sample_model[i] != model)
            continue;
        double score = cg_score_at(result, i, component), step = score - *mean;
        *mean += step / (double)++n;
        squares += step * (score - *mean);
    }
    *mean = n > 0 ? *mean : NAN;
    *spread = n > 1 ? sqrt(squares / (double)(n - 1)) : NAN;
    return n;
}

static int add_score(struct cg_text_table *table, double value, struct cg_err *err)
{
    return cg_text_table_add(table, err, "%s", cg_show_score(value).text);
}

static int add_model(struct cg_text_table *table, const struct cg_result *result, int64_t model,
                     struct cg_err *err)
{
    double mean, spread;
    int64_t samples = cg_scores_of(result, model, 0, &mean, &spread);
    if (cg_text_table_add(table, err, "%c", letter_of(model)) < 0 ||
        cg_text_table_add(table, err, "%s", cg_model_label(result, model)) < 0 ||
        cg_text_table_add(table, err, "%s", cg_show_count(samples).text) < 0 ||
        add_score(table, mean, err) < 0 || add_score(table, spread, err) < 0)
        return -1;
    mean = spread = NAN;
    if (axes_of(result) > 1)
        cg_scores_of(result, model, 1, &mean, &spread);
    return add_score(table, mean, err) < 0 ? -1 : add_score(table, spread, err);
}

static int print_scores(struct cg_page page, const struct cg_result *result, struct cg_err *err)
{
    static const char *const heads[] = {"", "model", "samples", "1: mean", "spread", "2: mean", "spread"};
    struct cg_text_table table = {.kinds = "lLrrrrr"};
    int status = -1;
    CG_TRY(cg_text_table_heads(&table, heads, err));
    for (int64_t m = 0; m < result->size[CG_DIM_MODEL]; m++)
        CG_TRY(add_model(&table, result, m, err));
    cg_text_table_print(&table, page);
    status = 0;
done:
    cg_text_table_release(&table);
    return status;
}

static void print_shares(struct cg_page page, const struct cg_result *result)
{
    char text[SHARES_SHOWN * sizeof(struct cg_number) + 1] = "";
    for (int64_t k = 0; k < result->size[CG_DIM_COMPONENT] && k < SHARES_SHOWN; k++) {
        size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, "%s%s", k > 0 ? ", " : "",
                 cg_show_share(result->pca.explained_variance_ratio[k]).text);
    }
    cg_page_field(page, "variance", "%s", *text ? text : "no component");
}

int cg_score_range(const struct cg_result *result, int64_t component, struct cg_range *range,
                   struct cg_err *err)
{
    int64_t n = result->size[CG_DIM_SAMPLE];
    double *scratch = cg_new((size_t)n, sizeof *scratch, err);
    if (!scratch)
        return -1;
    for (int64_t i = 0; i < n; i++)
        scratch[i] = cg_score_at(result, i, component);
    *range = cg_range_of(scratch, n);
    free(scratch);
    return 0;
}

/* The cell of a value among `cells` over the range; -1 when it has none. */
static int cell_of(double value, const struct cg_range *range, int cells)
{
    double width = range->most - range->least;
    if (!isfinite(value) || !isfinite(width))
        return -1;
    return width > 0 ? (int)((value - range->least) / width * (cells - 1) + 0.5) : cells / 2;
}

/* Later samples never hide earlier ones: a place that two models share shows neither letter. */
static void draw(const struct cg_result *result, const struct cg_range range[2],
                 char plot[PLOT_ROWS][PLOT_COLUMNS + 1])
{
    for (int row = 0; row < PLOT_ROWS; row++) {
        memset(plot[row], ' ', PLOT_COLUMNS);
        plot[row][PLOT_COLUMNS] = '\0';
    }
    for (int64_t i = 0; i < result->size[CG_DIM_SAMPLE]; i++) {
        int x = cell_of(cg_score_at(result, i, 0), &range[0], PLOT_COLUMNS);
        int y = cell_of(cg_score_at(result, i, 1), &range[1], PLOT_ROWS);
        int64_t model = result->pca.sample_model[i];
        if (x < 0 || y < 0 || model < 0)
            continue;
        char *cell = &plot[PLOT_ROWS - 1 - y][x];
        *cell = *cell == ' ' || *cell == letter_of(model) ? letter_of(model) : '*';
    }
}

/* The frame bears the range of each axis; the last row is the bottom. */
static int print_plot(struct cg_page page, const struct cg_result *result, struct cg_err *err)
{
    char plot[PLOT_ROWS][PLOT_COLUMNS + 1];
    struct cg_range range[2];
    const char *side = page.style.utf8 ? "\u2502" : "|";
    if (cg_score_range(result, 0, &range[0], err) < 0 || cg_score_range(result, 1, &range[1], err) < 0)
        return -1;
    if (range[0].n == 0 || range[1].n == 0)
        return 0;
    draw(result, range, plot);
    fprintf(page.out, "\n  %10.3g ", range[1].most);
    for (int row = 0; row < PLOT_ROWS; row++) {
        if (row == PLOT_ROWS - 1)
            fprintf(page.out, "  %10.3g ", range[1].least);
        else if (row > 0)
            fprintf(page.out, "%13s", "");
        fprintf(page.out, "%s%s%s\n", side, plot[row], side);
    }
    fprintf(page.out, "%14s%-*.3g%*.3g\n", "", PLOT_COLUMNS / 2, range[0].least, PLOT_COLUMNS / 2,
            range[0].most);
    cg_page_caption(page,
                    "Component 1 to the right, 2 upward; a letter is a model, * several in one place. "
                    "Relatives lie on top of each other. It describes; it carries no weight in a verdict.");
    return 0;
}

int cg_summary_pca(struct cg_page page, const struct cg_result *result, struct cg_err *err)
{
    int64_t components = result->size[CG_DIM_COMPONENT], samples = result->size[CG_DIM_SAMPLE];
    if (!result->pca_features)
        return 0;
    cg_page_heading(page, "Principal components of the matrices");
    cg_page_field(page, "features", "%s", result->pca_features);
    cg_page_field(page, "samples", "%s matrices of %s features", cg_show_count(samples).text,
                  cg_show_count(result->size[CG_DIM_FEATURE]).text);
    print_shares(page, result);
    if (components == 0 || samples == 0)
        return 0;
    fputc('\n', page.out);
    if (print_scores(page, result, err) < 0)
        return -1;
    return components > 1 ? print_plot(page, result, err) : 0;
}
