#include "cognate/vocabulary.h"
#include "inspect.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_SHOWN = 20 };

static void put_key(FILE *out, const char *separator, const char *key)
{
    fputs(separator, out);
    cg_json_string(out, key);
    fputs(": ", out);
}

static void put_text(FILE *out, const char *separator, const char *key, const char *text)
{
    put_key(out, separator, key);
    cg_json_string(out, text);
}

/* Unknown numbers are null. */
static void put_number(FILE *out, const char *separator, const char *key, int64_t value)
{
    put_key(out, separator, key);
    if (value >= 0)
        fprintf(out, "%" PRId64, value);
    else
        fputs("null", out);
}

static void put_truth(FILE *out, const char *separator, const char *key, bool value)
{
    put_key(out, separator, key);
    fputs(value ? "true" : "false", out);
}

static void put_dtypes(FILE *out, const struct cg_checkpoint *model)
{
    const char *separator = "";
    int64_t counts[CG_DTYPE_COUNT];
    inspect_count_dtypes(model, counts);
    put_key(out, ",\n  ", "dtypes");
    fputc('{', out);
    for (int d = 0; d < CG_DTYPE_COUNT; d++) {
        if (counts[d] == 0)
            continue;
        put_number(out, separator, cg_dtype_name((enum cg_dtype)d), counts[d]);
        separator = ", ";
    }
    fputc('}', out);
}

static void put_architecture(FILE *out, const struct cg_architecture *architecture)
{
    put_key(out, ",\n  ", "architecture");
    for (int f = 0; f < CG_FACT_COUNT; f++)
        put_number(out, f > 0 ? ", " : "{", cg_fact_name((enum cg_fact)f), architecture->fact[f]);
    fputc('}', out);
    put_key(out, ",\n  ", "from_shapes");
    fputc('[', out);
    const char *separator = "";
    for (int f = 0; f < CG_FACT_COUNT; f++) {
        if (!architecture->from_shapes[f])
            continue;
        fputs(separator, out);
        cg_json_string(out, cg_fact_name((enum cg_fact)f));
        separator = ", ";
    }
    fputc(']', out);
}

static int put_slots(FILE *out, const struct cg_models *in, int model, struct cg_err *err)
{
    struct slot_group *groups;
    size_t n;
    if (inspect_group_slots(in, model, &groups, &n, err) < 0)
        return -1;
    put_key(out, ",\n  ", "slots");
    fputc('[', out);
    for (size_t i = 0; i < n; i++) {
        const struct slot_group *g = &groups[i];
        put_text(out, i > 0 ? ",\n   {" : "\n   {", "role", cg_role_name(g->role));
        put_number(out, ", ", "slots", g->slots);
        put_number(out, ", ", "layers", g->first_layer < 0 ? -1 : g->layers);
        put_number(out, ", ", "first_layer", g->first_layer);
        put_number(out, ", ", "last_layer", g->last_layer);
        put_number(out, ", ", "first_expert", g->first_expert);
        put_number(out, ", ", "last_expert", g->last_expert);
        put_number(out, ", ", "rows", g->rows);
        put_number(out, ", ", "columns", g->columns);
        put_text(out, ", ", "stored", g->stored);
        if (g->part_of >= 0)
            put_text(out, ", ", "part_of", in->checkpoints[model].tensors[g->part_of].name);
        fputc('}', out);
    }
    fputc(']', out);
    free(groups);
    return 0;
}

static void put_unknown(FILE *out, const struct cg_models *in, int model)
{
    int64_t shown = 0;
    put_number(out, ",\n  ", "unknown_tensors", inspect_count_unknown(in, model));
    put_key(out, ",\n  ", "unknown_names");
    fputc('[', out);
    for (int64_t s = 0; s < in->anatomy.nslots && shown < NAMES_SHOWN; s++) {
        int32_t tensor = cg_member_of(&in->anatomy, s, model)->tensor;
        if (!inspect_is_unknown(&in->anatomy.slots[s]) || tensor < 0)
            continue;
        fputs(shown++ > 0 ? ", " : "", out);
        cg_json_string(out, in->checkpoints[model].tensors[tensor].name);
    }
    fputc(']', out);
}

/* The lines of some warnings, with a separator before all but the first. */
static int put_lines(FILE *out, const struct cg_buf *warnings, const char *separator, struct cg_err *err)
{
    for (size_t at = 0, length; at < warnings->size; at += length + 1) {
        struct cg_buf line = {0};
        length = strcspn(warnings->data + at, "\n");
        if (cg_buf_append(&line, warnings->data + at, length, err) < 0)
            return -1;
        fputs(separator, out);
        cg_json_string(out, line.data);
        cg_buf_release(&line);
        separator = ", ";
    }
    return 0;
}

