#include "family.h"
#include "cognate/mem.h"
#include <math.h>
#include <stdlib.h>

static const double ROUNDING = 1e-12, /* of the child's least distance */
    LEAST_SHARED = 0.75;              /* of the child's matrices, in a relative */

static bool is_matrix(const struct cg_member *member)
{
    return member->tensor >= 0 && !member->tied && member->rows > 1 && member->columns > 1;
}

/* The sums of two models in a slot; NULL where they are not swept side by side or not finite throughout. */
static const struct cg_products *products_of(const struct cg_sums *sums, int64_t slot, int m, int n)
{
    const struct cg_place_in_bundle *a = &sums->plan->places[slot * sums->anatomy->models + m],
                                    *b = &sums->plan->places[slot * sums->anatomy->models + n];
    if (a->bundle < 0 || a->bundle != b->bundle || !sums->plan->bundles[a->bundle].real)
        return NULL;
    const struct cg_member *member = cg_member_of(sums->anatomy, slot, m);
    const struct cg_products *products =
        &sums->sweep->products[cg_sweep_pair(sums->sweep, a->bundle, a->position, b->position)];
    return products->elements == member->rows * member->columns ? products : NULL;
}

bool cg_family_in_slot(double *out, const struct cg_sums *sums, int64_t slot, const int *model, int n)
{
    if (!is_matrix(cg_member_of(sums->anatomy, slot, model[0])))
        return false;
    for (int i = 0; i < n; i++) {
        out[i * n + i] = 0;
        for (int j = 0; j < i; j++) {
            const struct cg_products *products = products_of(sums, slot, model[i], model[j]);
            if (!products)
                return false;
            out[i * n + j] = out[j * n + i] = products->difference;
        }
    }
    return true;
}

int32_t cg_family_group(const struct cg_slot *slot)
{
    return slot->layer < 0 ? 0 : slot->layer + 1;
}

void cg_family_release(struct cg_family *family)
{
    free(family->matrices);
    free(family->distance);
}

int cg_family_measure(struct cg_family *family, const struct cg_sums *sums, struct cg_err *err)
{
    int n = family->n;
    double slot[CG_FAMILY * CG_FAMILY];
    family->groups = 1;
    for (int64_t s = 0; s < sums->anatomy->nslots; s++)
        if (cg_family_group(&sums->anatomy->slots[s]) >= family->groups)
            family->groups = cg_family_group(&sums->anatomy->slots[s]) + 1;
    family->matrices = cg_new((size_t)family->groups, sizeof(int64_t), err);
    family->distance = cg_new((size_t)(family->groups * n * n), sizeof(double), err);
    if (!family->matrices || !family->distance)
        return -1;
    for (int64_t s = 0; s < sums->anatomy->nslots; s++) {
        int32_t group = cg_family_group(&sums->anatomy->slots[s]);
        if (!cg_family_in_slot(slot, sums, s, family->model, n))
            continue;
        family->matrices[group]++;
        family->first = group > 0 ? 1 : family->first;
        for (int k = 0; k < n * n; k++)
            family->distance[group * n * n + k] += slot[k];
    }
    for (int32_t g = family->first; g < family->groups; g++)
        for (int k = 0; k < n * n; k++)
            family->total[k] += family->distance[g * n * n + k];
    family->rounding = INFINITY;
    for (int i = 1; i < n; i++)
        family->rounding = fmin(family->rounding, ROUNDING * family->total[i]);
    return 0;
}

double cg_family_total(const struct cg_family *family, int i, int j)
{
    return family->total[i * family->n + j];
}

struct relative {
    int model;
    double share; /* squared distance over squared lengths, in the matrices that both have */
};

static int by_share(const void *a, const void *b)
{
    const struct relative *x = a, *y = b;
    if (x->share != y->share)
        return x->share < y->share ? -1 : 1;
    return x->model < y->model ? -1 : 1;
}

/* How near m is to c; 0 for the same values, INFINITY where shapes differ too much. */
static double nearness(const struct cg_sums *sums, int c, int m)
{
    int64_t matrices = 0, shared = 0;
    double apart = 0, squares = 0;
    for (int64_t s = 0; s < sums->anatomy->nslots; s++) {
        if (!is_matrix(cg_member_of(sums->anatomy, s, c)))
            continue;
        const struct cg_products *products = products_of(sums, s, c, m);
        matrices++;
        if (!products)
            continue;
        shared++;
        apart += products->difference;
        squares += products->squares_a + products->squares_b;
    }
    bool enough = shared >= CG_LEAST_MATRICES && (double)shared >= LEAST_SHARED * (double)matrices;
    return !enough || !(squares > 0) ? INFINITY : apart / squares;
}

/* Lists the child and its nearest relatives, of equal models the first. Ascending, so that nothing depends on
 * the order of nearness. */
static int family_list(struct cg_family *family, const struct cg_sums *sums, int child, struct cg_err *err)
{
    int models = sums->anatomy->models, n = 0;
    struct relative *all = cg_new((size_t)models, sizeof *all, err);
    if (!all)
        return -1;
    for (int m = 0; m < models; m++)
        if (m != child)
            all[n++] = (struct relative){m, nearness(sums, child, m)};
    qsort(all, (size_t)n, sizeof *all, by_share);
    *family = (struct cg_family){.n = 1, .model = {child}};
    for (int i = 0; i < n && family->n < CG_FAMILY && all[i].share < INFINITY; i++) {
        bool copy = !(all[i].share > 0);
        for (int k = 1; k < family->n && !copy; k++)
            copy = !(nearness(sums, family->model[k], all[i].model) > 0);
        if (!copy)
            family->model[family->n++] = all[i].model;
    }
    free(all);
    for (int i = 2; i < family->n; i++)
        for (int k = i; k > 1 && family->model[k] < family->model[k - 1]; k--) {
            int other = family->model[k];
            family->model[k] = family->model[k - 1];
            family->model[k - 1] = other;
        }
    return 0;
}

int cg_family_init(struct cg_family *family, const struct cg_sums *sums, int child, struct cg_err *err)
{
    if (family_list(family, sums, child, err) < 0)
        return -1;
    return family->n < 3 ? 0 : cg_family_measure(family, sums, err);
}
