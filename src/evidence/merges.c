#include "cognate/merges.h"
#include "affine.h"
#include "cognate/mem.h"
#include "family.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double MOST_UNEXPLAINED = 0.1, /* also of a smaller account's rest, by a larger one */
    MOST_WEIGHT = 1.05,                     /* in size; and weights this close are a tie */
    TIE = 0.05, EQUAL = 1.25, ALIKE = 2,    /* times the least rest */
    MOST_COSINE = 1.0 / 3;                  /* of two parents as seen from their base */

struct account {
    int n, member[CG_AFFINE_MEMBERS]; /* into the family, ascending; n 0: none */
    double rest, nearest, spread;
    double heaviest, lightest; /* of the weights: mean size, mean */
    int32_t told;              /* groups */
};

/* An account that was taken, and the models that it is about. */
struct found {
    struct cg_merge merge;
    int set[CG_AFFINE_MEMBERS + 1], nset; /* members, then the child */
    double heaviest, lightest;
};

/* The distances of an account's members in one group. */
static void pick_distances(double *out, const struct cg_family *family, const struct account *account,
                           int32_t g)
{
    const double *all = family->distance + g * family->n * family->n;
    int n = account->n, place[CG_AFFINE_MEMBERS + 1] = {0};
    memcpy(place + 1, account->member, (size_t)n * sizeof(int));
    for (int i = 0; i <= n; i++)
        for (int j = 0; j <= n; j++)
            out[i * (n + 1) + j] = all[place[i] * family->n + place[j]];
}

static int nearest_of(struct account *account, const struct cg_family *family)
{
    int nearest = 0;
    account->nearest = INFINITY;
    for (int i = 0; i < account->n; i++) {
        double apart = cg_family_total(family, 0, account->member[i]);
        if (apart < account->nearest) {
            account->nearest = apart;
            nearest = i;
        }
    }
    return nearest;
}

static void weigh(struct account *account, const struct cg_family *family)
{
    int n = account->n, origin = nearest_of(account, family);
    double weight[CG_AFFINE_MEMBERS] = {0}, size[CG_AFFINE_MEMBERS] = {0};
    double distance[(CG_AFFINE_MEMBERS + 1) * (CG_AFFINE_MEMBERS + 1)];
    account->rest = account->spread = account->heaviest = 0;
    account->lightest = INFINITY;
    account->told = 0;
    for (int32_t g = family->first; g < family->groups; g++) {
        if (family->matrices[g] == 0)
            continue;
        pick_distances(distance, family, account, g);
        struct cg_affine fit = cg_affine_fit(distance, n, origin);
        account->rest += fit.rest;
        account->told += fit.told;
        for (int i = 0; i < n && fit.told; i++) {
            weight[i] += fit.weight[i];
            size[i] += fabs(fit.weight[i]);
        }
    }
    account->rest = fmax(account->rest, family->rounding);
    for (int i = 0; i < n; i++) {
        account->heaviest = fmax(account->heaviest, size[i] / fmax(1, account->told));
        account->lightest = fmin(account->lightest, weight[i] / fmax(1, account->told));
        for (int j = 0; j < i; j++)
            account->spread += cg_family_total(family, account->member[i], account->member[j]);
    }
}

static bool explains(const struct account *account)
{
    return account->told > 0 && account->nearest > 0 && account->heaviest <= MOST_WEIGHT &&
           account->rest < MOST_UNEXPLAINED * account->nearest;
}

/* The account whose members are the bits of `set`. */
static struct account account_of(unsigned set, const struct cg_family *family)
{
    struct account account = {0};
    for (int i = 1; i < family->n; i++)
        if (set >> i & 1)
            account.member[account.n++] = i;
    weigh(&account, family);
    return account;
}

/* The best account of `size` members: n 0 where none explains. */
static struct account best_of_size(const struct cg_family *family, unsigned barred, int size)
{
    struct account best = {0};
    double least = INFINITY;
    for (int pass = 0; pass < 2; pass++)
        for (unsigned set = 0; set < 1U << family->n; set += 2) {
            if (__builtin_popcount(set) != size || (set & barred))
                continue;
            struct account account = account_of(set, family);
            if (!explains(&account))
                continue;
            if (pass == 0)
                least = fmin(least, account.rest);
            else if (account.rest <= EQUAL * least && account.spread > best.spread)
                best = account;
        }
    return best;
}

