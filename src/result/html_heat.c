#include "html_parts.h"
#include <inttypes.h>
#include <math.h>

enum { LEFT = 34, TOP = 4, BOTTOM = 32, WIDTH = 360, TALLEST = 330, LARGEST_CELL = 26, NUMBERED_CELL = 15 };

int cg_heat_level(double value)
{
    if (isnan(value))
        return -1;
    int level = (int)(fmin(fmax(value, 0), 1) * CG_HEAT_LEVELS);
    return level < CG_HEAT_LEVELS ? level : CG_HEAT_LEVELS - 1;
}

static int level_at(const struct cg_heat *heat, int64_t row, int64_t col)
{
    return cg_heat_level(heat->values[row * heat->cols + col]);
}

/* One path a colour; equal neighbours in a row are one stroke. A map of strangers is short, then. */
static void put_level(FILE *out, const struct cg_heat *heat, int level)
{
    bool open = false;
    for (int64_t row = 0; row < heat->rows; row++)
        for (int64_t col = 0, end; col < heat->cols; col = end) {
            for (end = col + 1; end < heat->cols && level_at(heat, row, end) == level_at(heat, row, col);)
                end++;
            if (level_at(heat, row, col) != level)
                continue;
            if (!open)
                fprintf(out, "<path class=\"h%d\" d=\"", level);
            open = true;
            fprintf(out, "M%" PRId64 " %" PRId64 "h%" PRId64, col, row, end - col);
        }
    fputs(open ? "\"/>\n" : "", out);
}

/* Dots with a rim, to be seen on any colour. */
static void put_dots(FILE *out, const struct cg_heat *heat)
{
    static const char *const parts[] = {"rim", "core"};
    for (int i = 0; heat->marked && i < 2; i++) {
        fprintf(out, "<path class=\"dots %s\" d=\"", parts[i]);
        for (int64_t col = 0; col < heat->cols; col++)
            if (heat->marked[col] >= 0 && heat->marked[col] < heat->rows)
                fprintf(out, "M%" PRId64 ".5 %" PRId64 "h0", col, heat->marked[col]);
        fputs("\"/>\n", out);
    }
}

/* Text on a colour: the ramps for light and dark differ in where black gives way to white. */
static const char *ink(int level)
{
    return level < CG_HEAT_LEVELS / 2 ? "lo" : level < 13 ? "me" : "hi";
}

static void put_numbers(FILE *out, const struct cg_heat *heat, double wide, double high)
{
    for (int64_t row = 0; row < heat->rows; row++)
        for (int64_t col = 0; col < heat->cols; col++) {
            int level = level_at(heat, row, col);
            if (level < 0)
                continue;
            fprintf(out, "<text class=\"mid %s\" x=\"%.1f\" y=\"%.1f\">", ink(level),
                    LEFT + ((double)col + 0.5) * wide, TOP + ((double)row + 0.5) * high + 4);
            cg_html_text(out, heat->label(heat->context, row, col).text);
            fputs("</text>", out);
        }
    fputc('\n', out);
}

/* Cells are counted from 0, as layers and experts are; the label stands at a cell's middle. */
static void put_axes(FILE *out, const struct cg_heat *heat, double wide, double high)
{
    double bottom = TOP + (double)heat->rows * high;
    double step = cg_scale_step((double)heat->cols, 1, wide < 16 ? 10 : 16);
    for (double i = 0; i < (double)heat->cols; i += step)
        fprintf(out, "<text class=\"mid\" x=\"%.1f\" y=\"%.1f\">%.0f</text>", LEFT + (i + 0.5) * wide,
                bottom + 13, i);
    step = cg_scale_step((double)heat->rows, 1, high < 14 ? 10 : 16);
    for (double i = 0; i < (double)heat->rows; i += step)
        fprintf(out, "<text class=\"end\" x=\"%d\" y=\"%.1f\">%.0f</text>", LEFT - 5,
                TOP + (i + 0.5) * high + 4, i);
    fprintf(out, "\n<text class=\"name\" x=\"%d\" y=\"%.1f\">", LEFT, bottom + 28);
    cg_html(out, "$</text>\n", heat->col_name);
    fprintf(out, "<text class=\"name mid\" transform=\"translate(9 %.1f)rotate(-90)\">",
            TOP + (double)heat->rows * high / 2);
    cg_html(out, "$</text>\n", heat->row_name);
}

void cg_html_heat(FILE *out, const struct cg_heat *heat)
{
    double wide = fmin(LARGEST_CELL, (double)(WIDTH - LEFT - 2) / (double)heat->cols);
    double high = fmin(fmax(wide, 3), (double)TALLEST / (double)heat->rows);
    if (heat->cols <= heat->rows)
        wide = fmin(wide, high);
    fprintf(out, "<svg viewBox=\"0 0 %d %.1f\" role=\"img\">", WIDTH,
            TOP + (double)heat->rows * high + BOTTOM);
    cg_html(out, "<title>$</title>\n", heat->title);
    fprintf(out, "<rect class=\"frame\" x=\"%d\" y=\"%d\" width=\"%.2f\" height=\"%.2f\"/>\n", LEFT, TOP,
            (double)heat->cols * wide, (double)heat->rows * high);
    fprintf(out, "<g class=\"cells\" transform=\"translate(%d %.3f)scale(%.4f %.4f)\">\n", LEFT,
            TOP + high / 2, wide, high);
    for (int level = 0; level < CG_HEAT_LEVELS; level++)
        put_level(out, heat, level);
    fputs("</g>\n", out);
    if (heat->marked) {
        fprintf(out, "<g transform=\"translate(%d %.3f)scale(%.4f %.4f)\">\n", LEFT, TOP + high / 2, wide,
                high);
        put_dots(out, heat);
        fputs("</g>\n", out);
    }
    if (heat->label && wide >= NUMBERED_CELL && high >= NUMBERED_CELL)
        put_numbers(out, heat, wide, high);
    put_axes(out, heat, wide, high);
    fputs("</svg>\n", out);
}

void cg_html_heat_legend(FILE *out)
{
    fprintf(
        out,
        "<ul class=\"key\"><li>0&#160;<svg class=\"ramp\" viewBox=\"0 0 %d 2\" preserveAspectRatio=\"none\">"
        "<g class=\"cells\" transform=\"translate(0 1)scale(1 2)\">",
        CG_HEAT_LEVELS);
    for (int level = 0; level < CG_HEAT_LEVELS; level++)
        fprintf(out, "<path class=\"h%d\" d=\"M%d 0h1\"/>", level, level);
    fputs("</g></svg>&#160;1</li></ul>\n", out);
}
