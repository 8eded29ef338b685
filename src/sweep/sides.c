#include "sides.h"
#include "gather.h"

int64_t cg_leading_side_bytes(const struct cg_quantised *how)
{
    int64_t bytes = 0;
    for (int k = 0; k < how->codes_at; k++)
        bytes += how->side[k].bytes;
    return bytes;
}

int cg_sides_read(struct cg_files *files, const struct cg_checkpoint *model, const struct cg_quantised *how,
                  uint8_t *scratch, uint8_t *out, int64_t *bytes_read, struct cg_err *err)
{
    for (int k = 0; k < how->nsides; k++) {
        const struct cg_side *side = &how->side[k];
        const struct cg_tensor *tensor = &model->tensors[side->tensor];
        struct cg_gather from = {.files = files,
                                 .file = &model->files[tensor->file],
                                 .tensor = tensor,
                                 .view = &side->view,
                                 .scratch = scratch};
        if (side->elements > 0 && cg_gather(&from, 0, side->elements, out, err) < 0)
            return -1;
        out += side->bytes;
        *bytes_read += from.bytes_read;
    }
    return 0;
}
