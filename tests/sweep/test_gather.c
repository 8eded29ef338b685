/* The canonical bytes of a view's ranges, against an element by element walk over a tensor held in memory. */
#include "noise.h"
#include "sweep/ahead.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { OFFSET = 13, ELEMENTS = 600000, GUARD = 64, FILE_BYTES = OFFSET + 8 * ELEMENTS };

/* What became of each byte of the file: the program is linked so that the library's calls are these. */
enum { READ = 1, ANNOUNCED = 2 };
static uint8_t mark[FILE_BYTES];

static void mark_bytes(off_t offset, size_t n, uint8_t as)
{
    assert_true(offset >= 0 && n > 0);
    for (size_t i = (size_t)offset; i < (size_t)offset + n && i < FILE_BYTES; i++)
        mark[i] |= as;
}

ssize_t __real_pread(int descriptor, void *out, size_t bytes, off_t offset);
ssize_t __wrap_pread(int descriptor, void *out, size_t bytes, off_t offset);
ssize_t __real_preadv(int descriptor, const struct iovec *parts, int n, off_t offset);
ssize_t __wrap_preadv(int descriptor, const struct iovec *parts, int n, off_t offset);
int __wrap_posix_fadvise(int descriptor, off_t offset, off_t bytes, int advice);

ssize_t __wrap_pread(int descriptor, void *out, size_t bytes, off_t offset)
{
    mark_bytes(offset, bytes, READ);
    return __real_pread(descriptor, out, bytes, offset);
}

ssize_t __wrap_preadv(int descriptor, const struct iovec *parts, int n, off_t offset)
{
    ssize_t bytes = __real_preadv(descriptor, parts, n, offset);
    if (bytes > 0)
        mark_bytes(offset, (size_t)bytes, READ);
    return bytes;
}

/* One call of the system's reaches no further than this on some. */
int __wrap_posix_fadvise(int descriptor, off_t offset, off_t bytes, int advice)
{
    assert_true(descriptor >= 0 && bytes <= 128 << 10);
    if (advice == POSIX_FADV_WILLNEED)
        mark_bytes(offset, (size_t)bytes, ANNOUNCED);
    return 0;
}

/* A file of ELEMENTS elements of 8 bytes behind OFFSET bytes, and the same in memory. */
struct fixture {
    uint8_t *bytes;
    char path[200];
    struct cg_file file;
    struct cg_tensor tensor;
    struct cg_gather from;
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const char *base = getenv("TMPDIR");
    size_t size = OFFSET + (size_t)ELEMENTS * 8;
    uint64_t seed = 5;
    struct cg_err err;
    assert_non_null(f);
    assert_non_null(f->bytes = malloc(size));
    for (size_t i = 0; i < size; i++)
        f->bytes[i] = (uint8_t)(noise_bits(&seed) >> 32);
    snprintf(f->path, sizeof f->path, "%s/cognate-gather.XXXXXX", base ? base : "/tmp");
    int descriptor = mkstemp(f->path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, f->bytes, size), size);
    struct stat status;
    assert_int_equal(fstat(descriptor, &status), 0);
    close(descriptor);
    f->file =
        (struct cg_file){.path = f->path,
                         .device = (int64_t)status.st_dev,
                         .inode = (int64_t)status.st_ino,
                         .bytes = status.st_size,
                         .mtime_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec};
    f->tensor = (struct cg_tensor){.name = "t", .offset = OFFSET};
    f->from = (struct cg_gather){.file = &f->file, .tensor = &f->tensor};
    assert_non_null(f->from.files = cg_files_create(true, &err));
    assert_non_null(f->from.scratch = malloc(CG_GATHER_SCRATCH));
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    cg_files_destroy(f->from.files);
    unlink(f->path);
    free(f->from.scratch);
    free(f->bytes);
    free(f);
    return 0;
}

static int64_t size_of(const struct cg_view *view)
{
    int64_t n = 1;
    for (int a = 0; a < view->axes; a++)
        n *= view->extent[a];
    return n;
}

