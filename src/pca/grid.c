#include "pca/grid.h"
#include "cognate/mem.h"
#include "pca/block_cyclic.h"
#include "pca/scalapack.h"
#include <limits.h>
#include <stdlib.h>

void cg_grid_init(struct cg_grid *grid, const struct cg_comm *comm, int64_t shortest)
{
    *grid = (struct cg_grid){0};
    int64_t blocks = (shortest + CG_PCA_BLOCK - 1) / CG_PCA_BLOCK;
    cg_cyclic_grid(comm->size, blocks > 0 ? blocks : 1, &grid->rows, &grid->columns);
    grid->inside = comm->rank < grid->rows * grid->columns;
    /* BLACS gets a communicator of the grid alone, so that idle ranks need not know of it. */
    MPI_Comm_split(comm->mpi, grid->inside ? 0 : MPI_UNDEFINED, comm->rank, &grid->comm);
    if (!grid->inside)
        return;
    grid->row = comm->rank / grid->columns;
    grid->column = comm->rank % grid->columns;
    grid->handle = Csys2blacs_handle(grid->comm);
    grid->context = grid->handle;
    Cblacs_gridinit(&grid->context, "R", grid->rows, grid->columns);
}

void cg_grid_release(struct cg_grid *grid)
{
    if (grid->inside) {
        Cblacs_gridexit(grid->context);
        Cfree_blacs_system_handle(grid->handle);
        MPI_Comm_free(&grid->comm);
    }
    *grid = (struct cg_grid){0};
}

int cg_matrix_init(struct cg_matrix *matrix, const struct cg_grid *grid, int rows, int columns,
                   struct cg_err *err)
{
    *matrix = (struct cg_matrix){.rows = rows, .columns = columns};
    if (!grid->inside)
        return 0;
    int64_t m = cg_cyclic_count(rows, CG_PCA_BLOCK, grid->rows, grid->row);
    int64_t n = cg_cyclic_count(columns, CG_PCA_BLOCK, grid->columns, grid->column);
    /* One row more leaves room for the sample's index beside each column when it travels. */
    if ((m + 1) * n > INT_MAX)
        return cg_fail(err, CG_EUNSUPPORTED, "PCA: %d by %d values are too many for %d ranks", rows, columns,
                       grid->rows * grid->columns);
    matrix->local_rows = (int)m;
    matrix->local_columns = (int)n;
    enum { DENSE = 1, FIRST_PROCESS = 0 };
    const int descriptor[9] = {DENSE,        grid->context, rows,          columns,           CG_PCA_BLOCK,
                               CG_PCA_BLOCK, FIRST_PROCESS, FIRST_PROCESS, m > 0 ? (int)m : 1};
    for (int i = 0; i < 9; i++)
        matrix->descriptor[i] = descriptor[i];
    matrix->local = cg_new((size_t)(m * n), sizeof *matrix->local, err);
    return matrix->local ? 0 : -1;
}

void cg_matrix_release(struct cg_matrix *matrix)
{
    free(matrix->local);
    *matrix = (struct cg_matrix){0};
}
