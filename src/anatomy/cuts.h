/* How a fused or packed tensor falls into the members of several slots. Pure arithmetic. */
#ifndef COGNATE_ANATOMY_CUTS_H
#define COGNATE_ANATOMY_CUTS_H

#include "cognate/anatomy.h"
#include "names.h"

/* The parts of one tensor: those of the first expert, then those of the second, ... */
struct cg_parts {
    int64_t experts; /* 1 where there are none */
    int per_expert;
    int64_t expert_stride; /* elements from one expert to the next */
    struct cg_part {
        enum cg_role role;
        int64_t rows, columns;
        struct cg_view view; /* of the first expert */
    } part[CG_MOST_PARTS];
};

/* Where the elements of a strided tensor lie, as a whole. */
struct cg_view cg_strided_view(const struct cg_tensor *tensor);

/* Whether a site says that its tensor is to be cut. */
bool cg_is_cut(const struct cg_site *site);

/* Works out the parts of a tensor whose site is cut. `plain` where its shape is known to be that of its
 * values, not of codes. *whole is set when it has to stay whole, to the reason; else it is NULL. Fails with
 * CG_EMISMATCH when the tensor's sizes contradict config.json. */
int cg_cut(struct cg_parts *out, const struct cg_site *site, const struct cg_tensor *tensor,
           const struct cg_checkpoint *model, bool plain, const char **whole, struct cg_err *err);

/* Drops axes of one element and joins those that follow each other without a gap. */
void cg_view_join(struct cg_view *view);

/* The view of one part of one expert. */
struct cg_view cg_part_view(const struct cg_parts *parts, int64_t expert, int part);

#endif
