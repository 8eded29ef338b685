/* compressed-tensors' packed weights: their rows may end within a word. How many columns they have then
 * stands in the values of NAME.weight_shape alone. */
#include "bytes.h"
#include "cognate/mem.h"
#include "file.h"
#include "quantisation.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_BITS = 32, NAME_ROOM = 1024 };

static const struct cg_tensor *beside(const struct cg_checkpoint *in, const struct cg_tensor *shape,
                                      const char *suffix)
{
    char name[NAME_ROOM];
    int stem = (int)(strlen(shape->name) - strlen("weight_shape"));
    if (snprintf(name, sizeof name, "%.*s%s", stem, shape->name, suffix) >= (int)sizeof name)
        return NULL;
    return cg_checkpoint_find(in, name);
}

/* Whether some way that config.json names has rows of `columns` elements, or of whole groups, that fill
 * `width` words to their last bit. */
static bool fills(const struct cg_config *config, int64_t width, int64_t columns, int64_t groups)
{
    for (int i = 0; i < config->nquantisations; i++) {
        const struct cg_quantisation *q = &config->quantisation[i];
        int64_t row = columns > 0                            ? columns
                      : q->group_size > 0 && groups <= width ? groups * q->group_size
                                                             : -1;
        long long bits;
        if (q->bits > 0 && row > 0 && cg_multiply(row, q->bits, &bits) == 0 && bits == width * WORD_BITS)
            return true;
    }
    return false;
}

/* The last of the numbers that a shape holds; -1 where it is none. */
static int read_columns(int64_t *columns, struct cg_one_file *from, const struct cg_checkpoint *in,
                        const struct cg_tensor *shape, struct cg_err *err)
{
    unsigned char value[8];
    int width = shape->dtype == CG_I64 ? 8 : 4;
    *columns = -1;
    if ((shape->dtype != CG_I64 && shape->dtype != CG_I32) || shape->elements < 1)
        return 0;
    if (cg_one_file_open(from, in, shape->file, err) < 0 ||
        cg_file_read(from->descriptor, in->files[shape->file].path, value, (size_t)width,
                     shape->offset + shape->bytes - width, err) < 0)
        return -1;
    uint64_t number = cg_little_endian(value, width);
    *columns = number <= INT32_MAX ? (int64_t)number : -1;
    return 0;
}

static int look_at(struct cg_checkpoint *out, size_t *capacity, struct cg_one_file *from,
                   const struct cg_tensor *shape, struct cg_err *err)
{
    const struct cg_tensor *codes = beside(out, shape, "weight_packed"),
                           *scale = beside(out, shape, "weight_scale");
    int64_t columns;
    if (!codes || codes->dtype != CG_I32 || codes->axes < 2 || !scale || scale->axes < 1)
        return 0;
    int64_t width = codes->shape[codes->axes - 1], groups = scale->shape[scale->axes - 1];
    if (fills(&out->config, width, 0, groups))
        return 0;
    if (read_columns(&columns, from, out, shape, err) < 0)
        return -1;
    if (columns < 1 || fills(&out->config, width, columns, groups))
        return 0;
    if (cg_grow((void **)&out->padded, capacity, out->npadded + 1, sizeof *out->padded, err) < 0)
        return -1;
    out->padded[out->npadded++] = (int32_t)(codes - out->tensors);
    return 0;
}

int cg_packed_read(struct cg_checkpoint *checkpoint, struct cg_err *err)
{
    struct cg_one_file from = {0};
    size_t capacity = 0;
    int result = 0;
    if (strcmp(checkpoint->config.quant_method, "compressed-tensors") != 0)
        return 0;
    for (size_t t = 0; t < checkpoint->ntensors && result == 0; t++)
        if (cg_ends_with(checkpoint->tensors[t].name, ".weight_shape"))
            result = look_at(checkpoint, &capacity, &from, &checkpoint->tensors[t], err);
    cg_one_file_close(&from);
    return result;
}
