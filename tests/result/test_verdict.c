/* The verdict over findings made by hand. */
#include "cognate/evidence.h"
#include "findings_fixture.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { LAYERS = 8, WIDTH = 64, HIDDEN = 160, VOCABULARY = 300 };

/* A small model in canonical order, both alike: 43 slots, 26 of them matrices, 24 of those in layers. */
static void add_model(struct fixture *f)
{
    fixture_slot(f, CG_ROLE_EMBED, -1, VOCABULARY, WIDTH);
    for (int l = 0; l < LAYERS; l++) {
        fixture_slot(f, CG_ROLE_ATTN_NORM, l, 1, WIDTH);
        fixture_slot(f, CG_ROLE_ATTN_Q, l, WIDTH, WIDTH);
        fixture_slot(f, CG_ROLE_FFN_NORM, l, 1, WIDTH);
        fixture_slot(f, CG_ROLE_FFN_UP, l, HIDDEN, WIDTH);
        fixture_slot(f, CG_ROLE_FFN_DOWN, l, WIDTH, HIDDEN);
    }
    fixture_slot(f, CG_ROLE_FINAL_NORM, -1, 1, WIDTH);
    fixture_slot(f, CG_ROLE_LM_HEAD, -1, VOCABULARY, WIDTH);
    fixture_settle(f);
}

enum { MATRICES = 2 + 3 * LAYERS };

typedef bool which(const struct cg_slot *slot);

static bool any(const struct cg_slot *slot)
{
    return slot->role != CG_ROLE_COUNT;
}
static bool is_norm(const struct cg_slot *slot)
{
    return cg_role_group(slot->role) == CG_GROUP_NORM;
}
static bool is_matrix(const struct cg_slot *slot)
{
    return !is_norm(slot);
}
static bool is_embedding(const struct cg_slot *slot)
{
    return cg_role_group(slot->role) == CG_GROUP_EMBEDDING;
}
static bool is_ffn_2_to_5(const struct cg_slot *slot)
{
    return cg_role_group(slot->role) == CG_GROUP_FFN && slot->layer >= 2 && slot->layer <= 5;
}
static bool is_ffn_of_ends(const struct cg_slot *slot)
{
    return cg_role_group(slot->role) == CG_GROUP_FFN && (slot->layer == 0 || slot->layer == 7);
}
static bool is_up_3(const struct cg_slot *slot)
{
    return slot->role == CG_ROLE_FFN_UP && slot->layer == 3;
}
static bool is_layer_3(const struct cg_slot *slot)
{
    return slot->layer == 3;
}

static void set(struct fixture *f, which *of, struct finding finding)
{
    for (int64_t s = 0; s < f->made.anatomy.nslots; s++)
        if (of(&f->made.anatomy.slots[s]))
            fixture_set(f, s, &finding);
}

static struct cg_tensor *tensor_of(struct fixture *f, int64_t slot, int model)
{
    return &f->made.model[model].tensors[cg_member_of(&f->made.anatomy, slot, model)->tensor];
}

static struct finding with_t(struct finding finding, double t)
{
    finding.t = t;
    return finding;
}

/* t at which a slot just passes, moved by a little. */
static double threshold(double more)
{
    return cg_t_of_log10_tail(-12 - log10(MATRICES), CG_SHIFTS - 1) + more;
}

