# CG_CMOCKA
#
# Looks for cmocka, the unit test library, which only `make check` needs. Sets CMOCKA_CFLAGS, CMOCKA_LIBS and
# cg_cmocka (yes or no). Never fails: without it the C tests are not built and `make check` says so.
AC_DEFUN([CG_CMOCKA], [
  AC_ARG_VAR([CMOCKA_CFLAGS], [C compiler flags for cmocka])
  AC_ARG_VAR([CMOCKA_LIBS], [linker flags for cmocka])
  AS_IF([test -z "$CMOCKA_LIBS"],
    [PKG_CHECK_EXISTS([cmocka],
      [CMOCKA_CFLAGS=`$PKG_CONFIG --cflags cmocka`
       CMOCKA_LIBS=`$PKG_CONFIG --libs cmocka`],
      [CMOCKA_LIBS=-lcmocka])])
  AC_MSG_CHECKING([whether cmocka links])
  cg_saved_CPPFLAGS=$CPPFLAGS
  cg_saved_LIBS=$LIBS
  CPPFLAGS="$CPPFLAGS $CMOCKA_CFLAGS"
  LIBS="$CMOCKA_LIBS $LIBS"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[
      #include <stdarg.h>
      #include <stddef.h>
      #include <stdint.h>
      #include <setjmp.h>
      #include <cmocka.h>]],
    [[cmocka_set_message_output(CM_OUTPUT_TAP); return 0;]])], [cg_cmocka=yes], [cg_cmocka=no])
  CPPFLAGS=$cg_saved_CPPFLAGS
  LIBS=$cg_saved_LIBS
  AC_MSG_RESULT([$cg_cmocka])
  AS_IF([test $cg_cmocka = no], [CMOCKA_CFLAGS= CMOCKA_LIBS=])
])
