/* The naming table: which place in a transformer a tensor has by its name. */
#ifndef COGNATE_ANATOMY_NAMES_H
#define COGNATE_ANATOMY_NAMES_H

#include "cognate/checkpoint.h"
#include "cognate/roles.h"
#include <stdbool.h>
#include <stdint.h>

/* A place in a model; layer and expert are -1 where there is none. */
struct cg_site {
    enum cg_role role;
    int32_t layer, expert;
};

/* How one model names its tensors: which of the conditional meanings hold in it. */
struct cg_naming {
    bool post_ffn_norm; /* it has norms behind the feed-forward block */
};
struct cg_naming cg_naming_of(const struct cg_checkpoint *model);

/* The site of a tensor by its whole name; {CG_ROLE_OTHER, -1, -1} when no row of the table fits. */
struct cg_site cg_site_of(struct cg_naming naming, const char *name);

#endif
