#include "facts.h"
#include "summary_parts.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

static int reason_identity(struct cg_buf *text, const struct cg_facts *facts, struct cg_err *err)
{
    if (facts->constant > 0 &&
        cg_buf_printf(text, err,
                      "%" PRId64
                      " compared slots hold one value throughout; they prove nothing and are left out.\n",
                      facts->constant) < 0)
        return -1;
    if (cg_all_equal(facts))
        return cg_buf_printf(text, err,
                             "All %" PRId64 " slots have equal values, %" PRId64 " of them the same bytes.\n",
                             facts->slots, facts->identical);
    return facts->telling == 0 ? 0
                               : cg_buf_printf(text, err,
                                               "%" PRId64 " of %" PRId64
                                               " compared slots have equal values and are not constant.\n",
                                               facts->telling, facts->compared);
}

/* Only of relatives: of others it would say that rounding does not explain what nobody thought it would. */
static int reason_rounding(struct cg_buf *text, const char *verdict, const struct cg_rounding *rounding,
                           struct cg_err *err)
{
    if (strcmp(verdict, "DERIVED") != 0 || rounding->quantised + rounding->recast == 0)
        return 0;
    if (rounding->quantised == 0)
        return cg_buf_printf(text, err,
                             "%" PRId64 " matrices differ by no more than rounding to the coarser type.\n",
                             rounding->recast);
    return cg_buf_printf(text, err,
                         "%" PRId64 " matrices differ by %.2f times what rounding to %s%s explains.\n",
                         rounding->quantised, cg_rounding_ratio(rounding), rounding->format,
                         rounding->several ? " and other types" : "");
}

/* A p-value as a reader takes it in: no power of ten where it is none. */
static int put_p(struct cg_buf *text, double log10_p, struct cg_err *err)
{
    return cg_buf_printf(text, err, log10_p > -2 ? "p = %.2f" : "p = 1e%.0f",
                         log10_p > -2 ? pow(10, log10_p) : log10_p);
}

static int reason_none(struct cg_buf *text, const struct cg_facts *facts, struct cg_err *err)
{
    if (facts->tests == 0)
        return cg_buf_printf(text, err,
                             "No slot could be tested: no matrix of one shape with a residual axis that is "
                             "long enough in both.\n");
    if (cg_buf_printf(text, err,
                      "None of %" PRId64
                      " slots tested by the shift null passes p < 1e-12; the strongest has ",
                      facts->tests) < 0 ||
        put_p(text, facts->best, err) < 0)
        return -1;
    return cg_buf_printf(text, err, " after correction.\n");
}

static int reason_passing(struct cg_buf *text, const struct cg_facts *facts, struct cg_err *err)
{
    if (facts->passing == 0)
        return reason_none(text, facts, err);
    if (cg_buf_printf(text, err, "%" PRId64 " of %" PRId64 " slots weighed pass:", facts->passing,
                      facts->weighed) < 0)
        return -1;
    for (int g = 0; g < CG_GROUP_COUNT; g++)
        if (facts->weighed_in[g] > 0 &&
            cg_buf_printf(text, err, " %s %" PRId64 " of %" PRId64 ",", cg_group_name((enum cg_group)g),
                          facts->passed[g], facts->weighed_in[g]) < 0)
            return -1;
    text->data[text->size - 1] = '.';
    if (facts->tests == 0)
        return cg_buf_printf(text, err, " They have equal values; the shift null could not be taken.\n");
    if (cg_buf_printf(text, err,
                      " To pass is p < 1e-12 by the shift null, corrected for all %" PRId64
                      " slots tested, or equal values; the strongest has ",
                      facts->tests) < 0 ||
        put_p(text, facts->best, err) < 0)
        return -1;
    return cg_buf_printf(text, err, ".\n");
}

static int reason_power(struct cg_buf *text, const char *verdict, const struct cg_facts *facts, double cover,
                        struct cg_err *err)
{
    if (strcmp(verdict, "NO EVIDENCE") != 0 && strcmp(verdict, "INCONCLUSIVE") != 0)
        return 0;
    if (!isnan(facts->limit) &&
        cg_buf_printf(text, err,
                      "Related matrices would have been seen from a cosine of %.3f on in two roles.\n",
                      facts->limit) < 0)
        return -1;
    if (!(cover >= CG_LEAST_COVER) && !cg_kin_has_power(facts->kin) &&
        cg_buf_printf(
            text, err,
            "Only %.1f%% of the later model's parameters lie in slots of one shape: the rest was not "
            "compared.\n",
            isnan(cover) ? 0 : 100 * cover) < 0)
        return -1;
    if (facts->kin->of && facts->kin->of->ncells > 0)
        return cg_buf_printf(
            text, err,
            "These limits hold for units, layers and experts in any order. Of another basis they hold for "
            "%s: "
            "with permuted units besides, %s would not be seen, nor would attention alone.\n",
            facts->kin->of->tokens > 0 ? "answers to tokens, which multiply what weights and embedding keep"
                                       : "units in the order stored",
            facts->kin->of->tokens > 0 ? "less than a third of the variance of both or a foreign embedding"
                                       : "they");
    return cg_buf_printf(
        text, err,
        "Slots were compared in their own basis: permuted units, a rotated residual stream or "
        "moved layers would not be seen by this test.\n");
}

