/* Models made up slot by slot: an anatomy and the checkpoints it speaks of, without files until asked for. */
#ifndef TESTS_PLAN_SYNTHETIC_H
#define TESTS_PLAN_SYNTHETIC_H

#include "cognate/anatomy.h"

enum { SYNTHETIC_MODELS = 5 };

struct synthetic {
    struct cg_checkpoint model[SYNTHETIC_MODELS];
    const struct cg_checkpoint *models[SYNTHETIC_MODELS];
    struct cg_anatomy anatomy;
};

void synthetic_begin(struct synthetic *made, int models);
void synthetic_release(struct synthetic *made);

/* Adds a slot, in canonical order, that no model fills yet. Returns its number. */
int64_t synthetic_slot(struct synthetic *made, enum cg_role role, int32_t layer, int32_t expert);

/* What a model puts into the slot added last. */
void synthetic_member(struct synthetic *made, int model, enum cg_dtype dtype, int64_t rows, int64_t columns);

/* The model's member of `slot` serves the slot added last, too. */
void synthetic_tie(struct synthetic *made, int model, int64_t slot);

/* A slot that every model fills alike. */
void synthetic_alike(struct synthetic *made, enum cg_role role, int32_t layer, int32_t expert,
                     enum cg_dtype dtype, int64_t rows, int64_t columns);

#endif
