/* The shards of a folder: which files hold its tensors, and whether they hold what the index promises. */
#include "cognate/mem.h"
#include "file.h"
#include "json.h"
#include "reader.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHOWN_NAME = 160, SHOWN_PATH = 320, SHOWN_VALUE = 80 };

/* Names of files, sorted. */
struct names {
    char **name;
    size_t n, capacity;
};

static void names_release(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->name[i]);
    free(names->name);
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static int names_add(struct names *names, const char *name, struct cg_err *err)
{
    if (cg_grow((void **)&names->name, &names->capacity, names->n + 1, sizeof *names->name, err) < 0)
        return -1;
    names->name[names->n] = cg_copy_text(name, strlen(name), err);
    return names->name[names->n] ? (names->n++, 0) : -1;
}

/* All files of a folder but hidden ones, such as macOS leaves behind. */
static int names_of_folder(struct names *names, const char *folder, struct cg_err *err)
{
    DIR *directory = opendir(folder);
    if (!directory)
        return cg_fail_by_errno(err, folder, "list it");
    int result = 0;
    struct dirent *found;
    while (result == 0 && (errno = 0, found = readdir(directory)))
        if (found->d_name[0] != '.')
            result = names_add(names, found->d_name, err);
    if (result == 0 && errno != 0)
        result = cg_fail_by_errno(err, folder, "list it");
    closedir(directory);
    if (names->n > 0)
        qsort(names->name, names->n, sizeof *names->name, by_text);
    return result;
}

static int add_member(struct cg_listing *listing, const char *folder, const char *name, struct cg_err *err)
{
    char *path = cg_path_of_member(folder, name, err);
    int result = path ? cg_listing_add(listing, path, err) : -1;
    free(path);
    return result;
}

/* By the row's suffix, but for what lies beside a model in files like its own: what training programs leave,
 * and the part that sees, which GGUF keeps apart. */
static bool is_part_of_model(const char *name, const struct cg_reader *reader)
{
    static const char *const left[] = {"training_args.", "optimizer.", "scheduler.",
                                       "scaler.",        "rng_state",  "mmproj"};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        if (cg_starts_with(name, left[i]))
            return false;
    return cg_ends_with(name, reader->suffix);
}

/* The first file of a row, or NULL. */
static const char *file_of(const struct cg_reader *reader, const struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        if (is_part_of_model(names->name[i], reader))
            return names->name[i];
    return NULL;
}

/* ---- by an index ---- */

/* One line of weight_map; the texts belong to the JSON. */
struct mapped {
    const char *tensor, *shard;
};

static int by_tensor(const void *left, const void *right)
{
    return strcmp(((const struct mapped *)left)->tensor, ((const struct mapped *)right)->tensor);
}

static int by_shard(const void *left, const void *right)
{
    return strcmp(((const struct mapped *)left)->shard, ((const struct mapped *)right)->shard);
}

