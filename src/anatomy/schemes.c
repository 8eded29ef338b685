#include "schemes.h"
#include "cognate/mem.h"
#include "cognate/text.h"
#include <stdlib.h>
#include <string.h>

enum { NAME_ROOM = 1024 };

#define SCALE(suffix)                                                                                        \
    {                                                                                                        \
        suffix, CG_SIDE_SCALE, false                                                                         \
    }
#define ZERO(suffix)                                                                                         \
    {                                                                                                        \
        suffix, CG_SIDE_ZERO, true                                                                           \
    }
#define GROUP(suffix)                                                                                        \
    {                                                                                                        \
        suffix, CG_SIDE_GROUP, true                                                                          \
    }
#define REST(suffix)                                                                                         \
    {                                                                                                        \
        suffix, CG_SIDE_REST, true                                                                           \
    }
/* What compressed-tensors keeps of activations. */
#define INPUTS REST("input_scale"), REST("input_zero_point"), REST("input_global_scale")

/* bitsandbytes' two kinds of 4 bits. */
#define BNB4(kind)                                                                                           \
    {                                                                                                        \
        "bitsandbytes", "bnb-" kind, CG_LAYOUT_BNB, "weight", "weight",                                      \
        {                                                                                                    \
            SCALE("weight.absmax"), {"weight.quant_map", CG_SIDE_TABLE, false},                              \
                {"weight.nested_absmax", CG_SIDE_NESTED_SCALE, true},                                        \
                {"weight.nested_quant_map", CG_SIDE_NESTED_TABLE, true},                                     \
            {                                                                                                \
                "weight.quant_state.bitsandbytes__" kind, CG_SIDE_REST, false                                \
            }                                                                                                \
        }                                                                                                    \
    }

/* The first row whose codes and sides are there counts. */
static const struct cg_scheme table[] = {
    /* DeepSeek-V3 and transformers' FP8; the second row for experts packed as transformers 5 saves them */
    {"fp8",
     "fp8",
     CG_LAYOUT_F8,
     "weight",
     "weight",
     {SCALE("weight_scale_inv"), REST("activation_scale"), REST("input_scale")}},
    {"fp8",
     "fp8",
     CG_LAYOUT_F8,
     "_proj",
     "_proj",
     {SCALE("_proj_scale_inv"), REST("_proj_activation_scale")}},
    /* AutoFP8 and vLLM; fbgemm */
    {"fp8", "fp8", CG_LAYOUT_F8, "weight", "weight", {SCALE("weight_scale"), REST("input_scale")}},
    {"fbgemm_fp8",
     "fbgemm-fp8",
     CG_LAYOUT_F8,
     "weight",
     "weight",
     {SCALE("weight_scale"), REST("input_scale_ub")}},

    {"compressed-tensors",
     "compressed-fp8",
     CG_LAYOUT_F8,
     "weight",
     "weight",
     {SCALE("weight_scale"), ZERO("weight_zero_point"), GROUP("weight_g_idx"), INPUTS}},
    {"compressed-tensors",
     "compressed-int8",
     CG_LAYOUT_I8,
     "weight",
     "weight",
     {SCALE("weight_scale"), ZERO("weight_zero_point"), GROUP("weight_g_idx"), INPUTS}},
    {"compressed-tensors",
     NULL,
     CG_LAYOUT_WORDS,
     "weight_packed",
     "weight",
     {SCALE("weight_scale"),
      {"weight_shape", CG_SIDE_SHAPE, false},
      ZERO("weight_zero_point"),
      GROUP("weight_g_idx"),
      INPUTS}},
    {"compressed-tensors",
     "nvfp4",
     CG_LAYOUT_E2M1,
     "weight_packed",
     "weight",
     {SCALE("weight_scale"), {"weight_global_scale", CG_SIDE_GLOBAL_SCALE, false}, INPUTS}},
    {"compressed-tensors",
     "mxfp4",
     CG_LAYOUT_E2M1,
     "weight_packed",
     "weight",
     {SCALE("weight_scale"), INPUTS}},

    {NULL, "mxfp4", CG_LAYOUT_BLOCKS, "_blocks", "", {SCALE("_scales")}}, /* gpt-oss */

    {"gptq",
     NULL,
     CG_LAYOUT_GPTQ,
     "qweight",
     "weight",
     {SCALE("scales"), {"qzeros", CG_SIDE_ZERO, false}, GROUP("g_idx")}},
    {"awq",
     "awq-int4",
     CG_LAYOUT_AWQ,
     "qweight",
     "weight",
     {SCALE("scales"), {"qzeros", CG_SIDE_ZERO, false}}},

    BNB4("nf4"),
    BNB4("fp4"),
    {"bitsandbytes", "bnb-int8", CG_LAYOUT_I8, "weight", "weight", {SCALE("SCB"), REST("weight_format")}},
};

