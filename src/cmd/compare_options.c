#include "commands.h"
#include "compare.h"
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char compare_help[] =
    "Usage: mpirun -n N cognate compare [OPTIONS] -o RESULT.h5 MODEL MODEL [MODEL...]\n"
    "       mpirun -n N cognate compare [OPTIONS] -o RESULT.h5 --manifest MODELS.tsv\n"
    "\n"
    "Reads all models once, compares every pair slot by slot, prints a summary and\n"
    "writes an HDF5 file. MODEL is a folder, a single file, or ORG/NAME in the local\n"
    "Hugging Face cache; LABEL=MODEL names it. A manifest is a tab-separated table\n"
    "with a header line: label path family role, of which path alone is required;\n"
    "role is base, target or empty. With roles every base is compared with every\n"
    "target, without them every two models.\n"
    "\n"
    "  -o, --output RESULT.h5     the result; replaced only when the run ends well\n"
    "  -m, --manifest MODELS.tsv  the models, instead of arguments\n"
    "  -p, --pca FEATURES         what the PCA sees of each matrix: head:N, its first\n"
    "                             N elements; sketch:N, a sign sketch of all; none\n"
    "                             (default sketch:1024)\n"
    "  -k, --components K         principal components kept (default 10)\n"
    "  -e, --evidence quick|full  quick: the sweep alone; full: hidden units are\n"
    "                             matched across layers, experts and bases, from\n"
    "                             samples that are read again, as large embeddings\n"
    "                             are (default full)\n"
    "  -b, --buffer BYTES         memory a rank for pieces of files (default 128M;\n"
    "                             K, M and G count in 1024s)\n"
    "  -s, --stall-timeout SECONDS\n"
    "                             a rank that gives no sign of life for so long ends\n"
    "                             the run (default 600)\n"
    "  -j, --journal-every SECONDS\n"
    "                             how often finished work is put on disk, into the\n"
    "                             folder RESULT.h5.journal, so that the same command\n"
    "                             goes on where a run was cut off (default 5)\n"
    "      --no-journal           keep none, and begin anew\n"
    "      --skip-broken          go on without broken models, and record them in\n"
    "                             the result; otherwise they end the run before any\n"
    "                             weight is read\n"
    "  -q, --quiet                no progress, no warnings\n"
    "  -h, --help                 this text\n"
    "\n"
    "Exit status: 0 done, whatever the verdict; 1 bad input or failed work, nothing\n"
    "published; 2 wrong usage; 75 stopped by SIGTERM or SIGUSR1, the same command\n"
    "goes on from there.\n";

enum { MOST_FEATURES = 8192, MOST_COMPONENTS = 8192 };

enum { NO_JOURNAL = 256, SKIP_BROKEN }; /* options without a letter */

/* A whole number from `least` to `most`, and nothing else. */
static int parse_integer(const char *text, int64_t least, int64_t most, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < least || value > most)
        return -1;
    *out = value;
    return 0;
}

static int parse_bytes(const char *text, int64_t *out, struct cg_err *err)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    int shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if (errno != 0 || end == text || value <= 0 || strcmp(end + (shift > 0), "") != 0 ||
        value > (INT64_MAX >> shift))
        return cg_fail(err, CG_EUSAGE, "--buffer wants a number of bytes such as 64M, not '%s'", text);
    *out = value << shift;
    return 0;
}

static int parse_seconds(const char *option, const char *text, double *out, struct cg_err *err)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value) || value <= 0)
        return cg_fail(err, CG_EUSAGE, "%s wants a number of seconds above 0, not '%s'", option, text);
    *out = value;
    return 0;
}

