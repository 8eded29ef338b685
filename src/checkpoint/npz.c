/* NumPy's archives of arrays: a ZIP archive with a stored entry NAME.npy for each, a header in Python's
 * spelling before its bytes (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html). */
#include "bytes.h"
#include "cognate/mem.h"
#include "file.h"
#include "reader.h"
#include "zip.h"
#include <stdlib.h>
#include <string.h>

enum { LOCAL_NAME = 30, PREFIX = 12, HEADER_LIMIT = 65535, LONGEST_WORD = 16 };

bool cg_npz_recognises(const unsigned char *head, size_t n, const char *name)
{
    (void)name;
    if (n < LOCAL_NAME || memcmp(head, "PK\3\4", 4) != 0)
        return false;
    size_t length = (size_t)cg_little_endian(head + 26, 2);
    return length > 4 && length <= n - LOCAL_NAME && memcmp(head + LOCAL_NAME + length - 4, ".npy", 4) == 0;
}

/* One array's header while it is read: a dict of descr, fortran_order and shape. */
struct header {
    const char *at;
    int64_t stride[CG_MAX_AXES]; /* where it is column-major */
    const struct cg_file *file;
    const struct cg_zip_entry *entry;
    struct cg_err *err;
};

static int refuse(const struct header *h, enum cg_code code, const char *what)
{
    return cg_fail_at(h->err, code, h->file->path, h->entry->name, h->entry->data, "%s", what);
}

/* Takes a punctuation mark, or returns false. */
static bool take(struct header *h, char mark)
{
    h->at += strspn(h->at, " \n");
    if (*h->at != mark)
        return false;
    h->at++;
    return true;
}

/* Takes a text in single or double quotes. */
static bool take_text(struct header *h, char out[LONGEST_WORD])
{
    h->at += strspn(h->at, " \n");
    const char quote[2] = {*h->at, '\0'};
    if (*quote != '\'' && *quote != '"')
        return false;
    size_t n = strcspn(h->at + 1, quote);
    if (n >= LONGEST_WORD || h->at[1 + n] != *quote)
        return false;
    memcpy(out, h->at + 1, n);
    out[n] = '\0';
    h->at += n + 2;
    return true;
}

static int take_dtype(struct header *h, struct cg_tensor *tensor)
{
    static const struct {
        const char *descr;
        enum cg_dtype dtype;
    } types[] = {
        {"<f2", CG_F16}, {"<f4", CG_F32},  {"<f8", CG_F64}, {"|i1", CG_I8},  {"<i2", CG_I16},
        {"<i4", CG_I32}, {"<i8", CG_I64},  {"|u1", CG_U8},  {"<u2", CG_U16}, {"<u4", CG_U32},
        {"<u8", CG_U64}, {"|b1", CG_BOOL}, {"<c8", CG_C64},
    };
    char descr[LONGEST_WORD];
    if (!take_text(h, descr))
        return refuse(h, CG_EUNSUPPORTED, "is an array of records, which cognate does not read");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(descr, types[i].descr) == 0) {
            tensor->dtype = types[i].dtype;
            return 0;
        }
    return refuse(h, CG_EUNSUPPORTED,
                  *descr == '>' ? "is big-endian: cognate reads little-endian arrays only"
                                : "is of a type that cognate does not read");
}

static int take_shape(struct header *h, struct cg_tensor *tensor)
{
    long long elements = 1;
    if (!take(h, '('))
        return refuse(h, CG_EFORMAT, "has a broken header");
    while (!take(h, ')')) {
        size_t digits = strspn(h->at += strspn(h->at, " "), "0123456789");
        if (digits == 0 || digits > 18)
            return refuse(h, CG_EFORMAT, "has a shape of other than whole numbers");
        if (tensor->axes == CG_MAX_AXES)
            return refuse(h, CG_EUNSUPPORTED, "has more than 8 axes");
        int64_t size = strtoll(h->at, NULL, 10);
        tensor->shape[tensor->axes++] = size;
        if (cg_multiply(elements, size, &elements) < 0)
            return refuse(h, CG_EFORMAT, "has 2^63 elements or more");
        h->at += digits;
        if (!take(h, ',') && *h->at != ')')
            return refuse(h, CG_EFORMAT, "has a broken header");
    }
    tensor->elements = elements;
    return 0;
}

/* Column-major: the first axis is the fastest. */
static int turn(struct header *h, struct cg_tensor *tensor)
{
    int64_t extent[CG_MAX_AXES], joined[CG_MAX_AXES], step = 1;
    if (tensor->axes < 2 || tensor->elements == 0)
        return 0;
    for (int a = 0; a < tensor->axes; a++) {
        h->stride[a] = step;
        step *= tensor->shape[a];
    }
    tensor->stride = h->stride;
    return cg_tensor_joined(tensor, extent, joined) <= CG_STRIDED_AXES
               ? 0
               : refuse(h, CG_EUNSUPPORTED, "is column-major, with more axes than cognate can turn");
}

