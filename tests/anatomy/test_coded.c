/* Which tensors make a quantised member, where its codes and sides lie, and what stays whole. */
#include "models.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { MOST_TENSORS = 8, MOST_PARTS = 6 };

/* Tensors below "model.layers.1.", with their types and shapes. */
struct stored {
    const char *name;
    enum cg_dtype dtype;
    int axes;
    int64_t shape[4];
};

/* What the anatomy makes of them. Views as base, extents and strides. */
struct part {
    const char *slot;
    int64_t rows, columns;
    struct cg_view codes, scale;
    int64_t side_bytes;
};

static const struct row {
    const char *method, *format, *model_type, *type;
    struct cg_quantisation says;
    struct stored tensor[MOST_TENSORS];
    struct part part[MOST_PARTS];
    int codes_at;
} rows[] = {
    {"fp8",
     "",
     "deepseek_v3",
     "fp8",
     {-1, -1, 128, 128},
     {{"self_attn.kv_a_proj_with_mqa.weight", CG_F8_E4M3, 2, {576, 512}},
      {"self_attn.kv_a_proj_with_mqa.weight_scale_inv", CG_F32, 2, {5, 4}}},
     {{"layers.1.attn.kv_a", 576, 512, {0, 1, {576 * 512}, {1}}, {0, 1, {20}, {1}}, 80}},
     0},
    {"fbgemm_fp8",
     "",
     "llama",
     "fbgemm-fp8",
     {-1, -1, -1, -1},
     {{"self_attn.o_proj.weight", CG_F8_E4M3, 2, {512, 512}},
      {"self_attn.o_proj.weight_scale", CG_F32, 2, {512, 1}},
      {"self_attn.o_proj.input_scale_ub", CG_F32, 1, {1}}},
     {{"layers.1.attn.o", 512, 512, {0, 1, {512 * 512}, {1}}, {0, 1, {512}, {1}}, 2052}},
     1},
    {"gptq",
     "",
     "llama",
     "gptq-int4",
     {4, 128, -1, -1},
     {{"self_attn.q_proj.qweight", CG_I32, 2, {64, 256}},
      {"self_attn.q_proj.qzeros", CG_I32, 2, {4, 32}},
      {"self_attn.q_proj.scales", CG_F16, 2, {4, 256}},
      {"self_attn.q_proj.g_idx", CG_I32, 1, {512}}},
     {{"layers.1.attn.q", 256, 512, {0, 2, {256, 64}, {1, 256}}, {0, 1, {4 * 256}, {1}}, 2048 + 512 + 2048}},
     1},
    {"gptq",
     "gptq_v2",
     "phi3",
     "gptq-v2-int4",
     {4, 128, -1, -1},
     {{"mlp.gate_up_proj.qweight", CG_I32, 2, {64, 128}},
      {"mlp.gate_up_proj.qzeros", CG_I32, 2, {4, 16}},
      {"mlp.gate_up_proj.scales", CG_F16, 2, {4, 128}}},
     {{"layers.1.ffn.gate", 64, 512, {0, 2, {64, 64}, {1, 128}}, {0, 2, {4, 64}, {128, 1}}, 128 + 512},
      {"layers.1.ffn.up", 64, 512, {64, 2, {64, 64}, {1, 128}}, {64, 2, {4, 64}, {128, 1}}, 128 + 512}},
     0},
    {"awq",
     "gemm",
     "llama",
     "awq-int4",
     {4, 128, -1, -1},
     {{"self_attn.q_proj.qweight", CG_I32, 2, {512, 32}},
      {"self_attn.q_proj.qzeros", CG_I32, 2, {4, 32}},
      {"self_attn.q_proj.scales", CG_F16, 2, {4, 256}}},
     {{"layers.1.attn.q", 256, 512, {0, 2, {32, 512}, {1, 32}}, {0, 1, {4 * 256}, {1}}, 512 + 2048}},
     0},
    {"compressed-tensors",
     "",
     "llama",
     "nvfp4",
     {4, 16, -1, -1},
     {{"mlp.up_proj.weight_packed", CG_U8, 2, {96, 256}},
      {"mlp.up_proj.weight_scale", CG_F8_E4M3, 2, {96, 32}},
      {"mlp.up_proj.weight_global_scale", CG_F32, 1, {1}},
      {"mlp.up_proj.input_global_scale", CG_F32, 1, {1}}},
     {{"layers.1.ffn.up", 96, 512, {0, 1, {96 * 256}, {1}}, {0, 1, {96 * 32}, {1}}, 96 * 32 + 8}},
     2},
    {"",
     "",
     "gpt_oss",
     "mxfp4",
     {-1, -1, -1, -1},
     {{"mlp.experts.gate_up_proj_blocks", CG_U8, 4, {2, 128, 16, 16}},
      {"mlp.experts.gate_up_proj_scales", CG_U8, 3, {2, 128, 16}}},
     {{"layers.1.experts.0.ffn.gate", 64, 512, {0, 2, {64, 256}, {512, 1}}, {0, 2, {64, 16}, {32, 1}}, 1024},
      {"layers.1.experts.0.ffn.up", 64, 512, {256, 2, {64, 256}, {512, 1}}, {16, 2, {64, 16}, {32, 1}}, 1024},
      {"layers.1.experts.1.ffn.gate",
       64,
       512,
       {32768, 2, {64, 256}, {512, 1}},
       {2048, 2, {64, 16}, {32, 1}},
       1024}},
     0},
    {"fp8",
     "",
     "qwen3_moe",
     "fp8",
     {-1, -1, 128, 128},
     {{"mlp.experts.gate_up_proj", CG_F8_E4M3, 3, {2, 512, 512}},
      {"mlp.experts.gate_up_proj_scale_inv", CG_F32, 3, {2, 4, 4}}},
     {{"layers.1.experts.1.ffn.up", 256, 512, {3 * 256 * 512, 1, {256 * 512}, {1}}, {24, 1, {8}, {1}}, 32}},
     0},
    /* Without what says that they are codes, values. */
    {"",
     "",
     "llama",
     "F8_E4M3",
     {-1, -1, -1, -1},
     {{"self_attn.o_proj.weight", CG_F8_E4M3, 2, {512, 512}}},
     {{"layers.1.attn.o", 512, 512, {0}, {0}, 0}},
     0},
    {"gptq",
     "",
     "llama",
     "BF16",
     {4, 128, -1, -1},
     {{"self_attn.o_proj.weight", CG_BF16, 2, {512, 512}}},
     {{"layers.1.attn.o", 512, 512, {0}, {0}, 0}},
     0},
};

