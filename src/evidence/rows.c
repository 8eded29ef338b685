#include "rows.h"
#include "cognate/clones.h"
#include "cognate/mem.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>

int cg_rows_init(struct cg_rows *rows, const struct cg_checkpoint *model, const struct cg_tensor *tensor,
                 int64_t columns, const uint8_t *kept, struct cg_files *files, struct cg_err *err)
{
    *rows = (struct cg_rows){.file = &model->files[tensor->file],
                             .tensor = tensor,
                             .kept = kept,
                             .files = files,
                             .columns = columns};
    rows->raw = cg_new((size_t)cg_dtype_bytes(tensor->dtype, columns), 1, err);
    return rows->raw ? 0 : -1;
}

void cg_rows_release(struct cg_rows *rows)
{
    free(rows->raw);
    *rows = (struct cg_rows){0};
}

CG_CLONES static void finite_alone(double *values, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        values[i] = fabs(values[i]) <= DBL_MAX ? values[i] : 0;
}

int cg_rows_get(struct cg_rows *rows, int64_t id, double *values, struct cg_err *err)
{
    int64_t bytes = cg_dtype_bytes(rows->tensor->dtype, rows->columns), offset = id * bytes;
    const uint8_t *stored = rows->kept + offset;
    if (!rows->kept) {
        stored = rows->raw;
        rows->bytes_read += bytes;
        if (cg_files_read(rows->files, rows->file, rows->tensor->name, rows->tensor->offset + offset,
                          rows->raw, (size_t)bytes, err) < 0)
            return -1;
    }
    cg_dtype_decode(rows->tensor->dtype, stored, (size_t)rows->columns, values);
    finite_alone(values, rows->columns);
    return 0;
}
