/* The plan: which members are swept together, and that every byte of them is somebody's. */
#include "cognate/plan.h"
#include "synthetic.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* cmocka wants the above first */
#include <cmocka.h>

/* What a byte costs to read, hash and sum, and a task to begin: the prices of the plan, once more. */
enum { READ = 2, HASH_ALONE = 11, HASH_BESIDE = 6, SUMS = 3, TASK = 131072 };

static void build(struct cg_plan *plan, const struct synthetic *made, int ranks)
{
    struct cg_err err = {0};
    assert_int_equal(cg_plan_build(plan, &made->anatomy, made->models, ranks, &err), 0);
    assert_int_equal(plan->ranks, ranks);
}

static const struct cg_bundle_member *member_at(const struct cg_plan *plan, int64_t bundle, int64_t position)
{
    return &plan->members[plan->bundles[bundle].first_member + position];
}

static double bytes_of(const struct cg_plan *plan, int64_t bundle, int32_t member)
{
    const struct cg_bundle *of = &plan->bundles[bundle];
    return (double)of->rows * (double)of->columns * cg_dtype_bits(member_at(plan, bundle, member)->dtype) / 8;
}

/* Every slot leads to its tensor. */
static void check_places(const struct cg_plan *plan, const struct synthetic *made)
{
    for (int64_t i = 0; i < made->anatomy.nslots * made->anatomy.models; i++) {
        const struct cg_place_in_bundle *place = &plan->places[i];
        assert_int_equal(place->bundle >= 0, made->anatomy.members[i].tensor >= 0);
        if (place->bundle < 0)
            continue;
        const struct cg_bundle_member *member = member_at(plan, place->bundle, place->position);
        assert_int_equal(member->model, i % made->anatomy.models);
        assert_int_equal(member->tensor, made->anatomy.members[i].tensor);
        assert_true(plan->bundles[place->bundle].slot <= i / made->anatomy.models);
    }
}

/* Every stored tensor is a member of exactly one bundle, beside others of its shape. */
static void check_bundles(const struct cg_plan *plan, const struct synthetic *made)
{
    int64_t members = 0, tensors = 0;
    char *seen[SYNTHETIC_MODELS] = {NULL};
    for (int m = 0; m < made->anatomy.models; m++) {
        tensors += (int64_t)made->model[m].ntensors;
        seen[m] = calloc(made->model[m].ntensors + 1, 1);
        assert_non_null(seen[m]);
    }
    for (int64_t i = 0; i < plan->nbundles; i++) {
        const struct cg_bundle *bundle = &plan->bundles[i];
        int64_t bytes = 0;
        assert_int_equal(bundle->first_member, members);
        assert_true(bundle->members > 0);
        members += bundle->members;
        for (int32_t k = 0; k < bundle->members; k++) {
            const struct cg_bundle_member *member = member_at(plan, i, k);
            const struct cg_tensor *tensor = &made->model[member->model].tensors[member->tensor];
            assert_int_equal(seen[member->model][member->tensor]++, 0);
            assert_int_equal(member->dtype, tensor->dtype);
            assert_int_equal(tensor->shape[0], bundle->rows);
            assert_int_equal(tensor->shape[1], bundle->columns);
            assert_int_equal(cg_dtype_is_real(tensor->dtype), bundle->real);
            bytes += tensor->bytes;
        }
        assert_int_equal(bundle->bytes, bytes);
    }
    assert_int_equal(members, tensors);
    assert_int_equal(plan->nmembers, members);
    for (int m = 0; m < made->anatomy.models; m++)
        free(seen[m]);
}

/* How often each member is streamed and each chunk summed. */
struct done {
    unsigned char *streamed; /* [nmembers] */
    int64_t *first_chunk;    /* [nbundles + 1] */
    unsigned char *summed;   /* by chunk */
};