static struct account best_account(const struct cg_family *family, unsigned barred)
{
    struct account best = {0};
    for (int size = 2; size <= CG_AFFINE_MEMBERS && size < family->n; size++) {
        struct account larger = best_of_size(family, barred, size);
        if (larger.n > 0 && (best.n == 0 || larger.rest < MOST_UNEXPLAINED * best.rest))
            best = larger;
    }
    return best;
}

static bool is_member(const struct account *account, int i)
{
    for (int k = 0; k < account->n; k++)
        if (account->member[k] == i)
            return true;
    return false;
}

/* Whether any two of an account's members, but o itself, lie in different directions from o. */
static bool is_central(const struct cg_family *family, const struct account *account, int o)
{
    for (int k = 0; k < account->n; k++)
        for (int l = 0; l < k; l++) {
            int i = account->member[k], j = account->member[l];
            double to_i = cg_family_total(family, o, i), to_j = cg_family_total(family, o, j);
            if (i != o && j != o &&
                (to_i + to_j - cg_family_total(family, i, j)) / 2 >= MOST_COSINE * sqrt(to_i * to_j))
                return false;
        }
    return true;
}

static double distance_of(const struct cg_family *family, const struct account *account, int o)
{
    double sum = 0;
    for (int i = 0; i < account->n; i++)
        sum += cg_family_total(family, o, account->member[i]);
    return sum;
}

/* The member that is the base of the others, 0 for none. */
static int base_of(const struct cg_family *family, const struct account *account)
{
    int base = 0;
    double closest = INFINITY;
    for (int i = 0; account->n > 2 && i < account->n; i++) {
        int o = account->member[i];
        if (is_central(family, account, o) &&
            (base == 0 || distance_of(family, account, o) < distance_of(family, account, base)))
            base = o;
    }
    for (int i = 0; base > 0 && i < account->n; i++)
        if (account->member[i] != base)
            closest = fmin(closest, cg_family_total(family, base, account->member[i]));
    for (int o = 1; base > 0 && o < family->n; o++)
        if (!is_member(account, o) && is_central(family, account, o) &&
            cg_family_total(family, o, base) < closest)
            return 0;
    return base;
}

/* Another model that explains as much in the place of member k, or -1. */
static int alike_of(const struct cg_family *family, const struct account *account, int k)
{
    for (int i = 1; i < family->n; i++) {
        struct account other = *account;
        if (is_member(account, i))
            continue;
        other.member[k] = i;
        weigh(&other, family);
        if (explains(&other) && other.rest <= ALIKE * account->rest)
            return family->model[i];
    }
    return -1;
}

static struct found describe(const struct cg_family *family, const struct account *account)
{
    struct found found = {
        .heaviest = account->heaviest, .lightest = account->lightest, .nset = account->n + 1};
    int base = base_of(family, account);
    found.merge = (struct cg_merge){.child = family->model[0], .base = base > 0 ? family->model[base] : -1};
    for (int i = 0; i < account->n; i++) {
        int k = found.merge.parents;
        found.set[i] = family->model[account->member[i]];
        if (account->member[i] == base)
            continue;
        found.merge.parent[k] = found.set[i];
        found.merge.alike[k] = alike_of(family, account, i);
        found.merge.parents++;
    }
    found.set[account->n] = found.merge.child;
    return found;
}

/* The search over all children: each takes the best account that is left to it, the plainest first, and none
 * of which a member is itself made of the child. */
struct search {
    int models;
    struct cg_family *family; /* [models] */
    struct found *found;      /* [models] the account that a child would take now; nset 0: none */
    bool *taken;              /* [models] */
    bool *made;               /* [models * models] i is made of j, as far as was taken */
};

/* Finds the child's account anew. */
static void find_account(struct search *search, int child)
{
    struct cg_family *family = &search->family[child];
    int64_t matrices = 0;
    unsigned barred = 0;
    search->found[child].nset = 0;
    for (int32_t g = family->first; family->n > 2 && g < family->groups; g++)
        matrices += family->matrices[g];
    if (matrices < CG_LEAST_MATRICES)
        return;
    for (int i = 1; i < family->n; i++)
        if (search->made[family->model[i] * search->models + child])
            barred |= 1U << i;
    struct account account = best_account(family, barred);
    if (account.n > 0)
        search->found[child] = describe(family, &account);
}

