/* PCA on however many ranks the harness starts, against matrices whose principal components are known: cosine
 * bases, which are orthonormal and without mean, one of them turned by a seeded reflection. */
#include "cognate/pca.h"
#include "pca/checks.h"
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

static struct cg_comm comm; /* set once by main */

enum deal { EVEN, LAST_RANK, SCATTERED, BACKWARDS };

struct problem {
    int n, features, rank, components, expected; /* rank: of the centred matrix */
    enum deal deal;
    bool plain; /* without the reflection: loadings come in ties */
};

static double cosine_basis(int i, int k, int n)
{
    return sqrt(2.0 / n) * cos(M_PI * (i + 0.5) * (k + 1) / n);
}

static double deviation(int k)
{
    return 3.0 * pow(0.8, k);
}

static double mean_of(int f)
{
    return f % 3 == 0 ? 0.0 : 10.0 * sin(f);
}

/* The unit vector of the reflection. */
static void make_mirror(double *mirror, int n)
{
    uint32_t seed = 12345;
    double squares = 0.0;
    for (int f = 0; f < n; f++) {
        seed = seed * 1664525u + 1013904223u;
        mirror[f] = seed / 4294967296.0 - 0.5;
        squares += mirror[f] * mirror[f];
    }
    for (int f = 0; f < n; f++)
        mirror[f] /= sqrt(squares);
}

/* The true vectors [rank * features], the largest loading positive. */
static double *true_vectors(const struct problem *p)
{
    int n = p->features;
    double *vectors = calloc((size_t)(p->rank * n) + 1, sizeof *vectors);
    double *mirror = calloc((size_t)n, sizeof *mirror);
    assert_non_null(vectors);
    assert_non_null(mirror);
    make_mirror(mirror, n);
    for (int k = 0; k < p->rank; k++) {
        double *v = vectors + k * n, along = 0.0;
        for (int f = 0; f < n; f++)
            along += (v[f] = cosine_basis(f, k, n)) * mirror[f];
        int largest = 0;
        for (int f = 0; f < n && !p->plain; f++) {
            v[f] -= 2.0 * along * mirror[f];
            largest = fabs(v[f]) > fabs(v[largest]) ? f : largest;
        }
        double sign = v[largest] < 0.0 ? -1.0 : 1.0;
        for (int f = 0; f < n; f++)
            v[f] *= sign;
    }
    free(mirror);
    return vectors;
}

static double true_score(const struct problem *p, const double *vectors, int i, int k)
{
    /* The sign went into the vectors: compare with the unsigned one. */
    double *mirror = calloc((size_t)p->features, sizeof *mirror), along = 0.0;
    make_mirror(mirror, p->features);
    for (int f = 0; f < p->features; f++)
        along += cosine_basis(f, k, p->features) * mirror[f];
    double first = cosine_basis(0, k, p->features) - (p->plain ? 0.0 : 2.0 * along * mirror[0]);
    free(mirror);
    double sign = first * vectors[k * p->features] < 0.0 ? -1.0 : 1.0;
    return sign * deviation(k) * sqrt(p->n - 1) * cosine_basis(i, k, p->n);
}

static int owner_of(const struct problem *p, int i)
{
    switch (p->deal) {
    case EVEN:
        return (int)((int64_t)i * comm.size / p->n);
    case LAST_RANK:
        return comm.size - 1;
    default:
        return (int)((unsigned)i * 2654435761u >> 16) % comm.size;
    }
}

/* This rank's rows of the sum over k of deviation * left * right + mean. */
static struct cg_features make_rows(const struct problem *p, const double *vectors)
{
    struct cg_features out = {.samples = p->n, .features = p->features};
    out.sample = calloc((size_t)p->n + 1, sizeof *out.sample);
    out.value = calloc((size_t)(p->n * p->features) + 1, sizeof *out.value);
    assert_true(out.sample && out.value);
    for (int at = 0; at < p->n; at++) {
        int i = p->deal == BACKWARDS ? p->n - 1 - at : at;
        if (owner_of(p, i) != comm.rank)
            continue;
        double *row = out.value + out.local * p->features;
        out.sample[out.local++] = i;
        for (int f = 0; f < p->features; f++)
            row[f] = mean_of(f);
        for (int k = 0; k < p->rank; k++) {
            double score = true_score(p, vectors, i, k);
            for (int f = 0; f < p->features; f++)
                row[f] += score * vectors[k * p->features + f];
        }
    }
    return out;
}

static void release_rows(struct cg_features *rows)
{
    free(rows->sample);
    free(rows->value);
}

