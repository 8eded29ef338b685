/* https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3 and 4.5.3 (ZIP64) */
#include "zip.h"
#include "bytes.h"
#include "cognate/mem.h"
#include "file.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { END = 22, END64 = 56, LOCATOR64 = 20, CENTRAL = 46, LOCAL = 30, DIRECTORY_LIMIT = 1 << 26 };
enum { ENCRYPTED = 1 | 1 << 6 | 1 << 13, SIZES_FOLLOW = 1 << 3, ZIP64 = 1, SHOWN_NAME = 160 };

static const uint32_t full16 = 0xFFFF, full32 = 0xFFFFFFFF;

/* One archive while it is read. */
struct archive {
    const struct cg_file *file;
    int descriptor;
    int64_t directory, directory_bytes;
    uint64_t entries; /* as the end record counts them */
};

static int fail(const struct archive *a, const char *entry, int64_t byte, const char *what,
                struct cg_err *err)
{
    return cg_fail_at(err, CG_EFORMAT, a->file->path, entry, byte, "%s", what);
}

static int read_at(const struct archive *a, void *bytes, size_t n, int64_t offset, struct cg_err *err)
{
    return cg_file_read(a->descriptor, a->file->path, bytes, n, offset, err);
}

static bool is_signed(const unsigned char *record, const char *signature)
{
    return memcmp(record, signature, 4) == 0;
}

/* ---- the end of the file ---- */

/* Numbers that are too large for the end record stand in a larger one before it, and a locator between.
 * end_numbers: entries, bytes and offset of the directory. */
static int read_end64(struct archive *a, int64_t end, uint64_t end_numbers[3], int64_t *behind,
                      struct cg_err *err)
{
    unsigned char bytes[END64 + LOCATOR64], *locator = bytes + END64;
    int64_t at = end - (int64_t)sizeof bytes;
    if (at < 0)
        return 0;
    if (read_at(a, bytes, sizeof bytes, at, err) < 0)
        return -1;
    if (!is_signed(locator, "PK\6\7"))
        return 0;
    if (!is_signed(bytes, "PK\6\6") || cg_little_endian(bytes + 4, 8) != END64 - 12 ||
        cg_little_endian(locator + 8, 8) != (uint64_t)at)
        return fail(a, NULL, end - LOCATOR64, "the ZIP64 locator does not lead to the record before it", err);
    if (cg_little_endian(bytes + 16, 8) != 0 || cg_little_endian(locator + 4, 4) != 0 ||
        cg_little_endian(locator + 16, 4) > 1)
        return fail(a, NULL, at, "is one disk of a ZIP archive that has several", err);
    uint64_t numbers[3];
    for (int i = 0; i < 3; i++) {
        numbers[i] = cg_little_endian(bytes + 32 + 8 * i, 8);
        if (end_numbers[i] != numbers[i] && end_numbers[i] != (i == 0 ? full16 : full32))
            return fail(a, NULL, at, "the two end records say different things", err);
        end_numbers[i] = numbers[i];
    }
    *behind = at;
    return 0;
}

