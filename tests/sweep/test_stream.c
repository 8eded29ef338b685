/* The reading side: the right bytes whatever the buffer, and what it says when files or the system fail. */
#include "sweep/stream.h"
#include "written.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

/* What reads do: the program is linked so that the library's pread is this one. */
enum mishap { FINE, SHORT, INTERRUPTED, REFUSED, STALLED, CUT };
static _Atomic enum mishap mishap;
static _Atomic long long mishap_offset; /* the first that it befalls */
static _Atomic int calls;

/* What the thread asked the system for, in turn, where a test wants to know. */
struct request {
    bool announced; /* else read */
    int64_t offset, bytes;
};
static struct request request[10000];
static size_t requests;
static _Atomic bool noting;

static void note(struct request asked)
{
    if (noting && requests < sizeof request / sizeof *request)
        request[requests++] = asked;
}

int __wrap_posix_fadvise(int descriptor, off_t offset, off_t bytes, int advice);

int __wrap_posix_fadvise(int descriptor, off_t offset, off_t bytes, int advice)
{
    assert_true(descriptor >= 0);
    if (advice == POSIX_FADV_WILLNEED)
        note((struct request){true, offset, bytes});
    return EINVAL; /* which some files answer: that is nothing to the reader */
}

ssize_t __real_pread(int descriptor, void *out, size_t bytes, off_t offset);
ssize_t __wrap_pread(int descriptor, void *out, size_t bytes, off_t offset);

ssize_t __wrap_pread(int descriptor, void *out, size_t bytes, off_t offset)
{
    int call = calls++;
    note((struct request){false, offset, (int64_t)bytes});
    if (offset + (off_t)bytes <= mishap_offset)
        return __real_pread(descriptor, out, bytes, offset);
    if (mishap == SHORT)
        bytes = bytes / 3 + 1;
    if (mishap == CUT)
        bytes = mishap_offset > offset ? (size_t)(mishap_offset - offset) : 0;
    if ((mishap == INTERRUPTED && call % 2 == 0) || mishap == REFUSED) {
        errno = mishap == REFUSED ? EIO : EINTR;
        return -1;
    }
    while (mishap == STALLED)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return __real_pread(descriptor, out, bytes, offset);
}

enum { MODELS = 3, EMBEDDING = 0, KEYS = 2, OUTPUT = 3, TENSORS = 44 };

struct fixture {
    struct synthetic made;
    uint8_t *bytes[MODELS][TENSORS]; /* as written */
    struct written written;
    struct cg_plan plan;
};

static void begin(struct fixture *f, int ranks, bool apart)
{
    struct cg_err err = {0};
    mishap = FINE;
    mishap_offset = 0;
    calls = 0;
    synthetic_begin(&f->made, MODELS);
    synthetic_alike(&f->made, CG_ROLE_EMBED, -1, -1, CG_BF16, 5000, 500); /* 2 chunks */
    synthetic_alike(&f->made, CG_ROLE_ATTN_Q, 0, -1, CG_F32, 0, 64);
    synthetic_slot(&f->made, CG_ROLE_ATTN_K, 0, -1);
    synthetic_member(&f->made, 0, CG_F4, 100, 1030);
    synthetic_member(&f->made, 1, CG_F64, 100, 1030);
    synthetic_member(&f->made, 2, CG_F6_E2M3, 100, 1030);
    synthetic_alike(&f->made, CG_ROLE_ATTN_O, 0, -1, CG_BF16, 700, 300);
    for (int layer = 0; layer < TENSORS - 4; layer++)
        synthetic_alike(&f->made, CG_ROLE_ATTN_NORM, layer, -1, CG_F32, 1, 33 + layer);
    written_make(&f->written, &f->made, apart);
    for (int m = 0; m < MODELS; m++)
        for (int t = 0; t < TENSORS; t++)
            f->bytes[m][t] = written_bytes(&f->written, m, t);
    assert_int_equal(cg_plan_build(&f->plan, &f->made.anatomy, f->made.models, ranks, &err), 0);
}

static void end(struct fixture *f)
{
    for (int m = 0; m < MODELS; m++)
        for (int t = 0; t < TENSORS; t++)
            free(f->bytes[m][t]);
    cg_plan_release(&f->plan);
    written_remove(&f->written);
    written_release(&f->written);
    synthetic_release(&f->made);
}

/* Holds a piece against the bytes that were written. Returns how many it has. */
static int64_t check_piece(const struct fixture *f, const struct cg_piece *piece)
{
    const struct cg_bundle *bundle = &f->plan.bundles[piece->task->bundle];
    int64_t total = 0;
    for (int32_t m = 0; m < piece->members; m++) {
        int32_t position = piece->task->work == CG_WORK_STREAM && bundle->apart ? piece->task->member : m;
        const struct cg_bundle_member *member = &f->plan.members[bundle->first_member + position];
        const uint8_t *wanted = f->bytes[member->model][member->tensor];
        assert_int_equal(piece->bytes[m], cg_dtype_bytes(member->dtype, piece->elements));
        assert_memory_equal(piece->data[m], wanted + cg_dtype_bytes(member->dtype, piece->first),
                            piece->bytes[m]);
        total += (int64_t)piece->bytes[m];
    }
    return total;
}

