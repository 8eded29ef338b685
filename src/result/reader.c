#include "reader.h"
#include "cognate/mem.h"
#include "cognate/text.h"
#include "form.h"
#include "sweep/digest.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Deflate makes nothing more than this many times smaller. */
enum { DEFLATE_LIMIT = 1032 };

static int check_regular(const char *path, const char *kind, struct cg_err *err)
{
    struct stat info;
    if (stat(path, &info) < 0)
        return cg_fail(err, errno == ENOENT ? CG_EMISSING : CG_EIO, "%s", strerror(errno));
    if (S_ISDIR(info.st_mode))
        return cg_fail(err, CG_EFORMAT, "is a folder, not a %s", kind);
    return S_ISREG(info.st_mode) ? 0 : cg_fail(err, CG_EFORMAT, "is no regular file");
}

/* A file of another kind has another attribute, or none. */
static int check_version(hid_t file, const struct cg_form *form, struct cg_err *err)
{
    int32_t version = 0;
    if (H5Aexists(file, form->version_name) <= 0)
        return cg_fail(err, CG_EMISSING, "is no %s: attribute %s is missing", form->kind, form->version_name);
    if (cg_h5_read_value(file, form->version_name, H5T_STD_I32LE, &version, err) < 0)
        return -1;
    if (version != form->version)
        return cg_fail(err, CG_EUNSUPPORTED, "has version %d of the schema; this cognate reads %d",
                       (int)version, (int)form->version);
    return 0;
}

/* The open group, or -1. */
static hid_t open_group(hid_t file, const char *path, struct cg_err *err)
{
    hid_t group = H5Gopen2(file, path, H5P_DEFAULT);
    if (group < 0)
        cg_fail(err, CG_EMISSING, "group %s is missing", path);
    return group;
}

static int check_status(hid_t file, struct cg_err *err)
{
    char *status = NULL;
    hid_t run = open_group(file, "/run", err);
    if (run < 0)
        return -1;
    int result = cg_h5_read_text(run, "status", &status, err);
    H5Gclose(run);
    if (result == 0 ? strcmp(status, "complete") != 0 : err->code != CG_ENOMEM)
        result = cg_fail(err, CG_EFORMAT, "is not complete: /run has no status \"complete\"");
    free(status);
    return result;
}

/* No locks: a finished result never changes, and some network file systems have none. */
static hid_t open_file(const char *path, struct cg_err *err)
{
    hid_t file = -1, access = H5Pcreate(H5P_FILE_ACCESS);
    CG_TRY(cg_h5_check(access, "file", "describe", err));
    CG_TRY(cg_h5_check(H5Pset_fclose_degree(access, H5F_CLOSE_STRONG), "file", "describe", err));
    CG_TRY(cg_h5_check(H5Pset_file_locking(access, false, true), "file", "turn locks off", err));
    file = H5Fopen(path, H5F_ACC_RDONLY, access);
    if (cg_h5_check(file, "HDF5 file", "open", err) < 0)
        err->code = CG_EFORMAT;
done:
    if (access >= 0)
        H5Pclose(access);
    return file;
}

/* The rank of a dataset, its extents in extent[CG_MAX_DIMENSIONS + 1]; -1 when it has too many. */
static int shape_of(hid_t dataset, hsize_t extent[CG_MAX_DIMENSIONS + 1])
{
    hid_t space = H5Dget_space(dataset);
    int rank = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    if (rank > CG_MAX_DIMENSIONS + 1 || (rank > 0 && H5Sget_simple_extent_dims(space, extent, NULL) < 0))
        rank = -1;
    if (space >= 0)
        H5Sclose(space);
    return rank;
}

static int read_size(hid_t file, const struct cg_axis *axis, int64_t *size, struct cg_err *err)
{
    char path[CG_H5_NAME];
    hsize_t extent[CG_MAX_DIMENSIONS + 1] = {0};
    cg_h5_path(path, axis->group, axis->name);
    hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
    if (dataset < 0)
        return cg_fail(err, CG_EMISSING, "dimension %s is missing", path);
    int rank = shape_of(dataset, extent);
    H5Dclose(dataset);
    if (rank < 1 || extent[0] > INT64_MAX)
        return cg_fail(err, CG_EFORMAT, "dimension %s has no length", path);
    *size = (int64_t)extent[0];
    return 0;
}

