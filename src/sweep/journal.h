/* The journal of a rank: what its finished tasks came to, on disk, so that a run that was cut off goes on
 * where it stood. A file holds a header, which says what run it is of, and records, each with its length and
 * the beginning of its SHA-256. What lies behind the last whole record does not count. Local.
 *
 * A journal is a convenience: when it cannot be written, one warning says so and the run goes on without.
 */
#ifndef COGNATE_SWEEP_JOURNAL_H
#define COGNATE_SWEEP_JOURNAL_H

#include "cognate/sweep.h"
#include "cognate/text.h"

struct cg_journal;

/* The journal of `rank`. A file of another identity, or none that can be read, counts as empty and *stale
 * says so. NULL with err for want of memory. */
struct cg_journal *cg_journal_open(const struct cg_journal_options *options, int rank, bool *stale,
                                   struct cg_err *err);

/* The next record that an earlier run has left, in *record until the next call; false after the last. */
bool cg_journal_next(struct cg_journal *journal, struct cg_unpacker *record);

/* Adds a record; the file is written and flushed to disk every options->seconds at most. Call after the last
 * cg_journal_next. */
void cg_journal_append(struct cg_journal *journal, const struct cg_buf *record);

/* Writes and flushes what has been added. */
void cg_journal_flush(struct cg_journal *journal);

/* Closes the file; what was not flushed is not in it. NULL is fine. */
void cg_journal_close(struct cg_journal *journal);

#endif
