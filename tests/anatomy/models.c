#include "models.h"
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct cg_checkpoint *model_new(const char *architecture, int tied)
{
    struct cg_checkpoint *model = calloc(1, sizeof *model);
    assert(model);
    model->label = strdup("model");
    model->given = strdup("models/model");
    model->folder = strdup("models/model");
    model->config.present = true;
    model->config.file = strdup("models/model/config.json");
    model->config.model_type = strdup("");
    model->config.architecture = strdup(architecture);
    model->config.quant_method = strdup("");
    model->config.quant_format = strdup("");
    model->config.tied = tied;
    for (int f = 0; f < CG_FACT_COUNT; f++)
        model->config.fact[f] = -1;
    return model;
}

void model_free(struct cg_checkpoint *model)
{
    for (size_t t = 0; t < model->ntensors; t++) {
        free(model->tensors[t].name);
        free(model->tensors[t].stride);
    }
    free(model->tensors);
    free(model->label);
    free(model->given);
    free(model->folder);
    free(model->config.file);
    free(model->config.model_type);
    free(model->config.architecture);
    free(model->config.quant_method);
    free(model->config.quant_format);
    free(model);
}

struct cg_tensor *model_add(struct cg_checkpoint *model, enum cg_dtype dtype, int axes, const int64_t *shape,
                            const char *format, ...)
{
    char name[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    if ((model->ntensors & (model->ntensors - 1)) == 0) {
        size_t room = model->ntensors > 0 ? 2 * model->ntensors : 1;
        model->tensors = realloc(model->tensors, room * sizeof *model->tensors);
        assert(model->tensors);
    }
    struct cg_tensor *tensor = &model->tensors[model->ntensors++];
    *tensor = (struct cg_tensor){.name = strdup(name), .dtype = dtype, .axes = axes, .elements = 1};
    for (int a = 0; a < axes; a++)
        tensor->shape[a] = shape[a];
    for (int a = 0; a < axes; a++)
        tensor->elements = shape[a] == 0 || tensor->elements == 0 ? 0 : tensor->elements * shape[a];
    return tensor;
}

void model_turn(struct cg_tensor *tensor)
{
    int a = tensor->axes - 1, b;
    int64_t *stride = calloc(CG_MAX_AXES, sizeof *stride);
    assert(stride);
    cg_tensor_strides(tensor, stride);
    while (a > 0 && tensor->shape[a] == 1)
        a--;
    for (b = a - 1; b > 0 && tensor->shape[b] == 1;)
        b--;
    stride[a] = tensor->shape[b];
    stride[b] = 1;
    tensor->stride = stride;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct cg_tensor *)a)->name, ((const struct cg_tensor *)b)->name);
}

void model_sort(struct cg_checkpoint *model)
{
    if (model->ntensors > 0)
        qsort(model->tensors, model->ntensors, sizeof *model->tensors, compare);
}

struct cg_tensor *model_tensor(struct cg_checkpoint *model, const char *name)
{
    for (size_t t = 0; t < model->ntensors; t++)
        if (strcmp(model->tensors[t].name, name) == 0)
            return &model->tensors[t];
    abort();
}

int64_t slot_named(const struct cg_anatomy *anatomy, const char *name)
{
    for (int64_t s = 0; s < anatomy->nslots; s++)
        if (strcmp(anatomy->slots[s].name, name) == 0)
            return s;
    return -1;
}
