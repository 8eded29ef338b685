/* The sweep: every stored byte is read once, hashed, decoded and multiplied while it is in the cache, and the
 * sums of all ranks meet in one exact reduction.
 */
#ifndef COGNATE_SWEEP_H
#define COGNATE_SWEEP_H

#include "cognate/anatomy.h"
#include "cognate/comm.h"
#include "cognate/features.h"
#include "cognate/plan.h"
#include <stdbool.h>
#include <stdint.h>

enum cg_feature_kind { CG_FEATURES_NONE, CG_FEATURES_HEAD, CG_FEATURES_SKETCH };

/* The journal of a run: what its ranks have finished, in a folder beside its result, so that the same command
 * goes on where a run was cut off. */
struct cg_journal_options {
    const char *folder;   /* made when the first record is written; NULL: no journal */
    double seconds;       /* between two writes */
    uint8_t identity[32]; /* of all that the sums depend on: inputs, options, ranks, version */
};

/* What a fingerprint keeps of each member as it passes, chosen without regard to any partner. */
struct cg_imprint_options {
    int64_t sketch; /* its length; 0: no imprints are taken */
    int64_t panel;  /* elements of a panel, at most, but one line where that is longer */
    int64_t panels; /* of all panels together */
};

/* A matrix of which the sweep tells the longest rows: row r has the squared length
 *     sum over columns c of (x(r, c) gain(c))^2,
 * with elements that are not finite as 0. */
struct cg_row_request {
    int64_t slot;
    int64_t gain; /* the slot of a plain vector of as many elements as the matrix has columns; -1: ones */
    int model;
    int64_t most; /* rows to tell, 1 to as many as there are */
};

struct cg_sweep_options {
    struct cg_journal_options journal;
    struct cg_imprint_options imprint;
    int64_t buffer;       /* bytes a rank for pieces of files, all together */
    double stall_timeout; /* seconds without a read completed, or without a sign of life from a rank */
    enum cg_feature_kind feature_kind;
    int64_t feature_length;                /* the N of head:N or sketch:N */
    bool sketches;                         /* whether to keep sketches, for maps */
    const struct cg_row_request *requests; /* [nrequests] each of another member; they outlive the sweep */
    int64_t nrequests;
};

/* Smallest buffer that the widest bundle of the plan can be swept with. */
int64_t cg_sweep_least_buffer(const struct cg_plan *plan);

/* What the sweep keeps in memory on a rank besides Open MPI's own: buffers, reduced table, panels, metadata.
 */
int64_t cg_sweep_memory(const struct cg_plan *plan, const struct cg_anatomy *anatomy,
                        const struct cg_sweep_options *options);

/* Whether a member is a sample of the PCA: a matrix inside a layer, two axes of more than one element, and
 * for head:N at least N elements. Samples are numbered by model, then in canonical order. */
bool cg_is_sample(const struct cg_slot *slot, const struct cg_member *member,
                  const struct cg_checkpoint *model, const struct cg_sweep_options *options);

/* Over the finite elements of one member. */
struct cg_moments {
    int64_t elements, nonfinite;
    double sum, squares, minimum, maximum; /* minimum and maximum NaN when no element is finite */
    double rounding; /* sum of the squared errors that rounding to a quantised type explains; else 0 */
};

/* Over the elements of a pair that are finite in both. */
struct cg_products {
    int64_t elements;
    double product;    /* sum of a b */
    double difference; /* sum of (b - a)^2; 0 exactly when every decoded element of the pair is equal */
    double sum_a, sum_b, squares_a, squares_b;
};

/* The shift null of a pair of panels (src/sweep/panel.h: one rolled by CG_SHIFTS shifts); NaN where it cannot
 * be taken. */
struct cg_shift_null {
    double cosine, mean, sd, t;
};

/* Input embeddings are kept when all of them together are no larger than CG_KEEP_BYTES. */
enum { CG_SHIFTS = 31, CG_KEEP_BYTES = 32 << 20, CG_PANEL_ELEMENTS = 1 << 18, CG_SHA256 = 32 };

/* By member of the plan. */
struct cg_imprints {
    int64_t sketch, panel; /* as asked for */
    float *sketches;       /* [nmembers * sketch] the sign sketch of src/sweep/features.h, of any tensor */
    uint64_t *values;      /* [nmembers] a hash of the decoded values, whatever type holds them: the sum over
                              all elements of cg_block_hash (src/sweep/kernels.h); NaN and infinity count as 0 */
    int64_t *first;        /* [nmembers + 1] where a member's panel begins; without one it has no length */
    float *panels;         /* lines x residual axis, as in src/sweep/panel.h */
};

/* The rows that were asked for, list after list, the longest first; of equal ones the lower first. */
struct cg_longest {
    int64_t n; /* lists */
    const struct cg_row_request *request;
    int64_t *of;    /* [nslots * models] a member's list, -1 */
    int64_t *first; /* [n + 1] of a list in row */
    int32_t *row;
    int models;
    int64_t bytes_read; /* gains, by this rank */
};

/* The list of a member and how long it is; NULL and 0 where none was asked for. */
const int32_t *cg_longest_rows(const struct cg_longest *longest, int64_t slot, int model, int64_t *n);

/* All that the sweep found; the same on every rank, but for `features`, `sketches` and the rank's own
 * figures. */
struct cg_sweep {
    uint8_t (*digest)[CG_SHA256]; /* [nmembers] */
    struct cg_moments *moments;   /* [nmembers], elements 0 where the member has no plain values */
    int64_t *first_pair;          /* [nbundles + 1] index of a bundle's first pair */
    struct cg_products *products; /* by pair */
    struct cg_shift_null *null;   /* by pair */
    struct cg_features features;  /* this rank's rows */
    struct cg_imprints imprints;  /* empty unless asked for */
    struct cg_sketches sketches;  /* this rank's */
    struct cg_longest longest;
    uint8_t **kept; /* [models] the bytes of small input embeddings, in canonical order, for the tokens; NULL:
                       not kept */
    int models;
    int64_t bytes_read;  /* by this rank; more than the plan says where parts of a tensor alternate element by
                            element: a read for one part then brings in the other, too */
    double seconds;      /* this rank, from its beginning to the reduced sums */
    double read_seconds; /* this rank, in read calls */
};

/* The index of the pair of positions i != j of a bundle. In products a is the lower position. */
int64_t cg_sweep_pair(const struct cg_sweep *sweep, int64_t bundle, int32_t i, int32_t j);

/* Collective, agreed. Goes on where the journal ends, if there is one. A rank that gets SIGTERM or SIGUSR1
 * (see interrupt.h) writes its journal and fails with CG_EINTERRUPTED. Progress goes to the log of rank 0. A
 * rank that gives no sign of life for stall_timeout aborts the job, with its number and the file and offset
 * it was at. */
int cg_sweep_run(const struct cg_comm *comm, const struct cg_checkpoint *const *models,
                 const struct cg_anatomy *anatomy, const struct cg_plan *plan,
                 const struct cg_sweep_options *options, struct cg_sweep *out, struct cg_err *err);
void cg_sweep_release(struct cg_sweep *sweep);

/* Local: fills options->journal.identity from the packed metadata of the models, the options that change
 * sums, the ranks, the version and what a block is. */
int cg_journal_identify(struct cg_sweep_options *options, const struct cg_buf *metadata, int ranks,
                        const char *version, struct cg_err *err);

/* Local: removes the files of a journal, whichever run's they are, and its folder. */
void cg_journal_remove(const char *folder);

#endif
