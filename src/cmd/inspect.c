/* cognate inspect: what checkpoints hold, from their metadata alone. */
#include "inspect.h"
#include "cognate/log.h"
#include "cognate/manifest.h"
#include "commands.h"
#include <errno.h>
#include <getopt.h>
#include <string.h>

static const char help[] = "Usage: cognate inspect [--json] MODEL [MODEL ...]\n"
                           "\n"
                           "Shows what checkpoints hold: architecture, tensors and the place of each in the\n"
                           "transformer; of several models also what can be compared slot by slot, pair by\n"
                           "pair. Reads no weights, and needs no mpirun.\n"
                           "\n"
                           "MODEL is a folder, a single file, or ORG/NAME in the local Hugging Face cache;\n"
                           "LABEL=MODEL names it.\n"
                           "\n"
                           "  -j, --json   as a JSON array with an object a model\n"
                           "  -h, --help   show this and leave\n"
                           "\n"
                           "Exit status: 0 done, 1 a model is not readable, 2 wrong usage.\n";

static int inspect(char **arguments, int n, bool json)
{
    struct cg_manifest manifest = {0}, broken = {0};
    struct cg_models in = {0};
    struct cg_err err;
    int status = 1;
    for (int i = 0; i < n; i++)
        CG_TRY(cg_manifest_add(&manifest, arguments[i], &err));
    CG_TRY(cg_manifest_unique_labels(&manifest, &err));
    CG_TRY(cg_models_open(&in, &manifest, &broken, &err));
    CG_TRY(broken.n > 0 ? cg_models_refuse(&broken, NULL, &err) : 0);
    CG_TRY(cg_models_study(&in, &err));
    CG_TRY(json ? inspect_print_json(stdout, &in, &err) : inspect_print_text(stdout, &in, &err));
    if (fflush(stdout) != 0 || ferror(stdout)) {
        cg_fail(&err, CG_EIO, "standard output: %s", strerror(errno));
        goto done;
    }
    status = 0;
done:
    if (status != 0)
        cg_log_error(err.text);
    if (status != 0 && err.code == CG_EUSAGE)
        status = 2;
    cg_models_release(&in);
    cg_manifest_release(&manifest);
    cg_manifest_release(&broken);
    return status;
}

int cg_command_inspect(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
    bool json = false;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":jh", options, NULL)) != -1;) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (option != 'j')
            return cg_refuse_option(option, argv);
        json = true;
    }
    if (optind == argc) {
        cg_log_error("inspect takes a model or several; see cognate inspect --help");
        return 2;
    }
    return inspect(argv + optind, argc - optind, json);
}
