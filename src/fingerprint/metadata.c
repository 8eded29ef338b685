#include "metadata.h"
#include "cognate/mem.h"
#include "form.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* No size of an architecture is larger. */
enum { MOST_FACT = INT32_MAX };

static const char *const text_names[] = {
#define TEXT_NAME(id, name) #name,
    CG_PRINT_TEXTS(TEXT_NAME)
#undef TEXT_NAME
};

static const char *const number_names[] = {
#define NUMBER_NAME(id, name) #name,
    CG_PRINT_NUMBERS(NUMBER_NAME)
#undef NUMBER_NAME
};

static int fill_texts(struct cg_fingerprint *out, const struct cg_checkpoint *model, struct cg_err *err)
{
    const struct cg_config *config = &model->config;
    const char *const value[CG_PRINT_TEXT_COUNT] = {[CG_PRINT_LABEL_TEXT] = model->label,
                                                    [CG_PRINT_PATH_TEXT] = model->given,
                                                    [CG_PRINT_FOLDER_TEXT] = model->folder,
                                                    [CG_PRINT_FAMILY_TEXT] = model->family,
                                                    [CG_PRINT_MODEL_TYPE_TEXT] = config->model_type,
                                                    [CG_PRINT_ARCHITECTURE_TEXT] = config->architecture,
                                                    [CG_PRINT_CONFIG_FILE_TEXT] = config->file,
                                                    [CG_PRINT_QUANT_METHOD_TEXT] = config->quant_method,
                                                    [CG_PRINT_QUANT_FORMAT_TEXT] = config->quant_format};
    for (int i = 0; i < CG_PRINT_TEXT_COUNT; i++)
        if (cg_result_text(&out->root.text[i], text_names[i], err) < 0 ||
            cg_result_text(&out->root.text_value[i], value[i], err) < 0)
            return -1;
    return 0;
}

static int fill_numbers(struct cg_fingerprint *out, const struct cg_checkpoint *model, struct cg_err *err)
{
    for (int i = 0; i < CG_PRINT_NUMBER_COUNT; i++)
        if (cg_result_text(&out->root.size[i], number_names[i], err) < 0)
            return -1;
    out->root.size_value[CG_PRINT_ALONE_NUMBER] = model->alone;
    out->root.size_value[CG_PRINT_CONFIG_PRESENT_NUMBER] = model->config.present;
    out->root.size_value[CG_PRINT_QUANT_BY_LAYER_NUMBER] = model->config.quant_by_layer;
    out->root.size_value[CG_PRINT_TIED_NUMBER] = model->config.tied;
    out->root.size_value[CG_PRINT_EMBEDDING_SIZE_NUMBER] = model->config.embedding_size;
    return 0;
}

static int fill_facts(struct cg_fingerprint *out, const struct cg_checkpoint *model,
                      const struct cg_architecture *architecture, struct cg_err *err)
{
    for (int i = 0; i < CG_FACT_COUNT; i++) {
        out->root.fact_given[i] = model->config.fact[i];
        out->root.fact_value[i] = architecture->fact[i];
        if (cg_result_text(&out->root.fact[i], cg_fact_name((enum cg_fact)i), err) < 0)
            return -1;
    }
    return 0;
}

static int fill_tensor(struct cg_fingerprint *out, size_t i, const struct cg_tensor *tensor,
                       struct cg_err *err)
{
    out->checkpoint.axes[i] = tensor->axes;
    for (int axis = 0; axis < tensor->axes; axis++)
        out->checkpoint.shape[i * CG_MAX_AXES + (size_t)axis] = tensor->shape[axis];
    out->checkpoint.strided[i] = tensor->stride != NULL;
    for (int axis = 0; tensor->stride && axis < tensor->axes; axis++)
        out->checkpoint.stride[i * CG_MAX_AXES + (size_t)axis] = tensor->stride[axis];
    out->checkpoint.tensor_file[i] = tensor->file;
    out->checkpoint.offset[i] = tensor->offset;
    out->checkpoint.bytes[i] = tensor->bytes;
    if (cg_result_text(&out->checkpoint.name[i], tensor->name, err) < 0)
        return -1;
    return cg_result_text(&out->checkpoint.dtype[i], cg_dtype_name(tensor->dtype), err);
}

