/* What config.json, or a file beside it, says of how weights are quantised. */
#include "quantisation.h"
#include "cognate/mem.h"
#include "file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHOWN_VALUE = 80 };

static int refuse(const char *path, const char *key, const json_t *value, const char *rule,
                  struct cg_err *err)
{
    char shown[SHOWN_VALUE];
    return cg_fail_at(err, CG_EFORMAT, path, NULL, -1, "%s must be %s, not %s", key, rule,
                      cg_json_shown(shown, sizeof shown, value));
}

/* The value of a key, NULL where it is absent or null. */
static const json_t *said(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

/* Text on the heap in place of *out. */
static int read_text(char **out, const json_t *object, const char *key, const char *path, struct cg_err *err)
{
    const json_t *value = said(object, key);
    if (!value)
        return 0;
    if (!json_is_string(value))
        return refuse(path, key, value, "text", err);
    char *text = cg_copy_text(json_string_value(value), json_string_length(value), err);
    if (!text)
        return -1;
    free(*out);
    *out = text;
    return 0;
}

static int read_bits(int64_t *bits, const json_t *object, const char *key, const char *path,
                     struct cg_err *err)
{
    const json_t *value = said(object, key);
    if (value && (!cg_json_count(value, bits) || *bits < 1 || *bits > 64))
        return refuse(path, key, value, "a whole number from 1 to 64", err);
    return 0;
}

/* -1 stands for one group in a row. */
static int read_group_size(int64_t *size, const json_t *object, const char *path, struct cg_err *err)
{
    const json_t *value = said(object, "group_size");
    if (!value || (json_is_integer(value) && json_integer_value(value) == -1))
        return 0;
    if (!cg_json_count(value, size) || *size < 1)
        return refuse(path, "group_size", value, "a whole number of at least 1, or -1", err);
    return 0;
}

/* [rows, columns], or "rowsxcolumns". */
static int read_block(struct cg_quantisation *out, const json_t *object, const char *key, const char *path,
                      struct cg_err *err)
{
    const json_t *value = said(object, key);
    int64_t block[2] = {0, 0};
    if (!value)
        return 0;
    int rows, columns, end = 0;
    if (json_is_string(value) && sscanf(json_string_value(value), "%9dx%9d%n", &rows, &columns, &end) == 2 &&
        json_string_value(value)[end] == '\0') {
        block[0] = rows;
        block[1] = columns;
    } else if (json_array_size(value) == 2) {
        for (size_t i = 0; i < 2; i++)
            if (!cg_json_count(json_array_get(value, i), &block[i]))
                block[i] = 0;
    }
    if (block[0] < 1 || block[1] < 1)
        return refuse(path, key, value, "two whole numbers of at least 1", err);
    out->block_rows = block[0];
    out->block_columns = block[1];
    return 0;
}

static int add(struct cg_config *config, const json_t *object, const char *bits, const char *block,
               const char *path, struct cg_err *err)
{
    struct cg_quantisation *out = &config->quantisation[config->nquantisations++];
    *out = (struct cg_quantisation){-1, -1, -1, -1};
    if (read_bits(&out->bits, object, bits, path, err) < 0 ||
        read_group_size(&out->group_size, object, path, err) < 0)
        return -1;
    return read_block(out, object, block, path, err);
}

/* compressed-tensors: a group of layers each. Those whose weights stay as they are say nothing of them. */
static int add_groups(struct cg_config *config, const json_t *root, const char *path, struct cg_err *err)
{
    const json_t *groups = said(root, "config_groups"), *group;
    const char *key;
    if (groups && !json_is_object(groups))
        return refuse(path, "config_groups", groups, "an object", err);
    json_object_foreach((json_t *)(uintptr_t)groups, key, group)
    {
        const json_t *weights = said(group, "weights");
        if (!json_is_object(group) || (weights && !json_is_object(weights)))
            return refuse(path, "config_groups", group, "of objects", err);
        if (weights && config->nquantisations == CG_MOST_QUANTISATIONS)
            return cg_fail_at(err, CG_EUNSUPPORTED, path, NULL, -1, "config_groups has more than %d groups",
                              CG_MOST_QUANTISATIONS);
        if (weights && add(config, weights, "num_bits", "block_structure", path, err) < 0)
            return -1;
    }
    return 0;
}

int cg_quantisation_take(struct cg_config *config, const json_t *root, const char *path, struct cg_err *err)
{
    if (!json_is_object(root))
        return refuse(path, "quantization_config", root, "an object", err);
    if (read_text(&config->quant_method, root, "quant_method", path, err) < 0 ||
        read_text(&config->quant_format, root, "format", path, err) < 0 ||
        read_text(&config->quant_format, root, "version", path, err) < 0 ||
        read_text(&config->quant_format, root, "checkpoint_format", path, err) < 0)
        return -1;
    config->quant_by_layer = json_object_size(said(root, "dynamic")) > 0;
    const char *method = config->quant_method;
    if (strcmp(method, "compressed-tensors") == 0)
        return add_groups(config, root, path, err);
    if (strcmp(method, "gptq") == 0 || strcmp(method, "awq") == 0 || strcmp(method, "fp8") == 0)
        return add(config, root, "bits", "weight_block_size", path, err);
    return 0;
}

/* AutoGPTQ's own file, from before config.json held these facts. */
int cg_quantisation_read(struct cg_config *config, const char *folder, struct cg_err *err)
{
    int result = -1;
    json_t *root = NULL;
    char *path = cg_path_of_member(folder, "quantize_config.json", err);
    if (!path)
        goto done;
    root = cg_json_read(path, err);
    if (!root && err->code == CG_EMISSING) {
        *err = (struct cg_err){0};
        result = 0;
    }
    if (!root)
        goto done;
    if (!said(root, "quant_method")) {
        free(config->quant_method);
        CG_TRY((config->quant_method = cg_copy_text("gptq", 4, err)) ? 0 : -1);
    }
    result = cg_quantisation_take(config, root, path, err);
done:
    json_decref(root);
    free(path);
    return result;
}

int cg_one_file_open(struct cg_one_file *one, const struct cg_checkpoint *checkpoint, int32_t file,
                     struct cg_err *err)
{
    const struct cg_file *known = &checkpoint->files[file];
    struct cg_file now = {0};
    if (one->is_open && one->file == file)
        return 0;
    cg_one_file_close(one);
    int descriptor = cg_file_open(&now, known->path, err);
    free(now.path);
    if (descriptor < 0)
        return -1;
    *one = (struct cg_one_file){true, file, descriptor};
    return cg_descriptor_unchanged(descriptor, known, true, err);
}

void cg_one_file_close(struct cg_one_file *one)
{
    if (one->is_open)
        close(one->descriptor);
    *one = (struct cg_one_file){0};
}
