/* Sketched layers judged: floors, controls, corrections, on cells made by hand. p is exp(-z^2 / 2) by hand.
 */
#include "result/mapped.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { LAYERS = 3, CELLS = LAYERS * LAYERS, PAIRS = 3, TESTS = 3 * CELLS };

/* Pairs of models of three layers: attention and up projections. Pairs 0 and 1 share a model, pair 2 has none
 * of theirs. */
struct scene {
    struct cg_map_cell cells[PAIRS][CG_MAP_GROUPS][CELLS];
    struct cg_maps maps[PAIRS];
    int32_t pairs[PAIRS][2];
    bool silent[PAIRS];
    struct cg_findings findings;
    struct cg_mapped *mapped;
};

static const struct cg_map_cell STRANGE = {2, 0.01, 0.015};

static struct cg_map_cell *cell(struct scene *s, int p, int group, int a, int b)
{
    return &s->cells[p][group][a * LAYERS + b];
}

static void set_up(struct scene *s)
{
    memset(s, 0, sizeof *s);
    for (int p = 0; p < PAIRS; p++) {
        s->maps[p] = (struct cg_maps){.layers = {LAYERS, LAYERS}};
        for (int group = 0; group < CG_MAP_GROUPS; group++) {
            s->maps[p].cell[group] = s->cells[p][group];
            for (int c = 0; c < CELLS; c++)
                s->cells[p][group][c] = STRANGE;
        }
        s->maps[p].role[CG_ROLE_ATTN_Q] = STRANGE; /* one role: as many tests again as there are cells */
        s->pairs[p][0] = p < 2 ? 0 : 5;
        s->pairs[p][1] = p + 1;
        s->silent[p] = true;
    }
    s->findings =
        (struct cg_findings){.pairs = (const int32_t(*)[2])s->pairs, .npairs = PAIRS, .maps = s->maps};
}

static const struct cg_mapped *judged(struct scene *s)
{
    struct cg_err err;
    assert_int_equal(cg_mapped_judge(&s->mapped, &s->findings, s->silent, &err), 0);
    cg_mapped_control(s->mapped, &s->findings, s->silent);
    return s->mapped;
}

static bool near(double x, double y)
{
    return fabs(x - y) < 1e-9 * (1 + fabs(y));
}

static void nothing_passes(void **state)
{
    (void)state;
    struct scene s;
    set_up(&s);
    const struct cg_mapped *m = judged(&s);
    for (int b = 0; b < LAYERS; b++) {
        assert_int_equal(m[0].from[CG_MAP_ATTENTION][b], -1);
        assert_true(near(m[0].log10_p[CG_MAP_ATTENTION][b], 0));
    }
    assert_true(s.silent[0] && near(m[0].floor, 0.1) && m[0].tests == TESTS);
    cg_mapped_release(s.mapped, PAIRS);
}

static void moved_and_corrected(void **state)
{
    (void)state;
    struct scene s;
    set_up(&s);
    *cell(&s, 0, CG_MAP_ATTENTION, 2, 0) = (struct cg_map_cell){4, 0.5, 0.02};
    *cell(&s, 0, CG_MAP_ATTENTION, 0, 0) = (struct cg_map_cell){4, 0.4, 0.02};
    *cell(&s, 0, CG_MAP_FFN, 1, 2) = (struct cg_map_cell){1, 0.9, 0.03};
    *cell(&s, 0, CG_MAP_FFN, 0, 1) = (struct cg_map_cell){0, NAN, NAN};
    s.maps[0].role[CG_ROLE_ATTN_Q] = (struct cg_map_cell){1, 0.5, 0.04};
    const struct cg_mapped *m = judged(&s);
    assert_int_equal(m[0].from[CG_MAP_ATTENTION][0], 2);
    assert_int_equal(m[0].from[CG_MAP_ATTENTION][1], -1);
    assert_int_equal(m[0].from[CG_MAP_FFN][2], 1);
    assert_int_equal(m[0].passing[CG_MAP_ATTENTION], 1);
    assert_int_equal(m[0].tests, TESTS - 1);
    assert_true(near(m[0].log10_p[CG_MAP_ATTENTION][0], -200 / log(10) + log10(TESTS - 1)));
    assert_true(near(m[0].strongest, -0.5 * pow(0.8 / 0.03, 2) / log(10) + log10(TESTS - 1)));
    assert_true(m[0].role_passed[CG_ROLE_ATTN_Q] && !m[0].role_passed[CG_ROLE_ATTN_K]);
    assert_true(!s.silent[0] && s.silent[1]);
    cg_mapped_release(s.mapped, PAIRS);
}

/* What a stranger shows is asked of a relative on top; but not of pairs without a common model, nor by pairs
 * in which something passes. */
static void controls(void **state)
{
    (void)state;
    struct scene s;
    for (int round = 0; round < 2; round++) {
        set_up(&s);
        *cell(&s, 1, CG_MAP_FFN, 0, 1) = (struct cg_map_cell){1, 0.3, 0.2};
        *cell(&s, 0, CG_MAP_ATTENTION, 2, 0) = (struct cg_map_cell){4, 0.42, 0.02};
        *cell(&s, 2, CG_MAP_ATTENTION, 2, 0) = (struct cg_map_cell){4, 0.42, 0.02};
        s.silent[1] = round == 0;
        const struct cg_mapped *m = judged(&s);
        assert_true(near(m[0].floor, round == 0 ? 0.3 : 0.1) && near(m[2].floor, 0.1));
        assert_int_equal(m[0].from[CG_MAP_ATTENTION][0], round == 0 ? -1 : 2);
        assert_int_equal(m[2].from[CG_MAP_ATTENTION][0], 2);
        cg_mapped_release(s.mapped, PAIRS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_passes),
        cmocka_unit_test(moved_and_corrected),
        cmocka_unit_test(controls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
