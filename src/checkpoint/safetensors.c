/* safetensors: a little-endian 64-bit N, N bytes of JSON, the data.
 * https://github.com/huggingface/safetensors (README.md, safetensors/src/tensor.rs) */
#include "bytes.h"
#include "cognate/mem.h"
#include "file.h"
#include "json.h"
#include "reader.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PREFIX = 8, HEADER_LIMIT = 100000000, SHOWN_VALUE = 120 };

/* One file's header while it is read. */
struct header {
    const char *path;
    char *text;
    int64_t bytes; /* of text */
    int64_t data;  /* where the data begin */
    int64_t end;   /* of the file */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool cg_safetensors_recognises(const unsigned char *head, size_t n, const char *name)
{
    (void)name;
    return n > PREFIX && cg_little_endian(head, PREFIX) <= HEADER_LIMIT &&
           (head[PREFIX] == '{' || is_blank((char)head[PREFIX]));
}

/* Where the entry of that name stands in the file: its key is looked for as it is written without escapes;
 * otherwise the header's first byte will do. */
static int64_t position_of(const struct header *header, const char *name)
{
    size_t n = strlen(name);
    const char *end = header->text + header->bytes;
    for (const char *at = header->text + 1; at < end; at++) {
        at = memmem(at, (size_t)(end - at), name, n);
        if (!at)
            break;
        const char *behind = at + n + 1;
        if (at[-1] != '"' || behind >= end || behind[-1] != '"')
            continue;
        while (behind < end && is_blank(*behind))
            behind++;
        if (behind < end && *behind == ':')
            return PREFIX + (at - 1 - header->text);
    }
    return PREFIX;
}

/* Fails with the rule that an entry breaks, and `value`, if there is one, that breaks it. */
static int refuse(const struct header *header, const char *name, const char *rule, const json_t *value,
                  struct cg_err *err)
{
    char shown[SHOWN_VALUE];
    return cg_fail_at(err, CG_EFORMAT, header->path, name, position_of(header, name), "%s%s%s", rule,
                      value ? ", not " : "", value ? cg_json_shown(shown, sizeof shown, value) : "");
}

static int read_dtype(struct cg_tensor *tensor, const struct header *header, const char *name,
                      const json_t *entry, struct cg_err *err)
{
    const json_t *dtype = json_object_get(entry, "dtype");
    if (!json_is_string(dtype))
        return refuse(header, name, dtype ? "dtype must be a string" : "has no dtype", dtype, err);
    int found = cg_dtype_of_name(json_string_value(dtype));
    if (found < 0)
        return refuse(header, name, "dtype must be one of safetensors'", dtype, err);
    tensor->dtype = (enum cg_dtype)found;
    return 0;
}

static int read_shape(struct cg_tensor *tensor, const struct header *header, const char *name,
                      const json_t *entry, struct cg_err *err)
{
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape))
        return refuse(header, name, shape ? "shape must be a list" : "has no shape", shape, err);
    size_t axes = json_array_size(shape);
    if (axes > CG_MAX_AXES)
        return cg_fail_at(err, CG_EUNSUPPORTED, header->path, name, position_of(header, name),
                          "has %zu axes; cognate reads up to %d", axes, CG_MAX_AXES);
    long long elements = 1;
    for (size_t i = 0; i < axes; i++) {
        if (!cg_json_count(json_array_get(shape, i), &tensor->shape[i]))
            return refuse(header, name, "shape must hold whole numbers of at least 0", shape, err);
        if (cg_multiply(elements, tensor->shape[i], &elements) < 0)
            return refuse(header, name, "shape must have fewer than 2^63 elements", shape, err);
    }
    tensor->axes = (int)axes;
    tensor->elements = elements;
    return 0;
}

/* The bytes that shape and dtype ask for. */
static int count_bytes(struct cg_tensor *tensor, const struct header *header, const char *name,
                       struct cg_err *err)
{
    struct cg_grain grain = cg_dtype_grain(tensor->dtype);
    if (tensor->elements % grain.elements != 0)
        return cg_fail_at(err, CG_EFORMAT, header->path, name, position_of(header, name),
                          "%" PRId64 " elements of %s do not fill whole bytes", tensor->elements,
                          cg_dtype_name(tensor->dtype));
    long long bytes;
    if (cg_multiply(tensor->elements / grain.elements, grain.bytes, &bytes) < 0)
        return refuse(header, name, "shape must have fewer than 2^63 bytes", NULL, err);
    tensor->bytes = bytes;
    return 0;
}

