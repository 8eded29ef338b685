/* The result file: round trips, damage of every kind, and writes that fail on the way. */
#include "cognate/result.h"
#include "harm.h"
#include "result/schema.h"
#include "sample.h"
#include <errno.h>
#include <fcntl.h>
#include <hdf5_hl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <dirent.h>

struct folder {
    char path[64], result[96];
};

static int setup(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);
    assert_non_null(folder);
    strcpy(folder->path, "/tmp/cognate-result-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    snprintf(folder->result, sizeof folder->result, "%s/r.h5", folder->path);
    *state = folder;
    return 0;
}

/* The number of entries; removes them when asked to. */
static int entries(const char *path, bool remove_them)
{
    int n = 0;
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        n++;
        if (remove_them && unlinkat(dirfd(folder), entry->d_name, 0) < 0)
            unlinkat(dirfd(folder), entry->d_name, AT_REMOVEDIR);
    }
    closedir(folder);
    return n;
}

static int teardown(void **state)
{
    struct folder *folder = *state;
    entries(folder->path, true);
    rmdir(folder->path);
    free(folder);
    return 0;
}

static void write_sample(const char *path, enum sample kind)
{
    struct cg_result result;
    struct cg_err err = {0};
    sample_init(&result, kind);
    int outcome = cg_result_write(&result, path, &err);
    cg_result_release(&result);
    if (outcome < 0)
        fail_msg("%s", err.text);
}

static void assert_same_cell(const struct cg_variable *variable, const void *a, const void *b, int64_t i)
{
    const char *const *text_a = a, *const *text_b = b;
    const double *number_a = a, *number_b = b;
    const size_t size = cg_type_size(variable->type);
    if (variable->type == CG_TYPE_TEXT)
        assert_string_equal(text_a[i], text_b[i]);
    else if (variable->type == CG_TYPE_FLOAT64 && isnan(number_a[i]))
        assert_true(isnan(number_b[i]));
    else
        assert_memory_equal((const char *)a + (size_t)i * size, (const char *)b + (size_t)i * size, size);
}

static void round_trip(const char *path, enum sample kind)
{
    struct cg_result wrote, read = {0};
    struct cg_err err = {0};
    write_sample(path, kind);
    sample_init(&wrote, kind);
    if (cg_result_read(&read, path, &err) < 0)
        fail_msg("%s", err.text);
    for (size_t v = 0; v < cg_variable_count; v++) {
        const struct cg_variable *variable = &cg_variables[v];
        if (kind == SAMPLE_NO_PCA && strcmp(variable->group, "/pca") == 0) {
            assert_null(cg_variable_data(variable, &read));
            continue;
        }
        int64_t cells = cg_variable_cells(variable, &wrote, &err);
        assert_int_equal(cells, cg_variable_cells(variable, &read, &err));
        for (int64_t i = 0; i < cells; i++)
            assert_same_cell(variable, cg_variable_data(variable, &wrote), cg_variable_data(variable, &read),
                             i);
    }
    assert_string_equal(read.source, wrote.source);
    assert_string_equal(read.notes, wrote.notes);
    assert_string_equal(read.run.history, wrote.run.history);
    assert_string_equal(read.run.date_created, wrote.run.date_created);
    assert_true(read.run.bytes_read == wrote.run.bytes_read && read.run.ranks == 4 && read.run.hosts == 2);
    assert_true(read.run.wall_seconds == 1.5 && read.run.read_seconds_mean == 0.5);
    assert_int_equal(kind == SAMPLE_NO_PCA, read.pca_features == NULL);
    cg_result_release(&read);
    cg_result_release(&wrote);
}

static void test_round_trips(void **state)
{
    const struct folder *folder = *state;
    for (enum sample kind = SAMPLE_FULL; kind <= SAMPLE_LARGE; kind++) {
        round_trip(folder->result, kind);
        assert_int_equal(entries(folder->path, false), 1);
    }
}

