/* Checkpoints built by hand: names, types and shapes without files. */
#ifndef COGNATE_TESTS_ANATOMY_MODELS_H
#define COGNATE_TESTS_ANATOMY_MODELS_H

#include "cognate/anatomy.h"

struct cg_checkpoint *model_new(const char *architecture, int tied);
void model_free(struct cg_checkpoint *model);

/* Adds a tensor with up to CG_MAX_AXES axes; the name is a format. */
struct cg_tensor *model_add(struct cg_checkpoint *model, enum cg_dtype dtype, int axes, const int64_t *shape,
                            const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Adds a BF16 vector or matrix. */
#define MODEL_VECTOR(model, n, ...) model_add(model, CG_BF16, 1, (int64_t[]){n}, __VA_ARGS__)
#define MODEL_MATRIX(model, rows, columns, ...)                                                              \
    model_add(model, CG_BF16, 2, (int64_t[]){rows, columns}, __VA_ARGS__)

/* Sorts the tensors by name, as readers do. Call it last. */

/* Makes its last two axes of more than one element lie the other way round. */
void model_turn(struct cg_tensor *tensor);

void model_sort(struct cg_checkpoint *model);

/* The tensor of that name; it must be there. */
struct cg_tensor *model_tensor(struct cg_checkpoint *model, const char *name);

/* The slot of that canonical name, or -1. */
int64_t slot_named(const struct cg_anatomy *anatomy, const char *name);

#endif
