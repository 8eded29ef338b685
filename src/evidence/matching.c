#include "matching.h"
#include "assignment.h"
#include "cognate/clones.h"
#include "cognate/mem.h"
#include "sweep/mix.h"
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LANES = 16 };
static const float TIE = 1e-6f; /* of two cosines */

struct keyed {
    double key;
    int64_t index;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    if (x->key != y->key)
        return x->key > y->key ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static int by_index(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

int cg_pick_largest(int64_t *out, const double *key, int64_t n, int64_t m, struct cg_err *err)
{
    struct keyed *list = cg_new((size_t)n, sizeof *list, err);
    if (!list)
        return -1;
    for (int64_t i = 0; i < n; i++)
        list[i] = (struct keyed){key[i], i};
    qsort(list, (size_t)n, sizeof *list, by_key);
    m = m < n ? m : n;
    for (int64_t i = 0; i < m; i++)
        out[i] = list[i].index;
    qsort(out, (size_t)m, sizeof *out, by_index);
    free(list);
    return 0;
}

int cg_pick(int64_t *out, int64_t n, int64_t m, uint64_t seed, struct cg_err *err)
{
    if (m >= n) {
        for (int64_t i = 0; i < n; i++)
            out[i] = i;
        return 0;
    }
    double *key = cg_new((size_t)n, sizeof *key, err);
    if (!key)
        return -1;
    for (int64_t i = 0; i < n; i++)
        key[i] = (double)(cg_mix(cg_mix(seed ^ (uint64_t)n) + (uint64_t)i) >> 11);
    int result = cg_pick_largest(out, key, n, m, err);
    free(key);
    return result;
}

static double sum_of(const double lane[LANES])
{
    double sum = 0;
    for (int k = 0; k < LANES; k++)
        sum += lane[k];
    return sum;
}

CG_CLONES static void row_to_unit(float *row, int64_t n)
{
    double lane[LANES] = {0}, square[LANES] = {0};
    int64_t whole = n - n % LANES;
    for (int64_t c = 0; c < whole; c += LANES)
        for (int k = 0; k < LANES; k++)
            lane[k] += (double)row[c + k];
    for (int64_t c = whole; c < n; c++)
        lane[c - whole] += (double)row[c];
    double mean = sum_of(lane) / (double)n;
    for (int64_t c = 0; c < whole; c += LANES)
        for (int k = 0; k < LANES; k++)
            square[k] += ((double)row[c + k] - mean) * ((double)row[c + k] - mean);
    for (int64_t c = whole; c < n; c++)
        square[c - whole] += ((double)row[c] - mean) * ((double)row[c] - mean);
    /* What rounding leaves of a constant row is no direction. */
    double squares = sum_of(square),
           scale = squares > 1e-12 * (double)n * mean * mean ? 1 / sqrt(squares) : 0;
    for (int64_t c = 0; c < n; c++)
        row[c] = (float)(((double)row[c] - mean) * scale);
}

void cg_rows_to_units(float *rows, int64_t n, int64_t columns)
{
    for (int64_t i = 0; i < n; i++)
        row_to_unit(rows + i * columns, columns);
}

void cg_take_mean_row(float *rows, int64_t n, int64_t columns)
{
    for (int64_t c = 0; c < columns; c++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += (double)rows[i * columns + c];
        for (int64_t i = 0; i < n; i++)
            rows[i * columns + c] -= (float)(sum / (double)n);
    }
}

CG_CLONES static void row_apart(const float *first, float *row, int64_t n)
{
    double lane[LANES] = {0}, square[LANES] = {0};
    int64_t whole = n - n % LANES;
    for (int64_t c = 0; c < whole; c += LANES)
        for (int k = 0; k < LANES; k++)
            lane[k] += (double)first[c + k] * (double)row[c + k];
    for (int64_t c = whole; c < n; c++)
        lane[c - whole] += (double)first[c] * (double)row[c];
    double product = sum_of(lane);
    for (int64_t c = 0; c < whole; c += LANES)
        for (int k = 0; k < LANES; k++) {
            double rest = (double)row[c + k] - product * (double)first[c + k];
            square[k] += rest * rest;
        }
    for (int64_t c = whole; c < n; c++) {
        double rest = (double)row[c] - product * (double)first[c];
        square[c - whole] += rest * rest;
    }
    double squares = sum_of(square), scale = squares > 1e-6 ? 1 / sqrt(squares) : 0;
    for (int64_t c = 0; c < n; c++)
        row[c] = (float)(((double)row[c] - product * (double)first[c]) * scale);
}

void cg_rows_apart(const float *first, float *second, int64_t n, int64_t columns)
{
    for (int64_t i = 0; i < n; i++)
        row_apart(first + i * columns, second + i * columns, columns);
}

static void cosines(const float *a, int64_t na, const float *b, int64_t nb, int64_t columns, float *out)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)na, (int)nb, (int)columns, 1, a, (int)columns,
                b, (int)columns, 0, out, (int)nb);
}

