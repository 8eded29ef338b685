#include "collect.h"

static int64_t rows_of(const struct cg_findings *findings, int model)
{
    const struct cg_member *embedding = cg_embedding_of(findings->anatomy, model);
    return embedding ? embedding->rows : -1;
}

static int set_tokens(struct cg_result *out, const struct cg_findings *findings, int64_t p, int64_t at,
                      struct cg_err *err)
{
    const struct cg_alignment *alignment = &findings->alignments[p];
    const struct cg_token_cosines *cosines = &findings->tokens[p];
    for (int64_t i = 0; i < cosines->listed; i++, at++) {
        out->embeddings.token_pair[at] = (int32_t)p;
        out->embeddings.token_id_a[at] = alignment->id_a[i];
        out->embeddings.token_id_b[at] = alignment->id_b[i];
        out->embeddings.token_cosine[at] = cosines->cosine[i];
        out->embeddings.token_centred_cosine[at] = cosines->centred[i];
        if (cg_result_text(&out->embeddings.token_text[at], alignment->text[i], err) < 0)
            return -1;
    }
    return 0;
}

int cg_collect_embeddings(struct cg_result *out, const struct cg_findings *findings, struct cg_err *err)
{
    int64_t total = 0, at = 0;
    for (int64_t p = 0; p < findings->npairs; p++)
        total += findings->tokens[p].listed;
    out->size[CG_DIM_TOKEN] = total;
    if (cg_result_allocate(out, "/embeddings", err) < 0)
        return -1;
    for (int64_t p = 0; p < findings->npairs; p++) {
        out->embeddings.rows_a[p] = rows_of(findings, findings->pairs[p][0]);
        out->embeddings.rows_b[p] = rows_of(findings, findings->pairs[p][1]);
        if (findings->aligned[p]) {
            out->embeddings.shared_tokens[p] = findings->alignments[p].shared;
            out->embeddings.same_id_tokens[p] = findings->alignments[p].same_id;
        }
        out->embeddings.cosine[p] = findings->tokens[p].whole_cosine;
        out->embeddings.centred_cosine[p] = findings->tokens[p].whole_centred;
        if (findings->kinships) {
            out->embeddings.columns[p] = findings->kinships[p].columns;
            out->embeddings.fixed_columns[p] = findings->kinships[p].fixed_columns;
            out->embeddings.token_gram[p] = findings->kinships[p].token_gram;
        }
        if (set_tokens(out, findings, p, at, err) < 0)
            return -1;
        at += findings->tokens[p].listed;
    }
    return 0;
}