/* Whether a is to be taken before b: weights above 0 first, then fewer members, then smaller weights, then
 * the later child. */
static bool is_plainer(const struct found *a, const struct found *b)
{
    bool positive_a = a->lightest > -TIE, positive_b = b->lightest > -TIE;
    if (positive_a != positive_b)
        return positive_a;
    if (a->nset != b->nset)
        return a->nset < b->nset;
    if (fabs(a->heaviest - b->heaviest) > TIE)
        return a->heaviest < b->heaviest;
    return a->merge.child > b->merge.child;
}

static bool same_set(const struct found *a, const struct found *b)
{
    int common = 0;
    for (int i = 0; i < a->nset; i++)
        for (int j = 0; j < b->nset; j++)
            common += a->set[i] == b->set[j];
    return common == a->nset && common == b->nset;
}

/* Takes a child's account; whoever it is made of is no longer made of it. */
static void take(struct search *search, int child)
{
    struct found *found = &search->found[child];
    int n = search->models;
    search->taken[child] = true;
    for (int c = 0; c < n; c++)
        found->merge.ambiguous |= !search->taken[c] && search->found[c].nset > 0 &&
                                  same_set(found, &search->found[c]) &&
                                  fabs(found->heaviest - search->found[c].heaviest) <= TIE;
    for (int i = 0; i + 1 < found->nset; i++)
        for (int m = 0; m < n; m++)
            for (int from = 0; from < n; from++)
                search->made[m * n + from] |=
                    (m == child || search->made[m * n + child]) &&
                    (from == found->set[i] || search->made[found->set[i] * n + from]);
    for (int c = 0; c < n; c++)
        for (int i = 0; !search->taken[c] && i + 1 < search->found[c].nset; i++)
            if (search->made[search->found[c].set[i] * n + c])
                find_account(search, c);
}

static void search_all(struct search *search)
{
    for (int c = 0; c < search->models; c++)
        find_account(search, c);
    for (;;) {
        int best = -1;
        for (int c = 0; c < search->models; c++)
            if (!search->taken[c] && search->found[c].nset > 0 &&
                (best < 0 || is_plainer(&search->found[c], &search->found[best])))
                best = c;
        if (best < 0)
            return;
        take(search, best);
    }
}

/* Scores by matrix, for the standard errors. */
static void find_meat(double (*meat)[CG_AFFINE_MEMBERS][CG_AFFINE_MEMBERS], const struct cg_sums *sums,
                      const struct cg_family *family, const struct cg_affine *fit)
{
    double distance[CG_FAMILY * CG_FAMILY];
    for (int64_t s = 0; s < sums->anatomy->nslots; s++) {
        int32_t g = cg_family_group(&sums->anatomy->slots[s]);
        if (cg_family_in_slot(distance, sums, s, family->model, family->n) && fit[g].told)
            cg_affine_add_score(&fit[g], distance, meat[g]);
    }
}

static void set_layer(struct cg_merge *merge, const struct cg_family *family, int32_t g,
                      const struct cg_affine *fit, double meat[CG_AFFINE_MEMBERS][CG_AFFINE_MEMBERS])
{
    struct cg_merge_layer *layer = &merge->layers[merge->nlayers++];
    double variance[CG_AFFINE_MEMBERS], n = (double)family->matrices[g], k = fit->n - 1;
    double nearest = family->distance[g * family->n * family->n + fit->origin + 1];
    cg_affine_variances(fit, meat, n / (n - k), variance);
    layer->layer = g - 1;
    layer->matrices = family->matrices[g];
    layer->unexplained = fit->rest > 0 ? fit->rest / nearest : 0;
    for (int i = 0; i < merge->parents; i++) {
        layer->weight[i] = fit->told ? fit->weight[i] : NAN;
        layer->standard_error[i] = fit->told && n > k ? sqrt(variance[i]) : NAN;
    }
}

