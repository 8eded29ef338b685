#include "cognate/evidence.h"
#include <math.h>
#include <string.h>

bool cg_is_by_formula(enum cg_role role)
{
    return role == CG_ROLE_POSITION_EMBED || role == CG_ROLE_MAMBA_A_LOG;
}

/* A quotient of rounded sums may leave [-1, 1] by an ulp or two. */
static double clamp(double cosine)
{
    return cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
}

/* Of equal vectors the three sums have the same bits, and a square root of a square is exact: the cosine
 * is 1. */
static double cosine_of(double product, double squares_a, double squares_b)
{
    if (!(squares_a > 0) || !(squares_b > 0))
        return NAN;
    double scale = squares_a == squares_b ? squares_a : sqrt(squares_a) * sqrt(squares_b);
    return clamp(product / scale);
}

static double centred(const struct cg_products *p)
{
    double n = (double)p->elements;
    if (p->elements == 0)
        return NAN;
    double squares_a = p->squares_a - p->sum_a * p->sum_a / n,
           squares_b = p->squares_b - p->sum_b * p->sum_b / n;
    /* What rounding leaves of a constant vector is no direction. */
    double least = 1e-14;
    if (!(squares_a > least * p->squares_a) || !(squares_b > least * p->squares_b))
        return NAN;
    return cosine_of(p->product - p->sum_a * p->sum_b / n, squares_a, squares_b);
}

static const struct cg_place_in_bundle *place_of(const struct cg_anatomy *anatomy, const struct cg_plan *plan,
                                                 int64_t slot, int model)
{
    return &plan->places[slot * anatomy->models + model];
}

static void compare_digests(const struct cg_plan *plan, const struct cg_sweep *sweep,
                            const struct cg_place_in_bundle *a, const struct cg_place_in_bundle *b,
                            struct cg_comparison *out)
{
    int64_t i = plan->bundles[a->bundle].first_member + a->position;
    int64_t j = plan->bundles[b->bundle].first_member + b->position;
    const struct cg_bundle_member *in_a = &plan->members[i], *in_b = &plan->members[j];
    bool same_type = in_a->dtype == in_b->dtype && !in_a->quantised == !in_b->quantised &&
                     (!in_a->quantised || strcmp(in_a->quantised->format, in_b->quantised->format) == 0);
    out->identical = same_type && memcmp(sweep->digest[i], sweep->digest[j], CG_SHA256) == 0;
}

/* The pair's products with a and b in the order of the question. */
static struct cg_products products_of(const struct cg_sweep *sweep, const struct cg_place_in_bundle *a,
                                      const struct cg_place_in_bundle *b)
{
    struct cg_products p = sweep->products[cg_sweep_pair(sweep, a->bundle, a->position, b->position)];
    if (a->position < b->position)
        return p;
    struct cg_products turned = p;
    turned.sum_a = p.sum_b;
    turned.sum_b = p.sum_a;
    turned.squares_a = p.squares_b;
    turned.squares_b = p.squares_a;
    return turned;
}

static bool is_constant(const struct cg_moments *moments)
{
    return moments->nonfinite == 0 && moments->minimum == moments->maximum;
}

static void compare_values(const struct cg_products *p, const struct cg_shift_null *null,
                           const struct cg_moments *a, const struct cg_moments *b, struct cg_comparison *out)
{
    out->equal = p->difference == 0;
    out->constant = is_constant(a) && is_constant(b);
    out->cosine = cosine_of(p->product, p->squares_a, p->squares_b);
    out->centred_cosine = centred(p);
    out->relative_difference = p->squares_a > 0 ? sqrt(p->difference) / sqrt(p->squares_a) : NAN;
    out->difference = p->difference;
    out->rounding = a->rounding + b->rounding;
    out->null = *null;
    out->log10_p = cg_t_log10_tail(out->null.t, CG_SHIFTS - 1);
}

static bool is_swept_together(const struct cg_plan *plan, const struct cg_place_in_bundle *a,
                              const struct cg_place_in_bundle *b)
{
    return a->bundle == b->bundle && a->bundle >= 0 && plan->bundles[a->bundle].real;
}

struct cg_comparison cg_compare_products(const struct cg_anatomy *anatomy, const struct cg_plan *plan,
                                         const struct cg_sweep *sweep, int64_t slot, int a, int b,
                                         const struct cg_products *products, const struct cg_shift_null *null)
{
    struct cg_comparison out = {.cosine = NAN,
                                .centred_cosine = NAN,
                                .relative_difference = NAN,
                                .null = {NAN, NAN, NAN, NAN},
                                .log10_p = NAN};
    const struct cg_member *in_a = cg_member_of(anatomy, slot, a), *in_b = cg_member_of(anatomy, slot, b);
    bool both_tied = in_a->tied && in_b->tied; /* their embeddings are compared in their own slot */
    out.compared = in_a->tensor >= 0 && in_b->tensor >= 0 && !both_tied && in_a->rows == in_b->rows &&
                   in_a->columns == in_b->columns;
    if (!out.compared)
        return out;
    out.matrix = in_a->rows > 1 && in_a->columns > 1;
    out.elements = in_a->rows * in_a->columns;
    const struct cg_place_in_bundle *place_a = place_of(anatomy, plan, slot, a),
                                    *place_b = place_of(anatomy, plan, slot, b);
    compare_digests(plan, sweep, place_a, place_b, &out);
    out.equal = out.identical;
    if (products && is_swept_together(plan, place_a, place_b)) {
        const struct cg_moments *moments = sweep->moments + plan->bundles[place_a->bundle].first_member;
        compare_values(products, null, &moments[place_a->position], &moments[place_b->position], &out);
    }
    return out;
}

struct cg_comparison cg_compare_slot(const struct cg_anatomy *anatomy, const struct cg_plan *plan,
                                     const struct cg_sweep *sweep, int64_t slot, int a, int b)
{
    const struct cg_place_in_bundle *place_a = place_of(anatomy, plan, slot, a),
                                    *place_b = place_of(anatomy, plan, slot, b);
    if (!sweep->products || !is_swept_together(plan, place_a, place_b))
        return cg_compare_products(anatomy, plan, sweep, slot, a, b, NULL, NULL);
    struct cg_products products = products_of(sweep, place_a, place_b);
    const struct cg_shift_null *null =
        &sweep->null[cg_sweep_pair(sweep, place_a->bundle, place_a->position, place_b->position)];
    return cg_compare_products(anatomy, plan, sweep, slot, a, b, &products, null);
}

struct cg_description cg_describe(const struct cg_moments *moments)
{
    double n = (double)(moments->elements - moments->nonfinite);
    if (!(n > 0))
        return (struct cg_description){NAN, NAN, NAN, NAN, NAN, moments->nonfinite, NAN};
    double mean = moments->sum / n, variance = (moments->squares - moments->sum * mean) / n;
    bool constant = moments->minimum == moments->maximum;
    return (struct cg_description){
        .l2norm = sqrt(moments->squares),
        .mean = constant ? moments->minimum : mean,
        .std = constant || variance < 0 ? 0 : sqrt(variance),
        .minimum = moments->minimum,
        .maximum = moments->maximum,
        .nonfinite = moments->nonfinite,
        .rounding = moments->rounding > 0 ? sqrt(moments->rounding) / sqrt(moments->squares) : NAN};
}