static void test_absent_values(void **state)
{
    (void)state;
    struct cg_result result = {0};
    struct cg_err err;
    result.size[CG_DIM_MODEL] = result.size[CG_DIM_PAIR] = 2;
    assert_int_equal(cg_result_allocate(&result, "/", &err), 0);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(result.root.verdict[i], "");
        assert_int_equal(result.root.hidden_size[i], -1);
        assert_int_equal(result.root.pair_b[i], -1);
        assert_int_equal(result.root.same_architecture[i], 0);
        assert_true(isnan(result.root.log10_p[i]));
    }
    assert_null(result.tensors.name);
    assert_int_equal(cg_result_allocate(&result, "/", &err), 0); /* again: nothing leaks */
    cg_result_release(&result);
    cg_result_release(&result);
}

/* Bytes that are no UTF-8 would keep xarray from opening the group. */
static void test_text_becomes_utf8(void **state)
{
    static const struct {
        const char *given, *kept;
    } rows[] = {{"plain", "plain"},
                {"\xFF\xFEz", "??z"},
                {"caf\xE9", "caf?"},
                {"\xE2\x82", "??"},
                {"\xE2\x82\xAC", "\xE2\x82\xAC"},
                {"\xED\xA0\x80", "???"},
                {"", ""}};
    const struct folder *folder = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cg_result result, read = {0};
        struct cg_err err = {0};
        sample_init(&result, SAMPLE_FULL);
        assert_int_equal(cg_result_text(&result.root.model_path[1], rows[i].given, &err), 0);
        assert_int_equal(cg_result_text(&result.run.history, rows[i].given, &err), 0);
        assert_int_equal(cg_result_write(&result, folder->result, &err), 0);
        assert_int_equal(cg_result_read(&read, folder->result, &err), 0);
        assert_string_equal(read.root.model_path[1], rows[i].kept);
        assert_string_equal(read.run.history, rows[i].kept);
        cg_result_release(&read);
        cg_result_release(&result);
    }
}

static int read_result(const char *path, struct cg_err *err)
{
    struct cg_result read = {0};
    int outcome = cg_result_read(&read, path, err);
    cg_result_release(&read);
    return outcome;
}

static void test_damage_is_named(void **state)
{
    static const struct harm rows[] = {
        {harm_flip_in, "/tensors/cosine", CG_EFORMAT, "/tensors/cosine: does not have the SHA-256", false},
        {harm_flip_in, "/layers/role_group", CG_EFORMAT, "/layers/role_group: does not have the SHA-256",
         false},
        {harm_flip_in, "/model", CG_EFORMAT, "/model: does not have the SHA-256", true},
        {harm_flip_signature, NULL, CG_EFORMAT, "cannot open", false},
        {harm_cut, "99", CG_EFORMAT, "cannot open", false},
        {harm_cut, "50", CG_EFORMAT, "cannot open", false},
        {harm_cut, "0", CG_EFORMAT, "cannot open", false},
        {harm_other_format, NULL, CG_EFORMAT, "cannot open", false},
        {harm_no_link, "/tensors/t", CG_EMISSING, "/tensors/t: is missing", false},
        {harm_no_link, "/experts", CG_EMISSING, "group /experts is missing", false},
        {harm_no_link, "/run", CG_EMISSING, "group /run is missing", false},
        {harm_no_link, "/embeddings/token", CG_EMISSING, "dimension /embeddings/token is missing", false},
        {harm_no_status, NULL, CG_EFORMAT, "is not complete", false},
        {harm_other_status, NULL, CG_EFORMAT, "is not complete", false},
        {harm_no_hash, "/experts/cosine", CG_EMISSING, "/experts/cosine: attribute sha256 is missing", false},
        {harm_no_attribute, "source", CG_EMISSING, "attribute source is missing", false},
        {harm_next_version, "cognate_schema", CG_EUNSUPPORTED, "version 2 of the schema", false},
        {harm_wrong_type, "/tensors/cosine", CG_EFORMAT, "/tensors/cosine: has the wrong type", false},
        {harm_transposed, "/tensors/cosine", CG_EFORMAT, "/tensors/cosine: has the wrong shape", false},
        {harm_flattened, "/tensors/cosine", CG_EFORMAT, "/tensors/cosine: has the wrong shape", false},
        {harm_too_many_axes, "/tensors/cosine", CG_EFORMAT, "/tensors/cosine: has the wrong shape", false},
        {harm_huge_claim, "/model_label", CG_EFORMAT,
         "/model_label: is no plain data or is larger than the file", false},
        {harm_no_file, NULL, CG_EMISSING, "No such file or directory", false},
        {harm_a_folder, NULL, CG_EFORMAT, "is a folder", false},
        {harm_a_fifo, NULL, CG_EFORMAT, "is no regular file", false},
    };
    const struct folder *folder = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cg_err err = {0};
        write_sample(folder->result, SAMPLE_FULL);
        assert_true(cg_result_verify(folder->result, &err) > 70);
        harm_check(&rows[i], i, folder->result, cg_result_verify, read_result);
        entries(folder->path, true);
    }
}

