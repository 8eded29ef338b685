/* The fingerprint as a file: a sound one goes round; each fault is refused by one line that names the file
 * and the place, and leaves nothing behind. Faults of the file are those of results (harm.h); faults of what
 * is said in it have right hashes, so that the reader alone stands between them and an index that is out of
 * bounds. */
#include "../result/harm.h"
#include "../result/sample.h"
#include "cognate/mem.h"
#include "fingerprint/check.h"
#include "fingerprint/form.h"
#include "prints.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Of the allocations every so many fails: sanitizers make this slow. */
#ifdef CG_SANITIZE
enum { STRIDE = 31 };
#else
enum { STRIDE = 1 };
#endif

static const double LARGEST = 0x1p63; /* of int64_t, see print_set */

/* Allocations until one fails; 0: none does. Linked with --wrap=cg_new and --wrap=cg_copy_text. */
static long countdown;

void *__wrap_cg_new(size_t n, size_t size, struct cg_err *err);
void *__real_cg_new(size_t n, size_t size, struct cg_err *err);
void *__wrap_cg_new(size_t n, size_t size, struct cg_err *err)
{
    if (countdown == 0 || --countdown > 0)
        return __real_cg_new(n, size, err);
    cg_fail(err, CG_ENOMEM, "out of memory, on purpose");
    return NULL;
}

char *__wrap_cg_copy_text(const char *text, size_t n, struct cg_err *err);
char *__real_cg_copy_text(const char *text, size_t n, struct cg_err *err);
char *__wrap_cg_copy_text(const char *text, size_t n, struct cg_err *err)
{
    if (countdown == 0 || --countdown > 0)
        return __real_cg_copy_text(text, n, err);
    cg_fail(err, CG_ENOMEM, "out of memory, on purpose");
    return NULL;
}

struct folder {
    char path[64], print[96];
};

static int setup(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);
    assert_non_null(folder);
    strcpy(folder->path, "/tmp/cognate-print-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    snprintf(folder->print, sizeof folder->print, "%s/p.h5", folder->path);
    *state = folder;
    return 0;
}

static int teardown(void **state)
{
    struct folder *folder = *state;
    if (unlink(folder->print) < 0)
        rmdir(folder->print);
    assert_int_equal(rmdir(folder->path), 0); /* nothing else is left there */
    free(folder);
    return 0;
}

static int read_print(const char *path, struct cg_err *err)
{
    struct cg_fingerprint read = {0};
    int outcome = cg_fingerprint_read(&read, path, err);
    if (outcome < 0)
        assert_memory_equal(&read, &(struct cg_fingerprint){0}, sizeof read);
    cg_fingerprint_release(&read);
    return outcome;
}

static void write_sound(const char *path)
{
    struct cg_fingerprint print;
    struct cg_err err = {0};
    print_init(&print);
    if (cg_fingerprint_write(&print, path, &err) < 0)
        fail_msg("%s", err.text);
    cg_fingerprint_release(&print);
}

static void assert_same(const struct cg_variable *variable, const struct cg_fingerprint *a,
                        const struct cg_fingerprint *b)
{
    struct cg_err err;
    int64_t cells = cg_variable_cells(variable, a, &err);
    assert_int_equal(cells, cg_variable_cells(variable, b, &err));
    char **in_a = (char **)cg_variable_data(variable, a), **in_b = (char **)cg_variable_data(variable, b);
    if (variable->type != CG_TYPE_TEXT && cells > 0)
        assert_memory_equal(in_a, in_b, (size_t)cells * cg_type_size(variable->type));
    for (int64_t i = 0; variable->type == CG_TYPE_TEXT && i < cells; i++)
        assert_string_equal(in_a[i], in_b[i]);
}