static void same_bytes(struct fixture *f)
{
    add_model(f);
    set(f, any, SAME);
}
static void other_type(struct fixture *f)
{
    same_bytes(f);
    struct finding widened = SAME;
    widened.identical = false;
    set(f, is_layer_3, widened);
    for (int64_t s = 0; s < f->made.anatomy.nslots; s++)
        if (is_layer_3(&f->made.anatomy.slots[s]))
            tensor_of(f, s, 1)->dtype = CG_F32;
}
static void other_names(struct fixture *f)
{
    same_bytes(f);
    tensor_of(f, 4, 1)->name[0] = 'T';
}
static void all_but_one(struct fixture *f)
{
    same_bytes(f);
    set(f, is_up_3, KIN);
}
static void one_slot_more(struct fixture *f)
{
    fixture_slot(f, CG_ROLE_EMBED, -1, VOCABULARY, WIDTH);
    fixture_slot(f, CG_ROLE_ATTN_Q, 0, WIDTH, WIDTH);
    synthetic_slot(&f->made, CG_ROLE_ATTN_Q, 1, -1);
    synthetic_member(&f->made, 1, CG_BF16, WIDTH, WIDTH);
    fixture_settle(f);
    fixture_set(f, 0, &SAME);
    fixture_set(f, 1, &SAME);
}
static void all_constant(struct fixture *f)
{
    add_model(f);
    set(f, any, CONSTANT);
}
static void constant_norms(struct fixture *f)
{
    add_model(f);
    set(f, is_norm, CONSTANT);
}
static void derived(struct fixture *f)
{
    add_model(f);
    set(f, is_matrix, KIN);
}
static void fine_tuned(struct fixture *f)
{
    add_model(f);
    struct finding close = KIN;
    close.cosine = 0.99;
    set(f, is_matrix, close);
}
static void faint(struct fixture *f)
{
    add_model(f);
    struct finding far = KIN;
    far.cosine = 0.3;
    set(f, is_matrix, far);
}
static void other_vocabulary(struct fixture *f)
{
    synthetic_slot(&f->made, CG_ROLE_EMBED, -1, -1);
    synthetic_member(&f->made, 0, CG_BF16, VOCABULARY, WIDTH);
    synthetic_member(&f->made, 1, CG_BF16, VOCABULARY + 8, WIDTH);
    for (int l = 0; l < LAYERS; l++) {
        fixture_slot(f, CG_ROLE_ATTN_Q, l, WIDTH, WIDTH);
        fixture_slot(f, CG_ROLE_FFN_UP, l, HIDDEN, WIDTH);
    }
    fixture_settle(f);
    set(f, is_matrix, KIN);
}
/* A shard without the embedding: absent is not changed. */
static void no_embedding_in_b(struct fixture *f)
{
    other_vocabulary(f);
    f->made.anatomy.members[1].tensor = -1;
}
static void ffn_2_to_5(struct fixture *f)
{
    add_model(f);
    set(f, is_ffn_2_to_5, KIN);
}
static void ffn_of_ends(struct fixture *f)
{
    add_model(f);
    set(f, is_ffn_of_ends, KIN);
}
static void one_slot(struct fixture *f)
{
    add_model(f);
    set(f, is_up_3, KIN);
}
static void just_above(struct fixture *f)
{
    add_model(f);
    set(f, is_up_3, with_t(KIN, threshold(1e-6)));
}
static void just_below(struct fixture *f)
{
    add_model(f);
    set(f, is_up_3, with_t(KIN, threshold(-1e-6)));
}
static void embedding(struct fixture *f)
{
    add_model(f);
    set(f, is_embedding, KIN);
}
static void norms(struct fixture *f)
{
    add_model(f);
    set(f, is_norm, (struct finding){.cosine = 0.999, .t = 1e6, .sd = 1e-6});
}
static void same_norms(struct fixture *f)
{
    add_model(f);
    set(f, is_norm, SAME);
}
static void independent(struct fixture *f)
{
    add_model(f);
}
static void no_power(struct fixture *f)
{
    add_model(f);
    set(f, is_matrix, (struct finding){.cosine = 0.01, .t = 0.1, .sd = 0.1});
}
static void one_role_with_power(struct fixture *f)
{
    add_model(f);
    set(f, is_matrix, (struct finding){.cosine = 0.01, .t = 0.1, .sd = 0.1});
    for (int64_t s = 0; s < f->made.anatomy.nslots; s++)
        if (f->made.anatomy.slots[s].role == CG_ROLE_FFN_UP)
            fixture_set(f, s, &INDEPENDENT);
}
static void low_cover(struct fixture *f)
{
    fixture_slot(f, CG_ROLE_ATTN_Q, 0, WIDTH, WIDTH);
    fixture_slot(f, CG_ROLE_ATTN_K, 0, WIDTH, WIDTH);
    synthetic_slot(&f->made, CG_ROLE_FFN_UP, 0, -1);
    synthetic_member(&f->made, 0, CG_BF16, HIDDEN, WIDTH);
    synthetic_member(&f->made, 1, CG_BF16, 2 * HIDDEN, WIDTH);
    fixture_settle(f);
}
static void nothing_alike(struct fixture *f)
{
    synthetic_slot(&f->made, CG_ROLE_FFN_UP, 0, -1);
    synthetic_member(&f->made, 0, CG_BF16, HIDDEN, WIDTH);
    synthetic_member(&f->made, 1, CG_BF16, 2 * HIDDEN, WIDTH);
    fixture_settle(f);
}
static void no_t(struct fixture *f)
{
    add_model(f);
    set(f, any, with_t(INDEPENDENT, NAN));
}
static void same_without_t(struct fixture *f)
{
    add_model(f);
    set(f, any, with_t(INDEPENDENT, NAN));
    set(f, is_ffn_2_to_5, with_t(SAME, NAN));
    for (int64_t s = 0; s < f->made.anatomy.nslots; s++)
        if (f->made.anatomy.slots[s].role == CG_ROLE_ATTN_Q)
            fixture_set(f, s, &(struct finding){.cosine = 1, .t = NAN, .equal = true, .identical = true});
}
/* Buffers that many models compute, and biases: equal or alike in one element, they accuse nobody. */
static void one_other(struct fixture *f, enum cg_role role, int64_t rows, int64_t columns,
                      struct finding finding)
{
    fixture_slot(f, CG_ROLE_EMBED, -1, VOCABULARY, WIDTH);
    for (int l = 0; l < LAYERS; l++)
        fixture_slot(f, CG_ROLE_ATTN_Q, l, WIDTH, WIDTH);
    fixture_slot(f, role, -1, rows, columns);
    fixture_settle(f);
    fixture_set(f, f->made.anatomy.nslots - 1, &finding);
}
static void same_mask(struct fixture *f)
{
    one_other(f, CG_ROLE_OTHER, 64, 64, with_t(SAME, NAN));
}
static void same_positions(struct fixture *f)
{
    one_other(f, CG_ROLE_POSITION_EMBED, 512, WIDTH, SAME);
}
static void same_decays(struct fixture *f)
{
    one_other(f, CG_ROLE_MAMBA_A_LOG, 512, WIDTH, SAME);
}
static void same_bias(struct fixture *f)
{
    one_other(f, CG_ROLE_FFN_UP_BIAS, 1, 4096, with_t(SAME, NAN));
}
static void loud_bias(struct fixture *f)
{
    one_other(f, CG_ROLE_FFN_DOWN_BIAS, 1, 4096, KIN);
}
/* Norms by head are matrices, and norms all the same. */
static void same_head_norms(struct fixture *f)
{
    one_other(f, CG_ROLE_ATTN_Q_NORM, 32, 128, SAME);
}
/* Output embeddings that both models tie are no slot of their own. */
static void both_tied(struct fixture *f)
{
    fixture_slot(f, CG_ROLE_EMBED, -1, VOCABULARY, WIDTH);
    fixture_slot(f, CG_ROLE_ATTN_Q, 0, WIDTH, WIDTH);
    synthetic_slot(&f->made, CG_ROLE_LM_HEAD, -1, -1);
    synthetic_tie(&f->made, 0, 0);
    synthetic_tie(&f->made, 1, 0);
    fixture_settle(f);
    set(f, any, SAME);
}
static void same_small(struct fixture *f)
{
    one_other(f, CG_ROLE_ROUTER, 3, 341, with_t(SAME, NAN));
}
static void same_large_enough(struct fixture *f)
{
    one_other(f, CG_ROLE_ROUTER, 2, 512, with_t(SAME, NAN));
}
/* FFNs are all there is to weigh: all of b, or a small part of it. */
static void only_ffn(struct fixture *f)
{
    for (int l = 0; l < LAYERS; l++) {
        fixture_slot(f, CG_ROLE_FFN_UP, l, HIDDEN, WIDTH);
        fixture_slot(f, CG_ROLE_FFN_DOWN, l, WIDTH, HIDDEN);
    }
    fixture_settle(f);
    set(f, any, KIN);
}
static void only_embeddings_compare(struct fixture *f)
{
    fixture_slot(f, CG_ROLE_EMBED, -1, VOCABULARY, WIDTH);
    synthetic_slot(&f->made, CG_ROLE_FFN_UP, 0, -1);
    synthetic_member(&f->made, 0, CG_BF16, 1000, WIDTH);
    synthetic_member(&f->made, 1, CG_BF16, 2000, WIDTH);
    fixture_slot(f, CG_ROLE_LM_HEAD, -1, VOCABULARY, WIDTH);
    fixture_settle(f);
    set(f, any, KIN);
}

