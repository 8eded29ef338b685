/* ZIP archives made by hand, right or wrong in one place. */
#ifndef TESTS_CHECKPOINT_ZIPPED_H
#define TESTS_CHECKPOINT_ZIPPED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that grow at their end. */
struct bytes {
    unsigned char data[1 << 16];
    size_t n;
};
void put(struct bytes *out, const void *data, size_t n);
void put_number(struct bytes *out, uint64_t number, int n); /* little-endian, n bytes */

struct member {
    const char *name;
    const void *data;
    size_t n;
    unsigned flags, method;
    bool sizes_follow;         /* as PyTorch has it: zeros in the local header, the numbers behind the data */
    bool wide_sizes;           /* in ZIP64 fields of both headers */
    unsigned wrong_crc;        /* added to the CRC of both headers */
    const char *local_name;    /* another name there */
    unsigned local_wrong_size; /* added to the size there */
    unsigned local_method, local_flags; /* instead of those above */
    int64_t wrong_offset, wrong_size;   /* added in the central directory */
    uint64_t wide_size;                 /* instead of the size, in a ZIP64 field of the central directory */
};

struct archive {
    struct member member[4]; /* up to the first without a name */
    bool zip64;              /* with the end records of ZIP64 */
    const char *before, *behind, *between, *comment;
    int wrong_entries, wrong_directory, wrong_end64; /* added to numbers of the end records */
    bool end_twice;
};

void zip_put(struct bytes *out, const struct archive *archive);

#endif
