/* The types of ggml whose codes are entries of a codebook, and its NVFP4, for ggml_blocks.c. */
#ifndef COGNATE_CHECKPOINT_GGML_IQ_H
#define COGNATE_CHECKPOINT_GGML_IQ_H

#include "cognate/dtype.h"

/* As in the table there. */
#define CG_BOOK_TYPE(name)                                                                                   \
    struct cg_outline cg_decode_##name(const unsigned char *restrict stored, int n, float *restrict values)

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
