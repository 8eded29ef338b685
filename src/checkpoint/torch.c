/* PyTorch checkpoints: a ZIP archive with a pickle and a stored entry for each storage, or, before 1.6, one
 * stream of pickles with the storages behind.
 * https://github.com/pytorch/pytorch (docs/source/notes/serialization.rst, torch/serialization.py) */
#include "torch.h"
#include "bytes.h"
#include "cognate/mem.h"
#include "file.h"
#include "zip.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PICKLE_LIMIT = 1 << 26, FIRST_WINDOW = 1 << 20, BYTEORDER_LIMIT = 16, PROTOCOL = 1001 };
enum { VERSION, SYSTEM, OBJECT, KEYS, PARTS, HEAD = 15 };

/* A pickle of 0x1950A86A20F9469CFC6C. */
static const char stream_head[HEAD + 1] = "\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19.";

static bool begins_with(const unsigned char *head, size_t n, const char *text, size_t length)
{
    return n >= length && memcmp(head, text, length) == 0;
}

bool cg_torch_recognises(const unsigned char *head, size_t n, const char *name)
{
    bool archive = begins_with(head, n, "PK\3\4", 4) && !cg_npz_recognises(head, n, name);
    return archive || begins_with(head, n, stream_head, HEAD);
}

static const struct cg_file *file_of(const struct cg_listing *listing)
{
    return &listing->files[listing->nfiles - 1];
}

/* ---- ZIP ---- */

/* The entry ROOT/data.pkl; ROOT is any name, the same for all that belongs to the checkpoint. */
static const struct cg_zip_entry *find_object(const struct cg_zip *zip, const struct cg_file *file,
                                              struct cg_err *err)
{
    const struct cg_zip_entry *found = NULL;
    for (size_t i = 0; i < zip->n; i++) {
        const char *slash = strchr(zip->entries[i].name, '/');
        if (!slash || strcmp(slash, "/data.pkl") != 0)
            continue;
        if (found) {
            cg_fail_at(err, CG_EFORMAT, file->path, zip->entries[i].name, zip->entries[i].header,
                       "is a second object: which one is meant?");
            return NULL;
        }
        found = &zip->entries[i];
    }
    if (!found)
        cg_fail_at(err, CG_EUNSUPPORTED, file->path, NULL, -1,
                   "is a ZIP archive without ROOT/data.pkl: not one that torch.save wrote");
    return found;
}

/* "ROOT/" and what stands behind it, on the heap. */
static char *name_beside(const struct cg_zip_entry *object, const char *behind, struct cg_err *err)
{
    struct cg_buf name = {0};
    int root = (int)(strchr(object->name, '/') + 1 - object->name);
    if (cg_buf_printf(&name, err, "%.*s%s", root, object->name, behind) < 0)
        cg_buf_release(&name);
    return name.data;
}

/* Writers before 2.1 do not say which byte order they have; all were little-endian. */
static int check_byteorder(const struct cg_zip *zip, const struct cg_zip_entry *object,
                           const struct cg_file *file, int descriptor, struct cg_err *err)
{
    struct cg_buf order = {0};
    int result = -1;
    char *name = name_beside(object, "byteorder", err);
    const struct cg_zip_entry *entry = name ? cg_zip_find(zip, name) : NULL;
    if (entry)
        CG_TRY(cg_zip_slurp(&order, entry, BYTEORDER_LIMIT, file, descriptor, err));
    if (entry && (order.size != 6 || memcmp(order.data, "little", 6) != 0))
        cg_fail_at(err, CG_EUNSUPPORTED, file->path, entry->name, entry->data,
                   "is not \"little\": cognate reads little-endian checkpoints only");
    else if (name)
        result = 0;
done:
    free(name);
    cg_buf_release(&order);
    return result;
}

/* The entries ROOT/data/KEY, by key, since the archive's are sorted by name. Their CRCs are not looked at:
 * that would read every byte of the weights here, once more than the sweep that hashes them. */
