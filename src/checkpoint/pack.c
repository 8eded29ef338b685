/* The compact form of a checkpoint for a broadcast: fields in the order of the structs. */
#include "cognate/checkpoint.h"
#include "cognate/mem.h"
#include <string.h>

static int pack_config(const struct cg_config *config, struct cg_buf *buf, struct cg_err *err)
{
    CG_TRY(cg_pack_int(buf, config->present, err));
    for (int fact = 0; fact < CG_FACT_COUNT; fact++)
        CG_TRY(cg_pack_int(buf, config->fact[fact], err));
    CG_TRY(cg_pack_text(buf, config->file, err));
    CG_TRY(cg_pack_text(buf, config->model_type, err));
    CG_TRY(cg_pack_text(buf, config->architecture, err));
    CG_TRY(cg_pack_text(buf, config->quant_method, err));
    CG_TRY(cg_pack_text(buf, config->quant_format, err));
    CG_TRY(cg_pack_int(buf, config->quant_by_layer, err));
    CG_TRY(cg_pack_int(buf, config->nquantisations, err));
    for (int i = 0; i < config->nquantisations; i++) {
        const struct cg_quantisation *q = &config->quantisation[i];
        CG_TRY(cg_pack_int(buf, q->bits, err));
        CG_TRY(cg_pack_int(buf, q->group_size, err));
        CG_TRY(cg_pack_int(buf, q->block_rows, err));
        CG_TRY(cg_pack_int(buf, q->block_columns, err));
    }
    CG_TRY(cg_pack_int(buf, config->qk_nope_head_dim, err));
    CG_TRY(cg_pack_int(buf, config->embedding_size, err));
    return cg_pack_int(buf, config->tied, err);
done:
    return -1;
}

static int pack_file(const struct cg_file *file, struct cg_buf *buf, struct cg_err *err)
{
    CG_TRY(cg_pack_text(buf, file->path, err));
    CG_TRY(cg_pack_int(buf, file->device, err));
    CG_TRY(cg_pack_int(buf, file->inode, err));
    CG_TRY(cg_pack_int(buf, file->bytes, err));
    return cg_pack_int(buf, file->mtime_ns, err);
done:
    return -1;
}

static int pack_tensor(const struct cg_tensor *tensor, struct cg_buf *buf, struct cg_err *err)
{
    CG_TRY(cg_pack_text(buf, tensor->name, err));
    CG_TRY(cg_pack_int(buf, tensor->dtype, err));
    CG_TRY(cg_pack_int(buf, tensor->axes, err));
    for (int axis = 0; axis < tensor->axes; axis++)
        CG_TRY(cg_pack_int(buf, tensor->shape[axis], err));
    CG_TRY(cg_pack_int(buf, tensor->elements, err));
    CG_TRY(cg_pack_int(buf, tensor->stride != NULL, err));
    for (int axis = 0; tensor->stride && axis < tensor->axes; axis++)
        CG_TRY(cg_pack_int(buf, tensor->stride[axis], err));
    CG_TRY(cg_pack_int(buf, tensor->file, err));
    CG_TRY(cg_pack_int(buf, tensor->offset, err));
    return cg_pack_int(buf, tensor->bytes, err);
done:
    return -1;
}

static int pack_bnb(const struct cg_bnb_state *state, struct cg_buf *buf, struct cg_err *err)
{
    CG_TRY(cg_pack_int(buf, state->tensor, err));
    CG_TRY(cg_pack_int(buf, state->nf4, err));
    CG_TRY(cg_pack_int(buf, state->rows, err));
    CG_TRY(cg_pack_int(buf, state->columns, err));
    CG_TRY(cg_pack_int(buf, state->block, err));
    CG_TRY(cg_pack_int(buf, state->nested_block, err));
    return cg_buf_append(buf, &state->nested_offset, sizeof state->nested_offset, err);
done:
    return -1;
}

int cg_checkpoint_pack(const struct cg_checkpoint *checkpoint, struct cg_buf *buf, struct cg_err *err)
{
    CG_TRY(cg_pack_text(buf, checkpoint->label, err));
    CG_TRY(cg_pack_text(buf, checkpoint->given, err));
    CG_TRY(cg_pack_text(buf, checkpoint->folder, err));
    CG_TRY(cg_pack_text(buf, checkpoint->family, err));
    CG_TRY(cg_pack_text(buf, checkpoint->role, err));
    CG_TRY(cg_pack_int(buf, checkpoint->alone, err));
    CG_TRY(pack_config(&checkpoint->config, buf, err));
    CG_TRY(cg_pack_int(buf, (int64_t)checkpoint->nfiles, err));
    for (size_t i = 0; i < checkpoint->nfiles; i++)
        CG_TRY(pack_file(&checkpoint->files[i], buf, err));
    CG_TRY(cg_pack_int(buf, (int64_t)checkpoint->ntensors, err));
    for (size_t i = 0; i < checkpoint->ntensors; i++)
        CG_TRY(pack_tensor(&checkpoint->tensors[i], buf, err));
    CG_TRY(cg_pack_int(buf, (int64_t)checkpoint->nbnb, err));
    for (size_t i = 0; i < checkpoint->nbnb; i++)
        CG_TRY(pack_bnb(&checkpoint->bnb[i], buf, err));
    CG_TRY(cg_pack_int(buf, (int64_t)checkpoint->npadded, err));
    for (size_t i = 0; i < checkpoint->npadded; i++)
        CG_TRY(cg_pack_int(buf, checkpoint->padded[i], err));
    return cg_pack_text(buf, checkpoint->warnings.data, err);
done:
    return -1;
}

