/* What a pair's cells take of model a, kept for the next pair with the same a: one model is searched in many.
 */
#ifndef COGNATE_EVIDENCE_KEPT_H
#define COGNATE_EVIDENCE_KEPT_H

#include "cognate/err.h"
#include <stdint.h>

enum cg_statistic { CG_STATISTIC_RAW, CG_STATISTIC_PROBE, CG_STATISTIC_GRAM, CG_STATISTICS };
enum { CG_KEPT_BYTES = 32 << 20 }; /* of a statistic, at most */

/* What rows depend on besides the model. */
struct cg_kept_key {
    int64_t floats, half, length; /* of all blocks; of a block's projection; of a row */
    const int32_t *tokens;        /* [ntokens] that are answered, as the model's sample numbers them */
    int64_t ntokens;
};

/* All zero memory keeps nothing yet. */
struct cg_kept {
    struct cg_kept_rows {
        struct cg_kept_key key;
        int32_t *tokens; /* the key's */
        float *rows;
        int32_t planted; /* K of the planted relative; -1: not known */
    } of[CG_STATISTICS];
};

/* What is kept under that key, or NULL. `kept` may be NULL. */
struct cg_kept_rows *cg_kept_find(struct cg_kept *kept, enum cg_statistic statistic,
                                  const struct cg_kept_key *key);

/* Keeps a copy of rows [key->floats] in place of what was kept of the statistic; not of more than
 * CG_KEPT_BYTES. */
int cg_kept_put(struct cg_kept *kept, enum cg_statistic statistic, const struct cg_kept_key *key,
                const float *rows, struct cg_err *err);
void cg_kept_release(struct cg_kept *kept);

#endif
