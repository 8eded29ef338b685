#include "worker.h"
#include "cognate/mem.h"
#include "pieces.h"
#include "sides.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int32_t widest_bundle(const struct cg_plan *plan)
{
    int32_t widest = 1;
    for (int64_t i = 0; i < plan->nbundles; i++)
        if (plan->bundles[i].members > widest)
            widest = plan->bundles[i].members;
    return widest;
}

/* The anatomy's member that a bundle's member is. */
static int64_t index_of(const struct cg_worker *worker, int64_t bundle, int32_t member)
{
    const struct cg_bundle *of = &worker->plan->bundles[bundle];
    int model = worker->plan->members[of->first_member + member].model;
    return of->slot * worker->anatomy->models + model;
}

/* The sample that a bundle's member is, or -1. */
static int64_t sample_of(const struct cg_worker *worker, int64_t bundle, int32_t member)
{
    return worker->samples.index[index_of(worker, bundle, member)];
}

static int64_t count_samples(const struct cg_worker *worker, int rank)
{
    int64_t n = 0;
    for (int64_t i = worker->plan->first_task[rank]; i < worker->plan->first_task[rank + 1]; i++) {
        const struct cg_task *task = &worker->plan->tasks[i];
        for (int32_t m = 0; task->work != CG_WORK_SUMS && m < cg_task_members(worker->plan, task); m++)
            n += sample_of(worker, task->bundle, cg_task_first_member(task) + m) >= 0;
    }
    return n;
}

int64_t cg_embedding_bytes(const struct cg_plan *plan, const struct cg_anatomy *anatomy)
{
    int64_t bytes = 0;
    for (int64_t i = 0; i < plan->nbundles; i++)
        if (anatomy->slots[plan->bundles[i].slot].role == CG_ROLE_EMBED)
            bytes += plan->bundles[i].bytes;
    return bytes;
}

/* Room for the input embeddings, on every rank: they meet in the reduction. */
static int begin_keeping(struct cg_worker *worker, struct cg_err *err)
{
    const struct cg_plan *plan = worker->plan;
    if (!(worker->kept = cg_new((size_t)worker->anatomy->models, sizeof *worker->kept, err)))
        return -1;
    if (cg_embedding_bytes(plan, worker->anatomy) > CG_KEEP_BYTES)
        return 0;
    for (int64_t i = 0; i < plan->nbundles; i++) {
        const struct cg_bundle *bundle = &plan->bundles[i];
        const struct cg_bundle_member *member = &plan->members[bundle->first_member];
        bool embedding = worker->anatomy->slots[bundle->slot].role == CG_ROLE_EMBED;
        for (int32_t m = 0; embedding && m < bundle->members; m++) {
            size_t bytes = (size_t)cg_grain_bytes(member[m].grain, bundle->rows * bundle->columns);
            if (!member[m].quantised && !worker->kept[member[m].model] &&
                !(worker->kept[member[m].model] = cg_new(bytes, 1, err)))
                return -1;
        }
    }
    return 0;
}

/* The longest sketch that a member may be given. */
static int64_t most_taken(const struct cg_sweep_options *options)
{
    return options->feature_length > CG_MOST_SKETCH ? options->feature_length : CG_MOST_SKETCH;
}

static void free_sketches(struct cg_sketch *sketches, int32_t members)
{
    for (int32_t m = 0; sketches && m < members; m++)
        cg_sketch_release(&sketches[m]);
    free(sketches);
}

static struct cg_sketch *new_sketches(int32_t members, int64_t most, struct cg_err *err)
{
    struct cg_sketch *sketches = cg_new((size_t)members, sizeof *sketches, err);
    for (int32_t m = 0; sketches && m < members; m++)
        if (cg_sketch_init(&sketches[m], most, err) < 0) {
            free_sketches(sketches, members);
            return NULL;
        }
    return sketches;
}