static void compare_components(const struct problem *p, const struct cg_pca *pca, const double *vectors)
{
    double total = 0.0;
    for (int k = 0; k < p->rank; k++)
        total += deviation(k) * deviation(k);
    for (int k = 0; k < p->expected; k++) {
        double variance = k < p->rank ? deviation(k) * deviation(k) : 0.0;
        assert_true(fabs(pca->variance[k] - variance) <= 1e-10 * (k < p->rank ? variance : total));
        assert_true(fabs(pca->ratio[k] - variance / total) <= 1e-10);
        for (int f = 0; f < p->features && k < p->rank; f++)
            assert_true(fabs(pca->vector[k * p->features + f] - vectors[k * p->features + f]) <= 1e-8);
        for (int i = 0; i < p->n; i++) {
            double score = k < p->rank ? true_score(p, vectors, i, k) : 0.0;
            assert_true(fabs(pca->score[i * p->expected + k] - score) <= 1e-8 * deviation(0) * sqrt(p->n));
        }
    }
}

static void assert_zeroed(const struct cg_pca *pca)
{
    static const struct cg_pca zero;
    assert_memory_equal(pca, &zero, sizeof zero);
}

static void solve(const struct problem *p)
{
    double *vectors = true_vectors(p);
    struct cg_features rows = make_rows(p, vectors);
    struct cg_pca pca;
    struct cg_err err = {0};
    int result = cg_pca_run(&comm, &rows, p->components, &pca, &err);
    if (result < 0)
        print_error("%d x %d: %s\n", p->n, p->features, err.text);
    assert_int_equal(result, 0);
    if (comm.rank == 0) {
        assert_int_equal(pca.samples, p->n);
        assert_int_equal(pca.features, p->features);
        assert_int_equal(pca.components, p->expected);
        for (int f = 0; f < p->features && p->n > 1; f++)
            assert_true(fabs(pca.mean[f] - mean_of(f)) <= 1e-12);
        compare_components(p, &pca, vectors);
    } else {
        assert_zeroed(&pca);
    }
    cg_pca_release(&pca);
    assert_zeroed(&pca);
    release_rows(&rows);
    free(vectors);
}

static void known_components(void **state)
{
    (void)state;
    static const struct problem problems[] = {
        {40, 130, 12, 10, 10, EVEN, false},      /* fewer samples than features */
        {40, 130, 3, 10, 10, EVEN, false},       /* few, and variances that are zero */
        {65, 130, 12, 10, 10, SCATTERED, false}, /* as few as are few */
        {66, 130, 12, 10, 10, SCATTERED, false}, /* one more */
        {30, 1024, 16, 16, 16, LAST_RANK, false},
        {300, 70, 12, 10, 10, EVEN, false},      /* more */
        {300, 70, 12, 10, 10, LAST_RANK, false}, /* the others bring nothing */
        {300, 70, 12, 10, 10, SCATTERED, false},
        {300, 70, 12, 10, 10, BACKWARDS, false},
        {20, 100, 19, 50, 19, SCATTERED, false}, /* more components than there can be */
        {64, 12, 11, 50, 12, SCATTERED, false},  /* fewer features than components */
        {100, 64, 3, 40, 40, SCATTERED, false},  /* variances that are zero */
        {90, 96, 4, 4, 4, EVEN, true},           /* loadings tie: the first is made positive */
        {2, 100, 1, 10, 1, EVEN, false},
        {50, 2, 1, 2, 2, EVEN, false},
        {1500, 1024, 12, 10, 10, LAST_RANK, false}, /* several rounds of the exchange */
        {40, 130, 12, 0, 0, EVEN, false},
        {40, 130, 12, -3, 0, EVEN, false},
        {1, 100, 0, 10, 0, EVEN, false},
        {0, 100, 0, 10, 0, EVEN, false},
    };
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++)
        solve(&problems[i]);
}

/* Constant features have no variance at all, not one of 1e-33: neither ratios nor scores are noise. */
static void constant_features(void **state)
{
    (void)state;
    static const struct problem p = {30, 80, 0, 5, 5, SCATTERED, false};
    struct cg_features rows = make_rows(&p, NULL);
    struct cg_pca pca;
    struct cg_err err = {0};
    assert_int_equal(cg_pca_run(&comm, &rows, p.components, &pca, &err), 0);
    for (int64_t k = 0; k < pca.components; k++) {
        assert_true(pca.variance[k] == 0.0 && pca.ratio[k] == 0.0);
        for (int64_t i = 0; i < pca.samples; i++)
            assert_true(pca.score[i * pca.components + k] == 0.0);
    }
    assert_int_equal(comm.rank == 0 ? pca.components : 5, 5);
    cg_pca_release(&pca);
    release_rows(&rows);
}

