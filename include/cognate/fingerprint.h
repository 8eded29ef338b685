/* Fingerprints: all that the evidence needs of one model, in one file of at most some 80 MiB, chosen without
 * regard to any partner. Two of them stand for their models: verdicts come from both without any weight.
 *
 * What is kept (fingerprint_schema.h has every dataset):
 *   metadata of the checkpoint, from which slots are named as in any run;
 *   of every slot SHA-256, moments, a hash of its decoded values, a sign sketch of 2,048 numbers
 *     or as many as 4 Mi numbers leave for each slot, a power of two (sketches of two lengths meet in the
 *     shorter: it is the longer one folded);
 *   panels of the shift null of up to 16 Ki elements, 8 Mi in all: experts come last, in an order of
 *     their names' hashes, so that models keep the same;
 *   of feed-forward blocks signatures, products and rows as compare takes them (blocks.h), smaller: what
 *     40 MiB leave. Where they do not suffice for all, experts are chosen as panels are;
 *   the vocabulary, and embedding rows of a coordinated sample of tokens: the smallest seeded hashes of
 *     their bytes, so that the samples of two models overlap in what the vocabularies share.
 * Samples of weights are 16-bit integers times a scale a row: their rounding is 1/65,534 of a row's largest
 * value, below that of bf16.
 *
 * Estimates from sketches of length L: the cosine c of two slots of more than L elements has a standard error
 * of (1 - c^2) / sqrt(L) (Charikar, Chen and Farach-Colton 2002, doi 10.1007/3-540-45465-9_59), the squared
 * difference a relative one of sqrt(2 / L). Of smaller slots both are exact.
 */
#ifndef COGNATE_FINGERPRINT_H
#define COGNATE_FINGERPRINT_H

#include "cognate/anatomy.h"
#include "cognate/blocks.h"
#include "cognate/evidence.h"
#include "cognate/fingerprint_schema.h"
#include "cognate/maps.h"
#include "cognate/plan.h"
#include "cognate/result.h"
#include "cognate/sweep.h"
#include "cognate/tokens.h"
#include "cognate/vocabulary.h"

enum { CG_PRINT_VERSION = 1 };

enum cg_print_dimension {
#define CG_PRINT_DIMENSION_ENUM(id, group, name) id,
    CG_PRINT_DIMENSION_LIST(CG_PRINT_DIMENSION_ENUM)
#undef CG_PRINT_DIMENSION_ENUM
        CG_PRINT_DIMENSION_COUNT
};

/* What a fingerprint says in texts and numbers of its root group, in the order in which they stand there. */
#define CG_PRINT_TEXTS(X)                                                                                    \
    X(LABEL, label)                                                                                          \
    X(PATH, path)                                                                                            \
    X(FOLDER, folder)                                                                                        \
    X(FAMILY, family)                                                                                        \
    X(MODEL_TYPE, model_type)                                                                                \
    X(ARCHITECTURE, architecture)                                                                            \
    X(CONFIG_FILE, config_file)                                                                              \
    X(QUANT_METHOD, quant_method)                                                                            \
    X(QUANT_FORMAT, quant_format)

/* units, columns, probes, square, exact_rows, exact_columns: of a block; sample_columns: of a token's row. */
#define CG_PRINT_NUMBERS(X)                                                                                  \
    X(ALONE, alone)                                                                                          \
    X(CONFIG_PRESENT, config_present)                                                                        \
    X(QUANT_BY_LAYER, quant_by_layer)                                                                        \
    X(TIED, tied)                                                                                            \
    X(EMBEDDING_SIZE, embedding_size)                                                                        \
    X(VOCABULARY, vocabulary)                                                                                \
    X(PANEL, panel)                                                                                          \
    X(UNITS, units)                                                                                          \
    X(COLUMNS, columns)                                                                                      \
    X(PROBES, probes)                                                                                        \
    X(SQUARE, square)                                                                                        \
    X(EXACT_ROWS, exact_rows)                                                                                \
    X(EXACT_COLUMNS, exact_columns)

enum cg_print_text {
#define CG_PRINT_TEXT_ENUM(id, name) CG_PRINT_##id##_TEXT,
    CG_PRINT_TEXTS(CG_PRINT_TEXT_ENUM)
#undef CG_PRINT_TEXT_ENUM
        CG_PRINT_TEXT_COUNT
};
enum cg_print_number {
#define CG_PRINT_NUMBER_ENUM(id, name) CG_PRINT_##id##_NUMBER,
    CG_PRINT_NUMBERS(CG_PRINT_NUMBER_ENUM)
#undef CG_PRINT_NUMBER_ENUM
        CG_PRINT_NUMBER_COUNT
};

#define CG_C_UINT8   uint8_t *
#define CG_C_INT16   int16_t *
#define CG_C_FLOAT32 float *

