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
enum { READ = 2, HASH_ALONE = 11, HASH_BESIDE = 6, VALUE = 6, CODE = 3, PAIR = 2, TASK = 131072 };

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
    struct cg_grain grain = cg_dtype_grain(member_at(plan, bundle, member)->dtype);
    return (double)of->rows * (double)of->columns * grain.bytes / grain.elements;
}

/* What the sums of a bundle cost. */
static double sums_of(const struct cg_plan *plan, int64_t bundle)
{
    const struct cg_bundle *of = &plan->bundles[bundle];
    double each = 0;
    for (int32_t pair = 1; pair < of->members * (of->members - 1) / 2; pair++) /* beyond the first */
        each += PAIR;
    for (int32_t m = 0; m < of->members; m++)
        each += VALUE + (cg_dtype_grain(member_at(plan, bundle, m)->dtype).elements > 1 ? CODE : 0);
    return of->real ? each * (double)of->rows * (double)of->columns : 0;
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

/* The share of a bundle's elements that lies in a task's chunks. */
static double part_of(const struct cg_bundle *bundle, const struct cg_task *task)
{
    double total = (double)bundle->rows * (double)bundle->columns;
    double chunk = (double)cg_chunk_elements(bundle->rows, bundle->columns);
    return (fmin((double)task->end_chunk * chunk, total) - (double)task->first_chunk * chunk) / total;
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
        if (!bundle->apart || m == task->member) {
            done->streamed[bundle->first_member + m]++;
            assert_int_equal(member_at(plan, task->bundle, m)->owner, rank);
        }
    for (int64_t k = task->first_chunk; sums && k < task->end_chunk; k++)
        done->summed[first + k]++;
    if (hashes && !bundle->apart)
        assert_int_equal(bundle->owner, rank);
    else if (hashes)
        bytes = bytes_of(plan, task->bundle, task->member);
    *bytes_read += sums && !hashes ? bytes * part_of(bundle, task) : bytes;
    double load = sums ? sums_of(plan, task->bundle) : 0;
    if (task->work ==
        CG_WORK_SUMS) { /* the load takes all chunks for alike, though the last may be smaller */
        double part = (double)(task->end_chunk - task->first_chunk) / (double)chunks;
        bytes *= part;
        load *= part;
    }
    bool beside = !bundle->apart && bundle->members > 1;
    return load + bytes * (READ + (hashes ? (beside ? HASH_BESIDE : HASH_ALONE) : 0)) + TASK;
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
        total += (double)bundle->bytes * (READ + hash) + sums_of(plan, i) + TASK;
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

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* What no dealing of whole bundles, the heaviest first, may be above: one bundle more than the mean. Where
 * slots are plenty or one of them outweighs all, that is near enough the best there can be. */
static double worst_imbalance(const struct cg_plan *plan)
{
    double mean = (double)plan->total_load / plan->ranks, heaviest = 0;
    for (int64_t i = 0; i < plan->nbundles; i++) {
        const struct cg_bundle *bundle = &plan->bundles[i];
        double load = (double)bundle->bytes * (READ + (bundle->members > 1 ? HASH_BESIDE : HASH_ALONE)) +
                      sums_of(plan, i) + TASK;
        heaviest = load > heaviest ? load : heaviest;
    }
    bool plenty = heaviest <= mean / 20, one = (double)plan->largest >= 2 * mean;
    return plenty || one ? 0.05 : heaviest / fmax(mean, (double)plan->largest);
}

static void dealt(void **state)
{
    (void)state;
    static void (*const makes[])(struct synthetic *) = {
        nothing, equal_slots, huge_slot, odd_slots, eight_experts, many_experts, dense,
    };
    static const int ranks[] = {1, 2, 3, 4, 7, 16, 64, 100, 256, 300, 512, 1000, 1024, 2000, 4096};
    for (size_t c = 0; c < sizeof makes / sizeof *makes; c++) {
        struct synthetic made;
        makes[c](&made);
        for (size_t r = 0; r < sizeof ranks / sizeof *ranks; r++) {
            struct cg_plan plan;
            double start = seconds();
            build(&plan, &made, ranks[r]);
            assert_true(seconds() - start < 2);
            check_bundles(&plan, &made);
            check_places(&plan, &made);
            check_tasks(&plan);
            check_totals(&plan);
            check_again(&plan, &made);
            assert_true(fabs(imbalance_of(&plan) - cg_plan_imbalance(&plan)) < 1e-12);
            if (imbalance_of(&plan) > worst_imbalance(&plan))
                print_error("models %zu on %d ranks: %.4f\n", c, ranks[r], imbalance_of(&plan));
            assert_true(imbalance_of(&plan) <= worst_imbalance(&plan));
            cg_plan_release(&plan);
        }
        synthetic_release(&made);
    }
}

/* A slot that outweighs the rest is split as soon as there are ranks to share it. */
static void split_when_it_pays(void **state)
{
    (void)state;
    static const struct {
        int ranks;
        bool split;
    } cases[] = {{1, false}, {8, true}, {100, true}};
    struct synthetic made;
    huge_slot(&made);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct cg_plan plan;
        build(&plan, &made, cases[c].ranks);
        assert_int_equal(plan.bundles[0].split, cases[c].split);
        for (int64_t i = 1; i < plan.nbundles; i++)
            assert_false(plan.bundles[i].split);
        if (cases[c].split) /* nobody has two streams while others have none */
            assert_true(plan.members[0].owner != plan.members[1].owner &&
                        plan.members[1].owner != plan.members[2].owner &&
                        plan.members[0].owner != plan.members[2].owner);
        cg_plan_release(&plan);
    }
    synthetic_release(&made);
}

/* What one slot of three models falls into. */
struct filling {
    enum cg_dtype dtype;
    int64_t rows, columns; /* rows -1: the model leaves the slot empty */
};

static void bundled(void **state)
{
    (void)state;
    static const struct {
        struct filling of[3];
        int bundle[3], position[3]; /* expected; bundle -1 for none */
    } cases[] = {
        {{{CG_BF16, 4, 8}, {CG_BF16, 4, 8}, {CG_BF16, 4, 8}}, {0, 0, 0}, {0, 1, 2}},
        {{{CG_BF16, 4, 8}, {CG_F32, 4, 8}, {CG_F8_E4M3, 4, 8}}, {0, 0, 0}, {0, 1, 2}}, /* types may differ */
        {{{CG_BF16, 4, 8}, {CG_BF16, 8, 4}, {CG_BF16, 4, 8}}, {0, 1, 0}, {0, 0, 1}},   /* shapes may not */
        {{{CG_BF16, 4, 8}, {CG_BF16, 4, 9}, {CG_BF16, 5, 8}}, {0, 1, 2}, {0, 0, 0}},
        {{{CG_BOOL, 4, 8}, {CG_BF16, 4, 8}, {CG_C64, 4, 8}}, {0, 1, 0}, {0, 0, 1}}, /* nor what has values */
        {{{CG_BF16, -1, 0}, {CG_BF16, 4, 8}, {CG_BF16, 4, 8}}, {-1, 0, 0}, {0, 0, 1}},
        {{{CG_BF16, 4, 8}, {CG_BF16, -1, 0}, {CG_BF16, 5, 8}}, {0, -1, 1}, {0, 0, 0}},
        {{{CG_BF16, 0, 8}, {CG_BF16, 0, 8}, {CG_BF16, 8, 0}}, {0, 0, 1}, {0, 1, 0}}, /* empty ones neither */
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct synthetic made;
        struct cg_plan plan;
        synthetic_begin(&made, 3);
        synthetic_slot(&made, CG_ROLE_ATTN_Q, 0, -1);
        for (int m = 0; m < 3; m++)
            if (cases[c].of[m].rows >= 0)
                synthetic_member(&made, m, cases[c].of[m].dtype, cases[c].of[m].rows, cases[c].of[m].columns);
        build(&plan, &made, 2);
        check_bundles(&plan, &made);
        check_places(&plan, &made);
        for (int m = 0; m < 3; m++) {
            assert_int_equal(plan.places[m].bundle, cases[c].bundle[m]);
            assert_int_equal(plan.places[m].position, cases[c].position[m]);
        }
        cg_plan_release(&plan);
        synthetic_release(&made);
    }
}

/* An output embedding of its own is swept beside the input embedding that another model uses for both. */
static void tied_heads(void **state)
{
    (void)state;
    static const struct {
        bool tied[3];
        int64_t rows[3];                    /* of embedding and head alike */
        int64_t embedding[3], head[3], all; /* expected bundles */
    } cases[] = {
        {{false, false, false}, {9, 9, 9}, {0, 0, 0}, {1, 1, 1}, 2},
        {{false, true, false}, {9, 9, 9}, {0, 0, 0}, {0, 0, 0}, 1},
        {{false, false, true}, {9, 9, 9}, {0, 0, 0}, {0, 0, 0}, 1}, /* one that comes later in the order */
        {{true, true, false}, {9, 9, 9}, {0, 0, 0}, {0, 0, 0}, 1},
        {{false, true, false}, {9, 9, 7}, {0, 0, 1}, {0, 0, 2}, 3}, /* the third has no partner there */
        {{false, true, true}, {9, 7, 9}, {0, 1, 0}, {0, 1, 0}, 2},
        {{false, true, false}, {9, 7, 9}, {0, 1, 0}, {2, 1, 2}, 3},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct synthetic made;
        struct cg_plan plan;
        synthetic_begin(&made, 3);
        int64_t embedding = synthetic_slot(&made, CG_ROLE_EMBED, -1, -1);
        for (int m = 0; m < 3; m++)
            synthetic_member(&made, m, CG_BF16, cases[c].rows[m], 8);
        int64_t head = synthetic_slot(&made, CG_ROLE_LM_HEAD, -1, -1);
        for (int m = 0; m < 3; m++)
            if (cases[c].tied[m])
                synthetic_tie(&made, m, embedding);
            else
                synthetic_member(&made, m, CG_BF16, cases[c].rows[m], 8);
        build(&plan, &made, 3);
        check_bundles(&plan, &made);
        check_places(&plan, &made);
        check_tasks(&plan);
        assert_int_equal(plan.nbundles, cases[c].all);
        for (int m = 0; m < 3; m++) {
            assert_int_equal(plan.places[embedding * 3 + m].bundle, cases[c].embedding[m]);
            assert_int_equal(plan.places[head * 3 + m].bundle, cases[c].head[m]);
        }
        cg_plan_release(&plan);
        synthetic_release(&made);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bundled),
        cmocka_unit_test(tied_heads),
        cmocka_unit_test(dealt),
        cmocka_unit_test(split_when_it_pays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
