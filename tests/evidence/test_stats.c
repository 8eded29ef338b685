/* Tails of Student's t against mpmath (40 digits; scipy.stats.t.logsf agrees where it does not underflow). */
#include "cognate/blocks.h"
#include "cognate/evidence.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the above first */
#include <cmocka.h>

static const struct {
    double t;
    int freedom;
    double log10_p;
} tails[] = {
    {-50.0, 1, -0.0027732718053353879},
    {-3.0, 1, -0.046925082590749159},
    {-0.5, 1, -0.18870414641342934},
    {0.0, 1, -0.3010299956639812},
    {1e-09, 1, -0.30102999594046165},
    {0.1, 1, -0.32949950734971845},
    {1.0, 1, -0.60205999132796239},
    {2.5, 1, -0.91678793295021695},
    {7.0, 1, -1.3451764919120268},
    {40.0, 1, -2.0993003175440797},
    {1000.0, 1, -3.4971500174588984},
    {100000.0, 1, -5.4971498727086103},
    {100000000.0, 1, -8.4971498726941339},
    {-50.0, 2, -8.6815492394924612e-5},
    {-3.0, 2, -0.021241257821386389},
    {-0.5, 2, -0.17609125905568124},
    {0.0, 2, -0.3010299956639812},
    {1e-09, 2, -0.30102999597107377},
    {0.1, 2, -0.33279675022210817},
    {1.0, 2, -0.67504939895850151},
    {2.5, 2, -1.1883857210014173},
    {7.0, 2, -2.004278367898931},
    {40.0, 2, -3.5055568963184345},
    {1000.0, 2, -6.3010306471051069},
    {100000.0, 2, -10.301029995729125},
    {100000000.0, 2, -16.301029995663981},
    {-50.0, 5, -1.3132539024162129e-8},
    {-3.0, 5, -0.0065856496546710941},
    {-0.5, 5, -0.16694819832784465},
    {0.0, 5, -0.3010299956639812},
    {1e-09, 5, -0.30102999599370338},
    {0.1, 5, -0.33524986796290511},
    {1.0, 5, -0.7408632694679911},
    {2.5, 5, -1.5647123959851157},
    {7.0, 5, -3.3387802545437713},
    {40.0, 5, -7.0359299217192085},
    {1000.0, 5, -14.022730787061724},
    {100000.0, 5, -24.02272613438314},
    {100000000.0, 5, -39.022726133917825},
    {-50.0, 30, -4.0640013079512574e-31},
    {-3.0, 30, -0.0011719957897836394},
    {-0.5, 30, -0.16137850296916991},
    {0.0, 30, -0.3010299956639812},
    {1e-09, 30, -0.30102999600762294},
    {0.1, 30, -0.33676583308309986},
    {1.0, 30, -0.7887344304379617},
    {2.5, 30, -2.0429760966183051},
    {7.0, 30, -7.3531083995796979},
    {40.0, 30, -27.163484571148014},
    {1000.0, 30, -68.984639514525663},
    {100000.0, 30, -128.98445021104209},
    {100000000.0, 30, -218.98445019210958},
    {-50.0, 1000, 0.0},
    {-3.0, 1000, -0.00060119916720665158},
    {-0.5, 1000, -0.16026593917271957},
    {0.0, 1000, -0.3010299956639812},
    {1e-09, 1000, -0.30102999601041144},
    {0.1, 1000, -0.33707019861388381},
    {1.0, 1000, -0.79921457152911285},
    {2.5, 1000, -2.201398800619296},
    {7.0, 1000, -11.630088477118209},
    {40.0, 1000, -209.28071628267048},
    {1000.0, 1000, -1502.1160206421276},
    {100000.0, 1000, -3501.8992202008331},
    {100000000.0, 1000, -6501.8991985078031},
};

enum { TAILS = sizeof tails / sizeof *tails };

static void near(double value, double expected, double tolerance, const char *what, double t, int freedom)
{
    if (!(fabs(value - expected) <= tolerance * fmax(1e-3, fabs(expected))))
        fail_msg("%s of t = %g, %d degrees: %.17g, not %.17g", what, t, freedom, value, expected);
}

static void test_tails(void **state)
{
    (void)state;
    for (int i = 0; i < TAILS; i++)
        near(cg_t_log10_tail(tails[i].t, tails[i].freedom), tails[i].log10_p, 2e-11, "tail", tails[i].t,
             tails[i].freedom);
}

