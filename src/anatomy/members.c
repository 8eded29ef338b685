#include "cognate/anatomy.h"

const char *cg_member_type(const struct cg_checkpoint *model, const struct cg_member *member)
{
    return member->quantised ? member->quantised->format
                             : cg_dtype_name(model->tensors[member->tensor].dtype);
}

bool cg_member_is_real(const struct cg_checkpoint *model, const struct cg_member *member)
{
    return member->quantised || cg_dtype_is_real(model->tensors[member->tensor].dtype);
}

int64_t cg_anatomy_parameters(const struct cg_anatomy *anatomy, int model)
{
    int64_t sum = 0;
    for (int64_t s = 0; s < anatomy->nslots; s++) {
        const struct cg_member *member = cg_member_of(anatomy, s, model);
        if (member->tensor >= 0 && !member->tied)
            sum += member->rows * member->columns;
    }
    return sum;
}
