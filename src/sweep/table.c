#include "table.h"
#include "cognate/mem.h"
#include "panel.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

int64_t cg_table_bytes(const struct cg_plan *plan)
{
    int64_t doubles = 0;
    for (int64_t i = 0; i < plan->nbundles; i++) {
        const struct cg_bundle *bundle = &plan->bundles[i];
        doubles += bundle->real ? bundle->cells * cg_cell_size(bundle->members) : 0;
        doubles += CG_NULL_FIELDS * cg_pairs(bundle->members);
    }
    return doubles * (int64_t)sizeof(double) + plan->nmembers * CG_SHA256;
}

int cg_table_init(struct cg_table *table, const struct cg_plan *plan, struct cg_err *err)
{
    *table = (struct cg_table){.plan = plan};
    size_t n = (size_t)plan->nbundles;
    if (!(table->first = cg_new(n + 1, sizeof *table->first, err)) ||
        !(table->first_pair = cg_new(n + 1, sizeof *table->first_pair, err)))
        return -1;
    for (size_t i = 0; i < n; i++) {
        const struct cg_bundle *bundle = &plan->bundles[i];
        table->first[i + 1] =
            table->first[i] + (bundle->real ? bundle->cells * cg_cell_size(bundle->members) : 0);
        table->first_pair[i + 1] = table->first_pair[i] + cg_pairs(bundle->members);
    }
    table->cells = cg_new((size_t)table->first[n], sizeof *table->cells, err);
    table->nulls = table->cells
                       ? cg_new((size_t)table->first_pair[n] * CG_NULL_FIELDS, sizeof *table->nulls, err)
                       : NULL;
    table->digest = table->nulls ? cg_new((size_t)plan->nmembers, sizeof *table->digest, err) : NULL;
    return table->digest ? 0 : -1;
}

void cg_table_release(struct cg_table *table)
{
    free(table->first);
    free(table->first_pair);
    free(table->cells);
    free(table->nulls);
    free(table->digest);
    free(table->losses.list);
    *table = (struct cg_table){0};
}

double *cg_table_cell(const struct cg_table *table, int64_t bundle, int64_t chunk)
{
    return table->cells + table->first[bundle] + chunk * cg_cell_size(table->plan->bundles[bundle].members);
}

void cg_table_set_null(struct cg_table *table, int64_t bundle, int64_t pair, const struct cg_shift_null *null)
{
    double *cell = table->nulls + (table->first_pair[bundle] + pair) * CG_NULL_FIELDS;
    cell[0] = null->cosine + 0.0; /* no -0.0, which a reduction would turn into +0.0 */
    cell[1] = null->mean + 0.0;
    cell[2] = null->sd + 0.0;
}

static void read_moments(const struct cg_bundle *bundle, const double *cell, struct cg_moments *moments)
{
    for (int32_t m = 0; m < bundle->members; m++, cell += CG_MEMBER_FIELDS)
        moments[m] = (struct cg_moments){.elements = bundle->rows * bundle->columns,
                                         .sum = cell[0],
                                         .squares = cell[1],
                                         .minimum = cell[2],
                                         .maximum = cell[3],
                                         .nonfinite = (int64_t)cell[4],
                                         .rounding = cell[5]};
}

static void read_products(const struct cg_bundle *bundle, const double *cell,
                          const struct cg_moments *moments, struct cg_products *products)
{
    const double *field = cell + CG_MEMBER_FIELDS * (int64_t)bundle->members;
    for (int32_t j = 0; j < bundle->members; j++)
        for (int32_t i = 0; i < j; i++) {
            const double *own = field + CG_PAIR_FIELDS * cg_pair_index(i, j);
            products[cg_pair_index(i, j)] =
                (struct cg_products){.elements = moments[i].elements - moments[i].nonfinite,
                                     .product = own[0],
                                     .difference = own[1],
                                     .sum_a = moments[i].sum,
                                     .sum_b = moments[j].sum,
                                     .squares_a = moments[i].squares,
                                     .squares_b = moments[j].squares};
        }
}

/* Sums of bundles, folded over their chunks, as moments and products. */
static void read_cells(const struct cg_table *table, struct cg_sweep *out)
{
    const struct cg_plan *plan = table->plan;
    for (int64_t i = 0; i < plan->nbundles; i++) {
        const struct cg_bundle *bundle = &plan->bundles[i];
        if (!bundle->real)
            continue;
        double *cell = cg_table_cell(table, i, 0);
        if (bundle->split)
            cg_cells_fold(cell, bundle->cells, bundle->members, cell);
        read_moments(bundle, cell, out->moments + bundle->first_member);
        read_products(bundle, cell, out->moments + bundle->first_member,
                      out->products + table->first_pair[i]);
    }
}

static void read_nulls(const struct cg_table *table, struct cg_sweep *out)
{
    for (int64_t p = 0; p < table->first_pair[table->plan->nbundles]; p++) {
        const double *cell = table->nulls + p * CG_NULL_FIELDS;
        out->null[p] =
            (struct cg_shift_null){cell[0], cell[1], cell[2], cg_shift_t(cell[0], cell[1], cell[2])};
    }
}

