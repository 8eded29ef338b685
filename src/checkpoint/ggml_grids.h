/* The codebooks of ggml's IQ types. */
#ifndef COGNATE_CHECKPOINT_GGML_GRIDS_H
#define COGNATE_CHECKPOINT_GGML_GRIDS_H

#include <stdint.h>

extern const uint16_t cg_iq2_xxs_grid[256], cg_iq2_xs_grid[512], cg_iq2_s_grid[1024], cg_iq3_xxs_grid[256],
    cg_iq3_s_grid[512], cg_iq1_grid[2048];

#endif
