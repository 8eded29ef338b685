/* ZIP archives of stored entries, as PyTorch writes them: where each entry's bytes lie in the file. */
#ifndef COGNATE_CHECKPOINT_ZIP_H
#define COGNATE_CHECKPOINT_ZIP_H

#include "cognate/checkpoint.h"

struct cg_zip_entry {
    const char *name;
    int64_t header, data, bytes; /* where its local header and its data begin in the file */
    uint32_t crc;
};

struct cg_zip {
    struct cg_zip_entry *entries; /* sorted by name, byte by byte */
    size_t n;
    char *directory; /* holds the names */
};

/* Reads the central directory of the file, open at `descriptor`, and each local header. *out must be all
 * zero; on failure it is released. Refused: compressed or encrypted entries, two of one name, entries that
 * overlap or reach beyond the file, local headers that say something else, bytes before, behind or between
 * the directory and its end records. */
int cg_zip_read(struct cg_zip *out, const struct cg_file *file, int descriptor, struct cg_err *err);
void cg_zip_release(struct cg_zip *zip);

/* The entry of that name, or NULL. */
const struct cg_zip_entry *cg_zip_find(const struct cg_zip *zip, const char *name);

/* Appends an entry of at most `limit` bytes to text and checks its CRC. */
int cg_zip_slurp(struct cg_buf *text, const struct cg_zip_entry *entry, int64_t limit,
                 const struct cg_file *file, int descriptor, struct cg_err *err);

#endif
