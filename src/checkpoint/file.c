#include "file.h"
#include "cognate/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHOWN_PATH = 400, SHOWN_NAME = 160, SHOWN_TEXT = 400 };

int cg_fail_at(struct cg_err *err, enum cg_code code, const char *path, const char *tensor, int64_t byte,
               const char *format, ...)
{
    char shown_path[SHOWN_PATH], shown_name[SHOWN_NAME] = "", what[SHOWN_TEXT], at[32] = "";
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    cg_printable(shown_path, sizeof shown_path, path);
    if (tensor && *tensor)
        cg_printable(shown_name, sizeof shown_name, tensor);
    else if (tensor)
        strcpy(shown_name, "\"\"");
    if (byte >= 0)
        snprintf(at, sizeof at, " (at byte %" PRId64 ")", byte);
    return cg_fail(err, code, "%s: %s%s%s%s", shown_path, shown_name, tensor ? ": " : "", what, at);
}

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode)    ? "a folder"
           : S_ISFIFO(mode) ? "a named pipe"
           : S_ISSOCK(mode) ? "a socket"
                            : "a device";
}

static int64_t nanoseconds(const struct stat *status)
{
    return (int64_t)status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec;
}

int cg_fail_by_errno(struct cg_err *err, const char *path, const char *doing)
{
    if (errno == ENOENT || errno == ENOTDIR)
        return cg_fail_at(err, CG_EMISSING, path, NULL, -1, "no such file or folder");
    return cg_fail_at(err, errno == ENOMEM ? CG_ENOMEM : CG_EIO, path, NULL, -1, "cannot %s: %s", doing,
                      strerror(errno));
}

int cg_file_open(struct cg_file *file, const char *path, struct cg_err *err)
{
    file->path = cg_copy_text(path, strlen(path), err);
    if (!file->path)
        return -1;
    /* Without O_NONBLOCK the open itself would wait for somebody to write into a named pipe. */
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat status;
    if (descriptor < 0)
        return cg_fail_by_errno(err, path, "open it");
    if (fstat(descriptor, &status) < 0)
        cg_fail_by_errno(err, path, "stat it");
    else if (!S_ISREG(status.st_mode))
        cg_fail_at(err, CG_EUNSUPPORTED, path, NULL, -1, "is %s, not a file", kind_of(status.st_mode));
    else {
        file->device = (int64_t)status.st_dev;
        file->inode = (int64_t)status.st_ino;
        file->bytes = status.st_size;
        file->mtime_ns = nanoseconds(&status);
        return descriptor;
    }
    close(descriptor);
    return -1;
}

int cg_file_read(int descriptor, const char *path, void *bytes, size_t n, int64_t offset, struct cg_err *err)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(descriptor, (char *)bytes + done, n - done, offset + (int64_t)done);
        if (got < 0 && errno != EINTR)
            return cg_fail_at(err, CG_EIO, path, NULL, offset + (int64_t)done, "cannot read: %s",
                              strerror(errno));
        if (got == 0)
            return cg_fail_at(err, CG_ECHANGED, path, NULL, offset + (int64_t)done,
                              "the file became shorter while it was read");
        if (got > 0)
            done += (size_t)got;
    }
    return 0;
}

int cg_file_slurp(struct cg_buf *text, const char *path, int64_t limit, struct cg_err *err)
{
    struct cg_file file = {0};
    char *bytes = NULL;
    int result = -1, descriptor = cg_file_open(&file, path, err);
    CG_TRY(descriptor);
    if (file.bytes > limit) {
        cg_fail_at(err, CG_EFORMAT, path, NULL, -1, "has %" PRId64 " bytes, over the limit of %" PRId64,
                   file.bytes, limit);
        goto done;
    }
    bytes = cg_new((size_t)file.bytes, 1, err);
    if (!bytes)
        goto done;
    CG_TRY(cg_file_read(descriptor, path, bytes, (size_t)file.bytes, 0, err));
    result = cg_buf_append(text, bytes, (size_t)file.bytes, err);
done:
    if (descriptor >= 0)
        close(descriptor);
    free(bytes);
    free(file.path);
    return result;
}

const char *cg_last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *cg_path_join(const char *folder, const char *name, struct cg_err *err)
{
    size_t n = strlen(folder);
    struct cg_buf path = {0};
    if (cg_buf_printf(&path, err, "%s%s%s", folder, n > 0 && folder[n - 1] == '/' ? "" : "/", name) < 0)
        cg_buf_release(&path);
    return path.data;
}

static bool is_inside(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && (path[n] == '/' || folder[n - 1] == '/');
}

/* The path without links, on the heap. */
static char *resolve(const char *path, struct cg_err *err)
{
    char *real = realpath(path, NULL);
    if (!real && errno == ENOENT)
        cg_fail_at(err, CG_EMISSING, path, NULL, -1, "is a link to a file that is not there");
    else if (!real)
        cg_fail_by_errno(err, path, "follow it");
    return real;
}

/* Where the link `path` leads to in the end is compared with the two places it may lead to. */
static int check_link(const char *folder, const char *path, struct cg_err *err)
{
    int result = -1;
    char *target = NULL, *home = NULL, *beside = NULL, *store = NULL;
    target = resolve(path, err);
    home = target ? resolve(folder, err) : NULL;
    if (!home)
        goto done;
    beside = cg_path_join(home, "../../blobs", err);
    if (!beside)
        goto done;
    store = realpath(beside, NULL);
    if (is_inside(target, home) || (store && is_inside(target, store)))
        result = 0;
    else
        cg_fail_at(err, CG_EFORMAT, path, NULL, -1,
                   "is a link that leaves the model's folder and its cache's blob store");
done:
    free(store);
    free(beside);
    free(home);
    free(target);
    return result;
}

char *cg_path_of_member(const char *folder, const char *name, struct cg_err *err)
{
    struct stat status;
    char *path = cg_path_join(folder, name, err);
    if (path && lstat(path, &status) == 0 && S_ISLNK(status.st_mode) && check_link(folder, path, err) < 0) {
        free(path);
        return NULL;
    }
    return path;
}

static int compare_status(const struct stat *status, const struct cg_file *file, bool same_host,
                          struct cg_err *err)
{
    if (status->st_size != file->bytes)
        return cg_fail_at(err, CG_ECHANGED, file->path, NULL, -1,
                          "changed during the run: %" PRId64 " bytes, were %" PRId64,
                          (int64_t)status->st_size, file->bytes);
    if (nanoseconds(status) != file->mtime_ns || (int64_t)status->st_ino != file->inode ||
        (same_host && (int64_t)status->st_dev != file->device))
        return cg_fail_at(err, CG_ECHANGED, file->path, NULL, -1,
                          "changed during the run: written or replaced since its header was read");
    return 0;
}

int cg_file_unchanged(const struct cg_file *file, bool same_host, struct cg_err *err)
{
    struct stat status;
    if (stat(file->path, &status) < 0)
        return cg_fail_at(err, CG_ECHANGED, file->path, NULL, -1, "changed during the run: %s",
                          strerror(errno));
    return compare_status(&status, file, same_host, err);
}

int cg_descriptor_unchanged(int descriptor, const struct cg_file *file, bool same_host, struct cg_err *err)
{
    struct stat status;
    if (fstat(descriptor, &status) < 0)
        return cg_fail_by_errno(err, file->path, "stat it");
    return compare_status(&status, file, same_host, err);
}
