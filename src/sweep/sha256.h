/* The compression function of SHA-256 (FIPS 180-4, section 6.2.2) with the processor's SHA instructions, for
 * one message or for two side by side. One message keeps those instructions waiting for each other; two
 * interleaved in one core take little more time than one. Local, pure.
 */
#ifndef COGNATE_SWEEP_SHA256_H
#define COGNATE_SWEEP_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CG_SHA256_BLOCK = 64, CG_SHA256_LANES = 2 };

/* Whether this processor has the instructions; without them the two functions below must not be called. */
bool cg_sha256_available(void);

/* Takes `blocks` blocks of 64 bytes into one state, or into two states at once. No alignment is asked of the
 * data. */
void cg_sha256_one(uint32_t state[8], const uint8_t *data, size_t blocks);
void cg_sha256_two(uint32_t *const state[CG_SHA256_LANES], const uint8_t *const data[CG_SHA256_LANES],
                   size_t blocks);

#endif
