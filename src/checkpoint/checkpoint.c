#include "cognate/checkpoint.h"
#include "cognate/mem.h"
#include "file.h"
#include "quantisation.h"
#include "reader.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The folder of a file, "." for a bare name. */
static char *folder_of(const char *path, struct cg_err *err)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return cg_copy_text(".", 1, err);
    return cg_copy_text(path, slash == path ? 1 : (size_t)(slash - path), err);
}

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static int copy_into(char **out, const char *text, struct cg_err *err)
{
    *out = cg_copy_text(text, strlen(text), err);
    return *out ? 0 : -1;
}

/* The texts that open owes, and where the model was found when that is not where the user said. */
static int set_texts(struct cg_checkpoint *out, const char *given, const char *path, struct cg_err *err)
{
    if (copy_into(&out->label, "", err) < 0 || copy_into(&out->family, "", err) < 0 ||
        copy_into(&out->role, "", err) < 0 || copy_into(&out->given, given, err) < 0)
        return -1;
    out->folder = is_folder(path) ? cg_copy_text(path, strlen(path), err) : folder_of(path, err);
    if (!out->folder)
        return -1;
    char shown[400], shown_given[200];
    return strcmp(given, path) == 0 ? 0
                                    : cg_buf_printf(&out->warnings, err, "%s: read from the cache: %s\n",
                                                    cg_printable(shown_given, sizeof shown_given, given),
                                                    cg_printable(shown, sizeof shown, path));
}

/* Hands over what a listing holds. */
static int take_listing(struct cg_checkpoint *out, struct cg_listing *listing, struct cg_err *err)
{
    struct cg_buf *lines = &listing->warnings;
    if (lines->size > 0 && cg_buf_append(&out->warnings, lines->data, lines->size, err) < 0)
        return -1;
    cg_buf_release(lines);
    out->files = listing->files;
    out->nfiles = listing->nfiles;
    out->tensors = listing->tensors;
    out->ntensors = listing->ntensors;
    out->config = listing->config;
    *listing = (struct cg_listing){0};
    return 0;
}

/* Whether the file is one of several by its name, and of which format. */
static const struct cg_reader *reader_of_part(const char *path, int *k, int *n)
{
    const struct cg_reader *reader;
    for (size_t row = 0; (reader = cg_reader_row(row)); row++)
        if (cg_is_part(path, reader->suffix, k, n) && *n > 1)
            return reader;
    return NULL;
}

/* A file given by itself. Where a model is always one file, the first part stands for all. Otherwise a shard
 * of several is no whole model, whatever config.json says. */
static int list_file(struct cg_checkpoint *out, struct cg_listing *listing, const char *path,
                     struct cg_err *err)
{
    int k, n;
    char shown[400];
    const struct cg_reader *reader = reader_of_part(path, &k, &n);
    if (cg_listing_add(listing, path, err) < 0)
        return -1;
    if (reader && reader->one_model && k == 1)
        return cg_parts_list(listing, path, reader->suffix, n, err);
    out->alone = reader != NULL;
    return !out->alone
               ? 0
               : cg_buf_printf(&out->warnings, err,
                               "%s: shard %d of %d, read alone: the rest of the model is not looked at\n",
                               cg_printable(shown, sizeof shown, path), k, n);
}

int cg_checkpoint_open(struct cg_checkpoint *out, const char *given, struct cg_err *err)
{
    struct cg_listing listing = {0};
    int result = -1;
    char *path = cg_checkpoint_locate(given, err);
    if (!path)
        goto done;
    CG_TRY(set_texts(out, given, path, err));
    if (is_folder(path))
        CG_TRY(cg_shards_list(&listing, path, &out->warnings, err));
    else
        CG_TRY(list_file(out, &listing, path, err));
    if (listing.ntensors == 0) {
        cg_fail_at(err, CG_EMISSING, path, NULL, -1, "holds no tensor");
        goto done;
    }
    CG_TRY(cg_listing_sort(&listing, err));
    CG_TRY(take_listing(out, &listing, err));
    CG_TRY(out->config.present ? cg_config_leave(out->folder, &out->warnings, err)
                               : cg_config_read(&out->config, out->folder, &out->warnings, err));
    CG_TRY(cg_packed_read(out, err));
    result = cg_bnb_read(out, err);
done:
    cg_listing_release(&listing);
    free(path);
    if (result < 0)
        cg_checkpoint_release(out);
    return result;
}

void cg_checkpoint_release(struct cg_checkpoint *checkpoint)
{
    struct cg_listing listing = {.files = checkpoint->files,
                                 .nfiles = checkpoint->nfiles,
                                 .tensors = checkpoint->tensors,
                                 .ntensors = checkpoint->ntensors};
    cg_listing_release(&listing);
    free(checkpoint->label);
    free(checkpoint->given);
    free(checkpoint->folder);
    free(checkpoint->family);
    free(checkpoint->role);
    free(checkpoint->bnb);
    free(checkpoint->padded);
    cg_config_release(&checkpoint->config);
    cg_buf_release(&checkpoint->warnings);
    *checkpoint = (struct cg_checkpoint){0};
}

static int by_key(const void *key, const void *tensor)
{
    return strcmp(key, ((const struct cg_tensor *)tensor)->name);
}

const struct cg_tensor *cg_checkpoint_find(const struct cg_checkpoint *checkpoint, const char *name)
{
    if (checkpoint->ntensors == 0)
        return NULL;
    return bsearch(name, checkpoint->tensors, checkpoint->ntensors, sizeof *checkpoint->tensors, by_key);
}

const char *cg_checkpoint_vocabulary(const struct cg_checkpoint *checkpoint)
{
    const char *file = checkpoint->config.file;
    for (size_t i = 0; i < checkpoint->nfiles; i++)
        if (strcmp(checkpoint->files[i].path, file) == 0)
            return file;
    return checkpoint->folder;
}

void cg_tensor_strides(const struct cg_tensor *tensor, int64_t stride[CG_MAX_AXES])
{
    int64_t step = 1;
    for (int a = tensor->axes - 1; a >= 0; a--) {
        stride[a] = tensor->stride ? tensor->stride[a] : step;
        step *= tensor->shape[a];
    }
}

int cg_tensor_joined(const struct cg_tensor *tensor, int64_t extent[CG_MAX_AXES], int64_t stride[CG_MAX_AXES])
{
    int64_t step[CG_MAX_AXES];
    int n = 0;
    cg_tensor_strides(tensor, step);
    for (int a = 0; a < tensor->axes; a++) {
        if (tensor->shape[a] == 1)
            continue;
        bool joins = n > 0 && stride[n - 1] == tensor->shape[a] * step[a];
        n += !joins;
        extent[n - 1] = joins ? extent[n - 1] * tensor->shape[a] : tensor->shape[a];
        stride[n - 1] = step[a];
    }
    if (n == 0) {
        extent[n] = 1;
        stride[n++] = 1;
    }
    return n;
}

int64_t cg_checkpoint_bytes(const struct cg_checkpoint *checkpoint)
{
    int64_t sum = 0;
    for (size_t i = 0; i < checkpoint->ntensors; i++)
        sum += checkpoint->tensors[i].bytes;
    return sum;
}
