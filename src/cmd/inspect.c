/* cognate inspect: what checkpoints hold, from their metadata alone. */
#include "inspect.h"
#include "cognate/log.h"
#include "cognate/manifest.h"
#include "cognate/mem.h"
#include "commands.h"
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
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

static int open_model(struct cg_checkpoint *model, const struct cg_entry *entry, struct cg_err *err)
{
    if (cg_checkpoint_open(model, entry->path, err) < 0)
        return -1;
    free(model->label);
    model->label = cg_copy_text(entry->label, strlen(entry->label), err);
    return model->label ? 0 : -1;
}

static int open_models(struct inspection *in, const struct cg_manifest *manifest, struct cg_err *err)
{
    int result = -1;
    const struct cg_checkpoint **all = cg_new(manifest->n, sizeof *all, err);
    in->models = cg_new(manifest->n, sizeof *in->models, err);
    in->architectures = cg_new(manifest->n, sizeof *in->architectures, err);
    if (!all || !in->models || !in->architectures)
        goto done;
    for (; in->n < manifest->n; in->n++) {
        CG_TRY(open_model(&in->models[in->n], &manifest->entries[in->n], err));
        CG_TRY(cg_architecture_of(&in->architectures[in->n], &in->models[in->n], err));
        all[in->n] = &in->models[in->n];
    }
    CG_TRY(cg_anatomy_build(&in->anatomy, all, (int)in->n, err));
    result = 0;
done:
    free(all);
    return result;
}

static void release(struct inspection *in, size_t models)
{
    cg_anatomy_release(&in->anatomy);
    for (size_t m = 0; in->models && m < models; m++)
        cg_checkpoint_release(&in->models[m]);
    free(in->models);
    free(in->architectures);
}

static int inspect(char **arguments, int n, bool json)
{
    struct cg_manifest manifest = {0};
    struct inspection in = {0};
    struct cg_err err;
    int status = 1;
    for (int i = 0; i < n; i++)
        CG_TRY(cg_manifest_add(&manifest, arguments[i], &err));
    CG_TRY(cg_manifest_unique_labels(&manifest, &err));
    CG_TRY(open_models(&in, &manifest, &err));
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
    release(&in, manifest.n);
    cg_manifest_release(&manifest);
    return status;
}

static int refuse_option(const char *option)
{
    struct cg_err err;
    char shown[128];
    cg_fail(&err, CG_EUSAGE, "inspect: %s is no option, or takes no value; see cognate inspect --help",
            cg_printable(shown, sizeof shown, option));
    cg_log_error(err.text);
    return 2;
}

int cg_command_inspect(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
    bool json = false;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "jh", options, NULL)) != -1;) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (option != 'j') {
            char letter[] = {'-', (char)optopt, '\0'};
            return refuse_option(optopt ? letter : argv[optind - 1]);
        }
        json = true;
    }
    if (optind == argc) {
        cg_log_error("inspect takes a model or several; see cognate inspect --help");
        return 2;
    }
    return inspect(argv + optind, argc - optind, json);
}
