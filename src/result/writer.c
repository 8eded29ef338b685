#include "cognate/mem.h"
#include "form.h"
#include "h5.h"
#include <errno.h>
#include <hdf5_hl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IMAGE_STEP = 1 << 22 }; /* by which the memory of the file grows */
enum { CHUNK_BYTES = 1 << 20, DEFLATE_LEVEL = 4, ORDERED = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED };

struct writer {
    const struct cg_form *form;
    const void *record;
    hid_t file;
    int32_t next_dimension; /* netCDF's number of the next dimension along characters */
};

/* A variable as its bytes lie in the file: texts are rows of characters, an axis more. */
struct block {
    hid_t type;
    int rank;
    hsize_t extent[CG_MAX_DIMENSIONS + 1];
    const void *bytes;
    size_t size; /* in bytes */
    char *owned; /* the bytes when they were made for this block */
};

/* Large datasets are cut along their first axis and deflated; small ones stay contiguous, and so do samples
 * of weights, 16 bits of noise that nothing makes smaller. */
static int set_layout(hid_t properties, hid_t type, const struct block *block)
{
    if (block->size <= CHUNK_BYTES || H5Tget_size(type) == sizeof(int16_t))
        return 0;
    hsize_t chunk[CG_MAX_DIMENSIONS + 1], row = H5Tget_size(type);
    for (int i = 1; i < block->rank; i++)
        row *= chunk[i] = block->extent[i];
    chunk[0] = row < CHUNK_BYTES ? CHUNK_BYTES / row : 1;
    if (chunk[0] > block->extent[0])
        chunk[0] = block->extent[0];
    if (H5Pset_chunk(properties, block->rank, chunk) < 0 || H5Pset_shuffle(properties) < 0)
        return -1;
    return H5Pset_deflate(properties, DEFLATE_LEVEL);
}

