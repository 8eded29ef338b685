/* What was compared: the models, and their architectures side by side. */
#include "html_parts.h"

enum { MODELS_ACROSS = 5 };

/* A column with nothing under its head is left out. */
static bool has_family(const struct cg_result *result)
{
    for (int64_t m = 0; m < result->size[CG_DIM_MODEL]; m++)
        if (*result->root.model_family[m])
            return true;
    return false;
}

static bool has_trait(const struct cg_trait *trait, int64_t models)
{
    for (int64_t m = 0; m < models; m++)
        if (trait->value[m] >= 0)
            return true;
    return false;
}

static void put_model(FILE *out, const struct cg_result *result, int64_t m)
{
    int64_t elements, slots = cg_nonfinite_slots(result, m, &elements);
    fputs("<tr><th scope=\"row\">", out);
    cg_html_model(out, result, m);
    cg_html(out, "</th><td class=\"text\">$</td>", result->root.model_type[m]);
    if (has_family(result))
        cg_html(out, "<td class=\"text\">$</td>", result->root.model_family[m]);
    cg_html(out, "<td>$</td><td>$</td><td>$</td>", cg_show_count(result->root.parameters[m]).text,
            cg_show_count(result->root.num_tensors[m]).text, cg_show_size(result->root.stored_bytes[m]).text);
    cg_html(out, "<td class=\"text wrap path\"><code>$</code>", result->root.model_path[m]);
    if (slots > 0)
        cg_html(out, "<br/>$ elements in $ slots are NaN or infinite and left out",
                cg_show_count(elements).text, cg_show_count(slots).text);
    fputs("</td></tr>\n", out);
}

static void put_trait_name(FILE *out, const struct cg_trait *trait, int64_t models, const char *scope)
{
    bool differs = cg_trait_differs(trait, models);
    cg_html(out, "<th scope=\"$\" class=\"$\">$$</th>", scope, differs ? "differs" : "", trait->name,
            differs ? " \u2260" : "");
}

static void put_model_name(FILE *out, const struct cg_result *result, int64_t model, const char *scope)
{
    cg_html(out, "<th scope=\"$\">", scope);
    cg_html_model(out, result, model);
    fputs("</th>", out);
}

static void put_models_across(FILE *out, const struct cg_result *result, const struct cg_trait *traits)
{
    int64_t models = result->size[CG_DIM_MODEL];
    fputs("<thead><tr><td></td>", out);
    for (int64_t m = 0; m < models; m++)
        put_model_name(out, result, m, "col");
    fputs("</tr></thead><tbody>\n", out);
    for (int i = 0; i < CG_TRAITS; i++) {
        if (!has_trait(&traits[i], models))
            continue;
        fputs("<tr>", out);
        put_trait_name(out, &traits[i], models, "row");
        for (int64_t m = 0; m < models; m++)
            cg_html(out, "<td>$</td>", cg_show_trait(&traits[i], m).text);
        fputs("</tr>\n", out);
    }
}

static void put_models_down(FILE *out, const struct cg_result *result, const struct cg_trait *traits)
{
    int64_t models = result->size[CG_DIM_MODEL];
    fputs("<thead><tr><td></td>", out);
    for (int i = 0; i < CG_TRAITS; i++)
        if (has_trait(&traits[i], models))
            put_trait_name(out, &traits[i], models, "col");
    fputs("</tr></thead><tbody>\n", out);
    for (int64_t m = 0; m < models; m++) {
        fputs("<tr>", out);
        put_model_name(out, result, m, "row");
        for (int i = 0; i < CG_TRAITS; i++)
            if (has_trait(&traits[i], models))
                cg_html(out, "<td>$</td>", cg_show_trait(&traits[i], m).text);
        fputs("</tr>\n", out);
    }
}

/* Few models stand side by side, many one below the other: a page is narrow. */
static void put_architecture(FILE *out, const struct cg_result *result)
{
    struct cg_trait traits[CG_TRAITS];
    cg_traits_of(traits, result);
    fputs("<h3>Architecture</h3>\n<div class=\"scroll\"><table class=\"traits\">", out);
    if (result->size[CG_DIM_MODEL] <= MODELS_ACROSS)
        put_models_across(out, result, traits);
    else
        put_models_down(out, result, traits);
    fputs("</tbody></table></div>\n<p class=\"note\">\u2260 models differ; - unknown or none.</p>\n", out);
}

static void put_skipped(FILE *out, const struct cg_result *result)
{
    if (result->size[CG_DIM_SKIPPED] == 0)
        return;
    fputs(
        "<h3>Broken, left out</h3>\n<div class=\"scroll\"><table class=\"skipped\"><thead><tr><th>model</th>"
        "<th class=\"text\">path</th><th class=\"text\">what is wrong</th></tr></thead><tbody>\n",
        out);
    for (int64_t i = 0; i < result->size[CG_DIM_SKIPPED]; i++)
        cg_html(out,
                "<tr><th scope=\"row\"><bdi>$</bdi></th><td class=\"text wrap path\"><code>$</code></td>"
                "<td class=\"text wrap\">$</td></tr>\n",
                result->root.skipped_label[i], result->root.skipped_path[i], result->root.skipped_error[i]);
    fputs("</tbody></table></div>\n", out);
}

void cg_html_models(FILE *out, const struct cg_result *result)
{
    fputs("<section id=\"models\"><h2>Models</h2>\n<div class=\"scroll\"><table class=\"models\"><thead><tr>"
          "<th>model</th><th class=\"text\">type</th>",
          out);
    fputs(has_family(result) ? "<th class=\"text\">family</th>" : "", out);
    fputs("<th>parameters</th><th>tensors</th><th>on disk</th><th "
          "class=\"text\">path</th></tr></thead><tbody>\n",
          out);
    for (int64_t m = 0; m < result->size[CG_DIM_MODEL]; m++)
        put_model(out, result, m);
    fputs("</tbody></table></div>\n", out);
    put_skipped(out, result);
    put_architecture(out, result);
    fputs("</section>\n", out);
}
