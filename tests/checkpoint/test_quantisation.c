/* What config.json, AutoGPTQ's file and bitsandbytes' tensors of JSON say of quantisation, and what they may
 * not. */
#include "cognate/checkpoint.h"
#include "scratch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#define CONFIG(text) "{\"quantization_config\":{" text "}}"
#define GROUPS(text) CONFIG("\"quant_method\":\"compressed-tensors\",\"config_groups\":{" text "}")

static const struct {
    const char *text, *method, *format;
    int n;
    struct cg_quantisation last;
    const char *message; /* NULL: accepted */
} rows[] = {
    {"{}", "", "", 0, {0}, NULL},
    {"{\"quantization_config\":null}", "", "", 0, {0}, NULL},
    {CONFIG("\"quant_method\":\"gptq\",\"bits\":4,\"group_size\":128"),
     "gptq",
     "",
     1,
     {4, 128, -1, -1},
     NULL},
    {CONFIG("\"quant_method\":\"gptq\",\"bits\":3,\"group_size\":-1,\"checkpoint_format\":\"gptq_v2\""),
     "gptq",
     "gptq_v2",
     1,
     {3, -1, -1, -1},
     NULL},
    {CONFIG("\"quant_method\":\"awq\",\"bits\":4,\"group_size\":64,\"version\":\"gemm\""),
     "awq",
     "gemm",
     1,
     {4, 64, -1, -1},
     NULL},
    {CONFIG("\"quant_method\":\"fp8\",\"weight_block_size\":[128,64]"),
     "fp8",
     "",
     1,
     {-1, -1, 128, 64},
     NULL},
    {CONFIG("\"quant_method\":\"fp8\",\"weight_block_size\":null"), "fp8", "", 1, {-1, -1, -1, -1}, NULL},
    {"{\"text_config\":{\"quantization_config\":{\"quant_method\":\"awq\",\"bits\":4}}}",
     "awq",
     "",
     1,
     {4, -1, -1, -1},
     NULL},
    {"{\"compression_config\":{\"quant_method\":\"compressed-tensors\",\"format\":\"pack-quantized\"}}",
     "compressed-tensors",
     "pack-quantized",
     0,
     {0},
     NULL},
    {GROUPS("\"a\":{\"weights\":null},\"b\":{\"weights\":{\"num_bits\":4,\"group_size\":32}}"),
     "compressed-tensors",
     "",
     1,
     {4, 32, -1, -1},
     NULL},
    {GROUPS("\"a\":{\"weights\":{\"num_bits\":8}},\"b\":{\"weights\":{\"block_structure\":\"128x16\"}}"),
     "compressed-tensors",
     "",
     2,
     {-1, -1, 128, 16},
     NULL},
    {CONFIG("\"quant_method\":\"modelopt\",\"bits\":[4,3],\"config_groups\":7"),
     "modelopt",
     "",
     0,
     {0},
     NULL},

    {"{\"quantization_config\":4}", "", "", 0, {0}, "quantization_config must be an object, not 4"},
    {CONFIG("\"quant_method\":4"), "", "", 0, {0}, "quant_method must be text, not 4"},
    {CONFIG("\"quant_method\":\"gptq\",\"checkpoint_format\":2"),
     "",
     "",
     0,
     {0},
     "checkpoint_format must be text, not 2"},
    {CONFIG("\"quant_method\":\"gptq\",\"bits\":\"4\""),
     "",
     "",
     0,
     {0},
     "config.json: bits must be a whole number from 1 to 64, not \"4\""},
    {CONFIG("\"quant_method\":\"gptq\",\"bits\":0"),
     "",
     "",
     0,
     {0},
     "bits must be a whole number from 1 to 64, not 0"},
    {CONFIG("\"quant_method\":\"gptq\",\"bits\":65"), "", "", 0, {0}, "from 1 to 64, not 65"},
    {CONFIG("\"quant_method\":\"awq\",\"group_size\":0"),
     "",
     "",
     0,
     {0},
     "group_size must be a whole number of at least 1, or -1, not 0"},
    {CONFIG("\"quant_method\":\"awq\",\"group_size\":-2"), "", "", 0, {0}, "or -1, not -2"},
    {CONFIG("\"quant_method\":\"awq\",\"group_size\":12.5"), "", "", 0, {0}, "or -1, not 12.5"},
    {CONFIG("\"quant_method\":\"fp8\",\"weight_block_size\":[128]"),
     "",
     "",
     0,
     {0},
     "weight_block_size must be two whole numbers of at least 1, not [128]"},
    {CONFIG("\"quant_method\":\"fp8\",\"weight_block_size\":[128,0]"), "", "", 0, {0}, "not [128,0]"},
    {CONFIG("\"quant_method\":\"fp8\",\"weight_block_size\":[128,\"128\"]"),
     "",
     "",
     0,
     {0},
     "not [128,\"128\"]"},
    {CONFIG("\"quant_method\":\"fp8\",\"weight_block_size\":128"), "", "", 0, {0}, "not 128"},
    {GROUPS("\"a\":{\"weights\":{\"block_structure\":\"128x16x\"}}"), "", "", 0, {0}, "not \"128x16x\""},
    {GROUPS("\"a\":{\"weights\":{\"num_bits\":-4}}"), "", "", 0, {0}, "num_bits must be"},
    {GROUPS("\"a\":{\"weights\":[4]}"), "", "", 0, {0}, "config_groups must be of objects"},
    {GROUPS("\"a\":4"), "", "", 0, {0}, "config_groups must be of objects, not 4"},
    {CONFIG("\"quant_method\":\"compressed-tensors\",\"config_groups\":[]"),
     "",
     "",
     0,
     {0},
     "config_groups must be an object, not []"},
};

