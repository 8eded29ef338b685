/* The table that the ranks fill together and reduce: cells of sums, shift nulls, digests, losses.
 *
 * Every number is written by one rank; all others hold +0.0 in its place, so that MPI_Allreduce(MPI_SUM) is
 * exact, and the digests travel the same way through a bitwise or. Afterwards every rank folds the chunks of
 * split bundles.
 */
#ifndef COGNATE_SWEEP_TABLE_H
#define COGNATE_SWEEP_TABLE_H

#include "cognate/comm.h"
#include "cognate/sweep.h"
#include "sums.h"

enum { CG_NULL_FIELDS = 3 }; /* cosine, mean, sd */

struct cg_table {
    const struct cg_plan *plan;
    int64_t *first;               /* [nbundles + 1] the first double of a bundle's cells */
    int64_t *first_pair;          /* [nbundles + 1] */
    double *cells;                /* [first[nbundles]] */
    double *nulls;                /* [first_pair[nbundles] * CG_NULL_FIELDS] */
    uint8_t (*digest)[CG_SHA256]; /* [nmembers] */
    struct cg_losses losses;      /* this rank's own */
};

/* Bytes of the table's arrays on each rank. */
int64_t cg_table_bytes(const struct cg_plan *plan);

int cg_table_init(struct cg_table *table, const struct cg_plan *plan, struct cg_err *err);
void cg_table_release(struct cg_table *table);

/* The cell of a chunk of a split bundle, or with chunk 0 the only cell of a whole one. */
double *cg_table_cell(const struct cg_table *table, int64_t bundle, int64_t chunk);

void cg_table_set_null(struct cg_table *table, int64_t bundle, int64_t pair,
                       const struct cg_shift_null *null);

/* Collective, agreed. Reduces the table and writes digest, moments, products, null and first_pair of *out. */
int cg_table_reduce(const struct cg_comm *comm, struct cg_table *table, struct cg_sweep *out,
                    struct cg_err *err);

#endif
