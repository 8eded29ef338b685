/* cognate plan: how the work of a run would fall on its ranks. */
#include "cognate/plan.h"
#include "cognate/log.h"
#include "cognate/mem.h"
#include "cognate/sweep.h"
#include "commands.h"
#include "models.h"
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char help[] = "Usage: cognate plan --ranks N MODEL [MODEL ...]\n"
                           "\n"
                           "Says how the sweep of these models would fall on N ranks: bytes and tasks by\n"
                           "rank, imbalance, the largest slot, memory a rank. Reads headers only and needs\n"
                           "no mpirun.\n"
                           "\n"
                           "  -n, --ranks N  ranks of the run, 1 to 1048576\n"
                           "  -h, --help     this text\n";

enum { SHOWN_RANKS = 32, MOST_RANKS = 1 << 20 };

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
static void print_spread(const char *what, int64_t *values, int n, double unit)
{
    qsort(values, (size_t)n, sizeof *values, by_size);
    printf("%-14s %12.4g %12.4g %12.4g\n", what, (double)values[0] / unit, (double)values[n / 2] / unit,
           (double)values[n - 1] / unit);
}

static int print_ranks(const struct cg_plan *plan, struct cg_err *err)
{
    if (plan->ranks <= SHOWN_RANKS) {
        printf("\n%6s %12s %10s %12s\n", "rank", "GB read", "tasks", "load");
        for (int r = 0; r < plan->ranks; r++)
            printf("%6d %12.4f %10" PRId64 " %11.2f%%\n", r, 1e-9 * (double)plan->bytes[r], slots_of(plan, r),
                   plan->total_load > 0
                       ? 100.0 * (double)plan->load[r] * plan->ranks / (double)plan->total_load
                       : 0);
        return 0;
    }
    int64_t *values = cg_new((size_t)plan->ranks, sizeof *values, err);
    if (!values)
        return -1;
    printf("\n%-14s %12s %12s %12s\n", "by rank", "least", "median", "most");
    memcpy(values, plan->bytes, (size_t)plan->ranks * sizeof *values);
    print_spread("GB read", values, plan->ranks, 1e9);
    for (int r = 0; r < plan->ranks; r++)
        values[r] = slots_of(plan, r);
    print_spread("tasks", values, plan->ranks, 1);
    free(values);
    return 0;
}

static void print_totals(const struct cg_plan *plan, const struct cg_models *models)
{
    int64_t bytes = 0, split = 0;
    for (int64_t i = 0; i < plan->nbundles; i++) {
        bytes += plan->bundles[i].bytes;
        split += plan->bundles[i].split;
    }
    const struct cg_bundle *largest = plan->nbundles > 0 ? &plan->bundles[plan->largest_bundle] : NULL;
    double mean = (double)plan->total_load / plan->ranks;
    printf("models         %d\n", models->n);
    printf("stored         %.3f GB in %" PRId64 " slots\n", 1e-9 * (double)bytes, models->anatomy.nslots);
    printf("ranks          %d\n", plan->ranks);
    printf("imbalance      %.2f%% above the best possible split\n", 100 * cg_plan_imbalance(plan));
    if (!largest)
        return;
    printf("largest slot   %s, %.3f GB\n", models->anatomy.slots[largest->slot].name,
           1e-9 * (double)largest->bytes);
    if ((double)plan->largest > mean)
        printf("bound          %s: its hash, taken by one rank, is %.1f times the mean load;\n"
               "               more than %.0f ranks gain nothing\n",
               models->anatomy.slots[largest->slot].name, (double)plan->largest / mean,
               (double)plan->total_load / (double)plan->largest);
    printf("split slots    %" PRId64 "\n", split);
}

static int print_plan(const struct cg_models *models, int ranks, struct cg_err *err)
{
    static const struct cg_sweep_options options = {.buffer = 128 << 20};
    struct cg_plan plan = {0};
    int result = -1;
    CG_TRY(cg_plan_build(&plan, &models->anatomy, models->pointers, ranks, err));
    print_totals(&plan, models);
    printf("memory a rank  at most %.0f MiB besides MPI, metadata and PCA\n",
           (double)cg_sweep_memory(&plan, &options) / (1 << 20));
    CG_TRY(print_ranks(&plan, err));
    result = fflush(stdout) == 0 ? 0 : cg_fail(err, CG_EIO, "standard output: %s", strerror(errno));
done:
    cg_plan_release(&plan);
    return result;
}

static int plan_models(char **arguments, int n, int ranks)
{
    struct cg_manifest manifest = {0}, broken = {0};
    struct cg_models models = {0};
    struct cg_err err;
    int result = -1;
    for (int i = 0; i < n; i++)
        CG_TRY(cg_manifest_add(&manifest, arguments[i], &err));
    CG_TRY(cg_manifest_unique_labels(&manifest, &err));
    CG_TRY(cg_models_open(&models, &manifest, &broken, &err));
    CG_TRY(broken.n > 0 ? cg_models_refuse(&broken, NULL, &err) : 0);
    CG_TRY(cg_models_study(&models, &err));
    CG_TRY(print_plan(&models, ranks, &err));
    result = 0;
done:
    if (result < 0)
        cg_log_error(err.text);
    cg_models_release(&models);
    cg_manifest_release(&manifest);
    cg_manifest_release(&broken);
    return result == 0 ? 0 : err.code == CG_EUSAGE ? 2 : 1;
}

int cg_command_plan(int argc, char **argv)
{
    static const struct option options[] = {
        {"ranks", required_argument, NULL, 'n'}, {"help", no_argument, NULL, 'h'}, {0}};
    long ranks = 0;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":n:h", options, NULL)) != -1;) {
        char *end = NULL;
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (option != 'n')
            return cg_refuse_option(option, argv);
        ranks = strtol(optarg, &end, 10);
        if (end == optarg || *end != '\0' || ranks < 1 || ranks > MOST_RANKS) {
            cg_log_error("plan wants --ranks N with N from 1 to 1048576; see cognate plan --help");
            return 2;
        }
    }
    if (ranks == 0 || optind == argc) {
        cg_log_error("plan wants --ranks N and at least one model; see cognate plan --help");
        return 2;
    }
    return plan_models(argv + optind, argc - optind, (int)ranks);
}
