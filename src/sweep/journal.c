#include "journal.h"
#include "cognate/log.h"
#include "cognate/mem.h"
#include "digest.h"
#include "kernels.h"
#include "sketches.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MAGIC[16] = "cognate journal";
enum { HEADER = sizeof MAGIC + CG_SHA256, CHECK = 16, MOST_UNWRITTEN = 8 << 20 };

struct cg_journal {
    const struct cg_journal_options *options;
    char *path;
    struct cg_digests *digests;
    int descriptor; /* -1: no file yet */
    int64_t good;   /* bytes of header and whole records; 0: the file is to begin anew */
    struct cg_buf record, unwritten;
    double written; /* when the file was last flushed */
    bool broken;    /* could not be written: left alone from then on */
};

static int digest_of(struct cg_digests *digests, const void *bytes, size_t n, uint8_t out[1][CG_SHA256],
                     struct cg_err *err)
{
    const uint8_t *data = bytes;
    return cg_digests_begin(digests, 1, err) < 0 || cg_digests_update(digests, 1, &data, &n, err) < 0
               ? -1
               : cg_digests_end(digests, 1, out, err);
}

int cg_journal_identify(struct cg_sweep_options *options, const struct cg_buf *metadata, int ranks,
                        const char *version, struct cg_err *err)
{
    struct cg_buf text = {0};
    uint8_t digest[1][CG_SHA256];
    int result = -1;
    struct cg_digests *digests = cg_digests_create(1, true, err);
    CG_TRY(digests ? 0 : -1);
    CG_TRY(cg_buf_printf(
        &text, err, "%s, %d ranks, sums by %d and %d, features %d of %" PRId64 ", sketches %d, imprints %d\n",
        version, ranks, CG_BLOCK, CG_SKETCH_FEW, options->feature_kind, options->feature_length,
        options->sketches, options->imprint.sketch > 0));
    CG_TRY(cg_buf_append(&text, metadata->data, metadata->size, err));
    CG_TRY(digest_of(digests, text.data, text.size, digest, err));
    memcpy(options->journal.identity, digest[0], CG_SHA256);
    result = 0;
done:
    cg_buf_release(&text);
    cg_digests_destroy(digests);
    return result;
}

/* The first bytes of the digest of a record. */
static int check_of(struct cg_journal *journal, const void *bytes, size_t n, uint8_t out[CHECK])
{
    struct cg_err err;
    uint8_t digest[1][CG_SHA256];
    if (digest_of(journal->digests, bytes, n, digest, &err) < 0)
        return -1;
    memcpy(out, digest[0], CHECK);
    return 0;
}