static int parse_features(const char *text, struct cg_sweep_options *out, struct cg_err *err)
{
    out->feature_kind = CG_FEATURES_NONE;
    out->feature_length = 0;
    if (strcmp(text, "none") == 0)
        return 0;
    const char *number = strchr(text, ':');
    size_t n = number ? (size_t)(number - text) : 0;
    if (n == 4 && strncmp(text, "head", n) == 0)
        out->feature_kind = CG_FEATURES_HEAD;
    else if (n == 6 && strncmp(text, "sketch", n) == 0)
        out->feature_kind = CG_FEATURES_SKETCH;
    if (out->feature_kind == CG_FEATURES_NONE ||
        parse_integer(number + 1, 1, MOST_FEATURES, &out->feature_length) < 0)
        return cg_fail(err, CG_EUSAGE, "--pca wants head:N, sketch:N (N from 1 to %d) or none, not '%s'",
                       MOST_FEATURES, text);
    return 0;
}

static int parse_components(const char *text, int *out, struct cg_err *err)
{
    int64_t value;
    if (parse_integer(text, 1, MOST_COMPONENTS, &value) < 0)
        return cg_fail(err, CG_EUSAGE, "--components wants a number from 1 to %d, not '%s'", MOST_COMPONENTS,
                       text);
    *out = (int)value;
    return 0;
}

static int parse_evidence(const char *text, bool *full, struct cg_err *err)
{
    *full = strcmp(text, "full") == 0;
    if (!*full && strcmp(text, "quick") != 0)
        return cg_fail(err, CG_EUSAGE, "--evidence wants quick or full, not '%s'", text);
    return 0;
}

static int take_option(struct compare_options *out, int option, const char *value, struct cg_err *err)
{
    switch (option) {
    case 'o':
        out->output = value;
        return 0;
    case 'm':
        out->manifest = value;
        return 0;
    case 'p':
        return parse_features(value, &out->sweep, err);
    case 'k':
        return parse_components(value, &out->components, err);
    case 'e':
        return parse_evidence(value, &out->full, err);
    case 'b':
        return parse_bytes(value, &out->sweep.buffer, err);
    case 's':
        return parse_seconds("--stall-timeout", value, &out->sweep.stall_timeout, err);
    case 'j':
        return parse_seconds("--journal-every", value, &out->sweep.journal.seconds, err);
    case NO_JOURNAL:
        out->journal = false;
        return 0;
    case SKIP_BROKEN:
        out->skip_broken = true;
        return 0;
    case 'q':
        out->quiet = true;
        return 0;
    case 'h':
        out->help = true;
        return 0;
    default:
        return -1;
    }
}

static int check(const struct compare_options *out, int models, struct cg_err *err)
{
    if (!out->output)
        return cg_fail(err, CG_EUSAGE, "where should the result go? give -o RESULT.h5");
    if (out->manifest && models > 0)
        return cg_fail(err, CG_EUSAGE, "give models either as arguments or by --manifest, not both");
    if (!out->manifest && models < 2)
        return cg_fail(err, CG_EUSAGE, "compare wants at least two models; see cognate compare --help");
    return 0;
}

int compare_parse(struct compare_options *out, int argc, char **argv, struct cg_err *err)
{
    static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                            {"manifest", required_argument, NULL, 'm'},
                                            {"pca", required_argument, NULL, 'p'},
                                            {"components", required_argument, NULL, 'k'},
                                            {"evidence", required_argument, NULL, 'e'},
                                            {"buffer", required_argument, NULL, 'b'},
                                            {"stall-timeout", required_argument, NULL, 's'},
                                            {"journal-every", required_argument, NULL, 'j'},
                                            {"no-journal", no_argument, NULL, NO_JOURNAL},
                                            {"skip-broken", no_argument, NULL, SKIP_BROKEN},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    *out = (struct compare_options){.components = 10,
                                    .full = true,
                                    .journal = true,
                                    .sweep = {.journal.seconds = 5,
                                              .buffer = 128 << 20,
                                              .stall_timeout = 600,
                                              .feature_kind = CG_FEATURES_SKETCH,
                                              .feature_length = 1024}};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":o:m:p:k:e:b:s:j:qh", options, NULL)) != -1;) {
        if (option == '?' || option == ':')
            return cg_option_error(err, option, argv);
        if (take_option(out, option, optarg, err) < 0)
            return -1;
    }
    out->first_model = optind;
    out->sweep.sketches = out->full;
    return out->help ? 0 : check(out, argc - optind, err);
}