/* No comment is accepted: the end record is where the file ends, and no second one can be meant. */
static int read_end(struct archive *a, struct cg_err *err)
{
    unsigned char bytes[END];
    int64_t end = a->file->bytes - END, behind = end;
    if (end < 0)
        return fail(a, NULL, a->file->bytes, "is a ZIP archive that was cut", err);
    if (read_at(a, bytes, END, end, err) < 0)
        return -1;
    if (!is_signed(bytes, "PK\5\6") || cg_little_endian(bytes + 20, 2) != 0)
        return fail(a, NULL, end,
                    "is a ZIP archive without its end record here: it was cut or something was added", err);
    if (cg_little_endian(bytes + 4, 4) != 0)
        return fail(a, NULL, end, "is one disk of a ZIP archive that has several", err);
    uint64_t numbers[3] = {cg_little_endian(bytes + 10, 2), cg_little_endian(bytes + 12, 4),
                           cg_little_endian(bytes + 16, 4)};
    if (read_end64(a, end, numbers, &behind, err) < 0)
        return -1;
    if (numbers[2] > (uint64_t)behind || numbers[1] != (uint64_t)behind - numbers[2])
        return fail(a, NULL, behind,
                    "the central directory does not end where the end records begin: there are two of them, "
                    "or something before the archive",
                    err);
    a->entries = numbers[0];
    a->directory_bytes = (int64_t)numbers[1];
    a->directory = (int64_t)numbers[2];
    if (a->directory_bytes > DIRECTORY_LIMIT || a->entries > (uint64_t)a->directory_bytes / CENTRAL)
        return cg_fail_at(err, CG_EFORMAT, a->file->path, NULL, behind,
                          "a central directory of %" PRId64 " bytes for %" PRIu64 " entries",
                          a->directory_bytes, a->entries);
    return 0;
}

/* ---- the central directory ---- */

/* Puts the numbers of a ZIP64 field in place of those that are full, in the order the format gives them. */
static bool widen(uint64_t **numbers, int n, const unsigned char *extra, size_t bytes)
{
    const unsigned char *field = NULL, *end = extra + bytes;
    while (!field && end - extra >= 4) {
        size_t length = (size_t)cg_little_endian(extra + 2, 2);
        if (length > (size_t)(end - extra) - 4)
            return false;
        if (cg_little_endian(extra, 2) == ZIP64) {
            field = extra + 4;
            end = field + length;
        } else
            extra += 4 + length;
    }
    for (int i = 0; i < n; i++)
        if (*numbers[i] == full32) {
            if (!field || end - field < 8)
                return false;
            *numbers[i] = cg_little_endian(field, 8);
            field += 8;
        }
    return true;
}

/* `kind`: flags and method, two bytes each, as they stand in both kinds of header. */
static int check_kind(const struct archive *a, const char *name, const unsigned char *kind, int64_t at,
                      struct cg_err *err)
{
    uint64_t method = cg_little_endian(kind + 2, 2);
    if (cg_little_endian(kind, 2) & ENCRYPTED)
        return cg_fail_at(err, CG_EUNSUPPORTED, a->file->path, name, at, "is encrypted");
    if (method != 0)
        return cg_fail_at(err, CG_EUNSUPPORTED, a->file->path, name, at,
                          "is %s: entries must be stored plainly", method == 8 ? "deflated" : "compressed");
    return 0;
}

/* Reads one record; `record` has at least CENTRAL bytes of the `left` that the directory has. */
static int read_central(struct archive *a, struct cg_zip_entry *entry, unsigned char *record, size_t left,
                        int64_t at, struct cg_err *err)
{
    size_t name = (size_t)cg_little_endian(record + 28, 2), extra = (size_t)cg_little_endian(record + 30, 2);
    size_t comment = (size_t)cg_little_endian(record + 32, 2);
    if (!is_signed(record, "PK\1\2") || CENTRAL + name + extra + comment > left)
        return fail(a, NULL, at, "is no record of a ZIP archive's central directory", err);
    uint64_t size = cg_little_endian(record + 24, 4), packed = cg_little_endian(record + 20, 4);
    uint64_t offset = cg_little_endian(record + 42, 4), *numbers[] = {&size, &packed, &offset};
    bool wide = widen(numbers, 3, record + CENTRAL + name, extra);
    /* The name moves over the record's fixed part, to have a NUL behind it: nothing needs that part again
     * but what is copied here. */
    unsigned char fixed[CENTRAL];
    memcpy(fixed, record, CENTRAL);
    memmove(record, record + CENTRAL, name);
    record[name] = '\0';
    entry->name = (const char *)record;
    if (name == 0 || strlen(entry->name) != name)
        return fail(a, entry->name, at, "is no name of an entry", err);
    if (check_kind(a, entry->name, fixed + 8, at, err) < 0)
        return -1;
    if (!wide || size != packed || size > INT64_MAX || offset > INT64_MAX)
        return fail(a, entry->name, at, "has sizes that cannot be", err);
    entry->bytes = (int64_t)size;
    entry->header = (int64_t)offset;
    entry->crc = (uint32_t)cg_little_endian(fixed + 16, 4);
    return 0;
}

