/* What PCA calls of BLACS and ScaLAPACK, neither of which has a C header, and of OpenBLAS.
 *
 * Every function is collective over the processes of a grid. Names of Fortran routines are lower case with an
 * underscore, their integers 32-bit and everything is passed by address; row and column indices (ia, ja, ...)
 * count from 1. Matrices are column-major; a descriptor is int [9], see cg_matrix_init in grid.h. Illegal
 * arguments are a bug: the libraries report them and stop. References: the ScaLAPACK Users' Guide,
 * netlib.org/scalapack/slug; the BLACS Users' Guide, LAWN 94.
 */
#ifndef CG_PCA_SCALAPACK_H
#define CG_PCA_SCALAPACK_H

#include <mpi.h>
#include <stddef.h>

/* Threads that BLAS may use in this process; of OpenBLAS, whose own header names no such thing in all
 * versions. */
void openblas_set_num_threads(int threads);

/* Makes a communicator known to BLACS. The handle is given back by Cfree_blacs_system_handle. */
int Csys2blacs_handle(MPI_Comm comm);
void Cfree_blacs_system_handle(int handle);

/* Makes a grid of rows * columns processes, in row-major order for order "R". *context holds a handle of a
 * communicator before and the context of the grid after; Cblacs_gridexit frees it. */
void Cblacs_gridinit(int *context, const char *order, int rows, int columns);
void Cblacs_gridexit(int context);

/* C = alpha A A' + beta C for trans "N", A n by k, or alpha A' A + beta C for "T", A k by n; only the
 * triangle uplo ("L", "U") of the n by n matrix C is touched. */
void pdsyrk_(const char *uplo, const char *trans, const int *n, const int *k, const double *alpha,
             const double *a, const int *ia, const int *ja, const int *desca, const double *beta, double *c,
             const int *ic, const int *jc, const int *descc);

/* C = alpha op(A) op(B) + beta C, C m by n, op(A) m by k, op(B) k by n; op is "N" or "T". */
void pdgemm_(const char *transa, const char *transb, const int *m, const int *n, const int *k,
             const double *alpha, const double *a, const int *ia, const int *ja, const int *desca,
             const double *b, const int *ib, const int *jb, const int *descb, const double *beta, double *c,
             const int *ic, const int *jc, const int *descc);

/* Eigenvalues w [n], ascending, the same on every process, and eigenvectors z (n by n, a column each) of the
 * symmetric matrix A, whose triangle uplo is read and destroyed. jobz is "V". With lwork = -1 only the sizes
 * needed are put into work[0] and iwork[0]. info > 0: it did not converge. The last two are the lengths of
 * the texts, which Fortran passes by value. */
void pdsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *ia, const int *ja,
              const int *desca, double *w, double *z, const int *iz, const int *jz, const int *descz,
              double *work, const int *lwork, int *iwork, const int *liwork, int *info, size_t jobz_length,
              size_t uplo_length);

#endif