/* Every variable comes back as it was, and with the metadata the model of which all slots are named. */
static void test_round_trip(void **state)
{
    const struct folder *folder = *state;
    struct cg_fingerprint wrote, read = {0};
    struct cg_checkpoint model = {0};
    struct cg_err err = {0};
    write_sound(folder->print);
    assert_true(cg_fingerprint_recognise(folder->print));
    assert_true(cg_fingerprint_verify(folder->print, &err) > 60);
    print_init(&wrote);
    assert_int_equal(cg_fingerprint_read(&read, folder->print, &err), 0);
    assert_memory_equal(read.size, wrote.size, sizeof read.size);
    for (size_t v = 0; v < cg_fingerprint_form.nvariables; v++)
        assert_same(&cg_fingerprint_form.variables[v], &wrote, &read);
    assert_string_equal(read.source, wrote.source);
    assert_string_equal(read.run.history, wrote.run.history);
    if (cg_fingerprint_checkpoint(&model, &read, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(model.ntensors, 5);
    assert_string_equal(model.tensors[4].name, "model.norm.weight");
    assert_true(model.nfiles == 1 && model.files[0].bytes == 4096 && model.nbnb == 1 && model.npadded == 1);
    cg_checkpoint_release(&model);
    cg_fingerprint_release(&read);
    cg_fingerprint_release(&wrote);
}

static void test_damage_is_named(void **state)
{
    static const struct harm rows[] = {
        {harm_flip_in, "/slots/sum", CG_EFORMAT, "/slots/sum: does not have the SHA-256", false},
        {harm_flip_in, "/tokens/bytes", CG_EFORMAT, "/tokens/bytes: does not have the SHA-256", false},
        {harm_flip_in, "/slots/name", CG_EFORMAT, "/slots/name: does not have the SHA-256", false},
        {harm_flip_signature, NULL, CG_EFORMAT, "cannot open", false},
        {harm_cut, "99", CG_EFORMAT, "cannot open", false},
        {harm_cut, "0", CG_EFORMAT, "cannot open", false},
        {harm_other_format, NULL, CG_EFORMAT, "cannot open", false},
        {harm_no_link, "/blocks/raw", CG_EMISSING, "/blocks/raw: is missing", false},
        {harm_no_link, "/slots", CG_EMISSING, "group /slots is missing", false},
        {harm_no_link, "/tokens/entry", CG_EMISSING, "dimension /tokens/entry is missing", false},
        {harm_no_link, "/run", CG_EMISSING, "group /run is missing", false},
        {harm_no_status, NULL, CG_EFORMAT, "is not complete", false},
        {harm_other_status, NULL, CG_EFORMAT, "is not complete", false},
        {harm_no_hash, "/slots/sketch", CG_EMISSING, "/slots/sketch: attribute sha256 is missing", false},
        {harm_no_attribute, "source", CG_EMISSING, "attribute source is missing", false},
        {harm_no_attribute, "cognate_fingerprint", CG_EMISSING, "is no fingerprint", false},
        {harm_next_version, "cognate_fingerprint", CG_EUNSUPPORTED, "version 2 of the schema", false},
        {harm_wrong_type, "/slots/sketch", CG_EFORMAT, "/slots/sketch: has the wrong type", false},
        {harm_transposed, "/slots/sketch", CG_EFORMAT, "/slots/sketch: has the wrong shape", false},
        {harm_flattened, "/slots/sketch", CG_EFORMAT, "/slots/sketch: has the wrong shape", false},
        {harm_too_many_axes, "/slots/sketch", CG_EFORMAT, "/slots/sketch: has the wrong shape", false},
        {harm_huge_claim, "/slots/name", CG_EFORMAT, "/slots/name: is no plain data or is larger", false},
        {harm_no_file, NULL, CG_EMISSING, "No such file or directory", false},
        {harm_a_folder, NULL, CG_EFORMAT, "is a folder, not a fingerprint", false},
        {harm_a_fifo, NULL, CG_EFORMAT, "is no regular file", false},
    };
    const struct folder *folder = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_sound(folder->print);
        harm_check(&rows[i], i, folder->print, cg_fingerprint_verify, read_print);
        if (unlink(folder->print) < 0)
            rmdir(folder->print);
    }
}

/* A result in place of a fingerprint, and the other way round. */
static void test_the_other_kind_of_file(void **state)
{
    const struct folder *folder = *state;
    struct cg_result result, read = {0};
    struct cg_err err = {0};
    sample_init(&result, SAMPLE_FULL);
    assert_int_equal(cg_result_write(&result, folder->print, &err), 0);
    cg_result_release(&result);
    assert_false(cg_fingerprint_recognise(folder->print));
    assert_int_equal(read_print(folder->print, &err), -1);
    assert_non_null(strstr(err.text, "p.h5: is no fingerprint: attribute cognate_fingerprint is missing"));
    write_sound(folder->print);
    assert_int_equal(cg_result_read(&read, folder->print, &err), -1);
    assert_non_null(strstr(err.text, "p.h5: is no result"));
}

/* What is wrong is one line that begins with the place. */
static void check_refused(const struct cg_fingerprint *print, const char *text, const char *row)
{
    struct cg_err err = {0};
    int outcome = cg_print_check(print, &err);
    if (outcome == 0 || err.code != CG_EFORMAT || strncmp(err.text, text, strlen(text)) != 0 ||
        strchr(err.text, '\n'))
        fail_msg("%s: %d: %s", row, outcome, err.text);
}

static void test_numbers_out_of_their_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int64_t cell;
        double value;
        const char *text;
    } rows[] = {
        {"/fact_given", 0, -2, "/: "},
        {"/fact_given", 3, 0x1p31, "/: "},
        {"/size_value", CG_PRINT_EMBEDDING_SIZE_NUMBER, -1, "/: "},
        {"/size_value", CG_PRINT_EMBEDDING_SIZE_NUMBER, 0x1p31, "/: "},
        {"/checkpoint/file_bytes", 0, -1, "/checkpoint/file_bytes: "},
        {"/checkpoint/axes", 2, -1, "/checkpoint: stored tensor 2: "},
        {"/checkpoint/axes", 2, CG_MAX_AXES + 1, "/checkpoint: stored tensor 2: "},
        {"/checkpoint/shape", 1, -4, "/checkpoint: stored tensor 0: "},
        {"/checkpoint/shape", 1, LARGEST, "/checkpoint: stored tensor 0: "},
        {"/checkpoint/shape", 1, 5, "/checkpoint: stored tensor 0: "},
        {"/checkpoint/bytes", 4, 9, "/checkpoint: stored tensor 4: "},
        {"/checkpoint/tensor_file", 1, -1, "/checkpoint: stored tensor 1: "},
        {"/checkpoint/tensor_file", 1, 1, "/checkpoint: stored tensor 1: "},
        {"/checkpoint/offset", 3, -1, "/checkpoint: stored tensor 3: "},
        {"/checkpoint/offset", 3, LARGEST, "/checkpoint: stored tensor 3: "},
        {"/checkpoint/way_bits", 0, 0, "/checkpoint/way_bits: "},
        {"/checkpoint/way_bits", 0, 65, "/checkpoint/way_bits: "},
        {"/checkpoint/way_group", 0, 0, "/checkpoint/way_bits: "},
        {"/checkpoint/way_rows", 0, -2, "/checkpoint/way_bits: "},
        {"/checkpoint/way_columns", 0, 0, "/checkpoint/way_bits: "},
        {"/checkpoint/bnb_tensor", 0, -1, "/checkpoint/bnb_tensor: "},
        {"/checkpoint/bnb_tensor", 0, 5, "/checkpoint/bnb_tensor: "},
        {"/checkpoint/bnb_rows", 0, 0, "/checkpoint/bnb_tensor: "},
        {"/checkpoint/bnb_columns", 0, 0x1p31, "/checkpoint/bnb_tensor: "},
        {"/checkpoint/bnb_block", 0, 0, "/checkpoint/bnb_tensor: "},
        {"/checkpoint/bnb_nested_block", 0, -1, "/checkpoint/bnb_tensor: "},
        {"/checkpoint/bnb_offset", 0, (double)NAN, "/checkpoint/bnb_tensor: "},
        {"/checkpoint/padded", 0, -1, "/checkpoint/padded: "},
        {"/checkpoint/padded", 0, 5, "/checkpoint/padded: "},
        {"/size_value", CG_PRINT_PANEL_NUMBER, 0, "/slots: sizes"},
        {"/size_value", CG_PRINT_PANEL_NUMBER, CG_PANEL_ELEMENTS + 1, "/slots: sizes"},
        {"/slots/panel_scale", 4, (double)NAN, "/slots: sizes or scales"},
        {"/slots/panel_scale", 4, -1, "/slots: sizes or scales"},
        {"/slots/panel_scale", 4, (double)INFINITY, "/slots: sizes or scales"},
        {"/slots/rows", 1, -1, "/slots: slot 1 "},
        {"/slots/columns", 1, LARGEST, "/slots: slot 1 "},
        {"/slots/tensor", 2, -1, "/slots: slot 2 "},
        {"/slots/tensor", 2, 5, "/slots: slot 2 "},
        {"/slots/elements", 3, 23, "/slots: slot 3 "},
        {"/slots/elements", 3, 0, "/slots: slot 3 "}, /* without values there is no hash of them */
        {"/slots/nonfinite", 0, -1, "/slots: slot 0 "},
        {"/slots/nonfinite", 0, 257, "/slots: slot 0 "},
        {"/slots/sum", 4, (double)NAN, "/slots: slot 4 "},
        {"/slots/sum", 4, (double)INFINITY, "/slots: slot 4 "},
        {"/slots/squares", 0, (double)NAN, "/slots: slot 0 "},
        {"/slots/squares", 0, -1, "/slots: slot 0 "},
        {"/slots/rounding", 0, (double)NAN, "/slots: slot 0 "},
        {"/slots/rounding", 0, -1, "/slots: slot 0 "},
        {"/slots/minimum", 0, (double)NAN, "/slots: slot 0 "},
        {"/slots/minimum", 0, 1.5, "/slots: slot 0 "},
        {"/slots/maximum", 0, (double)INFINITY, "/slots: slot 0 "},
        {"/slots/sketch", 7, (double)NAN, "/slots: slot 1 "},
        {"/slots/panel_first", 1, -2, "/slots: slot 1 "},
        {"/slots/panel_first", 1, 65, "/slots: slot 1 "},
        {"/size_value", CG_PRINT_UNITS_NUMBER, -3, "/blocks: "},
        {"/size_value", CG_PRINT_UNITS_NUMBER, LARGEST, "/blocks: "},
        {"/size_value", CG_PRINT_COLUMNS_NUMBER, 3, "/blocks: "},
        {"/size_value", CG_PRINT_PROBES_NUMBER, 3, "/blocks: "},
        {"/size_value", CG_PRINT_SQUARE_NUMBER, 0x1p62, "/blocks: "},
        {"/size_value", CG_PRINT_EXACT_ROWS_NUMBER, 0x1p62, "/blocks: "},
        {"/size_value", CG_PRINT_EXACT_COLUMNS_NUMBER, 4, "/blocks: "},
        {"/blocks/units", 1, 0, "/blocks: "},
        {"/blocks/units", 1, 4, "/blocks: "},
        {"/blocks/raw_scale", 11, (double)NAN, "/blocks: "},
        {"/blocks/probes_scale", 0, -1, "/blocks: "},
        {"/blocks/products_scale", 3, 1e16, "/blocks: "},
        {"/blocks/exact_scale", 15, (double)INFINITY, "/blocks: "},
        {"/tokens/id", 0, -1, "/tokens: "},
        {"/tokens/id", 1, 0, "/tokens: "},
        {"/tokens/first", 0, -1, "/tokens: "},
        {"/tokens/first", 1, 2, "/tokens: "},
        {"/tokens/first", 2, LARGEST, "/tokens: "},
        {"/tokens/length", 2, -1, "/tokens: "},
        {"/tokens/length", 2, 4, "/tokens: "},
        {"/tokens/length", 2, LARGEST, "/tokens: "},
        {"/tokens/sample_id", 1, -1, "/tokens: "},
        {"/tokens/row_scale", 2, (double)NAN, "/tokens: "},
        {"/tokens/gram_scale", 1, -1, "/tokens: "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char row[80];
        struct cg_fingerprint print;
        print_init(&print);
        print_set(&print, rows[i].path, rows[i].cell, rows[i].value);
        snprintf(row, sizeof row, "%s = %g", rows[i].path, rows[i].value);
        check_refused(&print, rows[i].text, row);
        cg_fingerprint_release(&print);
    }
}

