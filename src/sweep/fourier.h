/* The discrete Fourier transform of four complex lines side by side:
 *     out[f] = sum over k of in[k] e^(-2 pi i f k / n),  f, k = 0 .. n - 1
 * by passes of Stockham's kind, one a factor of n. A place of a line holds the real parts of all four, then
 * the imaginary ones. No line's bits depend on the others'. All functions local and pure. Ours, for FFTW is
 * under the GPL, and its plans choose the bits.
 */
#ifndef COGNATE_SWEEP_FOURIER_H
#define COGNATE_SWEEP_FOURIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CG_FOURIER_LINES = 4, CG_FOURIER_PLACE = 2 * CG_FOURIER_LINES, CG_FOURIER_LONGEST = 1 << 15 };

/* Whether n is a product of small primes and not too long: 1 <= n <= CG_FOURIER_LONGEST. */
bool cg_fourier_fits(int64_t n);

/* roots[2 k] and roots[2 k + 1] are the cosine and the sine of 2 pi k / n, k = 0 .. n - 1, right to a few
 * units in the last place and the same on every machine of a kind. */
void cg_fourier_roots(int64_t n, double *roots);

/* x[n * CG_FOURIER_PLACE] is the input, other as long; the output is in one of them, which is returned. n
 * fits. */
double *cg_fourier(int64_t n, const double *roots, double *x, double *other);

#endif