/* Every byte of data in the file: a flip is found wherever it is. */
static void test_any_flip_in_a_dataset(void **state)
{
    static const char *const names[] = {"/pair_b", "/verdict", "/tensors/equal_values", "/pca/score"};
    const struct folder *folder = *state;
    write_sample(folder->result, SAMPLE_FULL);
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        hid_t file = harm_open(folder->result), dataset = H5Dopen2(file, names[n], H5P_DEFAULT);
        off_t offset = (off_t)H5Dget_offset(dataset), size = (off_t)H5Dget_storage_size(dataset);
        H5Dclose(dataset);
        H5Fclose(file);
        assert_true(size > 0);
        for (off_t i = 0; i < size; i += 7) {
            struct cg_err err = {0};
            harm_flip_at(folder->result, offset + i);
            assert_int_equal(cg_result_verify(folder->result, &err), -1);
            assert_non_null(strstr(err.text, names[n]));
            harm_flip_at(folder->result, offset + i);
        }
    }
    struct cg_err err = {0};
    assert_true(cg_result_verify(folder->result, &err) > 0);
}

static void test_extra_variables_are_let_be(void **state)
{
    const struct folder *folder = *state;
    struct cg_result read = {0};
    struct cg_err err = {0};
    const hsize_t extent = 3;
    const double values[] = {1, 2, 3};
    write_sample(folder->result, SAMPLE_FULL);
    int before = cg_result_verify(folder->result, &err);
    hid_t file = harm_open(folder->result);
    assert_true(H5LTmake_dataset_double(file, "/tensors/mine", 1, &extent, values) >= 0);
    H5Fclose(file);
    assert_int_equal(cg_result_verify(folder->result, &err), before);
    assert_int_equal(cg_result_read(&read, folder->result, &err), 0);
    cg_result_release(&read);
}

/* Writes that fail. The result that was there before stays and stays sound, and nothing else is in the
 * folder. */

static void assert_old_result_stands(const struct folder *folder)
{
    struct cg_err err = {0};
    struct cg_result read = {0};
    assert_int_equal(entries(folder->path, false), 1);
    assert_int_equal(cg_result_read(&read, folder->result, &err), 0);
    assert_null(read.pca_features); /* the old one has no PCA, the new one has */
    cg_result_release(&read);
}

/* In a child, since the limit holds for the whole process. Returns whether the write went through. */
static bool write_under_limit(const struct folder *folder, rlim_t bytes)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit limit = {bytes, bytes};
        struct cg_result result;
        struct cg_err err = {0};
        signal(SIGXFSZ, SIG_IGN);
        sample_init(&result, SAMPLE_FULL);
        int outcome = setrlimit(RLIMIT_FSIZE, &limit) < 0 ? 2 : 0;
        if (outcome == 0 && cg_result_write(&result, folder->result, &err) < 0)
            outcome = strstr(err.text, "File too large") && err.code == CG_EIO ? 1 : 3;
        cg_result_release(&result);
        if (outcome > 1)
            fprintf(stderr, "limit %llu: %s\n", (unsigned long long)bytes, err.text);
        _exit(outcome);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) <= 1);
    return WEXITSTATUS(status) == 0;
}

