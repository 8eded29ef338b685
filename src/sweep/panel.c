#include "panel.h"
#include "correlate.h"
#include "fourier.h"
#include "kernels.h"
#include "products.h"
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
    if (values.single)
        memcpy(to, values.single + from, (size_t)n * sizeof *to);
    else
        for (int64_t i = 0; i < n; i++)
            to[i] = (float)values.wide[from + i];
}

/* The same where the residual axis is the rows: of this row, the columns that are lines of the panel. From
 * one to the next as line_taken has them, without its division. */
static void take_across(const struct cg_panel_shape *shape, float *panel, int64_t row, int64_t column,
                        struct cg_values values, int64_t from, int64_t n)
{
    int64_t line = first_from(shape, column), at = line_taken(shape, line) - column,
            rest = line * shape->all % shape->lines;
    for (; line < shape->lines && at < n; line++) {
        panel[line * shape->residual + row] = (float)cg_value(values, (size_t)(from + at));
        at += shape->all / shape->lines;
        rest += shape->all % shape->lines;
        if (rest >= shape->lines) {
            rest -= shape->lines;
            at++;
        }
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

struct cg_panel cg_panel_of(const struct cg_panel_shape *shape, const float *values)
{
    int64_t n = shape->lines * shape->residual;
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i += CG_BLOCK) {
        struct cg_block_moments moments;
        cg_single_moments(values + i, (size_t)(n - i < CG_BLOCK ? n - i : CG_BLOCK), &moments);
        sum += moments.sum;
    }
    double mean = sum / (double)n;
    for (int64_t i = 0; i < n; i += CG_BLOCK)
        squares += cg_single_spread(values + i, mean, (size_t)(n - i < CG_BLOCK ? n - i : CG_BLOCK));
    return (struct cg_panel){values, mean, squares};
}

/* The same as cg_correlate of two panels, shift by shift. scratch: a's line, then b's line twice, so that a
 * rolled line is a window of it. */
static void roll_by_hand(const struct cg_panel_shape *shape, const struct cg_panel *a,
                         const struct cg_panel *b, const int64_t *shift, double *scratch, double *products)
{
    int64_t n = shape->residual;
    double *line_a = scratch, *line_b = scratch + n;
    memset(products, 0, CG_ROLLS * sizeof *products);
    for (int64_t i = 0; i < shape->lines; i++) {
        for (int64_t k = 0; k < n; k++) {
            line_a[k] = a->values[i * n + k] - a->mean;
            line_b[k] = line_b[n + k] = b->values[i * n + k] - b->mean;
        }
        for (int64_t k = 0; k < CG_ROLLS; k++)
            products[k] += cg_block_product(line_a, line_b + (n - shift[k]) % n, (size_t)n);
    }
}

double cg_shift_t(double cosine, double mean, double sd)
{
    return sd > 0 ? (cosine - mean) / (sd * sqrt(1 + 1.0 / CG_SHIFTS)) : NAN;
}

static struct cg_shift_null null_of(const double *products, double scale)
{
    if (!(scale > 0))
        return (struct cg_shift_null){NAN, NAN, NAN, NAN};
    double sum = 0, squares = 0;
    for (int k = 1; k <= CG_SHIFTS; k++)
        sum += products[k] / scale;
    struct cg_shift_null null = {.cosine = products[0] / scale, .mean = sum / CG_SHIFTS};
    for (int k = 1; k <= CG_SHIFTS; k++)
        squares += (products[k] / scale - null.mean) * (products[k] / scale - null.mean);
    null.sd = sqrt(squares / (CG_SHIFTS - 1));
    null.t = cg_shift_t(null.cosine, null.mean, null.sd);
    return null;
}

int64_t cg_panels_scratch(const struct cg_panel_shape *shape, struct cg_meeting meeting)
{
    int64_t products = cg_meetings(meeting) * CG_ROLLS, by_hand = 3 * shape->residual,
            at_once = cg_fourier_fits(shape->residual) ? cg_correlate_scratch(shape, meeting) : 0;
    return products + (at_once > by_hand ? at_once : by_hand);
}

void cg_panels_compare(const struct cg_panel_shape *shape, const struct cg_panel *panels,
                       struct cg_meeting meeting, double *scratch, struct cg_shift_null *out)
{
    int64_t shift[CG_ROLLS] = {0};
    double *products = scratch, *left = scratch + cg_meetings(meeting) * CG_ROLLS;
    bool at_once = cg_fourier_fits(shape->residual);
    for (int64_t k = 0; k < CG_SHIFTS; k++)
        shift[k + 1] = 1 + k * (shape->residual - 1) / CG_SHIFTS;
    if (at_once)
        cg_correlate(shape, panels, meeting, shift, left, products);
    for (int32_t j = meeting.first; j < meeting.members; j++)
        for (int32_t i = 0; i < (meeting.first > 0 ? meeting.first : j); i++) {
            int64_t at = cg_meeting_index(meeting, i, j);
            double scale = sqrt(panels[i].squares) * sqrt(panels[j].squares);
            if (!at_once)
                roll_by_hand(shape, &panels[i], &panels[j], shift, left, products + at * CG_ROLLS);
            out[at] = null_of(products + at * CG_ROLLS, scale);
        }
}