/* A seeded permutation of 0 .. n - 1 (Fisher and Yates). */
static void shuffle(int32_t *order, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        order[i] = i;
    for (int32_t i = n - 1; i > 0; i--) {
        int32_t j = (int32_t)(cg_mix(UINT64_C(0x5eed) * (uint64_t)n + (uint64_t)i) % (uint64_t)(i + 1));
        int32_t moved = order[i];
        order[i] = order[j];
        order[j] = moved;
    }
}

/* The column of each of na rows in an assignment to nb >= na columns by cosine, and the cosines, na x nb in
 * `cosine`: rows are put in a seeded order and back. room: [na * columns + na * nb]. */
static int assign_shuffled(const float *a, int32_t na, const float *b, int32_t nb, int64_t columns,
                           float *room, int32_t *column_of, struct cg_err *err)
{
    float *cost = room, *shuffled = room + (int64_t)na * nb;
    int32_t *order = cg_new(2 * (size_t)na, sizeof *order, err), *found = order + na;
    if (!order)
        return -1;
    shuffle(order, na);
    for (int32_t i = 0; i < na; i++)
        memcpy(shuffled + i * columns, a + order[i] * columns, (size_t)columns * sizeof *a);
    cosines(shuffled, na, b, nb, columns, cost);
    for (int64_t k = 0; k < (int64_t)na * nb; k++)
        cost[k] = -cost[k];
    int result = cg_assign(cost, na, nb, found, err);
    for (int32_t i = 0; result == 0 && i < na; i++)
        column_of[order[i]] = found[i];
    free(order);
    return result;
}

int cg_fixed_points(const float *a, const float *b, int32_t n, int64_t columns, float *room,
                    struct cg_err *err)
{
    int32_t *column_of = cg_new((size_t)n, sizeof *column_of, err), fixed = 0;
    int result = column_of ? assign_shuffled(a, n, b, n, columns, room, column_of, err) : -1;
    for (int32_t i = 0; result == 0 && i < n; i++)
        fixed += column_of[i] == i;
    free(column_of);
    return result < 0 ? -1 : fixed;
}

/* Whether another cosine of row i or column j is as large as theirs, up to rounding. */
static bool is_tied(const float *cosine, int32_t rows, int32_t columns, int32_t i, int32_t j)
{
    float own = cosine[(int64_t)i * columns + j];
    bool tied = false;
    for (int32_t k = 0; k < columns; k++)
        tied |= k != j && fabsf(cosine[(int64_t)i * columns + k] - own) <= TIE;
    for (int32_t k = 0; k < rows; k++)
        tied |= k != i && fabsf(cosine[(int64_t)k * columns + j] - own) <= TIE;
    return tied;
}

/* The names of the fewer's rows among the more's. */
static int name_fewer(const float *few, int32_t rows, const float *more, int32_t columns, int64_t length,
                      int32_t *name, double *cosine, struct cg_err *err)
{
    size_t cells = (size_t)rows * (size_t)columns;
    float *room = cg_new_aligned(cells + (size_t)rows * (size_t)length, sizeof *room, err);
    int result = room ? assign_shuffled(few, rows, more, columns, length, room, name, err) : -1;
    if (result == 0)
        cosines(few, rows, more, columns, length, room);
    for (int32_t i = 0; result == 0 && i < rows; i++) {
        int32_t j = name[i];
        cosine[i] = (double)room[(int64_t)i * columns + j];
        if (!(cosine[i] > 0) || is_tied(room, rows, columns, i, j))
            name[i] = -1;
    }
    free(room);
    return result;
}

int cg_name_rows(const float *a, int32_t na, const float *b, int32_t nb, int64_t columns, int32_t *name,
                 double *cosine, struct cg_err *err)
{
    if (nb <= na)
        return name_fewer(b, nb, a, na, columns, name, cosine, err);
    int32_t *of = cg_new((size_t)na, sizeof *of, err);
    double *found = of ? cg_new((size_t)na, sizeof *found, err) : NULL;
    int result = found ? name_fewer(a, na, b, nb, columns, of, found, err) : -1;
    for (int32_t j = 0; j < nb; j++)
        name[j] = -1;
    for (int32_t i = 0; result == 0 && i < na; i++)
        if (of[i] >= 0) {
            name[of[i]] = i;
            cosine[of[i]] = found[i];
        }
    free(of);
    free(found);
    return result;
}

void cg_square_to_unit(float *square, int64_t n)
{
    cg_rows_to_units(square, 1, n * n);
}
