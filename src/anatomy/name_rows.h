/* Rows of the naming tables, and how they are written. */
#ifndef COGNATE_ANATOMY_NAME_ROWS_H
#define COGNATE_ANATOMY_NAME_ROWS_H

#include "names.h"
#include <stddef.h>

/* Which models a row is for. */
enum cg_models {
    ALL,
    WITH_POST_FFN_NORM,
    WITH_CONV1D,
    WITH_LINEAR,
    WITH_LINEAR_QKV,
    WITH_KV_HALVES,
    WITH_QKV_BY_HEAD,
    WITH_PAIRED_ROWS,
    WITH_FUSED_UP,
    WITHOUT_OTHER_QKV,
    WITH_TWO_ATTN_NORMS
};

struct cg_name_row {
    const char *pattern; /* the whole name behind its prefix; # is a layer's number, the second an expert's */
    size_t length;
    enum cg_models models;
    bool packed; /* the model's own cut of experts; `cut` counts for nothing */
    bool buffer;
    struct cg_cut cut;
    enum cg_role parts[CG_MOST_PARTS];
};

/* A table; of all that fit and are for the model, the first row counts. */
struct cg_name_table {
    const struct cg_name_row *rows;
    size_t n;
};
extern const struct cg_name_table cg_family_names, cg_gguf_names;

#define PATTERN(text) .pattern = text, .length = sizeof(text) - 1
#define ROW(name, role)                                                                                      \
    {                                                                                                        \
        PATTERN(name), .parts = { CG_ROLE_##role }                                                           \
    }
#define ROW_IN(which, name, role)                                                                            \
    {                                                                                                        \
        PATTERN(name), .models = which, .parts = { CG_ROLE_##role }                                          \
    }
/* A linear layer or a norm with its bias. */
#define PAIR(stem, role) ROW(stem ".weight", role), ROW(stem ".bias", role##_BIAS)
/* A norm as TensorFlow's BERT named it, too. */
#define OLD_NORM(stem, role) PAIR(stem, role), ROW(stem ".gamma", role), ROW(stem ".beta", role##_BIAS)

/* Several roles in one tensor: queries, keys and values; gate and up. The bias is cut as the weight is. */
#define QKV(which, how, name, bias)                                                                          \
    {                                                                                                        \
        PATTERN(name), .models = which, .cut = {.split = CG_SPLIT_##how}, .parts = {                         \
            CG_ROLE_ATTN_Q##bias,                                                                            \
            CG_ROLE_ATTN_K##bias,                                                                            \
            CG_ROLE_ATTN_V##bias                                                                             \
        }                                                                                                    \
    }
#define QKV_PAIR(which, how, stem) QKV(which, how, stem ".weight", ), QKV(which, how, stem ".bias", _BIAS)
#define KV_HALVES(name)                                                                                      \
    {                                                                                                        \
        PATTERN(name), .models = WITH_KV_HALVES, .cut = {.split = CG_SPLIT_KV_BY_HEAD}, .parts = {           \
            CG_ROLE_ATTN_K_B,                                                                                \
            CG_ROLE_ATTN_V_B                                                                                 \
        }                                                                                                    \
    }
/* Two roles, one below the other. */
#define HALVES(name, first, second)                                                                          \
    {                                                                                                        \
        PATTERN(name), .cut = {.split = CG_SPLIT_HALVES}, .parts = { CG_ROLE_##first, CG_ROLE_##second }     \
    }
#define GATE_UP(which, name, bias)                                                                           \
    {                                                                                                        \
        PATTERN(name), .models = which, .cut = {.split = CG_SPLIT_HALVES}, .parts = {                        \
            CG_ROLE_FFN_GATE##bias,                                                                          \
            CG_ROLE_FFN_UP##bias                                                                             \
        }                                                                                                    \
    }
/* All experts of a layer in one tensor, as the model packs them; or one below the other. */
#define PACKED(name, ...)                                                                                    \
    {                                                                                                        \
        PATTERN(name), .packed = true, .parts = { __VA_ARGS__ }                                              \
    }
#define STACKED(name, is_transposed, role)                                                                   \
    {                                                                                                        \
        PATTERN(name), .cut = {.stack = CG_STACK_ROWS, .transposed = is_transposed}, .parts = {              \
            CG_ROLE_##role                                                                                   \
        }                                                                                                    \
    }
/* A linear layer of GPT-2, stored (in, out). */
#define CONV1D(stem, role)                                                                                   \
    {PATTERN(stem ".weight"), .models = WITH_CONV1D, .cut = {.transposed = true},                            \
     .parts = {CG_ROLE_##role}},                                                                             \
        ROW_IN(WITH_CONV1D, stem ".bias", role##_BIAS)
/* The same of GPT-2's descendants, stored (out, in). */
#define LINEAR(stem, role)                                                                                   \
    ROW_IN(WITH_LINEAR, stem ".weight", role), ROW_IN(WITH_LINEAR, stem ".bias", role##_BIAS)
/* GGUF: queries or keys whose rows the converter has reordered; all experts of a layer on an axis of their
 * own, in whatever model. */
#define PAIRED(name, role)                                                                                   \
    {                                                                                                        \
        PATTERN(name), .models = WITH_PAIRED_ROWS, .cut = {.split = CG_SPLIT_PAIRED}, .parts = {             \
            CG_ROLE_##role                                                                                   \
        }                                                                                                    \
    }
#define EXPERTS(stem, role)                                                                                  \
    {PATTERN(stem ".weight"), .cut = {.stack = CG_STACK_AXIS}, .parts = {CG_ROLE_##role}},                   \
    {                                                                                                        \
        PATTERN(stem ".bias"), .cut = {.stack = CG_STACK_AXIS}, .parts = { CG_ROLE_##role##_BIAS }           \
    }
/* The same as single rows. */
#define STACKED_AXIS(name, role)                                                                             \
    {                                                                                                        \
        PATTERN(name), .cut = {.stack = CG_STACK_AXIS}, .parts = { CG_ROLE_##role }                          \
    }
#define EXPERTS_HALVES(name)                                                                                 \
    {                                                                                                        \
        PATTERN(name), .cut = {.split = CG_SPLIT_HALVES, .stack = CG_STACK_AXIS}, .parts = {                 \
            CG_ROLE_FFN_GATE,                                                                                \
            CG_ROLE_FFN_UP                                                                                   \
        }                                                                                                    \
    }
/* Mamba 1 and 2, and the norms that Jamba adds. */
#define MAMBA(stem)                                                                                          \
    PAIR(stem ".in_proj", MAMBA_IN), PAIR(stem ".conv1d", MAMBA_CONV), ROW(stem ".x_proj.weight", MAMBA_X),  \
        ROW(stem ".dt_layernorm.weight", MAMBA_DT_NORM), ROW(stem ".b_layernorm.weight", MAMBA_B_NORM),      \
        ROW(stem ".c_layernorm.weight", MAMBA_C_NORM), PAIR(stem ".dt_proj", MAMBA_DT),                      \
        ROW(stem ".dt_bias", MAMBA_DT_BIAS), ROW(stem ".A_log", MAMBA_A_LOG), ROW(stem ".D", MAMBA_D),       \
        ROW(stem ".norm.weight", MAMBA_NORM), PAIR(stem ".out_proj", MAMBA_OUT)
/* No weight, though it is stored as one. */
#define BUFFER(name)                                                                                         \
    {                                                                                                        \
        PATTERN(name), .buffer = true, .parts = { CG_ROLE_OTHER }                                            \
    }

#endif
