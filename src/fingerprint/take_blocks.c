/* Samples of feed-forward blocks and of embedding rows, read from the model's files. */
#include "cognate/mem.h"
#include "evidence/fetch.h"
#include "evidence/source.h"
#include "pack.h"
#include "sweep/mix.h"
#include "take.h"
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of a block, where there is room and where there is not; all blocks together, in bytes. */
static const struct cg_sizes wanted = {
    .units = 192, .columns = 128, .tokens = 256, .square = 128, .exact_rows = 256, .exact_columns = 128};
static const struct cg_sizes least_wanted = {
    .units = 64, .columns = 64, .tokens = 128, .square = 64, .exact_rows = 128, .exact_columns = 64};
enum { ALL_BLOCKS = 40 << 20, LEAST_PROBES = 64 };

struct taking {
    const struct cg_comm *comm;
    struct cg_fingerprint *out;
    struct cg_kinship of; /* all blocks of the model, on both sides */
    int64_t width;        /* of the input embedding; 0: none */
    int32_t *kept;        /* [kept blocks] which */
    struct cg_fetch fetch;
    struct cg_alignment alignment; /* the first tokens of the sample, as many as are taken */
    struct cg_source source;
    struct cg_model_source *model;
    float *room;
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t bytes_of(const struct cg_sizes *sizes)
{
    return (int64_t)sizeof(int16_t) *
           (2 * sizes->units * (sizes->columns + sizes->tokens) + sizes->square * sizes->square +
            2 * sizes->exact_rows * sizes->exact_columns);
}

/* No larger than any block of the model is. */
static struct cg_sizes fit(struct cg_sizes sizes, const struct cg_kinship *of, int64_t tokens)
{
    int64_t units = 0, width = 0;
    for (int32_t i = 0; i < of->nblocks[0]; i++) {
        units = of->blocks[0][i].units > units ? of->blocks[0][i].units : units;
        width = of->blocks[0][i].width > width ? of->blocks[0][i].width : width;
    }
    sizes.units = least(sizes.units, units);
    sizes.square = least(sizes.square, units);
    sizes.exact_rows = least(sizes.exact_rows, units);
    sizes.columns = least(sizes.columns, width);
    sizes.exact_columns = least(sizes.exact_columns, width);
    sizes.tokens = least(sizes.tokens, tokens);
    return sizes;
}

/* How early a block's turn comes: experts last, in an order of their places' own. */
struct turn {
    bool expert;
    uint64_t key;
    int32_t block;
};

static int by_turn(const void *a, const void *b)
{
    const struct turn *x = a, *y = b;
    if (x->expert != y->expert)
        return x->expert - y->expert;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->block < y->block ? -1 : x->block > y->block;
}

static int by_index(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return x < y ? -1 : x > y;
}

static int choose_blocks(struct taking *taking, int32_t kept, struct cg_err *err)
{
    int32_t n = taking->of.nblocks[0];
    struct turn *turns = cg_new((size_t)n, sizeof *turns, err);
    if (!turns || !(taking->kept = cg_new((size_t)kept, sizeof *taking->kept, err))) {
        free(turns);
        return -1;
    }
    for (int32_t i = 0; i < n; i++) {
        const struct cg_ffn_block *block = &taking->of.blocks[0][i];
        uint64_t place = ((uint64_t)(uint32_t)block->layer << 32) + (uint32_t)block->expert;
        turns[i] = (struct turn){block->expert >= 0, block->expert >= 0 ? cg_mix(place) : 0, i};
    }
    if (n > 0)
        qsort(turns, (size_t)n, sizeof *turns, by_turn);
    for (int32_t i = 0; i < kept; i++)
        taking->kept[i] = turns[i].block;
    if (kept > 0)
        qsort(taking->kept, (size_t)kept, sizeof *taking->kept, by_index);
    free(turns);
    return 0;
}

static void set_sizes(struct cg_fingerprint *out, const struct cg_sizes *sizes, int64_t kept)
{
    int64_t *number = out->root.size_value;
    number[CG_PRINT_UNITS_NUMBER] = sizes->units;
    number[CG_PRINT_COLUMNS_NUMBER] = sizes->columns;
    number[CG_PRINT_PROBES_NUMBER] = sizes->tokens;
    number[CG_PRINT_SQUARE_NUMBER] = sizes->square;
    number[CG_PRINT_EXACT_ROWS_NUMBER] = sizes->exact_rows;
    number[CG_PRINT_EXACT_COLUMNS_NUMBER] = sizes->exact_columns;
    out->size[CG_PRINT_BLOCK] = kept;
    out->size[CG_PRINT_UNIT] = 2 * kept * sizes->units;
    out->size[CG_PRINT_COLUMN] = sizes->columns;
    out->size[CG_PRINT_PROBE] = sizes->tokens;
    out->size[CG_PRINT_PRODUCT] = kept * sizes->square;
    out->size[CG_PRINT_PRODUCT_COLUMN] = sizes->square;
    out->size[CG_PRINT_EXACT_ROW] = 2 * kept * sizes->exact_rows;
    out->size[CG_PRINT_EXACT_COLUMN] = sizes->exact_columns;
}

/* The tokens that blocks can answer: none unless all read rows as wide as the embedding's. */
static int64_t answering(const struct taking *taking, int64_t sample)
{
    for (int32_t i = 0; i < taking->of.nblocks[0]; i++)
        if (taking->of.blocks[0][i].width != taking->width)
            return 0;
    return sample < LEAST_PROBES ? 0 : sample;
}

/* Which blocks, and how much of each. */
static int settle(struct taking *taking, const struct cg_print_subject *subject, struct cg_err *err)
{
    struct cg_fingerprint *out = taking->out;
    if (cg_blocks_list(&taking->of.blocks[0], &taking->of.nblocks[0], subject->models, subject->anatomy, 0,
                       err) < 0)
        return -1;
    taking->of.blocks[1] = taking->of.blocks[0];
    taking->of.nblocks[1] = taking->of.nblocks[0];
    int64_t tokens = answering(taking, out->size[CG_PRINT_SAMPLE]);
    struct cg_sizes sizes = fit(wanted, &taking->of, tokens);
    if (taking->of.nblocks[0] * bytes_of(&sizes) > ALL_BLOCKS)
        sizes = fit(least_wanted, &taking->of, tokens);
    int64_t kept = taking->of.nblocks[0];
    if (kept > 0)
        kept = least(kept, ALL_BLOCKS / bytes_of(&sizes));
    taking->alignment = (struct cg_alignment){
        .shared = sizes.tokens, .id_a = out->tokens.sample_id, .id_b = out->tokens.sample_id};
    taking->source.sizes = sizes;
    set_sizes(out, &sizes, kept);
    if (choose_blocks(taking, (int32_t)kept, err) < 0)
        return -1;
    return cg_print_allocate(out, "/blocks", err);
}

static int prepare(struct taking *taking, const struct cg_print_subject *subject, struct cg_err *err)
{
    const struct cg_sizes sizes = taking->source.sizes;
    const int model[2] = {0, 0};
    int64_t widest = sizes.exact_columns;
    openblas_set_num_threads(1); /* with threads its sums would depend on their number */
    widest = sizes.columns > widest ? sizes.columns : widest;
    widest = sizes.tokens > widest ? sizes.tokens : widest;
    int64_t rows = sizes.exact_rows > sizes.units ? sizes.exact_rows : sizes.units;
    int64_t room = 2 * rows * widest;
    room = sizes.square * sizes.square > room ? sizes.square * sizes.square : room;
    int64_t gram = taking->out->size[CG_PRINT_GRAM] * taking->out->size[CG_PRINT_GRAM];
    int64_t tokens = taking->out->size[CG_PRINT_SAMPLE] * taking->out->size[CG_PRINT_SAMPLE_COLUMN];
    room = gram > room ? gram : room;
    room = tokens > room ? tokens : room;
    if (!(taking->room = cg_new((size_t)room, sizeof *taking->room, err)) ||
        cg_fetch_init(&taking->fetch, subject->models, subject->anatomy, taking->comm->rank == 0, err) < 0)
        return -1;
    taking->model = cg_model_source_create(&taking->source, &taking->fetch, &subject->sweep->longest, model,
                                           &taking->of, &sizes, &taking->alignment, err);
    return taking->model ? 0 : -1;
}

/* n rows of `columns` numbers each in room, packed from row `first` on of an array whose rows have `stride`.
 */
static void keep_rows(const float *room, int64_t n, int64_t columns, int16_t *to, float *scale, int64_t first,
                      int64_t stride)
{
    for (int64_t i = 0; i < n; i++)
        cg_row_pack(to + (first + i) * stride, scale + first + i, room + i * columns, columns);
}

/* One of the two signatures of kept block k. */
static int take_signature(struct taking *taking, int64_t k, enum cg_statistic what, int16_t *to, float *scale,
                          int64_t stride, struct cg_err *err)
{
    struct cg_source *source = &taking->source;
    int32_t block = taking->kept[k];
    int64_t n = source->units(source, 0, block), units = source->sizes.units;
    int64_t length = what == CG_STATISTIC_RAW
                         ? least(taking->of.blocks[0][block].width, source->sizes.columns)
                         : source->sizes.tokens;
    if (source->take(source, what, 0, block, taking->room, n * length, err) < 0)
        return -1;
    for (int half = 0; half < 2; half++)
        keep_rows(taking->room + half * n * length, n, length, to, scale, (2 * k + half) * units, stride);
    return 0;
}

static int take_exact(struct taking *taking, int64_t k, struct cg_err *err)
{
    struct cg_source *source = &taking->source;
    const struct cg_ffn_block *block = &taking->of.blocks[0][taking->kept[k]];
    int64_t rows = source->sizes.exact_rows, n = least(block->units, rows),
            columns = least(block->width, source->sizes.exact_columns);
    for (int half = 0; half < 2; half++) {
        if (source->rows(source, 0, taking->kept[k], half, n, columns, taking->room, err) < 0)
            return -1;
        keep_rows(taking->room, n, columns, taking->out->blocks.exact, taking->out->blocks.exact_scale,
                  (2 * k + half) * rows, source->sizes.exact_columns);
    }
    return 0;
}

static int take_block(struct taking *taking, int64_t k, struct cg_err *err)
{
    struct cg_source *source = &taking->source;
    struct cg_fingerprint *out = taking->out;
    const struct cg_ffn_block *block = &taking->of.blocks[0][taking->kept[k]];
    int64_t square = source->sizes.square, n = least(block->units, square);
    out->blocks.layer[k] = block->layer;
    out->blocks.expert[k] = block->expert;
    out->blocks.shared[k] = block->shared;
    out->blocks.units[k] = (int32_t)source->units(source, 0, taking->kept[k]);
    if (take_signature(taking, k, CG_STATISTIC_RAW, out->blocks.raw, out->blocks.raw_scale,
                       source->sizes.columns, err) < 0 ||
        (source->probes && take_signature(taking, k, CG_STATISTIC_PROBE, out->blocks.probes,
                                          out->blocks.probes_scale, source->sizes.tokens, err) < 0))
        return -1;
    if (source->take(source, CG_STATISTIC_GRAM, 0, taking->kept[k], taking->room, 0, err) < 0)
        return -1;
    keep_rows(taking->room, n, n, out->blocks.products, out->blocks.products_scale, k * square, square);
    return take_exact(taking, k, err);
}

/* Columns of the rows of all sampled tokens, and the products of the first of them. */
static int take_tokens(struct taking *taking, struct cg_err *err)
{
    struct cg_fingerprint *out = taking->out;
    struct cg_source *source = &taking->source;
    int64_t n = out->size[CG_PRINT_SAMPLE], columns = out->size[CG_PRINT_SAMPLE_COLUMN];
    int64_t gram = out->size[CG_PRINT_GRAM];
    if (n == 0 || columns == 0)
        return 0;
    float *row = cg_new((size_t)columns, sizeof *row, err);
    if (!row)
        return -1;
    taking->alignment.shared = n;
    int result = source->token_columns(source, 0, n, columns, taking->room, err);
    for (int64_t i = 0; result == 0 && i < n; i++) {
        for (int64_t c = 0; c < columns; c++)
            row[c] = taking->room[c * n + i];
        cg_row_pack(out->tokens.row + i * columns, &out->tokens.row_scale[i], row, columns);
    }
    free(row);
    taking->alignment.shared = gram;
    if (result == 0)
        result = source->token_gram(source, 0, gram, taking->room, err);
    if (result == 0)
        keep_rows(taking->room, gram, gram, out->tokens.gram, out->tokens.gram_scale, 0, gram);
    return result;
}

/* This rank's share: a block in turn, and the tokens as one more. */
static int take_share(struct taking *taking, struct cg_err *err)
{
    int64_t kept = taking->out->size[CG_PRINT_BLOCK];
    for (int64_t k = taking->comm->rank; k <= kept; k += taking->comm->size)
        if ((k == kept ? take_tokens(taking, err) : take_block(taking, k, err)) < 0)
            return -1;
    return 0;
}

static void taking_release(struct taking *taking)
{
    cg_model_source_destroy(taking->model);
    cg_fetch_release(&taking->fetch);
    free(taking->of.blocks[0]);
    free(taking->kept);
    free(taking->room);
}

int cg_print_samples(const struct cg_comm *comm, struct cg_fingerprint *out,
                     const struct cg_print_subject *subject, int64_t *reread, struct cg_err *err)
{
    struct taking taking = {.comm = comm, .out = out};
    int64_t slot = cg_embedding_slot(subject->models, subject->anatomy, 0);
    taking.width = slot < 0 ? 0 : cg_member_of(subject->anatomy, slot, 0)->columns;
    int result = settle(&taking, subject, err);
    if (result == 0)
        result = prepare(&taking, subject, err);
    result = cg_agree(comm, result, err);
    if (result == 0)
        result = cg_agree(comm, take_share(&taking, err), err);
    if (result == 0) {
        cg_print_share(comm, out, "/blocks");
        cg_print_share(comm, out, "/tokens");
    }
    *reread = taking.fetch.bytes_read;
    taking_release(&taking);
    return result;
}
