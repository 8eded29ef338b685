#include "sample.h"
#include "result/schema.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect(int outcome, const struct cg_err *err)
{
    if (outcome < 0) {
        fprintf(stderr, "sample: %s\n", err->text);
        abort();
    }
}

static void fill_cell(const struct cg_variable *variable, void *data, int64_t i, bool last)
{
    const int64_t length = (int64_t)strlen(variable->name);
    struct cg_err err;
    char text[80] = "";
    switch (variable->type) {
    case CG_TYPE_BOOL:
    case CG_TYPE_UINT8:
        ((int8_t *)data)[i] = (int8_t)(i % 2);
        break;
    case CG_TYPE_INT16:
        ((int16_t *)data)[i] = (int16_t)(100 * length + i);
        break;
    case CG_TYPE_INT32:
        ((int32_t *)data)[i] = (int32_t)(100 * length + i);
        break;
    case CG_TYPE_INT64:
        ((int64_t *)data)[i] = 100 * length + i;
        break;
    case CG_TYPE_FLOAT32:
        ((float *)data)[i] = last ? NAN : (float)length + (float)i / 8;
        break;
    case CG_TYPE_FLOAT64:
        ((double *)data)[i] = last ? NAN : (double)length + (double)i / 8;
        break;
    case CG_TYPE_TEXT:
        snprintf(text, sizeof text, "%s \xC3\xA9 %lld", variable->name, (long long)i);
        expect(cg_result_text(&((char **)data)[i], last ? "" : text, &err), &err);
        break;
    }
}

static void set_sizes(struct cg_result *result, enum sample kind)
{
    const int64_t size[CG_DIMENSION_COUNT] = {
        [CG_DIM_MODEL] = 3,    [CG_DIM_PAIR] = 2,       [CG_DIM_TENSOR] = 5,    [CG_DIM_LAYER_A] = 2,
        [CG_DIM_LAYER_B] = 3,  [CG_DIM_ROLE_GROUP] = 4, [CG_DIM_TOKEN] = 7,     [CG_DIM_EXPERT_MATCH] = 6,
        [CG_DIM_IDENTITY] = 3, [CG_DIM_SAMPLE] = 4,     [CG_DIM_COMPONENT] = 2, [CG_DIM_FEATURE] = 8,
        [CG_DIM_SKIPPED] = 2,  [CG_DIM_MERGE_ROW] = 3,  [CG_DIM_CELL] = 4,
    };
    static const enum cg_dimension may_be_empty[] = {
        CG_DIM_SKIPPED,  CG_DIM_LAYER_A, CG_DIM_LAYER_B,   CG_DIM_TOKEN,     CG_DIM_EXPERT_MATCH,
        CG_DIM_IDENTITY, CG_DIM_SAMPLE,  CG_DIM_COMPONENT, CG_DIM_MERGE_ROW, CG_DIM_CELL};
    memcpy(result->size, size, sizeof size);
    if (kind == SAMPLE_EMPTY_AXES)
        for (size_t i = 0; i < sizeof may_be_empty / sizeof may_be_empty[0]; i++)
            result->size[may_be_empty[i]] = 0;
    if (kind == SAMPLE_LARGE)
        result->size[CG_DIM_TOKEN] = 200000;
}

void sample_init(struct cg_result *result, enum sample kind)
{
    static const char *const groups[] = {"/",       "/tensors",    "/layers",     "/experts", "/cells",
                                         "/merges", "/identities", "/embeddings", "/pca"};
    struct cg_err err;
    *result = (struct cg_result){0};
    set_sizes(result, kind);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        expect(cg_result_allocate(result, groups[i], &err), &err);
    for (size_t v = 0; v < cg_variable_count; v++) {
        int64_t cells = cg_variable_cells(&cg_variables[v], result, &err);
        for (int64_t i = 0; i < cells; i++)
            fill_cell(&cg_variables[v], cg_variable_data(&cg_variables[v], result), i, i == cells - 1);
    }
    if (kind != SAMPLE_NO_PCA)
        expect(cg_result_text(&result->pca_features, "sketch:8", &err), &err);
    expect(cg_result_text(&result->source, "cognate 0.0.0", &err), &err);
    expect(cg_result_text(&result->notes, "first note \xC3\xA9\nsecond note\n", &err), &err);
    expect(cg_result_text(&result->run.date_created, "2020-02-02T02:02:02Z", &err), &err);
    expect(cg_result_text(&result->run.history, "cognate compare a b", &err), &err);
    result->run.ranks = 4;
    result->run.hosts = 2;
    result->run.bytes_read = INT64_C(1) << 40;
    result->run.bytes_reread = 17;
    result->run.peak_rss_bytes_max = 123456789;
    result->run.wall_seconds = 1.5;
    result->run.sweep_seconds = 1.25;
    result->run.read_seconds_max = 0.75;
    result->run.read_seconds_mean = 0.5;
}
