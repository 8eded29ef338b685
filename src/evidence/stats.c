#include "cognate/blocks.h"
#include "cognate/evidence.h"
#include <float.h>
#include <math.h>

/* The continued fraction of I_x(a, b) by the modified method of Lentz (Thompson and Barnett 1986,
 * doi 10.1016/0021-9991(86)90046-X); converges fast for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    enum { MOST = 10000 };
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
    double h = d;
    for (int m = 1; m < MOST; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double step = 1;
        for (int k = 0; k < 2; k++) {
            double term = k == 0 ? even : odd;
            d = 1 + term * d;
            c = 1 + term / c;
            d = 1 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
            c = fabs(c) < DBL_MIN ? DBL_MIN : c;
            step = d * c;
            h *= step;
        }
        if (fabs(step - 1) < DBL_EPSILON)
            break;
    }
    return h;
}

/* The natural logarithm of the regularised incomplete beta function, for x on the side where the fraction
 * converges. */
static double log_beta_ratio(double a, double b, double x, double log_x, double log_rest)
{
    double log_beta = lgamma(a) + lgamma(b) - lgamma(a + b);
    return a * log_x + b * log_rest - log(a) - log_beta + log(beta_fraction(a, b, x));
}

double cg_t_log10_tail(double t, double freedom)
{
    if (isnan(t))
        return NAN;
    if (t <= 0)
        return t == 0 ? log10(0.5) : log1p(-pow(10, cg_t_log10_tail(-t, freedom))) / log(10);
    /* P(T > t) = I_x(n/2, 1/2) / 2 with x = n / (n + t^2) */
    double a = freedom / 2, b = 0.5, x = freedom / (freedom + t * t);
    double log_x = -log1p(t * t / freedom), log_rest = -log1p(freedom / (t * t));
    if (x < (a + 1) / (a + b + 2))
        return (log_beta_ratio(a, b, x, log_x, log_rest) - log(2)) / log(10);
    return log10(0.5 * (1 - exp(log_beta_ratio(b, a, 1 - x, log_rest, log_x))));
}

double cg_t_of_log10_tail(double log10_p, double freedom)
{
    double low = -1e3, high = 1;
    while (cg_t_log10_tail(high, freedom) > log10_p && high < 1e300)
        high *= 2;
    for (int i = 0; i < 200 && high - low > 1e-12 * fabs(high); i++) {
        double middle = low + (high - low) / 2;
        if (cg_t_log10_tail(middle, freedom) > log10_p)
            low = middle;
        else
            high = middle;
    }
    return high;
}

double cg_bonferroni(double log10_p, int64_t tests)
{
    double corrected = log10_p + log10((double)(tests > 0 ? tests : 1));
    return corrected > 0 ? 0 : corrected;
}

double cg_fixed_log10_p(int64_t fixed)
{
    return fixed > 1 ? -lgamma((double)fixed + 1) / log(10) : 0;
}

double cg_agreement_log10_p(int64_t agreeing, int64_t layers)
{
    return fmin(0, (double)agreeing * log10((double)(layers > 1 ? layers : 1)) + cg_fixed_log10_p(agreeing));
}

/* P(K >= k) = e^-r r^k / k! (1 + r/(k+1) + r^2/((k+1)(k+2)) + ...). Below the mean the tail is near 1 and its
 * complement is the sum to take. */
double cg_poisson_log10_tail(int64_t k, double rate)
{
    if (k <= 0)
        return 0;
    if (!(rate > 0))
        return -INFINITY;
    double n = (double)k, term = 1, series = 1;
    if (n > rate) {
        for (double i = n + 1; term > series * DBL_EPSILON; i++)
            series += term *= rate / i;
        return (n * log(rate) - rate - lgamma(n + 1) + log(series)) / log(10);
    }
    for (double i = n - 1; i > 0 && term > series * DBL_EPSILON; i--)
        series += term *= i / rate;
    double below = exp((n - 1) * log(rate) - rate - lgamma(n) + log(series));
    return log1p(-below) / log(10);
}