static void test_a_full_disk(void **state)
{
    const struct folder *folder = *state;
    struct stat info;
    write_sample(folder->result, SAMPLE_FULL);
    assert_int_equal(stat(folder->result, &info), 0);
    const rlim_t whole = (rlim_t)info.st_size;
    write_sample(folder->result, SAMPLE_NO_PCA);
    for (rlim_t limit = 0; limit < whole; limit += 1499) {
        assert_false(write_under_limit(folder, limit));
        assert_old_result_stands(folder);
    }
    assert_false(write_under_limit(folder, whole - 1));
    assert_old_result_stands(folder);
    assert_true(write_under_limit(folder, whole));
}

static void test_places_that_cannot_be_written(void **state)
{
    static const struct {
        const char *place, *text;
    } rows[] = {
        {"/missing/r.h5", "No such file or directory"},
        {"", "is a folder"},
        {"/", "is no name for a file"},
        {"/r.h5/r.h5", "Not a directory"},
        {"/fifo", "is no regular file"},
    };
    const struct folder *folder = *state;
    write_sample(folder->result, SAMPLE_NO_PCA);
    struct cg_result result;
    sample_init(&result, SAMPLE_FULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[128], fifo[80];
        struct cg_err err = {0};
        snprintf(fifo, sizeof fifo, "%s/fifo", folder->path);
        snprintf(path, sizeof path, "%s%s", folder->path, rows[i].place);
        assert_int_equal(mkfifo(fifo, 0600), 0);
        if (cg_result_writable(path, &err) == 0 || !strstr(err.text, rows[i].text))
            fail_msg("row %zu, writable: %s", i, err.text);
        if (cg_result_write(&result, path, &err) == 0 || !strstr(err.text, rows[i].text))
            fail_msg("row %zu, write: %s", i, err.text);
        unlink(fifo);
        assert_old_result_stands(folder);
    }
    cg_result_release(&result);
}

static void test_writable_leaves_nothing(void **state)
{
    const struct folder *folder = *state;
    struct cg_err err = {0};
    assert_int_equal(cg_result_writable(folder->result, &err), 0);
    assert_int_equal(entries(folder->path, false), 0);
}

static void test_a_group_that_was_not_allocated(void **state)
{
    const struct folder *folder = *state;
    struct cg_result result = {0};
    struct cg_err err = {0};
    write_sample(folder->result, SAMPLE_NO_PCA);
    assert_int_equal(cg_result_write(&result, folder->result, &err), -1);
    assert_non_null(strstr(err.text, "model_label in /: was never allocated"));
    assert_old_result_stands(folder);
}

/* The number of a process that is no more. */
static pid_t dead_process(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
    return child;
}

static void test_leftovers(void **state)
{
    const struct {
        const char *prefix, *suffix;
        long pid;
        bool stays;
    } rows[] = {
        {".r.h5.cognate-", ".tmp", dead_process(), false}, {".r.h5.cognate-", ".tmp", getpid(), false},
        {".r.h5.cognate-", ".tmp", getppid(), true},       {".r.h5.cognate-", ".tmp", 0, true},
        {".q.h5.cognate-", ".tmp", dead_process(), true},  {".r.h5.cognate-", ".txt", dead_process(), true},
    };
    const struct folder *folder = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[160];
        snprintf(path, sizeof path, "%s/%s%ld%s", folder->path, rows[i].prefix, rows[i].pid, rows[i].suffix);
        harm_other_format(path, NULL);
        write_sample(folder->result, SAMPLE_FULL);
        if ((access(path, F_OK) == 0) != rows[i].stays)
            fail_msg("row %zu", i);
        unlink(path);
        assert_int_equal(entries(folder->path, false), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trips, setup, teardown),
        cmocka_unit_test(test_absent_values),
        cmocka_unit_test_setup_teardown(test_text_becomes_utf8, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_flip_in_a_dataset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_extra_variables_are_let_be, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places_that_cannot_be_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_writable_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_group_that_was_not_allocated, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leftovers, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