/* Packs and unpacks: other ranks see the same. */
static void check_row(const struct cg_config *config, size_t row)
{
    if (strcmp(config->quant_method, rows[row].method) != 0 ||
        strcmp(config->quant_format, rows[row].format) != 0 || config->nquantisations != rows[row].n)
        fail_msg("row %zu: %s, %s, %d ways", row, config->quant_method, config->quant_format,
                 config->nquantisations);
    if (rows[row].n > 0)
        assert_memory_equal(&config->quantisation[rows[row].n - 1], &rows[row].last, sizeof rows[row].last);
}

static void test_rows(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cg_checkpoint checkpoint = {0}, other = {0};
        struct cg_buf buf = {0};
        struct cg_err err = {0};
        scratch_text(*state, "config.json", rows[i].text);
        int result = cg_checkpoint_open(&checkpoint, ((struct scratch *)*state)->folder, &err);
        if ((result == 0) != (rows[i].message == NULL))
            fail_msg("row %zu: %s%s", i, result == 0 ? "accepted" : "refused: ", err.text);
        if (result < 0 && !strstr(err.text, rows[i].message))
            fail_msg("row %zu: \"%s\" does not say \"%s\"", i, err.text, rows[i].message);
        if (result == 0) {
            check_row(&checkpoint.config, i);
            assert_int_equal(cg_checkpoint_pack(&checkpoint, &buf, &err), 0);
            struct cg_unpacker from = {buf.data, buf.data + buf.size};
            assert_int_equal(cg_checkpoint_unpack(&other, &from, &err), 0);
            check_row(&other.config, i);
            assert_ptr_equal(from.at, from.end);
        }
        cg_buf_release(&buf);
        cg_checkpoint_release(&other);
        cg_checkpoint_release(&checkpoint);
    }
    remove(scratch_path(*state, "config.json"));
}

/* AutoGPTQ's file counts where config.json says nothing of quantisation, and only there. */
static void test_quantize_config(void **state)
{
    static const struct {
        const char *config, *text, *method;
        int64_t bits;
    } files[] = {
        {"{}", "{\"bits\":4,\"group_size\":128,\"desc_act\":false}", "gptq", 4},
        {"{}", "{\"bits\":4,\"quant_method\":\"awq\"}", "awq", 4},
        {CONFIG("\"quant_method\":\"gptq\",\"bits\":8"), "{\"bits\":4}", "gptq", 8},
        {"{}", "{\"bits\":true}", NULL, 0},
        {"{}", "[4]", NULL, 0},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct cg_checkpoint checkpoint = {0};
        struct cg_err err = {0};
        scratch_text(*state, "config.json", files[i].config);
        scratch_text(*state, "quantize_config.json", files[i].text);
        int result = cg_checkpoint_open(&checkpoint, ((struct scratch *)*state)->folder, &err);
        assert_int_equal(result == 0, files[i].method != NULL);
        if (result < 0) {
            assert_non_null(strstr(err.text, "quantize_config.json: "));
        } else {
            assert_string_equal(checkpoint.config.quant_method, files[i].method);
            assert_int_equal(checkpoint.config.quantisation[0].bits, files[i].bits);
        }
        cg_checkpoint_release(&checkpoint);
    }
    remove(scratch_path(*state, "quantize_config.json"));
}