enum { LOSS_FIELDS = 6 };

/* Where each pair that has non-finite values keeps its losses, by chunk: offsets into the loss table, -1 for
 * others. */
static int64_t place_losses(const struct cg_plan *plan, const struct cg_sweep *sweep, int64_t *offset)
{
    int64_t size = 0;
    for (int64_t i = 0; i < plan->nbundles; i++) {
        const struct cg_bundle *bundle = &plan->bundles[i];
        const struct cg_moments *moments = sweep->moments + bundle->first_member;
        for (int32_t b = 0; b < bundle->members; b++)
            for (int32_t a = 0; a < b; a++) {
                int64_t pair = sweep->first_pair[i] + cg_pair_index(a, b);
                offset[pair] = moments[a].nonfinite + moments[b].nonfinite > 0 ? size : -1;
                if (offset[pair] >= 0)
                    size += LOSS_FIELDS * cg_chunk_count(bundle->rows, bundle->columns);
            }
    }
    return size;
}

static void write_losses(const struct cg_table *table, const int64_t *offset, double *values)
{
    for (size_t i = 0; i < table->losses.n; i++) {
        const struct cg_loss *loss = &table->losses.list[i];
        int64_t pair = table->first_pair[loss->bundle] + cg_pair_index(loss->low, loss->high);
        double fields[LOSS_FIELDS] = {loss->elements[0], loss->elements[1], loss->sum[0],
                                      loss->sum[1],      loss->squares[0],  loss->squares[1]};
        for (int f = 0; f < LOSS_FIELDS; f++)
            values[offset[pair] + LOSS_FIELDS * loss->chunk + f] = fields[f] + 0.0;
    }
}

/* Takes from a pair's moments what has no finite partner. */
static void subtract_losses(const double *values, int64_t chunks, struct cg_products *pair)
{
    double lost[LOSS_FIELDS] = {0};
    for (int64_t k = 0; k < chunks; k++)
        for (int f = 0; f < LOSS_FIELDS; f++)
            lost[f] += values[LOSS_FIELDS * k + f];
    pair->elements -= (int64_t)lost[0];
    pair->sum_a -= lost[2];
    pair->sum_b -= lost[3];
    pair->squares_a -= lost[4];
    pair->squares_b -= lost[5];
}

static int reduce_losses(const struct cg_comm *comm, const struct cg_table *table, struct cg_sweep *out,
                         struct cg_err *err)
{
    const struct cg_plan *plan = table->plan;
    double *values = NULL;
    int64_t *offset = cg_new((size_t)table->first_pair[plan->nbundles], sizeof *offset, err);
    int64_t size = offset ? place_losses(plan, out, offset) : 0;
    int result = offset && (values = cg_new((size_t)size, sizeof *values, err)) ? 0 : -1;
    CG_TRY(result = cg_agree(comm, result, err));
    write_losses(table, offset, values);
    cg_sum_doubles(comm, values, size);
    for (int64_t i = 0; i < plan->nbundles; i++)
        for (int64_t p = table->first_pair[i]; p < table->first_pair[i + 1]; p++)
            if (offset[p] >= 0)
                subtract_losses(values + offset[p],
                                cg_chunk_count(plan->bundles[i].rows, plan->bundles[i].columns),
                                &out->products[p]);
done:
    free(offset);
    free(values);
    return result;
}

static int allocate_out(const struct cg_table *table, struct cg_sweep *out, struct cg_err *err)
{
    size_t members = (size_t)table->plan->nmembers, pairs = (size_t)table->first_pair[table->plan->nbundles];
    if (!(out->moments = cg_new(members, sizeof *out->moments, err)) ||
        !(out->products = cg_new(pairs, sizeof *out->products, err)) ||
        !(out->null = cg_new(pairs, sizeof *out->null, err)) ||
        !(out->first_pair = cg_new((size_t)table->plan->nbundles + 1, sizeof *out->first_pair, err)))
        return -1;
    memcpy(out->first_pair, table->first_pair, ((size_t)table->plan->nbundles + 1) * sizeof *out->first_pair);
    return 0;
}

int cg_table_reduce(const struct cg_comm *comm, struct cg_table *table, struct cg_sweep *out,
                    struct cg_err *err)
{
    const struct cg_plan *plan = table->plan;
    if (cg_agree(comm, allocate_out(table, out, err), err) < 0)
        return -1;
    cg_sum_doubles(comm, table->cells, table->first[plan->nbundles]);
    cg_sum_doubles(comm, table->nulls, table->first_pair[plan->nbundles] * CG_NULL_FIELDS);
    cg_or_bytes(comm, (uint8_t *)table->digest, plan->nmembers * CG_SHA256);
    out->digest = table->digest;
    table->digest = NULL;
    read_cells(table, out);
    read_nulls(table, out);
    return reduce_losses(comm, table, out, err);
}
