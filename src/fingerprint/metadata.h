/* The metadata of a checkpoint as a fingerprint holds them, and back. Local. */
#ifndef COGNATE_FINGERPRINT_METADATA_H
#define COGNATE_FINGERPRINT_METADATA_H

#include "cognate/fingerprint.h"

/* Fills the root group and /checkpoint but for the sizes of samples (root.size_value). */
int cg_metadata_fill(struct cg_fingerprint *out, const struct cg_checkpoint *model,
                     const struct cg_architecture *architecture, struct cg_err *err);

/* Whether all that cg_metadata_restore and the stages behind it take on trust holds. */
int cg_metadata_check(const struct cg_fingerprint *print, struct cg_err *err);

/* *out is all zero before; released on failure. */
int cg_metadata_restore(struct cg_checkpoint *out, const struct cg_fingerprint *print, struct cg_err *err);

#endif
