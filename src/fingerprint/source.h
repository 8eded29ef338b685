/* Samples of two fingerprints, for the matching of evidence/kinship.h. Local. */
#ifndef COGNATE_FINGERPRINT_SOURCE_H
#define COGNATE_FINGERPRINT_SOURCE_H

#include "cognate/fingerprint.h"
#include "evidence/source.h"

/* Positions in both samples of tokens that the vocabularies share. */
struct cg_shared_sample {
    int64_t n;
    int32_t *at[2];
};

/* Where indices that cg_pick picks stand among more that it picks of as many. */
struct cg_positions {
    int64_t all, stored, wanted;
    uint64_t seed;
    int64_t *at; /* [wanted]; NULL: none yet */
};
enum { CG_KNOWN_POSITIONS = 8 };

struct cg_print_source {
    const struct cg_fingerprint *print[2];
    int32_t *kept[2]; /* [nblocks of a side] the fingerprint's block that it is */
    struct cg_shared_sample all, answered, multiplied; /* with rows, with answers, with products */
    struct cg_positions known[CG_KNOWN_POSITIONS]; /* the last ones: blocks of one shape ask for the same */
    int next;
};

/* Fills *out, which points to *self from then on, for the blocks of `of`: those that kept[side] numbers, on
 * the heap and taken over, even on failure. width: of the embeddings, 0 where there is none. kept: of
 * print[0], or NULL. */
int cg_print_source_init(struct cg_print_source *self, struct cg_source *out, const struct cg_kinship *of,
                         const struct cg_fingerprint *const print[2], int32_t *const kept[2],
                         const int64_t width[2], const struct cg_alignment *alignment, struct cg_kept *rows,
                         struct cg_err *err);
void cg_print_source_release(struct cg_print_source *self);

/* cosine and centred cosine of the sampled columns of the tokens that both hold; left as they are where the
 * columns differ. */
int cg_print_token_cosines(const struct cg_print_source *self, struct cg_token_cosines *out,
                           struct cg_err *err);

#endif
