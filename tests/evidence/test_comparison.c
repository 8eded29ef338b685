/* Slots of a pair compared from sums that stand here as a sweep would leave them, against the same numbers
 * taken straight from the vectors in long double. */
#include "cognate/evidence.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { ROWS = 2, COLUMNS = 4, N = ROWS * COLUMNS };

struct row {
    const char *what;
    double a[N], b[N];
    enum cg_dtype dtype_b; /* a has F32 */
    bool same_digest, constant, equal;
};

static const struct row rows[] = {
    {"unlike", {1, 2, 3, 4, 5, 6, 7, 8}, {2, -1, 4, 0, 5, 1, 1, 9}, CG_F32, false, false, false},
    {"opposite", {1, 2, 3, 4, 5, 6, 7, 8}, {-1, -2, -3, -4, -5, -6, -7, -8}, CG_F32, false, false, false},
    {"scaled", {1, -2, 3, -4, 5, -6, 7, 8}, {2, -4, 6, -8, 10, -12, 14, 16}, CG_F32, false, false, false},
    {"same", {.1, .2, .3, .4, .5, .6, .7, .8}, {.1, .2, .3, .4, .5, .6, .7, .8}, CG_F32, true, false, true},
    {"other type", {1, 2, 3, 4, 5, 6, 7, 8}, {1, 2, 3, 4, 5, 6, 7, 8}, CG_BF16, false, false, true},
    {"other type, same bytes",
     {1, 2, 3, 4, 5, 6, 7, 8},
     {9, 2, 3, 4, 5, 6, 7, 8},
     CG_I32,
     true,
     false,
     false},
    {"one constant", {3, 3, 3, 3, 3, 3, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8}, CG_F32, false, false, false},
    {"constant, with rounding",
     {.1, .1, .1, .1, .1, .1, .1, .1},
     {1, 2, 3, 4, 5, 6, 7, 8},
     CG_F32,
     false,
     false,
     false},
    {"both constant", {3, 3, 3, 3, 3, 3, 3, 3}, {.1, .1, .1, .1, .1, .1, .1, .1}, CG_F32, false, true, false},
    {"zero and not", {0}, {1, 2, 3, 4, 5, 6, 7, 8}, CG_F32, false, false, false},
    {"not and zero", {1, 2, 3, 4, 5, 6, 7, 8}, {0}, CG_F32, false, false, false},
    {"zeros", {0}, {0}, CG_F32, true, true, true},
    {"NaN in a", {NAN, 2, 3, 4, 5, 6, 7, 8}, {2, -1, 4, 0, 5, 1, 1, 9}, CG_F32, false, false, false},
    {"NaN in each", {1, 2, 3, NAN, 5, 6, 7, 8}, {2, INFINITY, 4, 0, 5, 1, 1, 9}, CG_F32, false, false, false},
    {"constant but for a NaN",
     {3, 3, 3, 3, 3, 3, 3, NAN},
     {3, 3, 3, 3, 3, 3, 3, 3},
     CG_F32,
     false,
     false,
     false},
};

static struct cg_moments moments_of(const double *x)
{
    struct cg_moments out = {.elements = N, .minimum = NAN, .maximum = NAN};
    for (int i = 0; i < N; i++) {
        if (!isfinite(x[i])) {
            out.nonfinite++;
            continue;
        }
        out.sum += x[i];
        out.squares += x[i] * x[i];
        out.minimum = fmin(out.minimum, x[i]);
        out.maximum = fmax(out.maximum, x[i]);
    }
    return out;
}

static struct cg_products products_of(const double *a, const double *b)
{
    struct cg_products out = {0};
    bool equal = true;
    for (int i = 0; i < N; i++) {
        equal = equal && a[i] == b[i];
        if (!isfinite(a[i]) || !isfinite(b[i]))
            continue;
        out.elements++;
        out.product += a[i] * b[i];
        out.difference += (b[i] - a[i]) * (b[i] - a[i]);
        out.sum_a += a[i];
        out.sum_b += b[i];
        out.squares_a += a[i] * a[i];
        out.squares_b += b[i] * b[i];
    }
    if (!equal && out.difference == 0)
        out.difference = 5e-324; /* as the sweep has it: 0 is for equal elements alone */
    return out;
}

