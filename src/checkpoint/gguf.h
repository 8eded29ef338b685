/* GGUF files: a header of keys and values, then what each tensor is, then the tensors.
 * https://github.com/ggml-org/ggml (docs/gguf.md) */
#ifndef COGNATE_CHECKPOINT_GGUF_H
#define COGNATE_CHECKPOINT_GGUF_H

#include "reader.h"

enum cg_gguf_type {
    CG_GGUF_U8,
    CG_GGUF_I8,
    CG_GGUF_U16,
    CG_GGUF_I16,
    CG_GGUF_U32,
    CG_GGUF_I32,
    CG_GGUF_F32,
    CG_GGUF_BOOL,
    CG_GGUF_TEXT,
    CG_GGUF_ARRAY,
    CG_GGUF_U64,
    CG_GGUF_I64,
    CG_GGUF_F64,
    CG_GGUF_TYPES
};

struct cg_gguf_value {
    char *key;
    int64_t at; /* the byte of its key */
    enum cg_gguf_type type;
    int64_t number; /* of a whole number or a truth value: itself; of an array of such: the largest. -1 where
                       there is none, or it is negative or over 2^63 */
    char *text;     /* NULL where it is no text, or too long to be of use here */
    enum cg_gguf_type item; /* of an array */
    int64_t count, first;   /* of an array: its items, and the byte of the first */
};

/* A file that is read from front to back through a window. All zero to start with. */
struct cg_gguf {
    const char *path;
    int descriptor;
    int64_t end; /* of the file */
    int64_t at;  /* the byte that is next */
    char *window;
    int64_t window_at;
    size_t window_bytes;
    struct cg_gguf_value *values; /* sorted by key */
    size_t nvalues, values_capacity;
    int64_t ntensors;
};

/* Reads the header of a file and all keys and values; what comes next is the first tensor. */
int cg_gguf_read(struct cg_gguf *out, int descriptor, const struct cg_file *file, struct cg_err *err);
void cg_gguf_release(struct cg_gguf *gguf);

/* The value of a key, or NULL. */
const struct cg_gguf_value *cg_gguf_find(const struct cg_gguf *gguf, const char *key);

/* The next n bytes, n at most CG_GGUF_WINDOW, good until the next call; NULL with err where the file ends
 * before or cannot be read. */
enum { CG_GGUF_WINDOW = 1 << 18 };
const char *cg_gguf_take(struct cg_gguf *gguf, size_t n, struct cg_err *err);
int cg_gguf_take_number(struct cg_gguf *gguf, int bytes, uint64_t *out, struct cg_err *err);

/* The next text: 8 bytes of its length, then itself. A text over CG_GGUF_WINDOW is passed over: *text is
 * then NULL. */
int cg_gguf_take_text(struct cg_gguf *gguf, const char **text, size_t *n, struct cg_err *err);

/* Whether a text can be a name: UTF-8 without a NUL. */
bool cg_gguf_is_name(const char *text, size_t n);

/* Fails with what is wrong with `name`, a key or tensor or NULL, at a byte of the file. */
int cg_gguf_refuse(const struct cg_gguf *gguf, const char *name, int64_t at, struct cg_err *err,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));

/* gguf_config.c: fills the listing's config with what the values say of the architecture; nothing where they
 * do not name it, or a part read before did. Without `output.weight` its embeddings are tied. */
int cg_gguf_config(struct cg_listing *listing, const struct cg_gguf *gguf, struct cg_err *err);

#endif
