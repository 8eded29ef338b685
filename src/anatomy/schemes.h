/* The table of schemes: which tensors make a quantised weight, by quant_method and by their names. */
#ifndef COGNATE_ANATOMY_SCHEMES_H
#define COGNATE_ANATOMY_SCHEMES_H

#include "cognate/checkpoint.h"
#include "cognate/quantised.h"

/* How the codes of an (out, in) matrix are stored. */
enum cg_layout {
    CG_LAYOUT_F8,     /* (out, in) */
    CG_LAYOUT_I8,     /* (out, in) */
    CG_LAYOUT_WORDS,  /* (out, in * bits / 32) of I32 */
    CG_LAYOUT_E2M1,   /* (out, in / 2) of U8 */
    CG_LAYOUT_BLOCKS, /* (experts, out, in / 32, 16) of U8 */
    CG_LAYOUT_GPTQ,   /* (in * bits / 32, out) of I32 */
    CG_LAYOUT_AWQ,    /* (in, out / 8) of I32 */
    CG_LAYOUT_BNB     /* (out * in / 2, 1) of U8 */
};

/* A scheme names tensors by what stands behind their common stem. */
struct cg_scheme {
    const char *method; /* quantization_config.quant_method; NULL: the names say enough */
    const char *format; /* as reports name it; NULL: the bits are a part of its name */
    enum cg_layout layout;
    const char *codes, *logical; /* of the codes, and of the weight as the table of names knows it */
    struct cg_scheme_side {
        const char *suffix; /* NULL ends the list */
        enum cg_side_kind kind;
        bool may_lack;
    } side[CG_MOST_SIDES + 1];
};

/* The rows of the table, NULL behind the last. */
const struct cg_scheme *cg_scheme_row(size_t row);

/* A weight that is stored as codes, and the sides that belong to it. */
struct cg_coded {
    const struct cg_scheme *scheme;
    int32_t tensor;
    int32_t side[CG_MOST_SIDES]; /* of each side of the scheme, -1: not there */
    const char *lacks;           /* the suffix of a side that should be there and is not; else NULL */
    bool whole;                  /* cannot be decoded: all its tensors stay by themselves */
};

struct cg_coded_list {
    struct cg_coded *coded;
    size_t n, capacity;
    int32_t *owner; /* [ntensors] whose codes or side a tensor is, into coded; -1: nobody's */
};

/* Groups the tensors of a model by the table. */
int cg_coded_find(struct cg_coded_list *out, const struct cg_checkpoint *model, struct cg_err *err);
void cg_coded_release(struct cg_coded_list *list);

#endif
