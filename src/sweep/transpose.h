/* Matrices that are stored column by column, written row by row. Local. */
#ifndef COGNATE_SWEEP_TRANSPOSE_H
#define COGNATE_SWEEP_TRANSPOSE_H

#include <stdint.h>

/* Rows are written by lines of as many bytes: as many columns, or a multiple, go fastest. */
enum { CG_TRANSPOSE_LINE = 64 };

/* Element (r, c) is r * step + c * pitch elements behind `memory`. */
struct cg_columns {
    const uint8_t *memory;
    int64_t rows, columns, step, pitch;
};

/* Writes element (r, c), `width` bytes of 1, 2, 4 or 8, to place r * pitch + c of `to`. */
void cg_transpose(uint8_t *to, int64_t pitch, const struct cg_columns *from, int width);

#endif