int cg_worker_init(struct cg_worker *worker, const struct cg_checkpoint *const *models,
                   const struct cg_anatomy *anatomy, const struct cg_plan *plan, int rank,
                   const struct cg_sweep_options *options, struct cg_err *err)
{
    *worker = (struct cg_worker){.models = models, .anatomy = anatomy, .plan = plan, .options = options};
    int32_t members = worker->widest = widest_bundle(plan);
    if (cg_samples_number(&worker->samples, anatomy, models, options, err) < 0 ||
        cg_features_init(&worker->features, &worker->samples, options, count_samples(worker, rank), err) <
            0 ||
        cg_longest_init(&worker->longest, anatomy, options, err) < 0 ||
        !(worker->files = cg_files_create(rank == 0, err)) || begin_keeping(worker, err) < 0 ||
        cg_table_init(&worker->table, plan, err) < 0 ||
        cg_imprints_init(&worker->imprints, plan, anatomy, &options->imprint, err) < 0 ||
        cg_block_init(&worker->block, members, err) < 0 || !(worker->sums = cg_sums_create(members, err)) ||
        !(worker->digests = cg_digests_create((size_t)members, true, err)) ||
        !(worker->dequantiser = cg_new((size_t)members, sizeof *worker->dequantiser, err)) ||
        !(worker->data = cg_new((size_t)members, sizeof *worker->data, err)) ||
        !(worker->bytes = cg_new((size_t)members, sizeof *worker->bytes, err)) ||
        !(worker->panel = cg_new((size_t)members, sizeof *worker->panel, err)) ||
        !(worker->feature = cg_new((size_t)members, sizeof *worker->feature, err)) ||
        !(worker->imprint = cg_new((size_t)members, sizeof *worker->imprint, err)) ||
        !(worker->sketch = new_sketches(members, most_taken(options), err)) ||
        !(worker->imprinted = new_sketches(members, options->imprint.sketch, err)) ||
        !(worker->compared = cg_new((size_t)members, sizeof *worker->compared, err)) ||
        !(worker->lengths = cg_new((size_t)members, sizeof *worker->lengths, err)) ||
        !(worker->null = cg_new((size_t)cg_pairs(members), sizeof *worker->null, err)) ||
        !(worker->scratch = cg_new_aligned((size_t)cg_panels_room(plan, anatomy), sizeof(double), err)))
        return -1;
    return 0;
}

static void drop_panels(struct cg_worker *worker)
{
    for (int32_t m = 0; worker->panel && m < worker->widest; m++) {
        free(worker->panel[m]);
        worker->panel[m] = NULL;
    }
}

void cg_worker_release(struct cg_worker *worker)
{
    drop_panels(worker);
    free(worker->panel);
    free(worker->feature);
    free(worker->compared);
    free(worker->imprint);
    cg_imprints_release(&worker->imprints);
    for (int32_t m = 0; worker->lengths && m < worker->widest; m++)
        cg_row_lengths_release(&worker->lengths[m]);
    free(worker->lengths);
    cg_longest_release(&worker->longest);
    cg_files_destroy(worker->files);
    free_sketches(worker->sketch, worker->widest);
    free_sketches(worker->imprinted, worker->widest);
    free(worker->cells);
    free(worker->null);
    free(worker->scratch);
    free(worker->data);
    free(worker->bytes);
    for (int32_t m = 0; worker->dequantiser && m < worker->widest; m++)
        cg_dequantiser_release(&worker->dequantiser[m]);
    free(worker->dequantiser);
    for (size_t i = 0; i < worker->nheld; i++)
        free(worker->held[i].panel);
    free(worker->held);
    cg_digests_destroy(worker->digests);
    cg_sums_destroy(worker->sums);
    cg_block_release(&worker->block);
    cg_table_release(&worker->table);
    free(worker->features.sample);
    free(worker->features.value);
    cg_sketches_release(&worker->sketches);
    for (int m = 0; worker->kept && m < worker->anatomy->models; m++)
        free(worker->kept[m]);
    free(worker->kept);
    cg_samples_release(&worker->samples);
    *worker = (struct cg_worker){0};
}

/* The next row of features for a member that is a sample. */
static double *row_for(struct cg_worker *worker, int64_t sample)
{
    if (sample < 0)
        return NULL;
    worker->features.sample[worker->features.local] = sample;
    return worker->features.value + worker->features.local++ * worker->features.features;
}

struct cg_panel_shape cg_bundle_panel_shape(const struct cg_anatomy *anatomy, const struct cg_bundle *bundle)
{
    if (!bundle->real || bundle->members < 2)
        return (struct cg_panel_shape){0};
    return cg_panel_shape_of(anatomy->slots[bundle->slot].role, bundle->rows, bundle->columns);
}

int64_t cg_panels_room(const struct cg_plan *plan, const struct cg_anatomy *anatomy)
{
    int64_t most = 0;
    for (int64_t i = 0; i < plan->nbundles; i++) {
        struct cg_panel_shape shape = cg_bundle_panel_shape(anatomy, &plan->bundles[i]);
        int64_t own = shape.residual > 0
                          ? cg_panels_scratch(&shape, (struct cg_meeting){plan->bundles[i].members, 0})
                          : 0;
        most = own > most ? own : most;
    }
    return most;
}

