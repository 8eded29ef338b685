#include "cognate/blocks.h"
#include "cognate/mem.h"
#include "fetch.h"
#include <stdlib.h>

/* Units and columns below which a block says nothing. */
enum { LEAST_UNITS = 16, LEAST_WIDTH = 16 };

/* The slot of that role in the layer and expert of slot `near`, or -1. Slots of a layer stand together. */
static int64_t find_beside(const struct cg_anatomy *anatomy, int64_t near, enum cg_role role, int32_t expert)
{
    int32_t layer = anatomy->slots[near].layer;
    for (int step = -1; step <= 1; step += 2)
        for (int64_t s = near; s >= 0 && s < anatomy->nslots && anatomy->slots[s].layer == layer; s += step)
            if (anatomy->slots[s].role == role && anatomy->slots[s].expert == expert)
                return s;
    return -1;
}

static bool same_shape(const struct cg_member *a, const struct cg_member *b)
{
    return a->rows == b->rows && a->columns == b->columns;
}

/* The block whose up projection is in slot `up`; false where there is none. */
static bool block_at(struct cg_ffn_block *out, const struct cg_checkpoint *const *models,
                     const struct cg_anatomy *anatomy, int64_t up, int model)
{
    const struct cg_slot *slot = &anatomy->slots[up];
    bool shared = slot->role == CG_ROLE_SHARED_UP;
    if ((slot->role != CG_ROLE_FFN_UP && !shared) || !cg_can_fetch(models, anatomy, up, model))
        return false;
    const struct cg_member *member = cg_member_of(anatomy, up, model);
    int64_t gate = find_beside(anatomy, up, shared ? CG_ROLE_SHARED_GATE : CG_ROLE_FFN_GATE, slot->expert);
    if (gate < 0 || !cg_can_fetch(models, anatomy, gate, model) ||
        !same_shape(member, cg_member_of(anatomy, gate, model)) || member->rows < LEAST_UNITS ||
        member->columns < LEAST_WIDTH || member->rows > INT32_MAX || member->columns > INT32_MAX)
        return false;
    *out = (struct cg_ffn_block){.layer = slot->layer,
                                 .expert = shared ? -1 : slot->expert,
                                 .shared = shared,
                                 .gate = gate,
                                 .up = up,
                                 .norm = find_beside(anatomy, up, CG_ROLE_FFN_NORM, -1),
                                 .units = member->rows,
                                 .width = member->columns};
    if (out->norm >= 0 && (!cg_can_fetch(models, anatomy, out->norm, model) ||
                           cg_member_of(anatomy, out->norm, model)->columns != out->width))
        out->norm = -1;
    return true;
}

int cg_blocks_list(struct cg_ffn_block **out, int32_t *n, const struct cg_checkpoint *const *models,
                   const struct cg_anatomy *anatomy, int model, struct cg_err *err)
{
    size_t capacity = 0;
    *out = NULL;
    *n = 0;
    for (int64_t s = 0; s < anatomy->nslots; s++) {
        struct cg_ffn_block block;
        if (!block_at(&block, models, anatomy, s, model))
            continue;
        if (cg_grow((void **)out, &capacity, (size_t)*n + 1, sizeof **out, err) < 0)
            return -1;
        (*out)[(*n)++] = block;
    }
    return 0;
}
