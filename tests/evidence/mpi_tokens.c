/* Embedding rows of shared tokens on however many ranks the harness starts, against brute force in long
 * double. Files hold nothing but the rows; the matrices are made by formula, so that every rank knows them.
 */
#include "../checkpoint/scratch.h"
#include "cognate/tokens.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { ROWS_A = 2600, ROWS_B = 2300, COLUMNS = 24, SHARED = 2200 }; /* over two blocks of tokens, and a bit */

static struct cg_comm comm; /* set once by main */

static uint32_t mixed(uint32_t x)
{
    x = (x ^ x >> 16) * 0x45d9f3bu;
    x = (x ^ x >> 16) * 0x45d9f3bu;
    return x ^ x >> 16;
}

/* Multiples of 1/16 up to 8, exact in every type; b's rows follow a's, each with a mean of its own. */
static double value_of(int model, int64_t row, int64_t column)
{
    double noise = (int)(mixed((uint32_t)(row * 131 + column)) % 65) / 16.0 - 2;
    double own = (int)(mixed((uint32_t)(row * 131 + column + 7777777)) % 33) / 16.0 - 1;
    return model == 0 ? noise + (double)(column % 3) : noise + own + 1;
}

/* The id in a of the token whose id in b is i: spread over a's rows, no order kept. */
static int64_t id_in_a(int64_t i)
{
    return i * 1009 % ROWS_A;
}

struct scene {
    struct scratch scratch;
    struct cg_checkpoint model[2];
    const struct cg_checkpoint *models[2];
    struct cg_file file[2];
    struct cg_tensor tensor[2];
    float *values[2];
    uint8_t *kept[2];
    struct cg_slot slot;
    struct cg_member member[2];
    struct cg_anatomy anatomy;
    struct cg_sweep sweep;
    struct cg_alignment alignment;
    char path[2][1100];
};

static void describe_file(struct scene *s, int m)
{
    struct stat status;
    assert_int_equal(stat(s->path[m], &status), 0);
    s->file[m] =
        (struct cg_file){.path = s->path[m],
                         .device = (int64_t)status.st_dev,
                         .inode = (int64_t)status.st_ino,
                         .bytes = status.st_size,
                         .mtime_ns = status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec};
}

/* Rank 0 writes; the others learn where. */
static void write_files(struct scene *s)
{
    static const char *const names[] = {"a", "b"};
    struct cg_buf folder = {0};
    struct cg_err err;
    if (comm.rank == 0) {
        scratch_make(&s->scratch);
        for (int m = 0; m < 2; m++)
            scratch_bytes(&s->scratch, names[m], s->values[m], (size_t)s->tensor[m].bytes);
        assert_int_equal(cg_buf_append(&folder, s->scratch.folder, strlen(s->scratch.folder) + 1, &err), 0);
    }
    assert_int_equal(cg_broadcast(&comm, &folder, &err), 0);
    for (int m = 0; m < 2; m++) {
        snprintf(s->path[m], sizeof s->path[m], "%s/%s", folder.data, names[m]);
        describe_file(s, m);
    }
    cg_buf_release(&folder);
}

static void set_up(struct scene *s)
{
    static const int64_t rows[] = {ROWS_A, ROWS_B};
    memset(s, 0, sizeof *s);
    for (int m = 0; m < 2; m++) {
        int64_t n = rows[m] * COLUMNS;
        s->values[m] = malloc((size_t)n * sizeof(float));
        assert_non_null(s->values[m]);
        for (int64_t i = 0; i < n; i++)
            s->values[m][i] = (float)value_of(m, i / COLUMNS, i % COLUMNS);
        s->tensor[m] = (struct cg_tensor){.name = "embed",
                                          .dtype = CG_F32,
                                          .axes = 2,
                                          .shape = {rows[m], COLUMNS},
                                          .elements = n,
                                          .bytes = 4 * n};
        s->model[m] = (struct cg_checkpoint){
            .files = &s->file[m], .nfiles = 1, .tensors = &s->tensor[m], .ntensors = 1};
        s->models[m] = &s->model[m];
        s->member[m] = (struct cg_member){.rows = rows[m], .columns = COLUMNS};
    }
    write_files(s);
    s->slot = (struct cg_slot){.role = CG_ROLE_EMBED, .layer = -1, .expert = -1, .name = "embed"};
    s->anatomy = (struct cg_anatomy){.models = 2, .nslots = 1, .slots = &s->slot, .members = s->member};
    s->sweep = (struct cg_sweep){.kept = s->kept, .models = 2};
    s->alignment = (struct cg_alignment){
        .shared = SHARED, .id_a = calloc(SHARED, sizeof(int64_t)), .id_b = calloc(SHARED, sizeof(int64_t))};
    for (int64_t i = 0; i < SHARED; i++) {
        s->alignment.id_a[i] = id_in_a(i);
        s->alignment.id_b[i] = i;
    }
}

static void tear_down(struct scene *s)
{
    cg_alignment_release(&s->alignment);
    free(s->values[0]);
    free(s->values[1]);
    cg_sum_int(&comm, 0); /* nobody reads any more */
    if (comm.rank == 0)
        scratch_remove(&s->scratch);
}

