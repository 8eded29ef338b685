#include "cognate/mem.h"
#include "inspect.h"
#include <stdlib.h>
#include <string.h>

enum { KEYS_BEFORE_TYPE = 4 };

/* By role, experts after the rest, then by shape and type, then as slots come. */
static int compare_groups(const void *left, const void *right)
{
    const struct slot_group *a = left, *b = right;
    int64_t keys[][2] = {{(int64_t)a->role, (int64_t)b->role},
                         {a->first_expert >= 0, b->first_expert >= 0},
                         {a->rows, b->rows},
                         {a->columns, b->columns},
                         {a->part_of >= 0, b->part_of >= 0},
                         {a->first_layer, b->first_layer},
                         {a->first_expert, b->first_expert}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        int types = i == KEYS_BEFORE_TYPE ? strcmp(a->stored, b->stored) : 0;
        if (types != 0)
            return types;
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? -1 : 1;
    }
    return 0;
}

static bool same_group(const struct slot_group *a, const struct slot_group *b)
{
    return a->role == b->role && (a->first_expert >= 0) == (b->first_expert >= 0) && a->rows == b->rows &&
           a->columns == b->columns && strcmp(a->stored, b->stored) == 0 &&
           (a->part_of >= 0) == (b->part_of >= 0);
}

/* Joins the next slot of a group, in the order above. */
static void join(struct slot_group *group, const struct slot_group *next)
{
    group->slots++;
    if (next->last_layer > group->last_layer) {
        group->last_layer = next->last_layer;
        group->layers++;
    }
    if (next->first_expert < group->first_expert)
        group->first_expert = next->first_expert;
    if (next->last_expert > group->last_expert)
        group->last_expert = next->last_expert;
}

/* Codes lie in another order than values do: only where there are others beside them is it a part. */
static bool is_part(const struct cg_checkpoint *model, const struct cg_member *member)
{
    int64_t codes = cg_grain_bytes(member->grain, member->rows * member->columns);
    return member->quantised ? codes < model->tensors[member->tensor].bytes : member->view != NULL;
}

int inspect_group_slots(const struct cg_models *in, int model, struct slot_group **groups, size_t *ngroups,
                        struct cg_err *err)
{
    const struct cg_anatomy *anatomy = &in->anatomy;
    struct slot_group *list = cg_new((size_t)anatomy->nslots, sizeof *list, err);
    if (!list)
        return -1;
    size_t n = 0;
    for (int64_t s = 0; s < anatomy->nslots; s++) {
        const struct cg_slot *slot = &anatomy->slots[s];
        const struct cg_member *member = cg_member_of(anatomy, s, model);
        if (member->tensor < 0 || member->tied || slot->role == CG_ROLE_OTHER)
            continue;
        list[n++] = (struct slot_group){slot->role,
                                        member->rows,
                                        member->columns,
                                        1,
                                        slot->layer,
                                        slot->layer,
                                        1,
                                        slot->expert,
                                        slot->expert,
                                        cg_member_type(&in->checkpoints[model], member),
                                        is_part(&in->checkpoints[model], member) ? member->tensor : -1};
    }
    qsort(list, n, sizeof *list, compare_groups);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && same_group(&list[kept - 1], &list[i]))
            join(&list[kept - 1], &list[i]);
        else
            list[kept++] = list[i];
    }
    *groups = list;
    *ngroups = kept;
    return 0;
}

/* A tied output embedding stands for bytes that are counted elsewhere. */
static bool fills(const struct cg_member *member)
{
    return member->tensor >= 0 && !member->tied;
}

/* How far the slots of one model reach. */
struct reach {
    bool has[CG_ROLE_COUNT][2]; /* [role][is an expert's] */
    int32_t layer, expert;      /* the last; -1 where none */
};

static struct reach reach_of(const struct cg_anatomy *anatomy, int model)
{
    struct reach reach = {.layer = -1, .expert = -1};
    for (int64_t s = 0; s < anatomy->nslots; s++) {
        const struct cg_slot *slot = &anatomy->slots[s];
        if (cg_member_of(anatomy, s, model)->tensor < 0)
            continue;
        reach.has[slot->role][slot->expert >= 0] = true;
        reach.layer = slot->layer > reach.layer ? slot->layer : reach.layer;
        reach.expert = slot->expert > reach.expert ? slot->expert : reach.expert;
    }
    return reach;
}

