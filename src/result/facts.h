/* What the tests of one pair came to, as the verdict weighs it. */
#ifndef COGNATE_RESULT_FACTS_H
#define COGNATE_RESULT_FACTS_H

#include "cognate/merges.h"
#include "origins.h"
#include "rounding.h"
#include "weigh.h"

struct cg_facts {
    const struct cg_findings *findings;
    const struct cg_comparisons *all;
    int64_t pair;
    int64_t slots; /* that either model fills; of them: */
    int64_t compared, equal, identical, same_type, same_name;
    int64_t constant, telling; /* one value throughout; equal and not so */
    int64_t tests;             /* slots with a p-value */
    int64_t weighed, passing;  /* slots with a p-value or equal values; those that pass */
    int64_t weighed_in[CG_GROUP_COUNT], passed[CG_GROUP_COUNT];
    bool role_passed[CG_ROLE_COUNT];
    double best, limit;   /* log10 p of the strongest slot, corrected; cosine that would have been seen */
    double moved_log10_p; /* of equal bytes in another place; NaN: none that weigh */
    double matrix_sum;    /* of the cosines of those that pass */
    int64_t matrices;
    struct cg_rounding rounding;
    const struct cg_merge *merge; /* of which the two are child and parent or base; NULL: none */
    const struct cg_kin *kin;
    const struct cg_origins *origins;
    struct cg_moves moves;
    int64_t ups;                       /* up projections that pass in their own place */
    bool group_passed[CG_GROUP_COUNT]; /* by slots, in whatever place, by blocks or by the embeddings' tokens
                                        */
    int32_t layers;
    bool *in_layer; /* [CG_GROUP_COUNT * layers] where it does */
    bool *hinted;   /* [CG_GROUP_COUNT * layers] a slot there has p < 1e-4 at least */
    bool *foreign;  /* [CG_GROUP_COUNT * layers] of attention and ffn: replaced, while the layer's other half
                       passes */
    bool foreign_embedding; /* nor has the input embedding */
};

int cg_facts_find(struct cg_facts *facts, const struct cg_findings *findings,
                  const struct cg_comparisons *all, int64_t p, struct cg_err *err);
void cg_facts_release(struct cg_facts *facts);

/* Every slot of both models has equal values, and not all are constant. */
bool cg_all_equal(const struct cg_facts *facts);

/* Share of b's parameters that slots of one shape must cover for NO EVIDENCE, where blocks do not. */
extern const double CG_LEAST_COVER;

/* Text of a verdict: relation, and reasons as lines. `text` may stay empty. */
int cg_relate(struct cg_buf *text, const char *verdict, const struct cg_facts *facts,
              const struct cg_result *out, int64_t p, struct cg_err *err);
int cg_give_reasons(struct cg_buf *text, const char *verdict, const struct cg_facts *facts, double cover,
                    const struct cg_result *out, int64_t p, struct cg_err *err);

#endif
