/* The roles a tensor can have in a transformer: the one list, in canonical order within a layer.
 *
 * enumerator, name, group (of reports; Mamba mixes tokens as attention does, and counts as it), residual axis
 * (which axis of the canonical (out, in) matrix runs over the residual stream: COLUMNS for what reads it,
 * ROWS for what writes it, a vector's only axis counts as COLUMNS; NONE when neither does), place (EMBED
 * before the layers, LAYER in one, FINAL after them).
 */
#ifndef COGNATE_ROLES_H
#define COGNATE_ROLES_H

#define CG_ROLE_LIST(X)                                                                                      \
    X(CG_ROLE_EMBED, "embed", EMBEDDING, COLUMNS, EMBED)                                                     \
    X(CG_ROLE_POSITION_EMBED, "embed.position", EMBEDDING, COLUMNS, EMBED)                                   \
    X(CG_ROLE_TYPE_EMBED, "embed.type", EMBEDDING, COLUMNS, EMBED)                                           \
    X(CG_ROLE_EMBED_NORM, "embed.norm", NORM, COLUMNS, EMBED)                                                \
    X(CG_ROLE_EMBED_NORM_BIAS, "embed.norm.bias", NORM, COLUMNS, EMBED)                                      \
    X(CG_ROLE_MTP_EMBED_NORM, "mtp.embed_norm", NORM, COLUMNS, LAYER)                                        \
    X(CG_ROLE_MTP_HIDDEN_NORM, "mtp.hidden_norm", NORM, COLUMNS, LAYER)                                      \
    X(CG_ROLE_MTP_JOIN, "mtp.join", OTHER, ROWS, LAYER)                                                      \
    X(CG_ROLE_MTP_EMBED, "mtp.embed", EMBEDDING, COLUMNS, LAYER)                                             \
    X(CG_ROLE_MTP_HEAD_NORM, "mtp.head_norm", NORM, COLUMNS, LAYER)                                          \
    X(CG_ROLE_MTP_HEAD, "mtp.head", EMBEDDING, COLUMNS, LAYER)                                               \
    X(CG_ROLE_ATTN_NORM, "attn.norm", NORM, COLUMNS, LAYER)                                                  \
    X(CG_ROLE_ATTN_NORM_BIAS, "attn.norm.bias", NORM, COLUMNS, LAYER)                                        \
    X(CG_ROLE_ATTN_Q, "attn.q", ATTENTION, COLUMNS, LAYER)                                                   \
    X(CG_ROLE_ATTN_Q_BIAS, "attn.q.bias", ATTENTION, NONE, LAYER)                                            \
    X(CG_ROLE_ATTN_Q_A, "attn.q_a", ATTENTION, COLUMNS, LAYER)                                               \
    X(CG_ROLE_ATTN_Q_A_BIAS, "attn.q_a.bias", ATTENTION, NONE, LAYER)                                        \
    X(CG_ROLE_ATTN_Q_A_NORM, "attn.q_a.norm", NORM, NONE, LAYER)                                             \
    X(CG_ROLE_ATTN_Q_B, "attn.q_b", ATTENTION, NONE, LAYER)                                                  \
    X(CG_ROLE_ATTN_Q_NORM, "attn.q.norm", NORM, NONE, LAYER)                                                 \
    X(CG_ROLE_ATTN_Q_NORM_BIAS, "attn.q.norm.bias", NORM, NONE, LAYER)                                       \
    X(CG_ROLE_ATTN_K, "attn.k", ATTENTION, COLUMNS, LAYER)                                                   \
    X(CG_ROLE_ATTN_K_BIAS, "attn.k.bias", ATTENTION, NONE, LAYER)                                            \
    X(CG_ROLE_ATTN_K_NORM, "attn.k.norm", NORM, NONE, LAYER)                                                 \
    X(CG_ROLE_ATTN_K_NORM_BIAS, "attn.k.norm.bias", NORM, NONE, LAYER)                                       \
    X(CG_ROLE_ATTN_KV_A, "attn.kv_a", ATTENTION, COLUMNS, LAYER)                                             \
    X(CG_ROLE_ATTN_KV_A_BIAS, "attn.kv_a.bias", ATTENTION, NONE, LAYER)                                      \
    X(CG_ROLE_ATTN_KV_A_NORM, "attn.kv_a.norm", NORM, NONE, LAYER)                                           \
    X(CG_ROLE_ATTN_KV_B, "attn.kv_b", ATTENTION, NONE, LAYER)                                                \
    X(CG_ROLE_ATTN_K_B, "attn.k_b", ATTENTION, NONE, LAYER)                                                  \
    X(CG_ROLE_ATTN_V_B, "attn.v_b", ATTENTION, NONE, LAYER)                                                  \
    X(CG_ROLE_ATTN_V, "attn.v", ATTENTION, COLUMNS, LAYER)                                                   \
    X(CG_ROLE_ATTN_V_BIAS, "attn.v.bias", ATTENTION, NONE, LAYER)                                            \
    X(CG_ROLE_ATTN_SINKS, "attn.sinks", ATTENTION, NONE, LAYER)                                              \
    X(CG_ROLE_ATTN_GATE, "attn.gate", ATTENTION, COLUMNS, LAYER)                                             \
    X(CG_ROLE_ATTN_INNER_NORM, "attn.inner_norm", NORM, NONE, LAYER)                                         \
    X(CG_ROLE_ATTN_O, "attn.o", ATTENTION, ROWS, LAYER)                                                      \
    X(CG_ROLE_ATTN_O_BIAS, "attn.o.bias", ATTENTION, COLUMNS, LAYER)                                         \
    X(CG_ROLE_MAMBA_IN, "mamba.in", ATTENTION, COLUMNS, LAYER)                                               \
    X(CG_ROLE_MAMBA_IN_BIAS, "mamba.in.bias", ATTENTION, NONE, LAYER)                                        \
    X(CG_ROLE_MAMBA_CONV, "mamba.conv", ATTENTION, NONE, LAYER)                                              \
    X(CG_ROLE_MAMBA_CONV_BIAS, "mamba.conv.bias", ATTENTION, NONE, LAYER)                                    \
    X(CG_ROLE_MAMBA_X, "mamba.x", ATTENTION, NONE, LAYER)                                                    \
    X(CG_ROLE_MAMBA_DT_NORM, "mamba.dt.norm", NORM, NONE, LAYER)                                             \
    X(CG_ROLE_MAMBA_B_NORM, "mamba.b.norm", NORM, NONE, LAYER)                                               \
    X(CG_ROLE_MAMBA_C_NORM, "mamba.c.norm", NORM, NONE, LAYER)                                               \
    X(CG_ROLE_MAMBA_DT, "mamba.dt", ATTENTION, NONE, LAYER)                                                  \
    X(CG_ROLE_MAMBA_DT_BIAS, "mamba.dt.bias", ATTENTION, NONE, LAYER)                                        \
    X(CG_ROLE_MAMBA_A_LOG, "mamba.a_log", ATTENTION, NONE, LAYER)                                            \
    X(CG_ROLE_MAMBA_A, "mamba.a", ATTENTION, NONE, LAYER)                                                    \
    X(CG_ROLE_MAMBA_D, "mamba.d", ATTENTION, NONE, LAYER)                                                    \
    X(CG_ROLE_MAMBA_NORM, "mamba.norm", NORM, NONE, LAYER)                                                   \
    X(CG_ROLE_MAMBA_OUT, "mamba.out", ATTENTION, ROWS, LAYER)                                                \
    X(CG_ROLE_MAMBA_OUT_BIAS, "mamba.out.bias", ATTENTION, COLUMNS, LAYER)                                   \
    X(CG_ROLE_ATTN_POST_NORM, "attn.post_norm", NORM, COLUMNS, LAYER)                                        \
    X(CG_ROLE_ATTN_POST_NORM_BIAS, "attn.post_norm.bias", NORM, COLUMNS, LAYER)                              \
    X(CG_ROLE_FFN_NORM, "ffn.norm", NORM, COLUMNS, LAYER)                                                    \
    X(CG_ROLE_FFN_NORM_BIAS, "ffn.norm.bias", NORM, COLUMNS, LAYER)                                          \
    X(CG_ROLE_ROUTER, "router", FFN, COLUMNS, LAYER)                                                         \
    X(CG_ROLE_ROUTER_BIAS, "router.bias", FFN, NONE, LAYER)                                                  \
    X(CG_ROLE_SHARED_ROUTER, "shared.router", FFN, COLUMNS, LAYER)                                           \
    X(CG_ROLE_SHARED_GATE, "shared.gate", FFN, COLUMNS, LAYER)                                               \
    X(CG_ROLE_SHARED_UP, "shared.up", FFN, COLUMNS, LAYER)                                                   \
    X(CG_ROLE_SHARED_DOWN, "shared.down", FFN, ROWS, LAYER)                                                  \
    X(CG_ROLE_FFN_GATE, "ffn.gate", FFN, COLUMNS, LAYER)                                                     \
    X(CG_ROLE_FFN_GATE_BIAS, "ffn.gate.bias", FFN, NONE, LAYER)                                              \
    X(CG_ROLE_FFN_UP, "ffn.up", FFN, COLUMNS, LAYER)                                                         \
    X(CG_ROLE_FFN_UP_BIAS, "ffn.up.bias", FFN, NONE, LAYER)                                                  \
    X(CG_ROLE_FFN_INNER_NORM, "ffn.inner_norm", NORM, NONE, LAYER)                                           \
    X(CG_ROLE_FFN_DOWN, "ffn.down", FFN, ROWS, LAYER)                                                        \
    X(CG_ROLE_FFN_DOWN_BIAS, "ffn.down.bias", FFN, COLUMNS, LAYER)                                           \
    X(CG_ROLE_FFN_POST_NORM, "ffn.post_norm", NORM, COLUMNS, LAYER)                                          \
    X(CG_ROLE_FFN_POST_NORM_BIAS, "ffn.post_norm.bias", NORM, COLUMNS, LAYER)                                \
    X(CG_ROLE_FINAL_NORM, "final.norm", NORM, COLUMNS, FINAL)                                                \
    X(CG_ROLE_FINAL_NORM_BIAS, "final.norm.bias", NORM, COLUMNS, FINAL)                                      \
    X(CG_ROLE_HEAD_TRANSFORM, "head.transform", OTHER, NONE, FINAL)                                          \
    X(CG_ROLE_HEAD_TRANSFORM_BIAS, "head.transform.bias", OTHER, NONE, FINAL)                                \
    X(CG_ROLE_HEAD_NORM, "head.norm", NORM, NONE, FINAL)                                                     \
    X(CG_ROLE_HEAD_NORM_BIAS, "head.norm.bias", NORM, NONE, FINAL)                                           \
    X(CG_ROLE_POOLER, "pooler", OTHER, COLUMNS, FINAL)                                                       \
    X(CG_ROLE_POOLER_BIAS, "pooler.bias", OTHER, NONE, FINAL)                                                \
    X(CG_ROLE_LM_HEAD, "lm_head", EMBEDDING, COLUMNS, FINAL)                                                 \
    X(CG_ROLE_LM_HEAD_BIAS, "lm_head.bias", EMBEDDING, NONE, FINAL)                                          \
    X(CG_ROLE_OTHER, "other", OTHER, NONE, FINAL)

enum cg_role {
#define CG_ROLE_ENUM(id, name, group, residual, place) id,
    CG_ROLE_LIST(CG_ROLE_ENUM)
#undef CG_ROLE_ENUM
        CG_ROLE_COUNT
};

enum cg_group {
    CG_GROUP_EMBEDDING,
    CG_GROUP_ATTENTION,
    CG_GROUP_FFN,
    CG_GROUP_NORM,
    CG_GROUP_OTHER,
    CG_GROUP_COUNT
};
enum cg_residual { CG_RESIDUAL_NONE, CG_RESIDUAL_COLUMNS, CG_RESIDUAL_ROWS };
enum cg_place { CG_PLACE_EMBED, CG_PLACE_LAYER, CG_PLACE_FINAL };

const char *cg_role_name(enum cg_role role);
const char *cg_group_name(enum cg_group group); /* "embedding", "attention", "ffn", "norm", "other" */
enum cg_group cg_role_group(enum cg_role role);
enum cg_residual cg_role_residual(enum cg_role role);
enum cg_place cg_role_place(enum cg_role role);

#endif