/* cg_unpack_text as a function that CG_TRY can hold. */
static int take_text(char **out, struct cg_unpacker *from, struct cg_err *err)
{
    *out = cg_unpack_text(from, err);
    return *out ? 0 : -1;
}

static int unpack_config(struct cg_config *config, struct cg_unpacker *from, struct cg_err *err)
{
    config->present = cg_unpack_int(from) != 0;
    for (int fact = 0; fact < CG_FACT_COUNT; fact++)
        config->fact[fact] = cg_unpack_int(from);
    CG_TRY(take_text(&config->file, from, err));
    CG_TRY(take_text(&config->model_type, from, err));
    CG_TRY(take_text(&config->architecture, from, err));
    CG_TRY(take_text(&config->quant_method, from, err));
    CG_TRY(take_text(&config->quant_format, from, err));
    config->quant_by_layer = cg_unpack_int(from) != 0;
    config->nquantisations = (int)cg_unpack_int(from);
    for (int i = 0; i < config->nquantisations; i++) {
        struct cg_quantisation *q = &config->quantisation[i];
        q->bits = cg_unpack_int(from);
        q->group_size = cg_unpack_int(from);
        q->block_rows = cg_unpack_int(from);
        q->block_columns = cg_unpack_int(from);
    }
    config->qk_nope_head_dim = cg_unpack_int(from);
    config->embedding_size = cg_unpack_int(from);
    config->tied = (int)cg_unpack_int(from);
    return 0;
done:
    return -1;
}

static int unpack_file(struct cg_file *file, struct cg_unpacker *from, struct cg_err *err)
{
    CG_TRY(take_text(&file->path, from, err));
    file->device = cg_unpack_int(from);
    file->inode = cg_unpack_int(from);
    file->bytes = cg_unpack_int(from);
    file->mtime_ns = cg_unpack_int(from);
    return 0;
done:
    return -1;
}

static int unpack_tensor(struct cg_tensor *tensor, struct cg_unpacker *from, struct cg_err *err)
{
    CG_TRY(take_text(&tensor->name, from, err));
    tensor->dtype = (enum cg_dtype)cg_unpack_int(from);
    tensor->axes = (int)cg_unpack_int(from);
    for (int axis = 0; axis < tensor->axes; axis++)
        tensor->shape[axis] = cg_unpack_int(from);
    tensor->elements = cg_unpack_int(from);
    bool strided = cg_unpack_int(from) != 0;
    if (strided && !(tensor->stride = cg_new((size_t)tensor->axes, sizeof *tensor->stride, err)))
        goto done;
    for (int axis = 0; strided && axis < tensor->axes; axis++)
        tensor->stride[axis] = cg_unpack_int(from);
    tensor->file = (int32_t)cg_unpack_int(from);
    tensor->offset = cg_unpack_int(from);
    tensor->bytes = cg_unpack_int(from);
    return 0;
done:
    return -1;
}

static void unpack_bnb(struct cg_bnb_state *state, struct cg_unpacker *from)
{
    state->tensor = (int32_t)cg_unpack_int(from);
    state->nf4 = cg_unpack_int(from) != 0;
    state->rows = cg_unpack_int(from);
    state->columns = cg_unpack_int(from);
    state->block = cg_unpack_int(from);
    state->nested_block = cg_unpack_int(from);
    memcpy(&state->nested_offset, from->at, sizeof state->nested_offset);
    from->at += sizeof state->nested_offset;
}

static int unpack_warnings(struct cg_buf *warnings, struct cg_unpacker *from, struct cg_err *err)
{
    size_t n = (size_t)cg_unpack_int(from);
    const char *text = from->at;
    from->at += n;
    return n > 0 ? cg_buf_append(warnings, text, n, err) : 0;
}

int cg_checkpoint_unpack(struct cg_checkpoint *out, struct cg_unpacker *from, struct cg_err *err)
{
    int result = -1;
    CG_TRY(take_text(&out->label, from, err));
    CG_TRY(take_text(&out->given, from, err));
    CG_TRY(take_text(&out->folder, from, err));
    CG_TRY(take_text(&out->family, from, err));
    CG_TRY(take_text(&out->role, from, err));
    out->alone = cg_unpack_int(from) != 0;
    CG_TRY(unpack_config(&out->config, from, err));
    size_t nfiles = (size_t)cg_unpack_int(from);
    out->files = cg_new(nfiles, sizeof *out->files, err);
    if (!out->files)
        goto done;
    for (; out->nfiles < nfiles; out->nfiles++)
        CG_TRY(unpack_file(&out->files[out->nfiles], from, err));
    size_t ntensors = (size_t)cg_unpack_int(from);
    out->tensors = cg_new(ntensors, sizeof *out->tensors, err);
    if (!out->tensors)
        goto done;
    for (; out->ntensors < ntensors; out->ntensors++)
        CG_TRY(unpack_tensor(&out->tensors[out->ntensors], from, err));
    size_t nbnb = (size_t)cg_unpack_int(from);
    out->bnb = cg_new(nbnb, sizeof *out->bnb, err);
    if (!out->bnb)
        goto done;
    for (; out->nbnb < nbnb; out->nbnb++)
        unpack_bnb(&out->bnb[out->nbnb], from);
    size_t npadded = (size_t)cg_unpack_int(from);
    out->padded = cg_new(npadded, sizeof *out->padded, err);
    if (!out->padded)
        goto done;
    for (; out->npadded < npadded; out->npadded++)
        out->padded[out->npadded] = (int32_t)cg_unpack_int(from);
    result = unpack_warnings(&out->warnings, from, err);
done:
    if (result < 0)
        cg_checkpoint_release(out);
    return result;
}