static int compare(struct scene *s, bool reread, struct cg_token_cosines *out, struct cg_err *err)
{
    return cg_tokens_compare(&comm, s->models, &s->anatomy, &s->sweep, 0, 1, &s->alignment, reread, out, err);
}

struct sums {
    long double ab, aa, bb;
};

static void add(struct sums *to, long double a, long double b)
{
    to->ab += a * b;
    to->aa += a * a;
    to->bb += b * b;
}

static void check(const struct sums *sums, double cosine, const char *what)
{
    double expected = (double)(sums->ab / sqrtl(sums->aa) / sqrtl(sums->bb));
    if (!(fabs(cosine - expected) < 1e-12))
        fail_msg("%s: %.17g, not %.17g", what, cosine, expected);
}

static void check_all(const struct cg_token_cosines *out)
{
    long double mean[2][COLUMNS] = {{0}};
    for (int64_t i = 0; i < SHARED; i++)
        for (int c = 0; c < COLUMNS; c++) {
            mean[0][c] += value_of(0, id_in_a(i), c);
            mean[1][c] += value_of(1, i, c);
        }
    struct sums whole = {0}, whole_centred = {0};
    for (int64_t i = 0; i < SHARED; i++) {
        struct sums plain = {0}, centred = {0};
        for (int c = 0; c < COLUMNS; c++) {
            long double a = value_of(0, id_in_a(i), c), b = value_of(1, i, c);
            long double ca = a - mean[0][c] / SHARED, cb = b - mean[1][c] / SHARED;
            add(&plain, a, b);
            add(&whole, a, b);
            add(&centred, ca, cb);
            add(&whole_centred, ca, cb);
        }
        check(&plain, out->cosine[i], "a token");
        check(&centred, out->centred[i], "a token, centred");
    }
    check(&whole, out->whole_cosine, "all");
    check(&whole_centred, out->whole_centred, "all, centred");
}

/* Read from the files, kept in memory, one of each: the same bits, and the bytes read are counted. */
static void test_values(void **state)
{
    (void)state;
    struct scene s;
    struct cg_token_cosines first = {0}, next = {0};
    struct cg_err err;
    set_up(&s);
    assert_int_equal(compare(&s, true, &first, &err), 0);
    assert_int_equal(first.shared, SHARED);
    assert_int_equal(first.listed, SHARED);
    assert_int_equal(cg_sum_int(&comm, first.bytes_reread), 2 * 2 * SHARED * COLUMNS * 4);
    check_all(&first);
    for (int keep = 1; keep < 4; keep++) {
        s.kept[0] = keep & 1 ? (uint8_t *)s.values[0] : NULL;
        s.kept[1] = keep & 2 ? (uint8_t *)s.values[1] : NULL;
        assert_int_equal(compare(&s, keep != 3, &next, &err), 0);
        assert_int_equal(cg_sum_int(&comm, next.bytes_reread), keep == 3 ? 0 : 2 * SHARED * COLUMNS * 4);
        assert_memory_equal(first.cosine, next.cosine, SHARED * sizeof(double));
        assert_memory_equal(first.centred, next.centred, SHARED * sizeof(double));
        assert_memory_equal(&first.whole_cosine, &next.whole_cosine, sizeof(double));
        assert_memory_equal(&first.whole_centred, &next.whole_centred, sizeof(double));
        cg_token_cosines_release(&next);
    }
    cg_token_cosines_release(&first);
    tear_down(&s);
}

/* The same rows on both sides are alike to the last bit; a row of zeros, or of NaN, is like none. */
static void test_equal_rows(void **state)
{
    (void)state;
    struct scene s;
    struct cg_token_cosines out = {0};
    struct cg_err err;
    set_up(&s);
    for (int64_t i = 0; i < SHARED; i++)
        memcpy(s.values[1] + i * COLUMNS, s.values[0] + id_in_a(i) * COLUMNS, COLUMNS * sizeof(float));
    for (int c = 0; c < COLUMNS; c++) {
        s.values[1][COLUMNS + c] = 0;
        s.values[1][2 * COLUMNS + c] = NAN;
    }
    s.values[1][3 * COLUMNS] = INFINITY; /* counts as 0 */
    s.kept[0] = (uint8_t *)s.values[0];
    s.kept[1] = (uint8_t *)s.values[1];
    assert_int_equal(compare(&s, false, &out, &err), 0);
    assert_true(out.cosine[0] == 1 && isnan(out.cosine[1]) && isnan(out.cosine[2]));
    assert_true(out.cosine[3] < 1 && out.cosine[3] > 0 && isfinite(out.centred[3]));
    for (int64_t i = 4; i < SHARED; i++)
        assert_true(out.cosine[i] == 1 && out.centred[i] > 0.999);
    assert_true(isfinite(out.whole_cosine) && isfinite(out.whole_centred));
    cg_token_cosines_release(&out);
    tear_down(&s);
}