/* The methods by which blocks pass, and in how many layers. */
static int reason_methods(struct cg_buf *text, const struct cg_kin *kin, struct cg_err *err)
{
    const char *const names[CG_METHODS] = {
        cg_kin_gated(kin) ? "by their rows" : "by their rows and columns", "by their answers to tokens",
        cg_kin_gated(kin) ? "by the products of gate and up" : "by the products of up and down",
        "by the exact test"};
    const char *before = ": ";
    for (int method = 0; method < CG_METHODS; method++)
        if (kin->passing[method] > 0) {
            if (cg_buf_printf(text, err, "%s%" PRId32 " %s", before, kin->passing[method], names[method]) < 0)
                return -1;
            before = ", ";
        }
    return cg_buf_printf(text, err, ".\n");
}

/* The cell whose units agree most, by raw or by probe; NULL when none was taken. */
static int32_t largest_count(const struct cg_kin *kin, enum cg_method method)
{
    int32_t most = -1;
    for (int64_t c = 0; c < kin->of->ncells; c++) {
        const struct cg_cell *cell = &kin->of->cells[c];
        int32_t count = method == CG_BY_RAW ? cell->raw : cell->probe;
        most = count > most ? count : most;
    }
    return most;
}

static int reason_no_block(struct cg_buf *text, const struct cg_kin *kin, struct cg_err *err)
{
    const char *const names[] = {cg_kin_gated(kin) ? "rows" : "rows and columns", "answers to tokens"};
    int32_t planted[] = {kin->of->planted_raw, kin->of->planted_probe};
    if (cg_buf_printf(
            text, err,
            "No feed-forward block of b holds the hidden units of a block of a, in whatever order, layer "
            "or basis: %" PRId64 " cells.\n",
            kin->of->ncells) < 0)
        return -1;
    for (int method = CG_BY_RAW; method <= CG_BY_PROBE; method++) {
        int32_t most = largest_count(kin, (enum cg_method)method);
        if (most >= 0 &&
            cg_buf_printf(text, err,
                          "By %s %" PRId32
                          " %s of a cell agree%s at most, where chance and controls reach %.0f; of a "
                          "block that keeps a tenth of its variance %" PRId32 " of %" PRId32 " would.\n",
                          names[method], most, most == 1 ? "unit" : "units", most == 1 ? "s" : "",
                          kin->rate[method], planted[method], kin->of->planted) < 0)
            return -1;
    }
    return 0;
}

static int reason_exact(struct cg_buf *text, const struct cg_kin *kin, struct cg_err *err)
{
    bool gated = cg_kin_gated(kin);
    if (cg_buf_printf(text, err,
                      "Exact test, in the order stored: the %s of %" PRId32
                      " and the %s projection of %" PRId32 " of %" PRId32 " blocks pass",
                      gated ? "gate" : "up projection", kin->exact[0], gated ? "up" : "down", kin->exact[1],
                      kin->tested_exactly) < 0)
        return -1;
    return kin->tested_exactly == kin->of->testable
               ? cg_buf_printf(text, err, ".\n")
               : cg_buf_printf(text, err, ", evenly spread over the %" PRId64 " that could be tested.\n",
                               kin->of->testable);
}

/* What was looked at where blocks are too many for all, and what was not. */
static int reason_thinned(struct cg_buf *text, const struct cg_kinship *of, struct cg_err *err)
{
    if (cg_buf_printf(
            text, err,
            "Of %" PRId64 " cells of blocks %" PRId64 " were matched: for %" PRId64 " of b's %" PRId32
            " blocks the one of a that sketches of all cells find most alike, and blocks of the same "
            "layer",
            of->all_cells, of->ncells, of->candidates, of->nblocks[1]) < 0 ||
        (of->step > 1 && cg_buf_printf(text, err, ", for one in %" PRId32 " of b's experts", of->step) < 0))
        return -1;
    return cg_buf_printf(
        text, err, "; blocks of other layers with permuted units or another basis were not looked at.\n");
}