static void attention_alone_compares(struct fixture *f)
{
    fixture_slot(f, CG_ROLE_ATTN_Q, 0, WIDTH, WIDTH);
    fixture_slot(f, CG_ROLE_ATTN_O, 0, WIDTH, WIDTH);
    synthetic_slot(&f->made, CG_ROLE_FFN_UP, 0, -1);
    synthetic_member(&f->made, 0, CG_BF16, 1000, WIDTH);
    synthetic_member(&f->made, 1, CG_BF16, 2000, WIDTH);
    fixture_settle(f);
    set(f, any, KIN);
}
static void only_ffn_some(struct fixture *f)
{
    only_ffn(f);
    set(f, is_up_3, INDEPENDENT);
}

/* b's matrices are stored as `type`, and differ from a's by `cosine` and what that explains. */
static void stored_as(struct fixture *f, enum cg_dtype type, double cosine, double rounding)
{
    struct finding finding = KIN;
    finding.cosine = cosine;
    finding.rounding = rounding;
    add_model(f);
    set(f, is_norm, SAME);
    set(f, is_matrix, finding);
    for (int64_t s = 0; s < f->made.anatomy.nslots; s++)
        if (is_matrix(&f->made.anatomy.slots[s]))
            tensor_of(f, s, 1)->dtype = type;
}
static void quantised(struct fixture *f)
{
    stored_as(f, CG_Q4_0, 0.98, 0.04); /* |b - a|^2 = 2 - 2 cosine */
}
static void quantised_with_care(struct fixture *f)
{
    stored_as(f, CG_Q4_0, 0.98, 0.0101);
}
static void trained_and_quantised(struct fixture *f)
{
    stored_as(f, CG_Q4_0, 0.98, 0.0099);
}
static void quantised_but_for_one(struct fixture *f)
{
    quantised(f);
    set(f, is_up_3, KIN);
}
static void quantised_in_two_ways(struct fixture *f)
{
    quantised(f);
    for (int64_t s = 0; s < f->made.anatomy.nslots; s++)
        if (is_up_3(&f->made.anatomy.slots[s]))
            tensor_of(f, s, 1)->dtype = CG_Q6_K;
}
static void strangers_quantised(struct fixture *f)
{
    struct finding finding = INDEPENDENT;
    finding.rounding = 0.02;
    add_model(f);
    set(f, is_matrix, finding);
}
/* bf16 rounds by 2^-8 at most: a squared difference of 1.5e-5. */
static void recast(struct fixture *f)
{
    stored_as(f, CG_F32, 1 - 0.7e-5, 0);
}
static void not_just_recast(struct fixture *f)
{
    stored_as(f, CG_F32, 1 - 0.8e-5, 0);
}
static void not_recast_at_all(struct fixture *f)
{
    stored_as(f, CG_BF16, 1 - 0.7e-5, 0);
}

