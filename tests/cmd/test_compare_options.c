/* The options of `cognate compare`, as tables of command lines. */
#include "cmd/compare.h"
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { MOST_ARGUMENTS = 16 };

/* Parses the words of a line, the command's name before them. */
static int parse(struct compare_options *out, const char *line, char *room, size_t size, struct cg_err *err)
{
    char *argv[MOST_ARGUMENTS];
    int argc = 0;
    snprintf(room, size, "compare %s", line);
    for (char *word = strtok(room, " "); word && argc < MOST_ARGUMENTS - 1; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    optind = 0; /* glibc: start anew */
    return compare_parse(out, argc, argv, err);
}

static const struct {
    const char *line;
    enum cg_feature_kind kind;
    int64_t length;
    int components;
    int64_t buffer;
    double stall;
    bool full, quiet;
    int first_model; /* of the words, after options moved to the front */
} good[] = {
    {"-o r a b", CG_FEATURES_SKETCH, 1024, 10, 128 << 20, 600, true, false, 3},
    {"a b -o r", CG_FEATURES_SKETCH, 1024, 10, 128 << 20, 600, true, false, 3},
    {"-o r a b c d", CG_FEATURES_SKETCH, 1024, 10, 128 << 20, 600, true, false, 3},
    {"-o r -m t", CG_FEATURES_SKETCH, 1024, 10, 128 << 20, 600, true, false, 5},
    {"--output=r --manifest=t", CG_FEATURES_SKETCH, 1024, 10, 128 << 20, 600, true, false, 3},
    {"-or -q a b", CG_FEATURES_SKETCH, 1024, 10, 128 << 20, 600, true, true, 3},
    {"-qo r a b", CG_FEATURES_SKETCH, 1024, 10, 128 << 20, 600, true, true, 3},
    {"-o r --pca none a b", CG_FEATURES_NONE, 0, 10, 128 << 20, 600, true, false, 5},
    {"-o r --pca head:1 a b", CG_FEATURES_HEAD, 1, 10, 128 << 20, 600, true, false, 5},
    {"-o r -p head:8192 a b", CG_FEATURES_HEAD, 8192, 10, 128 << 20, 600, true, false, 5},
    {"-o r -p sketch:7 a b", CG_FEATURES_SKETCH, 7, 10, 128 << 20, 600, true, false, 5},
    {"-o r -p none -p sketch:9 a b", CG_FEATURES_SKETCH, 9, 10, 128 << 20, 600, true, false, 7},
    {"-o r -k 1 a b", CG_FEATURES_SKETCH, 1024, 1, 128 << 20, 600, true, false, 5},
    {"-o r --components 8192 a b", CG_FEATURES_SKETCH, 1024, 8192, 128 << 20, 600, true, false, 5},
    {"-o r -e quick a b", CG_FEATURES_SKETCH, 1024, 10, 128 << 20, 600, false, false, 5},
    {"-o r -e quick -e full a b", CG_FEATURES_SKETCH, 1024, 10, 128 << 20, 600, true, false, 7},
    {"-o r -b 1 a b", CG_FEATURES_SKETCH, 1024, 10, 1, 600, true, false, 5},
    {"-o r -b 3K a b", CG_FEATURES_SKETCH, 1024, 10, 3072, 600, true, false, 5},
    {"-o r --buffer 64M a b", CG_FEATURES_SKETCH, 1024, 10, 67108864, 600, true, false, 5},
    {"-o r -b 2G a b", CG_FEATURES_SKETCH, 1024, 10, INT64_C(2147483648), 600, true, false, 5},
    {"-o r -s 0.5 a b", CG_FEATURES_SKETCH, 1024, 10, 128 << 20, 0.5, true, false, 5},
    {"-o r --stall-timeout 1e3 a b", CG_FEATURES_SKETCH, 1024, 10, 128 << 20, 1000, true, false, 5},
    {"-o r --skip-broken a b", CG_FEATURES_SKETCH, 1024, 10, 128 << 20, 600, true, false, 4},
    {"-o r -- -a -b", CG_FEATURES_SKETCH, 1024, 10, 128 << 20, 600, true, false, 4},
};

static const struct {
    const char *line, *says;
} bad[] = {
    {"", "where should the result go"},
    {"a b", "where should the result go"},
    {"-o r", "at least two models"},
    {"-o r a", "at least two models"},
    {"-o r -m t a", "not both"},
    {"a b -o", "compare: -o wants a value"},
    {"a b --output", "compare: -o wants a value"},
    {"-o r -x a b", "compare: -x is no option"},
    {"-o r -xq a b", "compare: -x is no option"},
    {"-o r -qx a b", "compare: -x is no option"},
    {"-o r --nonsense a b", "compare: --nonsense is no option"},
    {"-o r --skip-broken=yes a b", "compare: --skip-broken=yes is no option, or takes no value"},
    {"-o r --quiet=yes a b", "compare: -q is no option, or takes no value"},
    {"-o r --\033[31mred a b", "--\\x1B[31mred"},
    {"-o r -p head a b", "--pca wants"},
    {"-o r -p head: a b", "--pca wants"},
    {"-o r -p head:0 a b", "--pca wants"},
    {"-o r -p head:8193 a b", "--pca wants"},
    {"-o r -p head:-1 a b", "--pca wants"},
    {"-o r -p sketch:12x a b", "--pca wants"},
    {"-o r -p tail:12 a b", "--pca wants"},
    {"-o r -p None a b", "--pca wants"},
    {"-o r -p :5 a b", "--pca wants"},
    {"-o r -p sketch:99999999999999999999 a b", "--pca wants"},
    {"-o r -k 0 a b", "--components wants"},
    {"-o r -k 8193 a b", "--components wants"},
    {"-o r -k ten a b", "--components wants"},
    {"-o r -k 10.5 a b", "--components wants"},
    {"-o r -e fast a b", "--evidence wants"},
    {"-o r -b 0 a b", "--buffer wants"},
    {"-o r -b -1M a b", "--buffer wants"},
    {"-o r -b M a b", "--buffer wants"},
    {"-o r -b 64MB a b", "--buffer wants"},
    {"-o r -b 64m a b", "--buffer wants"},
    {"-o r -b 9007199254740992G a b", "--buffer wants"},
    {"-o r -s 0 a b", "--stall-timeout wants"},
    {"-o r -s -5 a b", "--stall-timeout wants"},
    {"-o r -s inf a b", "--stall-timeout wants"},
    {"-o r -s nan a b", "--stall-timeout wants"},
    {"-o r -s 5s a b", "--stall-timeout wants"},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct compare_options out;
        struct cg_err err = {0};
        char room[256];
        if (parse(&out, good[i].line, room, sizeof room, &err) < 0)
            fail_msg("%s: %s", good[i].line, err.text);
        if (out.sweep.feature_kind != good[i].kind || out.sweep.feature_length != good[i].length ||
            out.components != good[i].components || out.sweep.buffer != good[i].buffer ||
            out.sweep.stall_timeout != good[i].stall || out.full != good[i].full ||
            out.quiet != good[i].quiet || out.first_model != good[i].first_model || out.help)
            fail_msg("%s: not what was asked for", good[i].line);
        assert_string_equal(out.output, "r");
        bool table = strstr(good[i].line, "-m t") || strstr(good[i].line, "--manifest=t");
        assert_true(out.skip_broken == (strstr(good[i].line, "--skip-broken") != NULL));
        assert_true(table ? strcmp(out.manifest, "t") == 0 : !out.manifest);
    }
}

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct compare_options out;
        struct cg_err err = {0};
        char room[256];
        if (parse(&out, bad[i].line, room, sizeof room, &err) == 0)
            fail_msg("taken: %s", bad[i].line);
        assert_int_equal(err.code, CG_EUSAGE);
        if (!strstr(err.text, bad[i].says) || strchr(err.text, '\n'))
            fail_msg("%s: %s", bad[i].line, err.text);
    }
}

/* Help needs nothing else to be right. */
static void test_help(void **state)
{
    (void)state;
    static const char *const lines[] = {"-h", "--help", "a --help", "-q -h"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct compare_options out;
        struct cg_err err = {0};
        char room[256];
        assert_int_equal(parse(&out, lines[i], room, sizeof room, &err), 0);
        assert_true(out.help);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
