/* The formats of checkpoint files. A format is a file of its own and one row in the table of reader.c. */
#ifndef COGNATE_CHECKPOINT_READER_H
#define COGNATE_CHECKPOINT_READER_H

#include "cognate/checkpoint.h"

/* What was found so far: grows file by file. All zero to start with. */
struct cg_listing {
    struct cg_file *files;
    size_t nfiles, files_capacity;
    struct cg_tensor *tensors;
    size_t ntensors, tensors_capacity;
    int64_t elements, bytes; /* of all tensors; below 2^63 */
    struct cg_buf warnings;  /* lines for the reader */
    struct cg_config config; /* what a file itself says of the architecture; `present` where one does */
    /* What a file says of the whole model: how many files it has, 0 where nothing, and how many tensors. */
    int64_t parts, ntensors_stated;
};

/* A format, by the suffix of its files; a format of several suffixes has several rows. */
struct cg_reader {
    const char *name;   /* of the format */
    const char *suffix; /* of its files in a folder */
    const char *index;  /* the file that maps tensors to shards, or NULL */
    /* Whether the first n bytes of a file (512, or all there are) show the format. */
    bool (*recognises)(const unsigned char *head, size_t n, const char *name);
    /* Appends the tensors of the listing's last file, open at `descriptor`, in any order. */
    int (*list)(struct cg_listing *listing, int descriptor, struct cg_err *err);
    bool one_model; /* a file of this format is a whole model, or says of how many parts it is one */
};

/* The rows of the table, NULL behind the last. */
const struct cg_reader *cg_reader_row(size_t row);

/* Opens the file at `path`, finds its format and appends the file and its tensors to the listing. What no
 * format recognises is refused by the name of what it is: a Git LFS pointer, an HTML page, a ZIP archive. */
int cg_listing_add(struct cg_listing *listing, const char *path, struct cg_err *err);

/* Appends one tensor; its name and its strides are copied. */
int cg_listing_add_tensor(struct cg_listing *listing, const struct cg_tensor *tensor, const char *name,
                          struct cg_err *err);

/* Sorts the tensors by name. A name that two files hold is refused. */
int cg_listing_sort(struct cg_listing *listing, struct cg_err *err);
void cg_listing_release(struct cg_listing *listing);

/* safetensors.c */
bool cg_safetensors_recognises(const unsigned char *head, size_t n, const char *name);
int cg_safetensors_list(struct cg_listing *listing, int descriptor, struct cg_err *err);

/* gguf_tensors.c */
bool cg_gguf_recognises(const unsigned char *head, size_t n, const char *name);
int cg_gguf_list(struct cg_listing *listing, int descriptor, struct cg_err *err);

/* npz.c */
bool cg_npz_recognises(const unsigned char *head, size_t n, const char *name);
int cg_npz_list(struct cg_listing *listing, int descriptor, struct cg_err *err);

/* torch.c */
bool cg_torch_recognises(const unsigned char *head, size_t n, const char *name);
int cg_torch_list(struct cg_listing *listing, int descriptor, struct cg_err *err);

/* shards.c: the tensors of a model's folder, of the first row that has an index or files there, by its index
 * or by all its files.
 * Lines for the reader go to warnings. */
int cg_shards_list(struct cg_listing *listing, const char *folder, struct cg_buf *warnings,
                   struct cg_err *err);

/* The other parts, 2 to n, of a model whose first part is at `path`. */
int cg_parts_list(struct cg_listing *listing, const char *path, const char *suffix, int n,
                  struct cg_err *err);

/* The k and n of a name that ends in -0000k-of-0000n and the suffix; false for any other name. */
bool cg_is_part(const char *name, const char *suffix, int *k, int *n);

/* config.c: FOLDER/config.json. No such file: a line in warnings, and `present` stays false. */
int cg_config_read(struct cg_config *config, const char *folder, struct cg_buf *warnings, struct cg_err *err);

/* A line in warnings where FOLDER/config.json lies beside a file that speaks for itself. */
int cg_config_leave(const char *folder, struct cg_buf *warnings, struct cg_err *err);
void cg_config_release(struct cg_config *config);

#endif
