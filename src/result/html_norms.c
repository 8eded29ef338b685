/* The norm weights' three cosines, side by side: the first is what wrong accusations have rested on. */
#include "html_parts.h"
#include <math.h>

enum { LEFT = 64, RIGHT = 352, BASE = 96, ROW = 30 };

/* A tick a slot, and a longer one at the mean. */
static void put_rug(FILE *out, const struct cg_result *result, int64_t pair, const double *column,
                    const struct cg_range *range, const struct cg_scale *x, const char *name, int row)
{
    int64_t pairs = result->size[CG_DIM_PAIR];
    int y = 4 + ROW * row;
    fprintf(out, "<text class=\"name end\" x=\"%d\" y=\"%d\">%s</text><path class=\"rug %s\" d=\"", LEFT - 10,
            y + 17, name, row == 0 ? "plainrug" : "ownrug");
    for (int64_t s = 0; s < result->size[CG_DIM_TENSOR]; s++) {
        double value = column[s * pairs + pair];
        if (cg_is_norm(result->tensors.role[s]) && !isnan(value))
            fprintf(out, "M%.1f %dv14", cg_scale_place(x, value), y + 6);
    }
    fputs("\"/>", out);
    if (range->n > 0)
        fprintf(out, "<path class=\"mean\" d=\"M%.1f %dv22\"/>\n", cg_scale_place(x, range->mean), y + 2);
}

static void put_picture(FILE *out, const struct cg_result *result, int64_t pair, const struct cg_norms *norms)
{
    double low = fmin(0, fmin(norms->plain.least, fmin(norms->centred.least, norms->panel.least)));
    struct cg_scale x = {low < -0.005 ? floor(5 * fmax(low, -1)) / 5 : 0, 1, LEFT, RIGHT - LEFT};
    fprintf(out,
            "<figure><svg viewBox=\"0 0 360 %d\" role=\"img\"><title>Cosines of the norm slots</title>\n"
            "<path class=\"axis\" d=\"M%d %dH%d\"/>",
            BASE + 18, LEFT, BASE, RIGHT);
    fprintf(out, "<path class=\"rule\" d=\"M%.1f 4V%d\"/>", cg_scale_place(&x, 0), BASE);
    cg_html_axis_x(out, &x, BASE, 0.2, 1);
    put_rug(out, result, pair, result->tensors.cosine, &norms->plain, &x, "plain", 0);
    put_rug(out, result, pair, result->tensors.centred_cosine, &norms->centred, &x, "centred", 1);
    put_rug(out, result, pair, result->tensors.panel_cosine, &norms->panel, &x, "panel", 2);
    fputs("</svg><figcaption>A tick is a norm slot, the long one their mean.</figcaption></figure>\n", out);
}

static void put_row(FILE *out, const char *name, const struct cg_range *range,
                    struct cg_number (*show)(double))
{
    cg_html(out, "<tr><th scope=\"row\">$</th><td>$</td><td>$</td><td>$</td><td>$</td></tr>\n", name,
            cg_show_count(range->n).text, show(range->mean).text, show(range->least).text,
            show(range->most).text);
}

int cg_html_norms(FILE *out, const struct cg_result *result, int64_t pair, struct cg_err *err)
{
    struct cg_norms norms;
    if (cg_norms_of(&norms, result, pair, err) < 0)
        return -1;
    if (norms.plain.n == 0)
        return 0;
    fputs("<section><h4>Norm weights</h4>\n", out);
    put_picture(out, result, pair, &norms);
    fputs("<div class=\"scroll\"><table class=\"norms\"><thead><tr><th></th><th>slots</th><th>mean</th>"
          "<th>least</th><th>most</th></tr></thead><tbody>\n",
          out);
    put_row(out, "plain cosine", &norms.plain, cg_show_cosine);
    put_row(out, "centred cosine", &norms.centred, cg_show_cosine);
    put_row(out, "panel cosine", &norms.panel, cg_show_cosine);
    put_row(out, "t, against shifts", &norms.t, cg_show_t);
    fputs("</tbody></table></div></section>\n", out);
    return 0;
}
