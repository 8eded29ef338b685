#include "cognate/maps.h"
#include "cognate/evidence.h"
#include "cognate/mem.h"
#include "shared_sketches.h"
#include <math.h>
#include <stdlib.h>

/* Elements below which a matrix says little. */
enum { LEAST_ELEMENTS = 256 };

static int group_of(enum cg_role role)
{
    return cg_role_group(role) == CG_GROUP_ATTENTION ? CG_MAP_ATTENTION
           : cg_role_group(role) == CG_GROUP_FFN     ? CG_MAP_FFN
                                                     : -1;
}

static bool is_wanted(const struct cg_slot *slot, const struct cg_member *member)
{
    return group_of(slot->role) >= 0 && !cg_is_by_formula(slot->role) && slot->expert < 0 &&
           member->rows * member->columns >= LEAST_ELEMENTS;
}

/* A pair's cells as sums, and where they come from. */
struct session {
    const struct cg_anatomy *anatomy;
    int model[2];
    struct cg_shared_sketches sketches[2];
    struct cg_maps *out;
    double *sums; /* of each group's cells [layers a * layers b], then of each role's best in a layer of b */
};

enum { COUNT, PRODUCT, SQUARES, FIELDS };

static int64_t cells_of(const struct cg_maps *maps)
{
    return (int64_t)maps->layers[0] * maps->layers[1];
}

static int32_t layers_of(const struct session *session, int side)
{
    int32_t layers = 0;
    for (int64_t s = 0; s < session->anatomy->nslots; s++)
        if (session->sketches[side].first[s] >= 0 && session->anatomy->slots[s].layer >= layers)
            layers = session->anatomy->slots[s].layer + 1;
    return layers;
}

static bool same_shape(const struct session *session, int64_t slot_a, int64_t slot_b)
{
    const struct cg_member *a = cg_member_of(session->anatomy, slot_a, session->model[0]),
                           *b = cg_member_of(session->anatomy, slot_b, session->model[1]);
    return a->rows == b->rows && a->columns == b->columns;
}

static int lay_out(struct session *session, int side, const struct cg_checkpoint *model, struct cg_err *err)
{
    struct cg_shared_sketches *sketches = &session->sketches[side];
    const struct cg_anatomy *anatomy = session->anatomy;
    if (cg_shared_sketches_init(sketches, anatomy, INT64_MAX, err) < 0)
        return -1;
    for (int64_t s = 0; s < anatomy->nslots; s++) {
        const struct cg_member *member = cg_member_of(anatomy, s, session->model[side]);
        if (!cg_may_be_sketched(&anatomy->slots[s], member, model) || !is_wanted(&anatomy->slots[s], member))
            continue;
        sketches->first[s] = sketches->floats;
        sketches->floats += cg_shared_length(sketches, anatomy, s, session->model[side]);
    }
    return 0;
}

static double *cell_at(const struct session *session, int group, int32_t a, int32_t b)
{
    const struct cg_maps *out = session->out;
    return session->sums + (group * cells_of(out) + (int64_t)a * out->layers[1] + b) * FIELDS;
}

static double *best_at(const struct session *session, enum cg_role role, int32_t b)
{
    const struct cg_maps *out = session->out;
    return session->sums + (CG_MAP_GROUPS * cells_of(out) + (int64_t)role * out->layers[1] + b) * FIELDS;
}

/* One matrix of b against those of a in all layers. */
static void hold_against(struct session *session, int64_t slot_b)
{
    const struct cg_slot *slots = session->anatomy->slots, *b = &slots[slot_b];
    const struct cg_shared_sketches *of = session->sketches;
    int64_t length = cg_shared_length(&of[1], session->anatomy, slot_b, session->model[1]);
    double *best = best_at(session, b->role, b->layer);
    for (int64_t s = 0; s < session->anatomy->nslots; s++) {
        if (slots[s].role != b->role || of[0].first[s] < 0 || !same_shape(session, s, slot_b))
            continue;
        double product, squares, *sum = cell_at(session, group_of(b->role), slots[s].layer, b->layer);
        cg_sketch_products(of[0].value + of[0].first[s], of[1].value + of[1].first[slot_b], length, &product,
                           &squares);
        if (!(squares > 0)) /* one of them is constant */
            continue;
        sum[COUNT]++;
        sum[PRODUCT] += product;
        sum[SQUARES] += squares;
        if (best[COUNT] == 0 || product / sqrt(squares) > best[PRODUCT] / sqrt(best[SQUARES])) {
            best[COUNT] = 1;
            best[PRODUCT] = product;
            best[SQUARES] = squares;
        }
    }
}

