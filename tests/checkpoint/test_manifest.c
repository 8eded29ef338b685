/* Models of a run: labels, tables, pairs. */
#include "cognate/manifest.h"
#include "scratch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

static const struct {
    const char *argument, *label, *path; /* label NULL: refused */
} arguments[] = {
    {"models/llama", "llama", "models/llama"},
    {"llama", "llama", "llama"},
    {"models/llama//", "llama", "models/llama//"},
    {"/models/llama/model.safetensors", "model.safetensors", "/models/llama/model.safetensors"},
    {"org/name", "name", "org/name"},
    {"base=models/llama", "base", "models/llama"},
    {"base=x=y", "base", "x=y"},
    {"base=/x", "base", "/x"},
    {"/data/lr=1/model", "model", "/data/lr=1/model"},
    {"./lr=1", "lr=1", "./lr=1"},
    {"/", "/", "/"},
    {"...", "...", "..."},
    {"", NULL, NULL},
    {"=", NULL, NULL},
    {"base=", NULL, NULL},
    {"=models/llama", NULL, NULL},
};

static void test_arguments(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) {
        struct cg_manifest manifest = {0};
        struct cg_err err = {0};
        int result = cg_manifest_add(&manifest, arguments[i].argument, &err);
        assert_int_equal(result, arguments[i].label ? 0 : -1);
        if (result == 0) {
            assert_int_equal(manifest.n, 1);
            assert_string_equal(manifest.entries[0].label, arguments[i].label);
            assert_string_equal(manifest.entries[0].path, arguments[i].path);
            assert_string_equal(manifest.entries[0].role, "");
        } else {
            assert_int_equal(err.code, CG_EUSAGE);
        }
        cg_manifest_release(&manifest);
    }
}

/* "." is labelled by the folder it stands for. */
static void test_dot(void **state)
{
    struct scratch *scratch = *state;
    struct cg_manifest manifest = {0};
    struct cg_err err = {0};
    char dots[400];
    snprintf(dots, sizeof dots, "%s/models/..", scratch->folder);
    assert_int_equal(cg_manifest_add(&manifest, dots, &err), 0);
    assert_string_equal(manifest.entries[0].label, strrchr(scratch->folder, '/') + 1);
    cg_manifest_release(&manifest);
}

/* The table, and its rows as label|path|family|role; @ stands for the manifest's folder. */
static const struct {
    const char *what, *text, *rows, *message;
} tables[] = {
    {"path alone", "path\n/x/a\n/x/b\n", "a|/x/a||\nb|/x/b||\n", NULL},
    {"all columns", "label\tpath\tfamily\trole\nA\t/x\tllama\tbase\nB\t/y\t\ttarget\n",
     "A|/x|llama|base\nB|/y||target\n", NULL},
    {"other order", "role\tpath\nbase\t/x\n\t/y\n", "x|/x||base\ny|/y||\n", NULL},
    {"comments, empty lines, CR", "# made by hand\r\n\r\npath\trole\r\n#/z\n/x\tbase\r\n\n", "x|/x||base\n",
     NULL},
    {"no newline at the end", "path\n/x", "x|/x||\n", NULL},
    {"fields missing at the end", "path\tlabel\trole\n/x\n", "x|/x||\n", NULL},
    {"label empty", "label\tpath\n\t/x/y\n", "y|/x/y||\n", NULL},
    {"relative", "path\nmodels/m\n", "m|@/models/m||\n", NULL},
    {"relative, not there", "path\norg/absent\n", "absent|org/absent||\n", NULL},
    {"header alone", "path\trole\n", "", NULL},

    {"empty", "", NULL, "table.tsv: has no header line"},
    {"comments alone", "# nothing\n", NULL, "has no header line"},
    {"no path column", "label\trole\nA\tbase\n", NULL,
     "table.tsv: line 1: the header line has no column path"},
    {"unknown column", "path\tmodel\n", NULL, "line 1: a column is label, path, family or role, not: model"},
    {"column twice", "path\tpath\n", NULL, "line 1: a column is there twice: path"},
    {"five columns", "path\tlabel\trole\tfamily\tx\n", NULL, "line 1: more columns than"},
    {"role unknown", "path\trole\n\n/x\tparent\n", NULL,
     "line 3: a role is base, target or nothing, not: parent"},
    {"too many fields", "path\trole\n/x\tbase\tx\n", NULL, "line 2: more fields than the header line has"},
    {"path empty", "path\trole\n\tbase\n", NULL, "line 2: no path"},
    {"spaces for tabs", "path role\n/x base\n", NULL, "line 1: a column is"},
    {"escape in a role", "path\trole\n/x\t\x1b[2J\n", NULL, "not: \\x1B[2J"},
};

