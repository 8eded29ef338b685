#include "cognate/blocks.h"
#include "cognate/mem.h"
#include "sample.h"
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

static int64_t gate_beside(const struct cg_anatomy *anatomy, int64_t up)
{
    const struct cg_slot *slot = &anatomy->slots[up];
    bool shared = slot->role == CG_ROLE_SHARED_UP;
    return find_beside(anatomy, up, shared ? CG_ROLE_SHARED_GATE : CG_ROLE_FFN_GATE, slot->expert);
}

/* What up is held together with: the gate, or where the model has none there the down projection. */
static struct cg_projection find_partner(const struct cg_anatomy *anatomy, int64_t up, int model)
{
    const struct cg_slot *slot = &anatomy->slots[up];
    int64_t gate = gate_beside(anatomy, up);
    if (gate >= 0 && cg_member_of(anatomy, gate, model)->tensor >= 0)
        return (struct cg_projection){.slot = gate};
    bool shared = slot->role == CG_ROLE_SHARED_UP;
    return (struct cg_projection){
        .slot = find_beside(anatomy, up, shared ? CG_ROLE_SHARED_DOWN : CG_ROLE_FFN_DOWN, slot->expert),
        .by_columns = true};
}

static bool has_slot(const struct cg_anatomy *anatomy, int64_t near, enum cg_role role, int model)
{
    int64_t slot = find_beside(anatomy, near, role, -1);
    return slot >= 0 && cg_member_of(anatomy, slot, model)->tensor >= 0;
}

/* The norm that the block reads through. Where attention and feed-forward layer stand side by side, they
 * share attention's; behind a norm of attention's output the stream is read as it is. */
static void find_norm(struct cg_ffn_block *block, const struct cg_checkpoint *const *models,
                      const struct cg_anatomy *anatomy, int64_t up, int model)
{
    bool own = has_slot(anatomy, up, CG_ROLE_FFN_NORM, model);
    block->norm = -1;
    if (!own && has_slot(anatomy, up, CG_ROLE_ATTN_POST_NORM, model))
        return;
    int64_t norm = find_beside(anatomy, up, own ? CG_ROLE_FFN_NORM : CG_ROLE_ATTN_NORM, -1);
    if (norm < 0 || !cg_can_fetch(models, anatomy, norm, model) ||
        cg_member_of(anatomy, norm, model)->quantised ||
        cg_member_of(anatomy, norm, model)->columns != block->width)
        return;
    block->norm = norm;
    block->layer_norm = has_slot(anatomy, up, own ? CG_ROLE_FFN_NORM_BIAS : CG_ROLE_ATTN_NORM_BIAS, model);
}

static bool same_shape(const struct cg_member *up, const struct cg_member *other, bool across)
{
    return up->rows == (across ? other->columns : other->rows) &&
           up->columns == (across ? other->rows : other->columns);
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
    struct cg_projection first = {.slot = up}, second = find_partner(anatomy, up, model);
    bool gated = !second.by_columns;
    if (second.slot < 0 || !cg_can_fetch(models, anatomy, second.slot, model) ||
        !same_shape(member, cg_member_of(anatomy, second.slot, model), second.by_columns) ||
        member->rows < LEAST_UNITS || member->columns < LEAST_WIDTH || member->rows > INT32_MAX ||
        member->columns > INT32_MAX)
        return false;
    *out = (struct cg_ffn_block){.layer = slot->layer,
                                 .expert = shared ? -1 : slot->expert,
                                 .shared = shared,
                                 .gated = gated,
                                 .by = {gated ? second : first, gated ? first : second},
                                 .units = member->rows,
                                 .width = member->columns};
    find_norm(out, models, anatomy, up, model);
    return true;
}

int cg_routers_list(struct cg_ffn_block **out, int32_t *n, const struct cg_checkpoint *const *models,
                    const struct cg_anatomy *anatomy, int model, struct cg_err *err)
{
    size_t capacity = 0;
    *out = NULL;
    *n = 0;
    for (int64_t s = 0; s < anatomy->nslots; s++) {
        const struct cg_slot *slot = &anatomy->slots[s];
        const struct cg_member *member = cg_member_of(anatomy, s, model);
        if (slot->role != CG_ROLE_ROUTER || !cg_can_fetch(models, anatomy, s, model) || member->rows < 2 ||
            member->columns < LEAST_WIDTH || member->rows > INT32_MAX || member->columns > INT32_MAX)
            continue;
        if (cg_grow((void **)out, &capacity, (size_t)*n + 1, sizeof **out, err) < 0)
            return -1;
        struct cg_ffn_block *router = &(*out)[(*n)++];
        *router = (struct cg_ffn_block){.layer = slot->layer,
                                        .expert = -1,
                                        .by = {{.slot = s}, {.slot = -1}},
                                        .units = member->rows,
                                        .width = member->columns};
        find_norm(router, models, anatomy, s, model);
    }
    return 0;
}

bool cg_blocks_comparable(const struct cg_ffn_block *a, const struct cg_ffn_block *b)
{
    return a->gated == b->gated;
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

int cg_blocks_request(struct cg_row_request **out, int64_t *n, size_t *capacity,
                      const struct cg_checkpoint *const *models, const struct cg_anatomy *anatomy, int model,
                      struct cg_err *err)
{
    struct cg_ffn_block *blocks;
    int32_t nblocks;
    int result = -1;
    CG_TRY(cg_blocks_list(&blocks, &nblocks, models, anatomy, model, err));
    CG_TRY(cg_grow((void **)out, capacity, (size_t)(*n + nblocks), sizeof **out, err));
    int64_t most = cg_most_units(nblocks);
    for (int32_t i = 0; i < nblocks; i++)
        (*out)[(*n)++] = (struct cg_row_request){.slot = blocks[i].by[0].slot,
                                                 .gain = blocks[i].norm,
                                                 .model = model,
                                                 .most = blocks[i].units < most ? blocks[i].units : most};
    result = 0;
done:
    free(blocks);
    return result;
}
