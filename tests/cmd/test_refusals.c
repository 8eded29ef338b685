/* Wrong usage: one line on standard error, by cognate and not by getopt, and status 2. */
#include "cmd/commands.h"
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { MOST_ARGUMENTS = 8 };

typedef int command(int argc, char **argv);

static const struct {
    command *run;
    const char *line, *says;
} table[] = {
    {cg_command_plan, "plan -x m", "plan: -x is no option"},
    {cg_command_plan, "plan --nonsense m", "plan: --nonsense is no option"},
    {cg_command_plan, "plan m -n", "plan: -n wants a value"},
    {cg_command_plan, "plan m --ranks", "plan: -n wants a value"},
    {cg_command_plan, "plan -n 0 m", "--ranks N with N from 1"},
    {cg_command_plan, "plan -n 1048577 m", "--ranks N with N from 1"},
    {cg_command_plan, "plan -n 3x m", "--ranks N with N from 1"},
    {cg_command_plan, "plan --ranks= m", "--ranks N with N from 1"},
    {cg_command_plan, "plan m", "--ranks N and at least one model"},
    {cg_command_plan, "plan -n 3", "--ranks N and at least one model"},
    {cg_command_report, "report -x r", "report: -x is no option"},
    {cg_command_report, "report --json=1 r", "report: -j is no option, or takes no value"},
    {cg_command_report, "report", "one result file"},
    {cg_command_report, "report r s", "one result file"},
    {cg_command_verify, "verify -jx r", "verify: -j is no option"},
    {cg_command_verify, "verify --x\nerror:y r", "verify: --x\\x0Aerror:y is no option"},
    {cg_command_verify, "verify r s", "one result file"},
    {cg_command_inspect, "inspect -jx m", "inspect: -x is no option"},
    {cg_command_inspect, "inspect --jason m", "inspect: --jason is no option"},
    {cg_command_inspect, "inspect -j", "a model or several"},
};

/* Runs a line with standard error in `file`. */
static int run(command *of, const char *line, FILE *file)
{
    char *argv[MOST_ARGUMENTS], words[128];
    int argc = 0, was = dup(STDERR_FILENO);
    snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok(words, " "); word && argc < MOST_ARGUMENTS - 1; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    optind = 0; /* glibc: start anew */
    opterr = 1; /* as getopt starts */
    fflush(stderr);
    assert_true(was >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    int status = of(argc, argv);
    fflush(stderr);
    assert_true(dup2(was, STDERR_FILENO) >= 0);
    close(was);
    return status;
}

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        FILE *file = tmpfile();
        char text[512];
        assert_non_null(file);
        int status = run(table[i].run, table[i].line, file);
        rewind(file);
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        fclose(file);
        const char *end = strchr(text, '\n');
        if (status != 2 || strncmp(text, "cognate: error: ", 16) != 0 || !strstr(text, table[i].says) ||
            !end || end[1] != '\0')
            fail_msg("%s: status %d: %s", table[i].line, status, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
