/* bitsandbytes in 4 bits: weights are bare bytes; rows, columns and blocks stand in a small tensor of JSON
 * beside each, NAME.quant_state.bitsandbytes__nf4 or __fp4. */
#include "cognate/mem.h"
#include "file.h"
#include "quantisation.h"
#include <stdlib.h>
#include <string.h>

enum { STATE_LIMIT = 65536, SHOWN_VALUE = 80 };

static const char suffix[] = ".quant_state.bitsandbytes__";

struct states {
    struct cg_checkpoint *out;
    size_t capacity;
    struct cg_one_file from;
};

/* The weight that a tensor is the state of, or NULL. */
static const struct cg_tensor *weight_of(const struct cg_checkpoint *in, const struct cg_tensor *tensor)
{
    const char *found = strstr(tensor->name, suffix), *next;
    for (; found && (next = strstr(found + 1, suffix)); found = next)
        ;
    char name[1024];
    if (!found || (size_t)(found - tensor->name) >= sizeof name)
        return NULL;
    const char *type = found + sizeof suffix - 1;
    if (strcmp(type, "nf4") != 0 && strcmp(type, "fp4") != 0)
        return NULL;
    memcpy(name, tensor->name, (size_t)(found - tensor->name));
    name[found - tensor->name] = '\0';
    return cg_checkpoint_find(in, name);
}

/* The number at a key, which must be there and at least 1. */
static int read_number(int64_t *out, const json_t *root, const char *key, const char *path,
                       const struct cg_tensor *tensor, struct cg_err *err)
{
    char shown[SHOWN_VALUE];
    const json_t *value = json_object_get(root, key);
    if (cg_json_count(value, out) && *out >= 1)
        return 0;
    return cg_fail_at(err, CG_EFORMAT, path, tensor->name, tensor->offset,
                      "%s must be a whole number of at least 1, not %s", key,
                      value ? cg_json_shown(shown, sizeof shown, value) : "absent");
}

static int take_state(struct cg_bnb_state *state, const json_t *root, const char *path,
                      const struct cg_tensor *tensor, struct cg_err *err)
{
    const json_t *shape = json_object_get(root, "shape"), *offset = json_object_get(root, "nested_offset");
    if (read_number(&state->block, root, "blocksize", path, tensor, err) < 0)
        return -1;
    if (json_array_size(shape) != 2 || !cg_json_count(json_array_get(shape, 0), &state->rows) ||
        !cg_json_count(json_array_get(shape, 1), &state->columns))
        return cg_fail_at(err, CG_EFORMAT, path, tensor->name, tensor->offset,
                          "its shape is not a list of two whole numbers");
    if (!json_object_get(root, "nested_blocksize"))
        return 0;
    if (!json_is_number(offset))
        return cg_fail_at(err, CG_EFORMAT, path, tensor->name, tensor->offset,
                          "nested_offset is not a number");
    state->nested_offset = json_number_value(offset);
    return read_number(&state->nested_block, root, "nested_blocksize", path, tensor, err);
}

static int read_state(struct states *states, const struct cg_tensor *tensor, const struct cg_tensor *weight,
                      struct cg_err *err)
{
    struct cg_checkpoint *out = states->out;
    const char *path = out->files[tensor->file].path;
    char text[STATE_LIMIT];
    json_t *root = NULL;
    int result = -1;
    if (tensor->dtype != CG_U8 || tensor->bytes > STATE_LIMIT)
        return cg_fail_at(err, CG_EFORMAT, path, tensor->name, tensor->offset,
                          "a quant_state is at most %d bytes of text", STATE_LIMIT);
    CG_TRY(cg_one_file_open(&states->from, out, tensor->file, err));
    CG_TRY(cg_file_read(states->from.descriptor, path, text, (size_t)tensor->bytes, tensor->offset, err));
    if (!(root = cg_json_parse(text, (size_t)tensor->bytes, tensor->offset, path, err)))
        goto done;
    CG_TRY(cg_grow((void **)&out->bnb, &states->capacity, out->nbnb + 1, sizeof *out->bnb, err));
    struct cg_bnb_state *state = &out->bnb[out->nbnb];
    *state = (struct cg_bnb_state){.tensor = (int32_t)(weight - out->tensors),
                                   .nf4 = cg_ends_with(tensor->name, "nf4")};
    CG_TRY(take_state(state, root, path, tensor, err));
    out->nbnb++;
    result = 0;
done:
    json_decref(root);
    return result;
}

static int by_tensor(const void *left, const void *right)
{
    int32_t a = ((const struct cg_bnb_state *)left)->tensor, b = ((const struct cg_bnb_state *)right)->tensor;
    return (a > b) - (a < b);
}

int cg_bnb_read(struct cg_checkpoint *checkpoint, struct cg_err *err)
{
    struct states states = {.out = checkpoint};
    int result = 0;
    for (size_t t = 0; t < checkpoint->ntensors && result == 0; t++) {
        const struct cg_tensor *weight = weight_of(checkpoint, &checkpoint->tensors[t]);
        if (weight)
            result = read_state(&states, &checkpoint->tensors[t], weight, err);
    }
    cg_one_file_close(&states.from);
    if (checkpoint->nbnb > 0)
        qsort(checkpoint->bnb, checkpoint->nbnb, sizeof *checkpoint->bnb, by_tensor);
    return result;
}