static const struct {
    const char *text;
    int64_t rows, columns, block, nested;
    const char *message;
} states[] = {
    {"{\"quant_type\":\"nf4\",\"blocksize\":64,\"dtype\":\"bfloat16\",\"shape\":[2,6]}", 2, 6, 64, 0, NULL},
    {"{\"blocksize\":32,\"shape\":[12,1],\"nested_blocksize\":256,\"nested_offset\":0.25}", 12, 1, 32, 256,
     NULL},
    {"{\"blocksize\":64,\"shape\":[2,6],\"nested_blocksize\":256}", 0, 0, 0, 0,
     "nested_offset is not a number"},
    {"{\"blocksize\":64,\"shape\":[2,6],\"nested_blocksize\":0,\"nested_offset\":0}", 0, 0, 0, 0,
     "nested_blocksize must be a whole number of at least 1, not 0"},
    {"{\"blocksize\":0,\"shape\":[2,6]}", 0, 0, 0, 0, "w.quant_state.bitsandbytes__nf4: blocksize must be"},
    {"{\"shape\":[2,6]}", 0, 0, 0, 0, "not absent"},
    {"{\"blocksize\":64}", 0, 0, 0, 0, "its shape is not a list of two whole numbers"},
    {"{\"blocksize\":64,\"shape\":[12]}", 0, 0, 0, 0, "its shape is not"},
    {"{\"blocksize\":64,\"shape\":[-2,6]}", 0, 0, 0, 0, "its shape is not"},
    {"{\"blocksize\":64,\"shape\":[2,6]", 0, 0, 0, 0, "invalid JSON"},
    {"", 0, 0, 0, 0, "invalid JSON"},
    {"[64]", 0, 0, 0, 0, "the JSON is not an object"},
};

/* A weight of six bytes and its state, in a file. */
static void write_state(struct scratch *scratch, const char *text, const char *weight)
{
    char bytes[1024], header[512];
    size_t n = strlen(text);
    int length = snprintf(header, sizeof header,
                          "{\"%s\":{\"dtype\":\"U8\",\"shape\":[6,1],\"data_offsets\":[0,6]},"
                          "\"w.quant_state.bitsandbytes__nf4\":{\"dtype\":\"U8\",\"shape\":[%zu],"
                          "\"data_offsets\":[6,%zu]}}",
                          weight, n, n + 6);
    uint64_t claimed = (uint64_t)length;
    memcpy(bytes, &claimed, sizeof claimed);
    memcpy(bytes + 8, header, (size_t)length);
    memset(bytes + 8 + length, 7, 6);
    memcpy(bytes + 14 + length, text, n);
    scratch_bytes(scratch, "bnb.safetensors", bytes, 14 + (size_t)length + n);
}

static void test_states(void **state)
{
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        struct cg_checkpoint checkpoint = {0}, other = {0};
        struct cg_buf buf = {0};
        struct cg_err err = {0};
        write_state(*state, states[i].text, "w");
        int result = cg_checkpoint_open(&checkpoint, scratch_path(*state, "bnb.safetensors"), &err);
        if ((result == 0) != (states[i].message == NULL) ||
            (result < 0 && !strstr(err.text, states[i].message)))
            fail_msg("row %zu: %s", i, result == 0 ? "accepted" : err.text);
        if (result == 0) {
            assert_int_equal(cg_checkpoint_pack(&checkpoint, &buf, &err), 0);
            struct cg_unpacker from = {buf.data, buf.data + buf.size};
            assert_int_equal(cg_checkpoint_unpack(&other, &from, &err), 0);
            assert_int_equal(other.nbnb, 1);
            const struct cg_bnb_state *found = other.bnb;
            assert_int_equal(found->tensor, 0);
            assert_true(found->nf4);
            assert_int_equal(found->rows, states[i].rows);
            assert_int_equal(found->columns, states[i].columns);
            assert_int_equal(found->block, states[i].block);
            assert_int_equal(found->nested_block, states[i].nested);
            assert_true(found->nested_offset == (states[i].nested > 0 ? 0.25 : 0));
        }
        cg_buf_release(&buf);
        cg_checkpoint_release(&other);
        cg_checkpoint_release(&checkpoint);
    }
}

/* The state of a weight that is not there is a tensor like any other. */
static void test_state_alone(void **state)
{
    struct cg_checkpoint checkpoint = {0};
    struct cg_err err = {0};
    write_state(*state, "no JSON", "v");
    assert_int_equal(cg_checkpoint_open(&checkpoint, scratch_path(*state, "bnb.safetensors"), &err), 0);
    assert_int_equal(checkpoint.nbnb, 0);
    cg_checkpoint_release(&checkpoint);
}

static int make(void **state)
{
    static struct scratch scratch;
    scratch_make(&scratch);
    scratch_safetensors(&scratch, "model.safetensors", -1,
                        "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1);
    *state = &scratch;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_quantize_config),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_state_alone),
    };
    return cmocka_run_group_tests_name("quantisation", tests, make, scratch_tear_down);
}