static void describe(char *out, size_t size, const struct cg_manifest *manifest, const char *folder)
{
    size_t at = 0, n = strlen(folder);
    out[0] = '\0';
    for (size_t i = 0; i < manifest->n; i++) {
        const struct cg_entry *e = &manifest->entries[i];
        bool below = strncmp(e->path, folder, n) == 0;
        at += (size_t)snprintf(out + at, size - at, "%s|%s%s|%s|%s\n", e->label, below ? "@" : "",
                               e->path + (below ? n : 0), e->family, e->role);
    }
}

static void test_tables(void **state)
{
    struct scratch *scratch = *state;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        struct cg_manifest manifest = {0};
        struct cg_err err = {0};
        char rows[1000];
        scratch_text(scratch, "table.tsv", tables[i].text);
        int result = cg_manifest_read(&manifest, scratch_path(scratch, "table.tsv"), &err);
        describe(rows, sizeof rows, &manifest, scratch->folder);
        if ((result == 0) != (tables[i].rows != NULL))
            fail_msg("%s: %s%s", tables[i].what, rows, err.text);
        if (result == 0 && strcmp(rows, tables[i].rows) != 0)
            fail_msg("%s: %s", tables[i].what, rows);
        if (result < 0 && !strstr(err.text, tables[i].message))
            fail_msg("%s: \"%s\" does not say \"%s\"", tables[i].what, err.text, tables[i].message);
        cg_manifest_release(&manifest);
    }
}

static void test_no_table(void **state)
{
    struct scratch *scratch = *state;
    struct cg_manifest manifest = {0};
    struct cg_err err = {0};
    assert_int_equal(cg_manifest_read(&manifest, scratch_path(scratch, "absent.tsv"), &err), -1);
    assert_int_equal(err.code, CG_EMISSING);
    assert_int_equal(cg_manifest_read(&manifest, scratch->folder, &err), -1);
    assert_non_null(strstr(err.text, "is a folder, not a file"));
    scratch_bytes(scratch, "table.tsv", "path\n/x\0y\n", 10);
    assert_int_equal(cg_manifest_read(&manifest, scratch_path(scratch, "table.tsv"), &err), -1);
    assert_non_null(strstr(err.text, "this is no text (at byte 7)"));
    cg_manifest_release(&manifest);
}

static const struct {
    const char *labels, *unique;
} labels[] = {
    {"a b c", "a b c "},
    {"a a", "a a-2 "},
    {"a a a b b", "a a-2 a-3 b b-2 "},
    {"a a a-2", "a a-3 a-2 "},
    {"a-2 a a", "a-2 a a-3 "},
    {"a-2 a-2 a-2-2", "a-2 a-2-3 a-2-2 "},
    {"a A", "a A "},
    {"a a a-02", "a a-2 a-02 "},
    {"a a a-2x a-", "a a-2 a-2x a- "},
    {"a a a-99999999999999999999 a-9", "a a-2 a-99999999999999999999 a-9 "},
};

static void add_all(struct cg_manifest *manifest, const char *labels_text)
{
    struct cg_err err = {0};
    char text[200], argument[100], *rest = text, *label;
    snprintf(text, sizeof text, "%s", labels_text);
    while ((label = strsep(&rest, " "))) {
        snprintf(argument, sizeof argument, "%s=/x", label);
        assert_int_equal(cg_manifest_add(manifest, argument, &err), 0);
    }
}

static void test_labels(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        struct cg_manifest manifest = {0};
        struct cg_err err = {0};
        char unique[200] = "";
        add_all(&manifest, labels[i].labels);
        assert_int_equal(cg_manifest_unique_labels(&manifest, &err), 0);
        for (size_t k = 0; k < manifest.n; k++) {
            strcat(unique, manifest.entries[k].label);
            strcat(unique, " ");
        }
        assert_string_equal(unique, labels[i].unique);
        cg_manifest_release(&manifest);
    }
}

/* Thousands of one name, as a folder of checkpoints has them, take no time to speak of. */
static void test_many_labels(void **state)
{
    (void)state;
    enum { MANY = 4000 };
    struct cg_manifest manifest = {0};
    struct cg_err err = {0};
    for (int i = 0; i < MANY; i++)
        assert_int_equal(cg_manifest_add(&manifest, "m=/x", &err), 0);
    assert_int_equal(cg_manifest_unique_labels(&manifest, &err), 0);
    assert_string_equal(manifest.entries[0].label, "m");
    for (int i = 1; i < MANY; i++) {
        char label[20];
        snprintf(label, sizeof label, "m-%d", i + 1);
        assert_string_equal(manifest.entries[i].label, label);
    }
    cg_manifest_release(&manifest);
}