static int storages_of_zip(struct cg_torch_storage **out, size_t *n, const struct cg_zip *zip,
                           const struct cg_zip_entry *object, struct cg_err *err)
{
    char *prefix = name_beside(object, "data/", err);
    *out = prefix ? cg_new(zip->n, sizeof **out, err) : NULL;
    for (size_t i = 0; *out && i < zip->n; i++)
        if (cg_starts_with(zip->entries[i].name, prefix)) {
            const char *key = zip->entries[i].name + strlen(prefix);
            (*out)[(*n)++] = (struct cg_torch_storage){
                .key = key,
                .length = strlen(key),
                .offset = zip->entries[i].data,
                .bytes = zip->entries[i].bytes,
            };
        }
    free(prefix);
    return *out ? 0 : -1;
}

static int list_zip(struct cg_listing *listing, int descriptor, struct cg_err *err)
{
    const struct cg_file *file = file_of(listing);
    struct cg_zip zip = {0};
    struct cg_buf text = {0};
    struct cg_pickle pickle = {0};
    struct cg_torch_storage *storages = NULL;
    size_t n = 0;
    int result = -1;
    CG_TRY(cg_zip_read(&zip, file, descriptor, err));
    const struct cg_zip_entry *object = find_object(&zip, file, err);
    if (!object)
        goto done;
    CG_TRY(check_byteorder(&zip, object, file, descriptor, err));
    CG_TRY(cg_zip_slurp(&text, object, PICKLE_LIMIT, file, descriptor, err));
    const struct cg_pickle_source source = {.path = file->path,
                                            .bytes = (const unsigned char *)text.data,
                                            .n = text.size,
                                            .start = object->data,
                                            .globals = cg_torch_globals()};
    CG_TRY(cg_pickle_read(&pickle, &source, err));
    if (pickle.used < text.size) {
        cg_fail_at(err, CG_EFORMAT, file->path, object->name, object->data + (int64_t)pickle.used,
                   "something follows the pickle's end");
        goto done;
    }
    CG_TRY(storages_of_zip(&storages, &n, &zip, object, err));
    result = cg_torch_list_object(listing, &pickle, storages, n, err);
done:
    free(storages);
    cg_pickle_release(&pickle);
    cg_buf_release(&text);
    cg_zip_release(&zip);
    return result;
}

/* ---- the stream of pickles ---- */

/* The pickles that follow the magic number. */
struct stream {
    unsigned char *bytes; /* a window from the start of the file */
    size_t window;
    struct cg_pickle part[PARTS];
    int64_t end; /* where the storages begin */
};

static void stream_release(struct stream *stream)
{
    for (int k = 0; k < PARTS; k++)
        cg_pickle_release(&stream->part[k]);
    free(stream->bytes);
    *stream = (struct stream){0};
}

static bool is_little_endian(const struct cg_pickle *system)
{
    const struct cg_pickle_value *root = &system->values[system->root], *key, *said;
    const struct cg_pickle_link *link;
    for (uint32_t at = root->kind == CG_PICKLE_DICT ? root->first : 0; at; at = link->next) {
        key = &system->values[system->links[at].value];
        link = &system->links[system->links[at].next];
        said = &system->values[link->value];
        if (cg_pickle_is_text(key, "little_endian"))
            return said->kind == CG_PICKLE_BOOL && said->number == 1;
    }
    return false;
}

static int check_part(const struct stream *stream, int k, const struct cg_file *file, struct cg_err *err)
{
    const struct cg_pickle *part = &stream->part[k];
    const struct cg_pickle_value *root = &part->values[part->root];
    if (k == VERSION && (root->kind != CG_PICKLE_INT || root->number != PROTOCOL))
        return cg_fail_at(err, CG_EUNSUPPORTED, file->path, NULL, root->at,
                          "is of another version of PyTorch's stream than 1001");
    if (k == SYSTEM && !is_little_endian(part))
        return cg_fail_at(err, CG_EUNSUPPORTED, file->path, NULL, root->at,
                          "is not little-endian: cognate reads little-endian checkpoints only");
    if (k == KEYS && root->kind != CG_PICKLE_LIST)
        return cg_fail_at(err, CG_EFORMAT, file->path, NULL, root->at, "must have the list of storages here");
    return 0;
}

