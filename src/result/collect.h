/* The parts of cg_result_collect: a function a group. */
#ifndef COGNATE_RESULT_COLLECT_H
#define COGNATE_RESULT_COLLECT_H

#include "weigh.h"

int cg_collect_models(struct cg_result *out, const struct cg_findings *findings, struct cg_err *err);
int cg_collect_pairs(struct cg_result *out, const struct cg_findings *findings,
                     const struct cg_comparisons *all, struct cg_err *err);
int cg_collect_tensors(struct cg_result *out, const struct cg_findings *findings,
                       const struct cg_comparisons *all, struct cg_err *err);
int cg_collect_layers(struct cg_result *out, const struct cg_findings *findings,
                      const struct cg_comparisons *all, struct cg_err *err);
int cg_collect_experts(struct cg_result *out, const struct cg_findings *findings,
                       const struct cg_comparisons *all, struct cg_err *err);
int cg_collect_cells(struct cg_result *out, const struct cg_findings *findings, struct cg_err *err);
int cg_collect_merges(struct cg_result *out, const struct cg_merges *merges, struct cg_err *err);
int cg_collect_identities(struct cg_result *out, const struct cg_findings *findings,
                          const struct cg_comparisons *all, struct cg_err *err);
int cg_collect_embeddings(struct cg_result *out, const struct cg_findings *findings, struct cg_err *err);
int cg_collect_pca(struct cg_result *out, const struct cg_findings *findings, struct cg_err *err);

/* Writes verdict, relation, log10_p, detection_limit, rounding_ratio and reasons of every pair; the other
 * groups must stand.
 */
int cg_judge(struct cg_result *out, const struct cg_findings *findings, const struct cg_comparisons *all,
             struct cg_err *err);

#endif
