/* The types of ggml whose codes are entries of a codebook, and its NVFP4, for ggml_blocks.c and
 * ggml_rounding.c. */
#ifndef COGNATE_CHECKPOINT_GGML_IQ_H
#define COGNATE_CHECKPOINT_GGML_IQ_H

#include <stddef.h>

/* The values of n elements, and the rounding of one block, as in the tables there. */
#define CG_BOOK_TYPE(name)                                                                                   \
    void cg_decode_##name(const unsigned char *restrict stored, size_t n, float *restrict values);           \
    double cg_rounding_##name(const unsigned char *block)

CG_BOOK_TYPE(iq1_s);
CG_BOOK_TYPE(iq1_m);
CG_BOOK_TYPE(iq2_xxs);
CG_BOOK_TYPE(iq2_xs);
CG_BOOK_TYPE(iq2_s);
CG_BOOK_TYPE(iq3_xxs);
CG_BOOK_TYPE(iq3_s);
CG_BOOK_TYPE(nvfp4);

#undef CG_BOOK_TYPE
#endif
