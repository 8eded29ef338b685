# CG_LIB(NAME, PREFIX, MODULE, FALLBACK-LIBS, DEBIAN-PACKAGE, PROLOGUE, BODY)
#
# What the macros of single dependencies share. Finds library NAME and proves that it links:
#   PREFIX_CFLAGS, PREFIX_LIBS  given by the user, else from pkg-config's MODULE, else FALLBACK-LIBS
# then links PROLOGUE and BODY with these flags (and with MPI's and those in CG_LINK_AFTER).
# Fails configure with the Debian package to install when the link test fails.
AC_DEFUN([CG_LIB], [
  AC_ARG_VAR([$2_CFLAGS], [C compiler flags for $1])
  AC_ARG_VAR([$2_LIBS], [linker flags for $1])
  AS_IF([test -z "$$2_LIBS"],
    [PKG_CHECK_EXISTS([$3],
      [$2_CFLAGS="$$2_CFLAGS `$PKG_CONFIG --cflags $3`"
       $2_LIBS=`$PKG_CONFIG --libs $3`],
      [$2_LIBS="$4"])])
  AC_MSG_CHECKING([whether $1 links])
  cg_saved_CPPFLAGS=$CPPFLAGS
  cg_saved_LIBS=$LIBS
  CPPFLAGS="$CPPFLAGS $$2_CFLAGS $MPI_CFLAGS"
  LIBS="$$2_LIBS $CG_LINK_AFTER $MPI_LIBS $LIBS"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([$6], [$7])], [cg_links=yes], [cg_links=no])
  CPPFLAGS=$cg_saved_CPPFLAGS
  LIBS=$cg_saved_LIBS
  AC_MSG_RESULT([$cg_links])
  AS_IF([test $cg_links = no],
    [AC_MSG_ERROR([$1 is missing or does not link (tried: $$2_CFLAGS $$2_LIBS).
  Debian and Ubuntu have it as $5: apt-get install $5
  Elsewhere set $2_CFLAGS and $2_LIBS; config.log has the compiler's words.])])
])
