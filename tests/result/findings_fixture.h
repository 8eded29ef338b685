/* Findings about two models made up slot by slot, without files: shapes, then what the sweep is to have
 * found. */
#ifndef TESTS_RESULT_FINDINGS_FIXTURE_H
#define TESTS_RESULT_FINDINGS_FIXTURE_H

#include "../plan/synthetic.h"
#include "cognate/findings.h"

/* What a slot's members are to each other. */
struct finding {
    double cosine, t;      /* t NaN: the shift null could not be taken */
    double sd;             /* of the shift null; its mean is 0 */
    bool equal, identical; /* values; bytes */
    bool constant;
    double rounding; /* what rounding explains of the later member */
};

extern const struct finding INDEPENDENT, KIN, SAME, CONSTANT;

struct fixture {
    struct synthetic made;
    struct cg_plan plan;
    struct cg_sweep sweep;
    struct cg_architecture architectures[2];
    int32_t pairs[1][2];
    struct cg_alignment alignments[1];
    struct cg_token_cosines tokens[1];
    bool aligned[1];
    struct cg_findings findings;
    struct cg_result result;
};

/* A slot of both models, then fixture_settle, then fixture_set for each that is not INDEPENDENT. */
void fixture_begin(struct fixture *f);
void fixture_slot(struct fixture *f, enum cg_role role, int32_t layer, int64_t rows, int64_t columns);
void fixture_settle(struct fixture *f);
void fixture_set(struct fixture *f, int64_t slot, const struct finding *finding);
/* What a member's digest begins with; those of equal numbers are equal. */
void fixture_digest(struct fixture *f, int64_t slot, int model, int number);
void fixture_collect(struct fixture *f);
void fixture_release(struct fixture *f);

#endif