#define NO_MATRIX "No slot could be tested"
#define OWN_BASIS "Slots were compared in their own basis"
#define SEEN      "Related matrices would have been seen from a cosine of 0.0"

static const struct {
    void (*make)(struct fixture *);
    const char *verdict, *relation, *says, *silent; /* reasons have the one, and not the other */
} table[] = {
    {same_bytes, "IDENTICAL", "same bytes", "All 43 slots have equal values, 43 of them the same bytes",
     "basis"},
    {other_type, "IDENTICAL", "other type", "All 43 slots have equal values, 38 of them", "basis"},
    {other_names, "IDENTICAL", "same values, other container", "All 43 slots", "basis"},
    {all_but_one, "DERIVED", "fine-tuned", "42 of 43 compared slots have equal values", "All 43"},
    {one_slot_more, "DERIVED", "fine-tuned", "2 of 2 compared slots have equal values", "All"},
    {all_constant, "INCONCLUSIVE", "", "43 compared slots hold one value throughout", "p ="},
    {constant_norms, "NO EVIDENCE", "", "17 compared slots hold one value throughout", "equal values and"},
    {derived, "DERIVED", "continued pre-training",
     "26 of 26 slots weighed pass: embedding 2 of 2, attention 8 of 8, ffn 16 of 16. To pass is p < 1e-12",
     OWN_BASIS},
    {fine_tuned, "DERIVED", "fine-tuned", "26 of 26", OWN_BASIS},
    {faint, "DERIVED", "shared ancestry", "26 of 26", OWN_BASIS},
    {other_vocabulary, "DERIVED", "continued pre-training, vocabulary changed", "16 of 16", OWN_BASIS},
    {no_embedding_in_b, "DERIVED", "continued pre-training", "16 of 16", OWN_BASIS},
    {ffn_2_to_5, "PARTIAL", "ffn of layers 2 to 5", "attention 0 of 8, ffn 8 of 16.", OWN_BASIS},
    {ffn_of_ends, "PARTIAL", "ffn of 2 layers from 0 to 7", "ffn 4 of 16.", OWN_BASIS},
    {one_slot, "PARTIAL", "ffn of layer 3", "1 of 26", OWN_BASIS},
    {just_above, "PARTIAL", "ffn of layer 3", "has p = 1e-12.", OWN_BASIS},
    {just_below, "NO EVIDENCE", "", "None of 26 slots tested", "weighed"},
    {embedding, "PARTIAL", "embedding", "embedding 2 of 2, attention 0 of 8, ffn 0 of 16.", OWN_BASIS},
    {norms, "NO EVIDENCE", "", "None of 26 slots", "norm"},
    {same_norms, "NO EVIDENCE", "", "17 of 43 compared slots have equal values", "norm"},
    {independent, "NO EVIDENCE", "", "the strongest has p = 1.00 after correction", "1e0"},
    {independent, "NO EVIDENCE", "", SEEN, "1e-0"},
    {independent, "NO EVIDENCE", "", OWN_BASIS, "Only"},
    {no_power, "INCONCLUSIVE", "", "None of 26 slots", "Related"},
    {one_role_with_power, "INCONCLUSIVE", "", "None of 26 slots", "Related"},
    {low_cover, "INCONCLUSIVE", "", "Only 28.6% of the later model's parameters", "weighed"},
    {nothing_alike, "INCONCLUSIVE", "", NO_MATRIX, "Related"},
    {nothing_alike, "INCONCLUSIVE", "", "Only 0.0% of the later", "nan"},
    {no_t, "INCONCLUSIVE", "", NO_MATRIX, "Related"},
    {same_without_t, "DERIVED", "fine-tuned",
     "16 of 16 slots weighed pass: attention 8 of 8, ffn 8 of 8. They have equal values", "p ="},
    {same_mask, "NO EVIDENCE", "", "1 of 10 compared slots have equal values", "weighed"},
    {same_positions, "NO EVIDENCE", "", "None of 9 slots", "weighed"},
    {same_decays, "NO EVIDENCE", "", "None of 9 slots", "weighed"},
    {same_bias, "NO EVIDENCE", "", "None of 9 slots", "weighed"},
    {loud_bias, "NO EVIDENCE", "", "None of 9 slots", "weighed"},
    {same_head_norms, "NO EVIDENCE", "", "None of 9 slots", "weighed"},
    {both_tied, "IDENTICAL", "same bytes", "All 2 slots", OWN_BASIS},
    {same_small, "NO EVIDENCE", "", "None of 9 slots", "weighed"},
    {same_large_enough, "PARTIAL", "ffn", "1 of 10 slots weighed pass", OWN_BASIS},
    {only_ffn, "DERIVED", "continued pre-training", "ffn 16 of 16.", OWN_BASIS},
    {attention_alone_compares, "DERIVED", "continued pre-training", "attention 2 of 2.", OWN_BASIS},
    {only_ffn_some, "PARTIAL", "ffn of layers 0 to 7", "ffn 15 of 16.", OWN_BASIS},
    {quantised, "DERIVED", "quantised", "26 matrices differ by 1.00 times what rounding to Q4_0 explains.",
     OWN_BASIS},
    {quantised_with_care, "DERIVED", "quantised", "by 1.99 times", OWN_BASIS},
    {trained_and_quantised, "DERIVED", "fine-tuned, quantised", "by 2.01 times", OWN_BASIS},
    {quantised_but_for_one, "DERIVED", "fine-tuned, quantised", "25 matrices differ by 1.00 times",
     OWN_BASIS},
    {quantised_in_two_ways, "DERIVED", "quantised", "rounding to Q4_0 and other types explains", OWN_BASIS},
    {strangers_quantised, "NO EVIDENCE", "", "None of 26 slots", "explains"},
    {recast, "DERIVED", "recast", "26 matrices differ by no more than rounding to the coarser type.",
     OWN_BASIS},
    {not_just_recast, "DERIVED", "fine-tuned", "26 of 26", "rounding"},
    {not_recast_at_all, "DERIVED", "fine-tuned", "26 of 26", "rounding"},
    {only_embeddings_compare, "PARTIAL", "embedding", "embedding 2 of 2.", OWN_BASIS},
};

