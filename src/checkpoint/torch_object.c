/* The pickled object of a PyTorch checkpoint: dicts of tensors, each a view of a storage.
 * https://github.com/pytorch/pytorch (torch/_utils.py, torch/_weights_only_unpickler.py) */
#include "cognate/mem.h"
#include "file.h"
#include "torch.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A dict nests so deep; so many items are looked at, shared ones each time; names have so many bytes. */
enum { DEPTH_LIMIT = 64, ITEM_LIMIT = 1 << 20, NAME_LIMIT = 1 << 20, NAMES_LIMIT = 1 << 26 };
enum { SHOWN_KEY = 120, UNTYPED = -1, NOT_READ = -2 };

enum role { DICT, SIZE, STORAGE, DTYPE, TENSOR2, TENSOR3, PARAMETER };

/* name, role, dtype of a storage class or dtype */
#define GLOBAL_LIST(X)                                                                                       \
    X("collections.OrderedDict", DICT, UNTYPED)                                                              \
    X("torch.Size", SIZE, UNTYPED)                                                                           \
    X("torch._utils._rebuild_tensor_v2", TENSOR2, UNTYPED)                                                   \
    X("torch._utils._rebuild_tensor_v3", TENSOR3, UNTYPED)                                                   \
    X("torch._utils._rebuild_parameter", PARAMETER, UNTYPED)                                                 \
    X("torch._utils._rebuild_parameter_with_state", PARAMETER, UNTYPED)                                      \
    X("torch.nn.parameter.Parameter", PARAMETER, UNTYPED)                                                    \
    X("torch.storage.UntypedStorage", STORAGE, UNTYPED)                                                      \
    X("torch.DoubleStorage", STORAGE, CG_F64)                                                                \
    X("torch.FloatStorage", STORAGE, CG_F32)                                                                 \
    X("torch.HalfStorage", STORAGE, CG_F16)                                                                  \
    X("torch.BFloat16Storage", STORAGE, CG_BF16)                                                             \
    X("torch.LongStorage", STORAGE, CG_I64)                                                                  \
    X("torch.IntStorage", STORAGE, CG_I32)                                                                   \
    X("torch.ShortStorage", STORAGE, CG_I16)                                                                 \
    X("torch.CharStorage", STORAGE, CG_I8)                                                                   \
    X("torch.ByteStorage", STORAGE, CG_U8)                                                                   \
    X("torch.BoolStorage", STORAGE, CG_BOOL)                                                                 \
    X("torch.ComplexFloatStorage", STORAGE, CG_C64)                                                          \
    X("torch.ComplexDoubleStorage", STORAGE, NOT_READ)                                                       \
    X("torch.float64", DTYPE, CG_F64)                                                                        \
    X("torch.float32", DTYPE, CG_F32)                                                                        \
    X("torch.float16", DTYPE, CG_F16)                                                                        \
    X("torch.bfloat16", DTYPE, CG_BF16)                                                                      \
    X("torch.int64", DTYPE, CG_I64)                                                                          \
    X("torch.int32", DTYPE, CG_I32)                                                                          \
    X("torch.int16", DTYPE, CG_I16)                                                                          \
    X("torch.int8", DTYPE, CG_I8)                                                                            \
    X("torch.uint64", DTYPE, CG_U64)                                                                         \
    X("torch.uint32", DTYPE, CG_U32)                                                                         \
    X("torch.uint16", DTYPE, CG_U16)                                                                         \
    X("torch.uint8", DTYPE, CG_U8)                                                                           \
    X("torch.bool", DTYPE, CG_BOOL)                                                                          \
    X("torch.complex32", DTYPE, NOT_READ)                                                                    \
    X("torch.complex64", DTYPE, CG_C64)                                                                      \
    X("torch.complex128", DTYPE, NOT_READ)                                                                   \
    X("torch.float8_e4m3fn", DTYPE, CG_F8_E4M3)                                                              \
    X("torch.float8_e5m2", DTYPE, CG_F8_E5M2)                                                                \
    X("torch.float8_e4m3fnuz", DTYPE, CG_F8_E4M3FNUZ)                                                        \
    X("torch.float8_e5m2fnuz", DTYPE, CG_F8_E5M2FNUZ)                                                        \
    X("torch.float8_e8m0fnu", DTYPE, CG_F8_E8M0)                                                             \
    X("torch.float4_e2m1fn_x2", DTYPE, CG_F4)

