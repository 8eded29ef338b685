/* What the HTML page is made of: escapes, colours, ticks; and pages of odd results. tests/system/test_html.py
 * reads whole pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the three above it */
#include "result/html_parts.h"
#include "summary_fixture.h"
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct cg_err err;

static void text_is_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *text, *escaped;
    } table[] = {
        {"", ""},
        {"plain ASCII 123", "plain ASCII 123"},
        {"<script>alert('&\"')</script>", "&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;"},
        {"]]>", "]]&gt;"},
        {"100 % of $5", "100 % of $5"},
        {"\xC3\xA9\xE6\xBC\xA2\xF0\x9F\x98\x80", "\xC3\xA9\xE6\xBC\xA2\xF0\x9F\x98\x80"},
        {"a\nb\tc\x1B[31m\x7F", "a\uFFFDb\uFFFDc\uFFFD[31m\uFFFD"},
        {"\xC2\x85\xC2\xA0", "\uFFFD\xC2\xA0"},
        {"\xFF\xC3", "\uFFFD\uFFFD"},
        {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},
        {"\xEF\xBF\xBE\xEF\xBF\xBF\xEF\xBF\xBD", "\uFFFD\uFFFD\uFFFD"},
        {"a\u202Egnp.exe", "a\uFFFDgnp.exe"},
        {"zero\u200Bwidth", "zero\uFFFDwidth"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        assert_non_null(out);
        cg_html_text(out, table[i].text);
        fclose(out);
        assert_string_equal(text, table[i].escaped);
        free(text);
    }
}

static void texts_fill_markup(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    cg_html(out, "<b title=\"$\">$ of $</b>", "\"", "$", "<");
    fclose(out);
    assert_string_equal(text, "<b title=\"&quot;\">$ of &lt;</b>");
    free(text);
}

static void colours_have_levels(void **state)
{
    (void)state;
    static const struct {
        double value;
        int level;
    } table[] = {{NAN, -1}, {-INFINITY, 0}, {-1, 0},    {-0.001, 0}, {0, 0},  {0.0499, 0},
                 {0.05, 1}, {0.5, 10},      {0.94, 18}, {0.951, 19}, {1, 19}, {INFINITY, 19}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(cg_heat_level(table[i].value), table[i].level);
}

static void ticks_are_round(void **state)
{
    (void)state;
    static const struct {
        double range, unit;
        int most;
        double step;
    } table[] = {{8, 1, 10, 1},   {12, 1, 12, 1},     {13, 1, 12, 2}, {80, 1, 10, 10}, {126, 1, 16, 10},
                 {61, 1, 12, 10}, {2048, 1, 4, 1000}, {0, 1, 4, 1},   {17, 0.1, 6, 5}, {3e-7, 1e-8, 6, 5e-8}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_true(fabs(cg_scale_step(table[i].range, table[i].unit, table[i].most) / table[i].step - 1) <
                    1e-12);
}

static void values_have_places(void **state)
{
    (void)state;
    struct cg_scale up = {0, 1, 100, -80}, single = {3, 3, 10, 50};
    assert_true(cg_scale_place(&up, 0) == 100);
    assert_true(cg_scale_place(&up, 1) == 20);
    assert_true(cg_scale_place(&up, 0.25) == 80);
    assert_true(cg_scale_place(&single, 3) == 35);
}

/* Words such as "Provenance" aside. */
static bool has_nan(const char *text)
{
    for (const char *at = text; (at = strstr(at, "nan")); at++)
        if (at == text || at[-1] < 'a' || at[-1] > 'z')
            return true;
    return false;
}

static void odd_results_make_pages(void **state)
{
    (void)state;
    for (int models = 0; models < 4; models++)
        for (int layers = 0; layers < 3; layers++) {
            struct cg_result r;
            char *text = NULL;
            size_t size = 0;
            FILE *out = open_memstream(&text, &size);
            assert_non_null(out);
            fixture_make_empty(&r, models, layers, models == 3);
            assert_int_equal(cg_summary_html(out, &r, &err), 0);
            fclose(out);
            assert_memory_equal(text, "<!DOCTYPE html>\n", 16);
            assert_string_equal(text + size - 8, "</html>\n");
            assert_false(has_nan(text));
            free(text);
            cg_result_release(&r);
        }
}

/* A cell beyond any model's size is shown in the table and drawn nowhere. */
static void absurd_experts_are_no_picture(void **state)
{
    (void)state;
    static const struct {
        int32_t layer, expert;
        bool row, picture;
    } table[] = {{1, 3, true, true},
                 {INT32_MAX, INT32_MAX, true, false},
                 {1 << 20, 0, true, false},
                 {-1, 3, false, false},
                 {1, -1, false, false}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct cg_result r;
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        assert_non_null(out);
        fixture_make(&r, 2, 2, false);
        r.size[CG_DIM_EXPERT_MATCH] = 1;
        assert_int_equal(cg_result_allocate(&r, "/experts", &err), 0);
        r.root.num_experts[1] = 8;
        r.experts.pair[0] = 0;
        r.experts.layer_b[0] = table[i].layer;
        r.experts.expert_b[0] = table[i].expert;
        r.experts.layer_a[0] = r.experts.expert_a[0] = 5;
        r.experts.cosine[0] = 0.875;
        assert_int_equal(cg_summary_html(out, &r, &err), 0);
        fclose(out);
        if ((strstr(text, "<td>0.8750</td>") != NULL) != table[i].row ||
            (strstr(text, ">L5.5</text>") != NULL) != table[i].picture)
            fail_msg("expert %d of layer %d", table[i].expert, table[i].layer);
        free(text);
        cg_result_release(&r);
    }
}

static void full_disk_is_an_error(void **state)
{
    (void)state;
    struct cg_result r;
    FILE *full = fopen("/dev/full", "w");
    if (!full)
        skip();
    fixture_make(&r, 2, 2, true);
    assert_int_equal(cg_summary_html(full, &r, &err), -1);
    assert_int_equal(err.code, CG_EIO);
    fclose(full);
    cg_result_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_escaped),
        cmocka_unit_test(texts_fill_markup),
        cmocka_unit_test(colours_have_levels),
        cmocka_unit_test(ticks_are_round),
        cmocka_unit_test(values_have_places),
        cmocka_unit_test(odd_results_make_pages),
        cmocka_unit_test(absurd_experts_are_no_picture),
        cmocka_unit_test(full_disk_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
