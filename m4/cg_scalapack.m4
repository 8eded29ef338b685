# CG_SCALAPACK
#
# Finds ScaLAPACK and BLACS; wants CG_MPI and CG_OPENBLAS first. Sets SCALAPACK_CFLAGS and SCALAPACK_LIBS;
# fails configure, naming the Debian package, when the eigensolver or BLACS does not link. Neither library
# has a C header, so the test declares what it calls.
AC_DEFUN([CG_SCALAPACK], [
  AC_REQUIRE([CG_MPI])
  AC_REQUIRE([CG_OPENBLAS])
  CG_LINK_AFTER=$OPENBLAS_LIBS
  CG_LIB([ScaLAPACK], [SCALAPACK], [scalapack-openmpi], [-lscalapack], [libscalapack-openmpi-dev],
    [[void Cblacs_pinfo(int *, int *); int numroc_(int *, int *, int *, int *, int *); void pdsyevd_(void);]],
    [[int a = 1, b = 0; Cblacs_pinfo(&a, &b); if (a) pdsyevd_(); return numroc_(&a, &a, &b, &b, &a);]])
  CG_LINK_AFTER=
])