static int read_sizes(hid_t file, const struct cg_form *form, void *record, struct cg_err *err)
{
    for (int d = 1; d < form->naxes; d++)
        if (cg_group_is_written(form, form->axes[d].group, record) &&
            read_size(file, &form->axes[d], &cg_record_sizes(record)[d], err) < 0)
            return -1;
    return 0;
}

static int check_variable(hid_t dataset, const char *path, const struct cg_variable *variable,
                          const void *record, struct cg_err *err)
{
    hsize_t extent[CG_MAX_DIMENSIONS + 1] = {0};
    hid_t type = H5Dget_type(dataset);
    bool right = type >= 0 && H5Tequal(type, cg_h5_type(variable->type)) > 0;
    if (type >= 0)
        H5Tclose(type);
    if (!right)
        return cg_fail(err, CG_EFORMAT, "%s: has the wrong type", path);
    int axes = cg_variable_rank(variable), rank = shape_of(dataset, extent);
    right = rank == axes + (variable->type == CG_TYPE_TEXT);
    for (int i = 0; right && i < axes; i++)
        right = extent[i] == (hsize_t)cg_record_size(record, variable->dimension[i]);
    if (!right || (rank > axes && extent[axes] == 0))
        return cg_fail(err, CG_EFORMAT, "%s: has the wrong shape", path);
    return 0;
}

hid_t cg_form_open_variable(hid_t file, const struct cg_variable *variable, const void *record,
                            struct cg_err *err)
{
    char path[CG_H5_NAME];
    cg_h5_path(path, variable->group, variable->name);
    hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
    if (dataset < 0)
        return cg_fail(err, CG_EMISSING, "%s: is missing", path);
    if (check_variable(dataset, path, variable, record, err) < 0) {
        H5Dclose(dataset);
        return -1;
    }
    return dataset;
}

/* Numbers and characters: nothing that points elsewhere in the file. */
static bool is_plain(hid_t type)
{
    H5T_class_t class = H5Tget_class(type);
    return class == H5T_INTEGER || class == H5T_FLOAT ||
           (class == H5T_STRING && H5Tis_variable_str(type) == 0);
}

/* The dataset's bytes, after checking that so many can be in the file at all. */
static int size_of(hid_t file, hid_t dataset, hid_t type, const char *name, size_t *size, struct cg_err *err)
{
    hsize_t in_file = 0, stored = H5Dget_storage_size(dataset);
    CG_TRY(cg_h5_check(H5Fget_filesize(file, &in_file), name, "read the file's size", err));
    hid_t space = H5Dget_space(dataset);
    CG_TRY(cg_h5_check(space, name, "read the shape", err));
    hssize_t elements = H5Sget_simple_extent_npoints(space);
    H5Sclose(space);
    if (elements < 0 || !is_plain(type) ||
        __builtin_mul_overflow((size_t)elements, H5Tget_size(type), size) || stored > in_file ||
        *size / DEFLATE_LIMIT > stored || (*size > 0 && stored == 0))
        return cg_fail(err, CG_EFORMAT, "%s: is no plain data or is larger than the file", name);
    return 0;
done:
    return -1;
}

static char *read_bytes(hid_t file, hid_t dataset, const char *name, size_t *size, struct cg_err *err)
{
    int result = -1;
    char *bytes = NULL;
    hid_t type = H5Dget_type(dataset);
    CG_TRY(cg_h5_check(type, name, "read the type", err));
    CG_TRY(size_of(file, dataset, type, name, size, err));
    if (!(bytes = cg_new_aligned(*size, 1, err)))
        goto done;
    if (*size > 0)
        CG_TRY(cg_h5_check(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes), name, "read", err));
    result = 0;
done:
    if (type >= 0)
        H5Tclose(type);
    if (result == 0)
        return bytes;
    free(bytes);
    return NULL;
}

/* The SHA-256 that is stored with the dataset, on the heap. */
static char *read_hash(hid_t dataset, const char *name, struct cg_err *err)
{
    char *stored = NULL;
    if (cg_h5_read_text(dataset, "sha256", &stored, err) == 0)
        return stored;
    cg_h5_blame(name, err);
    return NULL;
}