/* One letter a model: b base, t target, - neither; the pairs as digits, or what is wrong. */
static const struct {
    const char *roles, *pairs, *message;
} pairings[] = {
    {"--", "01", NULL},
    {"---", "01 02 12", NULL},
    {"bt", "01", NULL},
    {"tb", "10", NULL},
    {"btt", "01 02", NULL},
    {"tbtb", "10 12 30 32", NULL},
    {"-b-t", "13", NULL},
    {"", NULL, "at least two models"},
    {"-", NULL, "at least two models"},
    {"b", NULL, "no model has the role target"},
    {"bb-", NULL, "no model has the role target"},
    {"-t", NULL, "no model has the role base"},
};

static void test_pairs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pairings / sizeof *pairings; i++) {
        struct cg_entry entries[4] = {{0}};
        struct cg_manifest manifest = {entries, strlen(pairings[i].roles)};
        struct cg_err err = {0};
        char base[] = "base", target[] = "target", none[] = "", text[100] = "";
        int32_t(*pairs)[2] = NULL;
        size_t npairs = 0;
        for (size_t k = 0; k < manifest.n; k++)
            entries[k].role = pairings[i].roles[k] == 'b'   ? base
                              : pairings[i].roles[k] == 't' ? target
                                                            : none;
        int result = cg_manifest_pairs(&manifest, &pairs, &npairs, &err);
        assert_int_equal(result, pairings[i].pairs ? 0 : -1);
        for (size_t k = 0; k < npairs; k++)
            sprintf(text + strlen(text), "%s%d%d", k > 0 ? " " : "", pairs[k][0], pairs[k][1]);
        if (result == 0)
            assert_string_equal(text, pairings[i].pairs);
        else
            assert_non_null(strstr(err.text, pairings[i].message));
        free(pairs);
    }
}

/* Which of four entries are blamed, and who stays and goes. */
static const struct {
    const char *blamed, *sound, *broken;
} partings[] = {
    {"", "abcd", ""}, {"a", "bcd", "a"}, {"bd", "ac", "bd"}, {"d", "abc", "d"}, {"abcd", "", "abcd"},
};

static void check_labels(const struct cg_manifest *manifest, const char *wanted)
{
    assert_int_equal(manifest->n, strlen(wanted));
    for (size_t i = 0; i < manifest->n; i++) {
        assert_int_equal(manifest->entries[i].label[0], wanted[i]);
        assert_int_equal(manifest->entries[i].path[1], wanted[i]);
    }
}

static void test_set_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof partings / sizeof *partings; i++) {
        struct cg_manifest manifest = {0}, broken = {0};
        struct cg_err err = {0};
        for (const char *label = "abcd"; *label; label++) {
            const char argument[] = {*label, '=', '/', *label, '\0'};
            assert_int_equal(cg_manifest_add(&manifest, argument, &err), 0);
        }
        for (const char *label = partings[i].blamed; *label; label++) {
            assert_int_equal(cg_manifest_blame(&manifest, (size_t)(*label - 'a'), "a first fault", &err), 0);
            assert_int_equal(cg_manifest_blame(&manifest, (size_t)(*label - 'a'), "is cut", &err), 0);
        }
        assert_int_equal(cg_manifest_set_apart(&manifest, &broken, &err), 0);
        check_labels(&manifest, partings[i].sound);
        check_labels(&broken, partings[i].broken);
        for (size_t k = 0; k < manifest.n; k++)
            assert_null(manifest.entries[k].error);
        for (size_t k = 0; k < broken.n; k++)
            assert_string_equal(broken.entries[k].error, "is cut");
        cg_manifest_release(&manifest);
        cg_manifest_release(&broken);
    }
}

static int make(void **state)
{
    static struct scratch scratch;
    scratch_make(&scratch);
    scratch_folder(&scratch, "models");
    scratch_folder(&scratch, "models/m");
    *state = &scratch;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments), cmocka_unit_test(test_dot),
        cmocka_unit_test(test_tables),    cmocka_unit_test(test_no_table),
        cmocka_unit_test(test_labels),    cmocka_unit_test(test_many_labels),
        cmocka_unit_test(test_pairs),     cmocka_unit_test(test_set_apart),
    };
    return cmocka_run_group_tests_name("manifest", tests, make, scratch_tear_down);
}