/* Reads the pickles out of the first `window` bytes. *cut: the window was too small for them. */
static int read_window(struct stream *stream, size_t window, const struct cg_file *file, int descriptor,
                       bool *cut, struct cg_err *err)
{
    size_t at = HEAD;
    *cut = false;
    stream->bytes = cg_new(window, 1, err);
    if (!stream->bytes || cg_file_read(descriptor, file->path, stream->bytes, window, 0, err) < 0)
        return -1;
    for (int k = 0; k < PARTS; k++) {
        const struct cg_pickle_source source = {.path = file->path,
                                                .bytes = stream->bytes + at,
                                                .n = window - at,
                                                .start = (int64_t)at,
                                                .globals = cg_torch_globals()};
        int result = cg_pickle_read(&stream->part[k], &source, err);
        *cut = stream->part[k].cut;
        if (result < 0 || check_part(stream, k, file, err) < 0)
            return -1;
        at += stream->part[k].used;
    }
    stream->end = (int64_t)at;
    return 0;
}

/* Nothing says how long the pickles are: a window over them grows until they fit. */
static int read_stream(struct stream *stream, const struct cg_file *file, int descriptor, struct cg_err *err)
{
    bool cut = true;
    int result = -1;
    for (int64_t window = FIRST_WINDOW; cut && window <= PICKLE_LIMIT; window *= 4) {
        stream_release(stream);
        *err = (struct cg_err){0};
        bool whole = window >= file->bytes;
        result = read_window(stream, (size_t)(whole ? file->bytes : window), file, descriptor, &cut, err);
        if (whole)
            break;
    }
    return result;
}

static int by_id(const void *left, const void *right)
{
    const struct cg_torch_id *a = left, *b = right;
    return cg_torch_compare_keys(a->key, a->length, b->key, b->length);
}

static int by_key(const void *left, const void *right)
{
    const struct cg_torch_storage *a = left, *b = right;
    return cg_torch_compare_keys(a->key, a->length, b->key, b->length);
}

/* All storages that the object refers to, sorted by key, a key perhaps several times. */
static int ids_of_stream(struct cg_torch_id **out, size_t *n, const struct cg_pickle *object,
                         const char *path, struct cg_err *err)
{
    size_t count = 0;
    for (size_t i = 1; i < object->nvalues; i++)
        count += object->values[i].kind == CG_PICKLE_PERSISTENT;
    struct cg_torch_id *ids = *out = cg_new(count, sizeof *ids, err);
    if (!ids)
        return -1;
    for (size_t i = 1; i < object->nvalues; i++) {
        const struct cg_pickle_value *value = &object->values[i];
        if (value->kind == CG_PICKLE_PERSISTENT &&
            cg_torch_read_id(&ids[(*n)++], object, value, path, NULL, err) < 0)
            return -1;
    }
    if (count > 0)
        qsort(ids, count, sizeof *ids, by_id);
    for (size_t i = 1; i < count; i++)
        if (by_id(&ids[i - 1], &ids[i]) == 0 &&
            (ids[i - 1].width != ids[i].width || ids[i - 1].bytes != ids[i].bytes))
            return cg_fail_at(err, CG_EFORMAT, path, NULL, object->values[object->root].at,
                              "two tensors say different things of one storage");
    return 0;
}

