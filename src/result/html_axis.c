#include "html_parts.h"
#include <math.h>

double cg_scale_place(const struct cg_scale *scale, double value)
{
    double range = scale->to - scale->from;
    return scale->start + (range > 0 ? (value - scale->from) / range : 0.5) * scale->extent;
}

double cg_scale_step(double range, double unit, int most)
{
    static const double factor[] = {2, 2.5, 2};
    double step = unit;
    for (int i = 0; range / step > most; i = (i + 1) % 3)
        step *= factor[i];
    return step;
}

/* The first tick at or after the start of the axis; ticks are counted, so that they do not drift. */
static double first_tick(const struct cg_scale *scale, double step)
{
    return ceil(scale->from / step - 1e-9);
}

static void put_label(FILE *out, double value, int decimals)
{
    fprintf(out, "%.*f</text>", decimals, fabs(value) < 1e-12 ? 0.0 : value);
}

void cg_html_axis_x(FILE *out, const struct cg_scale *scale, double y, double step, int decimals)
{
    for (double i = first_tick(scale, step); i * step <= scale->to + 1e-9 * step; i++) {
        double x = cg_scale_place(scale, i * step);
        fprintf(out, "<path class=\"axis\" d=\"M%.1f %.1fv3\"/><text class=\"mid\" x=\"%.1f\" y=\"%.1f\">", x,
                y, x, y + 14);
        put_label(out, i * step, decimals);
    }
    fputc('\n', out);
}

void cg_html_axis_y(FILE *out, const struct cg_scale *scale, double x, double right, double step,
                    int decimals)
{
    for (double i = first_tick(scale, step); i * step <= scale->to + 1e-9 * step; i++) {
        double y = cg_scale_place(scale, i * step);
        fprintf(out, "<path class=\"%s\" d=\"M%.1f %.1fH%.1f\"/><text class=\"end\" x=\"%.1f\" y=\"%.1f\">",
                i == 0 ? "axis" : "rule", x, y, right, x - 5, y + 3.5);
        put_label(out, i * step, decimals);
    }
    fputc('\n', out);
}
