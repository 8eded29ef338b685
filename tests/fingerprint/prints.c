#include "prints.h"
#include "../anatomy/models.h"
#include "fingerprint/form.h"
#include "fingerprint/metadata.h"
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HIDDEN = 32, UNITS = 6, VOCABULARY = 8 };

static void expect(int outcome, const struct cg_err *err)
{
    if (outcome < 0) {
        fprintf(stderr, "prints: %s\n", err->text);
        abort();
    }
}

static struct cg_checkpoint *make_model(void)
{
    static struct cg_file file = {.path = (char *)"model.safetensors", .bytes = 4096};
    static struct cg_bnb_state state = {.tensor = 1, .rows = UNITS, .columns = HIDDEN, .block = 64};
    static int32_t padded = 2;
    struct cg_checkpoint *model = model_new("LlamaForCausalLM", 0);
    MODEL_MATRIX(model, VOCABULARY, HIDDEN, "model.embed_tokens.weight");
    for (int i = 0; i < 2; i++)
        MODEL_MATRIX(model, UNITS, HIDDEN, "model.layers.0.mlp.%s_proj.weight", i == 0 ? "gate" : "up");
    MODEL_MATRIX(model, HIDDEN, UNITS, "model.layers.0.mlp.down_proj.weight");
    MODEL_VECTOR(model, HIDDEN, "model.norm.weight");
    model_sort(model);
    for (size_t t = 0; t < model->ntensors; t++)
        model->tensors[t].bytes = cg_dtype_bytes(CG_BF16, model->tensors[t].elements);
    model->family = (char *)"";
    model->files = &file;
    model->bnb = &state;
    model->padded = &padded;
    model->nfiles = model->nbnb = model->npadded = 1;
    model->config.nquantisations = 1;
    model->config.quantisation[0] = (struct cg_quantisation){4, 128, -1, -1};
    return model;
}