/* A storage at byte `at`: the number of its elements, and they themselves. */
static int read_storage(struct cg_torch_storage *storage, int64_t at, const struct cg_torch_id *id,
                        const struct cg_file *file, int descriptor, struct cg_err *err)
{
    unsigned char count[8];
    if (at > file->bytes - 8 || id->bytes > file->bytes - 8 - at)
        return cg_fail_at(err, CG_EFORMAT, file->path, NULL, file->bytes,
                          "the file ends inside a storage: it was cut");
    if (cg_file_read(descriptor, file->path, count, 8, at, err) < 0)
        return -1;
    if (cg_little_endian(count, 8) != (uint64_t)(id->bytes / id->width))
        return cg_fail_at(err, CG_EFORMAT, file->path, NULL, at,
                          "a storage of %" PRIu64 " elements, not %" PRId64, cg_little_endian(count, 8),
                          id->bytes / id->width);
    storage->offset = at + 8;
    storage->bytes = id->bytes;
    return 0;
}

/* The storages follow the pickles in the order of the key list, up to the end of the file. */
static int storages_of_stream(struct cg_torch_storage **out, size_t *n, const struct stream *stream,
                              const struct cg_torch_id *ids, size_t nids, const struct cg_file *file,
                              int descriptor, struct cg_err *err)
{
    const struct cg_pickle *keys = &stream->part[KEYS];
    int64_t at = stream->end;
    *out = cg_new(keys->nlinks, sizeof **out, err);
    if (!*out)
        return -1;
    for (uint32_t link = keys->values[keys->root].first; link; link = keys->links[link].next) {
        const struct cg_pickle_value *key = &keys->values[keys->links[link].value];
        struct cg_torch_id wanted = {.key = key->text, .length = key->length}, *id = NULL;
        if (key->kind == CG_PICKLE_TEXT && nids > 0)
            id = bsearch(&wanted, ids, nids, sizeof *ids, by_id);
        if (!id)
            return cg_fail_at(err, CG_EFORMAT, file->path, NULL, key->at, "no tensor refers to this storage");
        struct cg_torch_storage *storage = &(*out)[(*n)++];
        *storage = (struct cg_torch_storage){.key = key->text, .length = key->length};
        if (read_storage(storage, at, id, file, descriptor, err) < 0)
            return -1;
        at = storage->offset + storage->bytes;
    }
    if (at != file->bytes)
        return cg_fail_at(err, CG_EFORMAT, file->path, NULL, at, "something follows the last storage");
    if (*n > 0)
        qsort(*out, *n, sizeof **out, by_key);
    for (size_t i = 1; i < *n; i++)
        if (by_key(&(*out)[i - 1], &(*out)[i]) == 0)
            return cg_fail_at(err, CG_EFORMAT, file->path, NULL, (*out)[i].offset,
                              "is a storage's second copy");
    return 0;
}

static int list_stream(struct cg_listing *listing, int descriptor, struct cg_err *err)
{
    const struct cg_file *file = file_of(listing);
    struct stream stream = {0};
    struct cg_torch_id *ids = NULL;
    struct cg_torch_storage *storages = NULL;
    size_t nids = 0, n = 0;
    int result = -1;
    CG_TRY(read_stream(&stream, file, descriptor, err));
    CG_TRY(ids_of_stream(&ids, &nids, &stream.part[OBJECT], file->path, err));
    CG_TRY(storages_of_stream(&storages, &n, &stream, ids, nids, file, descriptor, err));
    result = cg_torch_list_object(listing, &stream.part[OBJECT], storages, n, err);
done:
    free(storages);
    free(ids);
    stream_release(&stream);
    return result;
}

int cg_torch_list(struct cg_listing *listing, int descriptor, struct cg_err *err)
{
    unsigned char head[HEAD];
    const struct cg_file *file = file_of(listing);
    size_t n = file->bytes < HEAD ? (size_t)file->bytes : HEAD;
    if (cg_file_read(descriptor, file->path, head, n, 0, err) < 0)
        return -1;
    if (begins_with(head, n, "PK", 2))
        return list_zip(listing, descriptor, err);
    if (begins_with(head, n, stream_head, HEAD))
        return list_stream(listing, descriptor, err);
    return cg_fail_at(err, CG_EFORMAT, file->path, NULL, 0,
                      "is no PyTorch checkpoint: neither a ZIP archive nor PyTorch's stream of pickles");
}