#define GLOBAL_NAME(name, role, dtype) name,
static const char *const global_names[] = {GLOBAL_LIST(GLOBAL_NAME) NULL};

#define GLOBAL_ROW(name, role, dtype) {role, dtype},
static const struct {
    enum role role;
    int dtype;
} globals[] = {GLOBAL_LIST(GLOBAL_ROW)};

const char *const *cg_torch_globals(void)
{
    return global_names;
}

/* The object while it is walked. */
struct object {
    struct cg_listing *listing;
    const struct cg_pickle *pickle;
    const struct cg_torch_storage *storages;
    size_t nstorages;
    const char *path;
    struct cg_buf name; /* of the item at hand */
    size_t items, names;
    struct cg_err *err;
};

static bool has_role(const struct cg_pickle_value *value, enum cg_pickle_kind kind, enum role role)
{
    return value && value->kind == kind && globals[value->number].role == role;
}

static bool is_tensor(const struct cg_pickle_value *value)
{
    return has_role(value, CG_PICKLE_CALL, TENSOR2) || has_role(value, CG_PICKLE_CALL, TENSOR3) ||
           has_role(value, CG_PICKLE_CALL, PARAMETER);
}

static bool is_container(const struct cg_pickle_value *value)
{
    return value->kind == CG_PICKLE_DICT || value->kind == CG_PICKLE_LIST || value->kind == CG_PICKLE_TUPLE;
}

static bool is_count(const struct cg_pickle_value *value)
{
    return value && value->kind == CG_PICKLE_INT && value->number >= 0;
}

/* ---- storages ---- */

