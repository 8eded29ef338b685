#include "cognate/identities.h"
#include "cognate/mem.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A member that may be found again. */
struct entry {
    const uint8_t *digest;
    const char *format; /* that quantised it; "" for plain values */
    int64_t rows, columns, slot;
    int dtype, model;
};

/* What two entries of the same values share. */
static int by_bytes(const struct entry *x, const struct entry *y)
{
    int order = memcmp(x->digest, y->digest, CG_SHA256);
    if (order == 0)
        order = strcmp(x->format, y->format);
    if (order == 0)
        order = (x->dtype > y->dtype) - (x->dtype < y->dtype);
    if (order == 0)
        order = (x->rows > y->rows) - (x->rows < y->rows);
    return order != 0 ? order : (x->columns > y->columns) - (x->columns < y->columns);
}

static int by_place(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = by_bytes(x, y);
    if (order == 0)
        order = (x->model > y->model) - (x->model < y->model);
    return order != 0 ? order : (x->slot > y->slot) - (x->slot < y->slot);
}

/* All entries of all models: [n], by what they hold, then by model, then by slot. */
struct table {
    const struct cg_anatomy *anatomy;
    const struct cg_plan *plan;
    const struct cg_sweep *sweep;
    struct entry *list;
    int64_t n;
};

/* Whether the member of a model in a slot may be found again; then what it is. */
static bool entry_of(const struct table *table, int64_t slot, int model, struct entry *out)
{
    const struct cg_member *member = cg_member_of(table->anatomy, slot, model);
    const struct cg_place_in_bundle *place = &table->plan->places[slot * table->anatomy->models + model];
    enum cg_role role = table->anatomy->slots[slot].role;
    if (member->tensor < 0 || member->tied || place->bundle < 0 || role == CG_ROLE_OTHER ||
        cg_is_by_formula(role) || member->rows * member->columns < CG_LEAST_SAME)
        return false;
    int64_t i = table->plan->bundles[place->bundle].first_member + place->position;
    const struct cg_moments *moments = &table->sweep->moments[i];
    const struct cg_bundle_member *of = &table->plan->members[i];
    *out = (struct entry){.digest = table->sweep->digest[i],
                          .format = of->quantised ? of->quantised->format : "",
                          .rows = member->rows,
                          .columns = member->columns,
                          .slot = slot,
                          .dtype = (int)of->dtype,
                          .model = model};
    return moments->minimum < moments->maximum; /* not of members without plain values, nor of constants */
}

static int list_entries(struct table *table, struct cg_err *err)
{
    const struct cg_anatomy *anatomy = table->anatomy;
    table->list = cg_new((size_t)(anatomy->nslots * anatomy->models), sizeof *table->list, err);
    if (!table->list)
        return -1;
    for (int64_t s = 0; s < anatomy->nslots; s++)
        for (int m = 0; m < anatomy->models; m++)
            table->n += entry_of(table, s, m, &table->list[table->n]);
    if (table->n > 0)
        qsort(table->list, (size_t)table->n, sizeof *table->list, by_place);
    return 0;
}

/* The first slot in which model a holds what `of` is, or -1. */
static int64_t first_slot(const struct table *table, const struct entry *of, int a)
{
    struct entry wanted = *of;
    wanted.model = a;
    wanted.slot = 0;
    int64_t low = 0, high = table->n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (by_place(&table->list[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    const struct entry *found = &table->list[low];
    return low < table->n && found->model == a && by_bytes(found, of) == 0 ? found->slot : -1;
}

static int find_pair(struct cg_identities *out, const struct table *table, int a, int b, struct cg_err *err)
{
    size_t capacity = 0;
    for (int64_t s = 0; s < table->anatomy->nslots; s++) {
        struct entry entry;
        int64_t slot = entry_of(table, s, b, &entry) ? first_slot(table, &entry, a) : -1;
        if (slot < 0 || cg_compare_slot(table->anatomy, table->plan, table->sweep, s, a, b).equal)
            continue;
        if (cg_grow((void **)&out->list, &capacity, (size_t)out->n + 1, sizeof *out->list, err) < 0)
            return -1;
        out->list[out->n++] = (struct cg_identity){slot, s};
    }
    return 0;
}

/* The logarithm of how many members a model has that may be found again; of none 0. */
static double log10_members(const struct table *table, int model)
{
    int64_t n = 0;
    for (int64_t i = 0; i < table->n; i++)
        n += table->list[i].model == model;
    return log10((double)(n > 0 ? n : 1));
}

int cg_identities_find(struct cg_identities **out, const struct cg_anatomy *anatomy,
                       const struct cg_plan *plan, const struct cg_sweep *sweep, const int32_t (*pairs)[2],
                       int64_t npairs, struct cg_err *err)
{
    struct table table = {.anatomy = anatomy, .plan = plan, .sweep = sweep};
    *out = cg_new((size_t)npairs, sizeof **out, err);
    int result = *out ? list_entries(&table, err) : -1;
    for (int64_t p = 0; result == 0 && p < npairs; p++) {
        (*out)[p].log10_p = log10_members(&table, pairs[p][0]) + log10_members(&table, pairs[p][1]) -
                            8 * CG_SHA256 * log10(2);
        result = find_pair(&(*out)[p], &table, pairs[p][0], pairs[p][1], err);
    }
    free(table.list);
    return result;
}

void cg_identities_release(struct cg_identities *identities, int64_t npairs)
{
    for (int64_t p = 0; identities && p < npairs; p++)
        free(identities[p].list);
    free(identities);
}