/* The stored elements of a view in canonical order, by counting its axes up. */
static int64_t *walk(const struct cg_view *view)
{
    int64_t n = size_of(view), at[CG_VIEW_AXES] = {0};
    int64_t *elements = malloc((size_t)n * sizeof *elements);
    assert_non_null(elements);
    for (int64_t i = 0; i < n; i++) {
        elements[i] = view->base;
        for (int a = 0; a < view->axes; a++)
            elements[i] += at[a] * view->stride[a];
        for (int a = view->axes - 1; a >= 0 && ++at[a] == view->extent[a]; a--)
            at[a] = 0;
    }
    return elements;
}

static void check_range(struct fixture *f, const int64_t *elements, int64_t first, int64_t n)
{
    size_t width = (size_t)cg_dtype_grain(f->tensor.dtype).bytes, bytes = (size_t)n * width;
    uint8_t *out = malloc(bytes + 2 * GUARD);
    struct cg_err err;
    assert_non_null(out);
    memset(out, 0xA5, bytes + 2 * GUARD);
    assert_int_equal(cg_gather(&f->from, first, n, out + GUARD, &err), 0);
    for (int64_t i = 0; i < n; i++)
        if (memcmp(out + GUARD + (size_t)i * width, f->bytes + OFFSET + (size_t)elements[first + i] * width,
                   width) != 0)
            fail_msg("element %lld of [%lld, %lld)", (long long)i, (long long)first, (long long)(first + n));
    for (size_t i = 0; i < GUARD; i++)
        assert_true(out[i] == 0xA5 && out[GUARD + bytes + i] == 0xA5);
    if (n > 0)
        assert_int_equal(cg_gather_offset(&f->from, first), OFFSET + elements[first] * (int64_t)width);
    free(out);
}

/* All of a view, pieces that begin and end anywhere, and single elements. */
static void check_view(struct fixture *f, const struct cg_view *view, uint64_t *seed)
{
    int64_t *elements = walk(view), n = size_of(view);
    f->from.view = view;
    check_range(f, elements, 0, n);
    for (int64_t at = 0, take; at < n; at += take) {
        take = 1 + (int64_t)(noise_bits(seed) % (uint64_t)(n / 3 + 1));
        take = n - at < take ? n - at : take;
        check_range(f, elements, at, take);
    }
    for (int k = 0; k < 4; k++)
        check_range(f, elements, (int64_t)(noise_bits(seed) % (uint64_t)n), 1);
    free(elements);
}

static const enum cg_dtype dtypes[] = {CG_U8, CG_F8_E4M3, CG_BOOL, CG_BF16, CG_F16, CG_F32, CG_I64, CG_C64};

/* The views of real models, small. */
static void known_views(void **state)
{
    static const struct cg_view views[] = {
        {0, 1, {1000}, {1}}, /* rows of a fused tensor */
        {777, 1, {1000}, {1}},
        {5 * 64, 2, {8, 16 * 64}, {3 * 16 * 64, 1}}, /* queries head by head */
        {0, 2, {100, 70}, {1, 100}},                 /* transposed */
        {0, 2, {1500, 150}, {1, 1500}},              /* the same, of lines that are read many at a time */
        {33, 2, {33, 70}, {1, 99}},                  /* a third of its columns */
        {3 * 64 * 192 + 96, 2, {96, 64}, {1, 192}},  /* an expert's half, (in, out) */
        {1, 2, {96, 64}, {2, 192}},                  /* its odd columns */
        {1, 1, {96}, {2}},                           /* of a bias */
        {0, 1, {1}, {1}},
        {9, 1, {1}, {5}},
        {0, 3, {4, 2, 300}, {2 * 2 * 300, 300, 1}},
        {0, 3, {4, 8, 64}, {64, 8 * 64 * 4, 1}}, /* heads' halves in another order */
        {2, 4, {3, 4, 5, 6}, {1, 3, 12, 60}},    /* all axes turned round */
        {0, 2, {3000, 40}, {1, 3001}},           /* a gap of one element */
        {0, 2, {300000, 2}, {1, 300000}},        /* segments longer than the scratch */
        {0, 2, {2, 290000}, {1, 2}},             /* many short ones */
        {1, 2, {140000, 2}, {2, 280001}},
    };
    struct fixture *f = *state;
    uint64_t seed = 11;
    for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++)
        for (size_t v = 0; v < sizeof views / sizeof *views; v++) {
            f->tensor.dtype = dtypes[d];
            check_view(f, &views[v], &seed);
        }
}

