#include "collect.h"
#include <math.h>

static void set_facts(struct cg_result *out, const struct cg_findings *findings, int64_t m)
{
    const int64_t *fact = findings->architectures[m].fact;
    out->root.hidden_size[m] = fact[CG_HIDDEN_SIZE];
    out->root.intermediate_size[m] = fact[CG_INTERMEDIATE_SIZE];
    out->root.moe_intermediate_size[m] = fact[CG_MOE_INTERMEDIATE_SIZE];
    out->root.num_hidden_layers[m] = fact[CG_NUM_HIDDEN_LAYERS];
    out->root.num_attention_heads[m] = fact[CG_NUM_ATTENTION_HEADS];
    out->root.num_key_value_heads[m] = fact[CG_NUM_KEY_VALUE_HEADS];
    out->root.num_experts[m] = fact[CG_NUM_EXPERTS];
    out->root.num_experts_per_tok[m] = fact[CG_NUM_EXPERTS_PER_TOK];
    out->root.num_shared_experts[m] = fact[CG_NUM_SHARED_EXPERTS];
    out->root.vocab_size[m] = fact[CG_VOCAB_SIZE];
}

static int set_skipped(struct cg_result *out, const struct cg_manifest *skipped, struct cg_err *err)
{
    for (size_t i = 0; i < skipped->n; i++)
        if (cg_result_text(&out->root.skipped_label[i], skipped->entries[i].label, err) < 0 ||
            cg_result_text(&out->root.skipped_path[i], skipped->entries[i].path, err) < 0 ||
            cg_result_text(&out->root.skipped_error[i], skipped->entries[i].error, err) < 0)
            return -1;
    return 0;
}

int cg_collect_models(struct cg_result *out, const struct cg_findings *findings, struct cg_err *err)
{
    int result = -1;
    CG_TRY(cg_result_allocate(out, "/", err));
    for (int64_t m = 0; m < out->size[CG_DIM_MODEL]; m++) {
        const struct cg_checkpoint *model = findings->models[m];
        CG_TRY(cg_result_text(&out->root.model_label[m], model->label, err));
        CG_TRY(cg_result_text(&out->root.model_path[m], model->given, err));
        CG_TRY(cg_result_text(&out->root.model_family[m], model->family, err));
        CG_TRY(cg_result_text(&out->root.model_type[m], model->config.model_type, err));
        set_facts(out, findings, m);
        out->root.parameters[m] = cg_anatomy_parameters(findings->anatomy, (int)m);
        out->root.num_tensors[m] = (int64_t)model->ntensors;
        out->root.stored_bytes[m] = cg_checkpoint_bytes(model);
    }
    result = set_skipped(out, findings->skipped, err);
done:
    return result;
}

/* Sums over the compared slots of one pair. */
struct tally {
    int64_t compared, identical, constant, cosines, matrices;
    double sum, weighted, weight, matrix_sum;
    double elements_b, comparable_b;
};

static void count_slot(struct tally *tally, const struct cg_findings *findings,
                       const struct cg_comparison *comparison, int64_t slot, int64_t pair)
{
    const struct cg_member *member = cg_member_of(findings->anatomy, slot, findings->pairs[pair][1]);
    double elements = (double)(member->rows * member->columns);
    if (member->tensor >= 0 && !member->tied)
        tally->elements_b += elements;
    if (!comparison->compared)
        return;
    tally->compared++;
    tally->identical += comparison->identical;
    tally->constant += comparison->identical && comparison->constant;
    if (!member->tied)
        tally->comparable_b += elements;
    if (isnan(comparison->cosine))
        return;
    tally->cosines++;
    tally->sum += comparison->cosine;
    tally->weighted += elements * comparison->cosine;
    tally->weight += elements;
    if (comparison->matrix) {
        tally->matrices++;
        tally->matrix_sum += comparison->cosine;
    }
}

static const char *band_of(double cosine)
{
    if (isnan(cosine))
        return "";
    return cosine > 0.95   ? "almost certainly fine-tuned"
           : cosine >= 0.8 ? "fine-tuned or continued pre-training"
           : cosine >= 0.5 ? "partial reuse possible"
                           : "probably from scratch";
}

static int set_pair(struct cg_result *out, const struct cg_findings *findings,
                    const struct cg_comparisons *all, int64_t p, struct cg_err *err)
{
    struct tally tally = {0};
    for (int64_t s = 0; s < findings->anatomy->nslots; s++)
        count_slot(&tally, findings, cg_comparison_at(all, s, p), s, p);
    int a = findings->pairs[p][0], b = findings->pairs[p][1];
    out->root.pair_a[p] = a;
    out->root.pair_b[p] = b;
    out->root.same_architecture[p] =
        cg_architecture_same(&findings->architectures[a], &findings->architectures[b]);
    out->root.compared_tensors[p] = tally.compared;
    out->root.identical_tensors[p] = tally.identical;
    out->root.constant_tensors[p] = tally.constant;
    out->root.moved_tensors[p] = all->identities[p].n;
    out->root.comparable_fraction[p] = tally.elements_b > 0 ? tally.comparable_b / tally.elements_b : NAN;
    out->root.mean_cosine[p] = tally.cosines > 0 ? tally.sum / (double)tally.cosines : NAN;
    out->root.weighted_cosine[p] = tally.weight > 0 ? tally.weighted / tally.weight : NAN;
    out->root.matrix_cosine[p] = tally.matrices > 0 ? tally.matrix_sum / (double)tally.matrices : NAN;
    return cg_result_text(&out->root.band[p], band_of(out->root.mean_cosine[p]), err);
}

int cg_collect_pairs(struct cg_result *out, const struct cg_findings *findings,
                     const struct cg_comparisons *all, struct cg_err *err)
{
    for (int64_t p = 0; p < findings->npairs; p++)
        if (set_pair(out, findings, all, p, err) < 0)
            return -1;
    return 0;
}
