/* The plan: bundles of members read side by side, cut into tasks and dealt to the ranks.
 * Pure arithmetic, no I/O, no communication: every rank computes the same plan.
 *
 * A bundle holds the members, over all models, that are swept together: those of one slot with the same
 * shape, and with them a tied output embedding that serves two slots. Every stored tensor is in exactly one
 * bundle, or each of its parts is. A bundle lives whole on one rank unless it is so large that a rank would
 * wait for it; then its sums (any chunk anywhere) are dealt apart from its streams (hash, panel, sketch: in
 * order), and these, when one rank would still wait, member by member.
 */
#ifndef COGNATE_PLAN_H
#define COGNATE_PLAN_H

#include "cognate/anatomy.h"
#include "cognate/err.h"
#include <stdbool.h>
#include <stdint.h>

/* Canonical elements in a chunk, the unit of summation. Rows stay whole where eight of them fit. Depends on
 * the shape alone, never on the ranks. */
enum { CG_CHUNK_ELEMENTS = 1 << 21 };
int64_t cg_chunk_elements(int64_t rows, int64_t columns);
int64_t cg_chunk_count(int64_t rows, int64_t columns); /* 0 for an empty tensor */

/* Which bundle and place in it a slot's member is. */
struct cg_place_in_bundle {
    int64_t bundle; /* -1: the model leaves the slot empty */
    int32_t position;
};

struct cg_bundle {
    int64_t slot; /* the first slot it serves */
    int64_t rows, columns;
    int32_t members;
    int32_t coded;        /* of these, whose values are made from codes and scales */
    int64_t first_member; /* into plan->members */
    bool real;            /* its members have plain values, so that sums are taken; all do or none */
    bool split;           /* its sums are dealt by chunk */
    bool
        apart; /* split, and its members are streamed by ranks of their own; otherwise one rank streams all */
    int64_t cell, cells; /* in the reduced table: one, or one a chunk when split */
    int64_t bytes;       /* stored, all members: what they hold of their tensors */
    int32_t owner;       /* the rank that streams it (not split) */
};

struct cg_bundle_member {
    int32_t model, tensor; /* tensor: into that checkpoint's tensors */
    enum cg_dtype dtype;
    int32_t owner; /* the rank that hashes it: the bundle's, or its own when split */
    struct cg_grain grain;
    const struct cg_view *view;           /* as in the anatomy's member; it must outlive the plan */
    const struct cg_quantised *quantised; /* likewise */
};

/* A rank's work: one bundle whole, the streams of its members or of one, or a range of chunks' sums. */
enum cg_work { CG_WORK_WHOLE, CG_WORK_STREAM, CG_WORK_SUMS };
struct cg_task {
    enum cg_work work;
    int64_t bundle;
    int32_t member;                 /* CG_WORK_STREAM: position in the bundle, -1 for all of them */
    int64_t first_chunk, end_chunk; /* CG_WORK_SUMS; otherwise all chunks */
};

/* What a hashed byte costs among the loads of a plan, alone and beside those of another member: what a rate
 * of hashing makes seconds of. */
enum { CG_COST_HASH_ALONE = 11, CG_COST_HASH_BESIDE = 6 };

struct cg_plan {
    int ranks;
    int64_t nbundles, nmembers, ncells;
    struct cg_bundle *bundles;
    struct cg_bundle_member *members;
    struct cg_place_in_bundle *places; /* [nslots * models] */
    int64_t ntasks;
    struct cg_task *tasks; /* by rank, within a rank in canonical order */
    int64_t *first_task;   /* [ranks + 1] */
    int64_t *load;         /* [ranks] work in byte-equivalents, see plan.c */
    int64_t *bytes;        /* [ranks] bytes read */
    int64_t total_load;
    int64_t largest;        /* the largest load that cannot be divided */
    int64_t largest_bundle; /* and its bundle */
};

int cg_plan_build(struct cg_plan *out, const struct cg_anatomy *anatomy,
                  const struct cg_checkpoint *const *models, int ranks, struct cg_err *err);
void cg_plan_release(struct cg_plan *plan);

/* The bytes that a task reads. */
int64_t cg_task_bytes(const struct cg_plan *plan, const struct cg_task *task);

/* How far the most loaded rank is above the best possible split: max(load) / max(mean load, largest) - 1. */
double cg_plan_imbalance(const struct cg_plan *plan);

#endif
