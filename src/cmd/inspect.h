/* What `cognate inspect` says about models, gathered from their metadata alone, and its two ways to say it.
 */
#ifndef COGNATE_CMD_INSPECT_H
#define COGNATE_CMD_INSPECT_H

#include "models.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A model's slots of one role and shape, stored alike. */
struct slot_group {
    enum cg_role role;
    int64_t rows, columns;
    int64_t slots;
    int32_t first_layer, last_layer, layers; /* lowest, highest and how many; the first two -1 where none */
    int32_t first_expert, last_expert;       /* -1 where none */
    const char *stored;                      /* as what: a type, or the format that quantised them */
    int32_t part_of; /* the first one's tensor when they are parts of tensors, else -1 */
};

/* The groups of a model's known slots, in the order of roles; *groups is on the heap. */
int inspect_group_slots(const struct cg_models *in, int model, struct slot_group **groups, size_t *ngroups,
                        struct cg_err *err);

/* How the slots of one role (of experts, or not) of two models stand to each other. */
struct role_tally {
    int64_t same_shape, other_shape, only_a, only_b; /* slots */
    struct cg_member a, b;                           /* the first two whose shapes differ */
};

/* Why a slot that one model fills cannot be compared with the other. The first that holds counts. */
enum obstacle {
    OBSTACLE_HIDDEN_SIZE, /* both fill it, with another size along the residual stream */
    OBSTACLE_SIZE,        /* both fill it, with another size elsewhere */
    OBSTACLE_ROLE,        /* the other has no slot of that role, or none among its experts */
    OBSTACLE_LAYER,       /* the other has not so many layers */
    OBSTACLE_EXPERT,      /* the other has not so many experts */
    OBSTACLE_LAYOUT,      /* the other builds that layer otherwise: dense, for example */
    OBSTACLE_COUNT
};

struct pairing {
    int64_t same_shape, slots_a, slots_b;
    int64_t parameters_a, parameters_b;        /* of all slots */
    int64_t same_a, same_b;                    /* of slots of the same shape */
    struct role_tally tally[CG_ROLE_COUNT][2]; /* [role][is an expert's] */
    int64_t obstacles[OBSTACLE_COUNT];         /* slots */
};
void inspect_pair(const struct cg_models *in, int a, int b, struct pairing *out);

/* Of the facts that make an architecture the same, the names of those in which two models differ, in
 * out[size], separated by ", "; "" when they agree. */
const char *inspect_differences(const struct cg_models *in, int a, int b, char *out, size_t size);

void inspect_count_dtypes(const struct cg_checkpoint *model, int64_t counts[CG_DTYPE_COUNT]);

/* Whether no naming table knows a slot's tensor. */
bool inspect_is_unknown(const struct cg_slot *slot);
int64_t inspect_count_unknown(const struct cg_models *in, int model);

/* Both write to `out`; whether that worked, ferror says. They fail for want of memory only. */
int inspect_print_text(FILE *out, const struct cg_models *in, struct cg_err *err);
int inspect_print_json(FILE *out, const struct cg_models *in, struct cg_err *err);

#endif
