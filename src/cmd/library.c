#include "library.h"
#include "cognate/fingerprint.h"
#include "cognate/interrupt.h"
#include "cognate/mem.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEEPEST = 32 };

/* What a file turned out to be, before its metadata or the error. */
enum { SOUND, BROKEN, FOREIGN };

struct paths {
    char **list;
    size_t n, capacity;
};

static void paths_release(struct paths *paths)
{
    for (size_t i = 0; i < paths->n; i++)
        free(paths->list[i]);
    free(paths->list);
    *paths = (struct paths){0};
}

static int add_path(struct paths *paths, const char *path, struct cg_err *err)
{
    if (cg_grow((void **)&paths->list, &paths->capacity, paths->n + 1, sizeof *paths->list, err) < 0 ||
        !(paths->list[paths->n] = cg_copy_text(path, strlen(path), err)))
        return -1;
    paths->n++;
    return 0;
}

/* Folders may link to each other: none is followed deeper than DEEPEST. */
static int list_folder(struct paths *paths, const char *folder, int depth, struct cg_err *err)
{
    DIR *directory = opendir(folder);
    int result = 0;
    if (!directory) {
        char shown[CG_ERR_TEXT / 2];
        return cg_fail(err, errno == ENOENT ? CG_EMISSING : CG_EIO, "%s: %s",
                       cg_printable(shown, sizeof shown, folder), strerror(errno));
    }
    for (struct dirent *entry; result == 0 && (entry = readdir(directory));) {
        struct stat status;
        struct cg_buf path = {0};
        if (entry->d_name[0] == '.')
            continue;
        result = cg_buf_printf(&path, err, "%s/%s", folder, entry->d_name);
        bool there = result == 0 && stat(path.data, &status) == 0;
        if (there && S_ISDIR(status.st_mode) && depth < DEEPEST)
            result = list_folder(paths, path.data, depth + 1, err);
        else if (there && S_ISREG(status.st_mode) && cg_ends_with(entry->d_name, ".h5"))
            result = add_path(paths, path.data, err);
        cg_buf_release(&path);
    }
    closedir(directory);
    return result;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_on_root(const struct cg_comm *comm, struct cg_buf *buf, const char *folder,
                        struct cg_err *err)
{
    struct paths paths = {0};
    if (comm->rank != 0)
        return 0;
    int result = list_folder(&paths, folder, 0, err);
    if (result == 0 && paths.n > 0)
        qsort(paths.list, paths.n, sizeof *paths.list, by_path);
    if (result == 0)
        result = cg_pack_int(buf, (int64_t)paths.n, err);
    for (size_t i = 0; result == 0 && i < paths.n; i++)
        result = cg_pack_text(buf, paths.list[i], err);
    paths_release(&paths);
    return result;
}

/* The paths, on every rank. */
static int share_paths(const struct cg_comm *comm, struct paths *paths, const char *folder,
                       struct cg_err *err)
{
    struct cg_buf buf = {0};
    int result = cg_agree(comm, list_on_root(comm, &buf, folder, err), err);
    if (result == 0)
        result = cg_broadcast(comm, &buf, err);
    if (result == 0) {
        struct cg_unpacker from = {buf.data, buf.data + buf.size};
        for (int64_t n = cg_unpack_int(&from); result == 0 && n > 0; n--) {
            char *path = cg_unpack_text(&from, err);
            result = path ? add_path(paths, path, err) : -1;
            free(path);
        }
    }
    cg_buf_release(&buf);
    return cg_agree(comm, result, err);
}

/* What one file is: its status, then the metadata or what is wrong. Fails for want of memory only. */
static int examine(struct cg_buf *out, const char *path, struct cg_err *err)
{
    struct cg_fingerprint print = {0};
    struct cg_checkpoint checkpoint = {0};
    struct cg_err why = {0};
    int result = cg_fingerprint_read_metadata(&print, path, &why);
    if (result < 0 && !cg_fingerprint_recognise(path))
        return cg_pack_int(out, FOREIGN, err);
    if (result == 0 && cg_fingerprint_checkpoint(&checkpoint, &print, &why) < 0)
        result = cg_fingerprint_blame(path, &why);
    cg_fingerprint_release(&print);
    if (result < 0 && why.code == CG_ENOMEM)
        return cg_fail(err, why.code, "%s", why.text);
    int packed = cg_pack_int(out, result == 0 ? SOUND : BROKEN, err);
    if (packed == 0)
        packed = result == 0 ? cg_checkpoint_pack(&checkpoint, out, err) : cg_pack_text(out, why.text, err);
    cg_checkpoint_release(&checkpoint);
    return packed;
}

static int examine_own(const struct cg_comm *comm, struct cg_buf *found, const struct paths *paths,
                       struct cg_err *err)
{
    for (size_t i = (size_t)comm->rank; i < paths->n; i += (size_t)comm->size) {
        if (cg_interrupt_check(err) < 0 || examine(&found[i], paths->list[i], err) < 0)
            return -1;
    }
    return 0;
}

static int add_entry(struct cg_manifest *manifest, const char *path, const char *label, const char *error,
                     struct cg_err *err)
{
    size_t capacity = manifest->n;
    if (cg_grow((void **)&manifest->entries, &capacity, manifest->n + 1, sizeof *manifest->entries, err) < 0)
        return -1;
    struct cg_entry *entry = &manifest->entries[manifest->n++];
    *entry = (struct cg_entry){.label = cg_copy_text(label, strlen(label), err),
                               .path = cg_copy_text(path, strlen(path), err),
                               .family = cg_copy_text("", 0, err),
                               .role = cg_copy_text("", 0, err),
                               .error = error ? cg_copy_text(error, strlen(error), err) : NULL};
    return entry->label && entry->path && entry->family && entry->role && (!error || entry->error) ? 0 : -1;
}

static int add_broken(struct library *library, struct cg_unpacker *from, const char *path, struct cg_err *err)
{
    const char *slash = strrchr(path, '/');
    char *error = cg_unpack_text(from, err);
    int result = error ? add_entry(&library->broken, path, slash ? slash + 1 : path, error, err) : -1;
    free(error);
    return result;
}

/* A packed checkpoint begins with its label. */
static int add_sound(struct library *library, const struct cg_unpacker *from, const char *path,
                     struct cg_err *err)
{
    struct cg_unpacker label_at = *from;
    char *label = cg_unpack_text(&label_at, err);
    int result = label ? add_entry(&library->sound, path, label, NULL, err) : -1;
    free(label);
    if (result < 0)
        return -1;
    return cg_buf_append(&library->metadata[library->sound.n - 1], from->at, (size_t)(from->end - from->at),
                         err);
}

static int sort_out(struct library *library, const struct cg_buf *found, const struct paths *paths,
                    struct cg_err *err)
{
    if (!(library->metadata = cg_new(paths->n, sizeof *library->metadata, err)))
        return -1;
    for (size_t i = 0; i < paths->n; i++) {
        struct cg_unpacker from = {found[i].data, found[i].data + found[i].size};
        int64_t status = cg_unpack_int(&from);
        int result = status == SOUND    ? add_sound(library, &from, paths->list[i], err)
                     : status == BROKEN ? add_broken(library, &from, paths->list[i], err)
                                        : cg_buf_printf(&library->foreign, err, "%s\n", paths->list[i]);
        if (result < 0)
            return -1;
    }
    return 0;
}

int library_open(struct library *library, const struct cg_comm *comm, const char *folder, struct cg_err *err)
{
    struct paths paths = {0};
    struct cg_buf *found = NULL;
    int result = -1;
    CG_TRY(share_paths(comm, &paths, folder, err));
    found = cg_new(paths.n, sizeof *found, err);
    CG_TRY(cg_agree(comm, found ? 0 : -1, err));
    CG_TRY(cg_agree(comm, examine_own(comm, found, &paths, err), err));
    CG_TRY(cg_share_bufs(comm, found, (int64_t)paths.n, err));
    result = cg_agree(comm, sort_out(library, found, &paths, err), err);
done:
    for (size_t i = 0; found && i < paths.n; i++)
        cg_buf_release(&found[i]);
    free(found);
    paths_release(&paths);
    return result;
}

int library_set_apart(struct library *library, struct cg_err *err)
{
    struct cg_manifest found = {0};
    size_t kept = 0, capacity = library->broken.n;
    for (size_t i = 0; i < library->sound.n; i++) {
        struct cg_buf metadata = library->metadata[i];
        library->metadata[i] = (struct cg_buf){0};
        if (library->sound.entries[i].error)
            cg_buf_release(&metadata);
        else
            library->metadata[kept++] = metadata;
    }
    int result = cg_manifest_set_apart(&library->sound, &found, err);
    if (result == 0)
        result = cg_grow((void **)&library->broken.entries, &capacity, library->broken.n + found.n,
                         sizeof *library->broken.entries, err);
    for (size_t i = 0; result == 0 && i < found.n; i++) {
        library->broken.entries[library->broken.n++] = found.entries[i];
        found.entries[i] = (struct cg_entry){0};
    }
    cg_manifest_release(&found);
    return result;
}

void library_release(struct library *library)
{
    for (size_t i = 0; library->metadata && i < library->sound.n; i++)
        cg_buf_release(&library->metadata[i]);
    free(library->metadata);
    cg_manifest_release(&library->sound);
    cg_manifest_release(&library->broken);
    cg_buf_release(&library->foreign);
    *library = (struct library){0};
}
