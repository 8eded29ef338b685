#include "imprint.h"
#include "cognate/mem.h"
#include "kernels.h"
#include "mix.h"
#include "sketches.h"
#include <stdlib.h>
#include <string.h>

/* A panel that a member might have, and how early its turn comes. */
struct wish {
    bool expert;
    uint64_t key;
    int64_t member, elements;
};

/* Experts come last, and in an order of their names' own: models that differ in much else keep the same. */
static int by_turn(const void *a, const void *b)
{
    const struct wish *x = a, *y = b;
    if (x->expert != y->expert)
        return x->expert - y->expert;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->member < y->member ? -1 : x->member > y->member;
}

static uint64_t key_of(const char *name)
{
    uint64_t key = 0;
    while (*name)
        key = cg_mix(key ^ (uint64_t)(unsigned char)*name++);
    return key;
}

static struct cg_panel_shape shape_of(const struct cg_plan *plan, const struct cg_anatomy *anatomy,
                                      int64_t bundle, int64_t most)
{
    const struct cg_bundle *of = &plan->bundles[bundle];
    if (!of->real)
        return (struct cg_panel_shape){0};
    return cg_panel_shape_within(anatomy->slots[of->slot].role, of->rows, of->columns, most);
}

static void list_wishes(struct wish *wishes, const struct cg_plan *plan, const struct cg_anatomy *anatomy,
                        int64_t most)
{
    for (int64_t i = 0; i < plan->nbundles; i++) {
        const struct cg_bundle *bundle = &plan->bundles[i];
        const struct cg_slot *slot = &anatomy->slots[bundle->slot];
        struct cg_panel_shape shape = shape_of(plan, anatomy, i, most);
        for (int64_t m = bundle->first_member; m < bundle->first_member + bundle->members; m++)
            wishes[m] = (struct wish){slot->expert >= 0, key_of(slot->name), m, shape.lines * shape.residual};
    }
}

/* Panels in turn, as long as there is room for all of one. */
static int grant_panels(struct cg_imprints *imprints, const struct cg_plan *plan,
                        const struct cg_anatomy *anatomy, const struct cg_imprint_options *options,
                        struct cg_err *err)
{
    struct wish *wishes = cg_new((size_t)plan->nmembers, sizeof *wishes, err);
    if (!wishes)
        return -1;
    list_wishes(wishes, plan, anatomy, options->panel);
    qsort(wishes, (size_t)plan->nmembers, sizeof *wishes, by_turn);
    int64_t room = options->panels;
    for (int64_t i = 0; i < plan->nmembers && room >= wishes[i].elements; i++) {
        imprints->first[wishes[i].member + 1] = wishes[i].elements;
        room -= wishes[i].elements;
    }
    free(wishes);
    for (int64_t m = 0; m < plan->nmembers; m++)
        imprints->first[m + 1] += imprints->first[m];
    return 0;
}

int cg_imprints_init(struct cg_imprints *imprints, const struct cg_plan *plan,
                     const struct cg_anatomy *anatomy, const struct cg_imprint_options *options,
                     struct cg_err *err)
{
    *imprints = (struct cg_imprints){.sketch = options->sketch, .panel = options->panel};
    size_t members = (size_t)plan->nmembers;
    if (options->sketch == 0)
        return 0;
    if (!(imprints->first = cg_new(members + 1, sizeof *imprints->first, err)) ||
        grant_panels(imprints, plan, anatomy, options, err) < 0 ||
        !(imprints->sketches = cg_new(members * (size_t)options->sketch, sizeof(float), err)) ||
        !(imprints->values = cg_new(members, sizeof *imprints->values, err)) ||
        !(imprints->panels = cg_new((size_t)imprints->first[members], sizeof(float), err)))
        return -1;
    return 0;
}

void cg_imprints_release(struct cg_imprints *imprints)
{
    free(imprints->first);
    free(imprints->sketches);
    free(imprints->values);
    free(imprints->panels);
    *imprints = (struct cg_imprints){0};
}

struct cg_panel_shape cg_imprint_shape(const struct cg_imprints *imprints, const struct cg_plan *plan,
                                       const struct cg_anatomy *anatomy, int64_t bundle, int64_t member)
{
    if (imprints->sketch == 0 || imprints->first[member] == imprints->first[member + 1])
        return (struct cg_panel_shape){0};
    return shape_of(plan, anatomy, bundle, imprints->panel);
}

void cg_imprint_take(struct cg_imprints *imprints, int64_t member, const struct cg_panel_shape *shape,
                     struct cg_sketch *sketch, const struct cg_elements *run)
{
    imprints->values[member] += cg_block_hash(run->values, (uint64_t)run->first, run->n);
    cg_sketch_add(sketch, run);
    if (shape->residual > 0)
        cg_panel_take(shape, imprints->panels + imprints->first[member], run->first, run->values, run->n);
}

void cg_imprint_end(struct cg_imprints *imprints, int64_t member, struct cg_sketch *sketch)
{
    cg_sketch_end(sketch);
    for (int64_t k = 0; k < imprints->sketch; k++)
        imprints->sketches[member * imprints->sketch + k] = (float)(sketch->sums[k] + 0.0);
}

static void share(const struct cg_comm *comm, void *memory, size_t bytes)
{
    cg_or_bytes(comm, memory, (int64_t)bytes);
}

void cg_imprints_share(const struct cg_comm *comm, struct cg_imprints *imprints, int64_t nmembers)
{
    size_t members = (size_t)nmembers;
    if (imprints->sketch == 0)
        return;
    share(comm, imprints->sketches, members * (size_t)imprints->sketch * sizeof(float));
    share(comm, imprints->values, members * sizeof *imprints->values);
    share(comm, imprints->panels, (size_t)imprints->first[members] * sizeof(float));
}
