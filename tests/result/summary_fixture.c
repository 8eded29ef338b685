#include "summary_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the three above it */
#include <cmocka.h>
#include <stdio.h>

void fixture_set(char **cell, const char *text)
{
    struct cg_err err;
    assert_int_equal(cg_result_text(cell, text, &err), 0);
}

static void allocate(struct cg_result *r)
{
    struct cg_err err;
    static const char *const groups[] = {"/",       "/tensors",    "/layers",     "/experts", "/cells",
                                         "/merges", "/identities", "/embeddings", "/pca"};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        assert_int_equal(cg_result_allocate(r, groups[i], &err), 0);
}

/* Sizes of models, every two of them a pair, layers; the rest follows. All cells are absent. */
void fixture_make_empty(struct cg_result *r, int models, int layers, bool pca)
{
    *r = (struct cg_result){0};
    r->size[CG_DIM_MODEL] = models;
    r->size[CG_DIM_PAIR] = models * (models - 1) / 2;
    r->size[CG_DIM_TENSOR] = layers > 0 ? 3 * layers : 0;
    r->size[CG_DIM_LAYER_A] = r->size[CG_DIM_LAYER_B] = layers;
    r->size[CG_DIM_ROLE_GROUP] = GROUPS;
    r->size[CG_DIM_TOKEN] = layers > 0 ? TOKENS : 0;
    r->size[CG_DIM_SAMPLE] = pca ? models * SAMPLES_A_MODEL : 0;
    r->size[CG_DIM_COMPONENT] = pca ? COMPONENTS : 0;
    r->size[CG_DIM_FEATURE] = pca ? FEATURES : 0;
    allocate(r);
    for (int a = 0, p = 0; a < models; a++)
        for (int b = a + 1; b < models; b++, p++) {
            r->root.pair_a[p] = a;
            r->root.pair_b[p] = b;
        }
    static const char *const names[GROUPS] = {"attention", "ffn", "norm", "all"};
    for (int g = 0; g < GROUPS; g++)
        fixture_set(&r->layers.role_group[g], names[g]);
    fixture_set(&r->source, "cognate 1.0.0");
    fixture_set(&r->notes, "");
    if (pca)
        fixture_set(&r->pca_features, "sketch:8, a seeded sign sketch of all elements of each matrix");
}

static void fill_models(struct cg_result *r)
{
    for (int m = 0; m < r->size[CG_DIM_MODEL]; m++) {
        char label[32];
        snprintf(label, sizeof label, "model-%c", 'a' + m % 26);
        fixture_set(&r->root.model_label[m], label);
        fixture_set(&r->root.model_type[m], m == 1 ? "mixtral" : "llama");
        r->root.hidden_size[m] = 4096;
        r->root.num_hidden_layers[m] = r->size[CG_DIM_LAYER_B];
        r->root.num_attention_heads[m] = 32;
        r->root.num_key_value_heads[m] = 8;
        r->root.intermediate_size[m] = 14336;
        r->root.vocab_size[m] = m == 1 ? 196608 : 128256;
        r->root.parameters[m] = 102651799552;
        r->root.num_tensors[m] = 18963;
        r->root.stored_bytes[m] = 205303599104;
    }
    r->root.num_experts[1] = 128;
    r->root.num_experts_per_tok[1] = 8;
}

static void fill_pair(struct cg_result *r, int p)
{
    r->root.compared_tensors[p] = 75;
    r->root.identical_tensors[p] = 3;
    r->root.constant_tensors[p] = 2;
    r->root.comparable_fraction[p] = 0.99996;
    r->root.mean_cosine[p] = 0.99998;
    r->root.weighted_cosine[p] = 0.8125;
    r->root.matrix_cosine[p] = 0.00001;
    r->root.log10_p[p] = -123.4;
    r->root.detection_limit[p] = 0.0312;
    fixture_set(&r->root.band[p], "almost certainly fine-tuned");
    fixture_set(&r->root.layer_pattern[p], "early layers alike, late layers less");
    fixture_set(&r->root.verdict[p], "DERIVED");
    fixture_set(&r->root.relation[p], "continued pre-training");
    fixture_set(
        &r->root.reasons[p],
        "In 72 of 75 slots the likeness stands out against every shift of the residual axis; the strongest "
        "is layers.3.ffn.up with t = 322.\nTwo roles pass by themselves: attn.q and ffn.up.");
}

