#include "cognate/plan.h"

int64_t cg_chunk_elements(int64_t rows, int64_t columns)
{
    if (rows == 0 || columns == 0)
        return 0;
    int64_t whole_rows = CG_CHUNK_ELEMENTS / columns;
    whole_rows -= whole_rows % 8; /* chunks of types under 8 bits begin at a byte */
    if (whole_rows == 0)
        return CG_CHUNK_ELEMENTS;
    return (whole_rows < rows ? whole_rows : rows) * columns;
}

int64_t cg_chunk_count(int64_t rows, int64_t columns)
{
    int64_t chunk = cg_chunk_elements(rows, columns);
    return chunk == 0 ? 0 : (rows * columns + chunk - 1) / chunk;
}
