#include "cognate/text.h"
#include "summary_parts.h"
#include <inttypes.h>
#include <math.h>

/* Layers a picture shows a side, experts a line, layers whose experts are listed. */
enum { MAP_SIDE = 24, EXPERTS_SHOWN = 16, EXPERT_LAYERS = 24, LABEL_COLUMNS = 7 };

static double similarity(const struct cg_result *result, int64_t pair, int64_t a, int64_t b)
{
    int64_t layers_a = result->size[CG_DIM_LAYER_A], layers_b = result->size[CG_DIM_LAYER_B];
    return result->layers.similarity[(pair * layers_a + a) * layers_b + b];
}

/* One more than the last layer of a, or of b, that the pair's similarities reach. */
static void find_sides(const struct cg_result *result, int64_t pair, int64_t *side_a, int64_t *side_b)
{
    *side_a = *side_b = 0;
    for (int64_t a = 0; a < result->size[CG_DIM_LAYER_A]; a++)
        for (int64_t b = 0; b < result->size[CG_DIM_LAYER_B]; b++)
            if (!isnan(similarity(result, pair, a, b))) {
                *side_a = a + 1;
                *side_b = b + 1 > *side_b ? b + 1 : *side_b;
            }
}

static bool any_mapped(const struct cg_result *result, int64_t pair)
{
    for (int64_t l = 0; l < result->size[CG_DIM_LAYER_B]; l++)
        if (result->layers.layer_map[pair * result->size[CG_DIM_LAYER_B] + l] >= 0)
            return true;
    return false;
}

/* The likeness of groups of `step` layers: the most that two of them show. */
static double most_alike(const struct cg_result *result, int64_t pair, int64_t first_a, int64_t first_b,
                         int64_t step, int64_t side_a, int64_t side_b)
{
    double most = NAN;
    for (int64_t a = first_a; a < first_a + step && a < side_a; a++)
        for (int64_t b = first_b; b < first_b + step && b < side_b; b++)
            most = fmax(most, similarity(result, pair, a, b));
    return most;
}

static const char *shade(struct cg_style style, double value)
{
    static const char *const marks[2][6] = {{" ", ".", ":", "+", "*", "#"},
                                            {" ", "\u00b7", "\u2591", "\u2592", "\u2593", "\u2588"}};
    int level = isnan(value)   ? 0
                : value < 0.05 ? 1
                : value < 0.25 ? 2
                : value < 0.5  ? 3
                : value < 0.8  ? 4
                               : 5;
    return marks[style.utf8][level];
}

static void print_picture(struct cg_page page, const struct cg_result *result, int64_t pair, int64_t side_a,
                          int64_t side_b)
{
    int64_t most = side_a > side_b ? side_a : side_b, step = (most + MAP_SIDE - 1) / MAP_SIDE;
    for (int64_t a = 0; a < side_a; a += step) {
        char label[32];
        snprintf(label, sizeof label, "a %" PRId64, a);
        fputs("  ", page.out);
        cg_page_cell(page, label, LABEL_COLUMNS - 2, true);
        fputs("  ", page.out);
        for (int64_t b = 0; b < side_b; b += step) {
            const char *mark = shade(page.style, most_alike(result, pair, a, b, step, side_a, side_b));
            fprintf(page.out, "%s%s", mark, mark);
        }
        fputc('\n', page.out);
    }
    char caption[160];
    snprintf(caption, sizeof caption,
             "Layers of a downwards, of b to the right, %" PRId64 " a mark; the darker, the more alike.",
             step);
    cg_page_caption(page, caption);
}

