#include "pack.h"
#include "cognate/clones.h"
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

enum { MOST = INT16_MAX };

void cg_row_pack(int16_t *out, float *scale, const float *row, int64_t n)
{
    float most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(row[i]));
    *scale = most / MOST;
    for (int64_t i = 0; i < n; i++)
        out[i] = (int16_t)(*scale > 0 ? lrint((double)row[i] / (double)most * MOST) : 0);
}

CG_CLONES void cg_row_unpack(float *restrict out, const int16_t *restrict row, float scale, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = (float)row[i] * scale;
}

CG_CLONES void cg_row_widen(double *restrict out, const int16_t *restrict row, float scale, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = (double)row[i] * (double)scale;
}

void cg_row_pick(float *out, const int16_t *row, float scale, const int64_t *columns, int64_t n)
{
    bool first = !columns || n == 0 || columns[n - 1] == n - 1;
    if (first)
        cg_row_unpack(out, row, scale, n);
    for (int64_t i = 0; !first && i < n; i++)
        out[i] = (float)row[columns[i]] * scale;
}
