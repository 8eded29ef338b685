#include "panel.h"
#include "kernels.h"
#include <math.h>
#include <string.h>

struct cg_panel_shape cg_panel_shape_within(enum cg_role role, int64_t rows, int64_t columns,
                                            int64_t elements)
{
    enum cg_residual axis = cg_role_residual(role);
    struct cg_panel_shape shape = {.by_rows = axis == CG_RESIDUAL_ROWS, .columns = columns};
    shape.residual = shape.by_rows ? rows : columns;
    shape.all = shape.by_rows ? columns : rows;
    if (axis == CG_RESIDUAL_NONE || shape.residual - 1 < CG_SHIFTS || shape.residual > CG_PANEL_ELEMENTS)
        shape.residual = 0;
    if (shape.residual > 0)
        shape.lines = elements > shape.residual ? elements / shape.residual : 1;
    if (shape.lines > shape.all)
        shape.lines = shape.all;
    if (shape.lines == 0)
        shape.residual = 0;
    return shape;
}

struct cg_panel_shape cg_panel_shape_of(enum cg_role role, int64_t rows, int64_t columns)
{
    return cg_panel_shape_within(role, rows, columns, CG_PANEL_ELEMENTS);
}

/* Line i of the panel is line i * all / lines of the matrix. */
static int64_t line_taken(const struct cg_panel_shape *shape, int64_t i)
{
    return i * shape->all / shape->lines;
}

/* The first line of the panel whose line of the matrix is `line` or later. */
static int64_t first_from(const struct cg_panel_shape *shape, int64_t line)
{
    return (line * shape->lines + shape->all - 1) / shape->all;
}

/* A run of values, from number `from` on, within row `row`, from column `column` on: the residual axis is the
 * columns, the line is the row. */
static void take_run(const struct cg_panel_shape *shape, float *panel, int64_t row, int64_t column,
                     struct cg_values values, int64_t from, int64_t n)
{
    int64_t line = first_from(shape, row);
    if (line >= shape->lines || line_taken(shape, line) != row)
        return;
    float *to = panel + line * shape->residual + column;
    for (int64_t i = 0; i < n; i++)
        to[i] = (float)cg_value(values, (size_t)(from + i));
}

/* The same where the residual axis is the rows: of this row, the columns that are lines of the panel. */
static void take_across(const struct cg_panel_shape *shape, float *panel, int64_t row, int64_t column,
                        struct cg_values values, int64_t from, int64_t n)
{
    for (int64_t line = first_from(shape, column); line < shape->lines; line++) {
        int64_t at = line_taken(shape, line) - column;
        if (at >= n)
            return;
        panel[line * shape->residual + row] = (float)cg_value(values, (size_t)(from + at));
    }
}

void cg_panel_take(const struct cg_panel_shape *shape, float *panel, int64_t first, struct cg_values values,
                   size_t n)
{
    int64_t row = first / shape->columns, column = first % shape->columns, left = (int64_t)n, at = 0;
    while (left > 0) {
        int64_t run = shape->columns - column < left ? shape->columns - column : left;
        if (shape->by_rows)
            take_across(shape, panel, row, column, values, at, run);
        else
            take_run(shape, panel, row, column, values, at, run);
        at += run;
        left -= run;
        row++;
        column = 0;
    }
}

static void widen(double *out, const float *in, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = in[i];
}

struct cg_panel cg_panel_of(const struct cg_panel_shape *shape, const float *values, double *line)
{
    double n = (double)(shape->lines * shape->residual), sum = 0, squares = 0;
    struct cg_block_moments moments;
    for (int64_t i = 0; i < shape->lines; i++) {
        cg_single_moments(values + i * shape->residual, (size_t)shape->residual, &moments);
        sum += moments.sum;
    }
    double mean = sum / n;
    for (int64_t i = 0; i < shape->lines; i++) {
        widen(line, values + i * shape->residual, shape->residual);
        for (int64_t k = 0; k < shape->residual; k++)
            line[k] -= mean;
        squares += cg_block_product(line, line, (size_t)shape->residual);
    }
    return (struct cg_panel){values, mean, squares};
}

/* products[k] of the centred panels: k = 0 unshifted, k > 0 with b rolled by the k-th shift. scratch: a's
 * line, then b's line twice, so that a rolled line is a window of it. */
static void shifted_products(const struct cg_panel_shape *shape, const struct cg_panel *a,
                             const struct cg_panel *b, double *scratch, double products[CG_SHIFTS + 1])
{
    int64_t n = shape->residual;
    double *line_a = scratch, *line_b = scratch + n;
    memset(products, 0, (CG_SHIFTS + 1) * sizeof *products);
    for (int64_t i = 0; i < shape->lines; i++) {
        for (int64_t k = 0; k < n; k++) {
            line_a[k] = a->values[i * n + k] - a->mean;
            line_b[k] = line_b[n + k] = b->values[i * n + k] - b->mean;
        }
        products[0] += cg_block_product(line_a, line_b, (size_t)n);
        for (int64_t k = 0; k < CG_SHIFTS; k++) {
            int64_t shift = 1 + k * (n - 1) / CG_SHIFTS;
            products[k + 1] += cg_block_product(line_a, line_b + n - shift, (size_t)n);
        }
    }
}

double cg_shift_t(double cosine, double mean, double sd)
{
    return sd > 0 ? (cosine - mean) / (sd * sqrt(1 + 1.0 / CG_SHIFTS)) : NAN;
}

struct cg_shift_null cg_panel_compare(const struct cg_panel_shape *shape, const struct cg_panel *a,
                                      const struct cg_panel *b, double *scratch)
{
    double scale = sqrt(a->squares) * sqrt(b->squares);
    if (!(scale > 0))
        return (struct cg_shift_null){NAN, NAN, NAN, NAN};
    double products[CG_SHIFTS + 1], sum = 0, squares = 0;
    shifted_products(shape, a, b, scratch, products);
    for (int k = 1; k <= CG_SHIFTS; k++)
        sum += products[k] / scale;
    struct cg_shift_null null = {.cosine = products[0] / scale, .mean = sum / CG_SHIFTS};
    for (int k = 1; k <= CG_SHIFTS; k++)
        squares += (products[k] / scale - null.mean) * (products[k] / scale - null.mean);
    null.sd = sqrt(squares / (CG_SHIFTS - 1));
    null.t = cg_shift_t(null.cosine, null.mean, null.sd);
    return null;
}
