/* One run at a time on one result: a locked file beside it, .NAME.cognate-lock. The lock goes with the
 * process, however that ends; the file may stay behind and does no harm. */
#include "cognate/log.h"
#include "cognate/result.h"
#include "cognate/text.h"
#include "h5.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HOLDER = 96 };

static char *lock_path(const char *path, struct cg_err *err)
{
    const char *slash = strrchr(path, '/');
    struct cg_buf text = {0};
    int folder = slash ? (int)(slash + 1 - path) : 0;
    if (cg_buf_printf(&text, err, "%.*s.%s.cognate-lock", folder, path, path + folder) < 0)
        cg_buf_release(&text);
    return text.data;
}

/* Whoever had the lock before may have removed the file between our opening and locking it. */
static bool is_still_there(int descriptor, const char *path)
{
    struct stat held, there;
    return fstat(descriptor, &held) == 0 && stat(path, &there) == 0 && held.st_ino == there.st_ino &&
           held.st_dev == there.st_dev;
}

static int refuse(int descriptor, struct cg_err *err)
{
    char holder[HOLDER] = "", shown[2 * HOLDER];
    if (pread(descriptor, holder, sizeof holder - 1, 0) < 0)
        *holder = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    return cg_fail(err, CG_EIO, "another run is writing this result%s%s", *holder ? ": " : "",
                   cg_printable(shown, sizeof shown, holder));
}

static void sign(int descriptor)
{
    char host[64] = "", text[HOLDER];
    gethostname(host, sizeof host - 1);
    int n = snprintf(text, sizeof text, "process %ld on %s\n", (long)getpid(), host);
    if (ftruncate(descriptor, 0) < 0 || pwrite(descriptor, text, (size_t)n, 0) < 0)
        return; /* who holds the lock is a courtesy */
}

/* The descriptor of the locked file; -2 when the file has gone meanwhile; -1 with err. */
static int try_lock(const char *path, struct cg_err *err)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0)
        return cg_fail(err, CG_EIO, "cannot create a file in its folder: %s", strerror(errno));
    if (fcntl(descriptor, F_OFD_SETLK, &whole) < 0) {
        if (errno == EAGAIN || errno == EACCES) {
            refuse(descriptor, err);
            close(descriptor);
            return -1;
        }
        cg_log_warning("%s: its file system knows no locks (%s): see to it that no other run writes here",
                       path, strerror(errno));
    }
    if (is_still_there(descriptor, path)) {
        sign(descriptor);
        return descriptor;
    }
    close(descriptor);
    return -2;
}

int cg_result_lock(const char *path, struct cg_err *err)
{
    char *lock = lock_path(path, err);
    int descriptor = -2;
    if (!lock)
        return -1;
    while (descriptor == -2)
        descriptor = try_lock(lock, err);
    free(lock);
    return descriptor < 0 ? cg_h5_blame(path, err) : descriptor;
}

void cg_result_unlock(const char *path, int descriptor)
{
    struct cg_err err;
    char *lock = descriptor >= 0 ? lock_path(path, &err) : NULL;
    if (lock)
        unlink(lock);
    if (descriptor >= 0)
        close(descriptor);
    free(lock);
}