/* Why the model that reaches so far does not fill a slot. */
static enum obstacle obstacle_of(const struct cg_slot *slot, const struct reach *reach)
{
    if (!reach->has[slot->role][slot->expert >= 0])
        return OBSTACLE_ROLE;
    if (slot->layer > reach->layer)
        return OBSTACLE_LAYER;
    return slot->expert > reach->expert ? OBSTACLE_EXPERT : OBSTACLE_LAYOUT;
}

static enum obstacle differing_axis(enum cg_role role, const struct cg_member *a, const struct cg_member *b)
{
    enum cg_residual axis = cg_role_residual(role);
    bool residual = axis == CG_RESIDUAL_ROWS ? a->rows != b->rows : a->columns != b->columns;
    return axis != CG_RESIDUAL_NONE && residual ? OBSTACLE_HIDDEN_SIZE : OBSTACLE_SIZE;
}

static void tally_slot(struct pairing *out, const struct cg_slot *slot, const struct cg_member *a,
                       const struct cg_member *b, const struct reach reach[2])
{
    struct role_tally *tally = &out->tally[slot->role][slot->expert >= 0];
    int64_t size_a = fills(a) ? a->rows * a->columns : 0, size_b = fills(b) ? b->rows * b->columns : 0;
    out->slots_a += fills(a);
    out->slots_b += fills(b);
    out->parameters_a += size_a;
    out->parameters_b += size_b;
    if (!fills(a) && !fills(b))
        return; /* both tied: nothing that the embeddings do not say */
    if (a->tensor < 0) {
        tally->only_b++;
        out->obstacles[obstacle_of(slot, &reach[0])]++;
    } else if (b->tensor < 0) {
        tally->only_a++;
        out->obstacles[obstacle_of(slot, &reach[1])]++;
    } else if (a->rows == b->rows && a->columns == b->columns) {
        tally->same_shape++;
        out->same_shape++;
        out->same_a += size_a;
        out->same_b += size_b;
    } else {
        if (tally->other_shape++ == 0) {
            tally->a = *a;
            tally->b = *b;
        }
        out->obstacles[differing_axis(slot->role, a, b)]++;
    }
}

void inspect_pair(const struct cg_models *in, int a, int b, struct pairing *out)
{
    const struct reach reach[2] = {reach_of(&in->anatomy, a), reach_of(&in->anatomy, b)};
    memset(out, 0, sizeof *out);
    for (int64_t s = 0; s < in->anatomy.nslots; s++)
        tally_slot(out, &in->anatomy.slots[s], cg_member_of(&in->anatomy, s, a),
                   cg_member_of(&in->anatomy, s, b), reach);
}

const char *inspect_differences(const struct cg_models *in, int a, int b, char *out, size_t size)
{
    static const enum cg_fact facts[] = {CG_HIDDEN_SIZE,         CG_NUM_HIDDEN_LAYERS, CG_NUM_ATTENTION_HEADS,
                                         CG_NUM_KEY_VALUE_HEADS, CG_NUM_EXPERTS,       CG_VOCAB_SIZE};
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        if (in->architectures[a].fact[facts[i]] == in->architectures[b].fact[facts[i]] || at >= size)
            continue;
        at += (size_t)snprintf(out + at, size - at, "%s%s", at > 0 ? ", " : "", cg_fact_name(facts[i]));
    }
    return out;
}

void inspect_count_dtypes(const struct cg_checkpoint *model, int64_t counts[CG_DTYPE_COUNT])
{
    memset(counts, 0, CG_DTYPE_COUNT * sizeof *counts);
    for (size_t t = 0; t < model->ntensors; t++)
        counts[model->tensors[t].dtype]++;
}

bool inspect_is_unknown(const struct cg_slot *slot)
{
    return slot->role == CG_ROLE_OTHER && !slot->buffer;
}

int64_t inspect_count_unknown(const struct cg_models *in, int model)
{
    int64_t count = 0;
    for (int64_t s = 0; s < in->anatomy.nslots; s++)
        count +=
            inspect_is_unknown(&in->anatomy.slots[s]) && cg_member_of(&in->anatomy, s, model)->tensor >= 0;
    return count;
}
