/* The summary as JSON, parsed again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the three above it */
#include "cognate/summary.h"
#include "summary_fixture.h"
#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct cg_err err;

static json_t *parse(const struct cg_result *r)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(cg_summary_json(out, r, &err), 0);
    fclose(out);
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        fail_msg("%s at %d: %s", error.text, error.position, text);
    free(text);
    return root;
}

/* The number at a path of keys and indices, "pairs.0.norms.t.mean". */
static double number_at(json_t *value, const char *path)
{
    char key[64];
    for (const char *at = path; *at; at += *at == '.') {
        size_t n = strcspn(at, ".");
        snprintf(key, sizeof key, "%.*s", (int)n, at);
        value = json_is_array(value) ? json_array_get(value, (size_t)atoi(key)) : json_object_get(value, key);
        at += n;
    }
    if (!value)
        fail_msg("%s is not there", path);
    return json_is_null(value)      ? NAN
           : json_is_boolean(value) ? json_is_true(value)
                                    : json_number_value(value);
}

static void json_holds_the_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        double value; /* NAN stands for null */
    } table[] = {
        {"models.0.parameters", 102651799552},
        {"models.1.num_experts_per_tok", 8},
        {"models.0.num_experts", NAN},
        {"pairs.0.pair_b", 1},
        {"pairs.0.same_architecture", 0},
        {"pairs.0.mean_cosine", 0.99998},
        {"pairs.0.comparable_fraction", 0.99996},
        {"pairs.0.log10_p", -123.4},
        {"pairs.0.weighted_cosine", NAN},
        {"pairs.0.layers.attention.3", 0.625},
        {"pairs.0.layers.norm.7", 0.9985},
        {"pairs.0.layers.ffn.2", NAN},
        {"pairs.0.norms.t.slots", 8},
        {"pairs.0.norms.t.mean", 0.25},
        {"pairs.0.norms.plain_cosine.least", 0.99},
        {"pairs.0.embedding.shared_tokens", 64000},
        {"pairs.0.embedding.centred_cosine", -0.125},
        {"pairs.0.embedding.token_cosine_quantiles.1", 0.5},
        {"pca.explained_variance.0", 6},
        {"pca.explained_variance_ratio.2", 0.1},
        {"pca.samples", 16},
    };
    struct cg_result r;
    fixture_make(&r, 2, 8, true);
    r.root.weighted_cosine[0] = INFINITY;
    r.layers.cosine[2 * GROUPS + 1] = NAN;
    fixture_set(&r.root.model_label[1], "a \"quoted\" \xE6\xBC\xA2 \\ \xFF label\n");
    json_t *root = parse(&r);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        double found = number_at(root, table[i].path), wanted = table[i].value;
        if (isnan(found) != isnan(wanted) || fabs(found - wanted) > 1e-15 * fabs(wanted))
            fail_msg("%s is %.17g, not %.17g", table[i].path, found, wanted);
    }
    json_t *pair = json_array_get(json_object_get(root, "pairs"), 0);
    assert_int_equal(json_array_size(json_object_get(pair, "reasons")), 2);
    assert_string_equal(json_string_value(json_array_get(json_object_get(pair, "reasons"), 1)),
                        "Two roles pass by themselves: attn.q and ffn.up.");
    assert_string_equal(json_string_value(json_object_get(pair, "b_label")),
                        "a \"quoted\" \xE6\xBC\xA2 \\ \xEF\xBF\xBD label\n");
    assert_int_equal(json_array_size(json_object_get(root, "notes")), 2);
    json_decref(root);
    cg_result_release(&r);
}

/* Tokens belong to the first pair alone; t of the norms is larger by 2 in the third. */
static void pairs_are_told_apart(void **state)
{
    (void)state;
    struct cg_result r;
    fixture_make(&r, 3, 8, false);
    r.layers.cosine[2 * 8 * GROUPS] = 0.75;
    json_t *root = parse(&r);
    assert_true(number_at(root, "pairs.2.norms.t.mean") == 2.25);
    assert_true(number_at(root, "pairs.2.layers.attention.0") == 0.75);
    assert_true(number_at(root, "pairs.0.embedding.token_cosine_quantiles.1") == 0.5);
    assert_true(isnan(number_at(root, "pairs.2.embedding.token_cosine_quantiles.1")));
    json_decref(root);
    cg_result_release(&r);
}

static void json_of_nothing_parses(void **state)
{
    (void)state;
    for (int models = 0; models < 4; models++) {
        struct cg_result r;
        fixture_make_empty(&r, models, 0, models == 3);
        json_t *root = parse(&r);
        assert_int_equal(json_array_size(json_object_get(root, "models")), models);
        assert_int_equal(json_array_size(json_object_get(root, "pairs")), models * (models - 1) / 2);
        assert_int_equal(json_is_null(json_object_get(root, "pca")), models != 3);
        json_decref(root);
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
    assert_int_equal(cg_summary_json(full, &r, &err), -1);
    assert_int_equal(err.code, CG_EIO);
    fclose(full);
    cg_result_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_holds_the_numbers),
        cmocka_unit_test(pairs_are_told_apart),
        cmocka_unit_test(json_of_nothing_parses),
        cmocka_unit_test(full_disk_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
