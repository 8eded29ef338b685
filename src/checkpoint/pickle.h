/* Python pickles read as data: what a pickle would build is described, nothing of it is ever executed.
 * Only the opcodes that checkpoints need are known; any other, and any global off the caller's list, is
 * refused by its name. https://github.com/python/cpython/blob/main/Lib/pickletools.py */
#ifndef COGNATE_CHECKPOINT_PICKLE_H
#define COGNATE_CHECKPOINT_PICKLE_H

#include "cognate/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A pickle makes at most so many values, links between them, stack and memo entries: 240 MB in all. */
enum { CG_PICKLE_LIMIT = 1 << 22 };

enum cg_pickle_kind {
    CG_PICKLE_NONE,
    CG_PICKLE_BOOL,       /* number */
    CG_PICKLE_INT,        /* number */
    CG_PICKLE_LONG,       /* an integer of more than 64 bits: text, little-endian */
    CG_PICKLE_FLOAT,      /* its value has no use here and is not kept */
    CG_PICKLE_TEXT,       /* text, not checked for UTF-8 */
    CG_PICKLE_GLOBAL,     /* number: its place in the caller's list */
    CG_PICKLE_TUPLE,      /* items */
    CG_PICKLE_LIST,       /* items */
    CG_PICKLE_DICT,       /* items: key, value, key, value */
    CG_PICKLE_CALL,       /* number: the global that would be called; items: the arguments */
    CG_PICKLE_PERSISTENT, /* items: the parts of the persistent id */
};

struct cg_pickle_value {
    enum cg_pickle_kind kind;
    bool held;            /* an item of something */
    uint32_t first, last; /* links of the items, 0 for none */
    int64_t at;           /* where in the file its opcode stands */
    union {
        int64_t number;
        struct {
            const char *text; /* in the caller's bytes, no NUL behind */
            size_t length;
        };
    };
};

/* One item of a value, and the link of the next, 0 behind the last. */
struct cg_pickle_link {
    uint32_t value, next;
};

struct cg_pickle {
    struct cg_pickle_value *values; /* [nvalues]; the first stands for nothing */
    struct cg_pickle_link *links;   /* [nlinks]; as above */
    size_t nvalues, nlinks, values_capacity, links_capacity;
    uint32_t root; /* the object */
    size_t used;   /* bytes of the pickle */
    bool cut;      /* it failed because the bytes ended before the pickle did */
};

/* Bytes that hold a pickle and perhaps more, and where they come from. */
struct cg_pickle_source {
    const char *path;
    const unsigned char *bytes;
    size_t n;
    int64_t start;              /* of the bytes in the file */
    const char *const *globals; /* "module.name", NULL behind the last */
};

/* Reads one pickle. *out must be all zero; its texts stay in the bytes. No value holds itself, not even by a
 * detour: a list or dict that is filled after it was put somewhere is refused. */
int cg_pickle_read(struct cg_pickle *out, const struct cg_pickle_source *source, struct cg_err *err);
void cg_pickle_release(struct cg_pickle *pickle);

/* Item k of a value, or NULL when it has fewer. */
const struct cg_pickle_value *cg_pickle_item(const struct cg_pickle *pickle,
                                             const struct cg_pickle_value *value, int k);

bool cg_pickle_is_text(const struct cg_pickle_value *value, const char *text);

#endif
