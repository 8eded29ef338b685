/* The sweep on however many ranks the harness starts, however the work is dealt: the bits of one rank alone,
 * and those against what the bytes say. */
#include "cognate/log.h"
#include "cognate/sweep.h"
#include "written.h"
#include <math.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

static struct cg_comm comm; /* set once by main */

struct fixture {
    struct synthetic made;
    struct written written;
    struct cg_plan alone;
    struct cg_sweep wanted; /* by one rank */
};

static const struct cg_sweep_options options = {.buffer = 1 << 20,
                                                .stall_timeout = 60,
                                                .feature_kind = CG_FEATURES_SKETCH,
                                                .feature_length = 100,
                                                .sketches = true};

static void make_models(struct synthetic *made)
{
    synthetic_begin(made, 3);
    synthetic_alike(made, CG_ROLE_EMBED, -1, -1, CG_BF16, 5000, 500); /* two chunks */
    for (int layer = 0; layer < 4; layer++) {
        synthetic_alike(made, CG_ROLE_ATTN_NORM, layer, -1, CG_F32, 1, 500);
        synthetic_alike(made, CG_ROLE_ATTN_O, layer, -1, CG_BF16, 500, 40 + layer);
        synthetic_slot(made, CG_ROLE_FFN_UP, layer, -1); /* one of another type, one of another shape */
        synthetic_member(made, 0, CG_BF16, 300, 500);
        synthetic_member(made, 1, CG_F32, 300, 500);
        synthetic_member(made, 2, CG_BF16, 301, 500);
    }
    synthetic_slot(made, CG_ROLE_LM_HEAD, -1, -1);
    synthetic_member(made, 0, CG_BF16, 5000, 500);
    synthetic_tie(made, 1, 0);
    synthetic_alike(made, CG_ROLE_OTHER, -1, -1, CG_BOOL, 7, 11);
    synthetic_alike(made, CG_ROLE_OTHER, -1, -1, CG_F32, 0, 11);
    synthetic_alike(made, CG_ROLE_OTHER, -1, -1, CG_U8, 300, 7001); /* two chunks, no axis to shift along */
}

static int begin(void **state)
{
    static struct fixture f;
    struct cg_err err = {0};
    const struct cg_comm self = {.mpi = MPI_COMM_SELF, .size = 1};
    make_models(&f.made);
    if (comm.rank == 0)
        written_begin(&f.written, &f.made, false);
    MPI_Bcast(&f.written, (int)sizeof f.written, MPI_BYTE, 0, comm.mpi);
    f.written.made = &f.made;
    written_lay_out(&f.written);
    if (comm.rank == 0)
        written_write(&f.written);
    MPI_Barrier(comm.mpi);
    written_stat(&f.written);
    *state = &f;
    if (cg_plan_build(&f.alone, &f.made.anatomy, f.made.models, 1, &err) < 0)
        return -1;
    return cg_sweep_run(&self, f.made.models, &f.made.anatomy, &f.alone, &options, &f.wanted, &err);
}

static int end(void **state)
{
    struct fixture *f = *state;
    MPI_Barrier(comm.mpi);
    if (comm.rank == 0)
        written_remove(&f->written);
    written_release(&f->written);
    cg_sweep_release(&f->wanted);
    cg_plan_release(&f->alone);
    synthetic_release(&f->made);
    return 0;
}

/* Values of a member, decoded. */
static double *values_of(const struct fixture *f, const struct cg_bundle_member *member, int64_t n)
{
    uint8_t *bytes = written_bytes(&f->written, member->model, member->tensor);
    double *values = malloc((size_t)n * sizeof *values + 1);
    assert_non_null(values);
    if (n > 0)
        cg_dtype_decode(member->dtype, bytes, (size_t)n, values);
    free(bytes);
    return values;
}

static void assert_near(double got, long double wanted, long double size)
{
    assert_true(fabsl(got - wanted) <= 1e-14L * size);
}

static void check_pair(const struct cg_products *got, const double *a, const double *b, int64_t n)
{
    long double product = 0, difference = 0, sums[2] = {0}, squares[2] = {0};
    int64_t elements = 0;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(a[i]) && isfinite(b[i])) {
            elements++;
            product += (long double)a[i] * b[i];
            difference += ((long double)b[i] - a[i]) * ((long double)b[i] - a[i]);
            sums[0] += a[i];
            sums[1] += b[i];
            squares[0] += (long double)a[i] * a[i];
            squares[1] += (long double)b[i] * b[i];
        }
    assert_int_equal(got->elements, elements);
    assert_near(got->product, product, squares[0] + squares[1]);
    assert_near(got->difference, difference, squares[0] + squares[1]);
    assert_near(got->sum_a, sums[0], squares[0]);
    assert_near(got->sum_b, sums[1], squares[1]);
    assert_near(got->squares_a, squares[0], squares[0]);
    assert_near(got->squares_b, squares[1], squares[1]);
}

