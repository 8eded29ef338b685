#include "digest.h"
#include "cognate/mem.h"
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>

struct cg_digests {
    EVP_MD *sha256;
    size_t n;
    EVP_MD_CTX *context[];
};

static int refused(struct cg_err *err)
{
    return cg_fail(err, CG_ENOMEM, "libcrypto does not compute SHA-256");
}

struct cg_digests *cg_digests_create(size_t n, struct cg_err *err)
{
    struct cg_digests *digests = cg_new(1, sizeof *digests + n * sizeof *digests->context, err);
    if (!digests)
        return NULL;
    digests->n = n;
    digests->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    bool sound = digests->sha256 != NULL;
    for (size_t i = 0; i < n; i++) {
        digests->context[i] = EVP_MD_CTX_new();
        sound = sound && digests->context[i];
    }
    if (!sound) {
        refused(err);
        cg_digests_destroy(digests);
        return NULL;
    }
    return digests;
}

void cg_digests_destroy(struct cg_digests *digests)
{
    if (!digests)
        return;
    for (size_t i = 0; i < digests->n; i++)
        EVP_MD_CTX_free(digests->context[i]);
    EVP_MD_free(digests->sha256);
    free(digests);
}

int cg_digests_begin(struct cg_digests *digests, size_t n, struct cg_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (EVP_DigestInit_ex2(digests->context[i], digests->sha256, NULL) != 1)
            return refused(err);
    return 0;
}

int cg_digests_update(struct cg_digests *digests, size_t n, const uint8_t *const *data, const size_t *bytes,
                      struct cg_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (EVP_DigestUpdate(digests->context[i], data[i], bytes[i]) != 1)
            return refused(err);
    return 0;
}

int cg_digests_end(struct cg_digests *digests, size_t n, uint8_t (*out)[32], struct cg_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (EVP_DigestFinal_ex(digests->context[i], out[i], NULL) != 1)
            return refused(err);
    return 0;
}