static void fill_slot(struct cg_fingerprint *print, const struct cg_anatomy *anatomy, int64_t s)
{
    const struct cg_member *member = cg_member_of(anatomy, s, 0);
    print->slots.layer[s] = anatomy->slots[s].layer;
    print->slots.expert[s] = anatomy->slots[s].expert;
    print->slots.rows[s] = member->rows;
    print->slots.columns[s] = member->columns;
    print->slots.tensor[s] = member->tensor;
    print->slots.elements[s] = member->rows * member->columns;
    print->slots.nonfinite[s] = 0;
    print->slots.sum[s] = 0.5;
    print->slots.squares[s] = 2;
    print->slots.minimum[s] = -1;
    print->slots.maximum[s] = 1;
    print->slots.rounding[s] = 0;
    print->slots.panel_scale[s] = 0;
    print_set_text(print, "/slots/name", s, anatomy->slots[s].name);
    print_set_text(print, "/slots/role", s, cg_role_name(anatomy->slots[s].role));
    print_set_text(print, "/slots/sha256", s,
                   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    print_set_text(print, "/slots/values_hash", s, "0123456789abcdef");
}

static void fill_tokens(struct cg_fingerprint *print)
{
    for (int64_t i = 0; i < print->size[CG_PRINT_ENTRY]; i++) {
        print->tokens.id[i] = 2 * i;
        print->tokens.first[i] = 3 * i;
        print->tokens.length[i] = 3;
    }
    for (int64_t i = 0; i < print->size[CG_PRINT_SAMPLE]; i++)
        print->tokens.sample_id[i] = 2 * i;
}

/* The group for the sizes set: numbers all 0, which every scale may be, texts empty. */
static void allocate(struct cg_fingerprint *print, const char *group)
{
    struct cg_err err;
    expect(cg_record_allocate(&cg_fingerprint_form, print, group, &err), &err);
    for (size_t i = 0; i < cg_fingerprint_form.nvariables; i++) {
        const struct cg_variable *variable = &cg_fingerprint_form.variables[i];
        if (strcmp(variable->group, group) == 0 && variable->type != CG_TYPE_TEXT)
            memset(cg_variable_data(variable, print), 0,
                   (size_t)cg_variable_cells(variable, print, &err) * cg_type_size(variable->type));
    }
}

static void set_sizes(struct cg_fingerprint *print, int64_t slots)
{
    static const struct {
        enum cg_print_dimension axis;
        int64_t size;
    } sizes[] = {
        {CG_PRINT_FEATURE, 4},      {CG_PRINT_ELEMENT, 64},       {CG_PRINT_BLOCK, 2},
        {CG_PRINT_UNIT, 12},        {CG_PRINT_COLUMN, 2},         {CG_PRINT_PROBE, 2},
        {CG_PRINT_PRODUCT, 4},      {CG_PRINT_PRODUCT_COLUMN, 2}, {CG_PRINT_EXACT_ROW, 16},
        {CG_PRINT_EXACT_COLUMN, 3}, {CG_PRINT_ENTRY, 3},          {CG_PRINT_BYTE, 9},
        {CG_PRINT_SAMPLE, 3},       {CG_PRINT_SAMPLE_COLUMN, 2},  {CG_PRINT_GRAM, 2},
        {CG_PRINT_GRAM_COLUMN, 2},
    };
    static const struct {
        enum cg_print_number which;
        int64_t number;
    } numbers[] = {
        {CG_PRINT_VOCABULARY_NUMBER, 1}, {CG_PRINT_PANEL_NUMBER, 64},        {CG_PRINT_UNITS_NUMBER, 3},
        {CG_PRINT_COLUMNS_NUMBER, 2},    {CG_PRINT_PROBES_NUMBER, 2},        {CG_PRINT_SQUARE_NUMBER, 2},
        {CG_PRINT_EXACT_ROWS_NUMBER, 4}, {CG_PRINT_EXACT_COLUMNS_NUMBER, 3},
    };
    print->size[CG_PRINT_SLOT] = slots;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        print->size[sizes[i].axis] = sizes[i].size;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        print->root.size_value[numbers[i].which] = numbers[i].number;
}

void print_init(struct cg_fingerprint *print)
{
    struct cg_err err;
    struct cg_architecture architecture;
    struct cg_anatomy anatomy = {0};
    struct cg_checkpoint *model = make_model();
    const struct cg_checkpoint *pointer = model;
    *print = (struct cg_fingerprint){0};
    expect(cg_anatomy_build(&anatomy, &pointer, 1, &err), &err);
    expect(cg_architecture_of(&architecture, model, &err), &err);
    expect(cg_metadata_fill(print, model, &architecture, &err), &err);
    set_sizes(print, anatomy.nslots);
    allocate(print, "/slots");
    allocate(print, "/blocks");
    allocate(print, "/tokens");
    for (int64_t s = 0; s < anatomy.nslots; s++)
        fill_slot(print, &anatomy, s);
    for (int64_t k = 0; k < print->size[CG_PRINT_BLOCK]; k++)
        print->blocks.units[k] = 3;
    fill_tokens(print);
    expect(cg_result_text(&print->source, "cognate 0.0.0", &err), &err);
    expect(cg_result_text(&print->notes, "", &err), &err);
    expect(cg_result_text(&print->run.date_created, "2020-02-02T02:02:02Z", &err), &err);
    expect(cg_result_text(&print->run.history, "cognate fingerprint a", &err), &err);
    cg_anatomy_release(&anatomy);
    model_free(model);
}

const struct cg_variable *print_variable(const char *path)
{
    for (size_t i = 0; i < cg_fingerprint_form.nvariables; i++) {
        const struct cg_variable *variable = &cg_fingerprint_form.variables[i];
        char own[96];
        snprintf(own, sizeof own, "%s/%s", strcmp(variable->group, "/") == 0 ? "" : variable->group,
                 variable->name);
        if (strcmp(own, path) == 0)
            return variable;
    }
    fprintf(stderr, "prints: no %s\n", path);
    abort();
}

void print_set(struct cg_fingerprint *print, const char *path, int64_t i, double value)
{
    struct cg_err err;
    const struct cg_variable *variable = print_variable(path);
    void *data = cg_variable_data(variable, print);
    assert(i < cg_variable_cells(variable, print, &err));
    switch (variable->type) {
    case CG_TYPE_INT32:
        ((int32_t *)data)[i] = (int32_t)value;
        break;
    case CG_TYPE_INT64: /* 2^63 stands for the largest there is */
        ((int64_t *)data)[i] = value < 0x1p63 ? (int64_t)value : INT64_MAX;
        break;
    case CG_TYPE_FLOAT32:
        ((float *)data)[i] = (float)value;
        break;
    case CG_TYPE_FLOAT64:
        ((double *)data)[i] = value;
        break;
    default:
        abort();
    }
}

void print_set_text(struct cg_fingerprint *print, const char *path, int64_t i, const char *text)
{
    struct cg_err err;
    char **cells = (char **)cg_variable_data(print_variable(path), print);
    expect(cg_result_text(&cells[i], text, &err), &err);
}

/* A copy of one array at its new number of cells. */
static void resize_variable(struct cg_fingerprint *print, const struct cg_variable *variable, int64_t before,
                            int64_t after)
{
    struct cg_err err;
    size_t size = cg_type_size(variable->type);
    char *from = cg_variable_data(variable, print), *to = calloc((size_t)after + 1, size);
    assert(to);
    memcpy(to, from, (size_t)(after < before ? after : before) * size);
    for (int64_t i = after; variable->type == CG_TYPE_TEXT && i < before; i++)
        free(((char **)(void *)from)[i]);
    for (int64_t i = before; variable->type == CG_TYPE_TEXT && i < after; i++)
        expect(cg_result_text(&((char **)(void *)to)[i], "", &err), &err);
    free(from);
    cg_variable_set(variable, print, to);
}

void print_resize(struct cg_fingerprint *print, enum cg_print_dimension axis, int64_t size)
{
    struct cg_err err;
    int64_t before = print->size[axis];
    for (size_t i = 0; i < cg_fingerprint_form.nvariables; i++) {
        const struct cg_variable *variable = &cg_fingerprint_form.variables[i];
        print->size[axis] = before;
        int64_t cells = cg_variable_cells(variable, print, &err);
        print->size[axis] = size;
        int64_t resized = cg_variable_cells(variable, print, &err);
        if (resized != cells)
            resize_variable(print, variable, cells, resized);
    }
    print->size[axis] = size;
}

void print_write(const struct cg_fingerprint *print, const char *path)
{
    struct cg_err err;
    int descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert(descriptor >= 0);
    expect(cg_form_write_to(&cg_fingerprint_form, print, descriptor, &err), &err);
    close(descriptor);
}
