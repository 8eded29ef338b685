#include "rounding.h"
#include <math.h>
#include <string.h>

/* Beyond this times what rounding explains there is more than rounding. */
static const double MOST_RATIO = 2;

/* The largest relative error of rounding to nearest in a plain floating-point type; 0 for all others. */
static double unit_roundoff(enum cg_dtype dtype)
{
    switch (dtype) {
    case CG_BF16:
        return 0x1p-8;
    case CG_F16:
        return 0x1p-11;
    case CG_F32:
        return 0x1p-24;
    case CG_F64:
        return 0x1p-53;
    case CG_F8_E4M3:
        return 0x1p-4;
    case CG_F8_E5M2:
        return 0x1p-3;
    default:
        return 0;
    }
}

static void add_format(struct cg_rounding *rounding, const char *format)
{
    rounding->several = rounding->several || (rounding->format && strcmp(rounding->format, format) != 0);
    if (!rounding->format)
        rounding->format = format;
}

static bool is_quantised(const struct cg_checkpoint *model, const struct cg_member *member)
{
    return member->quantised || model->tensors[member->tensor].dtype >= CG_FIRST_BLOCK_DTYPE;
}

void cg_rounding_add(struct cg_rounding *rounding, const struct cg_checkpoint *model_a,
                     const struct cg_member *a, const struct cg_checkpoint *model_b,
                     const struct cg_member *b, const struct cg_comparison *comparison)
{
    if (!comparison->compared || !comparison->matrix || comparison->equal || isnan(comparison->cosine))
        return;
    double u = unit_roundoff(model_a->tensors[a->tensor].dtype);
    double v = unit_roundoff(model_b->tensors[b->tensor].dtype);
    if (comparison->rounding > 0) {
        rounding->quantised++;
        rounding->difference += comparison->difference;
        rounding->explained += comparison->rounding;
        if (is_quantised(model_b, b))
            add_format(rounding, cg_member_type(model_b, b));
        if (is_quantised(model_a, a))
            add_format(rounding, cg_member_type(model_a, a));
    } else if (u > 0 && v > 0 && u != v && comparison->relative_difference <= fmax(u, v)) {
        rounding->recast++;
    } else {
        rounding->neither++;
    }
}

double cg_rounding_ratio(const struct cg_rounding *rounding)
{
    return rounding->explained > 0 ? sqrt(rounding->difference / rounding->explained) : NAN;
}

const char *cg_rounding_relation(const struct cg_rounding *rounding)
{
    if (rounding->neither > 0)
        return NULL;
    if (rounding->quantised > 0)
        return cg_rounding_ratio(rounding) <= MOST_RATIO ? "quantised" : NULL;
    return rounding->recast > 0 ? "recast" : NULL;
}
