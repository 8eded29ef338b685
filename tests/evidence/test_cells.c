/* Which cells are listed where there are more than a limit, against lists made by hand. */
#include "evidence/cells.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { LAYERS = 2, EXPERTS = 3, BLOCKS = LAYERS * EXPERTS, MOST = 40 };

/* Two layers of three experts in both models; the last layer of a may be a dense block instead. */
static int32_t make_blocks(struct cg_ffn_block *blocks, bool dense)
{
    int32_t n = 0;
    for (int32_t l = 0; l < LAYERS; l++)
        for (int32_t e = 0; e < (dense && l == 1 ? 1 : EXPERTS); e++)
            blocks[n++] = (struct cg_ffn_block){.layer = l, .expert = dense && l == 1 ? -1 : e, .units = 64};
    return n;
}

static void lists(void **state)
{
    (void)state;
    static const struct {
        int64_t most;
        bool dense;
        int32_t candidate[BLOCKS]; /* of each block of b; -2 in the first: none at all */
        bool thinned;
        int32_t step, candidates;
        const char *cells; /* blocks of a for each block of b, which a comma ends */
    } table[] = {
        {36, false, {5, 5, 5, 5, 5, 5}, false, 1, 0, "012345,012345,012345,012345,012345,012345,"},
        {35, false, {-2}, true, 1, 0, "012,012,012,345,345,345,"},
        {35, false, {5, -1, 1, 0, 4, -1}, true, 1, 4, "0125,012,012,0345,345,345,"},
        {17, false, {5, -1, 1, 0, -1, -1}, true, 1, 3, "0125,012,012,0345,345,345,"},
        {12, false, {-2}, true, 2, 0, "012,,012,345,,345,"},
        {12, false, {3, 4, 1, -1, 2, 2}, true, 2, 5, "0123,4,012,345,2,2345,"},
        {6, false, {-2}, true, 3, 0, "012,,,345,,,"},
        {1, false, {3, -1, -1, -1, -1, 0}, true, 6, 2, "0123,,,345,,0,"},
        {23, true, {-1, 3, -1, 0, -1, -1}, true, 1, 2, "012,0123,012,03,3,3,"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct cg_ffn_block a[BLOCKS], b[BLOCKS];
        struct cg_kinship of = {.blocks = {a, b},
                                .nblocks = {make_blocks(a, table[i].dense), make_blocks(b, false)}};
        struct cg_err err;
        char cells[MOST + BLOCKS + 1] = "";
        const int32_t *candidate = table[i].candidate[0] == -2 ? NULL : table[i].candidate;
        assert_int_equal(cg_cells_list(&of, table[i].most, candidate, &err), 0);
        for (int64_t c = 0, block = 0; block < BLOCKS; block++) {
            for (; c < of.ncells && of.cells[c].b == block; c++)
                strncat(cells, &"012345"[of.cells[c].a], 1);
            strcat(cells, ",");
        }
        if (strcmp(cells, table[i].cells) != 0)
            fail_msg("row %zu: %s", i, cells);
        assert_int_equal(of.thinned, table[i].thinned);
        assert_int_equal(of.step, table[i].step);
        assert_int_equal(of.candidates, table[i].candidates);
        assert_int_equal(of.all_cells, of.nblocks[0] * BLOCKS);
        free(of.cells);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