/* A shard lies in the folder itself: the index must not lead elsewhere. */
static bool is_plain_name(const char *name)
{
    return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int read_weight_map(struct mapped **out, size_t *n, const json_t *root, const char *path,
                           struct cg_err *err)
{
    json_t *map = json_object_get(root, "weight_map"), *value;
    const char *tensor;
    char shown[SHOWN_VALUE];
    if (!json_is_object(map))
        return cg_fail_at(err, CG_EFORMAT, path, NULL, -1, "has no weight_map from tensors to files");
    struct mapped *mapped = cg_new(json_object_size(map), sizeof *mapped, err);
    *out = mapped;
    if (!mapped)
        return -1;
    json_object_foreach(map, tensor, value)
    {
        if (!json_is_string(value) || !is_plain_name(json_string_value(value)))
            return cg_fail_at(err, CG_EFORMAT, path, tensor, -1,
                              "is mapped to %s, which is no name of a file in the index's own folder",
                              cg_json_shown(shown, sizeof shown, value));
        mapped[(*n)++] = (struct mapped){tensor, json_string_value(value)};
    }
    return 0;
}

/* Both sides are sorted by tensor and without duplicates, so one walk finds what only one of them has. */
static int compare_with_index(const struct cg_listing *listing, const struct mapped *mapped, size_t n,
                              const char *path, struct cg_err *err)
{
    size_t i = 0, j = 0;
    char shown[SHOWN_NAME];
    while (i < n || j < listing->ntensors) {
        const struct cg_tensor *tensor = j < listing->ntensors ? &listing->tensors[j] : NULL;
        int order = i == n ? 1 : tensor ? strcmp(mapped[i].tensor, tensor->name) : -1;
        if (order > 0)
            return cg_fail_at(err, CG_EFORMAT, listing->files[tensor->file].path, tensor->name,
                              tensor->offset, "the index does not map this tensor");
        if (order < 0 || strcmp(cg_last_part(listing->files[tensor->file].path), mapped[i].shard) != 0)
            return cg_fail_at(err, CG_EMISSING, path, mapped[i].tensor, -1,
                              "is mapped to %s, which does not hold it",
                              cg_printable(shown, sizeof shown, mapped[i].shard));
        i++;
        j++;
    }
    return 0;
}

/* metadata.total_size is no part of the data: when it is wrong, somebody should know and no more. */
static int check_total(const struct cg_listing *listing, const json_t *root, const char *path,
                       struct cg_buf *warnings, struct cg_err *err)
{
    const json_t *stated = json_object_get(json_object_get(root, "metadata"), "total_size");
    char shown[SHOWN_VALUE], shown_path[SHOWN_PATH];
    if (!stated || (json_is_number(stated) && json_number_value(stated) == (double)listing->bytes))
        return 0;
    return cg_buf_printf(warnings, err, "%s: total_size is %s, the tensors have %" PRId64 " bytes\n",
                         cg_printable(shown_path, sizeof shown_path, path),
                         cg_json_shown(shown, sizeof shown, stated), listing->bytes);
}

static bool is_listed(const struct cg_listing *listing, const char *name)
{
    for (size_t i = 0; i < listing->nfiles; i++)
        if (strcmp(cg_last_part(listing->files[i].path), name) == 0)
            return true;
    return false;
}

/* Files of the format that the index leaves out, such as a second form of the model. */
static int warn_of_unmapped_files(const struct cg_listing *listing, const struct cg_reader *reader,
                                  const struct names *names, const char *folder, struct cg_buf *warnings,
                                  struct cg_err *err)
{
    char shown[SHOWN_NAME], shown_folder[SHOWN_PATH];
    for (size_t i = 0; i < names->n; i++)
        if (is_part_of_model(names->name[i], reader) && !is_listed(listing, names->name[i]) &&
            cg_buf_printf(warnings, err, "%s: %s is not in the index and left out\n",
                          cg_printable(shown_folder, sizeof shown_folder, folder),
                          cg_printable(shown, sizeof shown, names->name[i])) < 0)
            return -1;
    return 0;
}

static int list_by_index(struct cg_listing *listing, const struct cg_reader *reader,
                         const struct names *names, const char *folder, struct cg_buf *warnings,
                         struct cg_err *err)
{
    struct mapped *mapped = NULL;
    size_t n = 0;
    int result = -1;
    json_t *root = NULL;
    char *path = cg_path_of_member(folder, reader->index, err);
    if (!path || !(root = cg_json_read(path, err)))
        goto done;
    CG_TRY(read_weight_map(&mapped, &n, root, path, err));
    if (n > 0)
        qsort(mapped, n, sizeof *mapped, by_shard);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(mapped[i - 1].shard, mapped[i].shard) != 0)
            CG_TRY(add_member(listing, folder, mapped[i].shard, err));
    CG_TRY(cg_listing_sort(listing, err));
    if (n > 0)
        qsort(mapped, n, sizeof *mapped, by_tensor);
    CG_TRY(compare_with_index(listing, mapped, n, path, err));
    CG_TRY(check_total(listing, root, path, warnings, err));
    result = warn_of_unmapped_files(listing, reader, names, folder, warnings, err);
done:
    json_decref(root);
    free(mapped);
    free(path);
    return result;
}

