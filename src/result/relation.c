#include "facts.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

static const char *identical_relation(const struct cg_facts *facts)
{
    return facts->same_type < facts->compared   ? "other type"
           : facts->same_name < facts->compared ? "same values, other container"
                                                : "same bytes";
}

/* " of layers 2 to 5" */
static int name_layers(struct cg_buf *text, const bool *which, int32_t n, struct cg_err *err)
{
    int32_t first = -1, last = -1, layers = 0;
    for (int32_t l = 0; l < n; l++)
        if (which[l]) {
            first = layers++ == 0 ? l : first;
            last = l;
        }
    if (layers == 0)
        return 0;
    if (layers == 1)
        return cg_buf_printf(text, err, " of layer %" PRId32, first);
    if (layers == last - first + 1)
        return cg_buf_printf(text, err, " of layers %" PRId32 " to %" PRId32, first, last);
    return cg_buf_printf(text, err, " of %" PRId32 " layers from %" PRId32 " to %" PRId32, layers, first,
                         last);
}

/* The groups of a PARTIAL verdict, with their layers. */
static int name_parts(struct cg_buf *text, const struct cg_facts *facts, struct cg_err *err)
{
    const char *before = "";
    for (int g = 0; g < CG_GROUP_COUNT; g++) {
        if (!facts->group_passed[g])
            continue;
        if (cg_buf_printf(text, err, "%s%s", before, cg_group_name((enum cg_group)g)) < 0 ||
            name_layers(text, facts->in_layer + g * facts->layers, facts->layers, err) < 0)
            return -1;
        before = ", ";
    }
    return 0;
}

/* How b's blocks lie to those of a that they come from; counts of b's blocks. */
struct arrangement {
    int32_t matched, from_dense, to_dense, narrower, wider, other_expert, permuted, rotated;
    int32_t layers, mapped, moved, repeated; /* of b */
    int32_t layers_a;
    double cosine; /* mean over the blocks whose units were matched */
    int32_t cosines;
};

static bool passes(const struct cg_kin *kin, const struct cg_cell *cell, enum cg_method method)
{
    return cg_cell_log10_p(kin, cell, method) < CG_PASS_LOG10_P;
}

static void add_block(struct arrangement *all, const struct cg_kin *kin, const struct cg_cell *cell)
{
    const struct cg_ffn_block *a = &kin->of->blocks[0][cell->a], *b = &kin->of->blocks[1][cell->b];
    bool raw = passes(kin, cell, CG_BY_RAW), probe = passes(kin, cell, CG_BY_PROBE),
         gram = passes(kin, cell, CG_BY_GRAM);
    bool dense_a = a->expert < 0 && !a->shared, dense_b = b->expert < 0 && !b->shared;
    all->matched++;
    all->from_dense += dense_a && b->expert >= 0;
    all->to_dense += a->expert >= 0 && dense_b;
    all->other_expert += a->expert >= 0 && b->expert >= 0 && a->expert != b->expert;
    all->narrower += b->units < a->units;
    all->wider += b->units > a->units;
    all->permuted += (raw || probe) && !isnan(cell->gram) && !gram;
    all->rotated += cell->raw >= 0 && !raw && (probe || gram);
    if (raw || probe) {
        all->cosine += raw ? cell->raw_cosine : cell->probe_cosine;
        all->cosines++;
    }
}

static void add_layers(struct arrangement *all, const struct cg_origins *origins)
{
    all->layers = origins->layers;
    all->layers_a = origins->layers_a;
    for (int32_t l = 0; l < origins->layers; l++) {
        if (origins->from[l] < 0)
            continue;
        all->mapped++;
        all->moved += origins->from[l] != l;
        bool again = false;
        for (int32_t before = 0; before < l; before++)
            again |= origins->from[before] == origins->from[l];
        all->repeated += again;
    }
}

/* Without matched blocks the very bytes still say where experts went. */
static void add_moves(struct arrangement *all, const struct cg_facts *facts)
{
    all->matched = (int32_t)(facts->ups + facts->moves.blocks);
    all->from_dense = (int32_t)facts->moves.from_dense;
    all->to_dense = (int32_t)facts->moves.to_dense;
    all->other_expert = (int32_t)facts->moves.other_expert;
}

static struct arrangement arrange(const struct cg_facts *facts)
{
    struct arrangement all = {0};
    const struct cg_kin *kin = facts->kin;
    if (!kin->of || kin->of->ncells == 0)
        add_moves(&all, facts);
    for (int32_t i = 0; kin->of && i < kin->of->nblocks[1]; i++)
        if (kin->origin[i] >= 0)
            add_block(&all, kin, &kin->of->cells[kin->origin[i]]);
    add_layers(&all, facts->origins);
    return all;
}

/* A trait is named when most blocks that were matched have it. */
static bool most(int32_t part, int32_t whole)
{
    return whole > 0 && 2 * part > whole;
}

