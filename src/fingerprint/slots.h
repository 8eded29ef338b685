/* Which of a fingerprint's slots stand where in an anatomy that it shares with other models. */
#ifndef COGNATE_FINGERPRINT_SLOTS_H
#define COGNATE_FINGERPRINT_SLOTS_H

#include "cognate/anatomy.h"

/* [nslots] the number of the slot in the fingerprint of that model, -1 where it leaves it empty; a tied
 * output embedding is the input embedding's. On the heap; NULL with err. */
int64_t *cg_print_slots(const struct cg_anatomy *anatomy, int model, struct cg_err *err);

#endif
