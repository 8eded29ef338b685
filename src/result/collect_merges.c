#include "collect.h"

static void set_row(struct cg_result *out, int64_t at, const struct cg_merge *merge, int parent, int32_t l)
{
    const struct cg_merge_layer *layer = &merge->layers[l];
    out->merges.child[at] = merge->child;
    out->merges.base[at] = merge->base;
    out->merges.parent[at] = merge->parent[parent];
    out->merges.layer[at] = layer->layer;
    out->merges.matrices[at] = layer->matrices;
    out->merges.weight[at] = layer->weight[parent];
    out->merges.standard_error[at] = layer->standard_error[parent];
    out->merges.unexplained[at] = layer->unexplained;
    out->merges.unexplained_in_all[at] = merge->unexplained;
    out->merges.alike[at] = merge->alike[parent];
    out->merges.ambiguous[at] = merge->ambiguous;
}

int cg_collect_merges(struct cg_result *out, const struct cg_merges *merges, struct cg_err *err)
{
    int64_t rows = 0, at = 0;
    for (int i = 0; i < merges->n; i++)
        rows += (int64_t)merges->list[i].parents * merges->list[i].nlayers;
    out->size[CG_DIM_MERGE_ROW] = rows;
    if (cg_result_allocate(out, "/merges", err) < 0)
        return -1;
    for (int i = 0; i < merges->n; i++)
        for (int k = 0; k < merges->list[i].parents; k++)
            for (int32_t l = 0; l < merges->list[i].nlayers; l++)
                set_row(out, at++, &merges->list[i], k, l);
    return 0;
}
