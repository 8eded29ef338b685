#include "fourier.h"
#include "cognate/clones.h"
#include <math.h>
#include <string.h>

enum { WIDTH = CG_FOURIER_LINES, MOST_FACTOR = 31 };
typedef double vector __attribute__((vector_size(WIDTH * sizeof(double))));

/* The four lines at one place. */
struct place {
    vector re, im;
};

/* Four, then two, then odd primes; 0 when only a large one is left. */
static int64_t next_factor(int64_t n)
{
    if (n % 4 == 0)
        return 4;
    for (int64_t p = 2; p <= MOST_FACTOR; p++)
        if (n % p == 0)
            return p;
    return 0;
}

bool cg_fourier_fits(int64_t n)
{
    if (n < 1 || n > CG_FOURIER_LONGEST)
        return false;
    for (int64_t p; n > 1; n /= p)
        if ((p = next_factor(n)) == 0)
            return false;
    return true;
}

/* By long doubles, since the loader picks a sine of doubles that fits the machine, and by few of them: the
 * others are products of a coarse root and a fine one. */
void cg_fourier_roots(int64_t n, double *roots)
{
    enum { MOST_FINE = 64 };
    const long double turn = 2 * acosl(-1) / (long double)n;
    double fine[2 * MOST_FINE];
    int64_t steps = 1;
    while (steps < MOST_FINE && steps * steps < n)
        steps *= 2;
    for (int64_t k = 0; k < steps; k++) {
        fine[2 * k] = (double)cosl(turn * (long double)k);
        fine[2 * k + 1] = (double)sinl(turn * (long double)k);
    }
    for (int64_t coarse = 0; coarse < n; coarse += steps) {
        double c = (double)cosl(turn * (long double)coarse), s = (double)sinl(turn * (long double)coarse);
        for (int64_t k = 0; k < steps && coarse + k < n; k++) {
            roots[2 * (coarse + k)] = c * fine[2 * k] - s * fine[2 * k + 1];
            roots[2 * (coarse + k) + 1] = c * fine[2 * k + 1] + s * fine[2 * k];
        }
    }
}

CG_ALWAYS_INLINE struct place plus(const struct place *a, const struct place *b)
{
    return (struct place){a->re + b->re, a->im + b->im};
}

CG_ALWAYS_INLINE struct place minus(const struct place *a, const struct place *b)
{
    return (struct place){a->re - b->re, a->im - b->im};
}

/* Times a root's conjugate. */
CG_ALWAYS_INLINE struct place turned(const struct place *a, const double *root)
{
    return (struct place){a->re * root[0] + a->im * root[1], a->im * root[0] - a->re * root[1]};
}

/* One pass: the n places are `stride` interleaved lines, of which each is cut into `factor` parts. */
struct pass {
    int64_t n, stride, factor;
    const double *roots;
    const struct place *in;
    struct place *out;
};

CG_ALWAYS_INLINE void by_two(const struct pass *pass)
{
    int64_t s = pass->stride, m = pass->n / s / 2;
    for (int64_t p = 0; p < m; p++)
        for (int64_t q = 0; q < s; q++) {
            const struct place *x = pass->in + q + s * p;
            struct place *y = pass->out + q + 2 * s * p, odd = minus(&x[0], &x[s * m]);
            y[0] = plus(&x[0], &x[s * m]);
            y[s] = turned(&odd, pass->roots + 2 * s * p);
        }
}

CG_ALWAYS_INLINE void by_four(const struct pass *pass)
{
    int64_t s = pass->stride, m = pass->n / s / 4;
    for (int64_t p = 0; p < m; p++)
        for (int64_t q = 0; q < s; q++) {
            const struct place *x = pass->in + q + s * p;
            struct place *y = pass->out + q + 4 * s * p;
            struct place a = plus(&x[0], &x[2 * s * m]), b = plus(&x[s * m], &x[3 * s * m]),
                         c = minus(&x[0], &x[2 * s * m]), d = minus(&x[s * m], &x[3 * s * m]),
                         first = {c.re + d.im, c.im - d.re}, second = minus(&a, &b),
                         third = {c.re - d.im, c.im + d.re};
            y[0] = plus(&a, &b);
            y[s] = turned(&first, pass->roots + 2 * s * p);
            y[2 * s] = turned(&second, pass->roots + 4 * s * p);
            y[3 * s] = turned(&third, pass->roots + 6 * s * p);
        }
}

/* By any factor: each of its outputs from all of its inputs. */
CG_ALWAYS_INLINE void by_any(const struct pass *pass)
{
    int64_t r = pass->factor, s = pass->stride, m = pass->n / s / r, part = pass->n / r;
    for (int64_t p = 0; p < m; p++)
        for (int64_t j = 0; j < r; j++)
            for (int64_t q = 0; q < s; q++) {
                const struct place *x = pass->in + q + s * p;
                struct place sum = x[0];
                for (int64_t k = 1; k < r; k++) {
                    struct place term = turned(&x[s * m * k], pass->roots + 2 * (j * k % r * part));
                    sum = plus(&sum, &term);
                }
                pass->out[q + s * (r * p + j)] = turned(&sum, pass->roots + 2 * (p * j * s));
            }
}

CG_CLONES static void run_pass(const struct pass *pass)
{
    if (pass->factor == 4)
        by_four(pass);
    else if (pass->factor == 2)
        by_two(pass);
    else
        by_any(pass);
}

double *cg_fourier(int64_t n, const double *roots, double *x, double *other)
{
    for (int64_t stride = 1; stride < n;) {
        struct pass pass = {
            n, stride, next_factor(n / stride), roots, (const struct place *)x, (struct place *)other};
        run_pass(&pass);
        stride *= pass.factor;
        double *done = other;
        other = x;
        x = done;
    }
    return x;
}
