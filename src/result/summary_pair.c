#include "cognate/text.h"
#include "summary_parts.h"
#include <math.h>

enum { PAIRS_IN_FULL = 12, NAMES_SHOWN = 5 };

/* One row a pair, so that a run of many models starts with its outcome. */
static int print_verdicts(struct cg_page page, const struct cg_result *result, struct cg_err *err)
{
    static const char *const heads[] = {"a", "", "b", "verdict", "relation", "p", "cosine"};
    struct cg_text_table table = {.kinds = "LlLlLrr"};
    int status = -1;
    CG_TRY(cg_text_table_heads(&table, heads, err));
    for (int64_t p = 0; p < result->size[CG_DIM_PAIR]; p++) {
        CG_TRY(cg_text_table_add_model(&table, result, result->root.pair_a[p], err));
        CG_TRY(cg_text_table_add(&table, err, "%s", cg_page_arrow(page.style)));
        CG_TRY(cg_text_table_add_model(&table, result, result->root.pair_b[p], err));
        CG_TRY(cg_text_table_add(&table, err, "%s", result->root.verdict[p]));
        CG_TRY(cg_text_table_add(&table, err, "%s", result->root.relation[p]));
        CG_TRY(cg_text_table_add(&table, err, "%s", cg_show_p(result->root.log10_p[p], page.style).text));
        CG_TRY(cg_text_table_add(&table, err, "%s", cg_show_cosine(result->root.mean_cosine[p]).text));
    }
    bool ranked = result->root.rank[0] >= 0; /* of a search: the nearest first */
    cg_page_heading(page, ranked ? "Verdicts, the nearest first" : "Verdicts");
    cg_text_table_print(&table, page);
    cg_page_caption(page, "p: corrected, of the strongest test; cosine: plain mean, for comparison only.");
    status = 0;
done:
    cg_text_table_release(&table);
    return status;
}

/* A rule, and both labels in full. */
static int print_title(struct cg_page page, const struct cg_result *result, int64_t pair, struct cg_err *err)
{
    struct cg_buf title = {0};
    if (cg_buf_printf(&title, err, "%s %s %s", cg_model_label(result, result->root.pair_a[pair]),
                      cg_page_arrow(page.style), cg_model_label(result, result->root.pair_b[pair])) < 0)
        return -1;
    fputc('\n', page.out);
    cg_page_ink(page, "2");
    for (int i = 0; i < CG_PAGE_COLUMNS; i++)
        fputs(page.style.utf8 ? "\u2500" : "-", page.out);
    cg_page_ink(page, "0");
    cg_page_heading(page, title.data);
    fputc('\n', page.out);
    cg_buf_release(&title);
    return 0;
}

/* The one thing to take home comes first, then why, then how sure. */
static void print_verdict(struct cg_page page, const struct cg_result *result, int64_t pair)
{
    const char *relation = result->root.relation[pair];
    double log10_p = result->root.log10_p[pair], limit = result->root.detection_limit[pair];
    cg_page_ink(page, "1");
    cg_page_field(page, "Verdict", "%s%s%s", result->root.verdict[pair], *relation ? ": " : "", relation);
    cg_page_ink(page, "0");
    cg_page_items(page, 18, cg_page_bullet(page.style), result->root.reasons[pair]);
    if (!isnan(log10_p))
        cg_page_field(page, "p-value", "%s for the strongest test, corrected for all of its kind",
                      cg_show_p(log10_p, page.style).text);
    if (!isnan(limit))
        cg_page_field(page, "Detection limit", "a likeness of cosine %s or more would have been seen",
                      cg_show_cosine(limit).text);
}

/* What a reader of cosines alone would conclude, named as such so that nobody takes it for the verdict. */
static void print_plain_method(struct cg_page page, const struct cg_result *result, int64_t pair)
{
    const char *band = result->root.band[pair];
    cg_page_field(page, "Plain method", "would say: %s", *band ? band : "nothing, no slot compares");
    cg_page_field(page, "", "mean cosine %s, by elements %s, matrices %s",
                  cg_show_cosine(result->root.mean_cosine[pair]).text,
                  cg_show_cosine(result->root.weighted_cosine[pair]).text,
                  cg_show_cosine(result->root.matrix_cosine[pair]).text);
    cg_page_field(page, "", "(for comparison; it carries no weight in the verdict)");
}

