# CG_VECTORS
#
# The kernels shuffle the vectors of GCC's and clang's extension by __builtin_shufflevector, which GCC has since
# version 12: stops where the compiler lacks it.
AC_DEFUN([CG_VECTORS], [
  AC_MSG_CHECKING([whether $CC shuffles vectors])
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
      typedef int four __attribute__((vector_size(16)));
      four turned(four a) { return __builtin_shufflevector(a, a, 3, 2, 1, 0); }]])],
    [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([the compiler is too old: GCC 12, or clang, is needed (Debian: gcc; give its path as CC=...)])])
])
