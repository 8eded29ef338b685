#include "cognate/err.h"
#include "cognate/log.h"
#include "cognate/result.h"
#include "cognate/summary.h"
#include "commands.h"
#include <getopt.h>
#include <stdio.h>

static const char help[] = "Usage: cognate report [--json] RESULT.h5\n"
                           "\n"
                           "Shows the summary of a result file again, as `cognate compare` ended with it.\n"
                           "\n"
                           "  -j, --json   as one JSON object\n"
                           "  -h, --help   show this and leave\n"
                           "\n"
                           "Exit status: 0 done, 1 not readable, 2 wrong usage.\n";

static int report(const char *path, bool json)
{
    struct cg_result result = {0};
    struct cg_err err = {0};
    int status = -1;
    CG_TRY(cg_result_read(&result, path, &err));
    if (json)
        CG_TRY(cg_summary_json(stdout, &result, &err));
    else
        CG_TRY(cg_summary_print(stdout, &result, cg_style_of(stdout), &err));
    status = 0;
done:
    if (status < 0)
        cg_log_error(err.text);
    cg_result_release(&result);
    return status < 0 ? 1 : 0;
}

int cg_command_report(int argc, char **argv)
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
    if (argc - optind != 1) {
        cg_log_error("report takes one result file; see cognate report --help");
        return 2;
    }
    return report(argv[optind], json);
}