int cg_torch_compare_keys(const char *a, size_t a_length, const char *b, size_t b_length)
{
    int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

int cg_torch_read_id(struct cg_torch_id *out, const struct cg_pickle *pickle,
                     const struct cg_pickle_value *value, const char *path, const char *name,
                     struct cg_err *err)
{
    const struct cg_pickle_value *part[6];
    long long bytes;
    for (int k = 0; k < 6; k++)
        part[k] = cg_pickle_item(pickle, value, k);
    if (value->kind != CG_PICKLE_PERSISTENT || !part[4] || !cg_pickle_is_text(part[0], "storage") ||
        !has_role(part[1], CG_PICKLE_GLOBAL, STORAGE) || part[2]->kind != CG_PICKLE_TEXT ||
        !is_count(part[4]))
        return cg_fail_at(err, CG_EFORMAT, path, name, value->at,
                          "needs a storage: its class, key, place and number of elements");
    if (part[5] && part[5]->kind != CG_PICKLE_NONE)
        return cg_fail_at(err, CG_EUNSUPPORTED, path, name, value->at,
                          "is in a view of a storage, as PyTorch wrote them before 0.4");
    out->key = part[2]->text;
    out->length = part[2]->length;
    out->dtype = globals[part[1]->number].dtype;
    if (out->dtype == NOT_READ)
        return cg_fail_at(err, CG_EUNSUPPORTED, path, name, value->at,
                          "is stored as %s, which cognate does not read", global_names[part[1]->number]);
    out->width = out->dtype == UNTYPED ? 1 : cg_dtype_grain((enum cg_dtype)out->dtype).bytes;
    if (cg_multiply(part[4]->number, out->width, &bytes) < 0)
        return cg_fail_at(err, CG_EFORMAT, path, name, value->at, "has a storage of 2^63 bytes or more");
    out->bytes = bytes;
    return 0;
}

static int by_key(const void *id, const void *storage)
{
    const struct cg_torch_id *a = id;
    const struct cg_torch_storage *b = storage;
    return cg_torch_compare_keys(a->key, a->length, b->key, b->length);
}

static const struct cg_torch_storage *find_storage(const struct object *o, const struct cg_torch_id *id,
                                                   const struct cg_pickle_value *value)
{
    char key[SHOWN_KEY], shown[SHOWN_KEY];
    const struct cg_torch_storage *found =
        o->nstorages > 0 ? bsearch(id, o->storages, o->nstorages, sizeof *found, by_key) : NULL;
    if (found && found->bytes == id->bytes)
        return found;
    snprintf(key, sizeof key, "%.*s", id->length < sizeof key ? (int)id->length : (int)sizeof key, id->key);
    cg_printable(shown, sizeof shown, key);
    if (found)
        cg_fail_at(o->err, CG_EFORMAT, o->path, o->name.data, value->at,
                   "its storage %s has %" PRId64 " bytes, not %" PRId64, shown, found->bytes, id->bytes);
    else
        cg_fail_at(o->err, CG_EMISSING, o->path, o->name.data, value->at, "its storage %s is not in the file",
                   shown);
    return NULL;
}

/* ---- tensors ---- */

/* One tensor while its call is read. */
struct view {
    const struct cg_pickle_value *storage, *offset, *size, *stride, *dtype, *metadata;
    int64_t step[CG_MAX_AXES]; /* in elements, by axis */
    int64_t first, extent;     /* its first element in the storage, and from there to behind the last */
};

static int refuse(const struct object *o, const struct cg_pickle_value *value, enum cg_code code,
                  const char *what)
{
    return cg_fail_at(o->err, code, o->path, o->name.data, value->at, "%s", what);
}

/* A parameter is the tensor that is its first argument. */
static const struct cg_pickle_value *tensor_of(const struct object *o, const struct cg_pickle_value *call)
{
    while (has_role(call, CG_PICKLE_CALL, PARAMETER))
        call = cg_pickle_item(o->pickle, call, 0);
    return call && is_tensor(call) ? call : NULL;
}

/* torch.Size((2, 3)) is (2, 3). */
static const struct cg_pickle_value *tuple_of(const struct object *o, const struct cg_pickle_value *value)
{
    if (has_role(value, CG_PICKLE_CALL, SIZE))
        value = cg_pickle_item(o->pickle, value, 0);
    return value && value->kind == CG_PICKLE_TUPLE ? value : NULL;
}

static int read_arguments(const struct object *o, const struct cg_pickle_value *call, struct view *view)
{
    bool typed = has_role(call, CG_PICKLE_CALL, TENSOR3);
    view->storage = cg_pickle_item(o->pickle, call, 0);
    view->offset = cg_pickle_item(o->pickle, call, 1);
    view->size = tuple_of(o, cg_pickle_item(o->pickle, call, 2));
    view->stride = tuple_of(o, cg_pickle_item(o->pickle, call, 3));
    view->dtype = typed ? cg_pickle_item(o->pickle, call, 6) : NULL;
    view->metadata = cg_pickle_item(o->pickle, call, typed ? 7 : 6);
    if (!view->storage || !view->size || !view->stride || !view->offset ||
        view->offset->kind != CG_PICKLE_INT || (typed && !has_role(view->dtype, CG_PICKLE_GLOBAL, DTYPE)))
        return refuse(o, call, CG_EFORMAT, "needs a storage, an offset, a size, strides and a type");
    if (view->metadata && view->metadata->first)
        return refuse(o, call, CG_EUNSUPPORTED, "is marked as conjugate or negative");
    return 0;
}

static int read_dtype(const struct object *o, const struct view *view, const struct cg_torch_id *id,
                      struct cg_tensor *tensor)
{
    int dtype = view->dtype ? globals[view->dtype->number].dtype : id->dtype;
    if (dtype < 0)
        return refuse(o, view->dtype ? view->dtype : view->storage, CG_EUNSUPPORTED,
                      "is of a type that cognate does not read");
    tensor->dtype = (enum cg_dtype)dtype;
    return 0;
}

static int read_shape(const struct object *o, const struct cg_pickle_value *call, struct view *view,
                      struct cg_tensor *tensor)
{
    const struct cg_pickle_value *size, *step;
    long long elements = 1;
    for (int k = 0; (size = cg_pickle_item(o->pickle, view->size, k)); k++) {
        step = cg_pickle_item(o->pickle, view->stride, k);
        if (k == CG_MAX_AXES)
            return refuse(o, call, CG_EUNSUPPORTED, "has more than 8 axes");
        if (!is_count(size) || !step || step->kind != CG_PICKLE_INT)
            return refuse(o, call, CG_EFORMAT, "its size and strides must be whole numbers, as many of each");
        if (step->number < 0)
            return refuse(o, call, CG_EFORMAT, "has a negative stride");
        if (cg_multiply(elements, size->number, &elements) < 0)
            return refuse(o, call, CG_EFORMAT, "has 2^63 elements or more");
        tensor->shape[k] = size->number;
        view->step[k] = step->number;
        tensor->axes = k + 1;
    }
    if (cg_pickle_item(o->pickle, view->stride, tensor->axes))
        return refuse(o, call, CG_EFORMAT, "its size and strides must be whole numbers, as many of each");
    tensor->elements = elements;
    return 0;
}

/* The elements from the first to behind the last must lie in the storage's `all`. */
static int check_extent(const struct object *o, const struct cg_pickle_value *call, struct view *view,
                        const struct cg_tensor *tensor, int64_t all)
{
    long long reach, extent = tensor->elements > 0;
    bool fits = view->offset->number >= 0 && view->offset->number <= all;
    for (int k = 0; fits && tensor->elements > 0 && k < tensor->axes; k++)
        fits = cg_multiply(tensor->shape[k] - 1, view->step[k], &reach) == 0 &&
               !__builtin_add_overflow(extent, reach, &extent);
    if (!fits || extent > all - view->offset->number)
        return refuse(o, call, CG_EFORMAT, "its offset and strides lead out of its storage");
    view->first = view->offset->number;
    view->extent = extent;
    return 0;
}

/* Whether the elements lie row by row without gaps; an axis of one element may have any stride. */
static bool lies_in_rows(const struct view *view, const struct cg_tensor *tensor)
{
    int64_t stride[CG_MAX_AXES];
    if (tensor->elements == 0)
        return true;
    cg_tensor_strides(tensor, stride);
    for (int k = 0; k < tensor->axes; k++)
        if (tensor->shape[k] != 1 && view->step[k] != stride[k])
            return false;
    return true;
}

/* What .expand() left, and what else has fewer elements than it says. */
static bool repeats(const struct view *view, const struct cg_tensor *tensor)
{
    for (int k = 0; k < tensor->axes; k++)
        if (tensor->shape[k] > 1 && view->step[k] == 0)
            return true;
    return view->extent < tensor->elements;
}

/* Row by row, or any other way that no element repeats in. */
static int read_order(const struct object *o, const struct cg_pickle_value *call, struct view *view,
                      struct cg_tensor *tensor)
{
    int64_t extent[CG_MAX_AXES], stride[CG_MAX_AXES];
    if (lies_in_rows(view, tensor))
        return 0;
    if (repeats(view, tensor))
        return refuse(o, call, CG_EUNSUPPORTED,
                      "is an expanded view that repeats elements of its storage: save it with .contiguous()");
    tensor->stride = view->step;
    if (tensor->dtype == CG_F4 || cg_tensor_joined(tensor, extent, stride) > CG_STRIDED_AXES)
        return refuse(o, call, CG_EUNSUPPORTED,
                      "is a strided view that cannot be read as it lies: save it with .contiguous()");
    return 0;
}

/* PyTorch counts pairs of 4-bit numbers along the last axis, safetensors and cognate the numbers. */
static int unpack_pairs(const struct object *o, const struct cg_pickle_value *call, struct cg_tensor *tensor)
{
    long long elements, columns;
    if (tensor->dtype != CG_F4)
        return 0;
    if (tensor->axes == 0 || cg_multiply(tensor->elements, 2, &elements) < 0 ||
        cg_multiply(tensor->shape[tensor->axes - 1], 2, &columns) < 0)
        return refuse(o, call, CG_EUNSUPPORTED, "has no axis to count its 4-bit numbers along");
    tensor->elements = elements;
    tensor->shape[tensor->axes - 1] = columns;
    return 0;
}

static int read_tensor(struct object *o, const struct cg_pickle_value *value)
{
    struct cg_tensor tensor = {0};
    struct cg_torch_id id;
    struct view view = {0};
    const struct cg_pickle_value *call = tensor_of(o, value);
    if (!call)
        return refuse(o, value, CG_EFORMAT, "is a parameter without a tensor");
    if (read_arguments(o, call, &view) < 0 ||
        cg_torch_read_id(&id, o->pickle, view.storage, o->path, o->name.data, o->err) < 0 ||
        read_dtype(o, &view, &id, &tensor) < 0 || read_shape(o, call, &view, &tensor) < 0)
        return -1;
    const struct cg_torch_storage *storage = find_storage(o, &id, view.storage);
    int width = cg_dtype_grain(tensor.dtype).bytes;
    if (!storage || check_extent(o, call, &view, &tensor, storage->bytes / width) < 0)
        return -1;
    if (read_order(o, call, &view, &tensor) < 0)
        return -1;
    tensor.offset = storage->offset + view.first * width;
    tensor.bytes = tensor.elements * width;
    if (unpack_pairs(o, call, &tensor) < 0)
        return -1;
    return cg_listing_add_tensor(o->listing, &tensor, o->name.data, o->err);
}

/* ---- the walk ---- */

/* A container on the way to the item at hand. */
struct level {
    const struct cg_pickle_value *container;
    uint32_t link; /* of the next item */
    int64_t index; /* of it */
    size_t name;   /* the length of the container's own name */
};

static int refuse_key(const struct object *o, const struct cg_pickle_value *key, const char *what)
{
    return cg_fail_at(o->err, CG_EUNSUPPORTED, o->path, NULL, key->at, "a tensor's key %s", what);
}

static int append_text(struct object *o, const struct cg_pickle_value *key)
{
    for (size_t i = 0, n; i < key->length; i += n) {
        n = cg_utf8_length(key->text + i, key->length - i);
        if (n == 0 || key->text[i] == '\0')
            return refuse_key(o, key, "must be UTF-8 text without NUL");
    }
    return cg_buf_append(&o->name, key->text, key->length, o->err);
}

/* Makes o->name that of the level's item `key`, which is NULL in a list. */
static int set_name(struct object *o, const struct level *level, bool outermost,
                    const struct cg_pickle_value *key)
{
    bool text = key && key->kind == CG_PICKLE_TEXT;
    if (key && !text && key->kind != CG_PICKLE_INT)
        return refuse_key(o, key, "must be text or a whole number");
    if (level->name + (text ? key->length : 0) > NAME_LIMIT)
        return refuse_key(o, key, "makes a name of over 1 MiB");
    o->name.size = level->name;
    if (cg_buf_append(&o->name, ".", !outermost, o->err) < 0)
        return -1;
    return text ? append_text(o, key)
                : cg_buf_printf(&o->name, o->err, "%" PRId64, key ? key->number : level->index - 1);
}

/* Takes the next item of the level, and in a dict its key. */
static const struct cg_pickle_value *next_item(const struct object *o, struct level *level,
                                               const struct cg_pickle_value **key)
{
    const struct cg_pickle_link *link = &o->pickle->links[level->link];
    *key = NULL;
    if (level->container->kind == CG_PICKLE_DICT) {
        *key = &o->pickle->values[link->value];
        link = &o->pickle->links[link->next];
    }
    level->link = link->next;
    level->index++;
    return &o->pickle->values[link->value];
}

/* The limits that keep containers shared many times over from being walked for ever. */
static int count_item(struct object *o, const struct cg_pickle_value *item)
{
    o->names += is_tensor(item) ? o->name.size : 0;
    return ++o->items <= ITEM_LIMIT && o->names <= NAMES_LIMIT
               ? 0
               : refuse(o, item, CG_EUNSUPPORTED, "is one item or name too many for a checkpoint");
}

static int walk(struct object *o, const struct cg_pickle_value *root)
{
    struct level levels[DEPTH_LIMIT] = {{.container = root, .link = root->first}};
    const struct cg_pickle_value *key;
    for (int depth = 0; depth >= 0;) {
        struct level *level = &levels[depth];
        if (!level->link) {
            depth--;
            continue;
        }
        const struct cg_pickle_value *item = next_item(o, level, &key);
        if (!is_tensor(item) && !is_container(item))
            continue;
        if (set_name(o, level, depth == 0, key) < 0 || count_item(o, item) < 0)
            return -1;
        if (is_tensor(item)) {
            if (read_tensor(o, item) < 0)
                return -1;
        } else if (++depth == DEPTH_LIMIT)
            return refuse(o, item, CG_EUNSUPPORTED, "is nested deeper than 64 levels");
        else
            levels[depth] = (struct level){.container = item, .link = item->first, .name = o->name.size};
    }
    return 0;
}

/* The dict under the first of the names that training programs save a model by, beside optimizers and the
 * like; NULL when there is none or the dict holds tensors itself. */
static const struct cg_pickle_value *model_within(const struct object *o, const struct cg_pickle_value *dict)
{
    static const char *const names[] = {"state_dict", "model_state_dict", "model", "module"};
    enum { NAMES = sizeof names / sizeof *names };
    const struct cg_pickle_value *found[NAMES] = {0}, *key;
    struct level level = {.container = dict, .link = dict->first};
    while (level.link) {
        const struct cg_pickle_value *item = next_item(o, &level, &key);
        if (is_tensor(item))
            return NULL;
        for (int i = 0; i < NAMES; i++)
            if (item->kind == CG_PICKLE_DICT && cg_pickle_is_text(key, names[i]))
                found[i] = item;
    }
    for (int i = 0; i < NAMES; i++)
        if (found[i])
            return found[i];
    return NULL;
}

int cg_torch_list_object(struct cg_listing *listing, const struct cg_pickle *pickle,
                         const struct cg_torch_storage *storages, size_t n, struct cg_err *err)
{
    struct object o = {
        .listing = listing, .pickle = pickle, .storages = storages, .nstorages = n, .err = err};
    o.path = listing->files[listing->nfiles - 1].path;
    const struct cg_pickle_value *root = &pickle->values[pickle->root];
    const struct cg_pickle_value *model = root, *inner = root;
    if (!is_container(root))
        return cg_fail_at(err, CG_EUNSUPPORTED, o.path, NULL, root->at,
                          "its object is no dict or list of tensors");
    while (inner && inner->kind == CG_PICKLE_DICT) {
        model = inner;
        inner = model_within(&o, model);
    }
    size_t before = listing->ntensors;
    int result = walk(&o, model);
    /* What has a model's name may be no more than its settings. */
    if (result == 0 && listing->ntensors == before && model != root)
        result = walk(&o, root);
    cg_buf_release(&o.name);
    return result;
}
