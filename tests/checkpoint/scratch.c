#include "scratch.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The test cannot go on: what the system refused is no failure of what is tested. */
static void need(int done, const char *what)
{
    if (!done) {
        perror(what);
        abort();
    }
}

void scratch_make(struct scratch *scratch)
{
    const char *base = getenv("TMPDIR");
    snprintf(scratch->folder, sizeof scratch->folder, "%s/cognate-test.XXXXXX", base ? base : "/tmp");
    need(mkdtemp(scratch->folder) != NULL, scratch->folder);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
    (void)status;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void scratch_remove(struct scratch *scratch)
{
    need(nftw(scratch->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0, scratch->folder);
}

const char *scratch_path(struct scratch *scratch, const char *name)
{
    snprintf(scratch->path, sizeof scratch->path, "%s/%s", scratch->folder, name);
    return scratch->path;
}

void scratch_folder(struct scratch *scratch, const char *name)
{
    need(mkdir(scratch_path(scratch, name), 0777) == 0, name);
}

void scratch_link(struct scratch *scratch, const char *target, const char *name)
{
    need(symlink(target, scratch_path(scratch, name)) == 0, name);
}

/* Writes all bytes to the file at path. */
static void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    need(file != NULL, path);
    need(fwrite(bytes, 1, n, file) == n, path);
    need(fclose(file) == 0, path);
}

void scratch_keep(const char *path)
{
    enum { MOST = 4096 };
    static int count;
    const char *folder = getenv("COGNATE_SEEDS");
    if (!folder)
        return;
    char bytes[MOST + 1], seed[1024];
    FILE *file = fopen(path, "rb");
    need(file != NULL, path);
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    snprintf(seed, sizeof seed, "%s/seed-%d.%d-%s", folder, (int)getpid(), count++, strrchr(path, '/') + 1);
    if (n <= MOST)
        write_file(seed, bytes, n);
}

void scratch_bytes(struct scratch *scratch, const char *name, const void *bytes, size_t n)
{
    write_file(scratch_path(scratch, name), bytes, n);
    scratch_keep(scratch->path);
}

void scratch_text(struct scratch *scratch, const char *name, const char *text)
{
    scratch_bytes(scratch, name, text, strlen(text));
}

void scratch_safetensors(struct scratch *scratch, const char *name, int64_t claimed, const char *header,
                         size_t n)
{
    size_t length = strlen(header);
    uint64_t prefix = claimed < 0 ? length : (uint64_t)claimed;
    char *bytes = calloc(8 + length + n, 1);
    need(bytes != NULL, "calloc");
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)(prefix >> 8 * i);
    memcpy(bytes + 8, header, length);
    scratch_bytes(scratch, name, bytes, 8 + length + n);
    free(bytes);
}

int scratch_set_up(void **state)
{
    static struct scratch scratch;
    scratch_make(&scratch);
    *state = &scratch;
    return 0;
}

int scratch_tear_down(void **state)
{
    scratch_remove(*state);
    return 0;
}
