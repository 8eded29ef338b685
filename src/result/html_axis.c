#include "html_parts.h"
#include <math.h>

enum { MOST_TICKS = 32 };

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

/* The k-th tick, NaN when it lies beyond the axis. Ticks are multiples of the step, so that they do not
 * drift, and no more than MOST_TICKS, whatever a file says. */
static double tick_at(const struct cg_scale *scale, double step, int k)
{
    double value = (ceil(scale->from / step - 1e-9) + k) * step;
    return k < MOST_TICKS && value <= scale->to + 1e-9 * step ? value : NAN;
}

static void put_label(FILE *out, double value, int decimals)
{
    fprintf(out, "%.*f</text>", decimals, fabs(value) < 1e-12 ? 0.0 : value);
}

void cg_html_axis_x(FILE *out, const struct cg_scale *scale, double y, double step, int decimals)
{
    for (int k = 0; !isnan(tick_at(scale, step, k)); k++) {
        double value = tick_at(scale, step, k);
        double x = cg_scale_place(scale, value);
        fprintf(out, "<path class=\"axis\" d=\"M%.1f %.1fv3\"/><text class=\"mid\" x=\"%.1f\" y=\"%.1f\">", x,
                y, x, y + 14);
        put_label(out, value, decimals);
    }
    fputc('\n', out);
}

void cg_html_axis_y(FILE *out, const struct cg_scale *scale, double x, double right, double step,
                    int decimals)
{
    for (int k = 0; !isnan(tick_at(scale, step, k)); k++) {
        double value = tick_at(scale, step, k);
        double y = cg_scale_place(scale, value);
        fprintf(out, "<path class=\"%s\" d=\"M%.1f %.1fH%.1f\"/><text class=\"end\" x=\"%.1f\" y=\"%.1f\">",
                value == 0 ? "axis" : "rule", x, y, right, x - 5, y + 3.5);
        put_label(out, value, decimals);
    }
    fputc('\n', out);
}