static struct cg_map_cell cell_of(const double *sum)
{
    double n = sum[COUNT];
    return n > 0 ? (struct cg_map_cell){(int32_t)n, sum[PRODUCT] / n, sqrt(sum[SQUARES]) / n}
                 : (struct cg_map_cell){0, NAN, NAN};
}

static void read_sums(struct session *session)
{
    struct cg_maps *out = session->out;
    for (int group = 0; group < CG_MAP_GROUPS; group++)
        for (int64_t c = 0; c < cells_of(out); c++)
            out->cell[group][c] = cell_of(cell_at(session, group, 0, 0) + c * FIELDS);
    for (int role = 0; role < CG_ROLE_COUNT; role++) {
        struct cg_map_cell *best = &out->role[role];
        *best = (struct cg_map_cell){0, NAN, NAN};
        for (int32_t b = 0; b < out->layers[1]; b++) {
            struct cg_map_cell cell = cell_of(best_at(session, (enum cg_role)role, b));
            if (cell.roles > 0 && (best->roles == 0 || cell.cosine / cell.sd > best->cosine / best->sd))
                *best = cell;
        }
    }
}

static int allocate(struct session *session, struct cg_err *err)
{
    struct cg_maps *out = session->out;
    for (int side = 0; side < 2; side++)
        out->layers[side] = layers_of(session, side);
    size_t cells = (size_t)cells_of(out);
    for (int group = 0; group < CG_MAP_GROUPS; group++)
        if (!(out->cell[group] = cg_new(cells, sizeof *out->cell[group], err)))
            return -1;
    session->sums = cg_new((CG_MAP_GROUPS * cells + CG_ROLE_COUNT * (size_t)out->layers[1]) * FIELDS,
                           sizeof(double), err);
    return session->sums ? 0 : -1;
}

int cg_maps_find(const struct cg_comm *comm, const struct cg_checkpoint *const *models,
                 const struct cg_anatomy *anatomy, const struct cg_plan *plan, const struct cg_sweep *sweep,
                 int a, int b, struct cg_maps *out, struct cg_err *err)
{
    struct session session = {.anatomy = anatomy, .model = {a, b}, .out = out};
    int result = 0;
    *out = (struct cg_maps){0};
    for (int side = 0; result == 0 && side < 2; side++) {
        int model = session.model[side];
        result = cg_agree(comm, lay_out(&session, side, models[model], err), err);
        if (result == 0)
            result = cg_sketches_share(comm, anatomy, plan, sweep, model, &session.sketches[side], err);
    }
    CG_TRY(result);
    CG_TRY(result = cg_agree(comm, allocate(&session, err), err));
    for (int64_t s = 0; s < anatomy->nslots; s++) /* a layer of b is one rank's */
        if (session.sketches[1].first[s] >= 0 && anatomy->slots[s].layer % comm->size == comm->rank)
            hold_against(&session, s);
    cg_sum_doubles(comm, session.sums,
                   (CG_MAP_GROUPS * cells_of(out) + (int64_t)CG_ROLE_COUNT * out->layers[1]) * FIELDS);
    read_sums(&session);
done:
    free(session.sums);
    for (int side = 0; side < 2; side++)
        cg_shared_sketches_release(&session.sketches[side]);
    if (result < 0)
        cg_maps_release(out);
    return result;
}

void cg_maps_release(struct cg_maps *maps)
{
    for (int group = 0; group < CG_MAP_GROUPS; group++)
        free(maps->cell[group]);
    *maps = (struct cg_maps){0};
}
