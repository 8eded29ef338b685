#include "cognate/vocabulary.h"
#include "inspect.h"
#include "result/summary_parts.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    MODELS_A_TABLE = 4,
    NAMES_SHOWN = 20,
    SOURCE_ROOM = 96,
    DTYPES_ROOM = 24 * CG_DTYPE_COUNT,
    DIFFERENCES_ROOM = 256,
    SHOWN_NAME = 160,
    OBSTACLES_ROOM = 512
};

/* A range of layers or experts: "0-47", "3"; with gaps how many it holds: "0-46 (24)". */
static struct cg_number show_range(int32_t first, int32_t last, int32_t count)
{
    struct cg_number out = {"-"};
    if (first < 0)
        return out;
    int n = snprintf(out.text, sizeof out.text, first == last ? "%d" : "%d-%d", first, last);
    if (count < last - first + 1)
        snprintf(out.text + n, sizeof out.text - (size_t)n, " (%d)", count);
    return out;
}

static struct cg_number show_shape(int64_t rows, int64_t columns)
{
    struct cg_number out;
    if (rows == 1)
        snprintf(out.text, sizeof out.text, "%.14s", cg_show_count(columns).text);
    else
        snprintf(out.text, sizeof out.text, "%.13s x %.14s", cg_show_count(rows).text,
                 cg_show_count(columns).text);
    return out;
}

/* The last two parts of a tensor's name, "self_attn.qkv_proj"; "" for a slot that is a tensor whole. */
static const char *show_source(const struct cg_models *in, int model, int32_t tensor, char out[SOURCE_ROOM])
{
    if (tensor < 0)
        return "";
    const char *name = in->checkpoints[model].tensors[tensor].name, *tail = name, *last = name;
    size_t length = strlen(name) - (cg_ends_with(name, ".weight") ? strlen(".weight") : 0);
    for (size_t i = 0; i < length; i++)
        if (name[i] == '.') {
            tail = last;
            last = name + i + 1;
        }
    char text[SOURCE_ROOM];
    snprintf(text, sizeof text, "%.*s", (int)(name + length - tail), tail);
    return cg_printable(out, SOURCE_ROOM, text);
}

static void print_dtypes(struct cg_page page, const struct cg_checkpoint *model)
{
    char text[DTYPES_ROOM] = "-";
    int64_t counts[CG_DTYPE_COUNT];
    inspect_count_dtypes(model, counts);
    for (int d = 0, at = 0; d < CG_DTYPE_COUNT; d++)
        if (counts[d] > 0)
            at += snprintf(text + at, sizeof text - (size_t)at, "%s%s %s", at > 0 ? ", " : "",
                           cg_dtype_name((enum cg_dtype)d), cg_show_count(counts[d]).text);
    cg_page_field(page, "dtypes", "%s", text);
}

static int print_vocabulary(struct cg_page page, const struct cg_checkpoint *model, struct cg_err *err)
{
    char *name = NULL, shown[SHOWN_NAME];
    const char *format;
    if (cg_vocabulary_find(&name, &format, cg_checkpoint_vocabulary(model), err) < 0)
        return -1;
    if (name)
        cg_page_field(page, "vocabulary", "%s (%s)", cg_printable(shown, sizeof shown, name), format);
    else
        cg_page_field(page, "vocabulary", "none");
    free(name);
    return 0;
}

static int print_model(struct cg_page page, const struct cg_models *in, int m, struct cg_err *err)
{
    const struct cg_checkpoint *model = &in->checkpoints[m];
    const struct cg_config *config = &model->config;
    cg_page_heading(page, model->label);
    cg_page_field(page, "path", "%s", model->given);
    if (config->present)
        cg_page_field(page, "type", "%s%s%s", *config->model_type ? config->model_type : "-",
                      *config->architecture ? ", " : "", config->architecture);
    else
        cg_page_field(page, "type", "not known: there is no config.json");
    if (*config->quant_method)
        cg_page_field(page, "quantised", "%s", config->quant_method);
    cg_page_field(page, "files", "%s", cg_show_count((int64_t)model->nfiles).text);
    cg_page_field(page, "tensors", "%s", cg_show_count((int64_t)model->ntensors).text);
    cg_page_field(page, "parameters", "%s", cg_show_count(cg_anatomy_parameters(&in->anatomy, m)).text);
    cg_page_field(page, "bytes", "%s", cg_show_count(cg_checkpoint_bytes(model)).text);
    print_dtypes(page, model);
    cg_page_field(page, "tied embeddings", "%s", cg_ties_embeddings(model) ? "yes" : "no");
    return print_vocabulary(page, model, err);
}

