/* Packed codes of up to eight bits, from the lowest bit up, as a byte each. Pure, local. */
#ifndef COGNATE_SWEEP_SPREAD_H
#define COGNATE_SWEEP_SPREAD_H

#include <stddef.h>
#include <stdint.h>

/* n codes of `bits` bits, from bit `first` of bytes on. No byte beyond the last code is read. */
void cg_spread_bits(const uint8_t *bytes, size_t first, int bits, size_t n, uint8_t *code);

#endif
