/* From a weight's codes and sides to the members that they make. Pure arithmetic on shapes. */
#ifndef COGNATE_ANATOMY_CODED_H
#define COGNATE_ANATOMY_CODED_H

#include "cuts.h"
#include "schemes.h"

/* A weight stored as codes, whole: the (out, in) matrix that it is, or one for each expert. */
struct cg_coded_matrix {
    const struct cg_checkpoint *model;
    const struct cg_coded *coded;
    int64_t experts; /* 0: none, a matrix by itself */
    struct cg_grain grain;
    int64_t scale_rows, scale_columns; /* of one expert's scales; 1 and 1 where all share one */
    struct cg_quantised how;           /* rows and columns of one expert's; its sides are yet to be placed */
};

/* Works out the matrix. *why is set when its tensors do not fit together, to the reason; else it is NULL. */
void cg_coded_describe(struct cg_coded_matrix *out, const struct cg_checkpoint *model,
                       const struct cg_coded *coded, const char **why);

/* The tensor that the matrix would be if it were stored plainly, under its logical name in name[size]. */
struct cg_tensor cg_coded_plain(const struct cg_coded_matrix *matrix, char *name, size_t size);

/* The codes and sides of the rows that `part` takes of that plain tensor; part NULL: all of them. False when
 * they cannot be told apart from those of other rows. */
bool cg_coded_part(struct cg_quantised *how, struct cg_view *codes, const struct cg_coded_matrix *matrix,
                   const struct cg_view *part);

#endif