static void fill_quantisation(struct cg_fingerprint *out, const struct cg_checkpoint *model)
{
    for (int i = 0; i < model->config.nquantisations; i++) {
        const struct cg_quantisation *way = &model->config.quantisation[i];
        out->checkpoint.way_bits[i] = way->bits;
        out->checkpoint.way_group[i] = way->group_size;
        out->checkpoint.way_rows[i] = way->block_rows;
        out->checkpoint.way_columns[i] = way->block_columns;
    }
    for (size_t i = 0; i < model->nbnb; i++) {
        const struct cg_bnb_state *state = &model->bnb[i];
        out->checkpoint.bnb_tensor[i] = state->tensor;
        out->checkpoint.bnb_nf4[i] = state->nf4;
        out->checkpoint.bnb_rows[i] = state->rows;
        out->checkpoint.bnb_columns[i] = state->columns;
        out->checkpoint.bnb_block[i] = state->block;
        out->checkpoint.bnb_nested_block[i] = state->nested_block;
        out->checkpoint.bnb_offset[i] = state->nested_offset;
    }
    for (size_t i = 0; i < model->npadded; i++)
        out->checkpoint.padded[i] = model->padded[i];
}

int cg_metadata_fill(struct cg_fingerprint *out, const struct cg_checkpoint *model,
                     const struct cg_architecture *architecture, struct cg_err *err)
{
    out->size[CG_PRINT_TEXT] = CG_PRINT_TEXT_COUNT;
    out->size[CG_PRINT_SIZE] = CG_PRINT_NUMBER_COUNT;
    out->size[CG_PRINT_FACT] = CG_FACT_COUNT;
    out->size[CG_PRINT_FILE] = (int64_t)model->nfiles;
    out->size[CG_PRINT_STORED] = (int64_t)model->ntensors;
    out->size[CG_PRINT_AXIS] = CG_MAX_AXES;
    out->size[CG_PRINT_WAY] = model->config.nquantisations;
    out->size[CG_PRINT_BNB] = (int64_t)model->nbnb;
    out->size[CG_PRINT_PADDED] = (int64_t)model->npadded;
    CG_TRY(cg_record_allocate(&cg_fingerprint_form, out, "/", err));
    CG_TRY(cg_record_allocate(&cg_fingerprint_form, out, "/checkpoint", err));
    CG_TRY(fill_texts(out, model, err));
    CG_TRY(fill_numbers(out, model, err));
    CG_TRY(fill_facts(out, model, architecture, err));
    for (size_t i = 0; i < model->nfiles; i++) {
        out->checkpoint.file_bytes[i] = model->files[i].bytes;
        CG_TRY(cg_result_text(&out->checkpoint.file_path[i], model->files[i].path, err));
    }
    for (size_t i = 0; i < model->ntensors; i++)
        CG_TRY(fill_tensor(out, i, &model->tensors[i], err));
    fill_quantisation(out, model);
    return 0;
done:
    return -1;
}

static int refuse(struct cg_err *err, const char *what)
{
    return cg_fail(err, CG_EFORMAT, "%s: is not what a fingerprint of this version holds", what);
}

/* The type of that name, or -1: of blocks, too. */
static int dtype_of(const char *name)
{
    for (int dtype = 0; dtype < CG_DTYPE_COUNT; dtype++)
        if (strcmp(cg_dtype_name((enum cg_dtype)dtype), name) == 0)
            return dtype;
    return -1;
}

/* The elements of tensor i, or -1 where its shape, type and bytes do not fit each other. */
static int64_t elements_of(const struct cg_fingerprint *print, int64_t i)
{
    const int64_t *shape = print->checkpoint.shape + i * CG_MAX_AXES;
    int dtype = dtype_of(print->checkpoint.dtype[i]);
    long long elements = 1;
    if (dtype < 0 || print->checkpoint.axes[i] < 0 || print->checkpoint.axes[i] > CG_MAX_AXES)
        return -1;
    for (int axis = 0; axis < print->checkpoint.axes[i]; axis++)
        if (cg_multiply(elements, shape[axis], &elements) < 0)
            return -1;
    struct cg_grain grain = cg_dtype_grain((enum cg_dtype)dtype);
    long long bytes;
    if (elements % grain.elements != 0 || cg_multiply(elements / grain.elements, grain.bytes, &bytes) < 0 ||
        bytes != print->checkpoint.bytes[i])
        return -1;
    return elements;
}

