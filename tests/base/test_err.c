/* Errors: what cg_fail leaves behind, and the list of codes. */
#include "cognate/err.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

static void fills_code_and_text(void **state)
{
    (void)state;
    struct cg_err err = {0};
    assert_int_equal(cg_fail(&err, CG_EFORMAT, "%s: %s (at byte %d)", "a.safetensors", "w", 8), -1);
    assert_int_equal(err.code, CG_EFORMAT);
    assert_string_equal(err.text, "a.safetensors: w (at byte 8)");
    assert_int_equal(cg_fail(&err, CG_EIO, "later"), -1);
    assert_int_equal(err.code, CG_EIO);
    assert_string_equal(err.text, "later");
}

static void cuts_a_long_text(void **state)
{
    (void)state;
    char text[2 * CG_ERR_TEXT];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct {
        struct cg_err err;
        char guard[16];
    } held = {.guard = "untouched"};
    cg_fail(&held.err, CG_EIO, "%s", text);
    assert_int_equal(strlen(held.err.text), CG_ERR_TEXT - 1);
    assert_string_equal(held.guard, "untouched");
}

static void every_code_has_its_meaning(void **state)
{
    (void)state;
    static const struct {
        enum cg_code code;
        const char *meaning;
    } rows[] = {
        {CG_OK, "no error"},
        {CG_ENOMEM, "out of memory"},
        {CG_EIO, "the system refused to read or write"},
        {CG_EFORMAT, "a file breaks the rules of its format"},
        {CG_EMISSING, "a file or tensor that must be there is not"},
        {CG_EUNSUPPORTED, "a file is sound but of a kind that cognate does not read"},
        {CG_EMISMATCH, "two things that must agree do not"},
        {CG_ECHANGED, "a file changed while it was being read"},
        {CG_ENUMERIC, "a numerical result failed its own check"},
        {CG_EUSAGE, "wrong usage"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(cg_code_meaning(rows[i].code), rows[i].meaning);
}

static int leaves_early(int result, int *reached)
{
    CG_TRY(result);
    *reached = 1;
done:
    return result;
}

static void try_leaves_on_failure_only(void **state)
{
    (void)state;
    int reached = 0;
    assert_int_equal(leaves_early(-1, &reached), -1);
    assert_int_equal(reached, 0);
    assert_int_equal(leaves_early(0, &reached), 0);
    assert_int_equal(reached, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_code_and_text),
        cmocka_unit_test(cuts_a_long_text),
        cmocka_unit_test(every_code_has_its_meaning),
        cmocka_unit_test(try_leaves_on_failure_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