/* Each of the three keys once, in any order. */
static int take_dict(struct header *h, struct cg_tensor *tensor)
{
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    char key[LONGEST_WORD];
    bool seen[3] = {false}, by_columns = false;
    if (!take(h, '{'))
        return refuse(h, CG_EFORMAT, "has a broken header");
    while (!take(h, '}')) {
        int k = 0;
        if (!take_text(h, key) || !take(h, ':'))
            return refuse(h, CG_EFORMAT, "has a broken header");
        while (k < 3 && strcmp(key, keys[k]) != 0)
            k++;
        if (k == 3 || seen[k])
            return refuse(h, CG_EFORMAT, "has a header of other keys than descr, fortran_order and shape");
        seen[k] = true;
        h->at += strspn(h->at, " ");
        if ((k == 0 && take_dtype(h, tensor) < 0) || (k == 2 && take_shape(h, tensor) < 0))
            return -1;
        by_columns = by_columns || (k == 1 && cg_starts_with(h->at, "True"));
        if (k == 1 && !cg_starts_with(h->at, "True") && !cg_starts_with(h->at, "False"))
            return refuse(h, CG_EFORMAT, "has a broken header");
        h->at += k == 1 ? (by_columns ? 4 : 5) : 0;
        if (!take(h, ',') && *h->at != '}')
            return refuse(h, CG_EFORMAT, "has a broken header");
    }
    if (!seen[0] || !seen[1] || !seen[2])
        return refuse(h, CG_EFORMAT, "has a header without descr, fortran_order or shape");
    return by_columns ? turn(h, tensor) : 0;
}

/* Where the header's text lies in the entry, and how long it is. */
static int find_text(const struct header *h, int descriptor, int64_t *start, size_t *n)
{
    unsigned char head[PREFIX] = {0};
    size_t there = h->entry->bytes < PREFIX ? (size_t)h->entry->bytes : PREFIX;
    if (cg_file_read(descriptor, h->file->path, head, there, h->entry->data, h->err) < 0)
        return -1;
    bool wide = head[6] > 1;
    *start = wide ? 12 : 10;
    *n = (size_t)cg_little_endian(head + 8, wide ? 4 : 2);
    if (there < PREFIX || memcmp(head, "\x93NUMPY", 6) != 0 || head[6] < 1 || head[6] > 3)
        return refuse(h, CG_EFORMAT, "is no array of NumPy's format 1 to 3");
    if (*n > HEADER_LIMIT || (int64_t)*n > h->entry->bytes - *start)
        return refuse(h, CG_EFORMAT, "has a header that is longer than itself, or than 64 KiB");
    return 0;
}

static int list_array(struct cg_listing *listing, const struct cg_file *file,
                      const struct cg_zip_entry *entry, int descriptor, struct cg_err *err)
{
    struct header h = {.file = file, .entry = entry, .err = err};
    struct cg_tensor tensor = {.file = (int32_t)(listing->nfiles - 1)};
    struct cg_buf name = {0};
    char *text = NULL;
    int64_t start;
    size_t n;
    int result = -1;
    if (!cg_ends_with(entry->name, ".npy"))
        return refuse(&h, CG_EFORMAT, "is no array: all entries are NAME.npy");
    CG_TRY(find_text(&h, descriptor, &start, &n));
    if (!(text = cg_new(n + 1, 1, err)))
        goto done;
    CG_TRY(cg_file_read(descriptor, file->path, text, n, entry->data + start, err));
    h.at = text;
    CG_TRY(take_dict(&h, &tensor));
    long long bytes;
    if (cg_multiply(tensor.elements, cg_dtype_grain(tensor.dtype).bytes, &bytes) < 0 ||
        bytes != entry->bytes - start - (int64_t)n) {
        refuse(&h, CG_EFORMAT, "has another number of bytes than its shape and type say");
        goto done;
    }
    tensor.offset = entry->data + start + (int64_t)n;
    tensor.bytes = bytes;
    CG_TRY(cg_buf_append(&name, entry->name, strlen(entry->name) - 4, err));
    result = cg_listing_add_tensor(listing, &tensor, name.data, err);
done:
    cg_buf_release(&name);
    free(text);
    return result;
}

int cg_npz_list(struct cg_listing *listing, int descriptor, struct cg_err *err)
{
    const struct cg_file *file = &listing->files[listing->nfiles - 1];
    struct cg_zip zip = {0};
    int result = -1;
    CG_TRY(cg_zip_read(&zip, file, descriptor, err));
    for (size_t i = 0; i < zip.n; i++)
        CG_TRY(list_array(listing, file, &zip.entries[i], descriptor, err));
    result = 0;
done:
    cg_zip_release(&zip);
    return result;
}
