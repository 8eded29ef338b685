/* Whether what differs between two models is what storing numbers in fewer bits leaves. Pure. */
#ifndef COGNATE_RESULT_ROUNDING_H
#define COGNATE_RESULT_ROUNDING_H

#include "cognate/evidence.h"

/* The compared matrices of a pair whose values differ, by what may explain that. */
struct cg_rounding {
    int64_t quantised;            /* one of the two is quantised: */
    double difference, explained; /* sums of squares: b - a, and what rounding to the codes explains of it */
    const char *format;           /* of the first of these */
    bool several;                 /* and there are other formats */
    int64_t
        recast; /* both are plain floating point, and b - a is no larger than one rounding to the coarser */
    int64_t neither;
};

void cg_rounding_add(struct cg_rounding *rounding, const struct cg_checkpoint *model_a,
                     const struct cg_member *a, const struct cg_checkpoint *model_b,
                     const struct cg_member *b, const struct cg_comparison *comparison);

/* |b - a| over what rounding explains of it, in the quantised matrices; NaN where there is none. */
double cg_rounding_ratio(const struct cg_rounding *rounding);

/* What the differences are by that: "quantised", up to a ratio of two, since calibrated methods move weights
 * further than to the nearest code; "recast"; or NULL for neither. */
const char *cg_rounding_relation(const struct cg_rounding *rounding);

#endif