static int read_directory(struct archive *a, struct cg_zip *out, struct cg_err *err)
{
    size_t at = 0, bytes = (size_t)a->directory_bytes;
    out->directory = cg_new(bytes + 1, 1, err);
    out->entries = out->directory ? cg_new((size_t)a->entries, sizeof *out->entries, err) : NULL;
    if (!out->entries || read_at(a, out->directory, bytes, a->directory, err) < 0)
        return -1;
    for (; out->n < a->entries; out->n++) {
        unsigned char *record = (unsigned char *)out->directory + at;
        if (bytes - at < CENTRAL)
            break;
        size_t length =
            CENTRAL + (size_t)(cg_little_endian(record + 28, 2) + cg_little_endian(record + 30, 2) +
                               cg_little_endian(record + 32, 2));
        if (read_central(a, &out->entries[out->n], record, bytes - at, a->directory + (int64_t)at, err) < 0)
            return -1;
        at += length;
    }
    if (at != bytes || out->n != a->entries)
        return fail(a, NULL, a->directory + (int64_t)at,
                    "the central directory does not hold as many entries as the end record says", err);
    return 0;
}

/* ---- local headers ---- */

/* Whether the sizes and CRC that a local header gives are the entry's. Zeros, when the header says that the
 * numbers follow the data, say nothing. */
static bool has_numbers_of(const unsigned char *local, size_t name, size_t extra,
                           const struct cg_zip_entry *entry)
{
    uint64_t crc = cg_little_endian(local + 14, 4), packed = cg_little_endian(local + 18, 4);
    uint64_t size = cg_little_endian(local + 22, 4), *numbers[] = {&size, &packed};
    if (cg_little_endian(local + 6, 2) & SIZES_FOLLOW && crc == 0 && size == 0 && packed == 0)
        return true;
    return widen(numbers, 2, local + LOCAL + name, extra) && crc == entry->crc &&
           size == (uint64_t)entry->bytes && packed == size;
}

/* `local` is the whole header, with name and extra field. */
static int check_local(const struct archive *a, struct cg_zip_entry *entry, const unsigned char *local,
                       size_t name, size_t extra, struct cg_err *err)
{
    if (strlen(entry->name) != name || memcmp(local + LOCAL, entry->name, name) != 0)
        return fail(a, entry->name, entry->header, "its local header has another name", err);
    if (check_kind(a, entry->name, local + 6, entry->header, err) < 0)
        return -1;
    if (!has_numbers_of(local, name, extra, entry))
        return fail(a, entry->name, entry->header,
                    "its local header gives another size or CRC than the central directory", err);
    return 0;
}

static int read_local(const struct archive *a, struct cg_zip_entry *entry, struct cg_err *err)
{
    static const char *const beyond = "reaches into the central directory or beyond";
    unsigned char fixed[LOCAL], *local = NULL;
    int result = -1;
    if (entry->header > a->directory - LOCAL)
        return fail(a, entry->name, entry->header, beyond, err);
    if (read_at(a, fixed, LOCAL, entry->header, err) < 0)
        return -1;
    if (!is_signed(fixed, "PK\3\4"))
        return fail(a, entry->name, entry->header, "has no local header here", err);
    size_t name = (size_t)cg_little_endian(fixed + 26, 2), extra = (size_t)cg_little_endian(fixed + 28, 2);
    entry->data = entry->header + LOCAL + (int64_t)(name + extra);
    if (entry->data > a->directory || entry->bytes > a->directory - entry->data)
        return fail(a, entry->name, entry->header, beyond, err);
    local = cg_new(LOCAL + name + extra, 1, err);
    if (local && read_at(a, local, LOCAL + name + extra, entry->header, err) == 0)
        result = check_local(a, entry, local, name, extra, err);
    free(local);
    return result;
}

