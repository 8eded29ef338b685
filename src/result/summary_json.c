#include "cognate/mem.h"
#include "cognate/text.h"
#include "schema.h"
#include "summary_parts.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* JSON knows neither NaN nor infinity. */
static void put_number(FILE *out, double value)
{
    if (isfinite(value))
        fprintf(out, "%.17g", value);
    else
        fputs("null", out);
}

/* Below 0 means absent, as in the file. */
static void put_integer(FILE *out, int64_t value)
{
    if (value >= 0)
        fprintf(out, "%" PRId64, value);
    else
        fputs("null", out);
}

static void put_key(FILE *out, bool first, const char *key)
{
    fputs(first ? "" : ", ", out);
    cg_json_string(out, key);
    fputs(": ", out);
}

/* An array of the lines of a text. */
static int put_lines(FILE *out, const char *text, struct cg_err *err)
{
    const char *separator = "";
    fputc('[', out);
    for (text += strspn(text, "\n"); *text; text += strspn(text, "\n")) {
        size_t n = strcspn(text, "\n");
        char *line = cg_copy_text(text, n, err);
        if (!line)
            return -1;
        fputs(separator, out);
        cg_json_string(out, line);
        free(line);
        separator = ", ";
        text += n;
    }
    fputc(']', out);
    return 0;
}

/* One cell of a variable. */
static int put_cell(FILE *out, const struct cg_variable *variable, const void *data, int64_t i,
                    struct cg_err *err)
{
    switch (variable->type) {
    case CG_TYPE_BOOL:
        fputs(((const int8_t *)data)[i] ? "true" : "false", out);
        break;
    case CG_TYPE_UINT8:
        put_integer(out, ((const uint8_t *)data)[i]);
        break;
    case CG_TYPE_INT16:
        put_integer(out, ((const int16_t *)data)[i]);
        break;
    case CG_TYPE_FLOAT32:
        put_number(out, (double)((const float *)data)[i]);
        break;
    case CG_TYPE_INT32:
        put_integer(out, ((const int32_t *)data)[i]);
        break;
    case CG_TYPE_INT64:
        put_integer(out, ((const int64_t *)data)[i]);
        break;
    case CG_TYPE_FLOAT64:
        put_number(out, ((const double *)data)[i]);
        break;
    case CG_TYPE_TEXT:
        if (strcmp(variable->name, "reasons") == 0)
            return put_lines(out, ((char *const *)data)[i], err);
        cg_json_string(out, ((char *const *)data)[i]);
        break;
    }
    return 0;
}

/* Every variable of the group that runs over the one axis alone, at index i. */
static int put_variables(FILE *out, const struct cg_result *result, const char *group, enum cg_dimension axis,
                         int64_t i, struct cg_err *err)
{
    bool first = true;
    for (size_t v = 0; v < cg_variable_count; v++) {
        const struct cg_variable *variable = &cg_variables[v];
        const void *data = cg_variable_data(variable, result);
        if (!data || strcmp(variable->group, group) != 0 || variable->dimension[0] != (int)axis ||
            variable->dimension[1] != CG_DIM_NONE)
            continue;
        put_key(out, first, variable->name);
        if (put_cell(out, variable, data, i, err) < 0)
            return -1;
        first = false;
    }
    return 0;
}

/* n numbers, `stride` apart. */
static void put_numbers(FILE *out, const double *values, int64_t n, int64_t stride)
{
    fputc('[', out);
    for (int64_t i = 0; i < n; i++) {
        fputs(i > 0 ? ", " : "", out);
        put_number(out, values[i * stride]);
    }
    fputc(']', out);
}

/* The profile over depth: an array over the layers of b for each role group. */
static void put_layers(FILE *out, const struct cg_result *result, int64_t pair)
{
    int64_t groups = result->size[CG_DIM_ROLE_GROUP], layers = result->size[CG_DIM_LAYER_B];
    put_key(out, false, "layers");
    fputc('{', out);
    for (int64_t g = 0; result->layers.cosine && g < groups; g++) {
        put_key(out, g == 0, result->layers.role_group[g]);
        put_numbers(out, &result->layers.cosine[pair * layers * groups + g], cg_profile_layers(result, pair),
                    groups);
    }
    fputc('}', out);
}

static void put_range(FILE *out, bool first, const char *key, const struct cg_range *range)
{
    put_key(out, first, key);
    fprintf(out, "{\"slots\": %" PRId64 ", \"mean\": ", range->n);
    put_number(out, range->mean);
    put_key(out, false, "least");
    put_number(out, range->least);
    put_key(out, false, "most");
    put_number(out, range->most);
    fputc('}', out);
}

