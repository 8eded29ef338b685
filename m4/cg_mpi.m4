# CG_MPI
#
# Finds MPI for C and proves that it links. Sets MPI_CFLAGS and MPI_LIBS (both empty when $CC is a wrapper
# such as mpicc already) and MPIEXEC, the launcher that `make check` uses.
# Order: $CC alone; the mpicc in PATH (what a cluster's module loaded); pkg-config's ompi-c.
# Fails configure, naming the Debian package, when none of them links.
AC_DEFUN([CG_MPI], [
  AC_ARG_VAR([MPI_CFLAGS], [C compiler flags for MPI])
  AC_ARG_VAR([MPI_LIBS], [linker flags for MPI])
  AC_CHECK_PROGS([MPICC], [mpicc])
  AC_CHECK_PROGS([MPIEXEC], [mpirun mpiexec srun], [mpirun])
  AC_MSG_CHECKING([for MPI])
  cg_mpi=no
  AS_IF([test -n "$MPI_LIBS"], [CG_MPI_TRY([MPI_CFLAGS and MPI_LIBS as given])],
    [CG_MPI_TRY([$CC])
     AS_IF([test "$cg_mpi" = no && test -n "$MPICC"],
       [MPI_CFLAGS=`$MPICC --showme:compile 2>/dev/null`
        MPI_LIBS=`$MPICC --showme:link 2>/dev/null`
        CG_MPI_TRY([$MPICC])])
     AS_IF([test "$cg_mpi" = no],
       [PKG_CHECK_EXISTS([ompi-c],
         [MPI_CFLAGS=`$PKG_CONFIG --cflags ompi-c`
          MPI_LIBS=`$PKG_CONFIG --libs ompi-c`
          CG_MPI_TRY([pkg-config ompi-c])])])])
  AC_MSG_RESULT([$cg_mpi])
  AS_IF([test "$cg_mpi" = no],
    [AC_MSG_ERROR([MPI is missing or does not link.
  Debian and Ubuntu have it as libopenmpi-dev: apt-get install libopenmpi-dev openmpi-bin
  Elsewhere configure with CC=mpicc, or set MPI_CFLAGS and MPI_LIBS; config.log has the compiler's words.])])
])

# CG_MPI_TRY(DESCRIPTION): sets cg_mpi to DESCRIPTION when a program that calls MPI links.
AC_DEFUN([CG_MPI_TRY], [
  cg_saved_CPPFLAGS=$CPPFLAGS
  cg_saved_LIBS=$LIBS
  CPPFLAGS="$CPPFLAGS $MPI_CFLAGS"
  LIBS="$MPI_LIBS $LIBS"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <mpi.h>]], [[return MPI_Init(0, 0);]])], [cg_mpi="$1"])
  CPPFLAGS=$cg_saved_CPPFLAGS
  LIBS=$cg_saved_LIBS
])