/* Those of the task before serve again where they are as large: all of a panel is written. */
static int begin_panels(struct cg_worker *worker, const struct cg_bundle *bundle, int32_t members,
                        struct cg_err *err)
{
    worker->shape = cg_bundle_panel_shape(worker->anatomy, bundle);
    size_t size = (size_t)(worker->shape.lines * worker->shape.residual);
    if (size != worker->panel_size)
        drop_panels(worker);
    worker->panel_size = size;
    for (int32_t m = 0; size > 0 && m < members; m++)
        if (!worker->panel[m] && !(worker->panel[m] = cg_new(size, sizeof(float), err)))
            return -1;
    return 0;
}

/* The members that a piece is of. */
static const struct cg_bundle_member *members_of(const struct cg_worker *worker, const struct cg_piece *piece)
{
    const struct cg_bundle *bundle = &worker->plan->bundles[piece->task->bundle];
    return &worker->plan->members[bundle->first_member + cg_task_first_member(piece->task)];
}

static int begin_decoding(struct cg_worker *worker, const struct cg_piece *piece, struct cg_err *err)
{
    const struct cg_bundle_member *member = members_of(worker, piece);
    for (int32_t m = 0; m < piece->members; m++) {
        const struct cg_checkpoint *model = worker->models[member[m].model];
        const struct cg_tensor *tensor = &model->tensors[member[m].tensor];
        if (member[m].quantised &&
            cg_dequantiser_begin(&worker->dequantiser[m], member[m].quantised, piece->sides[m],
                                 model->files[tensor->file].path, tensor->name, err) < 0)
            return -1;
    }
    return 0;
}

/* A quantised member's digest is that of its parts in the order of their names: sides, codes, sides. */
static int hash_sides(struct cg_worker *worker, const struct cg_piece *piece, bool leading,
                      struct cg_err *err)
{
    const struct cg_bundle_member *member = members_of(worker, piece);
    bool any = false;
    for (int32_t m = 0; m < piece->members; m++) {
        const struct cg_quantised *how = member[m].quantised;
        size_t before = how ? (size_t)cg_leading_side_bytes(how) : 0;
        worker->data[m] = piece->sides[m];
        worker->bytes[m] = before;
        if (!leading) {
            worker->data[m] = how ? piece->sides[m] + before : NULL;
            worker->bytes[m] = (size_t)cg_side_bytes(&member[m]) - before;
        }
        any = any || worker->bytes[m] > 0;
    }
    return any ? cg_digests_update(worker->digests, (size_t)piece->members, worker->data, worker->bytes, err)
               : 0;
}

static int64_t member_of(const struct cg_worker *worker, const struct cg_task *task, int32_t m)
{
    return worker->plan->bundles[task->bundle].first_member + cg_task_first_member(task) + m;
}

static void begin_imprints(struct cg_worker *worker, const struct cg_task *task, int32_t members)
{
    int64_t length = worker->imprints.sketch;
    for (int32_t m = 0; length > 0 && m < members; m++) {
        cg_sketch_begin(&worker->imprinted[m], length);
        worker->imprint[m] = cg_imprint_shape(&worker->imprints, worker->plan, worker->anatomy, task->bundle,
                                              member_of(worker, task, m));
    }
}

/* Whether the PCA's row comes from the sketch that is being taken of member m. */
static bool is_folded(const struct cg_worker *worker, int32_t m)
{
    return worker->options->feature_kind == CG_FEATURES_SKETCH && worker->sketch[m].length > 0 &&
           worker->sketch[m].length % worker->options->feature_length == 0;
}

/* How long a sketch to take of member m: the longer of what the maps and the PCA want of it, when that can be
 * folded to the other. */
static int64_t length_to_take(const struct cg_worker *worker, int64_t member, bool sample)
{
    const struct cg_sweep_options *options = worker->options;
    const struct cg_anatomy *anatomy = worker->anatomy;
    const struct cg_member *of = &anatomy->members[member];
    const struct cg_slot *slot = &anatomy->slots[member / anatomy->models];
    int64_t length = cg_sketch_length(slot, of->rows, of->columns);
    int64_t wanted = sample && options->feature_kind == CG_FEATURES_SKETCH ? options->feature_length : 0;
    if (!options->sketches || !cg_may_be_sketched(slot, of, worker->models[member % anatomy->models]))
        return wanted;
    return wanted % length == 0 && wanted > length ? wanted : length;
}

