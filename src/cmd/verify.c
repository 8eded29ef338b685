#include "cognate/err.h"
#include "cognate/fingerprint.h"
#include "cognate/log.h"
#include "cognate/result.h"
#include "cognate/text.h"
#include "commands.h"
#include <getopt.h>
#include <stdio.h>

static const char help[] = "Usage: cognate verify RESULT.h5|FINGERPRINT.h5\n"
                           "\n"
                           "Checks that a result file or a fingerprint is complete, that every variable is\n"
                           "there with its type and shape, and that each dataset has the SHA-256 stored\n"
                           "with it.\n"
                           "\n"
                           "  -h, --help   show this and leave\n"
                           "\n"
                           "Exit status: 0 sound, 1 not sound or not readable, 2 wrong usage.\n";

static int verify(const char *path)
{
    struct cg_err err = {0};
    char printable[CG_ERR_TEXT];
    int datasets =
        cg_fingerprint_recognise(path) ? cg_fingerprint_verify(path, &err) : cg_result_verify(path, &err);
    if (datasets < 0) {
        cg_log_error(err.text);
        return 1;
    }
    printf("%s: sound, %d datasets\n", cg_printable(printable, sizeof printable, path), datasets);
    return fflush(stdout) == 0 ? 0 : 1;
}

int cg_command_verify(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        return cg_refuse_option(option, argv);
    }
    if (argc - optind != 1) {
        cg_log_error("verify takes one result file; see cognate verify --help");
        return 2;
    }
    return verify(argv[optind]);
}
