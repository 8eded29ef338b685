/* The summary over results made by hand: its numbers are checked against values worked out on paper, and
 * every line is measured. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the three above it */
#include "cognate/summary.h"
#include "cognate/text.h"
#include "summary_fixture.h"
#include <cmocka.h>
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCKS_2  "\u2588\u2588"
#define BLOCKS_10 BLOCKS_2 BLOCKS_2 BLOCKS_2 BLOCKS_2 BLOCKS_2

static struct cg_err err;

static char *print(const struct cg_result *r, bool utf8, bool colour)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(cg_summary_print(out, r, (struct cg_style){utf8, colour}, &err), 0);
    fclose(out);
    return text;
}

/* The width of a line by a rule of this test's own: a character is one column, from U+2E80 to U+D7A3 and from
 * U+1F300 it is two. */
static int columns_of(const char *line, size_t n)
{
    int columns = 0;
    for (size_t i = 0; i < n;) {
        size_t length = cg_utf8_length(line + i, n - i);
        const unsigned char *u = (const unsigned char *)line + i;
        assert_true(length > 0);
        bool wide = (length == 3 && (u[0] > 0xE2 || (u[0] == 0xE2 && u[1] >= 0xBA)) && u[0] < 0xEE) ||
                    (length == 4 && u[1] >= 0x9F);
        columns += wide ? 2 : 1;
        i += length;
    }
    return columns;
}

static void check_lines(const char *text, bool utf8)
{
    for (size_t n; *text; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        if (columns_of(text, n) > 80)
            fail_msg("more than 80 columns: %.*s", (int)n, text);
        for (size_t i = 0; i < n; i++) {
            unsigned char c = (unsigned char)text[i];
            if (c < ' ' || c == 0x7F || (!utf8 && c > 0x7F))
                fail_msg("byte 0x%02X in: %.*s", c, (int)n, text);
        }
        if (n > 0 && text[n - 1] == ' ')
            fail_msg("blank at the end of: %.*s", (int)n, text);
    }
}

/* Prints in both styles, measures every line, and hands out the UTF-8 text. */
static char *print_checked(const struct cg_result *r)
{
    char *ascii = print(r, false, false);
    check_lines(ascii, false);
    free(ascii);
    char *utf8 = print(r, true, false);
    check_lines(utf8, true);
    return utf8;
}

static void expect_all(const char *text, const char *const *facts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strstr(text, facts[i]))
            fail_msg("not in the summary: %s\n%s", facts[i], text);
}

static void one_pair_says_what_is_known(void **state)
{
    (void)state;
    static const char *const facts[] = {
        "cognate 1.0.0\n",
        "1  model-a  llama    102,651,799,552   18,963  205.3 GB",
        "experts (active)  \u2260          -    128 (8)",
        "layers                       8          8\n",
        "vocabulary        \u2260    128,256    196,608",
        "\nmodel-a \u2192 model-b\n",
        "Verdict         DERIVED: continued pre-training\n",
        "\u2022 In 72 of 75 slots",
        "\u2022 Two roles pass by themselves: attn.q and ffn.up.\n",
        "10^-123 for the strongest test, corrected for all of its kind",
        "cosine 0.0312 or more would have been seen",
        "would say: almost certainly fine-tuned\n",
        "mean cosine 0.99998, by elements 0.8125, matrices 1e-05\n",
        "3 of 75 compared are identical, 2 of them constant: no proof\n",
        "over 99.9 % of b's parameters",
        "pattern         early layers alike, late layers less\n",
        /* layer 3 of 8: 1 - 3/8 and 1/2 - 3/8 of 16 columns: 10 and 2 blocks */
        "      3  " BLOCKS_10 "          0.6250  " BLOCKS_2 "                  0.1250      0.9985\n",
        /* 8 norms: 0.990 to 0.997, -0.03 to 0.04, t -1.5 to 2.0 */
        "plain cosine           8  0.9935   0.9900  0.9970\n",
        "centred cosine         8  0.0050  -0.0300  0.0400\n",
        "t, against shifts      8     0.2     -1.5     2.0\n",
        "proves nothing",
        "128,256 in a, 196,608 in b",
        "64,000, 0 of them with the same id",
        "0.2500 plain, -0.1250 centred",
        /* 0, 0.2 ... 1: the 5 % point is a quarter of the way from the first to the second */
        "5 % of tokens below 0.0500, median 0.5000, 5 % above 0.9500",
        "most alike      1.0000     \"<|end|>\"",
        "least alike     0.0000     \"a\"",
        "variance        60.0 %, 30.0 %, 10.0 %\n",
        /* 0 ... 7: mean 3.5, sum of squares 42, 42 / 7 = 6; 0 and 1 in turn: 2 / 7 */
        "A  model-a        8      3.5    2.45      0.5   0.535\n",
        "B  model-b        8     13.5    2.45     -0.5   0.535\n",
        "\u2022 A second note.\n",
    };
    struct cg_result r;
    fixture_make(&r, 2, 8, true);
    char *text = print_checked(&r);
    expect_all(text, facts, sizeof facts / sizeof *facts);
    assert_null(strstr(text, "Verdicts"));
    free(text);
    cg_result_release(&r);
}