static void test_verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct fixture f;
        fixture_begin(&f);
        table[i].make(&f);
        fixture_collect(&f);
        const char *verdict = *f.result.root.verdict, *relation = *f.result.root.relation,
                   *reasons = *f.result.root.reasons;
        if (strcmp(verdict, table[i].verdict) != 0 || strcmp(relation, table[i].relation) != 0 ||
            !strstr(reasons, table[i].says) || strstr(reasons, table[i].silent) || strstr(reasons, "nan") ||
            strstr(reasons, "inf") || reasons[strlen(reasons) - 1] == '\n')
            fail_msg("row %zu: %s: %s\n%s", i, verdict, relation, reasons);
        fixture_release(&f);
    }
}

/* Of three roles the median slot sees from 0.2, 0.3 and 0.1 on: two of them do from 0.2. */
static void test_detection_limit(void **state)
{
    (void)state;
    static const enum cg_role roles[] = {CG_ROLE_ATTN_Q, CG_ROLE_ATTN_K, CG_ROLE_FFN_UP};
    static const double median[] = {0.2, 0.3, 0.1};
    struct fixture f;
    fixture_begin(&f);
    for (int r = 0; r < 3; r++)
        for (int l = 0; l < 3; l++)
            fixture_slot(&f, roles[r], l, WIDTH, WIDTH);
    fixture_settle(&f);
    double critical = cg_t_of_log10_tail(-12 - log10(9), 30) * sqrt(1 + 1.0 / 31);
    for (int64_t s = 0; s < 9; s++) {
        double factor[] = {1, 0.01, 3};
        fixture_set(
            &f, s,
            &(struct finding){.cosine = 0.01, .t = 0.1, .sd = factor[s % 3] * median[s / 3] / critical});
    }
    fixture_collect(&f);
    assert_true(fabs(*f.result.root.detection_limit - 0.2) < 1e-9);
    assert_string_equal(*f.result.root.verdict, "NO EVIDENCE");
    fixture_release(&f);
}