/* The centred cosine of two whole panels: the matrices themselves, with 0 for what is not finite. */
static void check_cosine(double got, const double *a, const double *b, int64_t n)
{
    long double mean_a = 0, mean_b = 0, product = 0, squares_a = 0, squares_b = 0;
    for (int64_t i = 0; i < n; i++) {
        mean_a += isfinite(a[i]) ? a[i] / (long double)n : 0;
        mean_b += isfinite(b[i]) ? b[i] / (long double)n : 0;
    }
    for (int64_t i = 0; i < n; i++) {
        long double x = (isfinite(a[i]) ? a[i] : 0) - mean_a, y = (isfinite(b[i]) ? b[i] : 0) - mean_b;
        product += x * y;
        squares_a += x * x;
        squares_b += y * y;
    }
    assert_near(got, product / sqrtl(squares_a * squares_b), 100);
}

/* Bundles as large as a panel hold it whole; those of role `other` have none. */
static void check_null(const struct cg_shift_null *null, const struct cg_slot *slot, const double *a,
                       const double *b, int64_t n)
{
    if (slot->role == CG_ROLE_OTHER)
        assert_true(isnan(null->cosine) && isnan(null->mean) && isnan(null->sd) && isnan(null->t));
    else
        assert_true(fabs(null->cosine) < 1 && fabs(null->mean) < 1 && null->sd > 0 && null->sd < 0.2);
    if (slot->layer >= 0)
        check_cosine(null->cosine, a, b, n);
}

/* One rank's result against the bytes in the files. */
static void right_on_one(void **state)
{
    const struct fixture *f = *state;
    for (int64_t i = 0; i < f->alone.nbundles; i++) {
        const struct cg_bundle *bundle = &f->alone.bundles[i];
        const struct cg_bundle_member *member = &f->alone.members[bundle->first_member];
        int64_t n = bundle->rows * bundle->columns;
        double *values[SYNTHETIC_MODELS + 1] = {NULL};
        for (int32_t m = 0; m < bundle->members; m++) {
            uint8_t wanted[32], *bytes = written_bytes(&f->written, member[m].model, member[m].tensor);
            EVP_Digest(bytes, (size_t)cg_dtype_bytes(member[m].dtype, n), wanted, NULL, EVP_sha256(), NULL);
            free(bytes);
            assert_memory_equal(f->wanted.digest[bundle->first_member + m], wanted, 32);
            const struct cg_moments *moments = &f->wanted.moments[bundle->first_member + m];
            assert_int_equal(moments->elements, bundle->real ? n : 0);
            values[m] = bundle->real ? values_of(f, &member[m], n) : NULL;
            int64_t odd = 0;
            for (int64_t k = 0; bundle->real && k < n; k++)
                odd += !isfinite(values[m][k]);
            assert_int_equal(moments->nonfinite, odd);
            for (int32_t k = 0; bundle->real && k < m; k++) {
                int64_t pair = cg_sweep_pair(&f->wanted, i, k, m);
                check_pair(&f->wanted.products[pair], values[k], values[m], n);
                check_null(&f->wanted.null[pair], &f->made.anatomy.slots[bundle->slot], values[k], values[m],
                           n);
            }
        }
        for (int32_t m = 0; m < bundle->members; m++)
            free(values[m]);
    }
    for (int m = 0; m < 3; m++) {
        uint8_t *embedding = written_bytes(&f->written, m, 0);
        assert_memory_equal(f->wanted.kept[m], embedding, 5000000);
        free(embedding);
    }
}

enum dealing { LIBRARY, SCATTERED, LAST_RANK };

static void add_task(struct cg_plan *plan, int rank, int wanted, struct cg_task task)
{
    if (rank == wanted)
        plan->tasks[plan->ntasks++] = task;
}