const struct cg_scheme *cg_scheme_row(size_t row)
{
    return row < sizeof table / sizeof *table ? &table[row] : NULL;
}

static bool has_codes(enum cg_layout layout, enum cg_dtype dtype)
{
    switch (layout) {
    case CG_LAYOUT_F8:
        return dtype >= CG_F8_E4M3 && dtype <= CG_F8_E5M2FNUZ;
    case CG_LAYOUT_I8:
        return dtype == CG_I8;
    case CG_LAYOUT_E2M1:
    case CG_LAYOUT_BLOCKS:
    case CG_LAYOUT_BNB:
        return dtype == CG_U8;
    default:
        return dtype == CG_I32;
    }
}

/* Whether the tensor can be a scheme's codes, by its name and type. */
static bool fits(const struct cg_scheme *scheme, const struct cg_checkpoint *model,
                 const struct cg_tensor *tensor)
{
    return (!scheme->method || strcmp(scheme->method, model->config.quant_method) == 0) &&
           has_codes(scheme->layout, tensor->dtype) && cg_ends_with(tensor->name, scheme->codes) &&
           strlen(tensor->name) + 64 < NAME_ROOM;
}

/* Looks for the sides of a scheme. */
static struct cg_coded group(const struct cg_scheme *scheme, const struct cg_checkpoint *model,
                             int32_t tensor)
{
    struct cg_coded coded = {.scheme = scheme, .tensor = tensor};
    const char *codes = model->tensors[tensor].name;
    int stem = (int)(strlen(codes) - strlen(scheme->codes));
    for (int k = 0; scheme->side[k].suffix; k++) {
        char name[NAME_ROOM];
        snprintf(name, sizeof name, "%.*s%s", stem, codes, scheme->side[k].suffix);
        const struct cg_tensor *side = cg_checkpoint_find(model, name);
        coded.side[k] = side ? (int32_t)(side - model->tensors) : -1;
        if (!side && !scheme->side[k].may_lack && !coded.lacks)
            coded.lacks = scheme->side[k].suffix;
    }
    return coded;
}

static int add(struct cg_coded_list *out, const struct cg_coded *coded, struct cg_err *err)
{
    if (cg_grow((void **)&out->coded, &out->capacity, out->n + 1, sizeof *out->coded, err) < 0)
        return -1;
    out->owner[coded->tensor] = (int32_t)out->n;
    for (int k = 0; !coded->lacks && coded->scheme->side[k].suffix; k++)
        if (coded->side[k] >= 0)
            out->owner[coded->side[k]] = (int32_t)out->n;
    out->coded[out->n++] = *coded;
    return 0;
}

int cg_coded_find(struct cg_coded_list *out, const struct cg_checkpoint *model, struct cg_err *err)
{
    *out = (struct cg_coded_list){.owner = cg_new(model->ntensors, sizeof *out->owner, err)};
    if (!out->owner)
        return -1;
    for (size_t t = 0; t < model->ntensors; t++)
        out->owner[t] = -1;
    for (size_t t = 0; t < model->ntensors; t++) {
        struct cg_coded best = {0};
        const struct cg_scheme *scheme;
        for (size_t row = 0; (scheme = cg_scheme_row(row)) && (!best.scheme || best.lacks); row++) {
            if (!fits(scheme, model, &model->tensors[t]))
                continue;
            struct cg_coded coded = group(scheme, model, (int32_t)t);
            if (!best.scheme || !coded.lacks)
                best = coded;
        }
        if (best.scheme && add(out, &best, err) < 0)
            return -1;
    }
    return 0;
}

void cg_coded_release(struct cg_coded_list *list)
{
    free(list->coded);
    free(list->owner);
    *list = (struct cg_coded_list){0};
}