/* Reads a rank's pieces to the end or to a failure; returns what the last call did. */
static int read_rank(const struct fixture *f, int rank, int64_t buffer, double timeout, struct cg_err *err)
{
    struct cg_stream *stream = cg_stream_create(f->made.models, &f->plan, rank, NULL, buffer, err);
    assert_non_null(stream);
    int64_t bytes = 0;
    int result;
    struct cg_piece piece;
    while ((result = cg_stream_next(stream, timeout, &piece, err)) == 1)
        bytes += check_piece(f, &piece);
    if (result == 0) {
        assert_int_equal(bytes, f->plan.bytes[rank]);
        assert_int_equal(cg_stream_bytes(stream), bytes);
        assert_true(cg_stream_read_seconds(stream) >= 0);
        assert_int_equal(cg_stream_next(stream, timeout, &piece, err), 0); /* and again */
        result = cg_stream_check(stream, err);
    }
    mishap = FINE; /* lets a stalled read go */
    cg_stream_destroy(stream);
    return result;
}

/* Whatever the ranks, the buffer, the files: more of them than are held open, and reads that come short. */
static void right_bytes(void **state)
{
    (void)state;
    static const int ranks[] = {1, 3, 6};
    static const int64_t buffers[] = {1, 160000, 1 << 22};
    static const enum mishap harmless[] = {FINE, SHORT, INTERRUPTED};
    for (int apart = 0; apart < 2; apart++)
        for (size_t r = 0; r < sizeof ranks / sizeof *ranks; r++) {
            struct fixture f;
            begin(&f, ranks[r], apart);
            for (size_t b = 0; b < sizeof buffers / sizeof *buffers; b++)
                for (int rank = 0; rank < ranks[r]; rank++) {
                    struct cg_err err = {0};
                    mishap = harmless[b];
                    assert_int_equal(read_rank(&f, rank, buffers[b], 20, &err), 0);
                }
            end(&f);
        }
}

static void cut_file(const char *path)
{
    assert_int_equal(truncate(path, 100000), 0);
}

static void grow_file(const char *path)
{
    FILE *file = fopen(path, "ab");
    assert_true(file && fputc('x', file) == 'x' && fclose(file) == 0);
}

static void rewrite_file(const char *path)
{
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL); /* a clock tick of any file system */
    FILE *file = fopen(path, "r+b");
    assert_true(file && fputc('x', file) == 'x' && fclose(file) == 0);
}

static void replace_file(const char *path)
{
    char other[400];
    snprintf(other, sizeof other, "%s.new", path);
    FILE *file = fopen(other, "wb"), *old = fopen(path, "rb");
    assert_true(file && old);
    for (int c; (c = fgetc(old)) != EOF;)
        fputc(c, file);
    assert_true(fclose(file) == 0 && fclose(old) == 0 && rename(other, path) == 0);
}

static void remove_file(const char *path)
{
    assert_int_equal(unlink(path), 0);
}

/* A folder in the file's place. */
static void nothing_to_read(const char *path)
{
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/", path), 0);
}

