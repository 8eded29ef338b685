#include "cognate/log.h"
#include "cognate/text.h"
#include "commands.h"
#include <getopt.h>

/* Of letters in one argument, such as -xq, optopt says which; unknown long options have none, others without
 * a letter a number beyond all letters. */
int cg_option_error(struct cg_err *err, int option, char *const *argv)
{
    char letter[] = {'-', (char)optopt, '\0'}, shown[128];
    cg_printable(shown, sizeof shown, optopt > 0 && optopt < 128 ? letter : argv[optind - 1]);
    return cg_fail(err, CG_EUSAGE,
                   option == ':' ? "%s: %s wants a value; see cognate %s --help"
                                 : "%s: %s is no option, or takes no value; see cognate %s --help",
                   argv[0], shown, argv[0]);
}

int cg_refuse_option(int option, char *const *argv)
{
    struct cg_err err;
    cg_option_error(&err, option, argv);
    cg_log_error(err.text);
    return 2;
}
