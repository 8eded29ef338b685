#include "cognate/text.h"
#include "summary_parts.h"
#include <inttypes.h>
#include <string.h>

enum { MODELS_A_TABLE = 4 };

const char *cg_model_label(const struct cg_result *result, int64_t model)
{
    bool known = model >= 0 && model < result->size[CG_DIM_MODEL] && *result->root.model_label[model];
    return known ? result->root.model_label[model] : "?";
}

const char *cg_slot_name(const struct cg_result *result, int64_t slot)
{
    return slot >= 0 && slot < result->size[CG_DIM_TENSOR] ? result->tensors.name[slot] : "?";
}

int cg_text_table_add_model(struct cg_text_table *table, const struct cg_result *result, int64_t model,
                            struct cg_err *err)
{
    return cg_text_table_add(table, err, "%s %s", cg_show_count(model + 1).text,
                             cg_model_label(result, model));
}

/* Labels in full, for a table that had to cut some. */
static void print_labels(struct cg_page page, const struct cg_result *result)
{
    fputc('\n', page.out);
    for (int64_t m = 0; m < result->size[CG_DIM_MODEL]; m++) {
        char mark[32];
        snprintf(mark, sizeof mark, "%3" PRId64 "  ", m + 1);
        cg_page_items(page, 0, mark, cg_model_label(result, m));
    }
}

int cg_summary_models(struct cg_page page, const struct cg_result *result, struct cg_err *err)
{
    static const char *const heads[] = {"#", "label", "family", "type", "parameters", "tensors", "on disk"};
    struct cg_text_table table = {.kinds = "rLLLrrr"};
    int status = -1;
    CG_TRY(cg_text_table_heads(&table, heads, err));
    for (int64_t m = 0; m < result->size[CG_DIM_MODEL]; m++) {
        CG_TRY(cg_text_table_add(&table, err, "%s", cg_show_count(m + 1).text));
        CG_TRY(cg_text_table_add(&table, err, "%s", cg_model_label(result, m)));
        CG_TRY(cg_text_table_add(&table, err, "%s", result->root.model_family[m]));
        CG_TRY(cg_text_table_add(&table, err, "%s", result->root.model_type[m]));
        CG_TRY(cg_text_table_add(&table, err, "%s", cg_show_count(result->root.parameters[m]).text));
        CG_TRY(cg_text_table_add(&table, err, "%s", cg_show_count(result->root.num_tensors[m]).text));
        CG_TRY(cg_text_table_add(&table, err, "%s", cg_show_size(result->root.stored_bytes[m]).text));
    }
    cg_page_heading(page, "Models");
    if (cg_text_table_print(&table, page))
        print_labels(page, result);
    status = 0;
done:
    cg_text_table_release(&table);
    return status;
}

/* A line a model: its label, and its error, which names the file. */
int cg_summary_skipped(struct cg_page page, const struct cg_result *result, struct cg_err *err)
{
    if (result->size[CG_DIM_SKIPPED] > 0)
        cg_page_heading(page, "Broken models, left out");
    for (int64_t i = 0; i < result->size[CG_DIM_SKIPPED]; i++) {
        struct cg_buf line = {0};
        if (cg_buf_printf(&line, err, "%s: %s", result->root.skipped_label[i],
                          result->root.skipped_error[i]) < 0)
            return -1;
        cg_page_items(page, 2, cg_page_bullet(page.style), line.data);
        cg_buf_release(&line);
    }
    return 0;
}

struct cg_number cg_show_trait(const struct cg_trait *trait, int64_t model)
{
    struct cg_number out = cg_show_count(trait->value[model]);
    if (trait->active && trait->active[model] >= 0) {
        size_t n = strlen(out.text);
        snprintf(out.text + n, sizeof out.text - n, " (%.12s)", cg_show_count(trait->active[model]).text);
    }
    return out;
}

static const char *difference_mark(struct cg_style style)
{
    return style.utf8 ? "\u2260" : "*";
}

/* Compares what is shown, so that a known number differs from an unknown one. */
bool cg_trait_differs(const struct cg_trait *trait, int64_t models)
{
    for (int64_t m = 1; m < models; m++)
        if (strcmp(cg_show_trait(trait, 0).text, cg_show_trait(trait, m).text) != 0)
            return true;
    return false;
}

static int add_trait(struct cg_text_table *table, const struct cg_trait *trait, int64_t first, int64_t end,
                     const char *mark, struct cg_err *err)
{
    if (cg_text_table_add(table, err, "%s", trait->name) < 0 || cg_text_table_add(table, err, "%s", mark) < 0)
        return -1;
    for (int64_t m = first; m < end; m++)
        if (cg_text_table_add(table, err, "%s", cg_show_trait(trait, m).text) < 0)
            return -1;
    return 0;
}

/* The traits of the models from `first` to before `end`; a trait is marked where any two models differ. */
static int print_traits(struct cg_page page, const struct cg_result *result,
                        const struct cg_trait traits[CG_TRAITS], int64_t first, int64_t end,
                        struct cg_err *err)
{
    static const char *const kinds[MODELS_A_TABLE] = {"llR", "llRR", "llRRR", "llRRRR"};
    struct cg_text_table table = {.kinds = kinds[end - first - 1]};
    int status = -1;
    CG_TRY(cg_text_table_add(&table, err, "%s", ""));
    CG_TRY(cg_text_table_add(&table, err, "%s", ""));
    for (int64_t m = first; m < end; m++)
        CG_TRY(cg_text_table_add_model(&table, result, m, err));
    for (size_t i = 0; i < CG_TRAITS; i++) {
        bool differ = cg_trait_differs(&traits[i], result->size[CG_DIM_MODEL]);
        CG_TRY(add_trait(&table, &traits[i], first, end, differ ? difference_mark(page.style) : "", err));
    }
    cg_text_table_print(&table, page);
    status = 0;
done:
    cg_text_table_release(&table);
    return status;
}

void cg_traits_of(struct cg_trait traits[CG_TRAITS], const struct cg_result *result)
{
    const struct cg_trait all[CG_TRAITS] = {
        {"hidden size", result->root.hidden_size, NULL},
        {"layers", result->root.num_hidden_layers, NULL},
        {"attention heads", result->root.num_attention_heads, NULL},
        {"key-value heads", result->root.num_key_value_heads, NULL},
        {"FFN width", result->root.intermediate_size, NULL},
        {"expert width", result->root.moe_intermediate_size, NULL},
        {"experts (active)", result->root.num_experts, result->root.num_experts_per_tok},
        {"shared experts", result->root.num_shared_experts, NULL},
        {"vocabulary", result->root.vocab_size, NULL},
    };
    memcpy(traits, all, sizeof all);
}

int cg_summary_architecture(struct cg_page page, const struct cg_result *result, struct cg_err *err)
{
    struct cg_trait traits[CG_TRAITS];
    int64_t models = result->size[CG_DIM_MODEL];
    cg_traits_of(traits, result);
    cg_page_heading(page, "Architecture");
    for (int64_t first = 0, end; first < models; first = end) {
        end = models - first > MODELS_A_TABLE ? first + MODELS_A_TABLE : models;
        if (first > 0)
            fputc('\n', page.out);
        if (print_traits(page, result, traits, first, end, err) < 0)
            return -1;
    }
    if (models > 1) {
        char legend[80];
        snprintf(legend, sizeof legend, "%s models differ; - unknown or none", difference_mark(page.style));
        cg_page_caption(page, legend);
    }
    return 0;
}