/* The open dataset, or -1. */
static hid_t write_block(hid_t group, const char *name, const struct block *block, struct cg_err *err)
{
    int result = -1;
    char hex[CG_SHA256_HEX];
    hid_t dataset = -1, properties = -1, space = H5Screate_simple(block->rank, block->extent, NULL);
    CG_TRY(cg_h5_check(space, name, "describe the shape", err));
    CG_TRY(cg_h5_check(properties = H5Pcreate(H5P_DATASET_CREATE), name, "describe the layout", err));
    CG_TRY(cg_h5_check(H5Pset_obj_track_times(properties, false), name, "turn times off", err));
    CG_TRY(cg_h5_check(H5Pset_attr_creation_order(properties, ORDERED), name, "keep the order", err));
    CG_TRY(cg_h5_check(set_layout(properties, block->type, block), name, "set the layout", err));
    dataset = H5Dcreate2(group, name, block->type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    CG_TRY(cg_h5_check(dataset, name, "create the dataset", err));
    if (block->size > 0)
        CG_TRY(cg_h5_check(H5Dwrite(dataset, block->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, block->bytes), name,
                           "write", err));
    CG_TRY(cg_h5_sha256(block->bytes, block->size, hex, err));
    CG_TRY(cg_h5_write_text(dataset, "sha256", hex, err));
    result = 0;
done:
    if (properties >= 0)
        H5Pclose(properties);
    if (space >= 0)
        H5Sclose(space);
    if (result < 0 && dataset >= 0)
        H5Dclose(dataset);
    return result < 0 ? -1 : dataset;
}

/* A dimension without a coordinate, in the way of netCDF-4: a dataset of zeros whose NAME says what it is. */
static int write_scale(hid_t group, const char *name, int64_t length, int32_t id, struct cg_err *err)
{
    int result = -1;
    hid_t dataset = -1;
    char label[CG_H5_NAME], *zeros = cg_new((size_t)length, 1, err);
    if (!zeros)
        return -1;
    snprintf(label, sizeof label, "This is a netCDF dimension but not a netCDF variable. %10lld",
             (long long)length);
    struct block block = {cg_h5_type(CG_TYPE_BOOL), 1, {(hsize_t)length}, zeros, (size_t)length, NULL};
    CG_TRY((dataset = write_block(group, name, &block, err)) < 0 ? -1 : 0);
    CG_TRY(cg_h5_check(H5DSset_scale(dataset, label), name, "make a dimension scale", err));
    CG_TRY(cg_h5_write_values(dataset, "_Netcdf4Dimid", H5T_STD_I32LE, 1, &id, err));
    result = 0;
done:
    if (dataset >= 0)
        result = cg_h5_closed(result, H5Dclose(dataset), name, err);
    free(zeros);
    return result;
}

/* Rows of characters as wide as the longest text, at least 1, padded with NUL. */
static int encode_text(struct block *block, char *const *text, size_t cells, struct cg_err *err)
{
    size_t width = 1;
    for (size_t i = 0; i < cells; i++)
        if (text[i] && strlen(text[i]) > width)
            width = strlen(text[i]);
    size_t size;
    if (__builtin_mul_overflow(cells, width, &size))
        return cg_fail(err, CG_ENOMEM, "out of memory for %zu texts", cells);
    char *row = block->owned = cg_new(size, 1, err);
    if (!row)
        return -1;
    for (size_t i = 0; i < cells; i++, row += width) {
        size_t length = text[i] ? strlen(text[i]) : 0;
        if (length > 0)
            memcpy(row, text[i], length);
        cg_h5_keep_utf8(row, length);
    }
    block->bytes = block->owned;
    block->size = size;
    block->extent[block->rank++] = width;
    return 0;
}

static int make_block(struct block *block, const struct cg_variable *variable, const void *record,
                      struct cg_err *err)
{
    int64_t cells = cg_variable_cells(variable, record, err);
    void *data = cg_variable_data(variable, record);
    if (cells < 0)
        return -1;
    if (!data)
        return cg_fail(err, CG_EMISSING, "%s in %s: was never allocated", variable->name, variable->group);
    block->type = cg_h5_type(variable->type);
    block->rank = cg_variable_rank(variable);
    for (int i = 0; i < block->rank; i++)
        block->extent[i] = (hsize_t)cg_record_size(record, variable->dimension[i]);
    if (variable->type == CG_TYPE_TEXT)
        return encode_text(block, (char **)data, (size_t)cells, err);
    block->bytes = data;
    block->size = (size_t)cells * cg_type_size(variable->type);
    return 0;
}

static int write_attributes(hid_t dataset, const struct cg_variable *variable, struct cg_err *err)
{
    const double absent = NAN;
    const float small_absent = NAN;
    if (cg_h5_write_text(dataset, "long_name", variable->long_name, err) < 0 ||
        cg_h5_write_text(dataset, "units", variable->units, err) < 0)
        return -1;
    switch (variable->type) {
    case CG_TYPE_BOOL:
        return cg_h5_write_text(dataset, "dtype", "bool", err);
    case CG_TYPE_TEXT:
        return cg_h5_write_text(dataset, "_Encoding", "utf-8", err);
    case CG_TYPE_FLOAT64:
        return cg_h5_write_values(dataset, "_FillValue", H5T_IEEE_F64LE, 1, &absent, err);
    case CG_TYPE_FLOAT32:
        return cg_h5_write_values(dataset, "_FillValue", H5T_IEEE_F32LE, 1, &small_absent, err);
    default:
        return 0;
    }
}

/* netCDF numbers the dimensions: the schema's in the order of the list, then those along characters. */
static int32_t dimension_id(int dimension)
{
    return (int32_t)dimension - 1;
}

/* A coordinate of texts is a scale with two axes. A scale has no scales of its own: netCDF-4 keeps their
 * numbers. */
static int make_coordinate(hid_t dataset, const struct cg_variable *variable, hid_t characters,
                           struct cg_err *err)
{
    int32_t id[2] = {dimension_id(variable->dimension[0]), 0};
    CG_TRY(cg_h5_read_value(characters, "_Netcdf4Dimid", H5T_STD_I32LE, &id[1], err));
    CG_TRY(
        cg_h5_check(H5DSset_scale(dataset, variable->name), variable->name, "make a dimension scale", err));
    CG_TRY(cg_h5_write_values(dataset, "_Netcdf4Dimid", H5T_STD_I32LE, 1, id, err));
    return cg_h5_write_values(dataset, "_Netcdf4Coordinates", H5T_STD_I32LE, 2, id, err);
done:
    return -1;
}

/* The scale of axis i, opened. That along characters is made when the group first has texts of that width. */
static hid_t open_scale(struct writer *w, hid_t group, const struct cg_variable *variable,
                        const struct block *block, int i, struct cg_err *err)
{
    char name[CG_H5_NAME];
    if (i < cg_variable_rank(variable)) {
        const struct cg_axis *axis = &w->form->axes[variable->dimension[i]];
        cg_h5_path(name, axis->group, axis->name);
    } else {
        cg_h5_strlen_name(name, block->extent[i]);
        htri_t there = H5Lexists(group, name, H5P_DEFAULT);
        if (cg_h5_check(there, name, "look for the dimension", err) < 0 ||
            (there == 0 && write_scale(group, name, (int64_t)block->extent[i], w->next_dimension++, err) < 0))
            return -1;
    }
    hid_t scale = H5Dopen2(group, name, H5P_DEFAULT);
    return cg_h5_check(scale, name, "open the dimension", err) < 0 ? -1 : scale;
}

static int attach_scales(struct writer *w, hid_t group, hid_t dataset, const struct cg_variable *variable,
                         const struct block *block, struct cg_err *err)
{
    bool coordinate = cg_variable_is_coordinate(w->form, variable);
    int result = 0;
    for (int i = coordinate ? block->rank - 1 : 0; i < block->rank && result == 0; i++) {
        hid_t scale = open_scale(w, group, variable, block, i, err);
        if (scale < 0)
            return -1;
        result = coordinate ? make_coordinate(dataset, variable, scale, err)
                            : cg_h5_check(H5DSattach_scale(dataset, scale, (unsigned)i), variable->name,
                                          "attach a dimension", err);
        result = cg_h5_closed(result, H5Dclose(scale), variable->name, err);
    }
    return result;
}

static int write_variable(struct writer *w, hid_t group, const struct cg_variable *variable,
                          struct cg_err *err)
{
    int result = -1;
    hid_t dataset = -1;
    struct block block = {0};
    CG_TRY(make_block(&block, variable, w->record, err));
    CG_TRY((dataset = write_block(group, variable->name, &block, err)) < 0 ? -1 : 0);
    CG_TRY(write_attributes(dataset, variable, err));
    CG_TRY(attach_scales(w, group, dataset, variable, &block, err));
    result = 0;
done:
    if (dataset >= 0)
        result = cg_h5_closed(result, H5Dclose(dataset), variable->name, err);
    free(block.owned);
    return result;
}

static bool has_coordinate(const struct cg_form *form, int dimension)
{
    for (size_t i = 0; i < form->nvariables; i++)
        if (form->variables[i].dimension[0] == dimension &&
            cg_variable_is_coordinate(form, &form->variables[i]))
            return true;
    return false;
}

/* Scales first, then the variables that use them. */
static int write_contents(struct writer *w, hid_t group, const char *path, struct cg_err *err)
{
    const struct cg_form *form = w->form;
    for (int d = 1; d < form->naxes; d++)
        if (strcmp(form->axes[d].group, path) == 0 && !has_coordinate(form, d) &&
            write_scale(group, form->axes[d].name, cg_record_size(w->record, d), dimension_id(d), err) < 0)
            return -1;
    for (int pass = 0; pass < 2; pass++) /* coordinates are scales, too */
        for (size_t i = 0; i < form->nvariables; i++)
            if (strcmp(form->variables[i].group, path) == 0 &&
                cg_variable_is_coordinate(form, &form->variables[i]) == (pass == 0) &&
                write_variable(w, group, &form->variables[i], err) < 0)
                return -1;
    return 0;
}

/* Link and attribute order is kept, or netCDF-C opens the file for reading only. */
static int keep_order(hid_t properties, struct cg_err *err)
{
    CG_TRY(cg_h5_check(H5Pset_link_creation_order(properties, ORDERED), "group", "keep the order", err));
    CG_TRY(cg_h5_check(H5Pset_attr_creation_order(properties, ORDERED), "group", "keep the order", err));
    return cg_h5_check(H5Pset_obj_track_times(properties, false), "group", "turn times off", err);
done:
    return -1;
}

/* The open group, or -1. */
static hid_t create_group(hid_t file, const char *path, struct cg_err *err)
{
    hid_t group = -1, properties = H5Pcreate(H5P_GROUP_CREATE);
    CG_TRY(cg_h5_check(properties, path, "describe the group", err));
    CG_TRY(keep_order(properties, err));
    group = strcmp(path, "/") == 0 ? H5Gopen2(file, path, H5P_DEFAULT)
                                   : H5Gcreate2(file, path, H5P_DEFAULT, properties, H5P_DEFAULT);
    cg_h5_check(group, path, "create the group", err);
done:
    if (properties >= 0)
        H5Pclose(properties);
    return group;
}

static int write_fields(const struct writer *w, hid_t group, const char *path, struct cg_err *err)
{
    for (size_t i = 0; i < w->form->nattributes; i++) {
        const struct cg_attribute *row = &w->form->attributes[i];
        const void *field = (const char *)w->record + row->offset;
        if (strcmp(row->group, path) == 0 &&
            (row->type == CG_TYPE_TEXT
                 ? cg_h5_write_text(group, row->name, *(const char *const *)field, err)
                 : cg_h5_write_values(group, row->name, cg_h5_type(row->type), 1, field, err)) < 0)
            return -1;
    }
    return 0;
}

static int write_group(struct writer *w, const char *path, struct cg_err *err)
{
    hid_t group = create_group(w->file, path, err);
    if (group < 0)
        return -1;
    int result = write_fields(w, group, path, err);
    if (result == 0)
        result = write_contents(w, group, path, err);
    return cg_h5_closed(result, H5Gclose(group), path, err);
}

static int write_conventions(const struct cg_form *form, hid_t file, struct cg_err *err)
{
    CG_TRY(cg_h5_write_text(file, "title", form->title, err));
    CG_TRY(cg_h5_write_text(file, "Conventions", "CF-1.11, ACDD-1.3", err));
    CG_TRY(cg_h5_write_text(file, "references", "cognate(1); FIPS 180-4 (SHA-256)", err));
    return cg_h5_write_values(file, form->version_name, H5T_STD_I32LE, 1, &form->version, err);
done:
    return -1;
}

/* The completion record comes last. */
static int write_status(hid_t file, struct cg_err *err)
{
    hid_t group = H5Gopen2(file, "/run", H5P_DEFAULT);
    if (cg_h5_check(group, "/run", "open the group", err) < 0)
        return -1;
    int result = cg_h5_write_text(group, "status", "complete", err);
    return cg_h5_closed(result, H5Gclose(group), "/run", err);
}

/* A file in memory, or -1. HDF5 1.10 was seen to lose refused writes, and crashes at exit over a file that it
 * could not close: a full disk is none of its business here. No path can be below a device, so no file is
 * ever meant. */
static hid_t create_image(struct cg_err *err)
{
    hid_t file = -1, creation = H5Pcreate(H5P_FILE_CREATE), access = H5Pcreate(H5P_FILE_ACCESS);
    CG_TRY(cg_h5_check(creation < access ? creation : access, "file", "describe", err));
    CG_TRY(keep_order(creation, err));
    CG_TRY(cg_h5_check(H5Pset_fapl_core(access, IMAGE_STEP, false), "file", "describe", err));
    CG_TRY(cg_h5_check(H5Pset_fclose_degree(access, H5F_CLOSE_STRONG), "file", "describe", err));
    file = H5Fcreate("/dev/null/result.h5", H5F_ACC_EXCL, creation, access);
    cg_h5_check(file, "file", "create", err);
done:
    if (access >= 0)
        H5Pclose(access);
    if (creation >= 0)
        H5Pclose(creation);
    return file;
}

static int write_bytes(int descriptor, const char *bytes, size_t n, struct cg_err *err)
{
    while (n > 0) {
        ssize_t written = write(descriptor, bytes, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return cg_fail(err, CG_EIO, "cannot write: %s", strerror(errno));
        bytes += written;
        n -= (size_t)written;
    }
    return 0;
}

/* The image is written from where it lies; the memory handle of the core driver is its address. */
static int write_image(hid_t file, int descriptor, struct cg_err *err)
{
    void *handle = NULL;
    CG_TRY(cg_h5_check(H5Fflush(file, H5F_SCOPE_GLOBAL), "file", "flush", err));
    ssize_t size = H5Fget_file_image(file, NULL, 0);
    CG_TRY(cg_h5_check(size, "file", "take the size", err));
    CG_TRY(cg_h5_check(H5Fget_vfd_handle(file, H5P_DEFAULT, &handle), "file", "take the image", err));
    return write_bytes(descriptor, *(char *const *)handle, (size_t)size, err);
done:
    return -1;
}

int cg_form_write_to(const struct cg_form *form, const void *record, int descriptor, struct cg_err *err)
{
    int outcome = -1;
    struct cg_h5_quiet quiet = cg_h5_quiet_begin();
    struct writer w = {
        .form = form, .record = record, .file = create_image(err), .next_dimension = form->naxes};
    if (w.file < 0)
        goto done;
    CG_TRY(write_conventions(form, w.file, err));
    for (size_t i = 0; i < form->ngroups; i++)
        if (cg_group_is_written(form, form->groups[i], record))
            CG_TRY(write_group(&w, form->groups[i], err));
    CG_TRY(write_status(w.file, err));
    outcome = write_image(w.file, descriptor, err);
done:
    if (w.file >= 0)
        outcome = cg_h5_closed(outcome, H5Fclose(w.file), "file", err);
    cg_h5_quiet_end(quiet);
    return outcome;
}
