/* What the matched blocks of a pair come to, judged beside the other pairs of the run. Pure.
 *
 * Raw and probe: K against a Poisson tail whose rate is the largest of
 *     CG_LARGEST_CONTROL + 4 median of K over all cells of the pair (blocks that have nothing to do with
 *     each other are most of them), and
 *     the largest K of the control pairs: pairs of the run in which no block, no column and no slot
 *     passes, and that share a model with this one.
 * Gram: Student's t with 30 degrees of freedom. Exact: 1/F!. All corrected (Bonferroni) for the pair's
 * `tests`: three a cell, of those that were not matched, too, two an exact test, one for the columns. A cell
 * passes with p < 1e-12.
 */
#ifndef COGNATE_RESULT_KIN_H
#define COGNATE_RESULT_KIN_H

#include "cognate/findings.h"

enum cg_method { CG_BY_RAW, CG_BY_PROBE, CG_BY_GRAM, CG_BY_EXACT, CG_METHODS };

/* Whether an expert's matrices and its router, matched apart, name the same expert of a. */
enum cg_names { CG_NAMES_UNTOLD, CG_NAMES_AGREE, CG_NAMES_DIFFER };

/* Experts of b whom both name, and those to whom they give the same name. */
struct cg_naming {
    int32_t named, same, layers; /* layers of b that hold them */
    double cosine;               /* of the routers, mean over the same; NaN: none */
};

struct cg_kin {
    const struct cg_kinship *of; /* NULL: the tests were not run */
    double rate[2];              /* of K, by raw and by probe */
    int64_t tests;
    int64_t *origin;       /* [blocks of b] the cell that says where the block comes from, -1: none passes */
    double *log10_p;       /* [blocks of b] the strongest of its cells, corrected */
    int32_t layers;        /* of b that have blocks: one more than the highest */
    int32_t *from;         /* [layers] the layer of a that it comes from, -1 */
    double *layer_log10_p; /* [layers] NaN: no block */
    int32_t passing[CG_METHODS];      /* layers of b in which a cell passes by that method */
    int32_t tested_exactly, exact[2]; /* cells; those that pass by each projection */
    bool columns;                     /* the embeddings' columns pass */
    double columns_log10_p;           /* corrected; NaN: not tested */
    bool tokens; /* the embeddings' token_gram is over half way from three quarters of the controls to 1 */
    double token_bound;         /* that half way; NaN: fewer than three control pairs */
    struct cg_naming naming[2]; /* by routers' rows, by their answers to tokens */
    double naming_log10_p;      /* of the first, see blocks.h; NaN: none is named */
    double naming_bound;        /* the largest mean cosine of answers in control pairs; NaN: none */
    double strongest;           /* log10 p, corrected, of everything here; NaN: nothing was tested */
};

/* [npairs], in *out; `silent` says of each pair that no slot of it passes. */
int cg_kins_judge(struct cg_kin **out, const struct cg_findings *findings, const bool *silent,
                  struct cg_err *err);
void cg_kins_release(struct cg_kin *kins, int64_t npairs);

/* Of block i of b. Untold where either map is silent, or the matrices fit several experts of the layer alike,
 * as after up-cycling. */
enum cg_names cg_kin_names(const struct cg_kin *kin, int32_t i);

/* Whether one may serve the other as a control. */
bool cg_pairs_share_a_model(const int32_t a[2], const int32_t b[2]);

/* Of one cell by one method: corrected; NaN where it was not taken. */
double cg_cell_log10_p(const struct cg_kin *kin, const struct cg_cell *cell, enum cg_method method);

/* Whether b's blocks have gates: what their two projections are called. */
bool cg_kin_gated(const struct cg_kin *kin);

/* Whether a planted relative that keeps a tenth of the weights' variance would pass, and b's blocks cover at
 * least half of its layers. */
bool cg_kin_has_power(const struct cg_kin *kin);

/* The share of the smaller block's units that found one partner, times how alike they are: what the maps
 * show.
 */
double cg_cell_likeness(const struct cg_cell *cell);

#endif
