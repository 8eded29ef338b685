#include "update.h"
#include "cognate/evidence.h"
#include "cognate/mem.h"
#include "matching.h"
#include "sweep/mix.h"
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SLOTS = 8, MOST_LINES = 1024, LEAST_LINES = 32, MOST_RANK = 64 };
static const double CAPTURED = 0.995,
                    ALIKE = 0.3; /* of the sum of squares; cosine of matrices that are held alike */

static double squares_of(const float *values, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)values[i] * (double)values[i];
    return sum;
}

/* Takes the directions basis[n * rows] out of y, twice for rounding's sake, and makes it a unit vector. */
static void orthogonalise(float *y, const float *basis, int32_t n, int64_t rows)
{
    for (int pass = 0; pass < 2; pass++)
        for (int32_t k = 0; k < n; k++) {
            const float *direction = basis + k * rows;
            float along = cblas_sdot((int)rows, direction, 1, y, 1);
            cblas_saxpy((int)rows, -along, direction, 1, y, 1);
        }
    double length = sqrt(squares_of(y, rows));
    for (int64_t i = 0; i < rows; i++)
        y[i] = length > 0 ? (float)((double)y[i] / length) : 0;
}

int32_t cg_numerical_rank(const float *difference, int64_t rows, int64_t columns, int32_t most, float *room)
{
    double total = squares_of(difference, rows * columns), captured = 0;
    float *basis = room, *random = room + rows * most, *image = random + columns;
    for (int32_t r = 0; r < most; r++) {
        float *y = basis + r * rows;
        for (int64_t c = 0; c < columns; c++) {
            double sum = -2; /* of four uniform numbers, less their mean */
            for (uint64_t k = 0; k < 4; k++)
                sum += (double)(cg_mix(cg_mix((uint64_t)(r * columns + c)) + k) >> 11) * 0x1p-53;
            random[c] = (float)sum;
        }
        cblas_sgemv(CblasRowMajor, CblasNoTrans, (int)rows, (int)columns, 1, difference, (int)columns, random,
                    1, 0, y, 1);
        /* A power of the matrix brings out its strong directions. */
        orthogonalise(y, basis, r, rows);
        cblas_sgemv(CblasRowMajor, CblasTrans, (int)rows, (int)columns, 1, difference, (int)columns, y, 1, 0,
                    random, 1);
        cblas_sgemv(CblasRowMajor, CblasNoTrans, (int)rows, (int)columns, 1, difference, (int)columns, random,
                    1, 0, y, 1);
        orthogonalise(y, basis, r, rows);
        cblas_sgemv(CblasRowMajor, CblasTrans, (int)rows, (int)columns, 1, difference, (int)columns, y, 1, 0,
                    image, 1);
        captured += squares_of(image, columns);
        if (captured >= CAPTURED * total)
            return r + 1;
    }
    return -1;
}

/* Matrices of both that are alike and differ, at most MOST_SLOTS, evenly spread. */
static int list_slots(int64_t out[MOST_SLOTS], struct cg_fetch *fetch, const struct cg_plan *plan,
                      const struct cg_sweep *sweep, const int model[2], struct cg_err *err)
{
    int64_t n = 0, *all = cg_new((size_t)fetch->anatomy->nslots, sizeof *all, err);
    if (!all)
        return -1;
    for (int64_t s = 0; s < fetch->anatomy->nslots; s++) {
        const struct cg_member *member = cg_member_of(fetch->anatomy, s, model[0]);
        struct cg_comparison pair = cg_compare_slot(fetch->anatomy, plan, sweep, s, model[0], model[1]);
        if (pair.matrix && !pair.equal && pair.cosine > ALIKE && member->rows >= LEAST_LINES &&
            member->columns >= LEAST_LINES &&
            cg_role_place(fetch->anatomy->slots[s].role) == CG_PLACE_LAYER &&
            cg_can_fetch(fetch->models, fetch->anatomy, s, model[0]) &&
            cg_can_fetch(fetch->models, fetch->anatomy, s, model[1]))
            all[n++] = s;
    }
    int count = n < MOST_SLOTS ? (int)n : MOST_SLOTS;
    for (int i = 0; i < count; i++)
        out[i] = all[i * n / count];
    free(all);
    return count;
}

struct picked {
    const int64_t *columns;
    int64_t ncolumns;
    float *out;
    double sign;
};

static void add_row(void *context, int64_t k, const double *values, int64_t columns)
{
    struct picked *picked = context;
    (void)columns;
    for (int64_t c = 0; c < picked->ncolumns; c++)
        picked->out[k * picked->ncolumns + c] += (float)(picked->sign * values[picked->columns[c]]);
}

/* The rank of b - a in one slot; 0 with err for failure. */
static int32_t rank_of(struct cg_fetch *fetch, int64_t slot, const int model[2], struct cg_err *err)
{
    const struct cg_member *member = cg_member_of(fetch->anatomy, slot, model[0]);
    int64_t rows = member->rows < MOST_LINES ? member->rows : MOST_LINES,
            columns = member->columns < MOST_LINES ? member->columns : MOST_LINES;
    int64_t least = rows < columns ? rows : columns;
    int32_t most = least / 4 < MOST_RANK ? (int32_t)(least / 4) : MOST_RANK, rank = 0;
    int64_t *lines = cg_new((size_t)(rows + columns), sizeof *lines, err);
    float *difference = cg_new((size_t)(rows * columns), sizeof *difference, err),
          *room = cg_new((size_t)((rows + columns) * (most + 1)), sizeof *room, err);
    struct picked picked = {.columns = lines + rows, .ncolumns = columns, .out = difference, .sign = -1};
    if (lines && difference && room && cg_pick(lines, member->rows, rows, 2, err) == 0 &&
        cg_pick(lines + rows, member->columns, columns, 1, err) == 0 &&
        cg_fetch_each(fetch, slot, model[0], lines, rows, add_row, &picked, err) == 0) {
        picked.sign = 1;
        if (cg_fetch_each(fetch, slot, model[1], lines, rows, add_row, &picked, err) == 0)
            rank = cg_numerical_rank(difference, rows, columns, most, room);
    }
    free(lines);
    free(difference);
    free(room);
    return rank;
}

int cg_update_find(const struct cg_comm *comm, struct cg_fetch *fetch, const struct cg_plan *plan,
                   const struct cg_sweep *sweep, const int model[2], struct cg_kinship *out,
                   struct cg_err *err)
{
    int64_t slots[MOST_SLOTS];
    double ranks[MOST_SLOTS] = {0};
    int n = list_slots(slots, fetch, plan, sweep, model, err), result = n < 0 ? -1 : 0;
    for (int i = comm->rank; result == 0 && i < n; i += comm->size) {
        int32_t rank = rank_of(fetch, slots[i], model, err);
        ranks[i] = rank;
        result = rank == 0 ? -1 : 0;
    }
    if (cg_agree(comm, result, err) < 0)
        return -1;
    cg_sum_doubles(comm, ranks, MOST_SLOTS);
    out->updates = n;
    out->update_rank = n > 0 ? 0 : -1;
    for (int i = 0; i < n && out->update_rank >= 0; i++)
        if (ranks[i] < 0 || ranks[i] > out->update_rank)
            out->update_rank = (int32_t)ranks[i];
    return 0;
}