static bool read_at(int descriptor, int64_t offset, void *out, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(descriptor, (char *)out + done, n - done, (off_t)(offset + (int64_t)done));
        if (got == 0 || (got < 0 && errno != EINTR))
            return false;
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static bool has_header(const struct cg_journal *journal)
{
    char header[HEADER];
    return read_at(journal->descriptor, 0, header, HEADER) && memcmp(header, MAGIC, sizeof MAGIC) == 0 &&
           memcmp(header + sizeof MAGIC, journal->options->identity, CG_SHA256) == 0;
}

struct cg_journal *cg_journal_open(const struct cg_journal_options *options, int rank, bool *stale,
                                   struct cg_err *err)
{
    struct cg_buf path = {0};
    struct cg_journal *journal = cg_new(1, sizeof *journal, err);
    *stale = false;
    if (!journal)
        return NULL;
    *journal = (struct cg_journal){.options = options, .descriptor = -1, .written = cg_seconds()};
    if (cg_buf_printf(&path, err, "%s/rank-%d", options->folder, rank) < 0 ||
        !(journal->digests = cg_digests_create(1, true, err))) {
        cg_buf_release(&path);
        cg_journal_close(journal);
        return NULL;
    }
    journal->path = path.data;
    journal->descriptor = open(journal->path, O_RDWR | O_CLOEXEC);
    *stale = journal->descriptor >= 0 && !has_header(journal);
    journal->good = journal->descriptor >= 0 && !*stale ? HEADER : 0;
    return journal;
}

bool cg_journal_next(struct cg_journal *journal, struct cg_unpacker *record)
{
    struct stat status;
    int64_t bytes;
    uint8_t check[CHECK], wanted[CHECK];
    struct cg_err err;
    int64_t at = journal->good;
    if (at == 0 || fstat(journal->descriptor, &status) < 0 ||
        !read_at(journal->descriptor, at, &bytes, sizeof bytes) || bytes < 0 ||
        bytes > status.st_size - at - (int64_t)sizeof bytes - CHECK)
        return false;
    journal->record.size = 0;
    if (cg_grow((void **)&journal->record.data, &journal->record.capacity, (size_t)bytes + 1, 1, &err) < 0 ||
        !read_at(journal->descriptor, at + (int64_t)sizeof bytes, journal->record.data, (size_t)bytes) ||
        !read_at(journal->descriptor, at + (int64_t)sizeof bytes + bytes, wanted, CHECK) ||
        check_of(journal, journal->record.data, (size_t)bytes, check) < 0 ||
        memcmp(check, wanted, CHECK) != 0)
        return false;
    journal->good = at + (int64_t)sizeof bytes + bytes + CHECK;
    *record = (struct cg_unpacker){journal->record.data, journal->record.data + bytes};
    return true;
}

/* Whoever makes the folder first. */
static bool create_file(struct cg_journal *journal)
{
    if (journal->descriptor < 0 && mkdir(journal->options->folder, 0777) < 0 && errno != EEXIST)
        return false;
    if (journal->descriptor < 0)
        journal->descriptor = open(journal->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    return journal->descriptor >= 0 && ftruncate(journal->descriptor, (off_t)journal->good) == 0;
}

static bool write_all(struct cg_journal *journal, const void *bytes, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = pwrite(journal->descriptor, (const char *)bytes + done, n - done, (off_t)journal->good);
        if (got < 0 && errno != EINTR)
            return false;
        done += got > 0 ? (size_t)got : 0;
        journal->good += got > 0 ? got : 0;
    }
    return true;
}

static bool write_header(struct cg_journal *journal)
{
    return journal->good > 0 || (write_all(journal, MAGIC, sizeof MAGIC) &&
                                 write_all(journal, journal->options->identity, CG_SHA256));
}

void cg_journal_flush(struct cg_journal *journal)
{
    if (journal->broken || journal->unwritten.size == 0)
        return;
    if (!create_file(journal) || !write_header(journal) ||
        !write_all(journal, journal->unwritten.data, journal->unwritten.size) ||
        fdatasync(journal->descriptor) < 0) {
        char path[400];
        cg_log_warning("%s: %s: this run keeps no journal from here on",
                       cg_printable(path, sizeof path, journal->path), strerror(errno));
        journal->broken = true;
    }
    journal->unwritten.size = 0;
    journal->written = cg_seconds();
}

void cg_journal_append(struct cg_journal *journal, const struct cg_buf *record)
{
    struct cg_err err;
    uint8_t check[CHECK];
    int64_t bytes = (int64_t)record->size;
    size_t before = journal->unwritten.size;
    if (journal->broken)
        return;
    if (check_of(journal, record->data, record->size, check) < 0 ||
        cg_buf_append(&journal->unwritten, &bytes, sizeof bytes, &err) < 0 ||
        cg_buf_append(&journal->unwritten, record->data, record->size, &err) < 0 ||
        cg_buf_append(&journal->unwritten, check, CHECK, &err) < 0)
        journal->unwritten.size = before;
    if (journal->unwritten.size >= MOST_UNWRITTEN ||
        cg_seconds() - journal->written >= journal->options->seconds)
        cg_journal_flush(journal);
}

void cg_journal_close(struct cg_journal *journal)
{
    if (!journal)
        return;
    if (journal->descriptor >= 0)
        close(journal->descriptor);
    free(journal->path);
    cg_digests_destroy(journal->digests);
    cg_buf_release(&journal->record);
    cg_buf_release(&journal->unwritten);
    free(journal);
}
