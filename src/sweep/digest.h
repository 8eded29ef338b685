/* SHA-256 of several members side by side: the one place that hashes the sweep's bytes. Where the processor
 * has SHA instructions, members are taken two at a time (sha256.h); elsewhere libcrypto hashes them one by
 * one. The digests are the same. Local.
 */
#ifndef COGNATE_SWEEP_DIGEST_H
#define COGNATE_SWEEP_DIGEST_H

#include "cognate/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cg_digests;

/* n digests, none begun. `native` false: libcrypto whatever the processor has. NULL with err filled. */
struct cg_digests *cg_digests_create(size_t n, bool native, struct cg_err *err);
void cg_digests_destroy(struct cg_digests *digests);

/* Begins the first n digests anew. */
int cg_digests_begin(struct cg_digests *digests, size_t n, struct cg_err *err);

/* Digest i takes bytes[i] bytes at data[i], for i < n. */
int cg_digests_update(struct cg_digests *digests, size_t n, const uint8_t *const *data, const size_t *bytes,
                      struct cg_err *err);

/* Writes the first n digests. */
int cg_digests_end(struct cg_digests *digests, size_t n, uint8_t (*out)[32], struct cg_err *err);

#endif
