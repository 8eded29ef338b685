#include "publish.h"
#include "cognate/mem.h"
#include "cognate/result.h"
#include "cognate/text.h"
#include "form.h"
#include "h5.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file is written beside its place under the name .NAME.cognate-PID.tmp. */
struct place {
    char *folder, *prefix; /* ".NAME.cognate-" */
    char *temp;            /* the path of this process's temp file */
};

static void place_release(struct place *place)
{
    free(place->folder);
    free(place->prefix);
    free(place->temp);
    *place = (struct place){0};
}

/* A formatted text on the heap. */
__attribute__((format(printf, 2, 3))) static char *new_text(struct cg_err *err, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0) {
        text = NULL;
        cg_fail(err, CG_ENOMEM, "out of memory for a file name");
    }
    va_end(args);
    return text;
}

static int place_init(struct place *place, const char *path, struct cg_err *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (*name == '\0')
        return cg_fail(err, CG_EUSAGE, "is no name for a file");
    place->folder = slash == path ? new_text(err, "/")
                    : slash       ? new_text(err, "%.*s", (int)(slash - path), path)
                                  : new_text(err, ".");
    place->prefix = place->folder ? new_text(err, ".%s.cognate-", name) : NULL;
    place->temp =
        place->prefix ? new_text(err, "%s/%s%ld.tmp", place->folder, place->prefix, (long)getpid()) : NULL;
    return place->temp ? 0 : -1;
}

/* Whether NAME is the temp file of a process that is no more (or of an earlier one with our number). */
static bool is_leftover(const char *name, const char *prefix)
{
    if (!cg_starts_with(name, prefix))
        return false;
    char *end;
    errno = 0;
    long pid = strtol(name + strlen(prefix), &end, 10);
    if (errno != 0 || pid <= 0 || pid > INT32_MAX || strcmp(end, ".tmp") != 0)
        return false;
    return pid == (long)getpid() || (kill((pid_t)pid, 0) < 0 && errno == ESRCH);
}

/* What a killed run left behind. Nothing is lost when a file stays. */
static void remove_leftovers(const struct place *place)
{
    DIR *folder = opendir(place->folder);
    if (!folder)
        return;
    for (const struct dirent *entry; (entry = readdir(folder));)
        if (is_leftover(entry->d_name, place->prefix))
            unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
}

/* A failed fsync is never tried again: the kernel forgets what it could not write. */
static int close_synced(int descriptor, int result, struct cg_err *err)
{
    if (result == 0 && fsync(descriptor) < 0)
        result = cg_fail(err, CG_EIO, "cannot flush to disk: %s", strerror(errno));
    if (close(descriptor) < 0 && result == 0)
        result = cg_fail(err, CG_EIO, "cannot close: %s", strerror(errno));
    return result;
}

/* Some file systems have nothing to flush for a folder and say EINVAL. */
static int sync_folder(const char *path, struct cg_err *err)
{
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return cg_fail(err, CG_EIO, "cannot open its folder: %s", strerror(errno));
    int result = 0;
    if (fsync(descriptor) < 0 && errno != EINVAL)
        result = cg_fail(err, CG_EIO, "cannot flush its folder to disk: %s", strerror(errno));
    close(descriptor);
    return result;
}

/* The open temp file, or -1. */
static int create_temp(const struct place *place, struct cg_err *err)
{
    int descriptor = open(place->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0)
        cg_fail(err, CG_EIO, "cannot create a file in its folder: %s", strerror(errno));
    return descriptor;
}

static int check_target(const char *path, struct cg_err *err)
{
    struct stat info;
    if (stat(path, &info) < 0)
        return 0;
    if (S_ISDIR(info.st_mode))
        return cg_fail(err, CG_EUSAGE, "is a folder");
    return S_ISREG(info.st_mode) ? 0 : cg_fail(err, CG_EUSAGE, "is no regular file");
}

/* A temp file that can be made now can, as far as one can know, be made after the sweep. */
int cg_result_writable(const char *path, struct cg_err *err)
{
    int outcome = -1;
    struct place place = {0};
    CG_TRY(place_init(&place, path, err));
    CG_TRY(check_target(path, err));
    remove_leftovers(&place);
    int descriptor = create_temp(&place, err);
    CG_TRY(descriptor);
    close(descriptor);
    unlink(place.temp);
    outcome = 0;
done:
    place_release(&place);
    return outcome < 0 ? cg_h5_blame(path, err) : 0;
}

/* Written, flushed and found sound under its temp name, before anybody can see it. */
static int write_temp(const struct place *place, const struct cg_publication *what, struct cg_err *err)
{
    int descriptor = create_temp(place, err);
    if (descriptor < 0)
        return -1;
    int written = what->write(descriptor, what->record, err);
    if (close_synced(descriptor, written, err) < 0)
        return -1;
    return what->check && what->check(place->temp, err) < 0 ? -1 : 0;
}

static int move_into_place(const struct place *place, const char *path, struct cg_err *err)
{
    if (rename(place->temp, path) < 0)
        return cg_fail(err, CG_EIO, "cannot move the finished file into its place: %s", strerror(errno));
    return 0;
}

int cg_publish(const struct cg_publication *what, const char *path, struct cg_err *err)
{
    int outcome = -1;
    struct place place = {0};
    CG_TRY(place_init(&place, path, err));
    CG_TRY(check_target(path, err));
    remove_leftovers(&place);
    if (write_temp(&place, what, err) < 0 || move_into_place(&place, path, err) < 0) {
        unlink(place.temp);
        goto done;
    }
    outcome = sync_folder(place.folder, err);
done:
    place_release(&place);
    return outcome < 0 ? cg_h5_blame(path, err) : 0;
}

static int write_result(int descriptor, const void *record, struct cg_err *err)
{
    return cg_form_write_to(&cg_result_form, record, descriptor, err);
}

static int check_result(const char *path, struct cg_err *err)
{
    struct cg_result result = {0};
    return cg_form_check(&cg_result_form, &result, path, err);
}

int cg_result_write(const struct cg_result *result, const char *path, struct cg_err *err)
{
    return cg_publish(&(struct cg_publication){write_result, check_result, result}, path, err);
}