/* The borders: a tenth of the variance is a cosine of 0.3162, and half of b must be comparable. */
static void test_borders(void **state)
{
    (void)state;
    static const struct {
        double limit;
        int64_t rows; /* of a slot of b that a has otherwise, beside two of 64 */
        const char *verdict;
    } rows[] = {{0.3161, 0, "NO EVIDENCE"},
                {0.3163, 0, "INCONCLUSIVE"},
                {0.1, 128, "NO EVIDENCE"},
                {0.1, 129, "INCONCLUSIVE"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        fixture_begin(&f);
        fixture_slot(&f, CG_ROLE_ATTN_Q, 0, 64, WIDTH);
        fixture_slot(&f, CG_ROLE_ATTN_K, 0, 64, WIDTH);
        if (rows[i].rows > 0) {
            synthetic_slot(&f.made, CG_ROLE_FFN_UP, 0, -1);
            synthetic_member(&f.made, 0, CG_BF16, 32, WIDTH);
            synthetic_member(&f.made, 1, CG_BF16, rows[i].rows, WIDTH);
        }
        fixture_settle(&f);
        double critical = cg_t_of_log10_tail(-12 - log10(2), 30) * sqrt(1 + 1.0 / 31);
        for (int64_t s = 0; s < 2; s++)
            fixture_set(&f, s, &(struct finding){.cosine = 0, .t = 0, .sd = rows[i].limit / critical});
        fixture_collect(&f);
        if (strcmp(*f.result.root.verdict, rows[i].verdict) != 0)
            fail_msg("row %zu: %s", i, *f.result.root.verdict);
        fixture_release(&f);
    }
}

/* p of the strongest slot after Bonferroni, and how a reader gets it. */
static void test_p_values(void **state)
{
    (void)state;
    static const struct {
        double log10_p; /* of one slot of 26, not corrected */
        const char *says;
    } rows[] = {{-0.1, "has p = 1.00 after"},
                {-2, "has p = 0.26 after"},
                {-3, "has p = 0.03 after"},
                {-4, "has p = 1e-3 after"},
                {-13, "has p = 1e-12 after"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        fixture_begin(&f);
        add_model(&f);
        set(&f, is_up_3, with_t(INDEPENDENT, cg_t_of_log10_tail(rows[i].log10_p, 30)));
        fixture_collect(&f);
        double expected = fmin(0, fmin(rows[i].log10_p, cg_t_log10_tail(0.5, 30)) + log10(MATRICES));
        assert_true(fabs(*f.result.root.log10_p - expected) < 1e-9);
        if (!strstr(*f.result.root.reasons, rows[i].says))
            fail_msg("row %zu: %s", i, *f.result.root.reasons);
        fixture_release(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_detection_limit),
        cmocka_unit_test(test_borders),
        cmocka_unit_test(test_p_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
