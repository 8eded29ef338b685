#include "sample.h"
#include "cognate/mem.h"
#include <assert.h>
#include <stdlib.h>

enum { MOST_UNITS = 1024, LEAST_UNITS = 64, MOST_COLUMNS = 1024, FEW_COLUMNS = 128, MOST_TOKENS = 256 };
enum { MOST_SQUARE = 128, LEAST_SQUARE = 33 };
enum { EXACT_ROWS = 1024, EXACT_COLUMNS = 1024, EXACT_TOKENS = 1024, GRAM_TOKENS = 512 };

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t cg_most_units(int64_t blocks)
{
    int64_t units = CG_STORE_BYTES / (2 * FEW_COLUMNS * (int64_t)sizeof(float) * (blocks > 0 ? blocks : 1));
    return units < LEAST_UNITS ? LEAST_UNITS : least(units, MOST_UNITS);
}

/* Multiply-adds that the cells take by one of the matchings, with signatures of `columns` elements. */
static double work_of(const struct cg_kinship *of, int64_t units, int64_t columns)
{
    double products = 0;
    for (int64_t c = 0; c < of->ncells; c++)
        products += (double)least(of->blocks[0][of->cells[c].a].units, units) *
                    (double)least(of->blocks[1][of->cells[c].b].units, units);
    return 2 * products * (double)columns;
}

static bool affordable(const struct cg_kinship *of, int64_t blocks, int64_t units, int64_t columns)
{
    double bytes = 2.0 * (double)blocks * (double)units * (double)columns * (double)sizeof(float);
    return work_of(of, units, columns) <= CG_CELL_WORK && bytes <= CG_STORE_BYTES;
}

/* The most columns, up to `most`, that `units` units leave room for. */
static int64_t columns_for(const struct cg_kinship *of, int64_t blocks, int64_t units, int64_t most)
{
    int64_t columns = most;
    while (columns > 8 && !affordable(of, blocks, units, columns))
        columns -= (columns + 15) / 16;
    return columns;
}

struct cg_sizes cg_sizes_for(const struct cg_kinship *of, int64_t blocks, int64_t shared_tokens)
{
    int64_t most_units = 0, most_width = 0;
    for (int side = 0; side < 2; side++)
        for (int32_t i = 0; i < of->nblocks[side]; i++) {
            const struct cg_ffn_block *block = &of->blocks[side][i];
            most_units = block->units > most_units ? block->units : most_units;
            most_width = block->width > most_width ? block->width : most_width;
        }
    int64_t afford = least(cg_most_units(of->nblocks[0]), cg_most_units(of->nblocks[1]));
    int64_t units = least(most_units, afford), width = least(most_width, MOST_COLUMNS);
    while (units > LEAST_UNITS && !affordable(of, blocks, units, least(width, FEW_COLUMNS)))
        units -= (units + 15) / 16;
    int64_t square = least(MOST_SQUARE, most_units);
    while (square > LEAST_SQUARE && blocks * square * square * (int64_t)sizeof(float) > CG_STORE_BYTES)
        square--;
    return (struct cg_sizes){.units = units,
                             .columns = columns_for(of, blocks, units, width),
                             .tokens = least(shared_tokens, columns_for(of, blocks, units, MOST_TOKENS)),
                             .square = square,
                             .exact_rows = EXACT_ROWS,
                             .exact_columns = EXACT_COLUMNS,
                             .exact_tokens = least(shared_tokens, EXACT_TOKENS),
                             .gram_tokens = least(shared_tokens, GRAM_TOKENS)};
}

int cg_fetch_gain(float *out, struct cg_fetch *fetch, const struct cg_ffn_block *block, int model,
                  struct cg_err *err)
{
    for (int64_t c = 0; c < block->width; c++)
        out[c] = 1;
    return block->norm < 0 ? 0 : cg_fetch_rows(fetch, block->norm, model, NULL, 1, out, err);
}

struct taken {
    const float *gain;
    const int64_t *units, *columns;
    int64_t n, ncolumns;
    float *out;
};

static void take_gained(void *context, int64_t k, const double *values, int64_t columns)
{
    struct taken *taken = context;
    (void)columns;
    float *out = taken->out + k * taken->ncolumns;
    for (int64_t i = 0; i < taken->ncolumns; i++) {
        int64_t c = taken->columns ? taken->columns[i] : i;
        out[i] = (float)(values[c] * (double)taken->gain[c]);
    }
}

/* One element of every wanted unit. */
static void take_across(void *context, int64_t k, const double *values, int64_t columns)
{
    struct taken *taken = context;
    (void)columns;
    for (int64_t i = 0; i < taken->n; i++)
        taken->out[i * taken->ncolumns + k] = (float)values[taken->units[i]];
}

int cg_fetch_units(float *out, struct cg_fetch *fetch, const struct cg_ffn_block *block, int half, int model,
                   const int64_t *units, int64_t n, const int64_t *columns, int64_t ncolumns,
                   struct cg_err *err)
{
    const struct cg_projection *by = &block->by[half];
    struct taken taken = {.units = units, .columns = columns, .n = n, .ncolumns = ncolumns, .out = out};
    if (by->by_columns)
        return cg_fetch_each(fetch, by->slot, model, columns, ncolumns, take_across, &taken, err);
    float *gain = cg_new((size_t)block->width, sizeof *gain, err);
    int result = gain ? cg_fetch_gain(gain, fetch, block, model, err) : -1;
    taken.gain = gain;
    if (result == 0)
        result = cg_fetch_each(fetch, by->slot, model, units, n, take_gained, &taken, err);
    free(gain);
    return result;
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

void cg_choose_units(int64_t *out, const struct cg_longest *longest, const struct cg_ffn_block *block,
                     int model, int64_t n)
{
    int64_t known;
    const int32_t *rows = cg_longest_rows(longest, block->by[0].slot, model, &known);
    assert(n == block->units || n <= known);
    for (int64_t i = 0; i < n; i++)
        out[i] = n == block->units ? i : rows[i];
    qsort(out, (size_t)n, sizeof *out, ascending);
}

int64_t cg_embedding_slot(const struct cg_checkpoint *const *models, const struct cg_anatomy *anatomy,
                          int model)
{
    for (int64_t s = 0; s < anatomy->nslots; s++)
        if (anatomy->slots[s].role == CG_ROLE_EMBED && cg_can_fetch(models, anatomy, s, model))
            return s;
    return -1;
}
