/* Slots of b that hold the very bytes of other slots of a. */
#include "html_parts.h"

enum { ROWS_SHOWN = 1024 };

void cg_html_identities(FILE *out, const struct cg_result *result, int64_t pair)
{
    int64_t moved = result->root.moved_tensors[pair], shown = 0;
    if (moved <= 0)
        return;
    cg_html(
        out,
        "<section><h4>The same bytes elsewhere</h4>\n<p class=\"note\">$ of b's slots hold the very bytes "
        "of other slots of a.</p>\n<details class=\"numbers\"><summary>Slot by slot</summary><div "
        "class=\"scroll\"><table class=\"identities\">\n<thead><tr><th>slot of b</th><th>slot of a</th>"
        "</tr></thead><tbody>\n",
        cg_show_count(moved).text);
    for (int64_t i = 0; i < result->size[CG_DIM_IDENTITY] && shown < ROWS_SHOWN; i++)
        if (result->identities.pair[i] == pair) {
            cg_html(out, "<tr><td>$</td><td>$</td></tr>\n",
                    cg_slot_name(result, result->identities.tensor_b[i]),
                    cg_slot_name(result, result->identities.tensor_a[i]));
            shown++;
        }
    fputs("</tbody></table></div>", out);
    if (shown < moved)
        cg_html(out, "<p class=\"note\">The first $ of $.</p>", cg_show_count(shown).text,
                cg_show_count(moved).text);
    fputs("</details></section>\n", out);
}