static void many_pairs_start_with_a_table(void **state)
{
    (void)state;
    static const char *const facts[] = {"Verdicts\n", "\n  19 model-s  \u2192  20 model-t  DERIVED",
                                        "The first 12 of 190 pairs in full", "T  model-t        8      194"};
    struct cg_result r;
    fixture_make(&r, 20, 2, true);
    char *text = print_checked(&r);
    expect_all(text, facts, 4);
    int full = 0;
    for (const char *at = text; (at = strstr(at, "Depth profile")); at++)
        full++;
    assert_int_equal(full, 12);
    free(text);
    cg_result_release(&r);
}

static void holes_in_the_profile_are_dashes(void **state)
{
    (void)state;
    static const char *const facts[] = {
        "      1                           -                           -           -\n"};
    struct cg_result r;
    fixture_make(&r, 2, 3, false);
    for (int g = 0; g < GROUPS; g++)
        r.layers.cosine[1 * GROUPS + g] = NAN;
    char *text = print_checked(&r);
    expect_all(text, facts, 1);
    free(text);
    cg_result_release(&r);
}

static void deep_models_are_grouped(void **state)
{
    (void)state;
    static const char *const facts[] = {"    0-1  ", "  46-47  ", "2 layers a row",
                                        "Layers 48 to 51 of b have none"};
    struct cg_result r;
    fixture_make(&r, 3, 48, false);
    r.root.num_hidden_layers[1] = 52;
    char *text = print_checked(&r);
    expect_all(text, facts, 4);
    assert_null(strstr(text, "Principal components"));
    free(text);
    cg_result_release(&r);
}

/* Nothing known, in any shape: no crash, no number out of thin air. */
static void absent_is_a_dash(void **state)
{
    (void)state;
    static const struct {
        int models, layers;
        bool pca;
    } table[] = {{2, 0, false}, {2, 0, true}, {1, 0, false}, {0, 0, false}, {2, 4, true}, {3, 30, true}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct cg_result r;
        fixture_make_empty(&r, table[i].models, table[i].layers, table[i].pca);
        char *text = print_checked(&r);
        assert_null(strstr(text, "nan"));
        assert_null(strstr(text, "Norm weights"));
        assert_null(strstr(text, "Embedding"));
        assert_null(strstr(text, "Warning"));
        if (table[i].models > 1)
            assert_non_null(strstr(text, "No layer compares slot by slot"));
        free(text);
        cg_result_release(&r);
    }
}

static void components_may_be_few(void **state)
{
    (void)state;
    for (int components = 0; components < 2; components++) {
        struct cg_result r;
        fixture_make(&r, 2, 2, true);
        r.size[CG_DIM_COMPONENT] = components;
        for (int i = 0; i < 2 * SAMPLES_A_MODEL; i++)
            r.pca.score[i] = i;
        char *text = print_checked(&r);
        assert_non_null(strstr(text, components > 0 ? "60.0 %\n" : "no component"));
        assert_null(strstr(text, "upward"));
        if (components > 0) /* 0 to 7, and no second component */
            assert_non_null(strstr(text, "A  model-a        8      3.5    2.45        -       -\n"));
        free(text);
        r.size[CG_DIM_COMPONENT] = COMPONENTS;
        cg_result_release(&r);
    }
}

