#include "digest.h"
#include "cognate/mem.h"
#include "sha256.h"
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* A message on its way through our own compression function. */
struct message {
    uint32_t state[8];
    uint64_t bytes;                /* taken so far */
    uint8_t rest[CG_SHA256_BLOCK]; /* the first bytes % 64 of them wait for a whole block */
};

struct cg_digests {
    size_t n;
    struct message *message; /* [n]; NULL: libcrypto hashes */
    EVP_MD *sha256;
    EVP_MD_CTX *context[];
};

static int refused(struct cg_err *err)
{
    return cg_fail(err, CG_ENOMEM, "libcrypto does not compute SHA-256");
}

static int create_contexts(struct cg_digests *digests, struct cg_err *err)
{
    digests->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    bool sound = digests->sha256 != NULL;
    for (size_t i = 0; i < digests->n; i++) {
        digests->context[i] = EVP_MD_CTX_new();
        sound = sound && digests->context[i];
    }
    return sound ? 0 : refused(err);
}

static int create_messages(struct cg_digests *digests, struct cg_err *err)
{
    digests->message = cg_new(digests->n, sizeof *digests->message, err);
    return digests->message ? 0 : -1;
}

struct cg_digests *cg_digests_create(size_t n, bool native, struct cg_err *err)
{
    struct cg_digests *digests = cg_new(1, sizeof *digests + n * sizeof *digests->context, err);
    if (!digests)
        return NULL;
    digests->n = n;
    int result =
        native && cg_sha256_available() ? create_messages(digests, err) : create_contexts(digests, err);
    if (result == 0)
        return digests;
    cg_digests_destroy(digests);
    return NULL;
}

void cg_digests_destroy(struct cg_digests *digests)
{
    if (!digests)
        return;
    for (size_t i = 0; i < digests->n; i++)
        EVP_MD_CTX_free(digests->context[i]);
    EVP_MD_free(digests->sha256);
    free(digests->message);
    free(digests);
}

int cg_digests_begin(struct cg_digests *digests, size_t n, struct cg_err *err)
{
    /* The first 32 bits of the fractional parts of the square roots of the first 8 primes. */
    static const struct message fresh = {.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                                   0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
    for (size_t i = 0; i < n; i++)
        if (digests->message)
            digests->message[i] = fresh;
        else if (EVP_DigestInit_ex2(digests->context[i], digests->sha256, NULL) != 1)
            return refused(err);
    return 0;
}

/* Takes bytes until the message stands at the edge of a block, or none are left. */
static void fill_rest(struct message *message, const uint8_t **data, size_t *bytes)
{
    size_t held = message->bytes % CG_SHA256_BLOCK;
    size_t n = held == 0 ? 0 : CG_SHA256_BLOCK - held;
    n = n < *bytes ? n : *bytes;
    if (n == 0)
        return;
    memcpy(message->rest + held, *data, n);
    message->bytes += n;
    *data += n;
    *bytes -= n;
    if (held + n == CG_SHA256_BLOCK)
        cg_sha256_one(message->state, message->rest, 1);
}

/* Whole blocks of one message, then what is left of it. The message stands at the edge of a block, or has no
 * bytes left. */
static void take_alone(struct message *message, const uint8_t *data, size_t bytes)
{
    size_t whole = bytes - bytes % CG_SHA256_BLOCK;
    if (bytes == 0)
        return;
    cg_sha256_one(message->state, data, whole / CG_SHA256_BLOCK);
    memcpy(message->rest, data + whole, bytes - whole);
    message->bytes += bytes;
}

/* Two messages: as many blocks side by side as both have, then each alone. */
static void take_two(struct message *message, const uint8_t *const *data, const size_t *bytes)
{
    const uint8_t *at[CG_SHA256_LANES] = {data[0], data[1]};
    size_t left[CG_SHA256_LANES] = {bytes[0], bytes[1]};
    for (int l = 0; l < CG_SHA256_LANES; l++)
        fill_rest(&message[l], &at[l], &left[l]);
    size_t blocks = (left[0] < left[1] ? left[0] : left[1]) / CG_SHA256_BLOCK;
    if (blocks > 0)
        cg_sha256_two((uint32_t *const[]){message[0].state, message[1].state}, at, blocks);
    for (int l = 0; l < CG_SHA256_LANES; l++) {
        size_t done = blocks * CG_SHA256_BLOCK;
        message[l].bytes += done;
        take_alone(&message[l], at[l] + done, left[l] - done);
    }
}

int cg_digests_update(struct cg_digests *digests, size_t n, const uint8_t *const *data, const size_t *bytes,
                      struct cg_err *err)
{
    for (size_t i = 0; !digests->message && i < n; i++)
        if (EVP_DigestUpdate(digests->context[i], data[i], bytes[i]) != 1)
            return refused(err);
    for (size_t i = 0; digests->message && i < n; i += CG_SHA256_LANES) {
        if (i + 1 < n) {
            take_two(&digests->message[i], data + i, bytes + i);
            continue;
        }
        const uint8_t *at = data[i];
        size_t left = bytes[i];
        fill_rest(&digests->message[i], &at, &left);
        take_alone(&digests->message[i], at, left);
    }
    return 0;
}

static void write_big_endian(uint8_t *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        out[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
}

/* The padding of FIPS 180-4, section 5.1.1: a one bit, zeros, the length in bits. */
static void end_message(struct message *message, uint8_t *out)
{
    uint8_t tail[2 * CG_SHA256_BLOCK] = {0};
    size_t held = message->bytes % CG_SHA256_BLOCK, blocks = held < CG_SHA256_BLOCK - 8 ? 1 : 2;
    memcpy(tail, message->rest, held);
    tail[held] = 0x80;
    write_big_endian(tail + blocks * CG_SHA256_BLOCK - 8, 8 * message->bytes, 8);
    cg_sha256_one(message->state, tail, blocks);
    for (int i = 0; i < 8; i++)
        write_big_endian(out + 4 * i, message->state[i], 4);
}

int cg_digests_end(struct cg_digests *digests, size_t n, uint8_t (*out)[32], struct cg_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (digests->message)
            end_message(&digests->message[i], out[i]);
        else if (EVP_DigestFinal_ex(digests->context[i], out[i], NULL) != 1)
            return refused(err);
    return 0;
}
