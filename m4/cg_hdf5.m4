# CG_HDF5
#
# Finds the serial HDF5 library (rank 0 alone writes; parallel HDF5 is not needed) with its high-level part,
# which has the dimension scales and which Debian's hdf5.pc leaves out. Sets HDF5_CFLAGS and HDF5_LIBS; fails
# configure, naming the Debian package, when a program that makes a dimension scale does not link.
AC_DEFUN([CG_HDF5], [
  AS_IF([test -z "$HDF5_LIBS"],
    [PKG_CHECK_EXISTS([hdf5],
      [HDF5_CFLAGS="$HDF5_CFLAGS `$PKG_CONFIG --cflags hdf5`"
       HDF5_LIBS="`$PKG_CONFIG --libs-only-L hdf5` -lhdf5_hl `$PKG_CONFIG --libs-only-l hdf5`"])])
  CG_LIB([HDF5], [HDF5], [hdf5], [-lhdf5_hl -lhdf5], [libhdf5-dev],
    [[#include <hdf5.h>
      #include <hdf5_hl.h>]],
    [[return H5open() < 0 || H5DSset_scale(-1, "x") < 0;]])
])
