/* Anatomy: from raw tensor names to slots.
 *
 * A slot is one place in a transformer: (role, layer, expert), for example ffn.up / 17 / 93. Every model of
 * the run fills it with one member or none. Pure functions of the checkpoints: every rank builds the same
 * anatomy from the broadcast metadata, and nothing is ever dropped: a tensor that no table knows gets a slot
 * of role `other` under its own name.
 */
#ifndef COGNATE_ANATOMY_H
#define COGNATE_ANATOMY_H

#include "cognate/checkpoint.h"
#include "cognate/roles.h"
#include <stdbool.h>
#include <stdint.h>

struct cg_slot {
    enum cg_role role;
    int32_t layer, expert; /* -1 where none */
    char *name; /* canonical: "embed", "layers.17.attn.q", "layers.17.experts.93.ffn.up", "final.norm", or for
                   role other the tensor's own name; unique within an anatomy */
};

/* What one model puts into one slot: a plain tensor seen as a (rows, columns) matrix, row-major. A vector has
 * one row, a scalar one row and one column; more than two axes fold into the columns. */
struct cg_member {
    int32_t tensor; /* index into the checkpoint's tensors; -1: the model leaves the slot empty */
    bool tied;      /* the output embedding of a model that ties it: the same bytes as its `embed` slot */
    int64_t rows, columns;
};

struct cg_anatomy {
    int models;
    int64_t nslots;
    struct cg_slot *slots;     /* [nslots], in canonical order: embeddings, layers upward (within a layer by
                                  role, then by expert), what follows them, then `other` by name */
    struct cg_member *members; /* [nslots * models]; the member of model m in slot s is [s * models + m] */
};

/* Builds the slots of the union of the models' tensors. Local, deterministic.
 * Output embeddings: a causal model without an lm_head tensor that ties its embeddings (config.json says so,
 * or says nothing and the architecture is a ...ForCausalLM) fills `lm_head` with its embedding, but only
 * where some other model of the run has an lm_head of its own; otherwise the slot would repeat `embed`. */
int cg_anatomy_build(struct cg_anatomy *out, const struct cg_checkpoint *const *models, int nmodels,
                     struct cg_err *err);
void cg_anatomy_release(struct cg_anatomy *anatomy);

/* Whether the model's output embedding is its input embedding, by that rule. */
bool cg_ties_embeddings(const struct cg_checkpoint *model);

static inline const struct cg_member *cg_member_of(const struct cg_anatomy *anatomy, int64_t slot, int model)
{
    return &anatomy->members[slot * anatomy->models + model];
}

/* The architecture of one model: config.json's facts, completed from the tensors' shapes where it is silent
 * (hidden size, layers, intermediate sizes, experts, vocabulary; heads only with head_dim). config.json that
 * contradicts the shapes fails with CG_EMISMATCH, naming both numbers and the tensor; a shard read alone may
 * lack layers. */
struct cg_architecture {
    int64_t fact[CG_FACT_COUNT]; /* -1 where unknown */
    bool from_shapes[CG_FACT_COUNT];
};
int cg_architecture_of(struct cg_architecture *out, const struct cg_checkpoint *model, struct cg_err *err);

/* Whether hidden_size, layers, heads, key-value heads, experts and vocab_size are all known and equal
 * (an absent number of experts on both sides counts as equal: both are dense). */
bool cg_architecture_same(const struct cg_architecture *a, const struct cg_architecture *b);

#endif
