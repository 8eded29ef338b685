/* The sides of quantised members: scales, zero points and tables, read whole when a task begins. Local. */
#ifndef COGNATE_SWEEP_SIDES_H
#define COGNATE_SWEEP_SIDES_H

#include "cognate/plan.h"
#include "files.h"

/* The bytes of a member's sides; 0 where its values are stored themselves. */
static inline int64_t cg_side_bytes(const struct cg_bundle_member *member)
{
    return member->quantised ? member->quantised->side_bytes : 0;
}

/* The bytes of those that are hashed before the codes; the others follow them. */
int64_t cg_leading_side_bytes(const struct cg_quantised *how);

/* Writes all sides, in order, to out[how->side_bytes]. `scratch` as for cg_gather. Adds to *bytes_read. Fails
 * as cg_files_read does. */
int cg_sides_read(struct cg_files *files, const struct cg_checkpoint *model, const struct cg_quantised *how,
                  uint8_t *scratch, uint8_t *out, int64_t *bytes_read, struct cg_err *err);

#endif