/* Tensors that do not fit together: whole, each in a slot of its own, and the reason. */
static const struct {
    const char *method, *format;
    struct cg_quantisation says;
    struct stored tensor[MOST_TENSORS];
    const char *warning;
} refused[] = {
    {"gptq",
     "",
     {4, 128, -1, -1},
     {{"self_attn.q_proj.qweight", CG_I32, 2, {64, 256}}, {"self_attn.q_proj.scales", CG_F16, 2, {4, 256}}},
     "model.layers.1.self_attn.q_proj.qweight: codes without their qzeros; it stays whole"},
    {"gptq",
     "",
     {-1, 128, -1, -1},
     {{"self_attn.q_proj.qweight", CG_I32, 2, {64, 256}},
      {"self_attn.q_proj.scales", CG_F16, 2, {4, 256}},
      {"self_attn.q_proj.qzeros", CG_I32, 2, {4, 32}}},
     "of bits that config.json does not say"},
    {"gptq",
     "marlin",
     {4, 128, -1, -1},
     {{"self_attn.q_proj.qweight", CG_I32, 2, {64, 256}},
      {"self_attn.q_proj.scales", CG_F16, 2, {4, 256}},
      {"self_attn.q_proj.qzeros", CG_I32, 2, {4, 32}}},
     "of a checkpoint_format other than gptq and gptq_v2"},
    {"gptq",
     "",
     {4, 128, -1, -1},
     {{"self_attn.q_proj.qweight", CG_I32, 2, {64, 256}},
      {"self_attn.q_proj.scales", CG_F16, 2, {4, 255}},
      {"self_attn.q_proj.qzeros", CG_I32, 2, {4, 32}}},
     "beside scales that do not divide it"},
    {"gptq",
     "",
     {4, 128, -1, -1},
     {{"self_attn.q_proj.qweight", CG_I32, 2, {64, 256}},
      {"self_attn.q_proj.scales", CG_F16, 2, {4, 256}},
      {"self_attn.q_proj.qzeros", CG_I32, 2, {4, 31}}},
     "beside zero points of other sizes"},
    {"gptq",
     "",
     {4, 128, -1, -1},
     {{"self_attn.q_proj.qweight", CG_I32, 2, {64, 256}},
      {"self_attn.q_proj.scales", CG_F16, 2, {4, 256}},
      {"self_attn.q_proj.qzeros", CG_I32, 2, {4, 32}},
      {"self_attn.q_proj.g_idx", CG_I32, 1, {511}}},
     "beside groups that are not those of its columns"},
    {"gptq",
     "",
     {4, 128, -1, -1},
     {{"self_attn.q_proj.qweight", CG_I32, 2, {64, 256}},
      {"self_attn.q_proj.scales", CG_C64, 2, {4, 256}},
      {"self_attn.q_proj.qzeros", CG_I32, 2, {4, 32}}},
     "beside scales of a type that cannot be"},
    {"awq",
     "gemv",
     {4, 128, -1, -1},
     {{"self_attn.q_proj.qweight", CG_I32, 2, {512, 32}},
      {"self_attn.q_proj.scales", CG_F16, 2, {4, 256}},
      {"self_attn.q_proj.qzeros", CG_I32, 2, {4, 32}}},
     "of an AWQ version other than gemm"},
    {"awq",
     "GEMM",
     {8, 128, -1, -1},
     {{"self_attn.q_proj.qweight", CG_I32, 2, {512, 32}},
      {"self_attn.q_proj.scales", CG_F16, 2, {4, 256}},
      {"self_attn.q_proj.qzeros", CG_I32, 2, {4, 32}}},
     "AWQ of other than 4 bits"},
    {"fp8",
     "",
     {-1, -1, 128, 128},
     {{"self_attn.q_proj.weight", CG_F8_E4M3, 2, {512, 512}}},
     "codes without their weight_scale_inv"},
    {"fp8",
     "",
     {-1, -1, 128, 128},
     {{"self_attn.q_proj.weight", CG_F8_E4M3, 2, {512, 512}},
      {"self_attn.q_proj.weight_scale_inv", CG_F32, 2, {5, 4}}},
     "beside scales that do not divide it"},
    {"fp8",
     "",
     {-1, -1, 128, 128},
     {{"self_attn.q_proj.weight", CG_F8_E4M3, 1, {512}},
      {"self_attn.q_proj.weight_scale_inv", CG_F32, 2, {4, 4}}},
     "codes that are no matrix"},
    {"fp8",
     "",
     {-1, -1, 128, 128},
     {{"self_attn.q_proj.weight", CG_F8_E4M3, 2, {0, 512}},
      {"self_attn.q_proj.weight_scale_inv", CG_F32, 2, {0, 4}}},
     "empty"},
    {"compressed-tensors",
     "",
     {5, 64, -1, -1},
     {{"self_attn.q_proj.weight_packed", CG_I32, 2, {256, 64}},
      {"self_attn.q_proj.weight_scale", CG_BF16, 2, {256, 8}},
      {"self_attn.q_proj.weight_shape", CG_I64, 1, {2}}},
     "of bits that config.json does not say"},
    {"compressed-tensors",
     "",
     {4, 64, -1, -1},
     {{"self_attn.q_proj.weight_packed", CG_I32, 2, {256, 64}},
      {"self_attn.q_proj.weight_scale", CG_BF16, 2, {256, 8}},
      {"self_attn.q_proj.weight_shape", CG_I64, 1, {3}}},
     "beside a shape that is none"},
    {"compressed-tensors",
     "",
     {4, 16, -1, -1},
     {{"self_attn.q_proj.weight_packed", CG_U8, 2, {256, 256}},
      {"self_attn.q_proj.weight_scale", CG_F8_E4M3, 2, {256, 32}},
      {"self_attn.q_proj.weight_global_scale", CG_F32, 1, {2}}},
     "beside more than one global scale"},
    {"bitsandbytes",
     "",
     {-1, -1, -1, -1},
     {{"self_attn.q_proj.weight", CG_U8, 2, {32768, 1}},
      {"self_attn.q_proj.weight.absmax", CG_F32, 1, {1024}},
      {"self_attn.q_proj.weight.quant_map", CG_F32, 1, {16}},
      {"self_attn.q_proj.weight.quant_state.bitsandbytes__nf4", CG_U8, 1, {80}}},
     "without a quant_state that says what it is"},
    {"",
     "",
     {-1, -1, -1, -1},
     {{"mlp.experts.gate_up_proj_blocks", CG_U8, 4, {2, 128, 16, 15}},
      {"mlp.experts.gate_up_proj_scales", CG_U8, 3, {2, 128, 16}}},
     "not of the shape that its name says"},
};

