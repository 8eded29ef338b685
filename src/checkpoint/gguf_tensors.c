/* The tensors of a GGUF file. */
#include "cognate/mem.h"
#include "file.h"
#include "gguf.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_AXES = 4,
    LONGEST_NAME = 1024,
    USUAL_ALIGNMENT = 32,
    LARGEST_ALIGNMENT = 1 << 30,
    SHOWN_PATH = 320,
    SHOWN_NAME = 160
};

/* ggml's numbers of types; those that are not here it has given up or uses in memory alone. */
static const struct type {
    int number;
    enum cg_dtype dtype;
} types[] = {
    {0, CG_F32},      {1, CG_F16},     {2, CG_Q4_0},     {3, CG_Q4_1},   {6, CG_Q5_0},    {7, CG_Q5_1},
    {8, CG_Q8_0},     {10, CG_Q2_K},   {11, CG_Q3_K},    {12, CG_Q4_K},  {13, CG_Q5_K},   {14, CG_Q6_K},
    {16, CG_IQ2_XXS}, {17, CG_IQ2_XS}, {18, CG_IQ3_XXS}, {19, CG_IQ1_S}, {20, CG_IQ4_NL}, {21, CG_IQ3_S},
    {22, CG_IQ2_S},   {23, CG_IQ4_XS}, {24, CG_I8},      {25, CG_I16},   {26, CG_I32},    {27, CG_I64},
    {28, CG_F64},     {29, CG_IQ1_M},  {30, CG_BF16},    {34, CG_TQ1_0}, {35, CG_TQ2_0},  {39, CG_MXFP4},
    {40, CG_NVFP4},
};

bool cg_gguf_recognises(const unsigned char *head, size_t n, const char *name)
{
    (void)name;
    return n >= 4 && memcmp(head, "GGUF", 4) == 0;
}

static int take_name(struct cg_gguf *gguf, char name[LONGEST_NAME + 1], struct cg_err *err)
{
    const char *text;
    size_t n;
    int64_t at = gguf->at;
    if (cg_gguf_take_text(gguf, &text, &n, err) < 0)
        return -1;
    if (!text || n == 0 || n > LONGEST_NAME)
        return cg_gguf_refuse(gguf, NULL, at, err, "a tensor's name of %zu bytes; they have 1 to %d", n,
                              LONGEST_NAME);
    if (!cg_gguf_is_name(text, n))
        return cg_gguf_refuse(gguf, NULL, at, err,
                              "a tensor's name that is no UTF-8 text, or has a NUL in it");
    memcpy(name, text, n);
    name[n] = '\0';
    return 0;
}

/* The first number is the axis that runs fastest: the last one here. */
static int take_shape(struct cg_gguf *gguf, struct cg_tensor *tensor, const char *name, struct cg_err *err)
{
    uint64_t axes, size;
    bool empty = false;
    long long span = 1; /* as if no axis were empty: none may hide that the others are too long */
    int64_t at = gguf->at;
    if (cg_gguf_take_number(gguf, 4, &axes, err) < 0)
        return -1;
    if (axes > MOST_AXES)
        return cg_gguf_refuse(gguf, name, at, err, "has %" PRIu64 " axes; ggml's tensors have up to %d", axes,
                              MOST_AXES);
    tensor->axes = (int)axes;
    for (int axis = tensor->axes - 1; axis >= 0; axis--) {
        at = gguf->at;
        if (cg_gguf_take_number(gguf, 8, &size, err) < 0)
            return -1;
        if (size > INT64_MAX)
            return cg_gguf_refuse(gguf, name, at, err, "has an axis of %" PRId64 " elements", (int64_t)size);
        tensor->shape[axis] = (int64_t)size;
        if (cg_multiply(span, size > 0 ? tensor->shape[axis] : 1, &span) < 0)
            return cg_gguf_refuse(gguf, name, at, err, "has 2^63 elements or more");
        empty = empty || size == 0;
    }
    tensor->elements = empty ? 0 : span;
    return 0;
}

static int take_dtype(struct cg_gguf *gguf, struct cg_tensor *tensor, const char *name, struct cg_err *err)
{
    uint64_t number;
    int64_t at = gguf->at;
    size_t n = sizeof types / sizeof *types, i = 0;
    if (cg_gguf_take_number(gguf, 4, &number, err) < 0)
        return -1;
    while (i < n && (uint64_t)types[i].number != number)
        i++;
    if (i == n)
        return cg_fail_at(err, CG_EUNSUPPORTED, gguf->path, name, at,
                          "is of ggml's type %" PRIu64 ", which cognate does not know", number);
    tensor->dtype = types[i].dtype;
    struct cg_grain grain = cg_dtype_grain(tensor->dtype);
    int64_t row = tensor->axes > 0 ? tensor->shape[tensor->axes - 1] : 1;
    if (row % grain.elements != 0)
        return cg_gguf_refuse(gguf, name, at, err,
                              "has rows of %" PRId64 " elements; %s has blocks of %d of them", row,
                              cg_dtype_name(tensor->dtype), grain.elements);
    long long bytes;
    if (cg_multiply(tensor->elements / grain.elements, grain.bytes, &bytes) < 0)
        return cg_gguf_refuse(gguf, name, at, err, "has 2^63 bytes or more");
    tensor->bytes = bytes;
    return 0;
}

