/* The canonical bytes of a range of a member, out of the tensor that it is a part of. Local.
 *
 * A contiguous view takes one read, one whose innermost axis is contiguous a read for each of its runs. Of
 * any other view, of a transposed matrix, say, the last two axes are gathered: for each stored row the
 * segment that the range wants is read to a scratch, and the scratch is transposed while it is in the cache.
 * Every byte of the range is read once. Where the elements of a segment are themselves apart (the even
 * columns of a matrix whose odd columns are another slot), or a cache line or less lies between two segments
 * of a KiB at most, what lies between is read, too; so it is in rows that lie further apart than their
 * elements, each of which is read by itself. How long segments are depends on how many rows of the view a
 * piece holds: a piece of 2^21 elements and 4096 columns has 512, of bf16 in 1 KiB. The pages around them
 * come from the system's cache when the next piece asks for its part.
 */
#ifndef COGNATE_SWEEP_GATHER_H
#define COGNATE_SWEEP_GATHER_H

#include "cognate/plan.h"
#include "files.h"

/* What a gathered member needs besides the room for its bytes. */
enum { CG_GATHER_SCRATCH = 256 << 10 };

struct cg_gather {
    struct cg_files *files;
    const struct cg_file *file;
    const struct cg_tensor *tensor;
    const struct cg_view *view; /* NULL: the tensor as it lies */
    uint8_t *scratch;           /* [CG_GATHER_SCRATCH]; may be NULL for a view that is not gathered */
    int64_t bytes_read;         /* added to */
};

/* Whether a view, or NULL, takes a scratch: its innermost axis is not contiguous. */
bool cg_is_gathered(const struct cg_view *view);

/* The scratch that the members of a plan take: CG_GATHER_SCRATCH, or 0 when none is gathered. */
int64_t cg_gather_scratch(const struct cg_plan *plan);

/* How many stored elements of a type n elements of a member of that grain take: as many, but for codes that
 * share one. */
int64_t cg_stored_elements(enum cg_dtype dtype, struct cg_grain grain, int64_t n);

/* Where in the file the stored element `first` of the view lies. */
int64_t cg_gather_offset(const struct cg_gather *from, int64_t first);

/* Writes the view's n stored elements from `first` on, in canonical order, to out. Fails as cg_files_read
 * does. Types under 8 bits: whole bytes only. */
int cg_gather(struct cg_gather *from, int64_t first, int64_t n, uint8_t *out, struct cg_err *err);

/* Announces (cg_files_announce) what cg_gather will read of a gathered view's elements: whole lines of it are
 * fetched in the order they are stored in, though the segments of later pieces lie in them, too. What lies
 * between two segments within a page is announced with them. */
int cg_gather_announce(const struct cg_gather *from, int64_t first, int64_t n, struct cg_err *err);

#endif
