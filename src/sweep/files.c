#include "files.h"
#include "cognate/mem.h"
#include "cognate/pulse.h"
#include "cognate/text.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* Lines in one call, and bytes announced in one: of more the system may fetch the beginning alone. */
enum { MOST_OPEN = 64, MOST_LINES = 64, MOST_TOLD = 128 << 10, SHOWN = 200 };

struct open_file {
    const struct cg_file *file;
    int descriptor;
    uint64_t used; /* when last, by a counter */
};

struct cg_files {
    bool same_host;
    struct cg_pulse *pulse; /* NULL: nobody watches */
    uint64_t clock;
    int n;
    struct open_file open[MOST_OPEN];
};

struct cg_files *cg_files_create(bool same_host, struct cg_err *err)
{
    struct cg_files *files = cg_new(1, sizeof *files, err);
    if (files)
        files->same_host = same_host;
    return files;
}

void cg_files_watch(struct cg_files *files, const struct cg_comm *comm)
{
    files->pulse = comm->pulse;
}

void cg_files_destroy(struct cg_files *files)
{
    if (!files)
        return;
    for (int i = 0; i < files->n; i++)
        close(files->open[i].descriptor);
    free(files);
}

int cg_files_check(const struct cg_files *files, struct cg_err *err)
{
    for (int i = 0; i < files->n; i++)
        if (cg_descriptor_unchanged(files->open[i].descriptor, files->open[i].file, files->same_host, err) <
            0)
            return -1;
    return 0;
}

/* A free place, or that of the file used longest ago, which is checked a last time. */
static struct open_file *make_place(struct cg_files *files, struct cg_err *err)
{
    if (files->n < MOST_OPEN)
        return &files->open[files->n];
    struct open_file *oldest = &files->open[0];
    for (int i = 1; i < files->n; i++)
        if (files->open[i].used < oldest->used)
            oldest = &files->open[i];
    int result = cg_descriptor_unchanged(oldest->descriptor, oldest->file, files->same_host, err);
    close(oldest->descriptor);
    *oldest = files->open[--files->n];
    return result < 0 ? NULL : &files->open[files->n];
}

static int system_refused(struct cg_err *err, const struct cg_file *file, const char *name, const char *what,
                          int64_t offset)
{
    char path[SHOWN], tensor[SHOWN];
    return cg_fail(err, CG_EIO, "%s: %s: %s: %s (at byte %" PRId64 ")",
                   cg_printable(path, sizeof path, file->path), cg_printable(tensor, sizeof tensor, name),
                   what, strerror(errno), offset);
}

/* The descriptor of a file, or -1. */
static int descriptor_of(struct cg_files *files, const struct cg_file *file, const char *name, int64_t offset,
                         struct cg_err *err)
{
    for (int i = 0; i < files->n; i++)
        if (files->open[i].file == file) {
            files->open[i].used = ++files->clock;
            return files->open[i].descriptor;
        }
    struct open_file *place = make_place(files, err);
    if (!place)
        return -1;
    int descriptor = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return system_refused(err, file, name, "cannot be opened", offset);
    if (cg_descriptor_unchanged(descriptor, file, files->same_host, err) < 0) {
        close(descriptor);
        return -1;
    }
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
    *place = (struct open_file){file, descriptor, ++files->clock};
    files->n++;
    return descriptor;
}

/* As pread, when the first `done` bytes are there. */
static ssize_t read_on(int descriptor, const struct cg_lines *lines, size_t done, int64_t offset)
{
    struct iovec part[MOST_LINES];
    size_t line = done / lines->bytes, skip = done % lines->bytes;
    int n = 0;
    if (lines->n == 1)
        return pread(descriptor, lines->out + done, lines->bytes - done, (off_t)offset);
    for (; n < MOST_LINES && line < lines->n; n++, line++, skip = 0)
        part[n] = (struct iovec){lines->out + line * lines->pitch + skip, lines->bytes - skip};
    return preadv(descriptor, part, n, (off_t)offset);
}

static int read_file(struct cg_files *files, const struct cg_file *file, const char *name, int64_t offset,
                     const struct cg_lines *lines, struct cg_err *err)
{
    size_t bytes = lines->n * lines->bytes;
    int descriptor = descriptor_of(files, file, name, offset, err);
    if (descriptor < 0)
        return -1;
    for (size_t done = 0; done < bytes;) {
        ssize_t n = read_on(descriptor, lines, done, offset + (int64_t)done);
        if (n > 0) {
            done += (size_t)n;
        } else if (n == 0) {
            char path[SHOWN], tensor[SHOWN];
            return cg_fail(err, CG_ECHANGED,
                           "%s: %s: the file was cut while it was being read (at byte %" PRId64 ")",
                           cg_printable(path, sizeof path, file->path),
                           cg_printable(tensor, sizeof tensor, name), offset + (int64_t)done);
        } else if (errno != EINTR) {
            return system_refused(err, file, name, "cannot be read", offset + (int64_t)done);
        }
    }
    return 0;
}

int cg_files_read_lines(struct cg_files *files, const struct cg_file *file, const char *name, int64_t offset,
                        const struct cg_lines *lines, struct cg_err *err)
{
    if (!files->pulse)
        return read_file(files, file, name, offset, lines, err);
    if (cg_pulse_begin_read(files->pulse, file->path, offset, err) < 0)
        return -1;
    int result = read_file(files, file, name, offset, lines, err);
    cg_pulse_end_read(files->pulse);
    return result;
}

int cg_files_read(struct cg_files *files, const struct cg_file *file, const char *name, int64_t offset,
                  uint8_t *out, size_t bytes, struct cg_err *err)
{
    const struct cg_lines one = {out, bytes, 1, bytes};
    return cg_files_read_lines(files, file, name, offset, &one, err);
}

int cg_files_announce(struct cg_files *files, const struct cg_file *file, const char *name, int64_t offset,
                      int64_t bytes, struct cg_err *err)
{
    int descriptor = descriptor_of(files, file, name, offset, err);
    if (descriptor < 0)
        return -1;
    for (int64_t end = offset + bytes; offset < end; offset += MOST_TOLD)
        posix_fadvise(descriptor, (off_t)offset, (off_t)(end - offset < MOST_TOLD ? end - offset : MOST_TOLD),
                      POSIX_FADV_WILLNEED);
    return 0;
}