/* The offset is that from the first tensor's, which is known behind the last of these entries. */
static int take_tensor(struct cg_listing *listing, struct cg_gguf *gguf, struct cg_err *err)
{
    struct cg_tensor tensor = {0};
    char name[LONGEST_NAME + 1];
    uint64_t offset;
    if (take_name(gguf, name, err) < 0 || take_shape(gguf, &tensor, name, err) < 0 ||
        take_dtype(gguf, &tensor, name, err) < 0)
        return -1;
    int64_t at = gguf->at;
    if (cg_gguf_take_number(gguf, 8, &offset, err) < 0)
        return -1;
    if (offset > (uint64_t)gguf->end || tensor.bytes > gguf->end - (int64_t)offset)
        return cg_gguf_refuse(gguf, name, at, err,
                              "has %" PRId64 " bytes from %" PRIu64 " on in a file of %" PRId64, tensor.bytes,
                              offset, gguf->end);
    tensor.offset = (int64_t)offset;
    return cg_listing_add_tensor(listing, &tensor, name, err);
}

/* ---- where the tensors lie ---- */

static int read_alignment(const struct cg_gguf *gguf, int64_t *out, struct cg_err *err)
{
    const struct cg_gguf_value *value = cg_gguf_find(gguf, "general.alignment");
    *out = value ? value->number : USUAL_ALIGNMENT;
    if (!value ||
        (value->type == CG_GGUF_U32 && *out > 0 && *out <= LARGEST_ALIGNMENT && (*out & (*out - 1)) == 0))
        return 0;
    return cg_gguf_refuse(gguf, value->key, value->at, err, "must be a power of two in a U32");
}

/* Up to the next multiple. Both are below 2^62 here: no file is larger. */
static int64_t align(int64_t at, int64_t alignment)
{
    return (at + alignment - 1) / alignment * alignment;
}

static int by_offset(const void *left, const void *right)
{
    const struct cg_tensor *a = left, *b = right;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

/* Each tensor begins at the first aligned byte behind the one before it. Takes the listing's from `first` on
 * and sorts them by offset. */
static int place(struct cg_listing *listing, size_t first, const struct cg_gguf *gguf, int64_t alignment,
                 struct cg_err *err)
{
    int64_t data = align(gguf->at, alignment), at = data;
    if (first < listing->ntensors)
        qsort(listing->tensors + first, listing->ntensors - first, sizeof *listing->tensors, by_offset);
    for (size_t i = first; i < listing->ntensors; i++) {
        struct cg_tensor *tensor = &listing->tensors[i];
        tensor->offset += data;
        if (tensor->offset != at)
            return cg_gguf_refuse(gguf, tensor->name, tensor->offset, err,
                                  tensor->offset > at
                                      ? "begins behind a gap, not at byte %" PRId64
                                      : "overlaps the tensor before it, which ends at byte %" PRId64,
                                  at);
        if (tensor->bytes > gguf->end - tensor->offset)
            return cg_gguf_refuse(gguf, tensor->name, gguf->end, err,
                                  "the file ends here, %" PRId64
                                  " bytes short of the tensor's end: it was cut",
                                  tensor->bytes - (gguf->end - tensor->offset));
        at = align(tensor->offset + tensor->bytes, alignment);
    }
    if (first < listing->ntensors && gguf->end > at)
        return cg_gguf_refuse(gguf, NULL, at, err, "the last tensor ends here, the file at byte %" PRId64,
                              gguf->end);
    return 0;
}

/* ---- parts of a model ---- */

static int64_t number_of(const struct cg_gguf *gguf, const char *key)
{
    const struct cg_gguf_value *value = cg_gguf_find(gguf, key);
    return value && value->type != CG_GGUF_ARRAY ? value->number : -1;
}

/* All parts say how many there are and how many tensors they have together. */
static int read_split(struct cg_listing *listing, const struct cg_gguf *gguf, struct cg_err *err)
{
    int k, n;
    int64_t parts = number_of(gguf, "split.count"), number = number_of(gguf, "split.no");
    if (parts < 2)
        return 0;
    if (cg_is_part(cg_last_part(gguf->path), ".gguf", &k, &n) && (n != parts || k != number + 1))
        return cg_gguf_refuse(gguf, NULL, -1, err,
                              "is part %" PRId64 " of %" PRId64 " by its own account, not %d of %d",
                              number + 1, parts, k, n);
    listing->parts = parts;
    listing->ntensors_stated = number_of(gguf, "split.tensors.count");
    return 0;
}

/* An output embedding of its own. */
static void untie(struct cg_listing *listing, size_t first)
{
    for (size_t i = first; i < listing->ntensors && listing->config.present; i++)
        if (strcmp(listing->tensors[i].name, "output.weight") == 0)
            listing->config.tied = 0;
}

int cg_gguf_list(struct cg_listing *listing, int descriptor, struct cg_err *err)
{
    struct cg_gguf gguf = {0};
    size_t first = listing->ntensors;
    int64_t alignment;
    int result = -1;
    CG_TRY(cg_gguf_read(&gguf, descriptor, &listing->files[listing->nfiles - 1], err));
    for (int64_t i = 0; i < gguf.ntensors; i++)
        CG_TRY(take_tensor(listing, &gguf, err));
    CG_TRY(read_alignment(&gguf, &alignment, err));
    CG_TRY(place(listing, first, &gguf, alignment, err));
    CG_TRY(read_split(listing, &gguf, err));
    CG_TRY(cg_gguf_config(listing, &gguf, err));
    untie(listing, first);
    result = 0;
done:
    cg_gguf_release(&gguf);
    return result;
}