/* Slots whose bytes another slot of a holds, the first few by name. */
static void print_moved(struct cg_page page, const struct cg_result *result, int64_t pair)
{
    int64_t moved = result->root.moved_tensors[pair], shown = 0;
    if (moved <= 0)
        return;
    cg_page_field(page, "", "%s hold the very bytes of other slots of a:", cg_show_count(moved).text);
    for (int64_t i = 0; i < result->size[CG_DIM_IDENTITY] && shown < NAMES_SHOWN; i++)
        if (result->identities.pair[i] == pair) {
            cg_page_field(page, "", "%s %s %s of a", cg_slot_name(result, result->identities.tensor_b[i]),
                          cg_page_arrow(page.style), cg_slot_name(result, result->identities.tensor_a[i]));
            shown++;
        }
    if (moved > shown)
        cg_page_field(page, "", "and %s more", cg_show_count(moved - shown).text);
}

static void print_tensors(struct cg_page page, const struct cg_result *result, int64_t pair)
{
    int64_t constant = result->root.constant_tensors[pair];
    char apart[64] = "";
    if (constant > 0)
        snprintf(apart, sizeof apart, ", %s of them constant: no proof", cg_show_count(constant).text);
    cg_page_field(page, "Tensors", "%s of %s compared are identical%s",
                  cg_show_count(result->root.identical_tensors[pair]).text,
                  cg_show_count(result->root.compared_tensors[pair]).text, apart);
    print_moved(page, result, pair);
    cg_page_field(page, "", "%s of b's parameters stand where a has the same shape",
                  cg_show_share(result->root.comparable_fraction[pair]).text);
    if (!result->root.same_architecture[pair])
        cg_page_field(page, "", "the architectures differ or are not fully known");
}

int64_t cg_nonfinite_slots(const struct cg_result *result, int64_t model, int64_t *elements)
{
    int64_t models = result->size[CG_DIM_MODEL], slots = 0;
    *elements = 0;
    if (model < 0 || model >= models)
        return 0;
    for (int64_t s = 0; s < result->size[CG_DIM_TENSOR]; s++) {
        int64_t n = result->tensors.nonfinite[s * models + model];
        slots += n > 0;
        *elements += n > 0 ? n : 0;
    }
    return slots;
}

/* Elements that are NaN or infinite are left out of every sum: a reader must know of them. */
static void warn_nonfinite(struct cg_page page, const struct cg_result *result, int64_t model)
{
    int64_t models = result->size[CG_DIM_MODEL], elements;
    int64_t slots = cg_nonfinite_slots(result, model, &elements);
    if (slots == 0)
        return;
    cg_page_field(page, "Warning",
                  "%s has NaN or infinite elements, %s in %s of its slots; they are left out:",
                  cg_model_label(result, model), cg_show_count(elements).text, cg_show_count(slots).text);
    for (int64_t s = 0, shown = 0; s < result->size[CG_DIM_TENSOR] && shown < NAMES_SHOWN; s++) {
        int64_t n = result->tensors.nonfinite[s * models + model];
        if (n > 0) {
            cg_page_field(page, "", "%s (%s)", result->tensors.name[s], cg_show_count(n).text);
            shown++;
        }
    }
    if (slots > NAMES_SHOWN)
        cg_page_field(page, "", "and %s more", cg_show_count(slots - NAMES_SHOWN).text);
}

/* Beyond the first pairs the sections would bury the table; the result file has them all. */
int cg_summary_pairs(struct cg_page page, const struct cg_result *result, struct cg_err *err)
{
    int64_t pairs = result->size[CG_DIM_PAIR];
    if (pairs > 1 && (print_verdicts(page, result, err) < 0 || cg_summary_merges(page, result, err) < 0))
        return -1;
    for (int64_t p = 0; p < pairs && p < PAIRS_IN_FULL; p++) {
        if (print_title(page, result, p, err) < 0)
            return -1;
        print_verdict(page, result, p);
        print_plain_method(page, result, p);
        print_tensors(page, result, p);
        warn_nonfinite(page, result, result->root.pair_a[p]);
        warn_nonfinite(page, result, result->root.pair_b[p]);
        cg_summary_profile(page, result, p);
        if (cg_summary_maps(page, result, p, err) < 0 || cg_summary_norms(page, result, p, err) < 0 ||
            cg_summary_embedding(page, result, p, err) < 0)
            return -1;
    }
    if (pairs > PAIRS_IN_FULL) {
        char more[128];
        snprintf(more, sizeof more,
                 "The first %d of %s pairs in full; all are in the table above and in the file.",
                 PAIRS_IN_FULL, cg_show_count(pairs).text);
        fputc('\n', page.out);
        cg_page_caption(page, more);
    }
    return 0;
}
