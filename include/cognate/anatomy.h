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
#include "cognate/quantised.h"
#include "cognate/roles.h"
#include "cognate/view.h"
#include <stdbool.h>
#include <stdint.h>

struct cg_slot {
    enum cg_role role;
    int32_t layer, expert; /* -1 where none */
    char *name; /* canonical: "embed", "layers.17.attn.q", "layers.17.experts.93.ffn.up", "final.norm", or for
                   role other the tensor's own name; unique within an anatomy */
    bool buffer; /* role other, and known to be no weight: a mask or a table of frequencies */
};

/* What one model puts into one slot: a (rows, columns) matrix, row-major: a stored tensor as it lies, or a
 * view of a part of one. A vector has one row, a scalar one row and one column; more than two axes of a
 * tensor as it lies fold into the columns. Its bytes are rows * columns elements, whatever the tensor holds
 * besides. */
struct cg_member {
    int32_t tensor; /* index into the checkpoint's tensors; -1: the model leaves the slot empty */
    bool tied;      /* the output embedding of a model that ties it: the same bytes as its `embed` slot */
    int64_t rows, columns;
    const struct cg_view *view;           /* the anatomy's; NULL: the tensor as it lies */
    const struct cg_quantised *quantised; /* the anatomy's; NULL: the values themselves are stored. `tensor`
                                             and `view` are then those of the codes, the view in their stored
                                             elements */
    struct cg_grain grain;                /* of its elements, or of their codes */
    int64_t bytes;                        /* stored, sides included */
};

struct cg_anatomy {
    int models;
    int64_t nslots;
    struct cg_slot *slots;     /* [nslots], in canonical order: embeddings, layers upward (within a layer by
                                  role, then by expert), what follows them, then `other` by name */
    struct cg_member *members; /* [nslots * models]; the member of model m in slot s is [s * models + m] */
    struct cg_view *views;     /* that members point at */
    struct cg_quantised *quantised;
    struct cg_buf *warnings; /* [models] lines: tensors that had to stay whole, and why */
};

/* Builds the slots of the union of the models' tensors. Local, deterministic.
 * A fused or packed tensor fills a slot with each of its parts. When its sizes do not add up with
 * config.json, that fails with CG_EMISMATCH; when config.json does not say what they are, the
 * tensor stays whole, in a slot of role `other`, and `warnings` says so. A weight that is stored as codes
 * fills its slot together with its scales, zero points and tables, which have no slots of their own; when
 * they do not fit together, all of them stay whole, likewise. Output embeddings: a causal model without an
 * lm_head tensor that ties its embeddings (config.json says so, or says nothing and the architecture is a
 * ...ForCausalLM) fills `lm_head` with its embedding, but only where some other model of the run has an
 * lm_head of its own; otherwise the slot would repeat `embed`. */
int cg_anatomy_build(struct cg_anatomy *out, const struct cg_checkpoint *const *models, int nmodels,
                     struct cg_err *err);
void cg_anatomy_release(struct cg_anatomy *anatomy);

/* The member that is the model's input embedding, or NULL when it has none. */
const struct cg_member *cg_embedding_of(const struct cg_anatomy *anatomy, int model);

/* Whether the model's output embedding is its input embedding, by that rule. */
bool cg_ties_embeddings(const struct cg_checkpoint *model);

static inline const struct cg_member *cg_member_of(const struct cg_anatomy *anatomy, int64_t slot, int model)
{
    return &anatomy->members[slot * anatomy->models + model];
}

/* How a member is stored: the name of its type, or of the format that quantised it. */
const char *cg_member_type(const struct cg_checkpoint *model, const struct cg_member *member);

/* Whether a member has plain real values, or codes that stand for such. */
bool cg_member_is_real(const struct cg_checkpoint *model, const struct cg_member *member);

/* The elements of all members of a model: as many numbers as its checkpoint stands for, whatever it was
 * quantised to. */
int64_t cg_anatomy_parameters(const struct cg_anatomy *anatomy, int model);

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