/* Axes of any extent, laid out in any order with gaps between them. */
static void random_views(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 12;
    for (int trial = 0; trial < 400; trial++) {
        struct cg_view view = {.axes = 1 + (int)(noise_bits(&seed) % CG_VIEW_AXES)};
        int order[CG_VIEW_AXES] = {0, 1, 2, 3};
        for (int a = view.axes - 1; a > 0; a--) {
            int b = (int)(noise_bits(&seed) % (uint64_t)(a + 1)), swap = order[a];
            order[a] = order[b];
            order[b] = swap;
        }
        int64_t stride = 1 + (int64_t)(noise_bits(&seed) % 3);
        for (int k = 0; k < view.axes; k++) {
            view.extent[order[k]] = 1 + (int64_t)(noise_bits(&seed) % (view.axes < 3 ? 90 : 12));
            view.stride[order[k]] = stride;
            stride = stride * view.extent[order[k]] + (int64_t)(noise_bits(&seed) % 4);
        }
        view.base = (int64_t)(noise_bits(&seed) % 1000);
        f->tensor.dtype = dtypes[noise_bits(&seed) % (sizeof dtypes / sizeof *dtypes)];
        if (stride + view.base < ELEMENTS)
            check_view(f, &view, &seed);
    }
}

/* Each byte once; more only where elements or segments lie too close to be read apart. */
static void bytes_read(void **state)
{
    static const struct {
        struct cg_view view;
        int64_t elements; /* read */
    } cases[] = {
        {{0, 1, {1000}, {1}}, 1000},
        {{0, 2, {8, 1000}, {3000, 1}}, 8000},
        {{0, 2, {500, 700}, {1, 500}}, 350000},
        {{0, 2, {300, 700}, {1, 500}}, 210000},
        {{0, 2, {400, 100}, {2, 1000}}, 79900}, /* what lies between the elements of a row */
        {{1, 2, {200, 100}, {2, 400}}, 39999},  /* and one element between short rows */
        {{1, 2, {400, 100}, {2, 800}}, 79900},  /* not so between longer ones */
        {{0, 1, {500}, {2}}, 999},
        {{0, 2, {50, 70}, {1000, 3}}, 10400}, /* rows apart, their elements close */
    };
    struct fixture *f = *state;
    f->tensor.dtype = CG_BF16;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int64_t *elements = walk(&cases[c].view);
        f->from.view = &cases[c].view;
        f->from.bytes_read = 0;
        check_range(f, elements, 0, size_of(&cases[c].view));
        assert_int_equal(f->from.bytes_read, 2 * cases[c].elements);
        free(elements);
    }
    f->from.view = &cases[3].view; /* in pieces that cut rows */
    f->from.bytes_read = 0;
    int64_t *elements = walk(f->from.view);
    for (int64_t at = 0; at < 210000; at += 9999)
        check_range(f, elements, at, 210000 - at < 9999 ? 210000 - at : 9999);
    assert_int_equal(f->from.bytes_read, 420000);
    free(elements);
}

/* All that a range's gathering reads is announced before; of a whole view, hardly more than a page beside it.
 */
static void check_announced(struct fixture *f, const int64_t *elements, int64_t first, int64_t n)
{
    enum { PAGE = 4096 };
    struct cg_err err;
    size_t beside = 0;
    memset(mark, 0, sizeof mark);
    assert_int_equal(cg_gather_announce(&f->from, first, n, &err), 0);
    check_range(f, elements, first, n);
    for (size_t i = 0; i < FILE_BYTES; i++) {
        if (mark[i] == READ)
            fail_msg("byte %zu of [%lld, %lld)", i, (long long)first, (long long)(first + n));
        beside = mark[i] == ANNOUNCED ? beside + 1 : 0;
        assert_true(beside <= PAGE || n < size_of(f->from.view));
    }
}

