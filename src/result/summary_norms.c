#include "cognate/mem.h"
#include "cognate/roles.h"
#include "summary_parts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct cg_range cg_range_of(const double *values, int64_t n)
{
    struct cg_range range = {.mean = NAN, .least = NAN, .most = NAN};
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(values[i]))
            continue;
        sum += values[i];
        range.least = fmin(range.least, values[i]);
        range.most = fmax(range.most, values[i]);
        range.mean = sum / (double)++range.n;
    }
    return range;
}

bool cg_is_norm(const char *name)
{
    for (int role = 0; role < CG_ROLE_COUNT; role++)
        if (strcmp(cg_role_name((enum cg_role)role), name) == 0)
            return cg_role_group((enum cg_role)role) == CG_GROUP_NORM;
    return false;
}

/* The range over the norm slots of one column of /tensors. */
static struct cg_range norm_range(const struct cg_result *result, const double *column, int64_t pair,
                                  double *scratch)
{
    int64_t pairs = result->size[CG_DIM_PAIR], n = 0;
    for (int64_t s = 0; s < result->size[CG_DIM_TENSOR]; s++)
        if (cg_is_norm(result->tensors.role[s]))
            scratch[n++] = column[s * pairs + pair];
    return cg_range_of(scratch, n);
}

/* One scratch column serves the three in turn. */
int cg_norms_of(struct cg_norms *out, const struct cg_result *result, int64_t pair, struct cg_err *err)
{
    double *scratch = cg_new((size_t)result->size[CG_DIM_TENSOR], sizeof *scratch, err);
    if (!scratch)
        return -1;
    out->plain = norm_range(result, result->tensors.cosine, pair, scratch);
    out->centred = norm_range(result, result->tensors.centred_cosine, pair, scratch);
    out->panel = norm_range(result, result->tensors.panel_cosine, pair, scratch);
    out->t = norm_range(result, result->tensors.t, pair, scratch);
    free(scratch);
    return 0;
}

static int add_range(struct cg_text_table *table, const char *name, const struct cg_range *range,
                     struct cg_number (*show)(double), struct cg_err *err)
{
    if (cg_text_table_add(table, err, "%s", name) < 0 ||
        cg_text_table_add(table, err, "%s", cg_show_count(range->n).text) < 0 ||
        cg_text_table_add(table, err, "%s", show(range->mean).text) < 0 ||
        cg_text_table_add(table, err, "%s", show(range->least).text) < 0 ||
        cg_text_table_add(table, err, "%s", show(range->most).text) < 0)
        return -1;
    return 0;
}

/* Three cosines side by side: the first one is what wrong accusations have rested on. */
int cg_summary_norms(struct cg_page page, const struct cg_result *result, int64_t pair, struct cg_err *err)
{
    static const char *const heads[] = {"", "slots", "mean", "least", "most"};
    struct cg_text_table table = {.kinds = "lrrrr"};
    struct cg_norms norms;
    int status = -1;
    CG_TRY(cg_norms_of(&norms, result, pair, err));
    if (norms.plain.n > 0) {
        CG_TRY(cg_text_table_heads(&table, heads, err));
        CG_TRY(add_range(&table, "plain cosine", &norms.plain, cg_show_cosine, err));
        CG_TRY(add_range(&table, "centred cosine", &norms.centred, cg_show_cosine, err));
        CG_TRY(add_range(&table, "t, against shifts", &norms.t, cg_show_t, err));
        cg_page_heading(page, "Norm weights");
        cg_text_table_print(&table, page);
        cg_page_caption(
            page, "The plain cosine of norm weights proves nothing: they are nearly all positive, and "
                  "unrelated models reach 0.95 to 0.99. Only what is left after centring and stands out "
                  "against shifts of the residual axis is a likeness; independent models stay near t from "
                  "-3 to 3.");
    }
    status = 0;
done:
    cg_text_table_release(&table);
    return status;
}
