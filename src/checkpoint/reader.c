#include "reader.h"
#include "cognate/mem.h"
#include "file.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEAD_BYTES = 512, TAR_MAGIC = 257, SHOWN_NAME = 160 };

static const struct cg_reader readers[] = {
    {"safetensors", ".safetensors", "model.safetensors.index.json", cg_safetensors_recognises,
     cg_safetensors_list, false},
    {"PyTorch", ".bin", "pytorch_model.bin.index.json", cg_torch_recognises, cg_torch_list, false},
    {"PyTorch", ".pt", NULL, cg_torch_recognises, cg_torch_list, false},
    {"PyTorch", ".pth", NULL, cg_torch_recognises, cg_torch_list, false},
    {"GGUF", ".gguf", NULL, cg_gguf_recognises, cg_gguf_list, true},
    {"NumPy", ".npz", NULL, cg_npz_recognises, cg_npz_list, false},
};

const struct cg_reader *cg_reader_row(size_t row)
{
    return row < sizeof readers / sizeof *readers ? &readers[row] : NULL;
}

/* What people find in place of a shard, by how it begins. */
static const struct foreign {
    const char *head;
    const char *what;
} foreigners[] = {
    {"version https:/", "a Git LFS pointer, not the file it stands for: fetch it with git lfs pull"},
    {"<!doctype", "an HTML page, perhaps a log-in or error page of the server it came from"},
    {"<html", "an HTML page, perhaps a log-in or error page of the server it came from"},
    {"<?xml", "an XML page, perhaps an error page of the server it came from"},
    {"{\"", "JSON text, not a checkpoint"},
    {"PK\x05\x06", "an empty ZIP archive"},
    {"\x80\x02", "a Python pickle, but none that torch.save wrote"},
    {"\x80\x03", "a Python pickle, but none that torch.save wrote"},
    {"\x80\x04", "a Python pickle, but none that torch.save wrote"},
    {"FUGG", "a big-endian GGUF file: convert it to little-endian first"},
    {"\x89HDF", "an HDF5 file, not a safetensors file"},
    {"7z\xBC\xAF", "a 7z archive: unpack it first"},
    {"\x1F\x8B", "compressed by gzip: decompress it first"},
    {"\x28\xB5\x2F\xFD", "compressed by zstd: decompress it first"},
};

/* `head` ends in a NUL behind its n bytes. */
static const char *foreign_kind(const char *head, size_t n)
{
    if (n > TAR_MAGIC && strncmp(head + TAR_MAGIC, "ustar", 5) == 0)
        return "a tar archive: unpack it first (PyTorch before 0.2 wrote such; save it again)";
    size_t blank = strspn(head, " \t\r\n");
    for (size_t i = 0; i < sizeof foreigners / sizeof *foreigners; i++)
        if (strncasecmp(head + blank, foreigners[i].head, strlen(foreigners[i].head)) == 0)
            return foreigners[i].what;
    return NULL;
}

/* By content first, so that a file of another name is read too; then what it is if it is no checkpoint; then
 * by name, for its reader to say what is wrong. */
static const struct cg_reader *reader_of(int descriptor, const struct cg_file *file, struct cg_err *err)
{
    char head[HEAD_BYTES + 1] = "";
    size_t n = file->bytes < HEAD_BYTES ? (size_t)file->bytes : HEAD_BYTES;
    if (cg_file_read(descriptor, file->path, head, n, 0, err) < 0)
        return NULL;
    const struct cg_reader *reader;
    for (size_t row = 0; (reader = cg_reader_row(row)); row++)
        if (reader->recognises((const unsigned char *)head, n, file->path))
            return reader;
    const char *kind = foreign_kind(head, n);
    if (kind) {
        cg_fail_at(err, CG_EUNSUPPORTED, file->path, NULL, -1, "is %s", kind);
        return NULL;
    }
    for (size_t row = 0; (reader = cg_reader_row(row)); row++)
        if (cg_ends_with(file->path, reader->suffix))
            return reader;
    cg_fail_at(err, CG_EUNSUPPORTED, file->path, NULL, -1, "is of no format that cognate reads");
    return NULL;
}

int cg_listing_add(struct cg_listing *listing, const char *path, struct cg_err *err)
{
    if (cg_grow((void **)&listing->files, &listing->files_capacity, listing->nfiles + 1,
                sizeof *listing->files, err) < 0)
        return -1;
    struct cg_file *file = &listing->files[listing->nfiles++];
    int descriptor = cg_file_open(file, path, err);
    if (descriptor < 0)
        return -1;
    const struct cg_reader *reader = reader_of(descriptor, file, err);
    int result = reader ? reader->list(listing, descriptor, err) : -1;
    close(descriptor);
    return result;
}

int cg_listing_add_tensor(struct cg_listing *listing, const struct cg_tensor *tensor, const char *name,
                          struct cg_err *err)
{
    if (cg_grow((void **)&listing->tensors, &listing->tensors_capacity, listing->ntensors + 1,
                sizeof *listing->tensors, err) < 0)
        return -1;
    if (__builtin_add_overflow(listing->elements, tensor->elements, &listing->elements) ||
        __builtin_add_overflow(listing->bytes, tensor->bytes, &listing->bytes))
        return cg_fail_at(err, CG_EUNSUPPORTED, listing->files[listing->nfiles - 1].path, name, -1,
                          "with it the model has 2^63 bytes or more");
    struct cg_tensor *added = &listing->tensors[listing->ntensors];
    *added = *tensor;
    added->stride = tensor->stride ? cg_new((size_t)tensor->axes, sizeof *added->stride, err) : NULL;
    added->name = cg_copy_text(name, strlen(name), err);
    if (!added->name || (tensor->stride && !added->stride)) {
        free(added->stride);
        free(added->name);
        return -1;
    }
    if (tensor->stride)
        memcpy(added->stride, tensor->stride, (size_t)tensor->axes * sizeof *added->stride);
    listing->ntensors++;
    added->file = (int32_t)listing->nfiles - 1;
    return 0;
}

static int by_name(const void *left, const void *right)
{
    const struct cg_tensor *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : (a->file > b->file) - (a->file < b->file);
}

int cg_listing_sort(struct cg_listing *listing, struct cg_err *err)
{
    char shown[SHOWN_NAME];
    if (listing->ntensors > 0)
        qsort(listing->tensors, listing->ntensors, sizeof *listing->tensors, by_name);
    for (size_t i = 1; i < listing->ntensors; i++) {
        const struct cg_tensor *a = &listing->tensors[i - 1], *b = a + 1;
        if (strcmp(a->name, b->name) == 0)
            return cg_fail_at(err, CG_EFORMAT, listing->files[b->file].path, b->name, b->offset,
                              "is in %s too; if these are two forms of one model, give one file alone",
                              cg_printable(shown, sizeof shown, cg_last_part(listing->files[a->file].path)));
    }
    return 0;
}

void cg_listing_release(struct cg_listing *listing)
{
    for (size_t i = 0; i < listing->ntensors; i++) {
        free(listing->tensors[i].name);
        free(listing->tensors[i].stride);
    }
    for (size_t i = 0; i < listing->nfiles; i++)
        free(listing->files[i].path);
    free(listing->tensors);
    free(listing->files);
    cg_config_release(&listing->config);
    cg_buf_release(&listing->warnings);
    *listing = (struct cg_listing){0};
}