/* What befalls the second model's file, before or while it is read; the error must name it. */
static void failures(void **state)
{
    (void)state;
    static const struct {
        void (*befalls)(const char *path);
        enum mishap mishap;
        int64_t offset;
        enum cg_code code;
        int result;
        const char *text[3];
    } cases[] = {
        {cut_file, FINE, 0, CG_ECHANGED, -1, {"100000 bytes", "changed", ""}},
        {grow_file, FINE, 0, CG_ECHANGED, -1, {"changed", "", ""}},
        {rewrite_file, FINE, 0, CG_ECHANGED, -1, {"changed", "", ""}},
        {replace_file, FINE, 0, CG_ECHANGED, -1, {"replaced", "", ""}},
        {remove_file, FINE, 0, CG_EIO, -1, {"tensor.0", "No such file", "at byte 13"}},
        {nothing_to_read, FINE, 0, CG_ECHANGED, -1, {"changed", "", ""}},
        {NULL, REFUSED, 4000000, CG_EIO, -1, {"tensor.0", "Input/output error", "at byte "}},
        {NULL, CUT, 4000000, CG_ECHANGED, -1, {"tensor.0", "cut", "at byte 4000000"}},
        {NULL, CUT, 5000036, CG_ECHANGED, -1, {"tensor.2", "cut", "at byte 5000039"}},
        {NULL, STALLED, 4000000, CG_EIO, -2, {"no answer", "at byte ", ""}},
        {NULL, STALLED, 0, CG_EIO, -2, {"no answer", "at byte 13", ""}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct fixture f;
        struct cg_err err = {0};
        begin(&f, 1, false);
        bool first = cases[c].befalls == NULL; /* mishaps befall the first file that gets so far */
        const char *path = f.made.model[first ? 0 : 1].files[0].path;
        if (cases[c].befalls)
            cases[c].befalls(path);
        mishap = cases[c].mishap;
        mishap_offset = cases[c].offset;
        int result = read_rank(&f, 0, 160000, 0.3, &err);
        if (result != cases[c].result || err.code != cases[c].code)
            print_error("case %zu: %d, %s\n", c, result, err.text);
        assert_int_equal(result, cases[c].result);
        assert_int_equal(err.code, cases[c].code);
        for (int t = 0; t < 3; t++)
            if (!strstr(err.text, cases[c].text[t])) {
                print_error("no %s in: %s\n", cases[c].text[t], err.text);
                fail();
            }
        assert_non_null(strstr(err.text, path));
        end(&f);
    }
}

/* A change after the last byte is noticed by the check. */
static void changed_afterwards(void **state)
{
    (void)state;
    static void (*const changes[])(const char *path) = {cut_file, grow_file, rewrite_file};
    for (size_t c = 0; c <= sizeof changes / sizeof *changes; c++) {
        struct fixture f;
        struct cg_err err = {0};
        struct cg_piece piece;
        begin(&f, 1, false);
        struct cg_stream *stream = cg_stream_create(f.made.models, &f.plan, 0, NULL, 1 << 20, &err);
        assert_non_null(stream);
        while (cg_stream_next(stream, 20, &piece, &err) == 1)
            ;
        assert_int_equal(cg_stream_check(stream, &err), 0);
        if (c < sizeof changes / sizeof *changes) {
            changes[c](f.made.model[2].files[0].path);
            assert_int_equal(cg_stream_check(stream, &err), -1);
            assert_int_equal(err.code, CG_ECHANGED);
            assert_non_null(strstr(err.text, f.made.model[2].files[0].path));
        }
        cg_stream_destroy(stream);
        end(&f);
    }
}

/* Destroyed at any moment, with pieces unread or held, it ends. */
static void left_early(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 1, false);
    for (int pieces = 0; pieces < 6; pieces++) {
        struct cg_err err = {0};
        struct cg_stream *stream = cg_stream_create(f.made.models, &f.plan, 0, NULL, 100000, &err);
        assert_non_null(stream);
        char where[400];
        cg_stream_position(stream, where, sizeof where);
        assert_true(strcmp(where, "nothing read yet") == 0 || strstr(where, f.written.folder));
        struct cg_piece piece;
        for (int k = 0; k < pieces; k++)
            assert_int_equal(cg_stream_next(stream, 20, &piece, &err), 1);
        if (pieces > 0) {
            cg_stream_position(stream, where, sizeof where);
            assert_true(strstr(where, f.written.folder) && strstr(where, "at byte "));
        }
        cg_stream_destroy(stream);
    }
    cg_stream_destroy(NULL);
    end(&f);
}

/* The first request that is announced, or not, of a tensor's bytes in the first model. */
static size_t first_request(const struct fixture *f, int tensor, bool announced)
{
    const struct cg_tensor *t = &f->made.models[0]->tensors[tensor];
    for (size_t i = 0; i < requests; i++)
        if (request[i].announced == announced && request[i].offset < t->offset + t->bytes &&
            request[i].offset + request[i].bytes > t->offset)
            return i;
    return requests;
}

/* Of the first requests. */
static int64_t announced_bytes(size_t end)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < end; i++)
        bytes += request[i].announced ? request[i].bytes : 0;
    return bytes;
}

/* What is gathered is announced, all of it and nothing else, while the task before it is read; the first as
 * it begins. */
static void announced(void **state)
{
    (void)state;
    static const struct cg_view turned[] = {{0, 2, {5000, 500}, {1, 5000}}, {0, 2, {700, 300}, {1, 700}}};
    struct fixture f;
    struct cg_err err = {0};
    struct cg_piece piece;
    begin(&f, 1, false);
    for (int64_t i = 0; i < f.plan.nmembers; i++)
        if (f.plan.members[i].tensor == EMBEDDING || f.plan.members[i].tensor == OUTPUT)
            f.plan.members[i].view = &turned[f.plan.members[i].tensor == OUTPUT];
    requests = 0;
    noting = true;
    struct cg_stream *stream = cg_stream_create(f.made.models, &f.plan, 0, NULL, 64 << 20, &err);
    assert_non_null(stream);
    while (cg_stream_next(stream, 20, &piece, &err) == 1)
        ;
    cg_stream_destroy(stream);
    noting = false;
    assert_true(requests < sizeof request / sizeof *request);
    int64_t embedding = INT64_C(2) * 5000 * 500 * MODELS, output = INT64_C(2) * 700 * 300 * MODELS;
    assert_int_equal(announced_bytes(first_request(&f, EMBEDDING, false)), embedding);
    assert_int_equal(announced_bytes(first_request(&f, KEYS, false)), embedding + output);
    assert_true(first_request(&f, OUTPUT, true) > first_request(&f, EMBEDDING, false));
    assert_int_equal(announced_bytes(requests), embedding + output);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_bytes), cmocka_unit_test(failures),  cmocka_unit_test(changed_afterwards),
        cmocka_unit_test(left_early),  cmocka_unit_test(announced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
