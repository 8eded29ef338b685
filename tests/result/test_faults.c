/* Faults one after another: the k-th write, read, flush, rename or allocation fails, for every k
 * until a run goes through. After each, the old result stands or the new one is whole, and nothing else is in
 * the folder. */
#include "cognate/mem.h"
#include "cognate/result.h"
#include "cognate/summary.h"
#include "sample.h"
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

enum call { WRITE, PREAD, FSYNC, RENAME, ALLOCATE, CALLS };

/* Every so many calls of a kind that has hundreds of them. Sanitizers make this slow, and HDF5 1.10 itself
 * leaks when a read fails under it. */
#ifdef CG_SANITIZE
enum { STRIDE = 17, READS_FAIL = false };
#else
enum { STRIDE = 7, READS_FAIL = true };
#endif

/* Calls of each kind until one fails; 0: none does. */
static long countdown[CALLS];

static bool fails(enum call call)
{
    errno = EIO;
    return countdown[call] > 0 && --countdown[call] == 0;
}

/* These take the place of the C library's, for HDF5 as well. */

/* Short writes and, every third time, an interruption. */
ssize_t write(int descriptor, const void *bytes, size_t n)
{
    static int turn;
    if (fails(WRITE))
        return -1;
    if (++turn % 3 == 0) {
        errno = EINTR;
        return -1;
    }
    return (ssize_t)syscall(SYS_write, descriptor, bytes, n < 4096 ? n : 4096);
}

ssize_t pread(int descriptor, void *bytes, size_t n, off_t offset)
{
    return fails(PREAD) ? -1 : (ssize_t)syscall(SYS_pread64, descriptor, bytes, n, offset);
}

int fsync(int descriptor)
{
    return fails(FSYNC) ? -1 : (int)syscall(SYS_fsync, descriptor);
}

int rename(const char *from, const char *to)
{
    return fails(RENAME) ? -1 : (int)syscall(SYS_renameat2, -100, from, -100, to, 0);
}

/* Linked with --wrap=cg_new and --wrap=cg_copy_text: the allocations of src/result come here. */
void *__wrap_cg_new(size_t n, size_t size, struct cg_err *err);
void *__real_cg_new(size_t n, size_t size, struct cg_err *err);
void *__wrap_cg_new(size_t n, size_t size, struct cg_err *err)
{
    if (!fails(ALLOCATE))
        return __real_cg_new(n, size, err);
    cg_fail(err, CG_ENOMEM, "out of memory, on purpose");
    return NULL;
}

char *__wrap_cg_copy_text(const char *text, size_t n, struct cg_err *err);
char *__real_cg_copy_text(const char *text, size_t n, struct cg_err *err);
char *__wrap_cg_copy_text(const char *text, size_t n, struct cg_err *err)
{
    if (!fails(ALLOCATE))
        return __real_cg_copy_text(text, n, err);
    cg_fail(err, CG_ENOMEM, "out of memory, on purpose");
    return NULL;
}

static int entries(const char *path)
{
    int n = 0;
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder));)
        n += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
    closedir(folder);
    return n;
}

/* Whether the file at `path` is the old result (false) or the new one (true); fails when it is not sound. */
static bool is_new(const char *path)
{
    struct cg_err err = {0};
    struct cg_result read = {0};
    if (cg_result_read(&read, path, &err) < 0)
        fail_msg("%s", err.text);
    bool new = strcmp(read.run.history, "the new one") == 0;
    cg_result_release(&read);
    return new;
}

static void write_or_fail(const struct cg_result *result, const char *path)
{
    struct cg_err err = {0};
    if (cg_result_write(result, path, &err) < 0)
        fail_msg("%s", err.text);
}

