#include "cognate/mem.h"
#include "cognate/text.h"
#include "plan.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_RANKS = 32 };

static const char *const bound_key[] = {
#define BOUND_KEY(id, name, paper) #name,
    BOUND_LIST(BOUND_KEY)
#undef BOUND_KEY
};
static const char *const bound_name[] = {
#define BOUND_NAME(id, name, paper) paper,
    BOUND_LIST(BOUND_NAME)
#undef BOUND_NAME
};
static const char *const traffic_key[] = {
#define TRAFFIC_KEY(id, name, what) #name,
    CG_TRAFFIC_LIST(TRAFFIC_KEY)
#undef TRAFFIC_KEY
};

static double stored(const struct cg_models *models)
{
    double bytes = 0;
    for (int m = 0; m < models->n; m++)
        bytes += (double)cg_checkpoint_bytes(&models->checkpoints[m]);
    return bytes;
}

/* Seconds in at most seven characters, "-" where they are not known. */
static const char *show_seconds(char out[16], double seconds)
{
    if (isnan(seconds))
        return "-";
    snprintf(out, 16, seconds < 10 ? "%.3f" : seconds < 1000 ? "%.1f" : "%.0f", fmin(seconds, 1e9));
    return out;
}

static int64_t slots_of(const struct cg_plan *plan, int rank)
{
    return plan->first_task[rank + 1] - plan->first_task[rank];
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Least, median and most of a number over the ranks. */
static void print_spread(FILE *out, const char *what, int64_t *values, int n, double unit)
{
    qsort(values, (size_t)n, sizeof *values, by_size);
    fprintf(out, "%-14s %12.4g %12.4g %12.4g\n", what, (double)values[0] / unit, (double)values[n / 2] / unit,
            (double)values[n - 1] / unit);
}

static int print_ranks(FILE *out, const struct cg_plan *plan, struct cg_err *err)
{
    if (plan->ranks <= SHOWN_RANKS) {
        fprintf(out, "\n%6s %12s %10s %12s\n", "rank", "GB read", "tasks", "load");
        for (int r = 0; r < plan->ranks; r++)
            fprintf(out, "%6d %12.4f %10" PRId64 " %11.2f%%\n", r, 1e-9 * (double)plan->bytes[r],
                    slots_of(plan, r),
                    plan->total_load > 0
                        ? 100.0 * (double)plan->load[r] * plan->ranks / (double)plan->total_load
                        : 0);
        return 0;
    }
    int64_t *values = cg_new((size_t)plan->ranks, sizeof *values, err);
    if (!values)
        return -1;
    fprintf(out, "\n%-14s %12s %12s %12s\n", "by rank", "least", "median", "most");
    memcpy(values, plan->bytes, (size_t)plan->ranks * sizeof *values);
    print_spread(out, "GB read", values, plan->ranks, 1e9);
    for (int r = 0; r < plan->ranks; r++)
        values[r] = slots_of(plan, r);
    print_spread(out, "tasks", values, plan->ranks, 1);
    free(values);
    return 0;
}

static void print_limit(FILE *out, const struct cg_plan *plan, const struct cg_models *models)
{
    const struct cg_bundle *largest = plan->nbundles > 0 ? &plan->bundles[plan->largest_bundle] : NULL;
    double mean = (double)plan->total_load / plan->ranks;
    if (!largest)
        return;
    fprintf(out, "largest slot   %s, %.3f GB\n", models->anatomy.slots[largest->slot].name,
            1e-9 * (double)largest->bytes);
    if ((double)plan->largest > mean)
        fprintf(out,
                "limit          %s: its hash, taken by one rank, is %.1f times the mean load;\n"
                "               more than %.0f ranks gain nothing\n",
                models->anatomy.slots[largest->slot].name, (double)plan->largest / mean,
                (double)plan->total_load / (double)plan->largest);
}

static void print_traffic(FILE *out, const struct forecast *forecast)
{
    const struct cg_traffic *traffic = &forecast->traffic;
    int64_t bytes = 0, calls = 0;
    for (int kind = 0; kind < CG_TRAFFIC_KINDS; kind++) {
        bytes += traffic->reduction[kind].bytes;
        calls += traffic->reduction[kind].calls;
    }
    fprintf(out, "reductions     %" PRId64 " of %.3f MB in all, of every rank\n", calls,
            1e-6 * (double)bytes);
    fprintf(out, "panels         %" PRId64 " of %.3f MB in all, from rank to rank\n", traffic->panels,
            1e-6 * (double)traffic->panel_bytes);
    fprintf(out, "as messages    %" PRId64 " of %.3f MB in all\n",
            cg_traffic_messages(traffic, forecast->ranks),
            1e-6 * (double)cg_traffic_bytes(traffic, forecast->ranks));
    fprintf(out, "PCA            %" PRId64 " samples, %.3f MB from rank to rank\n", forecast->samples,
            1e-6 * (double)forecast->feature_bytes);
}

static void print_bounds(FILE *out, const struct forecast *forecast, const struct rates *rates)
{
    char text[16];
    fprintf(out, "SHA-256        %s s at %.2f GB/s a core\n",
            show_seconds(text, forecast->seconds[BOUND_HASH]), 1e-9 * rates->hash);
    fprintf(out, "memory         %s s at %.2f GB/s a %s\n",
            show_seconds(text, forecast->seconds[BOUND_MEMORY]),
            1e-9 * (rates->memory > 0 ? rates->memory : rates->copy), rates->memory > 0 ? "node" : "rank");
    if (rates->bandwidth > 0)
        fprintf(out, "file system    %s s at %.2f GB/s in all\n",
                show_seconds(text, forecast->seconds[BOUND_FILES]), 1e-9 * rates->bandwidth);
    fprintf(out, "bound          %s; all work of the busiest rank takes %s s\n",
            bound_name[forecast->binding], show_seconds(text, forecast->work));
}

int plan_print_one(FILE *out, const struct cg_plan *plan, const struct cg_models *models,
                   const struct forecast *forecast, const struct rates *rates, struct cg_err *err)
{
    fprintf(out, "models         %d\n", models->n);
    fprintf(out, "stored         %.3f GB in %" PRId64 " slots\n", 1e-9 * stored(models),
            models->anatomy.nslots);
    fprintf(out, "ranks          %d on %d node%s\n", forecast->ranks, forecast->nodes,
            forecast->nodes == 1 ? "" : "s");
    fprintf(out, "imbalance      %.2f%% above the best possible split\n", 100 * forecast->imbalance);
    print_limit(out, plan, models);
    fprintf(out, "split slots    %" PRId64 "\n", forecast->split);
    print_traffic(out, forecast);
    fprintf(out, "memory a rank  at most %.0f MiB besides MPI, metadata and the PCA's own\n",
            (double)forecast->memory / (1 << 20));
    print_bounds(out, forecast, rates);
    return print_ranks(out, plan, err);
}

void plan_print_table(FILE *out, const struct cg_models *models, const struct forecast *forecasts, size_t n,
                      const struct rates *rates)
{
    fprintf(out,
            "%d models, %.3f GB in %" PRId64 " slots; SHA-256 at %.2f GB/s a core, memory at %.2f GB/s\n",
            models->n, 1e-9 * stored(models), models->anatomy.nslots, 1e-9 * rates->hash,
            1e-9 * (rates->memory > 0 ? rates->memory : rates->copy));
    fprintf(out, "a %s, ", rates->memory > 0 ? "node" : "rank");
    if (rates->bandwidth > 0)
        fprintf(out, "file system at %.2f GB/s in all. ", 1e-9 * rates->bandwidth);
    fprintf(out, "Times in seconds, memory beside MPI.\n\n");
    fprintf(out, "%7s %5s %7s %9s %9s %5s %7s %7s %7s %7s\n", "ranks", "nodes", "uneven", "messages",
            "MB sent", "MiB", "SHA-256", "memory", "files", "work");
    for (size_t i = 0; i < n; i++) {
        const struct forecast *f = &forecasts[i];
        char text[4][16];
        fprintf(out, "%7d %5d %6.2f%% %9" PRId64 " %9.1f %5.0f %7s %7s %7s %7s  %s\n", f->ranks, f->nodes,
                100 * f->imbalance, cg_traffic_messages(&f->traffic, f->ranks),
                1e-6 * (double)(cg_traffic_bytes(&f->traffic, f->ranks) + f->feature_bytes),
                (double)f->memory / (1 << 20), show_seconds(text[0], f->seconds[BOUND_HASH]),
                show_seconds(text[1], f->seconds[BOUND_MEMORY]),
                show_seconds(text[2], f->seconds[BOUND_FILES]), show_seconds(text[3], f->work),
                bound_name[f->binding]);
    }
}

static void put_number(FILE *out, const char *key, double value)
{
    if (isfinite(value) && value >= 0)
        fprintf(out, "\"%s\": %.17g", key, value);
    else
        fprintf(out, "\"%s\": null", key);
}

static void put_traffic(FILE *out, const struct forecast *f)
{
    fputs("\"reductions\": {", out);
    for (int kind = 0; kind < CG_TRAFFIC_KINDS; kind++)
        fprintf(out, "%s\"%s\": {\"calls\": %" PRId64 ", \"bytes\": %" PRId64 "}", kind > 0 ? ", " : "",
                traffic_key[kind], f->traffic.reduction[kind].calls, f->traffic.reduction[kind].bytes);
    fprintf(out,
            "}, \"panels\": {\"messages\": %" PRId64 ", \"bytes\": %" PRId64 "}, \"messages\": %" PRId64
            ", \"message_bytes\": %" PRId64 ", \"samples\": %" PRId64 ", \"feature_bytes\": %" PRId64,
            f->traffic.panels, f->traffic.panel_bytes, cg_traffic_messages(&f->traffic, f->ranks),
            cg_traffic_bytes(&f->traffic, f->ranks), f->samples, f->feature_bytes);
}

static void put_forecast(FILE *out, const struct forecast *f)
{
    fprintf(out, "{\"ranks\": %d, \"nodes\": %d, \"split_slots\": %" PRId64 ", ", f->ranks, f->nodes,
            f->split);
    put_number(out, "imbalance", f->imbalance);
    fprintf(out,
            ", \"bytes_read\": %" PRId64 ", \"bytes_read_most\": %" PRId64
            ", \"node_bytes_read_most\": %" PRId64 ", \"bytes_hashed\": %" PRId64
            ", \"bytes_hashed_most\": %" PRId64,
            f->read, f->read_most, f->node_read_most, f->hashed, f->hashed_most);
    fprintf(out,
            ", \"load\": %" PRId64 ", \"load_most\": %" PRId64 ", \"load_largest\": %" PRId64
            ", \"memory_bytes\": %" PRId64 ",\n  ",
            f->load, f->load_most, f->load_largest, f->memory);
    put_traffic(out, f);
    fputs(",\n  \"seconds\": {", out);
    for (int b = 0; b < BOUNDS; b++) {
        fputs(b > 0 ? ", " : "", out);
        put_number(out, bound_key[b], f->seconds[b]);
    }
    fputs(", ", out);
    put_number(out, "work", f->work);
    fprintf(out, "}, \"bound\": \"%s\"}", bound_key[f->binding]);
}

void plan_print_json(FILE *out, const struct cg_models *models, const struct forecast *forecasts, size_t n,
                     const struct rates *rates)
{
    fputs("{\"models\": [", out);
    for (int m = 0; m < models->n; m++) {
        fputs(m > 0 ? ", " : "", out);
        cg_json_string(out, models->checkpoints[m].label);
    }
    fprintf(out, "], \"slots\": %" PRId64 ", ", models->anatomy.nslots);
    put_number(out, "stored_bytes", stored(models));
    fprintf(out, ", \"ranks_per_node\": %d, ", rates->ranks_a_node);
    put_number(out, "hash_rate", rates->hash);
    fputs(", ", out);
    put_number(out, "memory_rate", rates->memory > 0 ? rates->memory : NAN);
    fputs(", ", out);
    put_number(out, "copy_rate", rates->memory > 0 ? NAN : rates->copy);
    fputs(", ", out);
    put_number(out, "bandwidth", rates->bandwidth > 0 ? rates->bandwidth : NAN);
    fputs(",\n\"plans\": [", out);
    for (size_t i = 0; i < n; i++) {
        fputs(i > 0 ? ",\n " : "\n ", out);
        put_forecast(out, &forecasts[i]);
    }
    fputs("]}\n", out);
}