static bool tensor_is_sound(const struct cg_fingerprint *print, int64_t i)
{
    return elements_of(print, i) >= 0 && print->checkpoint.tensor_file[i] >= 0 &&
           print->checkpoint.tensor_file[i] < print->size[CG_PRINT_FILE] &&
           print->checkpoint.offset[i] >= 0 &&
           print->checkpoint.offset[i] <= INT64_MAX - print->checkpoint.bytes[i] &&
           (i == 0 || strcmp(print->checkpoint.name[i - 1], print->checkpoint.name[i]) < 0);
}

static bool names_agree(char *const *names, const char *const *expected, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], expected[i]) != 0)
            return false;
    return true;
}

static bool root_is_sound(const struct cg_fingerprint *print)
{
    if (print->size[CG_PRINT_TEXT] != CG_PRINT_TEXT_COUNT ||
        print->size[CG_PRINT_SIZE] != CG_PRINT_NUMBER_COUNT || print->size[CG_PRINT_FACT] != CG_FACT_COUNT ||
        print->size[CG_PRINT_AXIS] != CG_MAX_AXES || print->size[CG_PRINT_WAY] > CG_MOST_QUANTISATIONS ||
        !names_agree(print->root.text, text_names, CG_PRINT_TEXT_COUNT) ||
        !names_agree(print->root.size, number_names, CG_PRINT_NUMBER_COUNT))
        return false;
    for (int i = 0; i < CG_FACT_COUNT; i++)
        if (strcmp(print->root.fact[i], cg_fact_name((enum cg_fact)i)) != 0 ||
            print->root.fact_given[i] < -1 || print->root.fact_given[i] > MOST_FACT)
            return false;
    int64_t embedding_size = print->root.size_value[CG_PRINT_EMBEDDING_SIZE_NUMBER];
    if (embedding_size < 0 || embedding_size > MOST_FACT)
        return false;
    return true;
}

/* -1 where config.json says nothing. */
static bool way_is_sound(const struct cg_fingerprint *print, int64_t i)
{
    const int64_t said[] = {print->checkpoint.way_bits[i], print->checkpoint.way_group[i],
                            print->checkpoint.way_rows[i], print->checkpoint.way_columns[i]};
    for (size_t k = 0; k < sizeof said / sizeof *said; k++)
        if (said[k] < -1 || said[k] == 0)
            return false;
    return said[0] <= 64;
}

static bool bnb_is_sound(const struct cg_fingerprint *print, int64_t i)
{
    return print->checkpoint.bnb_tensor[i] >= 0 &&
           print->checkpoint.bnb_tensor[i] < print->size[CG_PRINT_STORED] &&
           print->checkpoint.bnb_rows[i] > 0 && print->checkpoint.bnb_rows[i] <= INT32_MAX &&
           print->checkpoint.bnb_columns[i] > 0 && print->checkpoint.bnb_columns[i] <= INT32_MAX &&
           print->checkpoint.bnb_block[i] > 0 && print->checkpoint.bnb_nested_block[i] >= 0 &&
           isfinite(print->checkpoint.bnb_offset[i]) &&
           (i == 0 || print->checkpoint.bnb_tensor[i - 1] < print->checkpoint.bnb_tensor[i]);
}

/* Strides are of no use without the file; they only must not run over. */
static bool stride_is_sound(const struct cg_fingerprint *print, int64_t i)
{
    const int64_t *shape = print->checkpoint.shape + i * CG_MAX_AXES,
                  *stride = print->checkpoint.stride + i * CG_MAX_AXES;
    for (int axis = 0; print->checkpoint.strided[i] && axis < print->checkpoint.axes[i]; axis++) {
        long long span;
        if (cg_multiply(shape[axis], stride[axis], &span) < 0 || span > INT64_MAX / CG_MAX_AXES)
            return false;
    }
    return true;
}

