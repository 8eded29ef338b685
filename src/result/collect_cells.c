#include "collect.h"

/* Rows over all pairs. Beyond it cells that were tested exactly stay, and of the others evenly spread ones.
 */
enum { MOST_ROWS = 1 << 18 };

static void set_row(struct cg_result *out, int64_t at, int64_t pair, const struct cg_kinship *of,
                    const struct cg_cell *cell)
{
    const struct cg_ffn_block *a = &of->blocks[0][cell->a], *b = &of->blocks[1][cell->b];
    out->cells.pair[at] = (int32_t)pair;
    out->cells.layer_a[at] = a->layer;
    out->cells.expert_a[at] = a->expert;
    out->cells.layer_b[at] = b->layer;
    out->cells.expert_b[at] = b->expert;
    out->cells.units[at] = cell->units;
    out->cells.by_rows[at] = cell->raw;
    out->cells.by_tokens[at] = cell->probe;
    out->cells.products_t[at] = cell->gram;
    if (cell->sample > 0) {
        out->cells.fixed_gate[at] = cell->fixed[0];
        out->cells.fixed_up[at] = cell->fixed[1];
    }
}

/* Writes a pair's rows from `at` on, or with out NULL counts them. */
static int64_t list_pair(struct cg_result *out, int64_t at, const struct cg_findings *findings, int64_t pair)
{
    const struct cg_kinship *of = &findings->kinships[pair];
    int64_t rows = 0, most = MOST_ROWS / findings->npairs + 1, step = (of->ncells + most - 1) / most;
    for (int64_t c = 0; c < of->ncells; c++) {
        if (c % step != 0 && of->cells[c].sample == 0)
            continue;
        if (out)
            set_row(out, at + rows, pair, of, &of->cells[c]);
        rows++;
    }
    return rows;
}

int cg_collect_cells(struct cg_result *out, const struct cg_findings *findings, struct cg_err *err)
{
    int64_t rows = 0, at = 0, npairs = findings->kinships ? findings->npairs : 0;
    for (int64_t p = 0; p < npairs; p++)
        rows += list_pair(NULL, 0, findings, p);
    out->size[CG_DIM_CELL] = rows;
    if (cg_result_allocate(out, "/cells", err) < 0)
        return -1;
    for (int64_t p = 0; p < npairs; p++)
        at += list_pair(out, at, findings, p);
    return 0;
}