static struct cg_checkpoint *model_of(const char *method, const char *format, const char *model_type,
                                      const struct cg_quantisation *says, const struct stored *tensors)
{
    struct cg_checkpoint *model = model_new("", -1);
    free(model->config.model_type);
    free(model->config.quant_method);
    model->config.model_type = strdup(model_type);
    model->config.quant_method = strdup(method);
    free(model->config.quant_format);
    model->config.quant_format = strdup(format);
    model->config.nquantisations = 1;
    model->config.quantisation[0] = *says;
    model->config.fact[CG_HIDDEN_SIZE] = 512;
    for (int k = 0; k < MOST_TENSORS && tensors[k].name; k++) {
        struct cg_tensor *tensor = model_add(model, tensors[k].dtype, tensors[k].axes, tensors[k].shape,
                                             "model.layers.1.%s", tensors[k].name);
        tensor->bytes = cg_dtype_bytes(tensor->dtype, tensor->elements);
    }
    model_sort(model);
    return model;
}

static void check_view(size_t row, const char *what, const struct cg_view *found,
                       const struct cg_view *expected)
{
    bool same = found->base == expected->base && found->axes == expected->axes;
    for (int a = 0; same && a < expected->axes; a++)
        same = found->extent[a] == expected->extent[a] && found->stride[a] == expected->stride[a];
    if (!same)
        fail_msg("row %zu: %s: base %lld, %d axes, [%lld, %lld] by [%lld, %lld]", row, what,
                 (long long)found->base, found->axes, (long long)found->extent[0],
                 (long long)found->extent[1], (long long)found->stride[0], (long long)found->stride[1]);
}