/* The tasks of one bundle that a rank has when everything that can be is split and strewn about. */
static void scatter_bundle(struct cg_plan *plan, int64_t i, int rank)
{
    struct cg_bundle *bundle = &plan->bundles[i];
    int64_t chunks = cg_chunk_count(bundle->rows, bundle->columns);
    if (!bundle->split) {
        add_task(plan, (int)i % plan->ranks, rank, (struct cg_task){CG_WORK_WHOLE, i, 0, 0, chunks});
        return;
    }
    if (!bundle->apart)
        add_task(plan, bundle->owner, rank, (struct cg_task){CG_WORK_STREAM, i, -1, 0, chunks});
    for (int32_t m = 0; bundle->apart && m < bundle->members; m++)
        add_task(plan, plan->members[bundle->first_member + m].owner, rank,
                 (struct cg_task){CG_WORK_STREAM, i, m, 0, chunks});
    for (int64_t k = chunks; bundle->real && k-- > 0;) /* the last chunk before the first */
        add_task(plan, (int)(i + k + 1) % plan->ranks, rank, (struct cg_task){CG_WORK_SUMS, i, 0, k, k + 1});
}

/* Replaces the dealing of a plan by one made by hand. */
static void deal_by_hand(struct cg_plan *plan, enum dealing dealing)
{
    int64_t room = plan->nmembers + 2 * plan->nbundles;
    for (int64_t i = 0; i < plan->nbundles; i++)
        room += cg_chunk_count(plan->bundles[i].rows, plan->bundles[i].columns);
    free(plan->tasks);
    plan->tasks = calloc((size_t)room, sizeof *plan->tasks);
    assert_non_null(plan->tasks);
    plan->ntasks = plan->ncells = 0;
    for (int64_t i = 0; i < plan->nbundles; i++) {
        struct cg_bundle *bundle = &plan->bundles[i];
        int64_t chunks = cg_chunk_count(bundle->rows, bundle->columns);
        bundle->split = dealing == SCATTERED && chunks > 0;
        bundle->apart = bundle->split && i % 2 == 0; /* the others stream their members side by side */
        bundle->owner = dealing == SCATTERED ? (int)i % plan->ranks : plan->ranks - 1;
        for (int32_t m = 0; m < bundle->members; m++)
            plan->members[bundle->first_member + m].owner =
                bundle->apart ? (int)(i + 2 * m) % plan->ranks : bundle->owner;
        bundle->cell = plan->ncells;
        bundle->cells = bundle->split ? chunks : 1;
        plan->ncells += bundle->cells;
    }
    for (int r = 0; r < plan->ranks; r++) {
        plan->first_task[r] = plan->ntasks;
        for (int64_t i = 0; i < plan->nbundles; i++)
            if (dealing == SCATTERED)
                scatter_bundle(plan, i, r);
            else
                add_task(plan, plan->ranks - 1, r,
                         (struct cg_task){CG_WORK_WHOLE, i, 0, 0,
                                          cg_chunk_count(plan->bundles[i].rows, plan->bundles[i].columns)});
    }
    plan->first_task[plan->ranks] = plan->ntasks;
}

static void make_plan(const struct fixture *f, enum dealing dealing, struct cg_plan *plan)
{
    struct cg_err err = {0};
    assert_int_equal(cg_plan_build(plan, &f->made.anatomy, f->made.models, comm.size, &err), 0);
    if (dealing != LIBRARY)
        deal_by_hand(plan, dealing);
}

/* Every sample's row is on one rank, and is that of one rank alone. */
static void compare_features(const struct cg_features *got, const struct cg_features *wanted)
{
    assert_int_equal(got->samples, wanted->samples);
    assert_int_equal(got->features, wanted->features);
    assert_int_equal(wanted->local, wanted->samples);
    for (int64_t s = 0; s < wanted->samples; s++) {
        int64_t here = 0;
        for (int64_t i = 0; i < got->local; i++)
            for (int64_t k = 0; got->sample[i] == s && k < wanted->local; k++)
                if (wanted->sample[k] == s) {
                    here++;
                    assert_memory_equal(got->value + i * got->features, wanted->value + k * wanted->features,
                                        (size_t)wanted->features * sizeof(double));
                }
        assert_int_equal(cg_sum_int(&comm, here), 1);
    }
}

/* Where the sketch of a member begins, -1: it is not there. */
static int64_t sketch_at(const struct fixture *f, const struct cg_sketches *of, int64_t member)
{
    int64_t first = 0;
    for (int64_t i = 0; i < of->local; i++) {
        if (of->member[i] == member)
            return first;
        const struct cg_member *at = &f->made.anatomy.members[of->member[i]];
        first += cg_sketch_length(&f->made.anatomy.slots[of->member[i] / 3], at->rows, at->columns);
    }
    return -1;
}