static int print_slots(struct cg_page page, const struct cg_models *in, int model, struct cg_err *err)
{
    static const char *const heads[] = {"role",     "slots",  "layers", "experts",
                                        "out x in", "stored", "part of"};
    struct cg_text_table table = {.kinds = "lrllllL"};
    struct slot_group *groups = NULL;
    size_t ngroups = 0;
    char source[SOURCE_ROOM];
    int result = -1;
    CG_TRY(inspect_group_slots(in, model, &groups, &ngroups, err));
    CG_TRY(cg_text_table_heads(&table, heads, err));
    for (size_t i = 0; i < ngroups; i++) {
        const struct slot_group *g = &groups[i];
        int32_t experts = g->last_expert - g->first_expert + 1;
        CG_TRY(cg_text_table_add(&table, err, "%s", cg_role_name(g->role)));
        CG_TRY(cg_text_table_add(&table, err, "%s", cg_show_count(g->slots).text));
        CG_TRY(
            cg_text_table_add(&table, err, "%s", show_range(g->first_layer, g->last_layer, g->layers).text));
        CG_TRY(
            cg_text_table_add(&table, err, "%s", show_range(g->first_expert, g->last_expert, experts).text));
        CG_TRY(cg_text_table_add(&table, err, "%s", show_shape(g->rows, g->columns).text));
        CG_TRY(cg_text_table_add(&table, err, "%s", g->stored));
        CG_TRY(cg_text_table_add(&table, err, "%s", show_source(in, model, g->part_of, source)));
    }
    fputc('\n', page.out);
    cg_text_table_print(&table, page);
    result = 0;
done:
    free(groups);
    cg_text_table_release(&table);
    return result;
}

static void print_unknown(struct cg_page page, const struct cg_models *in, int model)
{
    int64_t unknown = inspect_count_unknown(in, model), shown = 0;
    if (unknown == 0)
        return;
    fprintf(page.out, "\n  Tensors that no naming table knows: %s, each in a slot of its own\n",
            cg_show_count(unknown).text);
    for (int64_t s = 0; s < in->anatomy.nslots && shown < NAMES_SHOWN; s++) {
        int32_t tensor = cg_member_of(&in->anatomy, s, model)->tensor;
        if (!inspect_is_unknown(&in->anatomy.slots[s]) || tensor < 0)
            continue;
        char name[CG_FIT_BYTES];
        cg_page_items(page, 4, "",
                      cg_printable(name, sizeof name, in->checkpoints[model].tensors[tensor].name));
        shown++;
    }
    if (unknown > shown)
        fprintf(page.out, "    and %s more\n", cg_show_count(unknown - shown).text);
}

static bool fact_differs(const struct cg_models *in, int fact)
{
    for (int m = 1; m < in->n; m++)
        if (in->architectures[m].fact[fact] != in->architectures[0].fact[fact])
            return true;
    return false;
}

/* The models from `first` to before `end` side by side. */
static int print_facts(struct cg_page page, const struct cg_models *in, int first, int end,
                       struct cg_err *err)
{
    static const char *const kinds[MODELS_A_TABLE] = {"llR", "llRR", "llRRR", "llRRRR"};
    struct cg_text_table table = {.kinds = kinds[end - first - 1]};
    int result = -1;
    CG_TRY(cg_text_table_add(&table, err, "%s", ""));
    CG_TRY(cg_text_table_add(&table, err, "%s", ""));
    for (int m = first; m < end; m++)
        CG_TRY(cg_text_table_add(&table, err, "%s", in->checkpoints[m].label));
    for (int f = 0; f < CG_FACT_COUNT; f++) {
        CG_TRY(cg_text_table_add(&table, err, "%s", cg_fact_name((enum cg_fact)f)));
        CG_TRY(cg_text_table_add(&table, err, "%s", fact_differs(in, f) ? "!" : ""));
        for (int m = first; m < end; m++)
            CG_TRY(cg_text_table_add(&table, err, "%s%s", in->architectures[m].from_shapes[f] ? "*" : "",
                                     cg_show_count(in->architectures[m].fact[f]).text));
    }
    cg_text_table_print(&table, page);
    result = 0;
done:
    cg_text_table_release(&table);
    return result;
}

static int print_architectures(struct cg_page page, const struct cg_models *in, struct cg_err *err)
{
    cg_page_heading(page, "Architecture");
    for (int first = 0, end; first < in->n; first = end) {
        end = in->n - first > MODELS_A_TABLE ? first + MODELS_A_TABLE : in->n;
        if (first > 0)
            fputc('\n', page.out);
        if (print_facts(page, in, first, end, err) < 0)
            return -1;
    }
    cg_page_caption(page, in->n > 1
                              ? "*: from the tensors, config.json does not say; !: models differ; -: unknown"
                              : "*: from the tensors, config.json does not say; -: unknown");
    return 0;
}

/* An empty cell for none. */
static int add_count(struct cg_text_table *table, int64_t count, struct cg_err *err)
{
    return cg_text_table_add(table, err, "%s", count > 0 ? cg_show_count(count).text : "");
}

