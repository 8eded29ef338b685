#include "synthetic.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void synthetic_begin(struct synthetic *made, int models)
{
    assert(models <= SYNTHETIC_MODELS);
    *made = (struct synthetic){.anatomy.models = models};
    for (int m = 0; m < models; m++)
        made->models[m] = &made->model[m];
}

void synthetic_release(struct synthetic *made)
{
    for (int m = 0; m < made->anatomy.models; m++) {
        for (size_t t = 0; t < made->model[m].ntensors; t++)
            free(made->model[m].tensors[t].name);
        free(made->model[m].tensors);
    }
    free(made->anatomy.slots);
    free(made->anatomy.members);
    *made = (struct synthetic){0};
}

/* Room for one more of n things, doubled at powers of two. */
static void *room(void *array, size_t n, size_t size)
{
    if ((n & (n - 1)) != 0)
        return array;
    array = realloc(array, (n > 0 ? 2 * n : 1) * size);
    assert(array);
    return array;
}

int64_t synthetic_slot(struct synthetic *made, enum cg_role role, int32_t layer, int32_t expert)
{
    struct cg_anatomy *anatomy = &made->anatomy;
    size_t n = (size_t)anatomy->nslots, models = (size_t)anatomy->models;
    anatomy->slots = room(anatomy->slots, n, sizeof *anatomy->slots);
    anatomy->members = room(anatomy->members, n, models * sizeof *anatomy->members);
    anatomy->slots[n] = (struct cg_slot){.role = role, .layer = layer, .expert = expert};
    for (size_t m = 0; m < models; m++)
        anatomy->members[n * models + m] = (struct cg_member){.tensor = -1};
    return anatomy->nslots++;
}

static struct cg_member *last_member(struct synthetic *made, int model)
{
    return &made->anatomy.members[(made->anatomy.nslots - 1) * made->anatomy.models + model];
}

void synthetic_member(struct synthetic *made, int model, enum cg_dtype dtype, int64_t rows, int64_t columns)
{
    struct cg_checkpoint *to = &made->model[model];
    char name[32];
    snprintf(name, sizeof name, "tensor.%zu", to->ntensors);
    to->tensors = room(to->tensors, to->ntensors, sizeof *to->tensors);
    to->tensors[to->ntensors] = (struct cg_tensor){.name = strdup(name),
                                                   .dtype = dtype,
                                                   .axes = 2,
                                                   .shape = {rows, columns},
                                                   .elements = rows * columns,
                                                   .bytes = cg_dtype_bytes(dtype, rows * columns)};
    *last_member(made, model) = (struct cg_member){.tensor = (int32_t)to->ntensors,
                                                   .rows = rows,
                                                   .columns = columns,
                                                   .grain = cg_dtype_grain(dtype),
                                                   .bytes = to->tensors[to->ntensors].bytes};
    to->ntensors++;
}

void synthetic_tie(struct synthetic *made, int model, int64_t slot)
{
    struct cg_member *member = last_member(made, model);
    *member = *cg_member_of(&made->anatomy, slot, model);
    member->tied = true;
}

void synthetic_alike(struct synthetic *made, enum cg_role role, int32_t layer, int32_t expert,
                     enum cg_dtype dtype, int64_t rows, int64_t columns)
{
    synthetic_slot(made, role, layer, expert);
    for (int m = 0; m < made->anatomy.models; m++)
        synthetic_member(made, m, dtype, rows, columns);
}
