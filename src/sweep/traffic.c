#include "cognate/traffic.h"
#include "panel.h"
#include "table.h"
#include "worker.h"

/* One reduction, made when there is anything to reduce. */
static void count(struct cg_traffic *out, enum cg_traffic_kind kind, int64_t bytes)
{
    out->reduction[kind].calls += bytes > 0;
    out->reduction[kind].bytes += bytes;
}

static void count_table(struct cg_traffic *out, const struct cg_plan *plan)
{
    int64_t cells = 0, pairs = 0;
    for (int64_t i = 0; i < plan->nbundles; i++) {
        const struct cg_bundle *bundle = &plan->bundles[i];
        cells += bundle->real ? bundle->cells * cg_cell_size(bundle->members) : 0;
        pairs += cg_pairs(bundle->members);
    }
    count(out, CG_TRAFFIC_TABLE, cells * (int64_t)sizeof(double));
    count(out, CG_TRAFFIC_NULLS, pairs * CG_NULL_FIELDS * (int64_t)sizeof(double));
    count(out, CG_TRAFFIC_DIGESTS, plan->nmembers * CG_SHA256);
}

static void count_embeddings(struct cg_traffic *out, const struct cg_plan *plan,
                             const struct cg_anatomy *anatomy)
{
    if (cg_embedding_bytes(plan, anatomy) > CG_KEEP_BYTES)
        return;
    for (int64_t s = 0; s < anatomy->nslots; s++)
        for (int m = 0; anatomy->slots[s].role == CG_ROLE_EMBED && m < anatomy->models; m++) {
            const struct cg_member *member = cg_member_of(anatomy, s, m);
            if (member->tensor >= 0 && !member->quantised)
                count(out, CG_TRAFFIC_EMBEDDINGS,
                      cg_grain_bytes(member->grain, member->rows * member->columns));
        }
}

static void count_panels(struct cg_traffic *out, const struct cg_plan *plan, const struct cg_anatomy *anatomy)
{
    for (int64_t i = 0; i < plan->nbundles; i++) {
        const struct cg_bundle *bundle = &plan->bundles[i];
        const struct cg_bundle_member *member = &plan->members[bundle->first_member];
        struct cg_panel_shape shape = cg_bundle_panel_shape(anatomy, bundle);
        int64_t bytes = shape.lines * shape.residual * (int64_t)sizeof(float);
        for (int32_t m = 1; bundle->apart && bytes > 0 && m < bundle->members; m++)
            if (member[m].owner != member[0].owner) {
                out->panels++;
                out->panel_bytes += bytes;
            }
    }
}

void cg_traffic_of(struct cg_traffic *out, const struct cg_plan *plan, const struct cg_anatomy *anatomy)
{
    *out = (struct cg_traffic){0};
    count_table(out, plan);
    count_embeddings(out, plan, anatomy);
    count_panels(out, plan, anatomy);
}

int64_t cg_traffic_messages(const struct cg_traffic *traffic, int ranks)
{
    int64_t calls = 0, steps = 0;
    for (int kind = 0; kind < CG_TRAFFIC_KINDS; kind++)
        calls += traffic->reduction[kind].calls;
    while (INT64_C(1) << steps < ranks)
        steps++;
    return calls * ranks * 2 * steps + traffic->panels;
}

int64_t cg_traffic_bytes(const struct cg_traffic *traffic, int ranks)
{
    int64_t bytes = 0;
    for (int kind = 0; kind < CG_TRAFFIC_KINDS; kind++)
        bytes += traffic->reduction[kind].bytes;
    return 2 * (int64_t)(ranks - 1) * bytes + traffic->panel_bytes;
}