static struct done begin_done(const struct cg_plan *plan)
{
    struct done done = {.streamed = calloc((size_t)plan->nmembers + 1, 1),
                        .first_chunk = calloc((size_t)plan->nbundles + 1, sizeof(int64_t))};
    assert_true(done.streamed && done.first_chunk);
    for (int64_t i = 0; i < plan->nbundles; i++)
        done.first_chunk[i + 1] =
            done.first_chunk[i] + cg_chunk_count(plan->bundles[i].rows, plan->bundles[i].columns);
    done.summed = calloc((size_t)done.first_chunk[plan->nbundles] + 1, 1);
    assert_non_null(done.summed);
    return done;
}

static void release_done(struct done *done)
{
    free(done->streamed);
    free(done->first_chunk);
    free(done->summed);
}

/* Counts what a task does; returns its load. */
static double count_task(const struct cg_plan *plan, const struct cg_task *task, int rank, struct done *done,
                         double *bytes_read)
{
    const struct cg_bundle *bundle = &plan->bundles[task->bundle];
    int64_t first = done->first_chunk[task->bundle], chunks = done->first_chunk[task->bundle + 1] - first;
    bool hashes = task->work != CG_WORK_SUMS, sums = task->work != CG_WORK_STREAM && bundle->real;
    double bytes = (double)bundle->bytes;
    assert_int_equal(bundle->split, task->work != CG_WORK_WHOLE);
    assert_true(hashes ? task->first_chunk == 0 && task->end_chunk == chunks
                       : 0 <= task->first_chunk && task->first_chunk < task->end_chunk &&
                             task->end_chunk <= chunks);
    for (int32_t m = 0; hashes && m < bundle->members; m++)
        if (task->work == CG_WORK_WHOLE || m == task->member) {
            done->streamed[bundle->first_member + m]++;
            assert_int_equal(member_at(plan, task->bundle, m)->owner, rank);
        }
    for (int64_t k = task->first_chunk; sums && k < task->end_chunk; k++)
        done->summed[first + k]++;
    if (task->work == CG_WORK_WHOLE)
        assert_int_equal(bundle->owner, rank);
    else if (task->work == CG_WORK_STREAM)
        bytes = bytes_of(plan, task->bundle, task->member);
    else
        bytes *= (double)(task->end_chunk - task->first_chunk) / (double)chunks;
    *bytes_read += bytes;
    bool beside = task->work == CG_WORK_WHOLE && bundle->members > 1;
    return bytes * (READ + (hashes ? (beside ? HASH_BESIDE : HASH_ALONE) : 0) + (sums ? SUMS : 0)) + TASK;
}

/* Every member is streamed once, every chunk summed once; loads are what the tasks add up to. A chunk's load
 * and a task's bytes are whole numbers, hence the tolerance. */
static void check_tasks(const struct cg_plan *plan)
{
    struct done done = begin_done(plan);
    double slack = (double)done.first_chunk[plan->nbundles] + 1;
    assert_int_equal(plan->first_task[0], 0);
    assert_int_equal(plan->first_task[plan->ranks], plan->ntasks);
    for (int r = 0; r < plan->ranks; r++) {
        double load = 0, bytes = 0;
        for (int64_t t = plan->first_task[r]; t < plan->first_task[r + 1]; t++) {
            load += count_task(plan, &plan->tasks[t], r, &done, &bytes);
            assert_true(t == plan->first_task[r] || plan->tasks[t - 1].bundle <= plan->tasks[t].bundle);
        }
        assert_true(load - (double)plan->load[r] > -1 && load - (double)plan->load[r] < slack);
        assert_true(fabs(bytes - (double)plan->bytes[r]) < 1);
    }
    for (int64_t m = 0; m < plan->nmembers; m++)
        assert_int_equal(done.streamed[m], 1);
    for (int64_t i = 0; i < plan->nbundles; i++)
        for (int64_t k = done.first_chunk[i]; k < done.first_chunk[i + 1]; k++)
            assert_int_equal(done.summed[k], plan->bundles[i].real);
    release_done(&done);
}