static bool padded_is_sound(const struct cg_fingerprint *print, int64_t i)
{
    const int32_t *padded = print->checkpoint.padded;
    return padded[i] >= 0 && padded[i] < print->size[CG_PRINT_STORED] &&
           (i == 0 || padded[i - 1] < padded[i]);
}

int cg_metadata_check(const struct cg_fingerprint *print, struct cg_err *err)
{
    if (!root_is_sound(print))
        return refuse(err, "/");
    for (int64_t i = 0; i < print->size[CG_PRINT_FILE]; i++)
        if (print->checkpoint.file_bytes[i] < 0)
            return refuse(err, "/checkpoint/file_bytes");
    for (int64_t i = 0; i < print->size[CG_PRINT_STORED]; i++)
        if (!tensor_is_sound(print, i) || !stride_is_sound(print, i))
            return cg_fail(err, CG_EFORMAT,
                           "/checkpoint: stored tensor %" PRId64 ": its shape, type and place do not fit", i);
    for (int64_t i = 0; i < print->size[CG_PRINT_WAY]; i++)
        if (!way_is_sound(print, i))
            return refuse(err, "/checkpoint/way_bits");
    for (int64_t i = 0; i < print->size[CG_PRINT_BNB]; i++)
        if (!bnb_is_sound(print, i))
            return refuse(err, "/checkpoint/bnb_tensor");
    for (int64_t i = 0; i < print->size[CG_PRINT_PADDED]; i++)
        if (!padded_is_sound(print, i))
            return refuse(err, "/checkpoint/padded");
    return 0;
}

static int copy(char **out, const char *text, struct cg_err *err)
{
    *out = cg_copy_text(text, strlen(text), err);
    return *out ? 0 : -1;
}

static int restore_config(struct cg_config *out, const struct cg_fingerprint *print, struct cg_err *err)
{
    char *const *text = print->root.text_value;
    const int64_t *number = print->root.size_value;
    out->present = number[CG_PRINT_CONFIG_PRESENT_NUMBER] != 0;
    out->quant_by_layer = number[CG_PRINT_QUANT_BY_LAYER_NUMBER] != 0;
    int64_t tied = number[CG_PRINT_TIED_NUMBER];
    out->tied = tied < 0 ? -1 : tied > 0;
    out->embedding_size = number[CG_PRINT_EMBEDDING_SIZE_NUMBER];
    memcpy(out->fact, print->root.fact_given, sizeof out->fact);
    out->nquantisations = (int)print->size[CG_PRINT_WAY];
    for (int i = 0; i < out->nquantisations; i++)
        out->quantisation[i] = (struct cg_quantisation){.bits = print->checkpoint.way_bits[i],
                                                        .group_size = print->checkpoint.way_group[i],
                                                        .block_rows = print->checkpoint.way_rows[i],
                                                        .block_columns = print->checkpoint.way_columns[i]};
    if (copy(&out->file, text[CG_PRINT_CONFIG_FILE_TEXT], err) < 0 ||
        copy(&out->model_type, text[CG_PRINT_MODEL_TYPE_TEXT], err) < 0 ||
        copy(&out->architecture, text[CG_PRINT_ARCHITECTURE_TEXT], err) < 0 ||
        copy(&out->quant_method, text[CG_PRINT_QUANT_METHOD_TEXT], err) < 0)
        return -1;
    return copy(&out->quant_format, text[CG_PRINT_QUANT_FORMAT_TEXT], err);
}