static int begin_features(struct cg_worker *worker, const struct cg_task *task, int32_t m, struct cg_err *err)
{
    int32_t in_bundle = cg_task_first_member(task) + m;
    worker->feature[m] = row_for(worker, sample_of(worker, task->bundle, in_bundle));
    const struct cg_bundle *bundle = &worker->plan->bundles[task->bundle];
    int64_t member = index_of(worker, task->bundle, in_bundle);
    cg_sketch_begin(&worker->sketch[m], length_to_take(worker, member, worker->feature[m] != NULL));
    return cg_row_lengths_begin(&worker->lengths[m], &worker->longest, worker->files, worker->models,
                                worker->anatomy, bundle->slot, (int)(member % worker->anatomy->models), err);
}

static void take_features(struct cg_worker *worker, int32_t m, const struct cg_elements *run)
{
    if (worker->sketch[m].length > 0)
        cg_sketch_add(&worker->sketch[m], run);
    if (worker->feature[m] && !is_folded(worker, m))
        cg_features_take(worker->options, worker->feature[m], run);
    cg_row_lengths_add(&worker->lengths[m], run->first, run->values, (int64_t)run->n);
}

/* The sketch of a member that has ended is folded to the lengths that are wanted. */
static int end_features(struct cg_worker *worker, const struct cg_task *task, int32_t m, struct cg_err *err)
{
    struct cg_sketch *sketch = &worker->sketch[m];
    int64_t member = index_of(worker, task->bundle, cg_task_first_member(task) + m), taken = sketch->length;
    if (cg_row_lengths_end(&worker->lengths[m], &worker->longest, err) < 0)
        return -1;
    if (taken == 0)
        return 0;
    cg_sketch_end(sketch);
    if (worker->feature[m] && is_folded(worker, m))
        cg_sketch_fold(worker->feature[m], worker->options->feature_length, sketch->sums, taken);
    if (!worker->options->sketches)
        return 0;
    int64_t length = cg_sketch_floats(worker->anatomy, member);
    float *out = cg_sketches_append(&worker->sketches, worker->anatomy, member, err);
    if (!out)
        return -1;
    cg_sketch_fold(sketch->sums, length, sketch->sums, taken);
    for (int64_t k = 0; k < length; k++)
        out[k] = (float)sketch->sums[k];
    return 0;
}

/* Whether all values of a piece's members are floats. */
static bool all_floats(const struct cg_worker *worker, const struct cg_piece *piece)
{
    const struct cg_bundle_member *member = members_of(worker, piece);
    for (int32_t m = 0; m < piece->members; m++)
        if (!member[m].quantised && !cg_dtype_is_float(member[m].dtype))
            return false;
    return true;
}

static int begin_task(struct cg_worker *worker, const struct cg_piece *piece, struct cg_err *err)
{
    const struct cg_task *task = piece->task;
    const struct cg_bundle *bundle = &worker->plan->bundles[task->bundle];
    if (begin_decoding(worker, piece, err) < 0)
        return -1;
    cg_block_begin(&worker->block, piece->members, all_floats(worker, piece));
    worker->chunks = 0;
    worker->shape = (struct cg_panel_shape){0};
    for (int32_t m = 0; m < piece->members; m++) {
        worker->feature[m] = NULL;
        worker->sketch[m].length = 0;
        worker->lengths[m].list = -1;
    }
    if (task->work == CG_WORK_SUMS)
        return 0;
    for (int32_t m = 0; m < piece->members; m++)
        if (begin_features(worker, task, m, err) < 0)
            return -1;
    begin_imprints(worker, task, piece->members);
    if (begin_panels(worker, bundle, piece->members, err) < 0)
        return -1;
    if (cg_digests_begin(worker->digests, (size_t)piece->members, err) < 0)
        return -1;
    return hash_sides(worker, piece, true, err);
}

static bool has_features(const struct cg_worker *worker, int32_t members)
{
    for (int32_t m = 0; m < members; m++)
        if (worker->feature[m] || worker->sketch[m].length > 0 || worker->lengths[m].list >= 0)
            return true;
    return false;
}