static void announced(void **state)
{
    static const struct cg_view views[] = {
        {0, 2, {1500, 150}, {1, 1500}},
        {33, 2, {33, 70}, {1, 99}},
        {3 * 64 * 192 + 96, 2, {96, 64}, {1, 192}}, /* an expert's half, (in, out) */
        {1, 2, {96, 64}, {2, 192}},
        {1, 1, {96}, {2}},
        {9, 1, {1}, {5}},
        {2, 4, {3, 4, 5, 6}, {1, 3, 12, 60}},
        {7, 3, {5, 30, 40}, {2, 10, 300}}, /* lines of several cores in one another */
        {0, 2, {100, 40}, {1, 14000}},     /* lines too far apart to be announced together */
        {0, 2, {40, 100}, {14000, 3}},     /* the same of rows */
        {0, 2, {300000, 2}, {1, 300000}},  /* more than one call takes */
    };
    struct fixture *f = *state;
    for (size_t v = 0; v < sizeof views / sizeof *views; v++) {
        int64_t *elements = walk(&views[v]), n = size_of(&views[v]);
        f->from.view = &views[v];
        f->tensor.dtype = v % 2 == 0 ? CG_F64 : CG_BF16;
        check_announced(f, elements, 0, n);
        check_announced(f, elements, n / 3, n - n / 3);
        check_announced(f, elements, n / 7, (n + 4) / 5);
        check_announced(f, elements, 0, 0);
        free(elements);
    }
    struct cg_file gone = f->file;
    struct cg_gather from = f->from;
    struct cg_err err = {0};
    gone.path = "/nowhere/at all";
    from.file = &gone;
    assert_int_equal(cg_gather_announce(&from, 0, 1, &err), -1);
    assert_non_null(strstr(err.text, "/nowhere/at all: t: cannot be opened"));
}

/* Whole tensors, narrow elements, and which views take a scratch. */
static void plain(void **state)
{
    static const struct cg_view runs = {0, 2, {8, 1000}, {3000, 1}}, turned = {0, 2, {5, 4}, {1, 5}},
                                narrow = {64, 1, {200}, {1}};
    struct fixture *f = *state;
    struct cg_err err;
    uint8_t out[100];
    f->from.view = NULL;
    f->tensor.dtype = CG_F4;
    assert_int_equal(cg_gather(&f->from, 64, 200, out, &err), 0);
    assert_memory_equal(out, f->bytes + OFFSET + 32, 100);
    f->from.view = &narrow;
    assert_int_equal(cg_gather(&f->from, 16, 184, out, &err), 0);
    assert_memory_equal(out, f->bytes + OFFSET + 40, 92);
    assert_false(cg_is_gathered(NULL));
    assert_false(cg_is_gathered(&runs));
    assert_true(cg_is_gathered(&turned));
    struct cg_bundle_member members[] = {{.view = &runs}, {.view = NULL}, {.view = &turned}};
    struct cg_plan plan = {.members = members, .nmembers = 2};
    assert_int_equal(cg_gather_scratch(&plan), 0);
    plan.nmembers = 3;
    assert_int_equal(cg_gather_scratch(&plan), CG_GATHER_SCRATCH);
}

/* A view that reaches beyond the end of the file, which is cut short. */
static void beyond_the_end(void **state)
{
    static const struct cg_view views[] = {{ELEMENTS - 10, 1, {20}, {1}},
                                           {ELEMENTS - 99, 2, {10, 5}, {11, 1}},
                                           {ELEMENTS - 99, 2, {10, 10}, {1, 11}}};
    struct fixture *f = *state;
    f->tensor.dtype = CG_F64;
    for (size_t v = 0; v < sizeof views / sizeof *views; v++) {
        uint8_t out[8 * 100];
        struct cg_err err = {0};
        const struct cg_view view = views[v];
        f->from.view = &view;
        assert_int_equal(cg_gather(&f->from, 0, size_of(&view), out, &err), -1);
        assert_int_equal(err.code, CG_ECHANGED);
        assert_non_null(strstr(err.text, "t: the file was cut"));
    }
}

enum { WIDE = 1992, TALL = 2400, STEPS = 40 * CG_STEP, MOST_PIECES = 100 };

/* What pieces of two members were given. */
struct held {
    const uint8_t *data[2], *wanted[2];
    size_t bytes;
};

/* All pieces are as they were read but for those that may have been written over. */
static void check_held(const struct held *held, int64_t first, int64_t n)
{
    for (int64_t k = first; k < n; k++)
        for (int m = 0; m < 2; m++)
            if (held[k].data[m])
                assert_memory_equal(held[k].data[m], held[k].wanted[m], held[k].bytes);
}

/* Reads the pieces of both tasks. Returns how many had to wait for pieces before them, which nobody held any
 * longer then. */