struct cg_fingerprint {
    int64_t size[CG_PRINT_DIMENSION_COUNT];
    struct {
        CG_PRINT_ROOT(CG_VARIABLE_FIELD)
    } root;
    struct {
        CG_PRINT_CHECKPOINT(CG_VARIABLE_FIELD)
    } checkpoint;
    struct {
        CG_PRINT_SLOTS(CG_VARIABLE_FIELD)
    } slots;
    struct {
        CG_PRINT_BLOCKS(CG_VARIABLE_FIELD)
    } blocks;
    struct {
        CG_PRINT_TOKENS(CG_VARIABLE_FIELD)
    } tokens;
    char *source, *notes;
    struct cg_run run;
};

/* All zero memory is a valid empty fingerprint. */
void cg_fingerprint_release(struct cg_fingerprint *print);

/* What the sweep of a model has to keep for its fingerprint. Pure. */
struct cg_imprint_options cg_fingerprint_imprint(const struct cg_anatomy *anatomy);

/* A run's only model, swept with those imprints. */
struct cg_print_subject {
    const struct cg_checkpoint *const *models; /* [1] */
    const struct cg_architecture *architecture;
    const struct cg_anatomy *anatomy;
    const struct cg_plan *plan;
    const struct cg_sweep *sweep;
    const struct cg_vocabulary *vocabulary; /* rank 0's; empty elsewhere */
};

/* Collective, agreed: the fingerprint on every rank, the same bits on any number of ranks; `source`, `notes`
 * and `run` stay empty. Reads the samples of blocks and embeddings; *reread is what this rank read for them.
 * Released on failure. */
int cg_fingerprint_take(const struct cg_comm *comm, const struct cg_print_subject *subject,
                        struct cg_fingerprint *out, int64_t *reread, struct cg_err *err);

/* As cg_result_write, cg_result_read and cg_result_verify. Reading checks, beyond the SHA-256 of each
 * dataset, all that an index or a size could do harm with. */
int cg_fingerprint_write(const struct cg_fingerprint *print, const char *path, struct cg_err *err);
int cg_fingerprint_read(struct cg_fingerprint *out, const char *path, struct cg_err *err);
int cg_fingerprint_verify(const char *path, struct cg_err *err);

/* Reads and checks what cg_fingerprint_checkpoint needs alone: all else stays empty. */
int cg_fingerprint_read_metadata(struct cg_fingerprint *out, const char *path, struct cg_err *err);

/* Whether the file says that it is a fingerprint, of whatever version, or is HDF5 too damaged to say. */
bool cg_fingerprint_recognise(const char *path);

/* Puts "PATH: " before the text of err and returns -1. */
int cg_fingerprint_blame(const char *path, struct cg_err *err);

/* The model's metadata as they were; fails where slots are no longer named as they were then, and says that
 * the fingerprint is to be made anew. *out is all zero before, and released on failure. */
int cg_fingerprint_checkpoint(struct cg_checkpoint *out, const struct cg_fingerprint *print,
                              struct cg_err *err);

/* Digests and moments of one of the models of a run, by member of its plan, into sweep->digest and
 * sweep->moments. */
int cg_fingerprint_members(struct cg_sweep *sweep, const struct cg_anatomy *anatomy,
                           const struct cg_plan *plan, int model, const struct cg_fingerprint *print,
                           struct cg_err *err);

/* What is made of a fingerprint once for all pairs in which it is the first: up to 96 MiB. */
struct cg_kept;
struct cg_kept *cg_fingerprint_keep(struct cg_err *err);
void cg_fingerprint_forget(struct cg_kept *kept);

/* Two fingerprints and the places of their models in a common anatomy. */
struct cg_print_pair {
    const struct cg_checkpoint *const *models;
    const struct cg_anatomy *anatomy;
    const struct cg_plan *plan;
    const struct cg_sweep *sweep; /* digests and moments of both */
    int model[2];
    const struct cg_fingerprint *print[2];
    struct cg_kept *kept; /* what the pairs of one print[0] share; or NULL */
};

/* Local: all slots of the pair, [nslots], as cg_compare_slot. */
int cg_fingerprint_compare(const struct cg_print_pair *pair, struct cg_comparison *out, struct cg_err *err);

/* Local: the layers of the pair held against each other, as cg_maps_find; without layers where one of the
 * sketches is shorter than that wants. */
int cg_fingerprint_maps(const struct cg_print_pair *pair, struct cg_maps *out, struct cg_err *err);

/* Local: the vocabularies of the two aligned, the cosines of the tokens that both have sampled (none is
 * listed), and the kinship of their blocks, without updates. *aligned: both have a vocabulary. */
int cg_fingerprint_kinship(const struct cg_print_pair *pair, struct cg_alignment *alignment, bool *aligned,
                           struct cg_token_cosines *tokens, struct cg_kinship *kinship, struct cg_err *err);

#endif
