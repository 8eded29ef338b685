#include "forecast.h"
#include "pca/block_cyclic.h"
#include "pca/grid.h"
#include <math.h>

bool any_beside(const struct cg_plan *plan)
{
    for (int64_t i = 0; i < plan->nbundles; i++)
        if (plan->bundles[i].members > 1)
            return true;
    return false;
}

/* The members that a task streams: of a split bundle's sums, none. */
static int32_t streamed(const struct cg_plan *plan, const struct cg_task *task)
{
    return task->work == CG_WORK_SUMS ? 0 : task->member >= 0 ? 1 : plan->bundles[task->bundle].members;
}

static int64_t samples_of(const struct cg_plan *plan, const struct cg_models *models,
                          const struct cg_task *task, const struct cg_sweep_options *options)
{
    const struct cg_bundle *bundle = &plan->bundles[task->bundle];
    const struct cg_bundle_member *first = &plan->members[bundle->first_member];
    int64_t n = 0;
    for (int32_t m = 0; m < streamed(plan, task); m++) {
        int model = first[task->member >= 0 ? task->member : m].model;
        n += cg_is_sample(&models->anatomy.slots[bundle->slot],
                          cg_member_of(&models->anatomy, bundle->slot, model), models->pointers[model],
                          options);
    }
    return n;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* What one rank reads, hashes and keeps. Returns the bytes of its features. */
static int64_t add_rank(struct forecast *out, const struct cg_plan *plan, const struct cg_models *models,
                        const struct cg_sweep_options *options, int rank)
{
    int64_t hashed = 0, samples = 0;
    for (int64_t i = plan->first_task[rank]; i < plan->first_task[rank + 1]; i++) {
        hashed += plan->tasks[i].work == CG_WORK_SUMS ? 0 : cg_task_bytes(plan, &plan->tasks[i]);
        samples += samples_of(plan, models, &plan->tasks[i], options);
    }
    out->read += plan->bytes[rank];
    out->read_most = larger(out->read_most, plan->bytes[rank]);
    out->hashed += hashed;
    out->hashed_most = larger(out->hashed_most, hashed);
    out->load_most = larger(out->load_most, plan->load[rank]);
    out->samples += samples;
    return samples * options->feature_length * (int64_t)sizeof(double);
}

/* Each sample goes to one column of the PCA's grid, in pieces to its rows, with its number before each. */
static int64_t feature_bytes(int64_t samples, int64_t features, int ranks)
{
    int rows = 1, columns = 1;
    if (samples == 0)
        return 0;
    cg_cyclic_grid(ranks, (features + CG_PCA_BLOCK - 1) / CG_PCA_BLOCK, &rows, &columns);
    return samples * (features + rows) * (int64_t)sizeof(double);
}

/* Seconds of the slowest node, when memory alone counts. */
static double memory_seconds(struct forecast *out, const struct cg_plan *plan, const struct rates *rates)
{
    double most = 0;
    for (int node = 0; node < out->nodes; node++) {
        int64_t bytes = 0;
        int first = node * rates->ranks_a_node, end = first + rates->ranks_a_node;
        end = end < plan->ranks ? end : plan->ranks;
        for (int r = first; r < end; r++)
            bytes += plan->bytes[r];
        out->node_read_most = larger(out->node_read_most, bytes);
        double rate = rates->memory > 0 ? rates->memory : rates->copy * (end - first);
        most = fmax(most, MEMORY_TURNS * (double)bytes / rate);
    }
    return most;
}

static void set_bounds(struct forecast *out, const struct cg_plan *plan, const struct rates *rates)
{
    out->seconds[BOUND_HASH] = (double)out->hashed_most / rates->hash;
    out->seconds[BOUND_MEMORY] = memory_seconds(out, plan, rates);
    out->seconds[BOUND_FILES] = rates->bandwidth > 0 ? (double)out->read / rates->bandwidth : NAN;
    for (int b = 0; b < BOUNDS; b++)
        if (out->seconds[b] > out->seconds[out->binding])
            out->binding = (enum bound)b;
    int cost = any_beside(plan) ? CG_COST_HASH_BESIDE : CG_COST_HASH_ALONE;
    out->work = (double)out->load_most / (cost * rates->hash);
}

void forecast_of(struct forecast *out, const struct cg_plan *plan, const struct cg_models *models,
                 const struct cg_sweep_options *options, const struct rates *rates)
{
    int64_t features = 0;
    *out = (struct forecast){.ranks = plan->ranks,
                             .nodes = (plan->ranks + rates->ranks_a_node - 1) / rates->ranks_a_node,
                             .imbalance = cg_plan_imbalance(plan),
                             .load = plan->total_load,
                             .load_largest = plan->largest};
    for (int64_t i = 0; i < plan->nbundles; i++)
        out->split += plan->bundles[i].split;
    for (int r = 0; r < plan->ranks; r++)
        features = larger(features, add_rank(out, plan, models, options, r));
    out->memory = cg_sweep_memory(plan, &models->anatomy, options) + features;
    cg_traffic_of(&out->traffic, plan, &models->anatomy);
    out->feature_bytes = feature_bytes(out->samples, options->feature_length, plan->ranks);
    set_bounds(out, plan, rates);
}