static void check_part(size_t i, const struct row *row, const struct part *part,
                       const struct cg_anatomy *anatomy, const struct cg_checkpoint *model)
{
    int64_t slot = slot_named(anatomy, part->slot);
    if (slot < 0)
        fail_msg("row %zu: no slot %s", i, part->slot);
    const struct cg_member *member = &anatomy->members[slot];
    const struct cg_quantised *how = member->quantised;
    assert_string_equal(cg_member_type(model, member), row->type);
    assert_int_equal(member->rows, part->rows);
    assert_int_equal(member->columns, part->columns);
    assert_int_equal(how != NULL, part->side_bytes > 0);
    if (!how)
        return;
    assert_int_equal(how->rows, part->rows);
    assert_int_equal(how->codes_at, row->codes_at);
    assert_int_equal(how->side_bytes, part->side_bytes);
    assert_int_equal(member->bytes,
                     part->side_bytes + cg_grain_bytes(member->grain, part->rows * part->columns));
    check_view(i, "codes", member->view, &part->codes);
    for (int k = 0; k < how->nsides; k++) {
        assert_true(k == 0 || how->side[k].tensor > how->side[k - 1].tensor);
        assert_int_equal(how->side[k].tensor < member->tensor, k < how->codes_at);
        if (how->side[k].kind == CG_SIDE_SCALE)
            check_view(i, "scales", &how->side[k].view, &part->scale);
    }
}