static int put_warnings(FILE *out, const struct cg_models *in, int model, struct cg_err *err)
{
    const struct cg_buf *metadata = &in->checkpoints[model].warnings;
    put_key(out, ",\n  ", "warnings");
    fputc('[', out);
    if (put_lines(out, metadata, "", err) < 0 ||
        put_lines(out, &in->anatomy.warnings[model], metadata->size > 0 ? ", " : "", err) < 0)
        return -1;
    fputc(']', out);
    return 0;
}

static void put_obstacles(FILE *out, const struct pairing *pairing)
{
    static const char *const keys[OBSTACLE_COUNT] = {"hidden_size",   "other_size",     "no_such_role",
                                                     "no_such_layer", "no_such_expert", "other_layout"};
    put_key(out, ", ", "not_compared");
    for (int i = 0; i < OBSTACLE_COUNT; i++)
        put_number(out, i > 0 ? ", " : "{", keys[i], pairing->obstacles[i]);
    fputc('}', out);
}

/* How earlier models stand to this one. */
static void put_pairs(FILE *out, const struct cg_models *in, int b)
{
    put_key(out, ",\n  ", "pairs");
    fputc('[', out);
    for (int a = 0; a < b; a++) {
        struct pairing p;
        inspect_pair(in, a, b, &p);
        put_text(out, a > 0 ? ",\n   {" : "\n   {", "with", in->checkpoints[a].label);
        put_truth(out, ", ", "same_architecture",
                  cg_architecture_same(&in->architectures[a], &in->architectures[b]));
        put_number(out, ", ", "same_shape", p.same_shape);
        put_number(out, ", ", "same_shape_parameters", p.same_b);
        put_key(out, ", ", "comparable_fraction");
        fprintf(out, "%.17g", p.parameters_b > 0 ? (double)p.same_b / (double)p.parameters_b : 0.0);
        put_obstacles(out, &p);
        put_key(out, ", ", "roles");
        const char *separator = "{";
        for (int i = 0; i < 2 * CG_ROLE_COUNT; i++) {
            const struct role_tally *t = &p.tally[i / 2][i % 2];
            if (t->same_shape + t->other_shape + t->only_a + t->only_b == 0)
                continue;
            char key[64];
            snprintf(key, sizeof key, "%s%s", i % 2 ? "experts." : "", cg_role_name((enum cg_role)(i / 2)));
            put_key(out, separator, key);
            put_number(out, "{", "same_shape", t->same_shape);
            put_number(out, ", ", "other_shape", t->other_shape);
            put_number(out, ", ", "only_with", t->only_a);
            put_number(out, ", ", "only_here", t->only_b);
            fputc('}', out);
            separator = ", ";
        }
        fputs(*separator == '{' ? "{}}" : "}}", out);
    }
    fputc(']', out);
}

static int put_vocabulary(FILE *out, const struct cg_checkpoint *model, struct cg_err *err)
{
    char *name = NULL;
    const char *format;
    if (cg_vocabulary_find(&name, &format, cg_checkpoint_vocabulary(model), err) < 0)
        return -1;
    put_truth(out, ",\n  ", "tokenizer", name != NULL);
    put_text(out, ",\n  ", "vocabulary", name ? name : "");
    put_text(out, ",\n  ", "vocabulary_format", name ? format : "");
    free(name);
    return 0;
}

static int put_model(FILE *out, const struct cg_models *in, int m, struct cg_err *err)
{
    const struct cg_checkpoint *model = &in->checkpoints[m];
    put_text(out, m > 0 ? ",\n {" : "\n {", "label", model->label);
    put_text(out, ",\n  ", "path", model->given);
    put_text(out, ",\n  ", "model_type", model->config.model_type);
    put_text(out, ",\n  ", "model_class", model->config.architecture);
    put_text(out, ",\n  ", "quant_method", model->config.quant_method);
    put_truth(out, ",\n  ", "config", model->config.present);
    if (put_vocabulary(out, model, err) < 0)
        return -1;
    put_truth(out, ",\n  ", "tied_embeddings", cg_ties_embeddings(model));
    put_number(out, ",\n  ", "files", (int64_t)model->nfiles);
    put_number(out, ",\n  ", "tensors", (int64_t)model->ntensors);
    put_number(out, ",\n  ", "parameters", cg_anatomy_parameters(&in->anatomy, m));
    put_number(out, ",\n  ", "stored_bytes", cg_checkpoint_bytes(model));
    put_dtypes(out, model);
    put_architecture(out, &in->architectures[m]);
    if (put_slots(out, in, m, err) < 0)
        return -1;
    put_unknown(out, in, m);
    if (put_warnings(out, in, m, err) < 0)
        return -1;
    put_pairs(out, in, m);
    fputc('}', out);
    return 0;
}

int inspect_print_json(FILE *out, const struct cg_models *in, struct cg_err *err)
{
    fputc('[', out);
    for (int m = 0; m < in->n; m++)
        if (put_model(out, in, m, err) < 0)
            return -1;
    fputs("\n]\n", out);
    return 0;
}
