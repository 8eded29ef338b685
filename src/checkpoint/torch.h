/* What the two containers of PyTorch share: the pickled object, and where the bytes of its storages lie. */
#ifndef COGNATE_CHECKPOINT_TORCH_H
#define COGNATE_CHECKPOINT_TORCH_H

#include "pickle.h"
#include "reader.h"

/* A storage of the file. Its key is a part of a longer text. */
struct cg_torch_storage {
    const char *key;
    size_t length;
    int64_t offset, bytes;
};

/* What a persistent id in the pickle says of a storage. */
struct cg_torch_id {
    const char *key;
    size_t length;
    int dtype; /* of its class; -1: bytes without a type */
    int width; /* bytes an element */
    int64_t bytes;
};

/* The globals that a checkpoint needs, for cg_pickle_source. */
const char *const *cg_torch_globals(void);

/* The storage that a value refers to; `name` is the tensor's for the message, or NULL. */
int cg_torch_read_id(struct cg_torch_id *out, const struct cg_pickle *pickle,
                     const struct cg_pickle_value *value, const char *path, const char *name,
                     struct cg_err *err);

/* The order of keys: bytes, then length. */
int cg_torch_compare_keys(const char *a, size_t a_length, const char *b, size_t b_length);

/* Appends the tensors of the object to the listing, as tensors of its last file. Of a dict that holds no
 * tensor itself but a dict under one of the usual names of a model, that dict is read alone; keys of dicts
 * in dicts are joined by dots. Storages are sorted by key. */
int cg_torch_list_object(struct cg_listing *listing, const struct cg_pickle *pickle,
                         const struct cg_torch_storage *storages, size_t n, struct cg_err *err);

#endif