enum spoilt { NOTHING, VECTOR, LENGTH, VALUE, SCORE, TOTAL, NOT_A_NUMBER, ORDER };

static void spoil(struct cg_pca *pca, enum spoilt what)
{
    int64_t n = pca->features;
    switch (what) {
    case VECTOR: /* turned a little towards its neighbour: still a unit vector */
        for (int64_t f = 0; f < n; f++) {
            double a = pca->vector[f], b = pca->vector[n + f];
            pca->vector[f] = cos(1e-8) * a - sin(1e-8) * b;
            pca->vector[n + f] = sin(1e-8) * a + cos(1e-8) * b;
        }
        break;
    case LENGTH:
        for (int64_t f = 0; f < n; f++)
            pca->vector[2 * n + f] *= 1.0 + 1e-9;
        break;
    case VALUE:
        pca->variance[1] *= 1.0 + 1e-8;
        break;
    case SCORE:
        pca->score[5] += 1e-4;
        break;
    case NOT_A_NUMBER:
        pca->vector[3 * n + 7] = NAN;
        break;
    case ORDER: /* values of one component with the vector of another */
        pca->variance[2] = pca->variance[3];
        break;
    default:
        break;
    }
}

static void self_check_notices(void **state)
{
    (void)state;
    static const enum spoilt cases[] = {NOTHING, VECTOR, LENGTH, VALUE, SCORE, TOTAL, NOT_A_NUMBER, ORDER};
    static const struct problem p = {200, 90, 30, 20, 20, SCATTERED, false};
    double *vectors = true_vectors(&p), mean[90], total = 0.0;
    for (int f = 0; f < p.features; f++)
        mean[f] = mean_of(f);
    for (int k = 0; k < p.rank; k++)
        total += deviation(k) * deviation(k);
    struct cg_features rows = make_rows(&p, vectors);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cg_pca pca;
        struct cg_err err = {0};
        assert_int_equal(cg_pca_run(&comm, &rows, p.components, &pca, &err), 0);
        if (comm.rank == 0)
            spoil(&pca, cases[i]);
        double said = cases[i] == TOTAL ? total * (1.0 + 1e-9) : total;
        assert_int_equal(cg_pca_check(&comm, &rows, mean, &pca, said, &err), cases[i] == NOTHING ? 0 : -1);
        assert_int_equal(err.code, cases[i] == NOTHING ? CG_OK : CG_ENUMERIC);
        assert_true(cases[i] == NOTHING || strstr(err.text, "BLAS"));
        cg_pca_release(&pca);
    }
    release_rows(&rows);
    free(vectors);
}

/* The last rank alone sees a value that is no number: all hear of it, and of its place. */
static void refused(void **state)
{
    (void)state;
    static const struct {
        int64_t samples, features;
        double value;
        enum cg_code code;
        const char *text;
    } cases[] = {
        {2, 2, NAN, CG_ENUMERIC, "feature 1 of sample 1 is not finite"},
        {2, 2, -INFINITY, CG_ENUMERIC, "feature 1 of sample 1 is not finite"},
        {2, 8193, 1.0, CG_EUSAGE, "8193 features"},
        {2, -1, 1.0, CG_EUSAGE, "-1 features"},
        {(int64_t)INT_MAX + 1, 2, 1.0, CG_EUNSUPPORTED, "2147483648 samples"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t sample[] = {0, 1};
        double value[] = {1.0, 2.0, 3.0, cases[i].value};
        struct cg_features rows = {.samples = cases[i].samples, .features = cases[i].features};
        rows.sample = sample;
        rows.value = value;
        rows.local = comm.rank == comm.size - 1 ? 2 : 0;
        struct cg_pca pca;
        struct cg_err err = {0};
        assert_int_equal(cg_pca_run(&comm, &rows, 1, &pca, &err), -1);
        assert_int_equal(err.code, cases[i].code);
        assert_non_null(strstr(err.text, cases[i].text));
        assert_zeroed(&pca);
    }
}

int main(int argc, char **argv)
{
    struct cg_err err = {0};
    if (cg_comm_init(&comm, &argc, &argv, &err) < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_components),
        cmocka_unit_test(constant_features),
        cmocka_unit_test(self_check_notices),
        cmocka_unit_test(refused),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cg_comm_finalize(&comm);
    return failed;
}
