#include "summary_parts.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { PROFILE_ROWS = 24, PROFILE_BAR = 16, LAYER_COLUMNS = 9, VALUE_COLUMNS = 10 };

int64_t cg_group_index(const struct cg_result *result, const char *name)
{
    for (int64_t g = 0; g < result->size[CG_DIM_ROLE_GROUP]; g++)
        if (strcmp(result->layers.role_group[g], name) == 0)
            return g;
    return -1;
}

double cg_profile_at(const struct cg_result *result, int64_t pair, int64_t layer, int64_t group)
{
    int64_t layers = result->size[CG_DIM_LAYER_B], groups = result->size[CG_DIM_ROLE_GROUP];
    return group < 0 ? NAN : result->layers.cosine[(pair * layers + layer) * groups + group];
}

/* The axis is as long as the deepest model of the run; what lies beyond this pair is NaN. */
int64_t cg_profile_layers(const struct cg_result *result, int64_t pair)
{
    int64_t last = 0;
    if (!result->layers.cosine)
        return 0;
    for (int64_t l = 0; l < result->size[CG_DIM_LAYER_B]; l++)
        for (int64_t g = 0; g < result->size[CG_DIM_ROLE_GROUP]; g++)
            if (!isnan(cg_profile_at(result, pair, l, g)))
                last = l + 1;
    return last;
}

/* The mean over the layers from `first` to before `end`. */
static double profile_mean(const struct cg_result *result, int64_t pair, int64_t first, int64_t end,
                           int64_t group)
{
    double sum = 0;
    int64_t n = 0;
    for (int64_t l = first; l < end; l++) {
        double value = cg_profile_at(result, pair, l, group);
        sum += isnan(value) ? 0 : value;
        n += !isnan(value);
    }
    return n > 0 ? sum / (double)n : NAN;
}

/* Norms get a number and no bar: theirs would be full for any two models. */
static void print_layers(struct cg_page page, const struct cg_result *result, int64_t pair, int64_t first,
                         int64_t end)
{
    static const char *const bars[] = {"attention", "ffn"};
    char name[48];
    snprintf(name, sizeof name, end - first > 1 ? "%" PRId64 "-%" PRId64 : "%" PRId64, first, end - 1);
    fputs("  ", page.out);
    cg_page_cell(page, name, LAYER_COLUMNS - 2, true);
    for (int i = 0; i < 2; i++) {
        double value = profile_mean(result, pair, first, end, cg_group_index(result, bars[i]));
        fputs("  ", page.out);
        cg_page_bar(page, value, PROFILE_BAR);
        cg_page_cell(page, cg_show_cosine(value).text, VALUE_COLUMNS, true);
    }
    double norm = profile_mean(result, pair, first, end, cg_group_index(result, "norm"));
    fprintf(page.out, "  %*s\n", VALUE_COLUMNS, cg_show_cosine(norm).text);
}

/* What a row is, and which layers of b the profile cannot show. */
static void print_caption(struct cg_page page, const struct cg_result *result, int64_t pair, int64_t layers,
                          int64_t step)
{
    char caption[128], grouped[48] = "";
    int64_t b = result->root.pair_b[pair];
    int64_t all = b >= 0 && b < result->size[CG_DIM_MODEL] ? result->root.num_hidden_layers[b] : -1;
    if (step > 1)
        snprintf(grouped, sizeof grouped, ", %" PRId64 " layers a row", step);
    snprintf(caption, sizeof caption, "Mean cosine of layers of the same index%s; bars run from 0 to 1.",
             grouped);
    cg_page_caption(page, caption);
    if (all <= layers)
        return;
    snprintf(caption, sizeof caption,
             "Layers %" PRId64 " to %" PRId64 " of b have none of that index and shape in a.", layers,
             all - 1);
    cg_page_caption(page, caption);
}

void cg_summary_profile(struct cg_page page, const struct cg_result *result, int64_t pair)
{
    int64_t layers = cg_profile_layers(result, pair), step = (layers + PROFILE_ROWS - 1) / PROFILE_ROWS;
    const char *pattern = result->root.layer_pattern[pair];
    cg_page_heading(page, "Depth profile");
    if (*pattern)
        cg_page_field(page, "pattern", "%s", pattern);
    if (layers == 0) {
        cg_page_caption(page, "No layer compares slot by slot with the layer of the same index.");
        return;
    }
    cg_page_ink(page, "2");
    fprintf(page.out, "  %*s  %-*s  %-*s  %*s\n", LAYER_COLUMNS - 2, "layer", PROFILE_BAR + VALUE_COLUMNS,
            "attention", PROFILE_BAR + VALUE_COLUMNS, "ffn", VALUE_COLUMNS, "norm");
    cg_page_ink(page, "0");
    for (int64_t first = 0; first < layers; first += step)
        print_layers(page, result, pair, first, first + step < layers ? first + step : layers);
    print_caption(page, result, pair, layers, step);
}