static int reason_blocks(struct cg_buf *text, const struct cg_kin *kin, struct cg_err *err)
{
    if (!kin->of || kin->of->ncells == 0)
        return 0;
    if (kin->of->thinned && reason_thinned(text, kin->of, err) < 0)
        return -1;
    int32_t found = 0;
    for (int32_t l = 0; l < kin->layers; l++)
        found += kin->from[l] >= 0;
    if (found == 0)
        return reason_no_block(text, kin, err);
    if (cg_buf_printf(text, err,
                      "The hidden units of %" PRId32 " of b's %" PRId32
                      " feed-forward layers are those of a's",
                      found, kin->layers) < 0 ||
        reason_methods(text, kin, err) < 0)
        return -1;
    return kin->tested_exactly == 0 ? 0 : reason_exact(text, kin, err);
}

/* Whether chance explains how many experts the routers' rows name as the matrices do, though it would not
 * explain all of them. */
static bool is_router_new(const struct cg_kin *kin)
{
    const struct cg_naming *naming = &kin->naming[0];
    return kin->naming_log10_p >= CG_PASS_LOG10_P &&
           cg_agreement_log10_p(naming->named, naming->layers) < CG_PASS_LOG10_P;
}

static int put_naming(struct cg_buf *text, const struct cg_naming *naming, const char *how,
                      struct cg_err *err)
{
    return cg_buf_printf(text, err,
                         "Routers%s and matrices, matched apart, name the same partner for %" PRId32
                         " of %" PRId32 " experts",
                         how, naming->same, naming->named);
}

/* Experts named twice: by rows with what chance makes of it, by answers beside controls. */
static int reason_routers(struct cg_buf *text, const struct cg_kin *kin, struct cg_err *err)
{
    const struct cg_naming *rows = &kin->naming[0], *answers = &kin->naming[1];
    if (rows->named > 0 &&
        (put_naming(text, rows, "", err) < 0 || cg_buf_printf(text, err, ", by chance with ") < 0 ||
         put_p(text, kin->naming_log10_p, err) < 0 ||
         cg_buf_printf(text, err, ".%s\n",
                       is_router_new(kin) ? " The experts lie under another router." : "") < 0))
        return -1;
    if (answers->named == 0)
        return 0;
    if (put_naming(text, answers, ", by their answers to tokens,", err) < 0 ||
        (answers->same > 0 && cg_buf_printf(text, err, ", at a mean cosine of %.3f", answers->cosine) < 0) ||
        (!isnan(kin->naming_bound) &&
         cg_buf_printf(text, err, "; strangers in this run reach %.3f", kin->naming_bound) < 0))
        return -1;
    return cg_buf_printf(text, err, ".\n");
}

/* What sketches say of layers in whatever place: attention, and feed-forward parts that have no gate. */
static int reason_maps(struct cg_buf *text, const struct cg_mapped *mapped, struct cg_err *err)
{
    static const char *const names[CG_MAP_GROUPS] = {"attention", "feed-forward part outside experts"};
    for (int group = 0; mapped->of && group < CG_MAP_GROUPS; group++) {
        if (mapped->passing[group] == 0)
            continue;
        if (cg_buf_printf(text, err,
                          "By sketches the %s of %" PRId32 " of b's %" PRId32
                          " layers is a's, above a cosine of %.2f",
                          names[group], mapped->passing[group], mapped->layers, mapped->floor) < 0 ||
            cg_put_runs(text, mapped->from[group], mapped->layers, err) < 0 ||
            cg_buf_printf(text, err, ".\n") < 0)
            return -1;
    }
    return 0;
}

static int reason_tokens(struct cg_buf *text, const struct cg_kin *kin, struct cg_err *err)
{
    if (kin->columns)
        return cg_buf_printf(text, err,
                             "Over shared tokens %" PRId32 " of %" PRId32
                             " columns of the input embedding find themselves in the other model.\n",
                             kin->of->fixed_columns, kin->of->columns);
    return !kin->tokens
               ? 0
               : cg_buf_printf(text, err,
                               "In another basis the input embeddings are the same: inner products of "
                               "shared tokens correlate at %.3f; other models of this run allow %.3f.\n",
                               kin->of->token_gram, kin->token_bound);
}

static int reason_parent(struct cg_buf *text, const struct cg_result *out, const struct cg_merge_line *line,
                         const char *before, struct cg_err *err)
{
    if (cg_buf_printf(text, err, "%s%s of %s", before, cg_show_weight(line->mean).text,
                      cg_model_label(out, line->parent)) < 0)
        return -1;
    return line->told == 0 ? 0
                           : cg_buf_printf(text, err, " (%s to %s by layer, standard error at most %s)",
                                           cg_show_weight(line->least).text, cg_show_weight(line->most).text,
                                           cg_show_score(line->error).text);
}

