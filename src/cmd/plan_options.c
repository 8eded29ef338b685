#include "cognate/mem.h"
#include "commands.h"
#include "plan.h"
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char plan_help[] = "Usage: cognate plan --ranks N[,N...] [OPTIONS] MODEL [MODEL ...]\n"
                         "\n"
                         "Says how the sweep of these models would fall on N ranks, what the ranks would\n"
                         "tell each other, what memory they would take, and what would bound the time.\n"
                         "Reads headers only and needs no mpirun.\n"
                         "\n"
                         "  -n, --ranks N[,N...]     ranks of the run, 1 to 1048576. Several make a table;\n"
                         "                           1,2,4,...,4096 goes on as it begins\n"
                         "      --ranks-per-node R   default: as many as this machine has processors\n"
                         "      --hash-rate BYTES    SHA-256 a second and core (default: measured here, in\n"
                         "                           a tenth of a second)\n"
                         "      --memory-rate BYTES  what a node's memory moves a second (default: what\n"
                         "                           one core copies here, for each rank of the node)\n"
                         "      --bandwidth BYTES    what the file system gives a second, in all\n"
                         "  -j, --json               as one JSON object\n"
                         "  -h, --help               this text\n"
                         "\n"
                         "BYTES may end in K, M, G or T, which count in 1000s. Messages are those of the\n"
                         "sweep's reductions, halving and doubling, and the panels of split slots, without\n"
                         "what --evidence full adds; memory is that of a rank beside MPI, metadata and the\n"
                         "PCA's own.\n";

enum { MOST_RANKS = 1 << 20, MOST_LISTED = 4096 };
enum { PER_NODE = 256, HASH_RATE, MEMORY_RATE, BANDWIDTH }; /* options without a letter */

static int parse_rate(double *out, const char *option, const char *text, struct cg_err *err)
{
    static const char units[] = "KMGT";
    char *end;
    double value = strtod(text, &end);
    const char *unit = *end ? strchr(units, *end) : NULL;
    if (unit) {
        value *= pow(1000, (double)(unit - units + 1));
        end++;
    }
    if (end == text || *end != '\0' || !isfinite(value) || value < 1)
        return cg_fail(err, CG_EUSAGE, "plan: %s wants bytes a second such as 2.5G, not '%s'", option, text);
    *out = value;
    return 0;
}

static int parse_count(const char *text, size_t length)
{
    char number[16] = "", *end;
    if (length == 0 || length >= sizeof number)
        return -1;
    memcpy(number, text, length);
    long value = strtol(number, &end, 10);
    return *end == '\0' && value >= 1 && value <= MOST_RANKS ? (int)value : -1;
}

static int add_ranks(struct plan_options *out, int64_t ranks, struct cg_err *err)
{
    if (out->nranks == MOST_LISTED)
        return cg_fail(err, CG_EUSAGE, "plan: --ranks takes at most %d numbers", MOST_LISTED);
    if (cg_grow((void **)&out->ranks, &out->capacity, out->nranks + 1, sizeof *out->ranks, err) < 0)
        return -1;
    out->ranks[out->nranks++] = (int32_t)ranks;
    return 0;
}

/* Goes on to `last` by the step, or the factor, of the last three numbers. */
static int go_on(struct plan_options *out, int64_t last, bool *possible, struct cg_err *err)
{
    const int32_t *ranks = out->ranks;
    size_t n = out->nranks;
    int64_t step = n >= 3 ? ranks[n - 1] - ranks[n - 2] : 0;
    bool even = step > 0 && ranks[n - 2] - ranks[n - 3] == step;
    bool growing = step > 0 && !even && ranks[n - 1] % ranks[n - 2] == 0 &&
                   (int64_t)ranks[n - 1] * ranks[n - 3] == (int64_t)ranks[n - 2] * ranks[n - 2];
    int64_t factor = growing ? ranks[n - 1] / ranks[n - 2] : 1, at = n >= 3 ? ranks[n - 1] : 0;
    *possible = even || growing;
    while (*possible && at < last) {
        at = even ? at + step : at * factor;
        if (at <= last && add_ranks(out, at, err) < 0)
            return -1;
    }
    *possible = *possible && at == last;
    return 0;
}

static int parse_ranks(struct plan_options *out, const char *text, struct cg_err *err)
{
    bool right = true, dots = false;
    out->nranks = 0;
    for (const char *at = text; right; at++) {
        size_t length = strcspn(at, ",");
        int ranks = parse_count(at, length);
        bool are_dots = length == 3 && strncmp(at, "...", 3) == 0;
        right = are_dots ? !dots && at[3] == ',' : ranks > 0;
        if (right && dots && go_on(out, ranks, &right, err) < 0)
            return -1;
        if (right && !dots && !are_dots && add_ranks(out, ranks, err) < 0)
            return -1;
        dots = are_dots;
        at += length;
        if (*at == '\0')
            break;
    }
    return right ? 0
                 : cg_fail(err, CG_EUSAGE,
                           "plan wants --ranks N with N from 1 to %d, or several such as 1,2,4,...,64; see "
                           "cognate plan --help",
                           MOST_RANKS);
}

static int take_option(struct plan_options *out, int option, const char *value, struct cg_err *err)
{
    switch (option) {
    case 'n':
        return parse_ranks(out, value, err);
    case PER_NODE:
        out->rates.ranks_a_node = parse_count(value, strlen(value));
        return out->rates.ranks_a_node > 0
                   ? 0
                   : cg_fail(err, CG_EUSAGE, "plan: --ranks-per-node wants a number, not '%s'", value);
    case HASH_RATE:
        return parse_rate(&out->rates.hash, "--hash-rate", value, err);
    case MEMORY_RATE:
        return parse_rate(&out->rates.memory, "--memory-rate", value, err);
    case BANDWIDTH:
        return parse_rate(&out->rates.bandwidth, "--bandwidth", value, err);
    case 'j':
        out->json = true;
        return 0;
    default:
        out->help = true;
        return 0;
    }
}

int plan_parse(struct plan_options *out, int argc, char **argv, struct cg_err *err)
{
    static const struct option options[] = {{"ranks", required_argument, NULL, 'n'},
                                            {"ranks-per-node", required_argument, NULL, PER_NODE},
                                            {"hash-rate", required_argument, NULL, HASH_RATE},
                                            {"memory-rate", required_argument, NULL, MEMORY_RATE},
                                            {"bandwidth", required_argument, NULL, BANDWIDTH},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    *out = (struct plan_options){.rates.ranks_a_node = processors > 0 ? (int)processors : 1};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":n:jh", options, NULL)) != -1;) {
        if (option == '?' || option == ':')
            return cg_option_error(err, option, argv);
        if (take_option(out, option, optarg, err) < 0)
            return -1;
    }
    out->first_model = optind;
    if (!out->help && (out->nranks == 0 || optind == argc))
        return cg_fail(err, CG_EUSAGE,
                       "plan wants --ranks N and at least one model; see cognate plan --help");
    return 0;
}

void plan_options_release(struct plan_options *options)
{
    free(options->ranks);
    *options = (struct plan_options){0};
}