static void odd_labels_are_tamed(void **state)
{
    (void)state;
    static const char *const labels[] = {
        "meta-llama-Llama-3.1-8B-Instruct-finetune", /* 41 */
        "\xE6\xBC\xA2\xE5\xAD\x97\xE6\xBC\xA2\xE5\xAD\x97\xE6\xBC\xA2\xE5\xAD\x97\xE6\xBC\xA2\xE5\xAD\x97"
        "\xE6\xBC\xA2\xE5\xAD\x97\xE6\xBC\xA2\xE5\xAD\x97\xE6\xBC\xA2\xE5\xAD\x97\xE6\xBC\xA2\xE5\xAD\x97"
        "\xE6\xBC\xA2\xE5\xAD\x97\xE6\xBC\xA2\xE5\xAD\x97\xE6\xBC\xA2\xE5\xAD\x97\xE6\xBC\xA2\xE5\xAD\x97",
        "red\033[31m alert\007\177",
        "broken \xFF\xC3 and turned \xE2\x80\xAE round",
        "a-label-without-end-a-label-without-end-a-label-without-end-a-label-without-end-a-label-without-end",
        "",
    };
    enum { MODELS = sizeof labels / sizeof *labels };
    struct cg_result r;
    fixture_make(&r, MODELS, 3, true);
    for (int m = 0; m < MODELS; m++) {
        fixture_set(&r.root.model_label[m], labels[m]);
        fixture_set(&r.root.model_family[m], "a family with a long name");
        fixture_set(&r.root.model_type[m], "some_new_model_type_of_2027");
    }
    fixture_set(&r.root.relation[0], "fine-tuned, vocabulary changed, permuted, rotated, quantised");
    fixture_set(&r.root.reasons[0], labels[4]);
    r.tensors.nonfinite[0] = 3;
    fixture_set(&r.tensors.name[0], labels[4]);
    char *text = print_checked(&r);
    /* cut in tables, in full below the first and in the titles */
    assert_non_null(strstr(text, "  1  meta-llama-Llama-3.1-8B-Instruct-finetune\n"));
    assert_non_null(strstr(text, "\nmeta-llama-Llama-3.1-8B-Instruct-finetune \u2192 "));
    assert_non_null(strstr(text, "\u2026"));
    assert_null(strstr(text, "\xE2\x80\xAE"));
    free(text);
    cg_result_release(&r);
}

static void colour_only_when_asked(void **state)
{
    (void)state;
    struct cg_result r;
    fixture_make(&r, 2, 2, true);
    char *plain = print(&r, true, false), *coloured = print(&r, true, true), *to = coloured;
    assert_null(strchr(plain, '\033'));
    assert_non_null(strchr(coloured, '\033'));
    /* taken out again, the colours have changed nothing */
    for (const char *from = coloured; *from; from++)
        if (*from == '\033')
            from += 3;
        else
            *to++ = *from;
    *to = '\0';
    assert_string_equal(plain, coloured);
    free(plain);
    free(coloured);
    cg_result_release(&r);
}

static void nonfinite_elements_are_named(void **state)
{
    (void)state;
    static const char *const facts[] = {"model-b has NaN or infinite elements, 28 in 7 of its slots",
                                        "layers.0.attn.q (1)\n", "layers.1.ffn.up (5)\n", "and 2 more\n"};
    struct cg_result r;
    fixture_make(&r, 2, 8, false);
    for (int s = 0; s < 7; s++)
        r.tensors.nonfinite[2 * s + 1] = s + 1;
    char *text = print_checked(&r);
    expect_all(text, facts, 4);
    assert_null(strstr(text, "layers.1.attn.norm (6)"));
    assert_null(strstr(text, "model-a has"));
    free(text);
    cg_result_release(&r);
}

