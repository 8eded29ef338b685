/* Makes one call of the C library fail, for tests: preloaded into the program under test.
 *
 * FAULT="CALL PART K ACTION": at the K-th CALL (pread, preadv, write, fsync or rename; K = 0: at every one; a
 * pwrite is a write too, an fdatasync an fsync) on a path that contains PART, do ACTION. FAULT_RANK limits it
 * to one rank, FAULT_FILE is what `replace` puts in place. ACTION: an errno's number; short, half of the
 * bytes; kill, SIGKILL; stop, SIGSTOP; usr1, SIGUSR1; hold, wait until FAULT_FILE, which gets a byte, is gone
 * or a signal was handled; replace, another file takes the place of this one; cut, it loses its last byte.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int seen;
static volatile sig_atomic_t signalled;
static void (*handler)(int);

/* Whether this call is the one; its action goes to action[16]. */
static bool due(const char *call, const char *path, char *action)
{
    char wanted[16], part[256];
    int k;
    const char *fault = getenv("FAULT"), *only = getenv("FAULT_RANK"), *rank = getenv("OMPI_COMM_WORLD_RANK");
    if (rank == NULL)
        rank = getenv("PMIX_RANK");
    if (fault == NULL || sscanf(fault, "%15s %255s %d %15s", wanted, part, &k, action) != 4)
        return false;
    if (strcmp(wanted, call) != 0 || strstr(path, part) == NULL)
        return false;
    if (only != NULL && rank != NULL && strcmp(only, rank) != 0)
        return false;
    return __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST) == k || k == 0;
}

static void hold(const char *gate)
{
    int descriptor = open(gate, O_WRONLY | O_APPEND);
    if (descriptor < 0)
        return;
    if (write(descriptor, "-", 1) != 1)
        abort();
    close(descriptor);
    while (access(gate, F_OK) == 0 && !signalled)
        usleep(20000);
}

/* Does the action. Returns true when the call shall fail, with errno set; may halve *bytes. */
static bool act(const char *action, const char *path, size_t *bytes)
{
    if (strcmp(action, "short") == 0) {
        *bytes = *bytes > 1 ? *bytes / 2 : *bytes;
    } else if (strcmp(action, "kill") == 0) {
        raise(SIGKILL);
    } else if (strcmp(action, "stop") == 0) {
        raise(SIGSTOP);
    } else if (strcmp(action, "usr1") == 0) {
        raise(SIGUSR1);
    } else if (strcmp(action, "hold") == 0) {
        hold(getenv("FAULT_FILE"));
    } else if (strcmp(action, "replace") == 0) {
        if (link(getenv("FAULT_FILE"), "swap") == 0 && renameat(-100, "swap", -100, path) != 0)
            abort();
    } else if (strcmp(action, "cut") == 0) {
        struct stat now;
        if (stat(path, &now) != 0 || truncate(path, now.st_size - 1) != 0)
            abort();
    } else {
        errno = atoi(action);
        return true;
    }
    return false;
}

static bool fails(const char *call, int descriptor, size_t *bytes)
{
    char link[64], path[4096], action[16];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    return due(call, path, action) && act(action, path, bytes);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pread(int descriptor, void *out, size_t bytes, off_t offset)
{
    return fails("pread", descriptor, &bytes) ? -1 : NEXT(pread)(descriptor, out, bytes, offset);
}

ssize_t pread64(int descriptor, void *out, size_t bytes, off64_t offset)
{
    return fails("pread", descriptor, &bytes) ? -1 : NEXT(pread64)(descriptor, out, bytes, offset);
}

/* What is to be read is cut where it has more bytes than that. */
static ssize_t read_parts(int descriptor, const struct iovec *parts, int n, off_t offset,
                          __typeof__(&preadv) next)
{
    struct iovec cut[1024];
    size_t bytes = 0;
    int taken = 0;
    for (int i = 0; i < n; i++)
        bytes += parts[i].iov_len;
    if (n > 1024 || fails("preadv", descriptor, &bytes))
        return -1;
    for (; taken < n && bytes > 0; taken++) {
        cut[taken] = parts[taken];
        if (cut[taken].iov_len > bytes)
            cut[taken].iov_len = bytes;
        bytes -= cut[taken].iov_len;
    }
    return next(descriptor, cut, taken, offset);
}

ssize_t preadv(int descriptor, const struct iovec *parts, int n, off_t offset)
{
    return read_parts(descriptor, parts, n, offset, NEXT(preadv));
}

ssize_t preadv64(int descriptor, const struct iovec *parts, int n, off64_t offset)
{
    return read_parts(descriptor, parts, n, offset, NEXT(preadv64));
}

ssize_t pwrite(int descriptor, const void *from, size_t bytes, off_t offset)
{
    return fails("write", descriptor, &bytes) ? -1 : NEXT(pwrite)(descriptor, from, bytes, offset);
}

ssize_t pwrite64(int descriptor, const void *from, size_t bytes, off64_t offset)
{
    return fails("write", descriptor, &bytes) ? -1 : NEXT(pwrite64)(descriptor, from, bytes, offset);
}

ssize_t write(int descriptor, const void *from, size_t bytes)
{
    return fails("write", descriptor, &bytes) ? -1 : NEXT(write)(descriptor, from, bytes);
}

int fsync(int descriptor)
{
    size_t none = 0;
    return fails("fsync", descriptor, &none) ? -1 : NEXT(fsync)(descriptor);
}

/* Counts as an fsync. */
int fdatasync(int descriptor)
{
    size_t none = 0;
    return fails("fsync", descriptor, &none) ? -1 : NEXT(fdatasync)(descriptor);
}

static void note(int signal)
{
    signalled = 1;
    handler(signal);
}

/* Another thread than the one that holds may get the signal. */
int sigaction(int signal, const struct sigaction *new, struct sigaction *old)
{
    struct sigaction noting;
    if (signal == SIGUSR1 && new &&new->sa_handler != SIG_DFL &&new->sa_handler != SIG_IGN) {
        handler = new->sa_handler;
        noting = *new;
        noting.sa_handler = note;
        new = &noting;
    }
    return NEXT(sigaction)(signal, new, old);
}

int rename(const char *from, const char *to)
{
    size_t none = 0;
    char action[16];
    return due("rename", to, action) && act(action, to, &none) ? -1 : NEXT(rename)(from, to);
}
