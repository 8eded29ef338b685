# CG_JANSSON
#
# Finds jansson, the JSON library, at least 2.11. Sets JANSSON_CFLAGS and JANSSON_LIBS; fails configure,
# naming the Debian package, when a program that parses does not link.
AC_DEFUN([CG_JANSSON], [
  CG_LIB([jansson], [JANSSON], [jansson], [-ljansson], [libjansson-dev],
    [[#include <jansson.h>]],
    [[json_error_t e; return json_loadb("{}", 2, JSON_REJECT_DUPLICATES, &e) == 0;]])
])
