/* Which cells of a pair are matched: all, or where those are too many, candidates and an even choice. */
#ifndef COGNATE_EVIDENCE_CELLS_H
#define COGNATE_EVIDENCE_CELLS_H

#include "cognate/blocks.h"
#include "cognate/plan.h"
#include "cognate/sweep.h"

/* Cells of a pair, at most. */
enum { CG_MOST_CELLS = 1 << 16 };

/* Lists the cells of out->blocks anew, by b, then by a. When there are more than `most`: of each block of b
 * its candidate (NULL, or [nblocks[1]] blocks of a, -1 none), and of its own layer every block of a, but
 * of experts of b only every step-th, the least step that keeps to `most`, candidates aside. Local. */
int cg_cells_list(struct cg_kinship *out, int64_t most, const int32_t *candidate, struct cg_err *err);

/* Of each block of b the block of a, of its shape, that is most like it by sketches of both projections: a
 * mean cosine of 5 / sqrt(2 buckets) at least, where chance has a deviation of 1 / sqrt(2 buckets); -1 where
 * there is none. *candidate has nblocks[1]; the caller frees it. Collective, agreed. Memory a rank: at most
 * 64 MiB a model; work: at most 1e11 multiply-adds by GEMM. Where more would be needed sketches are folded.
 */
int cg_candidates_find(const struct cg_comm *comm, const struct cg_anatomy *anatomy,
                       const struct cg_plan *plan, const struct cg_sweep *sweep, const int model[2],
                       const struct cg_kinship *of, int32_t **candidate, struct cg_err *err);

#endif
