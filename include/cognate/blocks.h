/* Feed-forward blocks matched across layers, experts, permutations and bases, hidden unit by hidden unit.
 *
 * A block is two projections of one layer or expert: gate and up, or where there is no gate up and down. Each
 * hidden unit i has a vector v_i in the residual stream's basis by each of them: its row of what reads the
 * stream (gate, up), the gain of the norm before the block multiplied in; its column of what writes to it
 * (down), as it is. Every block of a is held against every block of b that is gated as it is, a cell, by
 * three statistics that need no common order of layers, experts or units:
 *
 * raw: Units are matched twice, by each projection: unit i of a with unit j of b when each has the other as
 * its nearest by centred cosine of v. K is the number of units that both matchings send to the same partner.
 * Of the second vector only what is orthogonal to the unit's first one is matched, for the null's sake. Of a
 * gated up the cosine counts without its sign, which down can take back; without a gate the activation
 * leaves no sign free. Survives permuted units, moved layers, other widths of the block; not another basis.
 *
 * probe: The same with answers in place of v: of unit i to token t v_i . E_t / rms(E_t), over tokens that
 * both models know; before a LayerNorm the mean of E_t is taken away first. For a row that is what the unit
 * reads from the token, for a column what it writes towards it. In another basis R (orthogonal; the gain
 * folded in) E becomes E R, a row v R and a column R' v: the products stay, and the norms of E_t. Survives
 * another basis and width of the residual stream, too.
 *
 * gram: G_ij = v_i . u_j with v by the one projection and u by the other, over the same sample of units in
 * both; the correlation of the two matrices, against the same after a common shift of b's units (31 shifts,
 * as the shift null of sweep.h; Mantel 1967, without matched rows and columns). t with 30 degrees of freedom.
 * Survives another basis, and needs neither tokens nor an embedding; not permuted units.
 *
 * Which bases there are: a model with RMSNorm keeps its function in any orthonormal basis. One with LayerNorm
 * keeps it only where R leaves the vector of ones in place, since the mean over the axis is taken away: under
 * permutations, above all (Ashkboos et al. 2024, arXiv 2401.15024, who turn the one norm into the other).
 *
 * Null of raw and probe: for independent matchings, K of blocks of n and m units has a mean of about 1/4:
 * min(n, m) / 2 mutual pairs by the one projection, each of them mutual by the other with probability
 * 1 / (2 max(n, m)). That needs a unit's two vectors to have nothing to do with each other, which in trained
 * models they do (cosines of gate and up spread by 0.4 in small ones; of GPT-2's rows and columns see Gurnee
 * et al. 2024, arXiv 2401.12181): of strangers with cosines of 0.8 within each unit, 512 units of normal
 * entries, K was 24 by whole vectors, and 3 at most by orthogonal ones, for any such cosine. Models that read
 * the same text share features, which could raise K, too: over 11,000 cells of seven independent small
 * models, taken by gate and up and, the gate dropped, by up and down, the largest K was 3 by vectors and 2 by
 * answers; their means were below 1/4. So K is judged as Poisson with a rate of 5, or more where controls
 * show more (result/kin.h).
 * tests/bench/calibration.py holds K, F and t of strangers against these nulls.
 *
 * In cells of equal shape an exact test: a's rows in a seeded random order are assigned to b's (linear
 * assignment on centred cosines) and put back; F is the number of fixed points. For independent models the
 * assignment is uniform: P(F >= k) <= 1/k!. A sample of up to 1,024 rows and 1,024 columns, the same in both,
 * keeps this exact. The columns of the embeddings over shared tokens get the same test.
 *
 * Routers name the experts of a layer a second time, apart from their matrices: the rows of b's router, gain
 * multiplied in, the mean row of the layer taken away (it chooses no expert), against those of the layer of a
 * that its experts come from, by linear assignment on centred cosines, rectangular where the numbers differ;
 * where the basis differs, answers to tokens stand for rows. An expert is not named by a cosine of 0 or less,
 * nor where another pairing of its row or of the other's is as near. T is how many experts of L layers get
 * the same name from rows as from matrices. Where a router has nothing to do with the experts, which row is
 * whose is arbitrary (the labels of a freshly drawn router's experts are exchangeable), and any one
 * assignment of E experts fits another in j given places with probability (E - j)! / E! at most. So T has
 * factorial moments of at most L^j (within one layer 1, as fixed points of permutations have: de Montmort
 * 1713), and by Markov's inequality P(T >= k) <= L^k / k!. Not so for answers: routers that learn to serve
 * the same experts, or read the same text, may choose alike; these agreements are told and carry no p.
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

struct cg_projection {
    int64_t slot;
    bool by_columns; /* a unit is a column of it, not a row: it writes to the stream */
};