static int by_header(const void *left, const void *right)
{
    const struct cg_zip_entry *a = left, *b = right;
    return (a->header > b->header) - (a->header < b->header);
}

static int by_name(const void *left, const void *right)
{
    return strcmp(((const struct cg_zip_entry *)left)->name, ((const struct cg_zip_entry *)right)->name);
}

/* Leaves the entries sorted by name. */
static int check_entries(const struct archive *a, struct cg_zip *zip, struct cg_err *err)
{
    int64_t end = 0;
    if (zip->n > 0)
        qsort(zip->entries, zip->n, sizeof *zip->entries, by_header);
    for (size_t i = 0; i < zip->n; i++) {
        if (read_local(a, &zip->entries[i], err) < 0)
            return -1;
        if (i == 0 && zip->entries[0].header != 0)
            return fail(a, zip->entries[0].name, 0, "something stands before the archive's first entry", err);
        if (zip->entries[i].header < end)
            return fail(a, zip->entries[i].name, zip->entries[i].header, "overlaps another entry", err);
        end = zip->entries[i].data + zip->entries[i].bytes;
    }
    if (zip->n > 0)
        qsort(zip->entries, zip->n, sizeof *zip->entries, by_name);
    for (size_t i = 1; i < zip->n; i++)
        if (strcmp(zip->entries[i - 1].name, zip->entries[i].name) == 0)
            return fail(a, zip->entries[i].name, zip->entries[i].header, "is in the archive twice", err);
    return 0;
}

int cg_zip_read(struct cg_zip *out, const struct cg_file *file, int descriptor, struct cg_err *err)
{
    struct archive archive = {.file = file, .descriptor = descriptor};
    if (read_end(&archive, err) == 0 && read_directory(&archive, out, err) == 0 &&
        check_entries(&archive, out, err) == 0)
        return 0;
    cg_zip_release(out);
    return -1;
}

void cg_zip_release(struct cg_zip *zip)
{
    free(zip->entries);
    free(zip->directory);
    *zip = (struct cg_zip){0};
}

const struct cg_zip_entry *cg_zip_find(const struct cg_zip *zip, const char *name)
{
    struct cg_zip_entry key = {.name = name};
    return zip->n > 0 ? bsearch(&key, zip->entries, zip->n, sizeof key, by_name) : NULL;
}

/* CRC-32 of the reversed polynomial 0xEDB88320, four bits at a time. */
static uint32_t crc32_of(const unsigned char *bytes, size_t n)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
        0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
    };
    uint32_t crc = full32;
    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

int cg_zip_slurp(struct cg_buf *text, const struct cg_zip_entry *entry, int64_t limit,
                 const struct cg_file *file, int descriptor, struct cg_err *err)
{
    if (entry->bytes > limit)
        return cg_fail_at(err, CG_EUNSUPPORTED, file->path, entry->name, entry->data,
                          "has %" PRId64 " bytes, over the limit of %" PRId64, entry->bytes, limit);
    int result = -1;
    char *bytes = cg_new((size_t)entry->bytes, 1, err);
    if (!bytes)
        return -1;
    CG_TRY(cg_file_read(descriptor, file->path, bytes, (size_t)entry->bytes, entry->data, err));
    if (crc32_of((unsigned char *)bytes, (size_t)entry->bytes) == entry->crc)
        result = cg_buf_append(text, bytes, (size_t)entry->bytes, err);
    else
        cg_fail_at(err, CG_EFORMAT, file->path, entry->name, entry->data,
                   "its bytes do not have the CRC that the archive gives");
done:
    free(bytes);
    return result;
}