/* How many calls of the kind a write makes, at least. */
static long fail_every(enum call call, const struct cg_result *old, const struct cg_result *new,
                       const char *folder, const char *path)
{
    bool replaced = true;
    const long step = call == FSYNC || call == RENAME ? 1 : STRIDE;
    for (long k = 1;; k += step) {
        struct cg_err err = {0};
        if (replaced)
            write_or_fail(old, path);
        countdown[call] = k;
        int outcome = cg_result_write(new, path, &err);
        bool struck = countdown[call] == 0;
        countdown[call] = 0;
        replaced = is_new(path);
        /* Only the flush of the folder comes after the rename. */
        if (entries(folder) != 1 || (outcome < 0) != struck || (outcome == 0 && !replaced) ||
            (outcome < 0 && replaced && call != FSYNC) || (outcome < 0 && err.text[0] == '\0'))
            fail_msg("call %d, k = %ld: outcome %d, struck %d, replaced %d: %s", (int)call, k, outcome,
                     struck, replaced, err.text);
        if (!struck)
            return k - step;
    }
}

static void test_every_fault(void **state)
{
    (void)state;
    /* At least so many calls of each kind belong to a write. */
    static const long at_least[CALLS] = {18, 100, 1, 1, 300};
    char folder[] = "/tmp/cognate-faults-XXXXXX", path[80];
    struct cg_err err;
    struct cg_result old, new;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/r.h5", folder);
    sample_init(&old, SAMPLE_NO_PCA);
    sample_init(&new, SAMPLE_NO_PCA);
    assert_int_equal(cg_result_text(&new.run.history, "the new one", &err), 0);
    for (enum call call = 0; call < CALLS; call++) {
        if (call == PREAD && !READS_FAIL)
            continue;
        long failed = fail_every(call, &old, &new, folder, path);
        assert_true(failed >= at_least[call]);
    }
    cg_result_release(&old);
    cg_result_release(&new);
    unlink(path);
    rmdir(folder);
}

/* A page is there whole, or the file stays what it was. */
static bool is_page(const char *path)
{
    char text[16] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, 8, file), 8);
    fclose(file);
    if (strcmp(text, "<!DOCTYP") != 0 && strcmp(text, "what was") != 0)
        fail_msg("%s", text);
    return *text == '<';
}

static void put_old(const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("what was there", file);
    fclose(file);
}

/* The calls of the kind that a page makes. */
static long fail_page(enum call call, const struct cg_result *result, const char *folder, const char *path)
{
    for (long k = 1;; k++) {
        struct cg_err err = {0};
        put_old(path);
        countdown[call] = k;
        int outcome = cg_summary_html_write(result, path, &err);
        bool struck = countdown[call] == 0, page = is_page(path);
        countdown[call] = 0;
        if (entries(folder) != 1 || (outcome < 0) != struck || (outcome == 0 && !page) ||
            (outcome < 0 && page && call != FSYNC) || (outcome < 0 && err.text[0] == '\0'))
            fail_msg("call %d, k = %ld: outcome %d, struck %d, page %d: %s", (int)call, k, outcome, struck,
                     page, err.text);
        if (!struck)
            return k - 1;
    }
}

static void test_every_fault_of_a_page(void **state)
{
    (void)state;
    char folder[] = "/tmp/cognate-faults-XXXXXX", path[80];
    struct cg_result result;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/r.html", folder);
    sample_init(&result, SAMPLE_FULL);
    for (int i = 0; i < 2; i++) {
        result.root.pair_a[i] = i;
        result.root.pair_b[i] = i + 1;
    }
    for (int i = 0; i < result.size[CG_DIM_EXPERT_MATCH]; i++) {
        result.experts.pair[i] = 1;
        result.experts.layer_b[i] = i % 2;
        result.experts.expert_b[i] = i / 2;
    }
    assert_int_equal(fail_page(FSYNC, &result, folder, path), 2);
    assert_int_equal(fail_page(RENAME, &result, folder, path), 1);
    assert_true(fail_page(ALLOCATE, &result, folder, path) >= 20);
    cg_result_release(&result);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_fault),
                                       cmocka_unit_test(test_every_fault_of_a_page)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