static int read_range(struct cg_tensor *tensor, const struct header *header, const char *name,
                      const json_t *entry, struct cg_err *err)
{
    int64_t begin, end;
    const json_t *range = json_object_get(entry, "data_offsets");
    if (!json_is_array(range) || json_array_size(range) != 2)
        return refuse(header, name, range ? "data_offsets must be two numbers" : "has no data_offsets", range,
                      err);
    if (!cg_json_count(json_array_get(range, 0), &begin) || !cg_json_count(json_array_get(range, 1), &end))
        return refuse(header, name, "data_offsets must be whole numbers of at least 0", range, err);
    if (end < begin)
        return refuse(header, name, "data_offsets must end where they begin or later", range, err);
    if (end > header->end - header->data)
        return cg_fail_at(err, CG_EFORMAT, header->path, name, header->end,
                          "the file ends here, %" PRId64
                          " short of the tensor's end: it was cut, or its header is wrong",
                          end - (header->end - header->data));
    if (end - begin != tensor->bytes)
        return cg_fail_at(err, CG_EFORMAT, header->path, name, position_of(header, name),
                          "shape and dtype %s need %" PRId64 " bytes, data_offsets give %" PRId64,
                          cg_dtype_name(tensor->dtype), tensor->bytes, end - begin);
    tensor->offset = header->data + begin;
    return 0;
}

static int read_entry(struct cg_listing *listing, const struct header *header, const char *name,
                      const json_t *entry, struct cg_err *err)
{
    struct cg_tensor tensor = {0};
    if (!json_is_object(entry))
        return refuse(header, name, "its entry must be an object", entry, err);
    if (read_dtype(&tensor, header, name, entry, err) < 0 ||
        read_shape(&tensor, header, name, entry, err) < 0 || count_bytes(&tensor, header, name, err) < 0 ||
        read_range(&tensor, header, name, entry, err) < 0)
        return -1;
    return cg_listing_add_tensor(listing, &tensor, name, err);
}

static int check_metadata(const struct header *header, json_t *metadata, struct cg_err *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return refuse(header, "__metadata__", "must be a map of strings", metadata, err);
    json_object_foreach(metadata, key, value) if (!json_is_string(value)) return refuse(
        header, "__metadata__", "must be a map of strings", value, err);
    return 0;
}

static int by_offset(const void *left, const void *right)
{
    const struct cg_tensor *a = left, *b = right;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return a->bytes < b->bytes ? -1 : a->bytes > b->bytes;
}

/* The tensors of this file, `first` and on, must cover the data without hole or overlap. Sorts them by
 * offset. */
static int check_cover(struct cg_listing *listing, size_t first, const struct header *header,
                       struct cg_err *err)
{
    int64_t at = header->data;
    if (first < listing->ntensors)
        qsort(listing->tensors + first, listing->ntensors - first, sizeof *listing->tensors, by_offset);
    for (size_t i = first; i < listing->ntensors; i++) {
        const struct cg_tensor *tensor = &listing->tensors[i];
        if (tensor->offset > at)
            return cg_fail_at(err, CG_EFORMAT, header->path, tensor->name, at,
                              "its data begin at byte %" PRId64 ", behind a hole", tensor->offset);
        if (tensor->offset < at)
            return cg_fail_at(err, CG_EFORMAT, header->path, tensor->name, tensor->offset,
                              "its data overlap another tensor's");
        at = tensor->offset + tensor->bytes;
    }
    if (at != header->end)
        return cg_fail_at(err, CG_EFORMAT, header->path, NULL, at,
                          "the last tensor ends here, the file at byte %" PRId64, header->end);
    return 0;
}

static int read_header(struct header *header, int descriptor, struct cg_err *err)
{
    unsigned char prefix[PREFIX];
    if (header->end < PREFIX)
        return cg_fail_at(err, CG_EFORMAT, header->path, NULL, header->end,
                          "too short for a safetensors file: %" PRId64 " bytes", header->end);
    if (cg_file_read(descriptor, header->path, prefix, PREFIX, 0, err) < 0)
        return -1;
    uint64_t n = cg_little_endian(prefix, PREFIX);
    if (n > HEADER_LIMIT)
        return cg_fail_at(err, CG_EFORMAT, header->path, NULL, 0,
                          "a header of %" PRIu64
                          " bytes is over safetensors' limit of %d: this is no safetensors file",
                          n, HEADER_LIMIT);
    if (n == 0 || (int64_t)n > header->end - PREFIX)
        return cg_fail_at(err, CG_EFORMAT, header->path, NULL, 0,
                          "a header of %" PRIu64 " bytes in a file of %" PRId64, n, header->end);
    header->text = cg_new((size_t)n, 1, err);
    if (!header->text)
        return -1;
    header->bytes = (int64_t)n;
    header->data = PREFIX + (int64_t)n;
    return cg_file_read(descriptor, header->path, header->text, (size_t)n, PREFIX, err);
}

int cg_safetensors_list(struct cg_listing *listing, int descriptor, struct cg_err *err)
{
    const struct cg_file *file = &listing->files[listing->nfiles - 1];
    struct header header = {.path = file->path, .end = file->bytes};
    size_t first = listing->ntensors;
    json_t *root = NULL, *entry;
    const char *name;
    int result = -1;
    CG_TRY(read_header(&header, descriptor, err));
    root = cg_json_parse(header.text, (size_t)header.bytes, PREFIX, header.path, err);
    if (!root)
        goto done;
    json_object_foreach(root, name, entry) if (strcmp(name, "__metadata__") == 0)
        CG_TRY(check_metadata(&header, entry, err));
    else CG_TRY(read_entry(listing, &header, name, entry, err));
    result = check_cover(listing, first, &header, err);
done:
    json_decref(root);
    free(header.text);
    return result;
}
