# CG_FUZZER
#
# Looks for a clang whose libFuzzer and sanitizers link, which only `make fuzz` needs. Sets FUZZ_CC to it, or to
# nothing. Never fails: without it `make fuzz` says what is missing.
AC_DEFUN([CG_FUZZER], [
  AC_CHECK_PROGS([FUZZ_CC], [clang-14 clang])
  AC_SUBST([FUZZ_FLAGS], ["-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"])
  AC_MSG_CHECKING([for a clang that links libFuzzer])
  cat >conftest.c <<'END'
#include <stddef.h>
#include <stdint.h>
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return data && size > 9; }
END
  AS_IF([test "$FUZZ_CC" && $FUZZ_CC -fsanitize=fuzzer $FUZZ_FLAGS -o conftest$EXEEXT conftest.c >&AS_MESSAGE_LOG_FD 2>&1],
    [AC_MSG_RESULT([$FUZZ_CC])],
    [AC_MSG_RESULT([no])
     FUZZ_CC=])
  rm -f conftest.c conftest$EXEEXT
])