/* Far below zero the tail is 1 to the last digit, and says nothing of t. */
static void test_inverse(void **state)
{
    (void)state;
    for (int i = 0; i < TAILS; i++) {
        if (tails[i].log10_p > -1e-3)
            continue;
        double t = cg_t_of_log10_tail(tails[i].log10_p, tails[i].freedom);
        if (!(fabs(t - tails[i].t) <= 1e-8 * fmax(1, fabs(tails[i].t))))
            fail_msg("inverse of %g, %d degrees: %.17g", tails[i].t, tails[i].freedom, t);
    }
    /* what a slot must reach after correction for 1 and for 1,000 tests (scipy.stats.t.isf) */
    assert_true(fabs(cg_t_of_log10_tail(-12, 30) - 11.3972175233114) < 1e-9);
    assert_true(fabs(cg_t_of_log10_tail(-15, 30) - 14.925858475139) < 1e-9);
}

static void test_odd_values(void **state)
{
    (void)state;
    assert_true(isnan(cg_t_log10_tail(NAN, 30)));
    assert_true(cg_t_log10_tail(INFINITY, 30) == -INFINITY);
    assert_true(cg_t_log10_tail(-INFINITY, 30) == 0);
    /* never rises, never breaks off, over all magnitudes */
    double last = 0;
    for (double t = 1e-12; t < 1e150; t *= 1.07) {
        double tail = cg_t_log10_tail(t, 30);
        assert_true(isfinite(tail) && tail <= last);
        last = tail;
    }
}

static void test_bonferroni(void **state)
{
    (void)state;
    static const struct {
        double log10_p;
        int64_t tests;
        double corrected;
    } table[] = {{-15, 1000, -12},
                 {-12, 1, -12},
                 {-12, 0, -12},
                 {-2, 100, 0},
                 {-2, 1000, 0},
                 {0, 5, 0},
                 {-0.30103, 1, -0.30103},
                 {-300, 10, -299},
                 {-INFINITY, 10, -INFINITY}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        double corrected = cg_bonferroni(table[i].log10_p, table[i].tests);
        assert_true(corrected == table[i].corrected || fabs(corrected - table[i].corrected) < 1e-12);
        assert_false(signbit(corrected) && corrected == 0); /* "-0" would be printed */
    }
    assert_true(isnan(cg_bonferroni(NAN, 10)));
}

/* mpmath, 40 digits; scipy.stats.poisson.logsf agrees where it does not underflow. */
static const struct {
    int k;
    double rate, log10_p;
} poisson[] = {
    {-1, 5, 0.0},
    {0, 5, 0.0},
    {1, 5, -0.0029361561794433282},
    {3, 5, -0.057819265862867396},
    {5, 5, -0.25219469690752617},
    {9, 5, -1.1668934833057008},
    {36, 5, -18.516309912488041},
    {352, 5, -501.31165967118911},
    {1024, 9.5, -1642.6666632474038},
    {1, 0.25, -0.65521641481847876},
    {2, 0.25, -1.5767701680382448},
    {40, 40, -0.2831382194021996},
    {41, 40, -0.3390569422758359},
    {20, 200, 0.0},
    {1, 0, -INFINITY},
};

static void test_poisson(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof poisson / sizeof *poisson; i++) {
        double found = cg_poisson_log10_tail(poisson[i].k, poisson[i].rate), expected = poisson[i].log10_p;
        if (!(fabs(found - expected) <= 1e-12 * fmax(1, fabs(expected))) && found != expected)
            fail_msg("row %zu: %.17g, not %.17g", i, found, expected);
    }
}

static void test_fixed_points(void **state)
{
    (void)state;
    static const double expected[][2] = {{0, 0},
                                         {1, 0},
                                         {2, -0.3010299956639812},
                                         {14, -10.940408352067718},
                                         {352, -745.18382399617642},
                                         {1024, -2639.7338813857108}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_true(fabs(cg_fixed_log10_p((int64_t)expected[i][0]) - expected[i][1]) <= 1e-9);
}

/* min(0, k log10(L) - log10(k!)), by Python's math. */
static void test_agreements(void **state)
{
    (void)state;
    static const struct {
        int64_t agreeing, layers;
        double log10_p;
    } rows[] = {{0, 1, 0},  {1, 1, 0}, {8, 1, -4.605520523437469}, {48, 6, -23.742648769692615},
                {3, 48, 0}, {0, 0, 0}, {32, 4, -16.1542520245851}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_true(fabs(cg_agreement_log10_p(rows[i].agreeing, rows[i].layers) - rows[i].log10_p) <= 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tails),        cmocka_unit_test(test_poisson),
        cmocka_unit_test(test_fixed_points), cmocka_unit_test(test_inverse),
        cmocka_unit_test(test_odd_values),   cmocka_unit_test(test_bonferroni),
        cmocka_unit_test(test_agreements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
