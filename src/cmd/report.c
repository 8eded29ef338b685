#include "cognate/err.h"
#include "cognate/log.h"
#include "cognate/result.h"
#include "cognate/summary.h"
#include "commands.h"
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char help[] =
    "Usage: cognate report [--json | --html FILE] RESULT.h5\n"
    "\n"
    "Shows the summary of a result file again, as `cognate compare` ended with it.\n"
    "\n"
    "  -j, --json       as one JSON object\n"
    "  -w, --html FILE  as a web page with pictures, in one file that needs no other;\n"
    "                   - is standard output\n"
    "  -h, --help       show this and leave\n"
    "\n"
    "Exit status: 0 done, 1 not readable or not written, 2 wrong usage.\n";

/* What to write: JSON, a page at `html`, or the text. */
struct form {
    bool json;
    const char *html;
};

/* A page in the place of the result would be the end of it. */
static bool is_same_file(const char *path, const char *other)
{
    struct stat a, b;
    return stat(path, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int write_form(const struct cg_result *result, const struct form *form, struct cg_err *err)
{
    if (form->json)
        return cg_summary_json(stdout, result, err);
    if (!form->html)
        return cg_summary_print(stdout, result, cg_style_of(stdout), err);
    if (strcmp(form->html, "-") == 0)
        return cg_summary_html(stdout, result, err);
    return cg_summary_html_write(result, form->html, err);
}

static int report(const char *path, const struct form *form)
{
    struct cg_result result = {0};
    struct cg_err err = {0};
    int status = cg_result_read(&result, path, &err) < 0 ? -1 : write_form(&result, form, &err);
    if (status < 0)
        cg_log_error(err.text);
    cg_result_release(&result);
    return status < 0 ? 1 : 0;
}

int cg_command_report(int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"html", required_argument, NULL, 'w'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct form form = {0};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":jw:h", options, NULL)) != -1;) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (option == 'j')
            form.json = true;
        else if (option == 'w')
            form.html = optarg;
        else
            return cg_refuse_option(option, argv);
    }
    if (argc - optind != 1 || (form.json && form.html)) {
        cg_log_error(argc - optind != 1 ? "report takes one result file; see cognate report --help"
                                        : "report writes --json or --html, not both");
        return 2;
    }
    if (form.html && is_same_file(form.html, argv[optind])) {
        cg_log_error("report: --html names the result itself");
        return 2;
    }
    return report(argv[optind], &form);
}
