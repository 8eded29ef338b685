/* Two-dimensional block-cyclic distribution, one axis at a time: pure index arithmetic, as in ScaLAPACK's
 * indxg2p, indxg2l and numroc with the first block on process 0. All indices count from 0; block and
 * processes are at least 1.
 */
#ifndef CG_PCA_BLOCK_CYCLIC_H
#define CG_PCA_BLOCK_CYCLIC_H

#include <stdint.h>

/* The process that holds index i. */
int cg_cyclic_owner(int64_t i, int64_t block, int processes);

/* The place of index i among those that its owner holds. */
int64_t cg_cyclic_local(int64_t i, int64_t block, int processes);

/* The index at place `local` of a process: the inverse of the two above. */
int64_t cg_cyclic_global(int64_t local, int64_t block, int processes, int process);

/* How many of the indices 0..n-1 a process holds; 0 is legal. */
int64_t cg_cyclic_count(int64_t n, int64_t block, int processes, int process);

/* The shape of the process grid for `ranks` ranks and a matrix of `blocks` by `blocks` blocks: as square as
 * possible, no axis longer than there are blocks. rows * columns <= ranks; the ranks beyond stay idle. */
void cg_cyclic_grid(int ranks, int64_t blocks, int *rows, int *columns);

#endif
