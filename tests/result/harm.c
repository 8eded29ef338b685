#include "harm.h"
#include "result/h5.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { MOST_AXES = 6 };

static bool is_named(const struct harm *row, const char *path, const struct cg_err *err)
{
    return err->code == row->code && strncmp(err->text, path, strlen(path)) == 0 &&
           strstr(err->text, row->text) && !strchr(err->text, '\n');
}

void harm_check(const struct harm *row, size_t number, const char *path,
                int (*verify)(const char *path, struct cg_err *err),
                int (*read)(const char *path, struct cg_err *err))
{
    struct cg_err err = {0};
    row->harm(path, row->name);
    int verified = verify(path, &err);
    if (verified >= 0 || !is_named(row, path, &err))
        fail_msg("row %zu, verify: %d: %s", number, verified, err.text);
    int got = read(path, &err);
    if (row->only_verify != (got == 0) || (got < 0 && !is_named(row, path, &err)))
        fail_msg("row %zu, read: %d: %s", number, got, err.text);
}

hid_t harm_open(const char *path)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

void harm_flip_at(const char *path, off_t offset)
{
    char byte;
    int descriptor = open(path, O_RDWR);
    assert_int_equal(pread(descriptor, &byte, 1, offset), 1);
    byte = (char)(byte ^ 0x10);
    assert_int_equal(pwrite(descriptor, &byte, 1, offset), 1);
    close(descriptor);
}

void harm_flip_in(const char *path, const char *name)
{
    hid_t file = harm_open(path), dataset = H5Dopen2(file, name, H5P_DEFAULT);
    haddr_t offset = H5Dget_offset(dataset);
    assert_true(offset != HADDR_UNDEF);
    H5Dclose(dataset);
    H5Fclose(file);
    harm_flip_at(path, (off_t)offset);
}

void harm_no_link(const char *path, const char *name)
{
    hid_t file = harm_open(path);
    assert_true(H5Ldelete(file, name, H5P_DEFAULT) >= 0);
    H5Fclose(file);
}

/* The dataset anew, without data. */
static void replace(const char *path, const char *name, hid_t type, int rank, const hsize_t *extent)
{
    harm_no_link(path, name);
    hid_t file = harm_open(path), space = H5Screate_simple(rank, extent, NULL);
    hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(dataset >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Fclose(file);
}

/* The type of a dataset, which the caller closes, and its axes. */
static hid_t look_at(const char *path, const char *name, int *rank, hsize_t extent[MOST_AXES])
{
    hid_t file = harm_open(path), dataset = H5Dopen2(file, name, H5P_DEFAULT);
    hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    *rank = H5Sget_simple_extent_dims(space, extent, NULL);
    assert_true(type >= 0 && *rank > 0);
    H5Sclose(space);
    H5Dclose(dataset);
    H5Fclose(file);
    return type;
}

void harm_wrong_type(const char *path, const char *name)
{
    int rank;
    hsize_t extent[MOST_AXES];
    H5Tclose(look_at(path, name, &rank, extent));
    replace(path, name, H5T_STD_U16BE, rank, extent);
}

void harm_transposed(const char *path, const char *name)
{
    int rank;
    hsize_t extent[MOST_AXES];
    hid_t type = look_at(path, name, &rank, extent);
    assert_true(rank == 2 && extent[0] != extent[1]);
    replace(path, name, type, 2, (const hsize_t[]){extent[1], extent[0]});
    H5Tclose(type);
}

void harm_flattened(const char *path, const char *name)
{
    int rank;
    hsize_t extent[MOST_AXES], cells = 1;
    hid_t type = look_at(path, name, &rank, extent);
    assert_true(rank > 1);
    for (int i = 0; i < rank; i++)
        cells *= extent[i];
    replace(path, name, type, 1, &cells);
    H5Tclose(type);
}

void harm_too_many_axes(const char *path, const char *name)
{
    int rank;
    hsize_t extent[MOST_AXES];
    hid_t type = look_at(path, name, &rank, extent);
    for (; rank < MOST_AXES; rank++)
        extent[rank] = 1;
    replace(path, name, type, MOST_AXES, extent);
    H5Tclose(type);
}

void harm_huge_claim(const char *path, const char *name)
{
    int rank;
    hsize_t extent[MOST_AXES];
    hid_t type = look_at(path, name, &rank, extent);
    assert_true(H5Tget_class(type) == H5T_STRING);
    extent[rank - 1] = UINT64_C(1) << 60;
    replace(path, name, type, rank, extent);
    H5Tclose(type);
}

static void delete_attribute(const char *path, const char *object, const char *name)
{
    hid_t file = harm_open(path);
    assert_true(H5Adelete_by_name(file, object, name, H5P_DEFAULT) >= 0);
    H5Fclose(file);
}

void harm_no_hash(const char *path, const char *name)
{
    delete_attribute(path, name, "sha256");
}

void harm_no_attribute(const char *path, const char *name)
{
    delete_attribute(path, "/", name);
}

void harm_next_version(const char *path, const char *name)
{
    int32_t version = 0;
    struct cg_err err;
    hid_t file = harm_open(path);
    assert_int_equal(cg_h5_read_value(file, name, H5T_STD_I32LE, &version, &err), 0);
    version++;
    assert_true(H5Adelete(file, name) >= 0);
    assert_int_equal(cg_h5_write_values(file, name, H5T_STD_I32LE, 1, &version, &err), 0);
    H5Fclose(file);
}

void harm_cut(const char *path, const char *name)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(truncate(path, info.st_size * atoi(name) / 100), 0);
}

void harm_nothing(const char *path, const char *name)
{
    (void)path;
    (void)name;
}

void harm_flip_signature(const char *path, const char *name)
{
    (void)name;
    harm_flip_at(path, 1);
}

void harm_no_status(const char *path, const char *name)
{
    (void)name;
    delete_attribute(path, "/run", "status");
}

void harm_other_status(const char *path, const char *name)
{
    struct cg_err err;
    harm_no_status(path, name);
    hid_t file = harm_open(path), run = H5Gopen2(file, "/run", H5P_DEFAULT);
    assert_int_equal(cg_h5_write_text(run, "status", "running", &err), 0);
    H5Gclose(run);
    H5Fclose(file);
}

void harm_other_format(const char *path, const char *name)
{
    (void)name;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        fputs("<html>not found</html>\n", file);
    fclose(file);
}

void harm_no_file(const char *path, const char *name)
{
    (void)name;
    assert_int_equal(unlink(path), 0);
}

void harm_a_folder(const char *path, const char *name)
{
    harm_no_file(path, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

void harm_a_fifo(const char *path, const char *name)
{
    harm_no_file(path, name);
    assert_int_equal(mkfifo(path, 0600), 0);
}