/* ---- without an index ---- */

bool cg_is_part(const char *name, const char *suffix, int *k, int *n)
{
    size_t tail = strlen("-00001-of-00001") + strlen(suffix), length = strlen(name);
    return length > tail && cg_ends_with(name, suffix) &&
           sscanf(name + length - tail, "-%5d-of-%5d", k, n) == 2 && *k > 0 && *k <= *n;
}

/* Shards number themselves: without an index that is how a missing one shows. Sorted, each must follow the
 * one before. */
static int check_parts(const struct names *names, const char *suffix, const char *folder, struct cg_err *err)
{
    int last = 0, all = 0;
    for (size_t i = 0; i <= names->n; i++) {
        int k = 1, n = 0;
        bool part = i < names->n && cg_is_part(names->name[i], suffix, &k, &n);
        if (last < all && (k != last + 1 || n != all))
            return cg_fail_at(err, CG_EMISSING, folder, NULL, -1, "shard %d of %d is missing", last + 1, all);
        if (part && last == all && k != 1)
            return cg_fail_at(err, CG_EMISSING, folder, NULL, -1, "shard 1 of %d is missing", n);
        last = part ? k : 0;
        all = part ? n : 0;
    }
    return 0;
}

/* The length of a name without -0000k-of-0000n and the suffix. */
static size_t stem_of(const char *name, const char *suffix)
{
    int k, n;
    size_t part = cg_is_part(name, suffix, &k, &n) ? strlen("-00001-of-00001") : 0;
    return strlen(name) - strlen(suffix) - part;
}

/* Files that are a model each cannot be read as one. */
static int check_one_model(const struct names *names, const char *suffix, const char *folder,
                           struct cg_err *err)
{
    char first[SHOWN_NAME], second[SHOWN_NAME];
    for (size_t i = 1; i < names->n; i++) {
        const char *a = names->name[0], *b = names->name[i];
        size_t stem = stem_of(a, suffix);
        if (stem != stem_of(b, suffix) || strncmp(a, b, stem) != 0 || strlen(a) != strlen(b))
            return cg_fail_at(err, CG_EUNSUPPORTED, folder, NULL, -1,
                              "holds several models: %s, %s%s; give one of these files",
                              cg_printable(first, sizeof first, a), cg_printable(second, sizeof second, b),
                              names->n > 2 ? ", ..." : "");
    }
    return 0;
}

/* What a part says of the whole. */
static int check_whole(const struct cg_listing *listing, const char *folder, struct cg_err *err)
{
    if (listing->parts > 0 && listing->parts != (int64_t)listing->nfiles)
        return cg_fail_at(err, CG_EMISSING, folder, NULL, -1, "the model has %" PRId64 " parts, here are %zu",
                          listing->parts, listing->nfiles);
    if (listing->parts > 0 && listing->ntensors_stated >= 0 &&
        listing->ntensors_stated != (int64_t)listing->ntensors)
        return cg_fail_at(err, CG_EFORMAT, folder, NULL, -1,
                          "the model has %" PRId64 " tensors by its parts' account, they hold %zu",
                          listing->ntensors_stated, listing->ntensors);
    return 0;
}

int cg_parts_list(struct cg_listing *listing, const char *path, const char *suffix, int n, struct cg_err *err)
{
    size_t stem = strlen(path) - strlen("-00001-of-00001") - strlen(suffix);
    for (int k = 2; k <= n; k++) {
        struct cg_buf part = {0};
        int result = cg_buf_printf(&part, err, "%.*s-%05d-of-%05d%s", (int)stem, path, k, n, suffix);
        if (result == 0)
            result = cg_listing_add(listing, part.data, err);
        cg_buf_release(&part);
        if (result < 0)
            return -1;
    }
    return check_whole(listing, path, err);
}