/* "0-5 from 0-5, 6-11 from 2-7": runs of b's layers whose origins follow each other. */
static int print_origins(struct cg_page page, const struct cg_result *result, int64_t pair,
                         struct cg_err *err)
{
    int64_t layers = result->size[CG_DIM_LAYER_B];
    const int32_t *map = result->layers.layer_map + pair * layers;
    struct cg_buf text = {0};
    int status = 0;
    for (int64_t l = 0, end; status == 0 && l < layers; l = end) {
        end = l + 1;
        if (map[l] < 0)
            continue;
        while (end < layers && map[end] == map[end - 1] + 1)
            end++;
        const char *before = text.size > 0 ? ", " : "";
        status = end - l == 1
                     ? cg_buf_printf(&text, err, "%s%" PRId64 " from %" PRId32, before, l, map[l])
                     : cg_buf_printf(&text, err, "%s%" PRId64 "-%" PRId64 " from %" PRId32 "-%" PRId32,
                                     before, l, end - 1, map[l], map[end - 1]);
    }
    if (status == 0)
        cg_page_field(page, "b's layers", "%s", text.data);
    cg_buf_release(&text);
    return status;
}

/* The experts of one layer of b, and where each comes from. Rows first to before end of /experts. */
static int print_experts(struct cg_page page, const struct cg_result *result, int64_t first, int64_t end,
                         struct cg_err *err)
{
    struct cg_buf text = {0};
    char name[48];
    snprintf(name, sizeof name, "layer %" PRId32, result->experts.layer_b[first]);
    int status = 0;
    for (int64_t i = first; status == 0 && i < end && i < first + EXPERTS_SHOWN; i++) {
        int32_t layer = result->experts.layer_a[i], expert = result->experts.expert_a[i];
        status =
            cg_buf_printf(&text, err, "%s%" PRId32 "<-", i > first ? "  " : "", result->experts.expert_b[i]);
        if (status == 0)
            status = expert < 0 ? cg_buf_printf(&text, err, "%" PRId32 "/dense", layer)
                                : cg_buf_printf(&text, err, "%" PRId32 "/%" PRId32, layer, expert);
    }
    if (status == 0 && end - first > EXPERTS_SHOWN)
        status = cg_buf_printf(&text, err, "  and %" PRId64 " more", end - first - EXPERTS_SHOWN);
    if (status == 0)
        cg_page_field(page, name, "%s", text.data);
    cg_buf_release(&text);
    return status;
}

/* How often routers and matrices name the same expert, where the routers name one. */
static void print_routers(struct cg_page page, const struct cg_result *result, int64_t pair)
{
    int64_t named = 0, same = 0;
    for (int64_t i = 0; i < result->size[CG_DIM_EXPERT_MATCH]; i++)
        if (result->experts.pair[i] == pair && result->experts.router_expert_a[i] >= 0) {
            named++;
            same += result->experts.maps_agree[i];
        }
    if (named > 0)
        cg_page_field(page, "routers", "name the same expert for %" PRId64 " of %" PRId64, same, named);
}

static int print_expert_map(struct cg_page page, const struct cg_result *result, int64_t pair,
                            struct cg_err *err)
{
    int64_t n = result->size[CG_DIM_EXPERT_MATCH], first = 0, shown = 0;
    while (first < n && result->experts.pair[first] != pair)
        first++;
    if (first == n)
        return 0;
    cg_page_heading(page, "Expert map");
    for (int64_t end; first < n && result->experts.pair[first] == pair && shown < EXPERT_LAYERS;
         first = end, shown++) {
        for (end = first + 1; end < n && result->experts.pair[end] == pair &&
                              result->experts.layer_b[end] == result->experts.layer_b[first];)
            end++;
        if (print_experts(page, result, first, end, err) < 0)
            return -1;
    }
    print_routers(page, result, pair);
    cg_page_caption(page, "Expert of b, and the layer and expert of a that it comes from.");
    return 0;
}

int cg_summary_maps(struct cg_page page, const struct cg_result *result, int64_t pair, struct cg_err *err)
{
    int64_t side_a, side_b;
    if (!result->layers.similarity || !any_mapped(result, pair))
        return 0;
    find_sides(result, pair, &side_a, &side_b);
    cg_page_heading(page, "Layer map");
    if (print_origins(page, result, pair, err) < 0)
        return -1;
    if (side_a > 1 || side_b > 1)
        print_picture(page, result, pair, side_a, side_b);
    return print_expert_map(page, result, pair, err);
}