static const char *depth_trait(const struct arrangement *all)
{
    if (!most(all->mapped, all->layers))
        return NULL;
    if (all->layers > all->layers_a)
        return all->repeated > 0 ? "depth-upscaled" : "layers added";
    if (all->layers < all->layers_a)
        return "depth-pruned";
    return most(4 * all->moved, all->mapped) ? "layers moved" : NULL;
}

/* Traits of form, of which some pairs show several. */
static int name_traits(struct cg_buf *text, const struct arrangement *all, bool *any, struct cg_err *err)
{
    const char *names[] = {depth_trait(all),
                           most(all->from_dense, all->matched) ? "upcycled" : NULL,
                           most(all->to_dense, all->matched) ? "dense from experts" : NULL,
                           most(all->narrower, all->matched) ? "width-pruned" : NULL,
                           most(all->wider, all->matched) ? "widened" : NULL,
                           most(all->other_expert, all->matched) ? "experts permuted" : NULL,
                           most(all->permuted, all->matched) ? "units permuted" : NULL,
                           most(all->rotated, all->matched) ? "rotated" : NULL};
    *any = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i]) {
            *any = true;
            if (cg_buf_printf(text, err, "%s, ", names[i]) < 0)
                return -1;
        }
    return 0;
}

/* Parts of a relative that come from elsewhere. */
static int name_replaced(struct cg_buf *text, const struct cg_facts *facts, struct cg_err *err)
{
    static const int groups[] = {CG_GROUP_ATTENTION, CG_GROUP_FFN};
    if (facts->foreign_embedding && !facts->kin->columns && !facts->kin->tokens &&
        cg_buf_printf(text, err, "input embedding replaced, ") < 0)
        return -1;
    for (int k = 0; k < 2; k++) {
        const bool *foreign = facts->foreign + groups[k] * facts->layers;
        int32_t n = 0;
        for (int32_t l = 0; l < facts->layers; l++)
            n += foreign[l];
        if (n > 0 && (cg_buf_printf(text, err, "%s", cg_group_name((enum cg_group)groups[k])) < 0 ||
                      name_layers(text, foreign, facts->layers, err) < 0 ||
                      cg_buf_printf(text, err, " replaced, ") < 0))
            return -1;
    }
    return 0;
}

/* The parents besides the pair's own; all of them, where the other of the pair is their base. */
static int name_merge(struct cg_buf *text, const struct cg_merge *merge, const struct cg_result *out,
                      int64_t p, struct cg_err *err)
{
    int other = out->root.pair_a[p] == merge->child ? out->root.pair_b[p] : out->root.pair_a[p];
    const char *before = merge->base == other ? "merge of " : "merged with ";
    for (int i = 0; i < merge->parents; i++) {
        if (merge->parent[i] == other)
            continue;
        if (cg_buf_printf(text, err, "%s%s", before, out->root.model_label[merge->parent[i]]) < 0)
            return -1;
        before = " and ";
    }
    return cg_buf_append(text, ", ", 2, err);
}

/* How far training went. Where the form changed, slots of one name do not say it, the matched units do. */
static const char *distance(const struct cg_facts *facts, const struct arrangement *all, bool reshaped)
{
    double mean = facts->matrices > 0 ? facts->matrix_sum / (double)facts->matrices : NAN;
    if (reshaped && all->cosines > 0)
        mean = all->cosine / all->cosines;
    return mean > 0.95 ? "fine-tuned" : mean >= 0.5 ? "continued pre-training" : "shared ancestry";
}

int cg_relate(struct cg_buf *text, const char *verdict, const struct cg_facts *facts,
              const struct cg_result *out, int64_t p, struct cg_err *err)
{
    if (strcmp(verdict, "IDENTICAL") == 0)
        return cg_buf_printf(text, err, "%s", identical_relation(facts));
    if (strcmp(verdict, "PARTIAL") == 0)
        return name_parts(text, facts, err);
    if (strcmp(verdict, "DERIVED") != 0)
        return cg_buf_append(text, "", 0, err);
    struct arrangement all = arrange(facts);
    bool reshaped;
    if (name_traits(text, &all, &reshaped, err) < 0 || (!reshaped && name_replaced(text, facts, err) < 0))
        return -1;
    if (facts->merge && name_merge(text, facts->merge, out, p, err) < 0)
        return -1;
    int64_t rows_a = out->embeddings.rows_a[p], rows_b = out->embeddings.rows_b[p];
    bool vocabulary = rows_a >= 0 && rows_b >= 0 && rows_a != rows_b;
    const char *rounding = cg_rounding_relation(&facts->rounding);
    const struct cg_kinship *of = facts->kin->of;
    bool low = !rounding && !reshaped && of && of->update_rank > 0;
    if (low && cg_buf_printf(text, err, "low-rank update (rank %" PRId32 ")", of->update_rank) < 0)
        return -1;
    return cg_buf_printf(text, err, "%s%s%s",
                         rounding ? rounding
                         : low    ? ""
                                  : distance(facts, &all, reshaped),
                         !rounding && facts->rounding.quantised > 0 ? ", quantised" : "",
                         vocabulary ? ", vocabulary changed" : "");
}
