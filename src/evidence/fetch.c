#include "fetch.h"
#include "cognate/clones.h"
#include "cognate/mem.h"
#include "sweep/gather.h"
#include "sweep/sides.h"
#include <stdlib.h>

/* Elements that are read at a time. */
enum { SPAN = 1 << 16 };

int cg_fetch_init(struct cg_fetch *fetch, const struct cg_checkpoint *const *models,
                  const struct cg_anatomy *anatomy, bool same_host, struct cg_err *err)
{
    *fetch = (struct cg_fetch){.models = models, .anatomy = anatomy};
    if (!(fetch->files = cg_files_create(same_host, err)) ||
        !(fetch->scratch = cg_new(CG_GATHER_SCRATCH, 1, err)))
        return -1;
    return 0;
}

void cg_fetch_release(struct cg_fetch *fetch)
{
    cg_files_destroy(fetch->files);
    free(fetch->scratch);
    free(fetch->stored);
    free(fetch->values);
    free(fetch->sides);
    cg_dequantiser_release(&fetch->dequantiser);
    *fetch = (struct cg_fetch){0};
}

static const struct cg_tensor *tensor_of(const struct cg_checkpoint *const *models,
                                         const struct cg_member *member, int model)
{
    return &models[model]->tensors[member->tensor];
}

bool cg_can_fetch(const struct cg_checkpoint *const *models, const struct cg_anatomy *anatomy, int64_t slot,
                  int model)
{
    const struct cg_member *member = cg_member_of(anatomy, slot, model);
    return member->tensor >= 0 && cg_member_is_real(models[model], member) &&
           member->columns % member->grain.elements == 0;
}

static int make_room(struct cg_fetch *fetch, int64_t elements, struct cg_err *err)
{
    if (elements <= fetch->elements)
        return 0;
    free(fetch->stored);
    free(fetch->values);
    fetch->elements = 0;
    fetch->stored = cg_new((size_t)elements, sizeof(double), err); /* no type is wider */
    fetch->values = fetch->stored ? cg_new_aligned((size_t)elements, sizeof(double), err) : NULL;
    if (!fetch->values)
        return -1;
    fetch->elements = elements;
    return 0;
}

static int64_t row_at(const int64_t *rows, int64_t k)
{
    return rows ? rows[k] : k;
}

/* How many of the rows from k on are read at once: neighbours; of a transposed matrix, whose rows lie across
 * the file, all that the room holds. */
static int64_t span_of(const int64_t *rows, int64_t k, int64_t n, int64_t room, bool gathered)
{
    int64_t first = row_at(rows, k), end = k + 1;
    while (end < n && row_at(rows, end) - first < room && (gathered || row_at(rows, end) - first == end - k))
        end++;
    return end - k;
}

/* x - x is 0 for numbers alone; in this form the loop has no branch. */
CG_CLONES static void clear_nonfinite(double *values, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        values[i] = values[i] - values[i] == 0 ? values[i] : 0;
}

static void take_span(struct cg_fetch *fetch, int64_t columns, const int64_t *rows, int64_t k, int64_t n,
                      cg_take_row *take, void *context)
{
    for (int64_t i = k; i < k + n; i++) {
        double *values = fetch->values + (row_at(rows, i) - row_at(rows, k)) * columns;
        clear_nonfinite(values, columns);
        take(context, i, values, columns);
    }
}

/* Reads the sides of a quantised member, once for all its rows. */
static int begin_member(struct cg_fetch *fetch, const struct cg_member *member, int model, struct cg_err *err)
{
    const struct cg_tensor *tensor = tensor_of(fetch->models, member, model);
    if (!member->quantised || fetch->begun == member)
        return 0;
    fetch->begun = NULL;
    free(fetch->sides);
    if (!(fetch->sides = cg_new((size_t)member->quantised->side_bytes, 1, err)) ||
        cg_sides_read(fetch->files, fetch->models[model], member->quantised, fetch->scratch, fetch->sides,
                      &fetch->bytes_read, err) < 0 ||
        cg_dequantiser_begin(&fetch->dequantiser, member->quantised, fetch->sides,
                             fetch->models[model]->files[tensor->file].path, tensor->name, err) < 0)
        return -1;
    fetch->begun = member;
    return 0;
}

/* Rows whose codes share words come in bands. */
static int64_t band_of(const struct cg_member *member)
{
    return member->quantised && member->quantised->codes == CG_CODES_AWQ ? 8 : 1;
}

/* The values of `count` rows from `first` on. */
static int read_rows(struct cg_fetch *fetch, struct cg_gather *from, const struct cg_member *member,
                     int64_t first, int64_t count, struct cg_err *err)
{
    int64_t band = band_of(member), columns = member->columns, start = first / band * band;
    int64_t end = (first + count + band - 1) / band * band, n = (end - start) * columns;
    enum cg_dtype dtype = from->tensor->dtype;
    if (cg_gather(from, cg_stored_elements(dtype, member->grain, start * columns),
                  cg_stored_elements(dtype, member->grain, n), fetch->stored, err) < 0)
        return -1;
    if (!member->quantised)
        cg_dtype_decode(dtype, fetch->stored, (size_t)n, fetch->values);
    else
        cg_dequantiser_hold(&fetch->dequantiser, fetch->stored, start * columns, n);
    for (int64_t at = 0; member->quantised && at < count * columns; at += CG_MOST_CODES) {
        int64_t some = count * columns - at < CG_MOST_CODES ? count * columns - at : CG_MOST_CODES;
        cg_dequantise_wide(&fetch->dequantiser, first * columns + at, (size_t)some, fetch->values + at);
    }
    return 0;
}

int cg_fetch_each(struct cg_fetch *fetch, int64_t slot, int model, const int64_t *rows, int64_t n,
                  cg_take_row *take, void *context, struct cg_err *err)
{
    const struct cg_member *member = cg_member_of(fetch->anatomy, slot, model);
    const struct cg_tensor *tensor = tensor_of(fetch->models, member, model);
    struct cg_gather from = {.files = fetch->files,
                             .file = &fetch->models[model]->files[tensor->file],
                             .tensor = tensor,
                             .view = member->view,
                             .scratch = fetch->scratch};
    int64_t columns = member->columns, room = columns < SPAN ? SPAN / columns : 1;
    int result = make_room(fetch, (room + 2 * band_of(member)) * columns, err);
    if (result == 0)
        result = begin_member(fetch, member, model, err);
    for (int64_t k = 0, span; result == 0 && k < n; k += span) {
        span = span_of(rows, k, n, room, cg_is_gathered(member->view));
        int64_t first = row_at(rows, k), count = row_at(rows, k + span - 1) - first + 1;
        result = read_rows(fetch, &from, member, first, count, err);
        if (result == 0)
            take_span(fetch, columns, rows, k, span, take, context);
    }
    fetch->bytes_read += from.bytes_read;
    return result;
}

static void take_floats(void *context, int64_t k, const double *values, int64_t columns)
{
    float *out = (float *)context + k * columns;
    for (int64_t c = 0; c < columns; c++)
        out[c] = (float)values[c];
}

int cg_fetch_rows(struct cg_fetch *fetch, int64_t slot, int model, const int64_t *rows, int64_t n, float *out,
                  struct cg_err *err)
{
    return cg_fetch_each(fetch, slot, model, rows, n, take_floats, out, err);
}
