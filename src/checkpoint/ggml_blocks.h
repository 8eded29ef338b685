/* The block types of ggml, for dtype.c. */
#ifndef COGNATE_CHECKPOINT_GGML_BLOCKS_H
#define COGNATE_CHECKPOINT_GGML_BLOCKS_H

#include "cognate/dtype.h"

/* cg_dtype_decode_floats for the types of CG_BLOCK_DTYPE_LIST. */
struct cg_outline cg_ggml_decode(enum cg_dtype dtype, const unsigned char *stored, size_t n, float *values);

#endif
