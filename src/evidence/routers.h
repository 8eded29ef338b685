/* Experts named by their routers' rows alone. Collective, agreed. */
#ifndef COGNATE_EVIDENCE_ROUTERS_H
#define COGNATE_EVIDENCE_ROUTERS_H

#include "cognate/blocks.h"
#include "cognate/comm.h"
#include "source.h"

/* Fills out->routed from the pair's routers. Needs the cells' raw and probe. */
int cg_routers_match(const struct cg_comm *comm, struct cg_source *source, struct cg_kinship *out,
                     struct cg_err *err);

#endif