/* Layer l: one q, one up, one norm; in pair p, t is 40 + l for matrices, 0.5 * (l - 3) + p for norms. */
static void fill_tensors(struct cg_result *r)
{
    static const char *const roles[] = {"attn.q", "ffn.up", "attn.norm"};
    int64_t pairs = r->size[CG_DIM_PAIR];
    for (int64_t s = 0; s < r->size[CG_DIM_TENSOR]; s++) {
        int64_t l = s / 3, kind = s % 3;
        char name[64];
        snprintf(name, sizeof name, "layers.%d.%s", (int)l, roles[kind]);
        fixture_set(&r->tensors.name[s], name);
        fixture_set(&r->tensors.role[s], roles[kind]);
        for (int64_t p = 0; p < pairs; p++) {
            r->tensors.cosine[s * pairs + p] = kind == 2 ? 0.99 + 0.001 * (double)l : 0.5;
            r->tensors.centred_cosine[s * pairs + p] = kind == 2 ? 0.01 * (double)(l - 3) : 0.5;
            r->tensors.t[s * pairs + p] = kind == 2 ? 0.5 * (double)(l - 3) + (double)p : 40 + (double)l;
        }
    }
}

static void fill_layers(struct cg_result *r)
{
    int64_t layers = r->size[CG_DIM_LAYER_B];
    for (int64_t p = 0; p < r->size[CG_DIM_PAIR]; p++)
        for (int64_t l = 0; l < layers; l++) {
            double *cell = &r->layers.cosine[(p * layers + l) * GROUPS];
            double depth = (double)l / (double)layers;
            cell[0] = 1 - depth;
            cell[1] = 0.5 - depth;
            cell[2] = 0.9985;
            cell[3] = 0.75 - depth;
        }
}

static void fill_embeddings(struct cg_result *r)
{
    static const char *const text[TOKENS] = {
        " the", "\xC3\xA9t\xC3\xA9", "\xE6\xBC\xA2\xE5\xAD\x97", "<|end|>", "a", "zz"};
    for (int64_t p = 0; p < r->size[CG_DIM_PAIR]; p++) {
        r->embeddings.rows_a[p] = 128256;
        r->embeddings.rows_b[p] = 196608;
        r->embeddings.shared_tokens[p] = 64000;
        r->embeddings.same_id_tokens[p] = 0;
        r->embeddings.cosine[p] = 0.25;
        r->embeddings.centred_cosine[p] = -0.125;
    }
    for (int64_t i = 0; i < r->size[CG_DIM_TOKEN]; i++) {
        fixture_set(&r->embeddings.token_text[i], text[i]);
        r->embeddings.token_pair[i] = 0;
        r->embeddings.token_cosine[i] = 0.2 * (double)((i + 2) % TOKENS);
    }
}

static void fill_pca(struct cg_result *r)
{
    r->pca.explained_variance[0] = 6;
    r->pca.explained_variance[1] = 3;
    r->pca.explained_variance[2] = 1;
    for (int k = 0; k < COMPONENTS; k++)
        r->pca.explained_variance_ratio[k] = r->pca.explained_variance[k] / 10;
    for (int64_t i = 0; i < r->size[CG_DIM_SAMPLE]; i++) {
        int64_t m = i / SAMPLES_A_MODEL, j = i % SAMPLES_A_MODEL;
        r->pca.sample_model[i] = (int32_t)m;
        r->pca.score[i * COMPONENTS] = (double)(10 * m + j);
        r->pca.score[i * COMPONENTS + 1] = (double)(j % 2) - (double)m;
        r->pca.score[i * COMPONENTS + 2] = 0;
    }
}

void fixture_make(struct cg_result *r, int models, int layers, bool pca)
{
    fixture_make_empty(r, models, layers, pca);
    fill_models(r);
    for (int p = 0; p < r->size[CG_DIM_PAIR]; p++)
        fill_pair(r, p);
    fill_tensors(r);
    fill_layers(r);
    fill_embeddings(r);
    if (pca)
        fill_pca(r);
    fixture_set(&r->notes, "model-b: tokenizer.json is missing, tokens are not compared.\nA second note.");
}