static int restore_tensor(struct cg_tensor *out, const struct cg_fingerprint *print, int64_t i,
                          struct cg_err *err)
{
    *out = (struct cg_tensor){.dtype = (enum cg_dtype)dtype_of(print->checkpoint.dtype[i]),
                              .axes = print->checkpoint.axes[i],
                              .elements = elements_of(print, i),
                              .file = print->checkpoint.tensor_file[i],
                              .offset = print->checkpoint.offset[i],
                              .bytes = print->checkpoint.bytes[i]};
    memcpy(out->shape, print->checkpoint.shape + i * CG_MAX_AXES, (size_t)out->axes * sizeof *out->shape);
    if (print->checkpoint.strided[i] && !(out->stride = cg_new((size_t)out->axes, sizeof *out->stride, err)))
        return -1;
    if (out->stride)
        memcpy(out->stride, print->checkpoint.stride + i * CG_MAX_AXES,
               (size_t)out->axes * sizeof *out->stride);
    if (copy(&out->name, print->checkpoint.name[i], err) == 0)
        return 0;
    free(out->stride);
    return -1;
}

static int restore_files(struct cg_checkpoint *out, const struct cg_fingerprint *print, struct cg_err *err)
{
    size_t files = (size_t)print->size[CG_PRINT_FILE], tensors = (size_t)print->size[CG_PRINT_STORED];
    if (!(out->files = cg_new(files, sizeof *out->files, err)) ||
        !(out->tensors = cg_new(tensors, sizeof *out->tensors, err)))
        return -1;
    for (; out->nfiles < files; out->nfiles++) {
        out->files[out->nfiles].bytes = print->checkpoint.file_bytes[out->nfiles];
        if (copy(&out->files[out->nfiles].path, print->checkpoint.file_path[out->nfiles], err) < 0)
            return -1;
    }
    for (; out->ntensors < tensors; out->ntensors++)
        if (restore_tensor(&out->tensors[out->ntensors], print, (int64_t)out->ntensors, err) < 0)
            return -1;
    return 0;
}

static int restore_padded(struct cg_checkpoint *out, const struct cg_fingerprint *print, struct cg_err *err)
{
    size_t n = (size_t)print->size[CG_PRINT_PADDED];
    if (!(out->padded = cg_new(n, sizeof *out->padded, err)))
        return -1;
    for (; out->npadded < n; out->npadded++)
        out->padded[out->npadded] = print->checkpoint.padded[out->npadded];
    return 0;
}

static int restore_bnb(struct cg_checkpoint *out, const struct cg_fingerprint *print, struct cg_err *err)
{
    size_t n = (size_t)print->size[CG_PRINT_BNB];
    if (!(out->bnb = cg_new(n, sizeof *out->bnb, err)))
        return -1;
    for (; out->nbnb < n; out->nbnb++)
        out->bnb[out->nbnb] =
            (struct cg_bnb_state){.tensor = print->checkpoint.bnb_tensor[out->nbnb],
                                  .nf4 = print->checkpoint.bnb_nf4[out->nbnb] != 0,
                                  .rows = print->checkpoint.bnb_rows[out->nbnb],
                                  .columns = print->checkpoint.bnb_columns[out->nbnb],
                                  .block = print->checkpoint.bnb_block[out->nbnb],
                                  .nested_block = print->checkpoint.bnb_nested_block[out->nbnb],
                                  .nested_offset = print->checkpoint.bnb_offset[out->nbnb]};
    return 0;
}

int cg_metadata_restore(struct cg_checkpoint *out, const struct cg_fingerprint *print, struct cg_err *err)
{
    char *const *text = print->root.text_value;
    int result = -1;
    CG_TRY(copy(&out->label, text[CG_PRINT_LABEL_TEXT], err));
    CG_TRY(copy(&out->given, text[CG_PRINT_PATH_TEXT], err));
    CG_TRY(copy(&out->folder, text[CG_PRINT_FOLDER_TEXT], err));
    CG_TRY(copy(&out->family, text[CG_PRINT_FAMILY_TEXT], err));
    CG_TRY(copy(&out->role, "", err));
    out->alone = print->root.size_value[CG_PRINT_ALONE_NUMBER] != 0;
    CG_TRY(restore_config(&out->config, print, err));
    CG_TRY(restore_files(out, print, err));
    CG_TRY(restore_bnb(out, print, err));
    CG_TRY(restore_padded(out, print, err));
    result = 0;
done:
    if (result < 0)
        cg_checkpoint_release(out);
    return result;
}