/* NaN for a vector of zeros, or of one value where the mean goes first. */
static double expected_cosine(const double *a, const double *b, bool centred)
{
    long double mean_a = 0, mean_b = 0, ab = 0, aa = 0, bb = 0;
    int n = 0;
    for (int i = 0; i < N; i++)
        if (isfinite(a[i]) && isfinite(b[i])) {
            mean_a += a[i];
            mean_b += b[i];
            n++;
        }
    for (int i = 0; i < N; i++)
        if (isfinite(a[i]) && isfinite(b[i])) {
            long double x = a[i] - (centred ? mean_a / n : 0), y = b[i] - (centred ? mean_b / n : 0);
            ab += x * y;
            aa += x * x;
            bb += y * y;
        }
    return aa < 1e-25L || bb < 1e-25L ? NAN : (double)(ab / sqrtl(aa) / sqrtl(bb));
}

static double expected_difference(const double *a, const double *b)
{
    long double d = 0, aa = 0;
    for (int i = 0; i < N; i++)
        if (isfinite(a[i]) && isfinite(b[i])) {
            d += ((long double)b[i] - a[i]) * ((long double)b[i] - a[i]);
            aa += (long double)a[i] * a[i];
        }
    return aa == 0 ? NAN : (double)sqrtl(d / aa);
}

static bool alike(double x, double y)
{
    return (isnan(x) && isnan(y)) || fabs(x - y) <= 1e-14 * fmax(1, fabs(y));
}

/* One slot, one bundle of two members; model `first` has the lower position. */
struct scene {
    struct cg_slot slot;
    struct cg_member member[2];
    struct cg_place_in_bundle place[2];
    struct cg_bundle bundle[2];
    struct cg_bundle_member members[2];
    uint8_t digest[2][CG_SHA256];
    struct cg_moments moments[2];
    struct cg_products products[1];
    struct cg_shift_null null[1];
    int64_t first_pair[2];
    struct cg_anatomy anatomy;
    struct cg_plan plan;
    struct cg_sweep sweep;
};

static void stage(struct scene *s, const struct row *row, int first)
{
    const double *values[2] = {row->a, row->b};
    *s = (struct scene){.slot = {.role = CG_ROLE_ATTN_Q},
                        .bundle = {{.rows = ROWS, .columns = COLUMNS, .members = 2, .real = true}},
                        .products = {products_of(values[first], values[!first])},
                        .null = {{0.5, 0.01, 0.02, 24}},
                        .first_pair = {0, 1}};
    for (int m = 0; m < 2; m++) {
        int at = m == first ? 0 : 1;
        s->member[m] = (struct cg_member){.tensor = 0, .rows = ROWS, .columns = COLUMNS};
        s->place[m].position = at;
        s->members[at] = (struct cg_bundle_member){.model = m, .dtype = m == 0 ? CG_F32 : row->dtype_b};
        memset(s->digest[at], row->same_digest ? 7 : m, CG_SHA256);
        s->moments[at] = moments_of(values[m]);
    }
    s->anatomy = (struct cg_anatomy){.models = 2, .nslots = 1, .slots = &s->slot, .members = s->member};
    s->plan =
        (struct cg_plan){.nbundles = 1, .bundles = s->bundle, .members = s->members, .places = s->place};
    s->sweep = (struct cg_sweep){.digest = s->digest,
                                 .moments = s->moments,
                                 .first_pair = s->first_pair,
                                 .products = s->products,
                                 .null = s->null};
}

static void check_row(const struct row *row, int first)
{
    struct scene s;
    stage(&s, row, first);
    struct cg_comparison c = cg_compare_slot(&s.anatomy, &s.plan, &s.sweep, 0, 0, 1);
    if (!c.compared || !c.matrix || c.elements != N || c.constant != row->constant || c.equal != row->equal ||
        c.identical != (row->same_digest && row->dtype_b == CG_F32))
        fail_msg("%s, %d first: flags", row->what, first);
    if (!alike(c.cosine, expected_cosine(row->a, row->b, false)) ||
        !alike(c.centred_cosine, expected_cosine(row->a, row->b, true)) ||
        !alike(c.relative_difference, expected_difference(row->a, row->b)))
        fail_msg("%s, %d first: %.17g %.17g %.17g", row->what, first, c.cosine, c.centred_cosine,
                 c.relative_difference);
    assert_true(row->equal && !row->constant ? c.cosine == 1 : true);
    assert_true(c.null.t == 24 && c.null.cosine == 0.5 && c.null.mean == 0.01 && c.null.sd == 0.02);
    assert_true(c.log10_p == cg_t_log10_tail(24, 30));
    /* the question the other way round */
    struct cg_comparison d = cg_compare_slot(&s.anatomy, &s.plan, &s.sweep, 0, 1, 0);
    assert_true(alike(d.cosine, c.cosine) && alike(d.centred_cosine, c.centred_cosine));
    if (!alike(d.relative_difference, expected_difference(row->b, row->a)))
        fail_msg("%s, turned: %.17g", row->what, d.relative_difference);
}

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int first = 0; first < 2; first++)
            check_row(&rows[i], first);
}