static int read_ahead(struct fixture *f, struct cg_ahead *ahead, const struct cg_task *task,
                      uint8_t *const wanted[2], const struct cg_view *view)
{
    static uint8_t out[STEPS];
    struct held held[MOST_PIECES] = {{.bytes = 0}};
    const struct cg_bundle_member *members = ahead->plan->members;
    int64_t chunk = cg_chunk_elements(TALL, WIDE), total = (int64_t)TALL * (WIDE), number = 0, over = 0;
    int waits = 0, in_windows = 0;
    for (int t = 0; t < 2; t++)
        for (int64_t first = 0, n; first < total; first += n, number++) {
            struct cg_err err;
            int64_t left = first / chunk * chunk + chunk < total ? chunk - first % chunk : total - first;
            n = left < STEPS ? left : STEPS;
            assert_true(number < MOST_PIECES);
            struct cg_piece piece = {.task = &task[t], .first = first, .elements = n};
            held[number].bytes = (size_t)n;
            for (int m = 0; m < 2; m++) {
                const struct cg_bundle_member *member = &members[2 * t + m];
                int v = (m + t) % 2;
                int64_t in_use = cg_ahead_in_use(ahead, member, &piece, m);
                assert_true(in_use < number);
                over = in_use + 1 > over ? in_use + 1 : over;
                waits += in_use >= 0;
                f->from.view = &view[v];
                const uint8_t *data;
                assert_int_equal(cg_ahead_read(ahead, &f->from, member, &piece, m, number, out, &data, &err),
                                 0);
                assert_memory_equal(data, wanted[v] + first, (size_t)n);
                held[number].wanted[m] = wanted[v] + first;
                held[number].data[m] = data == out ? NULL : data;
                in_windows += data != out;
            }
            check_held(held, over, number + 1);
        }
    assert_true(in_windows > 0);
    return waits;
}

/* Pieces of two members read ahead, in two tasks: what a piece was given stays until the caller is said to
 * have done with it. Where there is room for all of a member twice, no piece of the second task waits. */
static void windows(void **state)
{
    struct fixture *f = *state;
    struct cg_view view[2] = {{0, 2, {TALL, WIDE}, {1, TALL}}, {7, 2, {TALL, WIDE}, {1, TALL}}};
    struct cg_bundle_member member[4] = {{.dtype = CG_U8}};
    struct cg_bundle bundle[2] = {{.rows = TALL, .columns = WIDE, .members = 2},
                                  {.rows = TALL, .columns = WIDE, .members = 2, .first_member = 2}};
    const struct cg_task task[2] = {{.work = CG_WORK_WHOLE}, {.work = CG_WORK_WHOLE, .bundle = 1}};
    struct cg_plan plan = {.nmembers = 4, .members = member, .bundles = bundle};
    int64_t chunk = cg_chunk_elements(TALL, WIDE), total = (int64_t)TALL * (WIDE);
    uint8_t *wanted[2];
    f->tensor.dtype = CG_U8;
    for (int m = 0; m < 4; m++)
        member[m] = (struct cg_bundle_member){
            .dtype = CG_U8, .grain = cg_dtype_grain(CG_U8), .view = &view[(m + m / 2) % 2]};
    for (int v = 0; v < 2; v++) {
        int64_t *elements = walk(&view[v]);
        assert_non_null(wanted[v] = malloc((size_t)total));
        for (int64_t i = 0; i < total; i++)
            wanted[v][i] = f->bytes[OFFSET + elements[i]];
        free(elements);
    }
    for (int twice = 0; twice < 2; twice++) {
        struct cg_ahead ahead;
        struct cg_err err;
        int64_t bytes = twice ? 4 * (total + chunk) : 4 * chunk + 1000;
        assert_int_equal(cg_ahead_init(&ahead, &plan, task, task + 2, bytes, &err), 0);
        int waits = read_ahead(f, &ahead, task, wanted, view);
        assert_true(twice ? waits == 0 : waits > 4);
        cg_ahead_release(&ahead);
    }
    for (int v = 0; v < 2; v++)
        free(wanted[v]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_views),    cmocka_unit_test(random_views), cmocka_unit_test(bytes_read),
        cmocka_unit_test(announced),      cmocka_unit_test(plain),        cmocka_unit_test(windows),
        cmocka_unit_test(beyond_the_end),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