static void test_texts_that_do_not_fit(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int64_t cell;
        const char *to, *text;
    } rows[] = {
        {"/text", 0, "labels", "/: "},
        {"/size", 6, "", "/: "},
        {"/fact", 0, "size", "/: "},
        {"/checkpoint/dtype", 0, "BF17", "/checkpoint: stored tensor 0: "},
        {"/checkpoint/dtype", 0, "F32", "/checkpoint: stored tensor 0: "},
        {"/checkpoint/name", 1, "model.embed_tokens.weight", "/checkpoint: stored tensor 1: "},
        {"/checkpoint/name", 4, "", "/checkpoint: stored tensor 4: "},
        {"/slots/sha256", 1, "", "/slots: slot 1 "},
        {"/slots/sha256", 1, "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
         "/slots: slot 1 "},
        {"/slots/values_hash", 0, "0123456789abcde", "/slots: slot 0 "},
        {"/slots/values_hash", 0, "", "/slots: slot 0 "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cg_fingerprint print;
        print_init(&print);
        print_set_text(&print, rows[i].path, rows[i].cell, rows[i].to);
        check_refused(&print, rows[i].text, rows[i].path);
        cg_fingerprint_release(&print);
    }
}

static void test_sizes_that_do_not_fit(void **state)
{
    (void)state;
    static const struct {
        enum cg_print_dimension axis;
        int64_t size;
        const char *text;
    } rows[] = {
        {CG_PRINT_TEXT, CG_PRINT_TEXT_COUNT - 1, "/: "},
        {CG_PRINT_TEXT, CG_PRINT_TEXT_COUNT + 1, "/: "},
        {CG_PRINT_FACT, CG_FACT_COUNT - 1, "/: "},
        {CG_PRINT_FACT, 0, "/: "},
        {CG_PRINT_SIZE, CG_PRINT_NUMBER_COUNT - 1, "/: "},
        {CG_PRINT_AXIS, 1, "/: "},
        {CG_PRINT_WAY, CG_MOST_QUANTISATIONS + 1, "/: "},
        {CG_PRINT_FILE, 0, "/checkpoint: stored tensor 0: "},
        {CG_PRINT_STORED, 4, "/slots: slot 4 "},
        {CG_PRINT_FEATURE, 0, "/slots: sizes"},
        {CG_PRINT_FEATURE, 3, "/slots: sizes"},
        {CG_PRINT_BLOCK, 1, "/blocks: "},
        {CG_PRINT_UNIT, 11, "/blocks: "},
        {CG_PRINT_COLUMN, 1, "/blocks: "},
        {CG_PRINT_PROBE, 3, "/blocks: "},
        {CG_PRINT_PRODUCT, 0, "/blocks: "},
        {CG_PRINT_PRODUCT_COLUMN, 3, "/blocks: "},
        {CG_PRINT_EXACT_ROW, 12, "/blocks: "},
        {CG_PRINT_EXACT_COLUMN, 2, "/blocks: "},
        {CG_PRINT_SAMPLE, 1, "/blocks: "}, /* more answer than are sampled */
        {CG_PRINT_SAMPLE, 4, "/tokens: "},
        {CG_PRINT_ENTRY, 2, "/tokens: "},
        {CG_PRINT_BYTE, 8, "/tokens: "},
        {CG_PRINT_BYTE, 10, "/tokens: "},
        {CG_PRINT_GRAM, 1, "/tokens: "},
        {CG_PRINT_GRAM_COLUMN, 3, "/tokens: "},
        {CG_PRINT_SAMPLE_COLUMN, 5000, "/tokens: "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char row[80];
        struct cg_fingerprint print;
        print_init(&print);
        print_resize(&print, rows[i].axis, rows[i].size);
        snprintf(row, sizeof row, "%s of %d", cg_fingerprint_form.axes[rows[i].axis].name, (int)rows[i].size);
        check_refused(&print, rows[i].text, row);
        cg_fingerprint_release(&print);
    }
}

/* Numbers that multiply to too much are refused even where no block is there to be out of its bounds. */
static void test_sizes_of_no_blocks(void **state)
{
    (void)state;
    static const struct {
        enum cg_print_number which;
        int64_t number;
    } rows[] = {{CG_PRINT_UNITS_NUMBER, -1},
                {CG_PRINT_UNITS_NUMBER, INT32_MAX},
                {CG_PRINT_EXACT_ROWS_NUMBER, -1},
                {CG_PRINT_EXACT_ROWS_NUMBER, INT64_MAX}};
    static const enum cg_print_dimension without[] = {CG_PRINT_BLOCK, CG_PRINT_UNIT, CG_PRINT_PRODUCT,
                                                      CG_PRINT_EXACT_ROW};
    for (size_t i = 0; i <= sizeof rows / sizeof rows[0]; i++) {
        struct cg_err err;
        struct cg_fingerprint print;
        print_init(&print);
        for (size_t k = 0; k < sizeof without / sizeof without[0]; k++)
            print_resize(&print, without[k], 0);
        if (i < sizeof rows / sizeof rows[0]) {
            print.root.size_value[rows[i].which] = rows[i].number;
            check_refused(&print, "/blocks: ", "no blocks");
        } else {
            assert_int_equal(cg_print_check(&print, &err), 0);
        }
        cg_fingerprint_release(&print);
    }
}

/* A file whose digests are right is checked so, too, and named. */
static void test_reading_checks(void **state)
{
    const struct folder *folder = *state;
    struct cg_fingerprint print;
    print_init(&print);
    print_set(&print, "/slots/tensor", 2, 5);
    print_write(&print, folder->print);
    cg_fingerprint_release(&print);
    harm_check(&(struct harm){harm_nothing, NULL, CG_EFORMAT, "p.h5: /slots: slot 2 is out of", false}, 0,
               folder->print, cg_fingerprint_verify, read_print);
}

/* What the reader takes but what is of another model: the checkpoint is not restored. */
static void test_another_anatomy(void **state)
{
    static const struct {
        const char *path;
        int64_t cell;
        double value;
        const char *to;
    } rows[] = {
        {"/slots/name", 0, 0, "other"},      {"/slots/tensor", 1, 0, NULL},
        {"/slots/panel_first", 0, 1, NULL},  {"/checkpoint/name", 4, 0, "model.normal.weight"},
        {"/slots/panel_first", 2, 64, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cg_fingerprint print;
        struct cg_checkpoint model = {0};
        struct cg_err err = {0};
        print_init(&print);
        if (rows[i].to)
            print_set_text(&print, rows[i].path, rows[i].cell, rows[i].to);
        else
            print_set(&print, rows[i].path, rows[i].cell, rows[i].value);
        int outcome = cg_fingerprint_checkpoint(&model, &print, &err);
        if (outcome == 0 || err.code != CG_EUNSUPPORTED ||
            !strstr(err.text, "was made by cognate 0.0.0, which names the model's parts otherwise"))
            fail_msg("row %zu: %d: %s", i, outcome, err.text);
        assert_memory_equal(&model, &(struct cg_checkpoint){0}, sizeof model);
        cg_fingerprint_release(&print);
    }
}

/* The k-th allocation fails, until all goes well. */
static void test_every_allocation(void **state)
{
    const struct folder *folder = *state;
    long k = 1 - STRIDE;
    write_sound(folder->print);
    for (int outcome = -1; outcome < 0;) {
        struct cg_fingerprint print = {0};
        struct cg_checkpoint model = {0};
        struct cg_err err = {0};
        countdown = k += STRIDE;
        outcome = cg_fingerprint_read(&print, folder->print, &err);
        if (outcome == 0)
            outcome = cg_fingerprint_checkpoint(&model, &print, &err);
        bool struck = countdown == 0;
        countdown = 0;
        if (struck != (outcome < 0) || (struck && err.code != CG_ENOMEM))
            fail_msg("allocation %ld: %d: %s", k, outcome, err.text);
        cg_checkpoint_release(&model);
        cg_fingerprint_release(&print);
    }
    assert_true(k > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_other_kind_of_file, setup, teardown),
        cmocka_unit_test(test_numbers_out_of_their_bounds),
        cmocka_unit_test(test_texts_that_do_not_fit),
        cmocka_unit_test(test_sizes_that_do_not_fit),
        cmocka_unit_test(test_sizes_of_no_blocks),
        cmocka_unit_test_setup_teardown(test_reading_checks, setup, teardown),
        cmocka_unit_test(test_another_anatomy),
        cmocka_unit_test_setup_teardown(test_every_allocation, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