static void check_totals(const struct cg_plan *plan)
{
    int64_t cells = 0;
    double total = 0, largest = 0;
    for (int64_t i = 0; i < plan->nbundles; i++) {
        const struct cg_bundle *bundle = &plan->bundles[i];
        assert_int_equal(bundle->cell, cells);
        assert_int_equal(bundle->cells, bundle->split ? cg_chunk_count(bundle->rows, bundle->columns) : 1);
        cells += bundle->cells;
        double hash = bundle->members > 1 ? HASH_BESIDE : HASH_ALONE;
        total += (double)bundle->bytes * (READ + hash + (bundle->real ? SUMS : 0)) + TASK;
        for (int32_t m = 0; m < bundle->members; m++) {
            double stream = bytes_of(plan, i, m) * (READ + HASH_ALONE) + TASK;
            largest = stream > largest ? stream : largest;
        }
    }
    assert_int_equal(plan->ncells, cells);
    assert_true((double)plan->total_load == total);
    assert_true((double)plan->largest == largest);
}

/* The plan is a function of what it is made from. */
static void check_again(const struct cg_plan *plan, const struct synthetic *made)
{
    struct cg_plan again;
    build(&again, made, plan->ranks);
    assert_int_equal(again.ntasks, plan->ntasks);
    for (int64_t t = 0; t < plan->ntasks; t++) {
        const struct cg_task *a = &plan->tasks[t], *b = &again.tasks[t];
        assert_true(a->work == b->work && a->bundle == b->bundle && a->member == b->member &&
                    a->first_chunk == b->first_chunk && a->end_chunk == b->end_chunk);
    }
    assert_memory_equal(again.load, plan->load, (size_t)plan->ranks * sizeof *plan->load);
    cg_plan_release(&again);
}

static double imbalance_of(const struct cg_plan *plan)
{
    double most = 0, best = (double)plan->total_load / plan->ranks;
    best = (double)plan->largest > best ? (double)plan->largest : best;
    for (int r = 0; r < plan->ranks; r++)
        most = (double)plan->load[r] > most ? (double)plan->load[r] : most;
    return best > 0 ? most / best - 1 : 0;
}

static void nothing(struct synthetic *made)
{
    synthetic_begin(made, 2);
}

static void equal_slots(struct synthetic *made)
{
    synthetic_begin(made, 2);
    for (int layer = 0; layer < 96; layer++)
        synthetic_alike(made, CG_ROLE_ATTN_Q, layer, -1, CG_BF16, 2048, 2048);
}

/* One slot that outweighs all others. */
static void huge_slot(struct synthetic *made)
{
    synthetic_begin(made, 3);
    synthetic_alike(made, CG_ROLE_EMBED, -1, -1, CG_BF16, 262144, 8192);
    for (int layer = 0; layer < 8; layer++)
        synthetic_alike(made, CG_ROLE_ATTN_Q, layer, -1, CG_BF16, 64, 64);
}

/* Types that are never summed, empty tensors, slots that some models lack, shapes that differ. */
static void odd_slots(struct synthetic *made)
{
    synthetic_begin(made, 3);
    synthetic_alike(made, CG_ROLE_EMBED, -1, -1, CG_F32, 0, 64);
    synthetic_alike(made, CG_ROLE_ATTN_Q, 0, -1, CG_BOOL, 40000, 4096);
    synthetic_alike(made, CG_ROLE_ATTN_K, 0, -1, CG_C64, 4096, 4096);
    synthetic_slot(made, CG_ROLE_ATTN_V, 0, -1);
    synthetic_member(made, 0, CG_BF16, 4096, 4096);
    synthetic_member(made, 1, CG_F32, 4096, 4096);
    synthetic_member(made, 2, CG_F4, 4096, 4096);
    synthetic_slot(made, CG_ROLE_ATTN_O, 0, -1);
    synthetic_member(made, 1, CG_F6_E2M3, 5000, 4096);
    synthetic_slot(made, CG_ROLE_FFN_UP, 0, -1);
    synthetic_member(made, 0, CG_F64, 700, 5000);
    synthetic_member(made, 2, CG_F64, 5000, 700);
    synthetic_alike(made, CG_ROLE_OTHER, -1, -1, CG_BOOL, 1, 0);
}

