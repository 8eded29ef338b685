/* What one rank does with the pieces it reads: hash, decode, sum, panel, features. Local. */
#ifndef COGNATE_SWEEP_WORKER_H
#define COGNATE_SWEEP_WORKER_H

#include "block.h"
#include "dequantise.h"
#include "digest.h"
#include "features.h"
#include "imprint.h"
#include "longest.h"
#include "panel.h"
#include "sketches.h"
#include "stream.h"
#include "table.h"

/* A panel of a split bundle, kept until its partners' panels come. */
struct cg_held_panel {
    int64_t bundle;
    int32_t member;
    float *panel;
};

struct cg_worker {
    const struct cg_checkpoint *const *models;
    const struct cg_anatomy *anatomy;
    const struct cg_plan *plan;
    const struct cg_sweep_options *options;
    int32_t widest; /* members of a bundle at most */
    struct cg_samples samples;
    struct cg_features features; /* this rank's rows, in the order of its tasks */
    struct cg_sketches sketches; /* likewise */
    struct cg_longest longest;
    struct cg_files *files; /* for gains */
    struct cg_table table;
    struct cg_imprints imprints; /* of the members that this rank streams */
    uint8_t *
        *kept; /* [models] input embeddings that this rank keeps as it hashes them; NULL for the others */

    /* of the task at hand */
    struct cg_block block;
    struct cg_dequantiser *dequantiser; /* [members] of quantised ones */
    struct cg_sums *sums;
    struct cg_digests *digests;
    const uint8_t **data; /* [members] what the digests take next, and how much */
    size_t *bytes;
    struct cg_panel_shape shape;
    float **panel;                  /* [members]; NULL: the bundle has none */
    size_t panel_size;              /* floats of each */
    double **feature;               /* [members] row of the sample, NULL for none */
    struct cg_sketch *sketch;       /* [members] for maps and the PCA */
    struct cg_signs signs;          /* of the block at hand */
    struct cg_row_lengths *lengths; /* [members] */
    double *cells;                  /* chunk after chunk, of a bundle summed whole */
    struct cg_panel_shape *imprint; /* [members] of the imprints' panels */
    struct cg_sketch *imprinted;    /* [members] the imprints' */
    size_t cells_capacity;
    int64_t chunks; /* in cells so far */
    double *scratch;
    struct cg_panel *compared;  /* [members] */
    struct cg_shift_null *null; /* [pairs] */

    struct cg_held_panel *held;
    size_t nheld, held_capacity;
};

int cg_worker_init(struct cg_worker *worker, const struct cg_checkpoint *const *models,
                   const struct cg_anatomy *anatomy, const struct cg_plan *plan, int rank,
                   const struct cg_sweep_options *options, struct cg_err *err);
void cg_worker_release(struct cg_worker *worker);

/* The pieces of a task come one after another, in order. */
int cg_worker_take(struct cg_worker *worker, const struct cg_piece *piece, struct cg_err *err);

/* The panel of a bundle's members; a slot with one member has nothing to compare it with. */
struct cg_panel_shape cg_bundle_panel_shape(const struct cg_anatomy *anatomy, const struct cg_bundle *bundle);

/* The doubles of scratch that comparing the panels of any bundle takes. */
int64_t cg_panels_room(const struct cg_plan *plan, const struct cg_anatomy *anatomy);

/* Stored bytes of all input embeddings: up to CG_KEEP_BYTES they are kept. */
int64_t cg_embedding_bytes(const struct cg_plan *plan, const struct cg_anatomy *anatomy);

/* The nulls of every two members of a bundle, into the table. values[members]; not read where the shape has
 * no panel. */
void cg_compare_panels(struct cg_worker *worker, const struct cg_panel_shape *shape, int64_t bundle,
                       const float *const *values);

/* Whether the worker keeps a member's bytes: those of an input embedding, not of an lm_head beside it. */
bool cg_is_kept(const struct cg_worker *worker, int64_t bundle, const struct cg_bundle_member *member);

/* Holds the panel of a member streamed apart until its partners' come; takes it over. */
int cg_hold_panel(struct cg_worker *worker, const struct cg_task *task, float *panel, struct cg_err *err);

#endif