/* So is every sketch; and it is that of the values. */
static void compare_sketches(const struct fixture *f, const struct cg_sketches *got)
{
    const struct cg_sketches *wanted = &f->wanted.sketches;
    assert_true(wanted->local > 0);
    assert_int_equal(cg_sum_int(&comm, got->local), wanted->local);
    for (int64_t i = 0, first = 0; i < wanted->local; i++) {
        int64_t member = wanted->member[i], here = sketch_at(f, got, member);
        const struct cg_member *of = &f->made.anatomy.members[member];
        int64_t length = cg_sketch_length(&f->made.anatomy.slots[member / 3], of->rows, of->columns);
        if (here >= 0)
            assert_memory_equal(got->value + here, wanted->value + first, (size_t)length * sizeof(float));
        assert_int_equal(cg_sum_int(&comm, here >= 0), 1);
        first += length;
    }
}

static void same_bits(void **state)
{
    const struct fixture *f = *state;
    for (enum dealing dealing = LIBRARY; dealing <= LAST_RANK; dealing++)
        for (int round = 0; round < 2; round++) {
            struct cg_plan plan;
            struct cg_sweep got;
            struct cg_err err = {0};
            struct cg_sweep_options own = options;
            own.buffer = round == 0 ? options.buffer : 1; /* steps of the least size */
            make_plan(f, dealing, &plan);
            assert_int_equal(cg_sweep_run(&comm, f->made.models, &f->made.anatomy, &plan, &own, &got, &err),
                             0);
            size_t members = (size_t)plan.nmembers, pairs = (size_t)f->wanted.first_pair[plan.nbundles];
            assert_memory_equal(got.digest, f->wanted.digest, members * 32);
            assert_memory_equal(got.moments, f->wanted.moments, members * sizeof *got.moments);
            assert_memory_equal(got.products, f->wanted.products, pairs * sizeof *got.products);
            assert_memory_equal(got.null, f->wanted.null, pairs * sizeof *got.null);
            assert_memory_equal(got.first_pair, f->wanted.first_pair,
                                ((size_t)plan.nbundles + 1) * sizeof *got.first_pair);
            for (int m = 0; m < 3; m++)
                assert_memory_equal(got.kept[m], f->wanted.kept[m], 5000000);
            compare_features(&got.features, &f->wanted.features);
            compare_sketches(f, &got.sketches);
            cg_sweep_release(&got);
            cg_plan_release(&plan);
        }
}

/* Whether the error is the one that this failing rank meets: odd ranks a file cut, even ones none at all. */
static bool says(const struct cg_err *err, int rank, int64_t bytes)
{
    char text[64];
    if (rank % 2)
        snprintf(text, sizeof text, "were %lld", (long long)bytes + 1000 + rank);
    else
        snprintf(text, sizeof text, "/nowhere/rank-%d:", rank);
    return err->code == (rank % 2 ? CG_ECHANGED : CG_EIO) && strstr(err->text, text);
}

/* Any set of ranks finds a file that is not there, or not as it was: all hear the same, of one of those, and
 * none hangs. The others may have been called off before they met theirs. */
static void failing_ranks(void **state)
{
    struct fixture *f = *state;
    for (int failing = 1; failing < 1 << comm.size; failing++) {
        struct cg_plan plan;
        struct cg_sweep got;
        struct cg_err err = {0}, of_root;
        struct cg_file *file = &f->made.model[failing % 3].files[0], kept = *file;
        char path[64];
        snprintf(path, sizeof path, "/nowhere/rank-%d", comm.rank);
        if ((failing >> comm.rank & 1) && comm.rank % 2)
            file->bytes += 1000 + comm.rank;
        else if (failing >> comm.rank & 1)
            file->path = path;
        make_plan(f, SCATTERED, &plan);
        int result = cg_sweep_run(&comm, f->made.models, &f->made.anatomy, &plan, &options, &got, &err);
        *file = kept;
        assert_int_equal(result, -1);
        int culprits = 0;
        for (int rank = 0; rank < comm.size; rank++)
            culprits += (failing >> rank & 1) && says(&err, rank, kept.bytes);
        if (culprits != 1)
            print_error("%s\n", err.text);
        assert_int_equal(culprits, 1);
        of_root = err;
        MPI_Bcast(&of_root, (int)sizeof of_root, MPI_BYTE, 0, comm.mpi);
        assert_string_equal(err.text, of_root.text);
        assert_true(got.digest == NULL && got.moments == NULL && got.kept == NULL);
        cg_plan_release(&plan);
    }
}

int main(int argc, char **argv)
{
    struct cg_err err = {0};
    if (cg_comm_init(&comm, &argc, &argv, &err) < 0)
        return 1;
    cg_log_setup(true, false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_on_one),
        cmocka_unit_test(same_bits),
        cmocka_unit_test(failing_ranks),
    };
    int failed = cmocka_run_group_tests(tests, begin, end);
    cg_comm_finalize(&comm);
    return failed;
}