static void experts(struct synthetic *made, int layers, int count, int64_t hidden, int64_t inner,
                    int64_t vocabulary, int64_t kv)
{
    synthetic_begin(made, 2);
    synthetic_alike(made, CG_ROLE_EMBED, -1, -1, CG_BF16, vocabulary, hidden);
    for (int layer = 0; layer < layers; layer++) {
        synthetic_alike(made, CG_ROLE_ATTN_NORM, layer, -1, CG_BF16, 1, hidden);
        synthetic_alike(made, CG_ROLE_ATTN_Q, layer, -1, CG_BF16, 4096, hidden);
        synthetic_alike(made, CG_ROLE_ATTN_K, layer, -1, CG_BF16, kv, hidden);
        synthetic_alike(made, CG_ROLE_ATTN_V, layer, -1, CG_BF16, kv, hidden);
        synthetic_alike(made, CG_ROLE_ATTN_O, layer, -1, CG_BF16, hidden, 4096);
        synthetic_alike(made, CG_ROLE_FFN_NORM, layer, -1, CG_BF16, 1, hidden);
        synthetic_alike(made, CG_ROLE_ROUTER, layer, -1, CG_BF16, count, hidden);
        for (int expert = 0; expert < count; expert++) {
            synthetic_alike(made, CG_ROLE_FFN_GATE, layer, expert, CG_BF16, inner, hidden);
            synthetic_alike(made, CG_ROLE_FFN_UP, layer, expert, CG_BF16, inner, hidden);
            synthetic_alike(made, CG_ROLE_FFN_DOWN, layer, expert, CG_BF16, hidden, inner);
        }
    }
    synthetic_alike(made, CG_ROLE_FINAL_NORM, -1, -1, CG_BF16, 1, hidden);
    synthetic_alike(made, CG_ROLE_LM_HEAD, -1, -1, CG_BF16, vocabulary, hidden);
}

static void eight_experts(struct synthetic *made)
{
    experts(made, 32, 8, 4096, 14336, 32000, 1024);
}

static void many_experts(struct synthetic *made)
{
    experts(made, 48, 128, 2048, 768, 151936, 512);
}

static void dense(struct synthetic *made)
{
    experts(made, 32, 1, 4096, 14336, 128256, 1024);
}

struct deal_case {
    const char *name;
    void (*make)(struct synthetic *made);
    double most; /* imbalance allowed */
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void dealt(void **state)
{
    (void)state;
    static const struct deal_case cases[] = {
        {"nothing", nothing, 0.05}, {"equal", equal_slots, 0.05},       {"huge", huge_slot, 0.05},
        {"odd", odd_slots, 0.05},   {"8 experts", eight_experts, 0.05}, {"128 experts", many_experts, 0.05},
        {"dense", dense, 0.05},
    };
    static const int ranks[] = {1, 2, 3, 4, 7, 16, 64, 100, 256, 300, 512, 1000, 1024, 2000, 4096};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (size_t r = 0; r < sizeof ranks / sizeof *ranks; r++) {
            struct synthetic made;
            struct cg_plan plan;
            cases[c].make(&made);
            double start = seconds();
            build(&plan, &made, ranks[r]);
            double took = seconds() - start;
            check_bundles(&plan, &made);
            check_places(&plan, &made);
            check_tasks(&plan);
            check_totals(&plan);
            check_again(&plan, &made);
            double imbalance = imbalance_of(&plan);
            print_message("%s on %d: %.4f in %.3f s largest %.3f splits\n", cases[c].name, ranks[r],
                          imbalance, took, (double)plan.largest / ((double)plan.total_load / plan.ranks));
            cg_plan_release(&plan);
            synthetic_release(&made);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dealt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