static int check_hash(const char *name, const char *stored, const char *computed, struct cg_err *err)
{
    if (strcmp(stored, computed) == 0)
        return 0;
    return cg_fail(err, CG_EFORMAT, "%s: does not have the SHA-256 that was stored with it", name);
}

char *cg_form_load(hid_t file, hid_t dataset, const char *name, size_t *size, struct cg_err *err)
{
    char computed[CG_SHA256_HEX], *bytes = read_bytes(file, dataset, name, size, err),
                                  *stored = bytes ? read_hash(dataset, name, err) : NULL;
    int result = stored ? cg_h5_sha256(bytes, *size, computed, err) : -1;
    if (result == 0)
        result = check_hash(name, stored, computed, err);
    free(stored);
    if (result == 0)
        return bytes;
    free(bytes);
    return NULL;
}

/* Rows of `width` characters, padded with NUL, into texts. */
static int decode_text(char **text, size_t cells, const char *rows, size_t size, struct cg_err *err)
{
    size_t width = cells > 0 ? size / cells : 0;
    for (size_t i = 0; i < cells; i++)
        if (!(text[i] = cg_copy_text(rows + i * width, strnlen(rows + i * width, width), err)))
            return -1;
    return 0;
}

static int keep_variable(const struct cg_variable *variable, void *record, char *bytes, size_t size,
                         struct cg_err *err)
{
    if (variable->type != CG_TYPE_TEXT) {
        cg_variable_set(variable, record, bytes);
        return 0;
    }
    int64_t cells = cg_variable_cells(variable, record, err);
    void *text = cells < 0 ? NULL : cg_new((size_t)cells, sizeof(char *), err);
    if (text)
        cg_variable_set(variable, record, text);
    int outcome = text ? decode_text((char **)text, (size_t)cells, bytes, size, err) : -1;
    free(bytes);
    return outcome;
}

/* The bytes of a variable, not yet known to be what was written. */
struct loaded {
    const struct cg_variable *variable;
    char *bytes, *hash;
    size_t size;
};

static int load_variable(struct loaded *out, hid_t file, const struct cg_variable *variable,
                         const void *record, struct cg_err *err)
{
    char name[CG_H5_NAME];
    cg_h5_path(name, variable->group, variable->name);
    hid_t dataset = cg_form_open_variable(file, variable, record, err);
    if (dataset < 0)
        return -1;
    out->variable = variable;
    out->bytes = read_bytes(file, dataset, name, &out->size, err);
    out->hash = out->bytes ? read_hash(dataset, name, err) : NULL;
    H5Dclose(dataset);
    return out->hash ? 0 : -1;
}

static int by_size(const void *a, const void *b)
{
    const struct loaded *x = a, *y = b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return (x->variable > y->variable) - (x->variable < y->variable);
}

/* Those of like sizes are hashed side by side. */
static int check_loaded(struct loaded *loaded, size_t n, struct cg_err *err)
{
    int result = -1;
    struct cg_digests *digests = cg_digests_create(n, true, err);
    const uint8_t **bytes = cg_new(n, sizeof *bytes, err);
    size_t *sizes = cg_new(n, sizeof *sizes, err);
    uint8_t(*computed)[32] = cg_new(n, sizeof *computed, err);
    if (!digests || !bytes || !sizes || !computed)
        goto done;
    qsort(loaded, n, sizeof *loaded, by_size);
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (const uint8_t *)loaded[i].bytes;
        sizes[i] = loaded[i].size;
    }
    CG_TRY(cg_digests_begin(digests, n, err));
    CG_TRY(cg_digests_update(digests, n, bytes, sizes, err));
    CG_TRY(cg_digests_end(digests, n, computed, err));
    for (size_t i = 0; i < n; i++) {
        char name[CG_H5_NAME], digits[CG_SHA256_HEX];
        cg_h5_path(name, loaded[i].variable->group, loaded[i].variable->name);
        cg_hex(digits, computed[i], sizeof computed[i]);
        CG_TRY(check_hash(name, loaded[i].hash, digits, err));
    }
    result = 0;
done:
    cg_digests_destroy(digests);
    free(bytes);
    free(sizes);
    free(computed);
    return result;
}