/* The n values of member m from element `first` on; the piece holds them. */
static void decode_block(struct cg_worker *worker, const struct cg_piece *piece, int32_t m, int64_t first,
                         size_t n)
{
    const struct cg_bundle_member *member = &members_of(worker, piece)[m];
    const uint8_t *stored = piece->data[m];
    struct cg_block *block = &worker->block;
    struct cg_dequantiser *d = &worker->dequantiser[m];
    if (!member->quantised)
        cg_block_decode(block, m, member->dtype, stored + cg_grain_bytes(member->grain, first - piece->first),
                        n);
    else if (block->single)
        block->member[m].rounding =
            cg_dequantise(d, first, n, cg_block_singles(block, m), &block->member[m].values.single);
    else
        block->member[m].rounding = cg_dequantise_wide(d, first, n, cg_block_wides(block, m));
    if (member->quantised) {
        block->member[m].low = (double)d->low;
        block->member[m].high = (double)d->high;
    }
}

/* One block of all members: decoded once, while it is in the cache. */
static int take_block(struct cg_worker *worker, const struct cg_piece *piece, int64_t first, size_t n,
                      struct cg_err *err)
{
    const struct cg_task *task = piece->task;
    for (int32_t m = 0; m < piece->members; m++)
        decode_block(worker, piece, m, first, n);
    cg_block_measure(&worker->block, n);
    for (int32_t m = 0; m < piece->members; m++) {
        struct cg_elements run = {first, n, worker->block.member[m].values, &worker->signs};
        if (worker->shape.residual > 0)
            cg_panel_take(&worker->shape, worker->panel[m], first, run.values, n);
        take_features(worker, m, &run);
        if (worker->imprints.sketch > 0 && task->work != CG_WORK_SUMS)
            cg_imprint_take(&worker->imprints, member_of(worker, task, m), &worker->imprint[m],
                            &worker->imprinted[m], &run);
    }
    if (task->work == CG_WORK_STREAM)
        return 0;
    return cg_sums_add(worker->sums, &worker->block, &worker->table.losses, err);
}

bool cg_is_kept(const struct cg_worker *worker, int64_t bundle, const struct cg_bundle_member *member)
{
    int64_t slot = worker->plan->bundles[bundle].slot;
    return worker->anatomy->slots[slot].role == CG_ROLE_EMBED && worker->kept[member->model] &&
           cg_member_of(worker->anatomy, slot, member->model)->tensor == member->tensor;
}

/* Keeps the bytes of small input embeddings as they pass. A tied output embedding is the same tensor. */
static void keep_step(struct cg_worker *worker, const struct cg_piece *piece, int64_t first)
{
    for (int32_t m = 0; m < piece->members; m++) {
        const struct cg_bundle_member *member = &members_of(worker, piece)[m];
        if (cg_is_kept(worker, piece->task->bundle, member))
            memcpy(worker->kept[member->model] + cg_grain_bytes(member->grain, first), worker->data[m],
                   worker->bytes[m]);
    }
}

/* One step of all members, from element `first` on: hashed, then decoded block by block. */
static int take_step(struct cg_worker *worker, const struct cg_piece *piece, int64_t first, size_t n,
                     struct cg_err *err)
{
    const struct cg_bundle *bundle = &worker->plan->bundles[piece->task->bundle];
    const struct cg_bundle_member *member = members_of(worker, piece);
    for (int32_t m = 0; m < piece->members; m++) {
        worker->data[m] = piece->data[m] + cg_grain_bytes(member[m].grain, first - piece->first);
        worker->bytes[m] = (size_t)cg_grain_bytes(member[m].grain, (int64_t)n);
    }
    if (piece->task->work != CG_WORK_SUMS) {
        if (cg_digests_update(worker->digests, (size_t)piece->members, worker->data, worker->bytes, err) < 0)
            return -1;
        keep_step(worker, piece, first);
    }
    bool decode = bundle->real && (piece->task->work != CG_WORK_STREAM || worker->shape.residual > 0 ||
                                   worker->imprints.sketch > 0 || has_features(worker, piece->members));
    for (size_t at = 0; at < n; at += CG_BLOCK) {
        size_t count = n - at < CG_BLOCK ? n - at : CG_BLOCK;
        if (decode && take_block(worker, piece, first + (int64_t)at, count, err) < 0)
            return -1;
    }
    return 0;
}