/* Where rows cannot be set side by side, tokens are counted and nothing more. */
static void test_nothing_to_compare(void **state)
{
    (void)state;
    for (int what = 0; what < 6; what++) {
        struct scene s;
        struct cg_token_cosines out = {0};
        struct cg_err err;
        set_up(&s);
        if (what == 0)
            s.member[1].columns = COLUMNS / 2; /* another width */
        if (what == 1)
            s.member[0].tensor = -1; /* no embedding */
        if (what == 2)
            s.alignment.shared = 0;
        if (what == 3)
            s.slot.role = CG_ROLE_LM_HEAD;
        if (what == 4)
            s.tensor[1].dtype = CG_C64;                          /* no plain values */
        assert_int_equal(compare(&s, what != 5, &out, &err), 0); /* 5: not kept, and not to be read again */
        assert_int_equal(out.shared, what == 2 ? 0 : SHARED);
        assert_int_equal(out.listed, 0);
        assert_true(isnan(out.whole_cosine) && isnan(out.whole_centred) && !out.cosine && !out.centred);
        cg_token_cosines_release(&out);
        tear_down(&s);
    }
}

/* A file cut short: whoever meets it, all ranks hear of it and in the same words. */
static void test_read_failure(void **state)
{
    (void)state;
    struct scene s;
    struct cg_token_cosines out = {0};
    struct cg_err err = {0};
    set_up(&s);
    /* Only the last block reaches beyond. */
    s.alignment.id_b[SHARED - 1] = ROWS_B + 5;
    int result = compare(&s, true, &out, &err);
    assert_int_equal(result, -1);
    assert_int_equal(err.code, CG_ECHANGED);
    assert_non_null(strstr(err.text, "/b: embed: "));
    struct cg_buf text = {0};
    struct cg_err other;
    if (comm.rank == 0)
        assert_int_equal(cg_buf_append(&text, err.text, strlen(err.text) + 1, &other), 0);
    assert_int_equal(cg_broadcast(&comm, &text, &other), 0);
    assert_string_equal(text.data, err.text);
    assert_true(!out.cosine && !out.centred && out.listed == 0);
    cg_buf_release(&text);
    tear_down(&s);
}

static void test_broadcast(void **state)
{
    (void)state;
    struct cg_alignment alignment = {0};
    struct cg_err err;
    if (comm.rank == 0) {
        alignment =
            (struct cg_alignment){.shared = 3, .same_id = 2, .id_a = calloc(3, 8), .id_b = calloc(3, 8)};
        for (int i = 0; i < 3; i++) {
            alignment.id_a[i] = INT64_C(5000000000) + i;
            alignment.id_b[i] = 7 * i;
        }
    }
    assert_int_equal(cg_alignment_broadcast(&comm, &alignment, &err), 0);
    assert_int_equal(alignment.shared, 3);
    assert_int_equal(alignment.same_id, 2);
    for (int i = 0; i < 3; i++)
        assert_true(alignment.id_a[i] == INT64_C(5000000000) + i && alignment.id_b[i] == 7 * i);
    cg_alignment_release(&alignment);
    assert_int_equal(cg_alignment_broadcast(&comm, &alignment, &err), 0); /* of none */
    assert_int_equal(alignment.shared, 0);
    cg_alignment_release(&alignment);
}

/* Every third of 8 tokens: 0, 3 and 6. */
static void test_thin(void **state)
{
    (void)state;
    enum { N = 8 };
    struct cg_token_cosines cosines = {
        .shared = N, .listed = N, .cosine = calloc(N, 8), .centred = calloc(N, 8), .whole_cosine = 0.5};
    struct cg_alignment alignment = {.shared = N, .id_a = calloc(N, 8), .id_b = calloc(N, 8)};
    alignment.text = calloc(N, sizeof *alignment.text);
    for (int i = 0; i < N; i++) {
        cosines.cosine[i] = i;
        cosines.centred[i] = 10 + i;
        alignment.id_a[i] = 20 + i;
        alignment.id_b[i] = 30 + i;
        alignment.text[i] = strdup((char[]){(char)('a' + i), '\0'});
    }
    cg_tokens_thin(&cosines, &alignment, 3);
    assert_int_equal(cosines.listed, 3);
    assert_int_equal(cosines.shared, N);
    assert_true(cosines.whole_cosine == 0.5);
    for (int i = 0; i < 3; i++) {
        assert_true(cosines.cosine[i] == 3 * i && cosines.centred[i] == 10 + 3 * i);
        assert_true(alignment.id_a[i] == 20 + 3 * i && alignment.id_b[i] == 30 + 3 * i);
        assert_string_equal(alignment.text[i], ((char[]){(char)('a' + 3 * i), '\0'}));
    }
    cg_alignment_release(&alignment);
    cg_token_cosines_release(&cosines);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_equal_rows),
        cmocka_unit_test(test_nothing_to_compare),
        cmocka_unit_test(test_read_failure),
        cmocka_unit_test(test_broadcast),
        cmocka_unit_test(test_thin),
    };
    struct cg_err err;
    if (cg_comm_init(&comm, &argc, &argv, &err) < 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cg_comm_finalize(&comm);
    return failed != 0;
}
