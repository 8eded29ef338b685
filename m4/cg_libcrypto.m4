# CG_LIBCRYPTO
#
# Finds OpenSSL's libcrypto, at least 1.1 (EVP digests). Sets LIBCRYPTO_CFLAGS and LIBCRYPTO_LIBS; fails
# configure, naming the Debian package, when a program that starts a SHA-256 does not link.
AC_DEFUN([CG_LIBCRYPTO], [
  CG_LIB([libcrypto], [LIBCRYPTO], [libcrypto], [-lcrypto], [libssl-dev],
    [[#include <openssl/evp.h>]],
    [[EVP_MD_CTX *c = EVP_MD_CTX_new(); return EVP_DigestInit_ex(c, EVP_sha256(), 0) != 1;]])
])
