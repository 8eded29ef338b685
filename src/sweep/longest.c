#include "longest.h"
#include "cognate/mem.h"
#include "gather.h"
#include <stdlib.h>

int cg_longest_init(struct cg_longest *longest, const struct cg_anatomy *anatomy,
                    const struct cg_sweep_options *options, struct cg_err *err)
{
    size_t members = (size_t)(anatomy->nslots * anatomy->models);
    *longest =
        (struct cg_longest){.n = options->nrequests, .request = options->requests, .models = anatomy->models};
    if (longest->n == 0)
        return 0;
    if (!(longest->of = cg_new(members, sizeof *longest->of, err)) ||
        !(longest->first = cg_new((size_t)longest->n + 1, sizeof *longest->first, err)))
        return -1;
    for (size_t i = 0; i < members; i++)
        longest->of[i] = -1;
    for (int64_t i = 0; i < longest->n; i++) {
        const struct cg_row_request *request = &longest->request[i];
        longest->of[request->slot * anatomy->models + request->model] = i;
        longest->first[i + 1] = longest->first[i] + request->most;
    }
    longest->row = cg_new((size_t)longest->first[longest->n], sizeof *longest->row, err);
    return longest->row ? 0 : -1;
}

void cg_longest_release(struct cg_longest *longest)
{
    free(longest->of);
    free(longest->first);
    free(longest->row);
    *longest = (struct cg_longest){0};
}

const int32_t *cg_longest_rows(const struct cg_longest *longest, int64_t slot, int model, int64_t *n)
{
    int64_t list = longest->n > 0 ? longest->of[slot * longest->models + model] : -1;
    *n = list < 0 ? 0 : longest->request[list].most;
    return list < 0 ? NULL : longest->row + longest->first[list];
}

/* The plain values of a vector. */
static int read_vector(float *out, struct cg_longest *longest, struct cg_files *files,
                       const struct cg_checkpoint *model, const struct cg_member *member, struct cg_err *err)
{
    const struct cg_tensor *tensor = &model->tensors[member->tensor];
    struct cg_gather from = {
        .files = files, .file = &model->files[tensor->file], .tensor = tensor, .view = member->view};
    size_t n = (size_t)member->columns;
    uint8_t *stored = NULL;
    double *values = NULL;
    int result = -1;
    CG_TRY((from.scratch = cg_new(CG_GATHER_SCRATCH, 1, err)) ? 0 : -1);
    CG_TRY((stored = cg_new((size_t)cg_grain_bytes(member->grain, member->columns), 1, err)) ? 0 : -1);
    CG_TRY((values = cg_new(n, sizeof *values, err)) ? 0 : -1);
    CG_TRY(cg_gather(&from, 0, member->columns, stored, err));
    cg_dtype_decode(tensor->dtype, stored, n, values);
    for (size_t i = 0; i < n; i++)
        out[i] = values[i] - values[i] == 0 ? (float)values[i] : 0; /* what is not finite counts as 0 */
    longest->bytes_read += from.bytes_read;
    result = 0;
done:
    free(from.scratch);
    free(stored);
    free(values);
    return result;
}

int cg_row_lengths_begin(struct cg_row_lengths *lengths, struct cg_longest *longest, struct cg_files *files,
                         const struct cg_checkpoint *const *models, const struct cg_anatomy *anatomy,
                         int64_t slot, int model, struct cg_err *err)
{
    const struct cg_member *member = cg_member_of(anatomy, slot, model);
    *lengths =
        (struct cg_row_lengths){.list = longest->n > 0 ? longest->of[slot * longest->models + model] : -1,
                                .rows = member->rows,
                                .columns = member->columns};
    if (lengths->list < 0)
        return 0;
    if (!(lengths->gain = cg_new((size_t)member->columns, sizeof *lengths->gain, err)) ||
        !(lengths->squares = cg_new((size_t)member->rows, sizeof *lengths->squares, err)))
        return -1;
    for (int64_t c = 0; c < member->columns; c++)
        lengths->gain[c] = 1;
    int64_t gain = longest->request[lengths->list].gain;
    return gain < 0 ? 0
                    : read_vector(lengths->gain, longest, files, models[model],
                                  cg_member_of(anatomy, gain, model), err);
}

void cg_row_lengths_add(struct cg_row_lengths *lengths, int64_t first, struct cg_values values, int64_t n)
{
    if (lengths->list < 0)
        return;
    for (int64_t run, at = 0; at < n; at += run, first += run) {
        int64_t row = first / lengths->columns, column = first % lengths->columns;
        const float *gain = lengths->gain + column;
        run = lengths->columns - column < n - at ? lengths->columns - column : n - at;
        lengths->squares[row] += values.single
                                     ? cg_single_weighted_squares(values.single + at, gain, (size_t)run)
                                     : cg_block_weighted_squares(values.wide + at, gain, (size_t)run);
    }
}

struct ranked {
    double square;
    int32_t row;
};

static int by_length(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->square != y->square)
        return x->square > y->square ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

int cg_row_lengths_end(struct cg_row_lengths *lengths, struct cg_longest *longest, struct cg_err *err)
{
    if (lengths->list < 0)
        return 0;
    struct ranked *ranked = cg_new((size_t)lengths->rows, sizeof *ranked, err);
    if (!ranked)
        return -1;
    for (int64_t r = 0; r < lengths->rows; r++)
        ranked[r] = (struct ranked){lengths->squares[r], (int32_t)r};
    qsort(ranked, (size_t)lengths->rows, sizeof *ranked, by_length);
    for (int64_t i = 0; i < longest->request[lengths->list].most; i++)
        longest->row[longest->first[lengths->list] + i] = ranked[i].row;
    free(ranked);
    cg_row_lengths_release(lengths);
    return 0;
}

void cg_row_lengths_release(struct cg_row_lengths *lengths)
{
    free(lengths->gain);
    free(lengths->squares);
    *lengths = (struct cg_row_lengths){.list = -1};
}
