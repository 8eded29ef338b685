/* Sums of a bundle: over blocks, then over chunks, in a fixed order with a compensated addition, so that the
 * result does not depend on who adds which chunk. One chunk's sums are a cell of plain doubles: the unit of
 * the reduction. */
#ifndef COGNATE_SWEEP_SUMS_H
#define COGNATE_SWEEP_SUMS_H

#include "block.h"
#include "cognate/sweep.h"

/* A cell: for each member sum, squares, minimum, maximum, nonfinite, rounding; for each pair product,
 * difference. */
enum { CG_MEMBER_FIELDS = 6, CG_PAIR_FIELDS = 2 };

static inline int64_t cg_cell_size(int32_t members)
{
    return CG_MEMBER_FIELDS * (int64_t)members + CG_PAIR_FIELDS * cg_pairs(members);
}

/* What must be taken away from a pair's own moments because the other side's value is not finite. Rare, so
 * kept as a list. */
struct cg_loss {
    int64_t bundle, chunk;
    int32_t low, high;                      /* positions of the pair, low < high */
    double elements[2], sum[2], squares[2]; /* finite in low but not in high, and the other way round */
};

struct cg_losses {
    struct cg_loss *list;
    size_t n, capacity;
};

/* Running sums of one chunk. */
struct cg_sums;
struct cg_sums *cg_sums_create(int32_t members, struct cg_err *err);
void cg_sums_destroy(struct cg_sums *sums);

/* Starts a chunk of a bundle with that many members (at most those of create); its losses will name both.
 */
void cg_sums_begin(struct cg_sums *sums, int32_t members, int64_t bundle, int64_t chunk);
int cg_sums_add(struct cg_sums *sums, struct cg_block *block, struct cg_losses *losses, struct cg_err *err);
void cg_sums_end(const struct cg_sums *sums, double *cell);

/* Folds `chunks` cells in order into one. Pure; the one place where chunks meet. out may be cells. */
void cg_cells_fold(const double *cells, int64_t chunks, int32_t members, double *out);

#endif