static int put_norms(FILE *out, const struct cg_result *result, int64_t pair, struct cg_err *err)
{
    struct cg_norms norms;
    if (cg_norms_of(&norms, result, pair, err) < 0)
        return -1;
    put_key(out, false, "norms");
    fputc('{', out);
    put_range(out, true, "plain_cosine", &norms.plain);
    put_range(out, false, "centred_cosine", &norms.centred);
    put_range(out, false, "t", &norms.t);
    fputc('}', out);
    return 0;
}

static int put_embedding(FILE *out, const struct cg_result *result, int64_t pair, struct cg_err *err)
{
    struct cg_tokens tokens;
    put_key(out, false, "embedding");
    fputc('{', out);
    if (put_variables(out, result, "/embeddings", CG_DIM_PAIR, pair, err) < 0 ||
        cg_tokens_of(&tokens, result, pair, err) < 0)
        return -1;
    const double quantiles[] = {cg_tokens_quantile(&tokens, 0.05), cg_tokens_quantile(&tokens, 0.5),
                                cg_tokens_quantile(&tokens, 0.95)};
    free(tokens.sorted);
    put_key(out, !result->embeddings.rows_a, "token_cosine_quantiles"); /* 5, 50 and 95 % */
    put_numbers(out, quantiles, 3, 1);
    fputc('}', out);
    return 0;
}

/* The labels come first, so that a reader need not look the indices up. */
static int put_pair(FILE *out, const struct cg_result *result, int64_t pair, struct cg_err *err)
{
    put_key(out, true, "a_label");
    cg_json_string(out, cg_model_label(result, result->root.pair_a[pair]));
    put_key(out, false, "b_label");
    cg_json_string(out, cg_model_label(result, result->root.pair_b[pair]));
    fputs(", ", out);
    if (put_variables(out, result, "/", CG_DIM_PAIR, pair, err) < 0)
        return -1;
    put_layers(out, result, pair);
    return put_norms(out, result, pair, err) < 0 ? -1 : put_embedding(out, result, pair, err);
}

static int put_model(FILE *out, const struct cg_result *result, int64_t model, struct cg_err *err)
{
    return put_variables(out, result, "/", CG_DIM_MODEL, model, err);
}

static int put_skipped(FILE *out, const struct cg_result *result, int64_t skipped, struct cg_err *err)
{
    return put_variables(out, result, "/", CG_DIM_SKIPPED, skipped, err);
}

/* "key": [{...}, ...], an object a line. */
static int put_objects(FILE *out, const char *key, const struct cg_result *result, enum cg_dimension axis,
                       int (*put)(FILE *, const struct cg_result *, int64_t, struct cg_err *),
                       struct cg_err *err)
{
    fprintf(out, ",\n\"%s\": [", key);
    for (int64_t i = 0; i < result->size[axis]; i++) {
        fputs(i > 0 ? ",\n{" : "\n{", out);
        if (put(out, result, i, err) < 0)
            return -1;
        fputc('}', out);
    }
    fputc(']', out);
    return 0;
}

static int put_merge_row(FILE *out, const struct cg_result *result, int64_t row, struct cg_err *err)
{
    return put_variables(out, result, "/merges", CG_DIM_MERGE_ROW, row, err);
}

static void put_pca(FILE *out, const struct cg_result *result)
{
    int64_t components = result->size[CG_DIM_COMPONENT];
    fputs(",\n\"pca\": ", out);
    if (!result->pca_features) {
        fputs("null", out);
        return;
    }
    fputs("{\"features\": ", out);
    cg_json_string(out, result->pca_features);
    fprintf(out, ", \"feature_count\": %" PRId64 ", \"samples\": %" PRId64, result->size[CG_DIM_FEATURE],
            result->size[CG_DIM_SAMPLE]);
    put_key(out, false, "explained_variance");
    put_numbers(out, result->pca.explained_variance, components, 1);
    put_key(out, false, "explained_variance_ratio");
    put_numbers(out, result->pca.explained_variance_ratio, components, 1);
    fputc('}', out);
}

int cg_summary_json(FILE *out, const struct cg_result *result, struct cg_err *err)
{
    fputs("{\"source\": ", out);
    cg_json_string(out, result->source ? result->source : "");
    if (put_objects(out, "models", result, CG_DIM_MODEL, put_model, err) < 0 ||
        put_objects(out, "skipped", result, CG_DIM_SKIPPED, put_skipped, err) < 0 ||
        put_objects(out, "pairs", result, CG_DIM_PAIR, put_pair, err) < 0 ||
        put_objects(out, "merges", result, CG_DIM_MERGE_ROW, put_merge_row, err) < 0)
        return -1;
    put_pca(out, result);
    fputs(",\n\"notes\": ", out);
    if (put_lines(out, result->notes ? result->notes : "", err) < 0)
        return -1;
    fputs("}\n", out);
    if (fflush(out) != 0 || ferror(out))
        return cg_fail(err, CG_EIO, "summary: %s", strerror(errno));
    return 0;
}