static void test_members(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cg_checkpoint *model =
            model_of(rows[i].method, rows[i].format, rows[i].model_type, &rows[i].says, rows[i].tensor);
        const struct cg_checkpoint *models[] = {model};
        struct cg_anatomy anatomy;
        struct cg_err err = {0};
        if (cg_anatomy_build(&anatomy, models, 1, &err) < 0)
            fail_msg("row %zu: %s", i, err.text);
        if (anatomy.warnings[0].size > 0)
            fail_msg("row %zu: %s", i, anatomy.warnings[0].data);
        for (int p = 0; p < MOST_PARTS && rows[i].part[p].slot; p++)
            check_part(i, &rows[i], &rows[i].part[p], &anatomy, model);
        for (int64_t s = 0; s < anatomy.nslots; s++)
            assert_int_not_equal(anatomy.slots[s].role, CG_ROLE_OTHER);
        cg_anatomy_release(&anatomy);
        model_free(model);
    }
}

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct cg_checkpoint *model =
            model_of(refused[i].method, refused[i].format, "llama", &refused[i].says, refused[i].tensor);
        const struct cg_checkpoint *models[] = {model};
        struct cg_anatomy anatomy;
        struct cg_err err = {0};
        assert_int_equal(cg_anatomy_build(&anatomy, models, 1, &err), 0);
        if (anatomy.warnings[0].size == 0 || !strstr(anatomy.warnings[0].data, refused[i].warning))
            fail_msg("row %zu: %s", i,
                     anatomy.warnings[0].size > 0 ? anatomy.warnings[0].data : "no warning");
        assert_int_equal(anatomy.nslots, model->ntensors);
        for (int64_t s = 0; s < anatomy.nslots; s++) {
            assert_int_equal(anatomy.slots[s].role, CG_ROLE_OTHER);
            assert_null(anatomy.members[s].quantised);
        }
        cg_anatomy_release(&anatomy);
        model_free(model);
    }
}

/* Two weights for one slot, one of them quantised: the first by name has it, and the other's sides stay, too.
 */
static void test_meeting(void **state)
{
    (void)state;
    static const struct stored tensors[MOST_TENSORS] = {
        {"self_attn.q_proj.weight", CG_BF16, 2, {256, 512}},
        {"self_attn.q_proj.qweight", CG_I32, 2, {64, 256}},
        {"self_attn.q_proj.qzeros", CG_I32, 2, {4, 32}},
        {"self_attn.q_proj.scales", CG_F16, 2, {4, 256}},
    };
    struct cg_checkpoint *model =
        model_of("gptq", "", "llama", &(struct cg_quantisation){4, 128, -1, -1}, tensors);
    const struct cg_checkpoint *models[] = {model};
    struct cg_anatomy anatomy;
    struct cg_err err = {0};
    assert_int_equal(cg_anatomy_build(&anatomy, models, 1, &err), 0);
    assert_int_equal(anatomy.nslots, 2);
    assert_non_null(anatomy.members[slot_named(&anatomy, "layers.1.attn.q")].quantised);
    assert_true(slot_named(&anatomy, "model.layers.1.self_attn.q_proj.weight") >= 0);
    cg_anatomy_release(&anatomy);
    model_free(model);
}

/* A width that contradicts config.json is refused, of codes as of values. */
static void test_contradiction(void **state)
{
    (void)state;
    struct cg_checkpoint *model = model_of("awq", "gemm", "llama", &rows[4].says, rows[4].tensor);
    const struct cg_checkpoint *models[] = {model};
    struct cg_architecture architecture;
    struct cg_err err = {0};
    assert_int_equal(cg_architecture_of(&architecture, model, &err), 0);
    model->config.fact[CG_HIDDEN_SIZE] = 511;
    assert_int_equal(cg_architecture_of(&architecture, model, &err), -1);
    assert_int_equal(err.code, CG_EMISMATCH);
    assert_non_null(strstr(err.text, "hidden_size is 511"));
    model_free(model);
    struct cg_anatomy anatomy;
    model = model_of("gptq", "gptq_v2", "phi3", &rows[3].says, rows[3].tensor);
    models[0] = model;
    model->config.fact[CG_HIDDEN_SIZE] = 511;
    assert_int_equal(cg_anatomy_build(&anatomy, models, 1, &err), -1);
    assert_int_equal(err.code, CG_EMISMATCH);
    model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_meeting),
        cmocka_unit_test(test_contradiction),
    };
    return cmocka_run_group_tests_name("coded", tests, NULL, NULL);
}