static void check_absent(const struct cg_comparison *c)
{
    assert_true(isnan(c->cosine) && isnan(c->centred_cosine) && isnan(c->relative_difference));
    assert_true(isnan(c->null.t) && isnan(c->null.cosine) && isnan(c->log10_p));
    assert_false(c->constant);
}

static void test_not_compared(void **state)
{
    (void)state;
    static const struct {
        struct cg_member a, b;
        bool compared;
    } table[] = {
        {{.tensor = -1}, {.rows = ROWS, .columns = COLUMNS}, false},
        {{.rows = ROWS, .columns = COLUMNS}, {.tensor = -1}, false},
        {{.tensor = -1}, {.tensor = -1}, false},
        {{.rows = ROWS, .columns = COLUMNS}, {.rows = COLUMNS, .columns = ROWS}, false},
        {{.rows = ROWS, .columns = COLUMNS}, {.rows = ROWS + 1, .columns = COLUMNS}, false},
        {{.rows = ROWS, .columns = COLUMNS}, {.rows = ROWS, .columns = COLUMNS - 1}, false},
        {{.rows = ROWS, .columns = COLUMNS, .tied = true},
         {.rows = ROWS, .columns = COLUMNS, .tied = true},
         false},
        {{.rows = ROWS, .columns = COLUMNS, .tied = true}, {.rows = ROWS, .columns = COLUMNS}, true},
        {{.rows = ROWS, .columns = COLUMNS}, {.rows = ROWS, .columns = COLUMNS, .tied = true}, true},
        {{.rows = ROWS, .columns = COLUMNS}, {.rows = ROWS, .columns = COLUMNS}, true},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct scene s;
        stage(&s, &rows[0], 0);
        s.member[0] = table[i].a;
        s.member[1] = table[i].b;
        struct cg_comparison c = cg_compare_slot(&s.anatomy, &s.plan, &s.sweep, 0, 0, 1);
        if (c.compared != table[i].compared)
            fail_msg("row %zu", i);
        if (c.compared)
            continue;
        check_absent(&c);
        assert_false(c.equal || c.identical || c.matrix || c.elements > 0);
    }
}

/* Members without plain values: bytes are all there is to compare. */
static void test_hashed_only(void **state)
{
    (void)state;
    for (int same = 0; same < 2; same++) {
        struct scene s;
        stage(&s, &rows[0], 0);
        s.bundle[0].real = false;
        s.members[0].dtype = s.members[1].dtype = CG_C64;
        memset(s.digest[1], same ? s.digest[0][0] : 99, CG_SHA256);
        struct cg_comparison c = cg_compare_slot(&s.anatomy, &s.plan, &s.sweep, 0, 0, 1);
        assert_true(c.compared);
        assert_int_equal(c.identical, same);
        assert_int_equal(c.equal, same);
        check_absent(&c);
    }
}

static void test_describe(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        const double *x = i % 2 ? rows[i / 2].b : rows[i / 2].a;
        long double mean = 0, squares = 0, spread = 0;
        double least = INFINITY, most = -INFINITY;
        int n = 0;
        for (int k = 0; k < N; k++)
            if (isfinite(x[k])) {
                n++;
                mean += x[k];
                squares += (long double)x[k] * x[k];
                least = fmin(least, x[k]);
                most = fmax(most, x[k]);
            }
        mean /= n;
        for (int k = 0; k < N; k++)
            spread += isfinite(x[k]) ? (x[k] - mean) * (x[k] - mean) : 0;
        struct cg_moments moments = moments_of(x);
        struct cg_description d = cg_describe(&moments);
        assert_true(alike(d.mean, (double)mean) && alike(d.l2norm, (double)sqrtl(squares)));
        assert_true(alike(d.std, (double)sqrtl(spread / n)) && d.minimum == least && d.maximum == most);
        assert_true(least == most ? d.std == 0 && d.mean == least : true);
        assert_int_equal(d.nonfinite, N - n);
    }
    struct cg_moments none[] = {{.elements = 3, .nonfinite = 3, .minimum = NAN, .maximum = NAN}, {0}};
    for (int i = 0; i < 2; i++) {
        struct cg_description d = cg_describe(&none[i]);
        assert_true(isnan(d.mean) && isnan(d.std) && isnan(d.l2norm) && isnan(d.minimum) && isnan(d.maximum));
        assert_int_equal(d.nonfinite, none[i].nonfinite);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_not_compared),
        cmocka_unit_test(test_hashed_only),
        cmocka_unit_test(test_describe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