struct cg_ffn_block {
    int32_t layer, expert; /* expert -1: dense, or shared by all tokens */
    bool shared;           /* a shared expert */
    bool gated;            /* by gate and up; otherwise by up and down */
    struct cg_projection by[2];
    int64_t norm;         /* slot of the norm before it, -1: none */
    bool layer_norm;      /* that takes the mean away: it has a bias */
    int64_t units, width; /* hidden units; elements of a unit's vector */
};

/* Every block of a model whose two projections have one shape. Local. The caller frees *out. */
int cg_blocks_list(struct cg_ffn_block **out, int32_t *n, const struct cg_checkpoint *const *models,
                   const struct cg_anatomy *anatomy, int model, struct cg_err *err);

/* What the sweep must tell of a model for its blocks to be sampled: the longest rows of their first
 * projections. Appends to *out [*n]; the caller frees it. Local. */
int cg_blocks_request(struct cg_row_request **out, int64_t *n, size_t *capacity,
                      const struct cg_checkpoint *const *models, const struct cg_anatomy *anatomy, int model,
                      struct cg_err *err);

/* Whether units of the one could be those of the other, in whatever width: both are gated, or neither is. */
bool cg_blocks_comparable(const struct cg_ffn_block *a, const struct cg_ffn_block *b);

/* Every router of a model with two experts or more, as the one projection by[0] of a block: units are its
 * experts. Local. The caller frees *out. */
int cg_routers_list(struct cg_ffn_block **out, int32_t *n, const struct cg_checkpoint *const *models,
                    const struct cg_anatomy *anatomy, int model, struct cg_err *err);

enum { CG_LARGEST_CONTROL = 5 }; /* that K */

struct cg_cell {
    int32_t a, b;                    /* indices into the pair's blocks */
    int32_t units;                   /* sampled in the smaller of the two */
    int32_t raw, probe;              /* K, -1: not taken */
    double raw_cosine, probe_cosine; /* mean over those K of both matchings' cosines, 0 for none */
    double gram;                     /* t, NaN: not taken */
    int32_t sample, fixed[2];        /* exact test: units, F by each projection; sample 0: not taken */
};

/* What the routers say of one of b's experts. */
struct cg_routed {
    int32_t layer, expert; /* of a; -1: not named */
    double cosine;         /* of the two rows, or of their answers; NaN: not named */
    bool by_tokens;        /* by answers */
};

/* What a pair of models came to; the same on every rank. */
struct cg_kinship {
    struct cg_ffn_block *blocks[2];
    int32_t nblocks[2];
    int64_t ncells;
    struct cg_cell *cells; /* by b, then by a */
    struct cg_ffn_block *routers[2];
    int32_t nrouters[2];
    struct cg_routed *routed; /* [nblocks[1]]; NULL: there are no cells */
    int64_t all_cells;        /* every block of a by every block of b */
    bool thinned; /* too many: of each block of b the candidate that sketches name, and blocks of a in the */
    int32_t step; /* same layer, of experts of b only every step-th */
    int64_t candidates;                 /* blocks of b that have one */
    int64_t tokens;                     /* probes; 0: none were taken */
    int32_t units;                      /* sampled a block, at most */
    int32_t planted;                    /* units of the planted block; 0: none was tested */
    int32_t planted_raw, planted_probe; /* its K: a relative of a's first block whose rows, or answers, keep a
                                           cosine of sqrt(0.1), a tenth of their variance; -1: not taken */
    int64_t testable;                   /* cells for an exact test, of which 256 at most are tested */
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
 * Reads: the samples; a down by columns twice whole and as often its rows of a sample. Needs of the sweep the
 * longest rows (cg_blocks_request). */
int cg_kinship_find(const struct cg_comm *comm, const struct cg_checkpoint *const *models,
                    const struct cg_anatomy *anatomy, const struct cg_plan *plan,
                    const struct cg_sweep *sweep, int a, int b, const struct cg_alignment *alignment,
                    struct cg_kinship *out, struct cg_err *err);
void cg_kinship_release(struct cg_kinship *kinship);

/* The compact form for other ranks of the job, and back. Local. */
int cg_kinship_pack(const struct cg_kinship *kinship, struct cg_buf *buf, struct cg_err *err);
int cg_kinship_unpack(struct cg_kinship *out, struct cg_unpacker *from, struct cg_err *err);

/* log10 of P(F >= fixed) for a uniform assignment: -log10(fixed!). */
double cg_fixed_log10_p(int64_t fixed);

/* log10 of the bound L^k / k! for P(T >= k) over `layers` layers; at most 0. */
double cg_agreement_log10_p(int64_t agreeing, int64_t layers);

/* log10 of P(K >= k) for K Poisson with that rate; 0 for k <= 0. By the series of the tail in logarithms. */
double cg_poisson_log10_tail(int64_t k, double rate);

#endif
