# CG_OPENBLAS
#
# Finds OpenBLAS with its C interface. Sets OPENBLAS_CFLAGS and OPENBLAS_LIBS; fails configure, naming the
# Debian package, when a program that multiplies and one that names the library's core does not link.
AC_DEFUN([CG_OPENBLAS], [
  CG_LIB([OpenBLAS], [OPENBLAS], [openblas], [-lopenblas], [libopenblas-dev],
    [[#include <cblas.h>]],
    [[double x = 1; openblas_set_num_threads(1);
      return cblas_ddot(1, &x, 1, &x, 1) == 0 || !openblas_get_corename();]])
])
