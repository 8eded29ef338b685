/* The naming table: which place in a transformer a tensor has by its name, and how it falls into parts. */
#ifndef COGNATE_ANATOMY_NAMES_H
#define COGNATE_ANATOMY_NAMES_H

#include "cognate/checkpoint.h"
#include "cognate/roles.h"
#include <stdbool.h>
#include <stdint.h>

/* How the output axis of a matrix, or the one axis of a bias, is shared out. */
enum cg_split {
    CG_SPLIT_NONE,
    CG_SPLIT_HALVES,    /* [a; b] */
    CG_SPLIT_ALTERNATE, /* a b a b ... */
    CG_SPLIT_PAIRED,    /* no parts: each head's two halves alternate, for rotary embeddings of neighbours */
    CG_SPLIT_QKV,       /* [q; k; v] */
    CG_SPLIT_QKV_BY_HEAD, /* for each key-value head: its queries, its key, its value */
    CG_SPLIT_KV_BY_HEAD   /* for each head: its key, its value, of latent attention */
};

/* Where the experts of a layer are when one tensor holds them all. */
enum cg_stack {
    CG_STACK_NONE,
    CG_STACK_AXIS, /* on an axis of their own, the first */
    CG_STACK_ROWS, /* one below the other: (experts * rows, columns) */
    CG_STACK_HEADS /* no experts, but heads on an axis of their own: one matrix, head below head */
};

/* How a stored tensor becomes (out, in) matrices. All zero: it is one as it lies. */
struct cg_cut {
    enum cg_split split;
    enum cg_stack stack;
    bool transposed; /* stored (in, out) */
    bool either;     /* stored (out, in) by some writers: then hidden_size tells, where it can */
};

/* A place in a model; layer and expert are -1 where there is none. */
enum { CG_MOST_PARTS = 3 };
struct cg_site {
    enum cg_role role;
    int32_t layer, expert;
    bool buffer; /* no weight; its role is `other` */
    struct cg_cut cut;
    enum cg_role
        parts[CG_MOST_PARTS]; /* the roles of the parts that `cut.split` makes; the first is `role` */
};

/* How one model names and lays out its tensors: which of the conditional meanings hold in it. */
struct cg_naming {
    bool post_ffn_norm;    /* it has norms behind the feed-forward block */
    bool conv1d;           /* GPT-2's linear layers, stored (in, out) */
    bool linear;           /* GPT-2's names, for linear layers stored (out, in) */
    bool linear_qkv;       /* ... whose c_attn is [q; k; v], not head by head */
    bool qkv_by_head;      /* qkv_proj goes head by head */
    bool kv_halves;        /* kv_b is compared in two halves, as llama.cpp stores it */
    bool own_width;        /* its intermediate_size is not the width of its feed-forward blocks */
    struct cg_cut experts; /* how it packs them */
    /* Of GGUF's names: */
    bool paired;         /* the rows of queries and keys are reordered */
    bool fused_up;       /* ffn_up holds gate and up */
    bool other_qkv;      /* attn_qkv is not [q; k; v] of the heads that the model states */
    bool two_attn_norms; /* attn_norm_2 is attention's, attn_norm that of the feed-forward block */
};
struct cg_naming cg_naming_of(const struct cg_checkpoint *model);

/* Whether a model has the halves of kv_b: then all models of the run are to be compared so. */
bool cg_has_kv_halves(const struct cg_checkpoint *model);

/* The site of a tensor by its whole name; {CG_ROLE_OTHER, -1, -1} when no row of the table fits. */
struct cg_site cg_site_of(const struct cg_naming *naming, const char *name);

#endif
