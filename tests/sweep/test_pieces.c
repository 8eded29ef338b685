/* Pieces cover a rank's tasks, each element once and in order, within the buffer. */
#include "../plan/synthetic.h"
#include "sweep/pieces.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the above first */
#include <cmocka.h>

static void make_models(struct synthetic *made)
{
    synthetic_begin(made, 3);
    synthetic_alike(made, CG_ROLE_EMBED, -1, -1, CG_BF16, 9000, 1000); /* 5 chunks */
    synthetic_alike(made, CG_ROLE_EMBED_NORM, -1, -1, CG_F32, 1, 1000);
    synthetic_alike(made, CG_ROLE_ATTN_Q, 0, -1, CG_F32, 0, 64);
    synthetic_slot(made, CG_ROLE_ATTN_K, 0, -1);
    synthetic_member(made, 0, CG_F4, 4096, 1030);
    synthetic_member(made, 1, CG_F64, 4096, 1030);
    synthetic_member(made, 2, CG_F6_E2M3, 4096, 1030);
    synthetic_alike(made, CG_ROLE_ATTN_V, 0, -1, CG_BOOL, 3, 1500001);
    synthetic_alike(made, CG_ROLE_OTHER, -1, -1, CG_U8, 1, 1);
}

/* The elements from which and up to which a task goes. */
static void range_of(const struct cg_plan *plan, const struct cg_task *task, int64_t *first, int64_t *end)
{
    const struct cg_bundle *bundle = &plan->bundles[task->bundle];
    int64_t total = bundle->rows * bundle->columns;
    int64_t chunk = cg_chunk_elements(bundle->rows, bundle->columns);
    *first = task->first_chunk * chunk;
    *end = task->end_chunk * chunk < total ? task->end_chunk * chunk : total;
}

static int64_t bytes_of(const struct cg_plan *plan, const struct cg_piece *piece)
{
    const struct cg_bundle *bundle = &plan->bundles[piece->task->bundle];
    int64_t bytes = 0;
    for (int32_t m = 0; m < bundle->members; m++)
        if (piece->task->work != CG_WORK_STREAM || !bundle->apart || m == piece->task->member)
            bytes += cg_dtype_bytes(plan->members[bundle->first_member + m].dtype, piece->elements);
    return bytes;
}

static void walk_task(const struct cg_plan *plan, const struct cg_task *task, struct cg_piece_cursor *cursor)
{
    const struct cg_bundle *bundle = &plan->bundles[task->bundle];
    int64_t chunk = cg_chunk_elements(bundle->rows, bundle->columns), at, end;
    range_of(plan, task, &at, &end);
    for (bool more = true; more;) {
        struct cg_piece piece;
        assert_true(cg_piece_next(cursor, &piece));
        assert_ptr_equal(piece.task, task);
        assert_int_equal(piece.members, task->work == CG_WORK_STREAM && bundle->apart ? 1 : bundle->members);
        assert_int_equal(piece.first, at);
        assert_int_equal(piece.chunk, chunk > 0 ? at / chunk : 0);
        assert_int_equal(piece.at, chunk > 0 ? at % chunk : 0);
        assert_int_equal(piece.at % CG_STEP, 0);
        assert_true(piece.elements > 0 || at == end);
        assert_true(piece.at + piece.elements <= chunk);
        assert_true(bytes_of(plan, &piece) <= cursor->half);
        at += piece.elements;
        assert_int_equal(piece.ends_chunk, at == end || at % chunk == 0);
        assert_int_equal(piece.ends_task, at == end);
        assert_true(piece.ends_task || piece.elements % cg_dtype_grain(CG_F4).elements == 0);
        more = at < end;
    }
}

static void cover_tasks(void **state)
{
    (void)state;
    static const int ranks[] = {1, 2, 4, 7, 40};
    static const int64_t more[] = {0, 1, 100000, 1 << 20, 1 << 26};
    struct synthetic made;
    make_models(&made);
    for (size_t r = 0; r < sizeof ranks / sizeof *ranks; r++)
        for (size_t b = 0; b < sizeof more / sizeof *more; b++) {
            struct cg_plan plan;
            struct cg_err err = {0};
            assert_int_equal(cg_plan_build(&plan, &made.anatomy, made.models, ranks[r], &err), 0);
            int64_t least = cg_sweep_least_buffer(&plan);
            assert_int_equal(least, 2 * CG_STEP * (3 * 32) / 8); /* three f32, of no elements */
            for (int rank = 0; rank < plan.ranks; rank++) {
                struct cg_piece_cursor cursor = {.plan = &plan,
                                                 .task = plan.tasks + plan.first_task[rank],
                                                 .end = plan.tasks + plan.first_task[rank + 1],
                                                 .half = (least + more[b]) / 2};
                for (int64_t t = plan.first_task[rank]; t < plan.first_task[rank + 1]; t++)
                    walk_task(&plan, &plan.tasks[t], &cursor);
                struct cg_piece piece;
                assert_false(cg_piece_next(&cursor, &piece));
                assert_false(cg_piece_next(&cursor, &piece));
            }
            cg_plan_release(&plan);
        }
    synthetic_release(&made);
}

/* As large as the buffer lets it be, but no read above 16 MiB a member, and no piece above a chunk. */
static void piece_sizes(void **state)
{
    (void)state;
    struct synthetic made;
    struct cg_plan plan;
    struct cg_err err = {0};
    static const struct {
        int64_t slot, half, elements;
    } cases[] = {
        {0, 0, 8192},         /* a step is the least */
        {0, 3 * 16384, 8192}, /* three members of 2 bytes */
        {0, 2 * 49152 - 1, 8192},
        {0, 2 * 49152, 16384},
        {0, 1 << 30, 2096000}, /* the chunk: 2096 rows */
        {1, 1 << 30, 1000},    /* the tensor */
        {3, 1 << 30, 2092960}, /* 16 MiB of f64 are 2^21 elements: the chunk, 2032 rows, comes first */
        {2, 1 << 30, 0},
    };
    make_models(&made);
    assert_int_equal(cg_plan_build(&plan, &made.anatomy, made.models, 1, &err), 0);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct cg_task task = {.work = CG_WORK_WHOLE, .bundle = cases[c].slot};
        assert_int_equal(cg_piece_elements(&plan, &task, cases[c].half), cases[c].elements);
    }
    cg_plan_release(&plan);
    synthetic_release(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cover_tasks),
        cmocka_unit_test(piece_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
