#include "assignment.h"
#include "cognate/clones.h"
#include "cognate/mem.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum { LANES = 8 };

struct assignment {
    const float *cost;
    int32_t rows, columns;
    double *price_row, *price_column; /* the dual variables */
    double *shortest;                 /* [columns] to each closed column from the row that is being placed */
    double *ahead, *wall;     /* [columns] the same, INFINITY where it is final; 0, INFINITY where it is */
    int32_t *row_of;          /* [columns] the row that holds it, or -1 */
    int64_t *from;            /* [columns] the row before it on the path */
    int32_t *closed, nclosed; /* [columns] those whose shortest path is final, in that order */
};

static int assignment_init(struct assignment *a, struct cg_err *err)
{
    size_t rows = (size_t)a->rows, columns = (size_t)a->columns;
    if (!(a->price_row = cg_new(rows, sizeof(double), err)) ||
        !(a->price_column = cg_new(columns, sizeof(double), err)) ||
        !(a->shortest = cg_new(columns, sizeof(double), err)) ||
        !(a->row_of = cg_new(columns, sizeof(int32_t), err)) ||
        !(a->from = cg_new(columns, sizeof(int64_t), err)) ||
        !(a->ahead = cg_new(columns, sizeof(double), err)) ||
        !(a->wall = cg_new(columns, sizeof(double), err)) ||
        !(a->closed = cg_new(columns, sizeof(int32_t), err)))
        return -1;
    for (int32_t j = 0; j < a->columns; j++)
        a->row_of[j] = -1;
    return 0;
}

static void assignment_release(struct assignment *a)
{
    free(a->price_row);
    free(a->price_column);
    free(a->shortest);
    free(a->row_of);
    free(a->from);
    free(a->ahead);
    free(a->wall);
    free(a->closed);
}

/* Extends all paths by row i, `reduced` less its costs away; the length of the shortest that is not final. In
 * lanes, so that it vectorises. */
CG_CLONES static double extend(const float *restrict cost, const double *restrict price,
                               const double *restrict wall, double reduced, int64_t i, int32_t n,
                               double *restrict ahead, int64_t *restrict from)
{
    double lane[LANES], nearest = INFINITY;
    for (int k = 0; k < LANES; k++)
        lane[k] = INFINITY;
    for (int32_t j = 0; j < n; j++) {
        double through = reduced + (double)cost[j] - price[j] + wall[j];
        int64_t nearer = -(int64_t)(through < ahead[j]);
        ahead[j] = through < ahead[j] ? through : ahead[j];
        from[j] += (i - from[j]) & nearer;
    }
    int32_t whole = n - n % LANES;
    for (int32_t j = 0; j < whole; j += LANES)
        for (int k = 0; k < LANES; k++)
            lane[k] = ahead[j + k] < lane[k] ? ahead[j + k] : lane[k];
    for (int32_t j = whole; j < n; j++)
        nearest = ahead[j] < nearest ? ahead[j] : nearest;
    for (int k = 0; k < LANES; k++)
        nearest = lane[k] < nearest ? lane[k] : nearest;
    return nearest;
}

/* Extends all paths by row i, which lies `length` away, and closes the nearest column; its index. Of equally
 * near ones a column that no row holds ends the search. */
static int32_t close_nearest(struct assignment *a, int32_t i, double length)
{
    int32_t column = -1;
    double nearest = extend(a->cost + (int64_t)i * a->columns, a->price_column, a->wall,
                            length - a->price_row[i], i, a->columns, a->ahead, a->from);
    for (int32_t j = a->columns - 1; j >= 0 && (column < 0 || a->row_of[column] >= 0); j--)
        if (a->ahead[j] == nearest && (column < 0 || a->row_of[j] < 0))
            column = j;
    a->shortest[column] = nearest;
    a->ahead[column] = a->wall[column] = INFINITY;
    a->closed[a->nclosed++] = column;
    return column;
}

/* The prices that keep every reduced cost at or above 0 once the path is taken. */
static void update_prices(struct assignment *a, int32_t start, double length)
{
    a->price_row[start] += length;
    for (int32_t k = 0; k + 1 < a->nclosed; k++) { /* the last one is free and its path is as long */
        int32_t j = a->closed[k];
        a->price_row[a->row_of[j]] += length - a->shortest[j];
        a->price_column[j] -= length - a->shortest[j];
    }
}

/* Gives row `start` a column: rows along the shortest path to a free one move on by one. */
static void place(struct assignment *a, int32_t start, int32_t *column_of)
{
    a->nclosed = 0;
    for (int32_t j = 0; j < a->columns; j++) {
        a->ahead[j] = INFINITY;
        a->wall[j] = 0;
    }
    int32_t column = close_nearest(a, start, 0);
    while (a->row_of[column] >= 0)
        column = close_nearest(a, a->row_of[column], a->shortest[column]);
    update_prices(a, start, a->shortest[column]);
    for (int32_t i = -1; i != start;) {
        i = (int32_t)a->from[column];
        a->row_of[column] = i;
        int32_t next = column_of[i];
        column_of[i] = column;
        column = next;
    }
}

int cg_assign(const float *cost, int32_t rows, int32_t columns, int32_t *column_of, struct cg_err *err)
{
    assert(rows <= columns);
    struct assignment a = {.cost = cost, .rows = rows, .columns = columns};
    int result = assignment_init(&a, err);
    for (int32_t i = 0; i < rows; i++)
        column_of[i] = -1;
    for (int32_t i = 0; result == 0 && i < rows; i++)
        place(&a, i, column_of);
    assignment_release(&a);
    return result;
}