/* A mean cosine and a p-value as they come out. */
static void numbers_are_not_rounded_to_certainty(void **state)
{
    (void)state;
    static const struct {
        double cosine, log10_p;
        const char *utf8, *ascii;
    } table[] = {
        {1, -20, "mean cosine 1.0000,", "1e-20 for"},
        {0.99994, -12.9, "mean cosine 0.9999,", "1e-12 for"},
        {0.99995, -3.5, "mean cosine 0.99995,", "1e-3 for"},
        {0.99999999, -2, "mean cosine 0.999999,", "0.01 for"},
        {-0.99999999, 0, "mean cosine -0.999999,", "1 for"},
        {0, -INFINITY, "mean cosine 0.0000,", "0 for"},
        {-0.00001, -4931.5, "mean cosine -1e-05,", "1e-4931 for"},
        {0.00005, -1, "mean cosine 0.0001,", "0.1 for"},
        {-0.5, -12, "mean cosine -0.5000,", "1e-12 for"},
        {NAN, -12, "mean cosine -,", "1e-12 for"},
    };
    struct cg_result r;
    fixture_make(&r, 2, 1, false);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        r.root.mean_cosine[0] = table[i].cosine;
        r.root.log10_p[0] = table[i].log10_p;
        char *utf8 = print(&r, true, false), *ascii = print(&r, false, false);
        expect_all(utf8, &table[i].utf8, 1);
        expect_all(ascii, &table[i].ascii, 1);
        free(utf8);
        free(ascii);
    }
    cg_result_release(&r);
}

static void full_disk_is_an_error(void **state)
{
    (void)state;
    struct cg_result r;
    fixture_make(&r, 2, 2, true);
    for (int buffered = 0; buffered < 2; buffered++) {
        FILE *full = fopen("/dev/full", "w");
        if (!full)
            skip();
        assert_int_equal(setvbuf(full, NULL, buffered ? _IOFBF : _IONBF, 1 << 20), 0);
        assert_int_equal(cg_summary_print(full, &r, (struct cg_style){false, false}, &err), -1);
        assert_int_equal(err.code, CG_EIO);
        fclose(full);
    }
    cg_result_release(&r);
}

/* A terminal to write to; NULL where the system has none to give. */
static FILE *open_terminal(int *master)
{
    *master = posix_openpt(O_RDWR | O_NOCTTY);
    if (*master < 0 || grantpt(*master) < 0 || unlockpt(*master) < 0)
        return NULL;
    return fopen(ptsname(*master), "w");
}

static void colour_is_for_terminals(void **state)
{
    (void)state;
    static const struct {
        const char *term, *no_color, *launcher; /* a variable that launchers set */
        bool colour;
    } table[] = {{"xterm", NULL, NULL, true},
                 {"xterm", "1", NULL, false},
                 {"xterm", "", NULL, true},
                 {"dumb", NULL, NULL, false},
                 {"xterm", NULL, "OMPI_COMM_WORLD_SIZE", false},
                 {"xterm", NULL, "PMIX_RANK", false}};
    unsetenv("OMPI_COMM_WORLD_SIZE");
    unsetenv("PMIX_RANK");
    int master;
    FILE *terminal = open_terminal(&master), *file = tmpfile();
    if (!terminal)
        skip();
    assert_non_null(file);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        setenv("TERM", table[i].term, 1);
        unsetenv("NO_COLOR");
        if (table[i].no_color)
            setenv("NO_COLOR", table[i].no_color, 1);
        if (table[i].launcher)
            setenv(table[i].launcher, "0", 1);
        assert_int_equal(cg_style_of(terminal).colour, table[i].colour);
        assert_false(cg_style_of(file).colour);
        if (table[i].launcher)
            unsetenv(table[i].launcher);
    }
    fclose(file);
    fclose(terminal);
    close(master);
}

static void style_follows_the_locale(void **state)
{
    (void)state;
    assert_true(cg_style_of(stdout).utf8);
    setlocale(LC_ALL, "C");
    assert_false(cg_style_of(stdout).utf8);
    setlocale(LC_ALL, "C.UTF-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_pair_says_what_is_known),
        cmocka_unit_test(many_pairs_start_with_a_table),
        cmocka_unit_test(holes_in_the_profile_are_dashes),
        cmocka_unit_test(deep_models_are_grouped),
        cmocka_unit_test(absent_is_a_dash),
        cmocka_unit_test(components_may_be_few),
        cmocka_unit_test(odd_labels_are_tamed),
        cmocka_unit_test(colour_only_when_asked),
        cmocka_unit_test(nonfinite_elements_are_named),
        cmocka_unit_test(numbers_are_not_rounded_to_certainty),
        cmocka_unit_test(full_disk_is_an_error),
        cmocka_unit_test(colour_is_for_terminals),
        cmocka_unit_test(style_follows_the_locale),
    };
    if (!setlocale(LC_ALL, "C.UTF-8")) {
        puts("Bail out! no locale C.UTF-8");
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