static int read_variables(hid_t file, const struct cg_form *form, bool (*wanted)(const struct cg_variable *),
                          void *record, struct cg_err *err)
{
    struct loaded *loaded = cg_new(form->nvariables, sizeof *loaded, err);
    size_t n = 0;
    int result = loaded ? 0 : -1;
    for (size_t i = 0; result == 0 && i < form->nvariables; i++)
        if (cg_group_is_written(form, form->variables[i].group, record) &&
            (!wanted || wanted(&form->variables[i])))
            result = load_variable(&loaded[n++], file, &form->variables[i], record, err);
    if (result == 0)
        result = check_loaded(loaded, n, err);
    for (size_t i = 0; i < n; i++) {
        if (result == 0)
            result = keep_variable(loaded[i].variable, record, loaded[i].bytes, loaded[i].size, err);
        else
            free(loaded[i].bytes);
        free(loaded[i].hash);
    }
    free(loaded);
    return result;
}

static int read_fields(hid_t file, const char *path, const struct cg_form *form, void *record,
                       struct cg_err *err)
{
    hid_t group = open_group(file, path, err);
    int outcome = group < 0 ? -1 : 0;
    for (size_t i = 0; i < form->nattributes && outcome == 0; i++) {
        const struct cg_attribute *row = &form->attributes[i];
        void *field = (char *)record + row->offset;
        if (strcmp(row->group, path) == 0)
            outcome = row->type == CG_TYPE_TEXT
                          ? cg_h5_read_text(group, row->name, (char **)field, err)
                          : cg_h5_read_value(group, row->name, cg_h5_type(row->type), field, err);
    }
    if (group >= 0)
        H5Gclose(group);
    return outcome < 0 ? -1 : 0;
}

static int read_all_fields(hid_t file, const struct cg_form *form, void *record, struct cg_err *err)
{
    for (size_t i = 0; i < form->ngroups; i++) {
        const char *path = form->groups[i];
        bool optional = form->optional && strcmp(path, form->optional) == 0;
        htri_t there = optional ? H5Lexists(file, path, H5P_DEFAULT) : 1;
        if (cg_h5_check(there, path, "look for the group", err) < 0 ||
            (there > 0 && read_fields(file, path, form, record, err) < 0))
            return -1;
    }
    return 0;
}

hid_t cg_form_open(const struct cg_form *form, void *record, const char *path, struct cg_err *err)
{
    if (check_regular(path, form->kind, err) < 0)
        return -1;
    hid_t file = open_file(path, err);
    if (file < 0)
        return -1;
    CG_TRY(check_version(file, form, err));
    CG_TRY(check_status(file, err));
    CG_TRY(read_all_fields(file, form, record, err));
    CG_TRY(read_sizes(file, form, record, err));
    return file;
done:
    H5Fclose(file);
    return -1;
}

int cg_form_read(const struct cg_form *form, bool (*wanted)(const struct cg_variable *), void *record,
                 const char *path, struct cg_err *err)
{
    struct cg_h5_quiet quiet = cg_h5_quiet_begin();
    hid_t file = cg_form_open(form, record, path, err);
    int outcome = file < 0 ? -1 : read_variables(file, form, wanted, record, err);
    if (file >= 0)
        H5Fclose(file);
    cg_h5_quiet_end(quiet);
    if (outcome == 0)
        return 0;
    cg_record_release(form, record);
    return cg_h5_blame(path, err);
}

bool cg_form_recognise(const struct cg_form *form, const char *path)
{
    struct cg_err ignored;
    struct cg_h5_quiet quiet = cg_h5_quiet_begin();
    hid_t file = check_regular(path, form->kind, &ignored) < 0 ? -1 : open_file(path, &ignored);
    bool known = file >= 0 ? H5Aexists(file, form->version_name) > 0 : H5Fis_hdf5(path) > 0;
    if (file >= 0)
        H5Fclose(file);
    cg_h5_quiet_end(quiet);
    return known;
}

int cg_blame_file(const char *path, struct cg_err *err)
{
    return cg_h5_blame(path, err);
}

int cg_result_read(struct cg_result *out, const char *path, struct cg_err *err)
{
    int outcome = cg_form_read(&cg_result_form, NULL, out, path, err);
    if (outcome < 0)
        cg_result_release(out);
    return outcome;
}
