#include "bundles.h"
#include "cognate/mem.h"

/* The place of model m's tied output embedding is that of its input embedding, met earlier in canonical
 * order. */
static struct cg_place_in_bundle place_of_embedding(const struct cg_plan *plan,
                                                    const struct cg_anatomy *anatomy, int model)
{
    for (int64_t s = 0; s < anatomy->nslots; s++)
        if (anatomy->slots[s].role == CG_ROLE_EMBED)
            return plan->places[s * anatomy->models + model];
    return (struct cg_place_in_bundle){.bundle = -1};
}

static bool fits(const struct cg_plan *plan, int64_t bundle, const struct cg_member *member, bool real)
{
    return bundle >= 0 && plan->bundles[bundle].rows == member->rows &&
           plan->bundles[bundle].columns == member->columns && plan->bundles[bundle].real == real;
}

/* The bundle of this slot for the member's shape: one that a model before it is in, or a new one. */
static int64_t bundle_for(struct cg_plan *plan, const struct cg_anatomy *anatomy, int64_t slot, int model,
                          bool real)
{
    const struct cg_member *member = cg_member_of(anatomy, slot, model);
    for (int m = 0; m < anatomy->models; m++) {
        bool placed = m < model || cg_member_of(anatomy, slot, m)->tied;
        int64_t bundle = plan->places[slot * anatomy->models + m].bundle;
        if (placed && fits(plan, bundle, member, real))
            return bundle;
    }
    plan->bundles[plan->nbundles] =
        (struct cg_bundle){.slot = slot, .rows = member->rows, .columns = member->columns, .real = real};
    return plan->nbundles++;
}

static void place_slot(struct cg_plan *plan, const struct cg_anatomy *anatomy,
                       const struct cg_checkpoint *const *models, int64_t slot)
{
    struct cg_place_in_bundle *places = &plan->places[slot * anatomy->models];
    for (int m = 0; m < anatomy->models; m++) {
        places[m].bundle = -1;
        if (cg_member_of(anatomy, slot, m)->tied)
            places[m] = place_of_embedding(plan, anatomy, m);
    }
    for (int m = 0; m < anatomy->models; m++) {
        const struct cg_member *member = cg_member_of(anatomy, slot, m);
        if (member->tensor < 0 || member->tied)
            continue;
        bool real = cg_member_is_real(models[m], member);
        places[m].bundle = bundle_for(plan, anatomy, slot, m, real);
        places[m].position = plan->bundles[places[m].bundle].members++;
    }
}

static void number_members(struct cg_plan *plan)
{
    for (int64_t i = 0; i < plan->nbundles; i++) {
        plan->bundles[i].first_member = plan->nmembers;
        plan->nmembers += plan->bundles[i].members;
    }
}

static void fill_members(struct cg_plan *plan, const struct cg_anatomy *anatomy,
                         const struct cg_checkpoint *const *models)
{
    for (int64_t i = 0; i < anatomy->nslots * anatomy->models; i++) {
        const struct cg_member *member = &anatomy->members[i];
        if (member->tensor < 0 || member->tied)
            continue;
        int model = (int)(i % anatomy->models);
        const struct cg_tensor *tensor = &models[model]->tensors[member->tensor];
        struct cg_bundle *bundle = &plan->bundles[plan->places[i].bundle];
        plan->members[bundle->first_member + plan->places[i].position] =
            (struct cg_bundle_member){.model = model,
                                      .tensor = member->tensor,
                                      .dtype = tensor->dtype,
                                      .grain = member->grain,
                                      .view = member->view,
                                      .quantised = member->quantised};
        bundle->coded += member->grain.elements > 1 || member->quantised;
        bundle->bytes += member->bytes;
    }
}

int cg_bundles_build(struct cg_plan *plan, const struct cg_anatomy *anatomy,
                     const struct cg_checkpoint *const *models, struct cg_err *err)
{
    size_t cells = (size_t)(anatomy->nslots * anatomy->models);
    plan->places = cg_new(cells, sizeof *plan->places, err);
    plan->bundles = plan->places ? cg_new(cells, sizeof *plan->bundles, err) : NULL;
    if (!plan->bundles)
        return -1;
    for (int64_t s = 0; s < anatomy->nslots; s++)
        place_slot(plan, anatomy, models, s);
    number_members(plan);
    plan->members = cg_new((size_t)plan->nmembers, sizeof *plan->members, err);
    if (!plan->members)
        return -1;
    fill_members(plan, anatomy, models);
    return 0;
}