/* The coefficients, over all that the members themselves share. */
static int fit_layers(struct cg_merge *merge, const struct cg_sums *sums, struct cg_err *err)
{
    struct cg_family family = {.n = 1, .model = {merge->child}};
    for (int i = 0; i < merge->parents; i++)
        family.model[family.n++] = merge->parent[i];
    if (merge->base >= 0)
        family.model[family.n++] = merge->base;
    struct cg_affine *fit = NULL;
    double(*meat)[CG_AFFINE_MEMBERS][CG_AFFINE_MEMBERS] = NULL;
    struct account account = {.n = family.n - 1, .member = {1, 2, 3, 4}};
    int result = -1;
    CG_TRY(cg_family_measure(&family, sums, err));
    fit = cg_new((size_t)family.groups, sizeof *fit, err);
    meat = cg_new((size_t)family.groups, sizeof *meat, err);
    merge->layers = cg_new((size_t)family.groups, sizeof *merge->layers, err);
    if (!fit || !meat || !merge->layers)
        goto done;
    int origin = nearest_of(&account, &family);
    for (int32_t g = 0; g < family.groups; g++)
        fit[g] = cg_affine_fit(family.distance + g * family.n * family.n, account.n, origin);
    find_meat(meat, sums, &family, fit);
    for (int32_t g = 0; g < family.groups; g++) {
        if (family.matrices[g] > 0)
            set_layer(merge, &family, g, &fit[g], meat[g]);
        merge->unexplained += g >= family.first ? fit[g].rest / account.nearest : 0;
    }
    result = 0;
done:
    cg_family_release(&family);
    free(fit);
    free(meat);
    return result;
}

static void search_release(struct search *search)
{
    for (int c = 0; search->family && c < search->models; c++)
        cg_family_release(&search->family[c]);
    free(search->family);
    free(search->found);
    free(search->taken);
    free(search->made);
}

static int search_init(struct search *search, const struct cg_sums *sums, struct cg_err *err)
{
    size_t n = (size_t)sums->anatomy->models;
    *search = (struct search){.models = (int)n};
    if (!(search->family = cg_new(n, sizeof *search->family, err)) ||
        !(search->found = cg_new(n, sizeof *search->found, err)) ||
        !(search->taken = cg_new(n, sizeof *search->taken, err)) ||
        !(search->made = cg_new(n * n, sizeof *search->made, err)))
        return -1;
    for (int c = 0; c < search->models; c++)
        if (cg_family_init(&search->family[c], sums, c, err) < 0)
            return -1;
    return 0;
}

int cg_merges_find(struct cg_merges *out, const struct cg_anatomy *anatomy, const struct cg_plan *plan,
                   const struct cg_sweep *sweep, struct cg_err *err)
{
    const struct cg_sums sums = {anatomy, plan, sweep};
    struct search search;
    int result = -1;
    *out = (struct cg_merges){0};
    CG_TRY(search_init(&search, &sums, err));
    search_all(&search);
    if (!(out->list = cg_new((size_t)anatomy->models, sizeof *out->list, err)))
        goto done;
    for (int c = 0; c < anatomy->models; c++) {
        if (!search.taken[c])
            continue;
        struct cg_merge *merge = &out->list[out->n++];
        *merge = search.found[c].merge;
        CG_TRY(fit_layers(merge, &sums, err));
        if (!(merge->unexplained < MOST_UNEXPLAINED)) /* over more than all relatives share */
            free(out->list[--out->n].layers);
    }
    result = 0;
done:
    search_release(&search);
    if (result < 0)
        cg_merges_release(out);
    return result;
}

void cg_merges_release(struct cg_merges *merges)
{
    for (int i = 0; merges->list && i < merges->n; i++)
        free(merges->list[i].layers);
    free(merges->list);
    *merges = (struct cg_merges){0};
}

static bool holds(const struct cg_merge *merge, int child, int other)
{
    bool found = merge->child == child && merge->base == other;
    for (int i = 0; merge->child == child && i < merge->parents; i++)
        found |= merge->parent[i] == other;
    return found;
}

const struct cg_merge *cg_merge_of(const struct cg_merges *merges, int a, int b)
{
    for (int i = 0; i < merges->n; i++)
        if (holds(&merges->list[i], b, a) || holds(&merges->list[i], a, b))
            return &merges->list[i];
    return NULL;
}
