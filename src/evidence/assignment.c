#include "assignment.h"
#include "cognate/mem.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>

struct assignment {
    const float *cost;
    int32_t rows, columns;
    double *price_row, *price_column; /* the dual variables */
    double *shortest;                 /* [columns] to each column from the row that is being placed */
    int32_t *row_of, *from; /* [columns] the row that holds it, or -1; the row before it on the path */
    int32_t *open, nopen;   /* columns whose shortest path is not final */
    int32_t *closed;        /* [columns] those where it is, in that order */
    int32_t nclosed;
};

static int assignment_init(struct assignment *a, struct cg_err *err)
{
    size_t rows = (size_t)a->rows, columns = (size_t)a->columns;
    if (!(a->price_row = cg_new(rows, sizeof(double), err)) ||
        !(a->price_column = cg_new(columns, sizeof(double), err)) ||
        !(a->shortest = cg_new(columns, sizeof(double), err)) ||
        !(a->row_of = cg_new(columns, sizeof(int32_t), err)) ||
        !(a->from = cg_new(columns, sizeof(int32_t), err)) ||
        !(a->open = cg_new(columns, sizeof(int32_t), err)) ||
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
    free(a->open);
    free(a->closed);
}

/* Extends all paths by row i, which lies `length` away, and closes the nearest column; its index. Of equally
 * near ones a column that no row holds ends the search. */
static int32_t close_nearest(struct assignment *a, int32_t i, double length)
{
    const float *cost = a->cost + (int64_t)i * a->columns;
    double reduced = length - a->price_row[i], nearest = INFINITY;
    int32_t best = -1;
    for (int32_t k = 0; k < a->nopen; k++) {
        int32_t j = a->open[k];
        double through = reduced + (double)cost[j] - a->price_column[j];
        if (through < a->shortest[j]) {
            a->shortest[j] = through;
            a->from[j] = i;
        }
        if (a->shortest[j] < nearest || (a->shortest[j] == nearest && a->row_of[j] < 0)) {
            nearest = a->shortest[j];
            best = k;
        }
    }
    int32_t column = a->open[best];
    a->open[best] = a->open[--a->nopen];
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
    a->nopen = a->columns;
    a->nclosed = 0;
    for (int32_t j = 0; j < a->columns; j++) {
        a->open[j] = a->columns - 1 - j;
        a->shortest[j] = INFINITY;
    }
    int32_t column = close_nearest(a, start, 0);
    while (a->row_of[column] >= 0)
        column = close_nearest(a, a->row_of[column], a->shortest[column]);
    update_prices(a, start, a->shortest[column]);
    for (int32_t i = -1; i != start;) {
        i = a->from[column];
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
