/* A process grid, and matrices spread over it. */
#ifndef CG_PCA_GRID_H
#define CG_PCA_GRID_H

#include "cognate/comm.h"
#include <stdbool.h>
#include <stdint.h>

/* Rows and columns of a block. The eigensolver wants square blocks. */
enum { CG_PCA_BLOCK = 32 };

/* Rank r < rows * columns is process (r / columns, r % columns); the ranks beyond are idle. */
struct cg_grid {
    int rows, columns; /* the same on every rank */
    bool inside;       /* this rank has a place; what follows holds only then */
    int row, column;   /* its place */
    int context, handle;
    MPI_Comm comm;
};

/* Collective over all ranks: the grid for matrices whose shorter axis has `shortest` rows. */
void cg_grid_init(struct cg_grid *grid, const struct cg_comm *comm, int64_t shortest);

/* Collective. A zeroed grid is fine. */
void cg_grid_release(struct cg_grid *grid);

/* This process's part of a rows by columns matrix, column-major: local[i + j * local_rows]. */
struct cg_matrix {
    int rows, columns;
    int local_rows, local_columns;
    int descriptor[9];
    double *local; /* NULL outside the grid */
};

/* Local. Zeroed. CG_EUNSUPPORTED when the part has more elements than an int counts. */
int cg_matrix_init(struct cg_matrix *matrix, const struct cg_grid *grid, int rows, int columns,
                   struct cg_err *err);
void cg_matrix_release(struct cg_matrix *matrix);

#endif