/* What can be compared slot by slot and what cannot, role by role. */
static int add_roles(struct cg_text_table *table, const struct pairing *pairing, struct cg_err *err)
{
    int result = -1;
    for (int i = 0; i < 2 * CG_ROLE_COUNT; i++) {
        const struct role_tally *tally = &pairing->tally[i / 2][i % 2];
        const struct cg_member *a = &tally->a, *b = &tally->b;
        if (tally->same_shape + tally->other_shape + tally->only_a + tally->only_b == 0)
            continue;
        CG_TRY(cg_text_table_add(table, err, "%s%s", i % 2 ? "experts' " : "",
                                 cg_role_name((enum cg_role)(i / 2))));
        CG_TRY(add_count(table, tally->same_shape, err));
        CG_TRY(add_count(table, tally->other_shape, err));
        CG_TRY(add_count(table, tally->only_a, err));
        CG_TRY(add_count(table, tally->only_b, err));
        if (tally->other_shape > 0)
            CG_TRY(cg_text_table_add(table, err, "%" PRId64 "x%" PRId64 ", %" PRId64 "x%" PRId64, a->rows,
                                     a->columns, b->rows, b->columns));
        else
            CG_TRY(cg_text_table_add(table, err, "%s", ""));
    }
    result = 0;
done:
    return result;
}

static double share(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

/* How many slots cannot be compared, and why. */
static void print_obstacles(struct cg_page page, const struct pairing *pairing)
{
    static const char *const why[OBSTACLE_COUNT] = {
        "differ in hidden_size",
        "differ in heads, width, experts or vocabulary",
        "have a role that only one has",
        "lie in layers that only one has",
        "belong to experts that only one has",
        "lie in layers that one has dense and the other with experts",
    };
    char text[OBSTACLES_ROOM] = "";
    for (int i = 0, at = 0; i < OBSTACLE_COUNT; i++)
        if (pairing->obstacles[i] > 0)
            at += snprintf(text + at, sizeof text - (size_t)at, "%s%s%s %s", at > 0 ? "; " : "",
                           cg_show_count(pairing->obstacles[i]).text, at > 0 ? "" : " slots", why[i]);
    if (*text)
        cg_page_field(page, "not compared", "%s", text);
}

static int print_pair(struct cg_page page, const struct cg_models *in, int a, int b, struct cg_err *err)
{
    static const char *const heads[] = {"role", "alike", "differ", "only 1st", "only 2nd", "shapes"};
    struct cg_text_table table = {.kinds = "lrrrrL"};
    char heading[CG_FIT_BYTES], differences[DIFFERENCES_ROOM];
    struct pairing pairing;
    int result = -1;
    inspect_pair(in, a, b, &pairing);
    inspect_differences(in, a, b, differences, sizeof differences);
    snprintf(heading, sizeof heading, "%s and %s", in->checkpoints[a].label, in->checkpoints[b].label);
    cg_page_heading(page, heading);
    if (cg_architecture_same(&in->architectures[a], &in->architectures[b]))
        cg_page_field(page, "architecture", "the same");
    else
        cg_page_field(page, "architecture", "%s%s", *differences ? "differs: " : "not known on both sides",
                      differences);
    cg_page_field(
        page, "slot by slot", "%s slots of the same shape, of %s and %s: %s and %s of the parameters",
        cg_show_count(pairing.same_shape).text, cg_show_count(pairing.slots_a).text,
        cg_show_count(pairing.slots_b).text, cg_show_share(share(pairing.same_a, pairing.parameters_a)).text,
        cg_show_share(share(pairing.same_b, pairing.parameters_b)).text);
    print_obstacles(page, &pairing);
    CG_TRY(cg_text_table_heads(&table, heads, err));
    CG_TRY(add_roles(&table, &pairing, err));
    if (pairing.same_shape < pairing.slots_a || pairing.same_shape < pairing.slots_b)
        cg_text_table_print(&table, page);
    result = 0;
done:
    cg_text_table_release(&table);
    return result;
}

int inspect_print_text(FILE *out, const struct cg_models *in, struct cg_err *err)
{
    struct cg_page page = {out, cg_style_of(out)};
    int n = in->n;
    for (int m = 0; m < n; m++) {
        if (print_model(page, in, m, err) < 0 || print_slots(page, in, m, err) < 0)
            return -1;
        print_unknown(page, in, m);
        if (in->checkpoints[m].warnings.size > 0)
            cg_page_items(page, 2, "warning: ", in->checkpoints[m].warnings.data);
        if (in->anatomy.warnings[m].size > 0)
            cg_page_items(page, 2, "warning: ", in->anatomy.warnings[m].data);
    }
    if (print_architectures(page, in, err) < 0)
        return -1;
    for (int a = 0; a < n; a++)
        for (int b = a + 1; b < n; b++)
            if (print_pair(page, in, a, b, err) < 0)
                return -1;
    if (n > 1)
        cg_page_caption(page,
                        "slots are one way: compare also matches feed-forward blocks and experts by their "
                        "hidden units, in other layers, widths and bases");
    return 0;
}