static int list_by_suffix(struct cg_listing *listing, const struct cg_reader *reader, const struct names *all,
                          const char *folder, struct cg_err *err)
{
    struct names shards = {0};
    int result = -1;
    for (size_t i = 0; i < all->n; i++)
        if (is_part_of_model(all->name[i], reader))
            CG_TRY(names_add(&shards, all->name[i], err));
    if (reader->one_model)
        CG_TRY(check_one_model(&shards, reader->suffix, folder, err));
    CG_TRY(check_parts(&shards, reader->suffix, folder, err));
    for (size_t i = 0; i < shards.n; i++)
        CG_TRY(add_member(listing, folder, shards.name[i], err));
    result = check_whole(listing, folder, err);
done:
    names_release(&shards);
    return result;
}

/* A folder without any file that a reader takes: say so, and which weights of another kind are there. */
static int fail_by_folder(const struct names *names, const char *folder, struct cg_err *err)
{
    static const char *const known[] = {".ckpt", ".npz", ".h5", ".msgpack"};
    char shown[SHOWN_NAME], suffixes[SHOWN_NAME] = "";
    const struct cg_reader *reader;
    for (size_t i = 0; i < names->n; i++)
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (cg_ends_with(names->name[i], known[k]))
                return cg_fail_at(err, CG_EUNSUPPORTED, folder, NULL, -1,
                                  "holds weights of a kind that cognate does not read: %s",
                                  cg_printable(shown, sizeof shown, names->name[i]));
    for (size_t row = 0, at = 0; (reader = cg_reader_row(row)) && at < sizeof suffixes; row++)
        at += (size_t)snprintf(suffixes + at, sizeof suffixes - at, "%s*%s", row > 0 ? ", " : "",
                               reader->suffix);
    return cg_fail_at(err, CG_EMISSING, folder, NULL, -1, "holds no model: no %s in it", suffixes);
}

static bool has_index(const struct cg_reader *reader, const struct names *names)
{
    return reader->index && names->n > 0 &&
           bsearch(&reader->index, names->name, names->n, sizeof *names->name, by_text);
}

/* Files of later rows: the same model once more, most likely. */
static int warn_of_other_forms(size_t taken, const struct names *names, const char *folder,
                               struct cg_buf *warnings, struct cg_err *err)
{
    char shown[SHOWN_NAME], shown_folder[SHOWN_PATH];
    const struct cg_reader *reader;
    for (size_t row = taken + 1; (reader = cg_reader_row(row)); row++) {
        const char *other = file_of(reader, names);
        if (other &&
            cg_buf_printf(warnings, err, "%s: read by its *%s files; %s is left out\n",
                          cg_printable(shown_folder, sizeof shown_folder, folder),
                          cg_reader_row(taken)->suffix, cg_printable(shown, sizeof shown, other)) < 0)
            return -1;
    }
    return 0;
}

int cg_shards_list(struct cg_listing *listing, const char *folder, struct cg_buf *warnings,
                   struct cg_err *err)
{
    struct names names = {0};
    int result = -1;
    const struct cg_reader *reader;
    CG_TRY(names_of_folder(&names, folder, err));
    for (size_t row = 0; (reader = cg_reader_row(row)); row++) {
        bool index = has_index(reader, &names);
        if (!index && !file_of(reader, &names))
            continue;
        CG_TRY(index ? list_by_index(listing, reader, &names, folder, warnings, err)
                     : list_by_suffix(listing, reader, &names, folder, err));
        result = warn_of_other_forms(row, &names, folder, warnings, err);
        goto done;
    }
    fail_by_folder(&names, folder, err);
done:
    names_release(&names);
    return result;
}