/* What the weights leave open. */
static int reason_doubt(struct cg_buf *text, const struct cg_result *out, const struct cg_merge_line *line,
                        int64_t first, bool again, struct cg_err *err)
{
    int32_t alike = out->merges.alike[first];
    if (!again && line->told < line->layers &&
        cg_buf_printf(
            text, err,
            "In %" PRId64 " of %" PRId64
            " layers these models are equal or too nearly on one line for their weights to be told.\n",
            line->layers - line->told, line->layers) < 0)
        return -1;
    if (!again && out->merges.ambiguous[first] &&
        cg_buf_printf(
            text, err,
            "Another of these models would do as well as the sum of the rest: the weights do not say "
            "which was made from the others.\n") < 0)
        return -1;
    return alike < 0
               ? 0
               : cg_buf_printf(text, err,
                               "%s in the place of %s explains as much: which of the two took part cannot "
                               "be told, the weight is that of either.\n",
                               cg_model_label(out, alike), cg_model_label(out, line->parent));
}

/* Only of relatives, as above. */
static int reason_merge(struct cg_buf *text, const char *verdict, const struct cg_facts *facts,
                        const struct cg_result *out, int64_t p, struct cg_err *err)
{
    const struct cg_merge *merge = facts->merge;
    if (strcmp(verdict, "DERIVED") != 0 || !merge)
        return 0;
    const char *before = "";
    int64_t start = 0;
    struct cg_merge_line line;
    while ((line = cg_merge_line_at(out, start)).child != merge->child)
        start += line.rows;
    if (cg_buf_printf(text, err, "%s is a weighted sum of models of this run: ",
                      out->root.pair_a[p] == merge->child ? "a" : "b") < 0)
        return -1;
    for (int64_t at = start; (line = cg_merge_line_at(out, at)).child == merge->child; at += line.rows) {
        if (reason_parent(text, out, &line, before, err) < 0)
            return -1;
        before = " and ";
    }
    if (merge->base >= 0 && cg_buf_printf(text, err, " and the rest of %s, to which these lie nearest",
                                          cg_model_label(out, merge->base)) < 0)
        return -1;
    if (cg_buf_printf(text, err, "; it leaves %s of its squared distance to the nearest unexplained.\n",
                      cg_show_share(merge->unexplained).text) < 0)
        return -1;
    for (int64_t at = start; (line = cg_merge_line_at(out, at)).child == merge->child; at += line.rows)
        if (reason_doubt(text, out, &line, at, at > start, err) < 0)
            return -1;
    return 0;
}

static int reason_update(struct cg_buf *text, const char *verdict, const struct cg_kin *kin,
                         struct cg_err *err)
{
    if (strcmp(verdict, "DERIVED") != 0 || !kin->of || kin->of->update_rank <= 0)
        return 0;
    return cg_buf_printf(text, err,
                         "What differs between a and b is of low rank: at most %" PRId32
                         " directions hold 99.5%% of it in each of %" PRId32 " matrices looked at.\n",
                         kin->of->update_rank, kin->of->updates);
}

/* What a reader must know of a verdict without weights. */
static int reason_sketch(struct cg_buf *text, const struct cg_facts *facts, struct cg_err *err)
{
    if (facts->findings->sketch == 0)
        return 0;
    return cg_buf_printf(
        text, err,
        "From fingerprints: the cosine c of a slot of more than %" PRId64
        " elements is an estimate with a standard error of %.3f (1 - c^2); low-rank updates and merges take "
        "the weights and are not looked for.\n",
        facts->findings->sketch, 1 / sqrt((double)facts->findings->sketch));
}

int cg_give_reasons(struct cg_buf *text, const char *verdict, const struct cg_facts *facts, double cover,
                    const struct cg_result *out, int64_t p, struct cg_err *err)
{
    if (reason_identity(text, facts, err) < 0 ||
        cg_moves_say(text, facts->findings, facts->all, facts->pair, err) < 0 ||
        reason_rounding(text, verdict, &facts->rounding, err) < 0 || reason_passing(text, facts, err) < 0 ||
        reason_maps(text, &facts->all->mapped[facts->pair], err) < 0 ||
        reason_blocks(text, facts->kin, err) < 0 || reason_routers(text, facts->kin, err) < 0 ||
        reason_tokens(text, facts->kin, err) < 0 || reason_merge(text, verdict, facts, out, p, err) < 0 ||
        reason_update(text, verdict, facts->kin, err) < 0)
        return -1;
    if (reason_power(text, verdict, facts, cover, err) < 0)
        return -1;
    return reason_sketch(text, facts, err);
}
