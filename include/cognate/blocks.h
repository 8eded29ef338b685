/* Feed-forward blocks matched across layers, experts, permutations and bases, hidden unit by hidden unit.
 *
 * A block is the gate and up projection of one layer or expert; w is a row of one of them with the gain of
 * the norm before the block multiplied in. Every block of a is held against every block of b, a cell, by
 * three statistics that need no common order of layers, experts or units:
 *
 * raw: Rows are matched twice, by gate and by up: row i of a with row j of b when each has the other as its
 * nearest by centred cosine. K is the number of units that both matchings send to the same partner. Of up the
 * cosine counts without its sign, which down can take back. Survives permuted units, moved layers, other
 * widths of the block; not another basis.
 *
 * probe: The same with responses in place of rows: unit i answers token t with w_i . E_t / rms(E_t), over
 * tokens that both models know. Survives another basis and width of the residual stream, too.
 *
 * gram: G_ij = gate_i . up_j over the same sample of units in both; the correlation of the two matrices,
 * against the same after a common shift of b's units (31 shifts, as the shift null of sweep.h; Mantel 1967,
 * without matched rows and columns). t with 30 degrees of freedom. Survives another basis, and needs neither
 * tokens nor an embedding; not permuted units.
 *
 * Null of raw and probe: for independent matchings, K of blocks of n and m units has a mean of about 1/4:
 * min(n, m) / 2 mutual pairs by gate, each of them mutual by up with probability 1 / (2 max(n, m)). Models
 * that read the same text share features, which raises it: over 90,000 cells of independent small models no K
 * was above 5. So K is judged as Poisson with a rate of 5, or more where controls show more (result/kin.h).
 * tests/bench/calibration.py holds K, F and t of strangers against these nulls.
 *
 * In cells of equal shape an exact test: a's rows in a seeded random order are assigned to b's (linear
 * assignment on centred cosines) and put back; F is the number of fixed points. For independent models the
 * assignment is uniform: P(F >= k) <= 1/k!. A sample of up to 1,024 rows and 1,024 columns, the same in both,
 * keeps this exact. The columns of the embeddings over shared tokens get the same test.
 */
#ifndef COGNATE_BLOCKS_H
#define COGNATE_BLOCKS_H

#include "cognate/anatomy.h"
#include "cognate/comm.h"
#include "cognate/plan.h"
#include "cognate/sweep.h"
#include "cognate/vocabulary.h"
#include <stdbool.h>
#include <stdint.h>

struct cg_ffn_block {
    int32_t layer, expert; /* expert -1: dense, or shared by all tokens */
    bool shared;           /* a shared expert */
    int64_t gate, up;      /* slots */
    int64_t norm;          /* slot of the norm before it, -1: none */
    int64_t units, width;  /* rows and columns of both */
};

/* Every block of a model that has gate and up of one shape. Local. The caller frees *out. */
int cg_blocks_list(struct cg_ffn_block **out, int32_t *n, const struct cg_checkpoint *const *models,
                   const struct cg_anatomy *anatomy, int model, struct cg_err *err);

enum { CG_LARGEST_CONTROL = 5 }; /* that K */

struct cg_cell {
    int32_t a, b;                    /* indices into the pair's blocks */
    int32_t units;                   /* sampled in the smaller of the two */
    int32_t raw, probe;              /* K, -1: not taken */
    double raw_cosine, probe_cosine; /* mean over those K of both matchings' cosines, 0 for none */
    double gram;                     /* t, NaN: not taken */
    int32_t sample, fixed[2];        /* exact test: rows, F by gate and by up; sample 0: not taken */
};

/* What a pair of models came to; the same on every rank. */
struct cg_kinship {
    struct cg_ffn_block *blocks[2];
    int32_t nblocks[2];
    int64_t ncells;
    struct cg_cell *cells;
    bool thinned;    /* too many cells: experts are compared within layers of the same index only */
    int64_t tokens;  /* probes; 0: none were taken */
    int32_t units;   /* sampled a block, at most */
    int32_t planted; /* units of the planted block; 0: none was tested */
    int32_t planted_raw, planted_probe; /* its K: a relative of a's first block whose rows, or answers, keep a
                                           cosine of sqrt(0.1), a tenth of their variance; -1: not taken */
    int32_t columns, fixed_columns;     /* exact test of the embeddings' columns; columns 0: not taken */
    double token_gram;    /* correlation of the centred Gram matrices of shared tokens' rows (linear CKA,
                             Kornblith et al. 2019), invariant under rotation; NaN: not taken. Shared meaning
                             raises it: it has no null but other models. */
    int32_t updates;      /* matrices of which b - a was looked at */
    int32_t update_rank;  /* the largest numerical rank of b - a in them (src/evidence/update.h); -1: not low,
                             or none was looked at */
    int64_t bytes_reread; /* by this rank */
};

/* Collective, agreed. Needs the pair's aligned ids on every rank.
 * Memory a rank: at most 128 MiB for the samples of both models and 20 MiB for one full sample, whatever the
 * models. Work: at most 5e10 multiply-adds for the cells by each matching (samples shrink until it fits), 1e9
 * an exact test and half (at most 256), and a block's answers to tokens; for two Llama-3-8B 2e11 in all.
 * Reads: every gate whose units are sampled once whole, and the samples. */
int cg_kinship_find(const struct cg_comm *comm, const struct cg_checkpoint *const *models,
                    const struct cg_anatomy *anatomy, const struct cg_plan *plan,
                    const struct cg_sweep *sweep, int a, int b, const struct cg_alignment *alignment,
                    struct cg_kinship *out, struct cg_err *err);
void cg_kinship_release(struct cg_kinship *kinship);

/* log10 of P(F >= fixed) for a uniform assignment: -log10(fixed!). */
double cg_fixed_log10_p(int64_t fixed);

/* log10 of P(K >= k) for K Poisson with that rate; 0 for k <= 0. By the series of the tail in logarithms. */
double cg_poisson_log10_tail(int64_t k, double rate);

#endif