/* The sums of a chunk that has ended go into the table, or wait for the bundle's other chunks. */
static int end_chunk(struct cg_worker *worker, const struct cg_piece *piece, struct cg_err *err)
{
    const struct cg_task *task = piece->task;
    const struct cg_bundle *bundle = &worker->plan->bundles[task->bundle];
    if (!bundle->real || task->work == CG_WORK_STREAM)
        return 0;
    if (task->work == CG_WORK_SUMS) {
        cg_sums_end(worker->sums, cg_table_cell(&worker->table, task->bundle, piece->chunk));
        return 0;
    }
    size_t size = (size_t)cg_cell_size(bundle->members);
    size_t end = ((size_t)worker->chunks + 1) * size;
    if (cg_grow((void **)&worker->cells, &worker->cells_capacity, end, sizeof *worker->cells, err) < 0)
        return -1;
    cg_sums_end(worker->sums, worker->cells + (size_t)worker->chunks++ * size);
    return 0;
}

void cg_compare_panels(struct cg_worker *worker, const struct cg_panel_shape *shape, int64_t bundle,
                       const float *const *values)
{
    const struct cg_shift_null none = {.cosine = NAN, .mean = NAN, .sd = NAN};
    int32_t members = worker->plan->bundles[bundle].members;
    for (int32_t m = 0; shape->residual > 0 && m < members; m++)
        worker->compared[m] = cg_panel_of(shape, values[m]);
    if (shape->residual > 0)
        cg_panels_compare(shape, worker->compared, (struct cg_meeting){members, 0}, worker->scratch,
                          worker->null);
    for (int64_t p = 0; p < cg_pairs(members); p++)
        cg_table_set_null(&worker->table, bundle, p, shape->residual > 0 ? &worker->null[p] : &none);
}

int cg_hold_panel(struct cg_worker *worker, const struct cg_task *task, float *panel, struct cg_err *err)
{
    if (cg_grow((void **)&worker->held, &worker->held_capacity, worker->nheld + 1, sizeof *worker->held,
                err) < 0)
        return -1;
    worker->held[worker->nheld++] = (struct cg_held_panel){task->bundle, task->member, panel};
    return 0;
}

static int end_task(struct cg_worker *worker, const struct cg_piece *piece, struct cg_err *err)
{
    const struct cg_task *task = piece->task;
    const struct cg_bundle *bundle = &worker->plan->bundles[task->bundle];
    if (task->work == CG_WORK_SUMS)
        return 0;
    int64_t first = bundle->first_member + cg_task_first_member(task);
    if (hash_sides(worker, piece, false, err) < 0 ||
        cg_digests_end(worker->digests, (size_t)piece->members, worker->table.digest + first, err) < 0)
        return -1;
    for (int32_t m = 0; bundle->real && worker->imprints.sketch > 0 && m < piece->members; m++)
        cg_imprint_end(&worker->imprints, first + m, &worker->imprinted[m]);
    for (int32_t m = 0; m < piece->members; m++)
        if (end_features(worker, task, m, err) < 0)
            return -1;
    if (bundle->apart) { /* the panel waits for the other streams' */
        if (cg_hold_panel(worker, task, worker->panel[0], err) < 0)
            return -1;
        worker->panel[0] = NULL;
        return 0;
    }
    if (bundle->real && task->work == CG_WORK_WHOLE)
        cg_cells_fold(worker->cells, worker->chunks, bundle->members,
                      cg_table_cell(&worker->table, task->bundle, 0));
    cg_compare_panels(worker, &worker->shape, task->bundle, (const float *const *)worker->panel);
    return 0;
}

int cg_worker_take(struct cg_worker *worker, const struct cg_piece *piece, struct cg_err *err)
{
    const struct cg_task *task = piece->task;
    if (piece->begins_task && begin_task(worker, piece, err) < 0)
        return -1;
    if (piece->at == 0) {
        cg_block_begin_chunk(&worker->block);
        cg_sums_begin(worker->sums, worker->plan->bundles[task->bundle].members, task->bundle, piece->chunk);
    }
    for (int32_t m = 0; m < piece->members; m++)
        if (members_of(worker, piece)[m].quantised)
            cg_dequantiser_hold(&worker->dequantiser[m], piece->data[m], piece->first, piece->elements);
    for (int64_t at = 0; at < piece->elements; at += CG_STEP) {
        size_t n = (size_t)(piece->elements - at < CG_STEP ? piece->elements - at : CG_STEP);
        if (take_step(worker, piece, piece->first + at, n, err) < 0)
            return -1;
    }
    if (piece->ends_chunk && end_chunk(worker, piece, err) < 0)
        return -1;
    return piece->ends_task ? end_task(worker, piece, err) : 0;
}
