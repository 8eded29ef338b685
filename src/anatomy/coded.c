#include "coded.h"
#include "cognate/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* AWQ's words hold eight rows: those must lie in one chunk. */
enum { WORD_BITS = 32, AWQ_COLUMNS = 1 << 18 };

static const struct cg_tensor *tensor_of(const struct cg_coded_matrix *m)
{
    return &m->model->tensors[m->coded->tensor];
}

/* The side of a kind, or NULL; its row of the scheme in *row. */
static const struct cg_tensor *side_of(const struct cg_coded_matrix *m, enum cg_side_kind kind)
{
    for (int k = 0; m->coded->scheme->side[k].suffix; k++)
        if (m->coded->scheme->side[k].kind == kind && m->coded->side[k] >= 0)
            return &m->model->tensors[m->coded->side[k]];
    return NULL;
}

static int64_t ceiling(int64_t a, int64_t b)
{
    return a / b + (a % b != 0);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The last two axes of codes, and the experts' before them. */
static bool take_axes(struct cg_coded_matrix *m, int64_t axis[2])
{
    const struct cg_tensor *tensor = tensor_of(m);
    if (tensor->axes != 2 && tensor->axes != 3)
        return false;
    m->experts = tensor->axes == 3 ? tensor->shape[0] : 0;
    memcpy(axis, tensor->shape + tensor->axes - 2, 2 * sizeof *axis);
    return true;
}

/* As many codes as fill whole words, or bytes. */
static struct cg_grain grain_of(int64_t bits, int64_t unit)
{
    int32_t bytes = (int32_t)unit;
    while (bytes * 8 % bits != 0)
        bytes += (int32_t)unit;
    return (struct cg_grain){(int32_t)(bytes * 8 / bits), bytes};
}

static bool is_width(int64_t bits)
{
    return bits >= 2 && bits <= 8;
}

/* Of several ways that config.json names, the one that the sizes of this weight fit; two that fit are none.
 * Packed rows of `width` words have scales in `groups` columns. */
static int64_t find_bits(const struct cg_config *config, int64_t width, int64_t groups)
{
    int64_t found = -1;
    for (int i = 0; i < config->nquantisations; i++) {
        int64_t bits = config->quantisation[i].bits, size = config->quantisation[i].group_size;
        if (!is_width(bits) || width * WORD_BITS % bits != 0)
            continue;
        int64_t columns = width * WORD_BITS / bits;
        if (groups < 1 || columns % groups != 0 || (size > 0 && columns / groups != size))
            continue;
        if (found >= 0 && found != bits)
            return -1;
        found = bits;
    }
    return found;
}

static const char *describe_bytes(struct cg_coded_matrix *m)
{
    struct cg_quantised *how = &m->how;
    int64_t axis[2];
    if (!take_axes(m, axis))
        return "codes that are no matrix";
    how->rows = axis[0];
    how->columns = axis[1];
    how->codes = CG_CODES_BYTES;
    how->dtype = tensor_of(m)->dtype;
    how->bits = 8;
    m->grain = (struct cg_grain){1, 1};
    if (strcmp(m->coded->scheme->method, "bitsandbytes") == 0)
        how->factor = 7.874015718698502e-3f; /* 1 / 127, as bitsandbytes writes it */
    return NULL;
}

static int by_index(const void *key, const void *index)
{
    int32_t a = *(const int32_t *)key, b = *(const int32_t *)index;
    return (a > b) - (a < b);
}

static const char *describe_words(struct cg_coded_matrix *m)
{
    struct cg_quantised *how = &m->how;
    const struct cg_tensor *scale = side_of(m, CG_SIDE_SCALE);
    int64_t axis[2];
    if (!take_axes(m, axis) || scale->axes < 1)
        return "codes that are no matrix";
    int64_t bits = find_bits(&m->model->config, axis[1], scale->shape[scale->axes - 1]);
    const struct cg_checkpoint *model = m->model;
    if (model->npadded > 0 &&
        bsearch(&m->coded->tensor, model->padded, model->npadded, sizeof *model->padded, by_index))
        return "codes with padding at the end of each row";
    if (bits < 0)
        return "of bits that config.json does not say";
    how->rows = axis[0];
    how->columns = axis[1] * WORD_BITS / bits;
    how->codes = CG_CODES_BITS;
    how->bits = (int)bits;
    how->offset = 1 << (bits - 1);
    how->zeros = CG_ZEROS_ACROSS;
    how->zero_offset = -how->offset;
    m->grain = grain_of(bits, 4);
    return NULL;
}

static const char *describe_e2m1(struct cg_coded_matrix *m)
{
    struct cg_quantised *how = &m->how;
    int64_t axis[2];
    if (!take_axes(m, axis))
        return "codes that are no matrix";
    how->rows = axis[0];
    how->columns = 2 * axis[1];
    how->codes = CG_CODES_E2M1;
    how->bits = 4;
    m->grain = (struct cg_grain){2, 1};
    return NULL;
}

static const char *describe_blocks(struct cg_coded_matrix *m)
{
    const struct cg_tensor *tensor = tensor_of(m);
    if (tensor->axes != 4 || tensor->shape[3] != 16)
        return "not of the shape that its name says";
    m->experts = tensor->shape[0];
    m->how.rows = tensor->shape[1];
    m->how.columns = 32 * tensor->shape[2];
    m->how.codes = CG_CODES_E2M1;
    m->how.bits = 4;
    m->grain = (struct cg_grain){2, 1};
    return NULL;
}

/* GPTQ: one number of bits for all, unless g_idx shows another where config.json allows for that. */
static const char *describe_gptq(struct cg_coded_matrix *m)
{
    const struct cg_config *config = &m->model->config;
    const struct cg_tensor *tensor = tensor_of(m), *group = side_of(m, CG_SIDE_GROUP);
    struct cg_quantised *how = &m->how;
    bool second = strcmp(config->quant_format, "gptq_v2") == 0;
    if (*config->quant_format && strcmp(config->quant_format, "gptq") != 0 && !second)
        return "of a checkpoint_format other than gptq and gptq_v2";
    if (tensor->axes != 2)
        return "codes that are no matrix";
    int64_t total = tensor->shape[0] * WORD_BITS,
            bits = config->nquantisations > 0 ? config->quantisation[0].bits : -1;
    if (group && group->elements > 0 && (bits < 0 || config->quant_by_layer))
        bits = total % group->elements == 0 ? total / group->elements : -1;
    if (!is_width(bits) || total % bits != 0)
        return "of bits that config.json does not say";
    how->rows = tensor->shape[1];
    how->columns = total / bits;
    how->codes = CG_CODES_BITS;
    how->bits = (int)bits;
    how->zeros = CG_ZEROS_ALONG;
    how->zero_offset = second ? 0 : 1;
    how->scales_by_column = true;
    m->grain = grain_of(bits, 4);
    return NULL;
}

static const char *describe_awq(struct cg_coded_matrix *m)
{
    const struct cg_config *config = &m->model->config;
    const struct cg_tensor *tensor = tensor_of(m);
    struct cg_quantised *how = &m->how;
    if (*config->quant_format && strcasecmp(config->quant_format, "gemm") != 0)
        return "of an AWQ version other than gemm";
    if (config->nquantisations > 0 && config->quantisation[0].bits > 0 && config->quantisation[0].bits != 4)
        return "AWQ of other than 4 bits";
    if (tensor->axes != 2 || tensor->shape[0] > AWQ_COLUMNS)
        return "codes that are no matrix";
    how->rows = 8 * tensor->shape[1];
    how->columns = tensor->shape[0];
    how->codes = CG_CODES_AWQ;
    how->bits = 4;
    how->zeros = CG_ZEROS_AWQ;
    how->scales_by_column = true;
    m->grain = (struct cg_grain){8, 4};
    return NULL;
}

static int by_tensor(const void *key, const void *state)
{
    int32_t a = *(const int32_t *)key, b = ((const struct cg_bnb_state *)state)->tensor;
    return (a > b) - (a < b);
}

static const char *describe_bnb(struct cg_coded_matrix *m)
{
    const struct cg_checkpoint *model = m->model;
    struct cg_quantised *how = &m->how;
    const struct cg_bnb_state *state =
        model->nbnb == 0 ? NULL
                         : bsearch(&m->coded->tensor, model->bnb, model->nbnb, sizeof *model->bnb, by_tensor);
    if (!state || state->rows > INT32_MAX || state->columns > INT32_MAX)
        return "without a quant_state that says what it is";
    int64_t elements = state->rows * state->columns, block = least(state->block, elements);
    int64_t blocks = block > 0 ? ceiling(elements, block) : 0,
            nested_block = least(state->nested_block, blocks);
    *how = (struct cg_quantised){.rows = state->rows,
                                 .columns = state->columns,
                                 .codes = CG_CODES_TABLE,
                                 .bits = 4,
                                 .flat = true,
                                 .block_rows = 1,
                                 .block_columns = block,
                                 .nested_block = nested_block,
                                 .nested_offset = (float)state->nested_offset};
    m->grain = (struct cg_grain){2, 1};
    const struct cg_tensor *scale = side_of(m, CG_SIDE_SCALE), *nested = side_of(m, CG_SIDE_NESTED_SCALE);
    const struct cg_tensor *table = side_of(m, CG_SIDE_NESTED_TABLE);
    if (elements % 2 != 0 || tensor_of(m)->elements != elements / 2)
        return "of other sizes than its quant_state says";
    bool fits =
        scale->elements == blocks && side_of(m, CG_SIDE_TABLE)->elements == 16 && !nested == !nested_block;
    if (fits && nested)
        fits = table && table->elements == 256 && scale->dtype == CG_U8 &&
               nested->elements == ceiling(blocks, nested_block);
    return fits ? NULL : "beside scales of other sizes than its quant_state says";
}

/* Zero points are as many as scales, packed or not; with 3 bits, say, only in whole words. */
static bool has_zeros(struct cg_coded_matrix *m)
{
    const struct cg_tensor *zero = side_of(m, CG_SIDE_ZERO);
    struct cg_quantised *how = &m->how;
    int64_t experts = m->experts > 0 ? m->experts : 1;
    int64_t rows = m->scale_rows, words = ceiling(rows * how->bits, WORD_BITS);
    if (!zero)
        return true;
    if (how->zeros == CG_ZEROS_NUMBERS || (how->zeros == CG_ZEROS_ACROSS && zero->dtype != CG_I32)) {
        how->zeros = CG_ZEROS_NUMBERS;
        how->zero_offset = 0;
        return cg_dtype_is_real(zero->dtype) && zero->elements == experts * rows * m->scale_columns;
    }
    return zero->dtype == CG_I32 && zero->elements == experts * words * m->scale_columns &&
           (how->zeros == CG_ZEROS_ACROSS || rows * how->bits % WORD_BITS == 0);
}

/* Rows that share a scale: as config.json says where that adds up, else as the shapes do. */
static int64_t block_of(int64_t length, int64_t blocks, int64_t stated)
{
    if (stated > 0 && ceiling(length, stated) == blocks)
        return least(stated, length);
    return blocks > 0 && length % blocks == 0 ? length / blocks : -1;
}

/* The shape of the scales says which elements share one. */
static const char *describe_scales(struct cg_coded_matrix *m)
{
    const struct cg_tensor *scale = side_of(m, CG_SIDE_SCALE), *group = side_of(m, CG_SIDE_GROUP);
    const struct cg_config *config = &m->model->config;
    struct cg_quantised *how = &m->how;
    int first = m->experts > 0;
    int64_t axis[2] = {1, 1};
    if (scale->axes - first > 2 || scale->axes < first || (first && scale->shape[0] != m->experts))
        return "beside scales of another shape";
    for (int a = first; a < scale->axes; a++)
        axis[a - first] = scale->shape[a];
    m->scale_rows = how->scales_by_column ? axis[1] : axis[0];
    m->scale_columns = how->scales_by_column ? axis[0] : axis[1];
    int64_t block_rows = -1, block_columns = -1;
    for (int i = 0; i < config->nquantisations && block_rows < 0; i++)
        if (config->quantisation[i].block_rows > 0) {
            block_rows = config->quantisation[i].block_rows;
            block_columns = config->quantisation[i].block_columns;
        }
    if (how->scales_by_column && config->nquantisations > 0)
        block_columns = config->quantisation[0].group_size;
    how->block_rows = block_of(how->rows, m->scale_rows, m->scale_rows == how->rows ? 1 : block_rows);
    how->block_columns = block_of(how->columns, m->scale_columns, block_columns);
    if (how->block_rows < 1 || how->block_columns < 1 || (how->scales_by_column && how->block_rows > 1))
        return "beside scales that do not divide it";
    if (group && (group->elements != how->columns || (group->dtype != CG_I32 && group->dtype != CG_I64)))
        return "beside groups that are not those of its columns";
    return has_zeros(m) ? NULL : "beside zero points of other sizes";
}

static const char *describe_rest(const struct cg_coded_matrix *m)
{
    const struct cg_tensor *shape = side_of(m, CG_SIDE_SHAPE), *global = side_of(m, CG_SIDE_GLOBAL_SCALE);
    for (int k = 0; m->coded->scheme->side[k].suffix; k++) {
        enum cg_side_kind kind = m->coded->scheme->side[k].kind;
        const struct cg_tensor *side = m->coded->side[k] < 0 ? NULL : &m->model->tensors[m->coded->side[k]];
        if (side && kind != CG_SIDE_REST &&
            (!cg_dtype_is_real(side->dtype) || cg_dtype_grain(side->dtype).elements > 1))
            return "beside scales of a type that cannot be";
    }
    if (shape && (shape->elements != 2 || (shape->dtype != CG_I32 && shape->dtype != CG_I64)))
        return "beside a shape that is none";
    if (global && global->elements != 1)
        return "beside more than one global scale";
    return NULL;
}

/* Names that have the bits in them are written out: they outlive the matrix. */
#define BY_BITS(name)                                                                                        \
    {                                                                                                        \
        [2] = name "2", [3] = name "3", [4] = name "4", [5] = name "5", [6] = name "6", [7] = name "7",      \
        [8] = name "8"                                                                                       \
    }

static const char *format_of(const struct cg_coded_matrix *m)
{
    static const char *const words[] = BY_BITS("packed-int"), *const first[] = BY_BITS("gptq-int"),
                             *const second[] = BY_BITS("gptq-v2-int");
    const struct cg_scheme *scheme = m->coded->scheme;
    if (scheme->format)
        return scheme->format;
    if (scheme->layout == CG_LAYOUT_WORDS)
        return words[m->how.bits];
    return (m->how.zero_offset == 0 ? second : first)[m->how.bits];
}

void cg_coded_describe(struct cg_coded_matrix *out, const struct cg_checkpoint *model,
                       const struct cg_coded *coded, const char **why)
{
    static const char *(*const describe[])(struct cg_coded_matrix *) = {
        [CG_LAYOUT_F8] = describe_bytes,      [CG_LAYOUT_I8] = describe_bytes,
        [CG_LAYOUT_WORDS] = describe_words,   [CG_LAYOUT_E2M1] = describe_e2m1,
        [CG_LAYOUT_BLOCKS] = describe_blocks, [CG_LAYOUT_GPTQ] = describe_gptq,
        [CG_LAYOUT_AWQ] = describe_awq,       [CG_LAYOUT_BNB] = describe_bnb,
    };
    *out = (struct cg_coded_matrix){.model = model, .coded = coded};
    *why = tensor_of(out)->elements == 0 ? "empty"
           : tensor_of(out)->stride      ? "codes that are a strided view"
                                         : describe_rest(out);
    if (!*why)
        *why = describe[coded->scheme->layout](out);
    if (!*why && !out->how.flat)
        *why = describe_scales(out);
    if (!*why && out->how.columns % out->grain.elements != 0 && !out->how.flat)
        *why = "of rows that do not end with a word";
    if (!*why)
        out->how.format = format_of(out);
}

struct cg_tensor cg_coded_plain(const struct cg_coded_matrix *m, char *name, size_t size)
{
    const struct cg_tensor *codes = tensor_of(m);
    const struct cg_scheme *scheme = m->coded->scheme;
    snprintf(name, size, "%.*s%s", (int)(strlen(codes->name) - strlen(scheme->codes)), codes->name,
             scheme->logical);
    struct cg_tensor plain = {
        .name = name, .dtype = CG_F32, .axes = 2, .shape = {m->how.rows, m->how.columns}};
    if (m->experts > 0) {
        plain.axes = 3;
        plain.shape[0] = m->experts;
        plain.shape[1] = m->how.rows;
        plain.shape[2] = m->how.columns;
    }
    plain.elements = (m->experts > 0 ? m->experts : 1) * m->how.rows * m->how.columns;
    return plain;
}

/* Which rows a part has: from `first` on of the expert, along one axis or two. */
struct rows {
    int64_t expert, first, n;
    int axes;
    int64_t extent[CG_VIEW_AXES], stride[CG_VIEW_AXES];
};

static struct rows rows_of(const struct cg_coded_matrix *m, const struct cg_view *part)
{
    int64_t columns = m->how.columns;
    struct rows rows = {.n = 1};
    if (!part)
        return (struct rows){.n = m->how.rows, .axes = 1, .extent = {m->how.rows}, .stride = {1}};
    rows.expert = part->base / columns / m->how.rows;
    rows.first = part->base / columns % m->how.rows;
    for (int a = 0; a < part->axes; a++) {
        bool inner = a == part->axes - 1 && part->stride[a] == 1; /* ends in whole rows */
        int64_t extent = inner ? part->extent[a] / columns : part->extent[a];
        if (inner && extent == 1)
            continue;
        rows.extent[rows.axes] = extent;
        rows.stride[rows.axes++] = inner ? 1 : part->stride[a] / columns;
        rows.n *= extent;
    }
    return rows;
}

/* How the tensor of a side, or of codes, lies: `units` of rows, each of `per` rows, and in each unit `width`
 * elements. */
struct lie {
    int64_t per, units, width;
    bool by_column;  /* (width, units); else (units, width) */
    bool as_it_lies; /* the view goes column by column, too */
};

/* Units of rows take part whole; only the last of an expert may be short. */
static bool place(struct cg_view *out, const struct rows *rows, const struct lie *lie, int64_t all_rows)
{
    int64_t unit = lie->by_column ? 1 : lie->width, step = lie->by_column ? lie->units : 1;
    *out = (struct cg_view){.base = rows->expert * lie->units * lie->width};
    if (lie->as_it_lies) {
        out->extent[out->axes] = lie->width;
        out->stride[out->axes++] = step;
    }
    if (lie->units > 1 && rows->first % lie->per != 0)
        return false;
    out->base += lie->units > 1 ? rows->first / lie->per * unit : 0;
    for (int a = 0; lie->units > 1 && a < rows->axes; a++) {
        bool inner = a == rows->axes - 1;
        if (lie->per > 1 && (inner ? rows->stride[a] != 1 : rows->stride[a] % lie->per != 0))
            return false;
        if (lie->per > 1 && inner && rows->extent[a] % lie->per != 0 &&
            (rows->axes > 1 || rows->first + rows->extent[a] != all_rows))
            return false;
        out->extent[out->axes] = inner ? ceiling(rows->extent[a], lie->per) : rows->extent[a];
        out->stride[out->axes++] = inner ? unit * rows->stride[a] : rows->stride[a] / lie->per * unit;
    }
    if (!lie->as_it_lies) {
        out->extent[out->axes] = lie->width;
        out->stride[out->axes++] = step;
    }
    cg_view_join(out);
    return true;
}

static int64_t elements_of(const struct cg_view *view)
{
    int64_t n = 1;
    for (int a = 0; a < view->axes; a++)
        n *= view->extent[a];
    return n;
}

static bool place_codes(struct cg_view *out, const struct cg_coded_matrix *m, const struct rows *rows)
{
    int64_t stored = cg_dtype_grain(tensor_of(m)->dtype).bytes;
    struct lie lie = {.per = 1, .units = m->how.rows};
    lie.width = cg_grain_bytes(m->grain, m->how.columns) / stored;
    lie.by_column = m->how.scales_by_column;
    if (m->how.codes == CG_CODES_AWQ)
        lie = (struct lie){.per = 8, .units = m->how.rows / 8, .width = m->how.columns, .by_column = true};
    return place(out, rows, &lie, m->how.rows);
}

/* Zero points in words: eight rows of four bits to a word, 32 of three bits to three. */
static bool place_zeros(struct cg_view *out, const struct cg_coded_matrix *m, const struct rows *rows)
{
    const struct cg_quantised *how = &m->how;
    struct lie lie = {.per = how->block_rows,
                      .units = m->scale_rows,
                      .width = m->scale_columns,
                      .by_column = how->scales_by_column,
                      .as_it_lies = how->scales_by_column};
    if (how->zeros == CG_ZEROS_NUMBERS)
        return place(out, rows, &lie, how->rows);
    struct cg_grain grain = grain_of(how->bits, 4);
    int64_t words = ceiling(m->scale_rows * how->bits, WORD_BITS);
    bool all = rows->n == how->rows;
    if (grain.bytes > 4 && !all)
        return false;
    lie.per = all ? how->rows : grain.elements;
    lie.units = all ? 1 : words;
    lie.width *= all ? words : 1;
    if (all) {
        lie.by_column = false;
        lie.as_it_lies = false;
    }
    return place(out, rows, &lie, how->rows);
}

static bool place_side(struct cg_side *side, const struct cg_coded_matrix *m, const struct rows *rows)
{
    const struct cg_quantised *how = &m->how;
    struct lie lie = {.per = how->block_rows,
                      .units = m->scale_rows,
                      .width = m->scale_columns,
                      .by_column = how->scales_by_column,
                      .as_it_lies = how->scales_by_column};
    switch (side->kind) {
    case CG_SIDE_SCALE:
        return place(&side->view, rows, &lie, how->rows);
    case CG_SIDE_ZERO:
        return place_zeros(&side->view, m, rows);
    default:
        side->view =
            (struct cg_view){.axes = 1, .extent = {m->model->tensors[side->tensor].elements}, .stride = {1}};
        return true;
    }
}

/* Blocks that run over the ends of rows: parts are ranges, which begin with a block, and with a nested one.
 */
static bool place_flat(struct cg_side *side, const struct cg_coded_matrix *m, const struct rows *rows)
{
    const struct cg_quantised *how = &m->how;
    int64_t first = rows->first * how->columns, n = rows->n * how->columns, block = how->block_columns;
    if (side->kind == CG_SIDE_NESTED_SCALE)
        block *= how->nested_block;
    side->view =
        (struct cg_view){.axes = 1, .extent = {m->model->tensors[side->tensor].elements}, .stride = {1}};
    if (side->kind != CG_SIDE_SCALE && side->kind != CG_SIDE_NESTED_SCALE)
        return true;
    side->view.base = first / block;
    side->view.extent[0] = ceiling(n, block);
    return first % block == 0;
}

static bool place_flat_codes(struct cg_view *out, const struct cg_coded_matrix *m, const struct rows *rows)
{
    int64_t first = rows->first * m->how.columns, n = rows->n * m->how.columns;
    *out = (struct cg_view){.base = first / 2, .axes = 1, .extent = {n / 2}, .stride = {1}};
    return first % 2 == 0 && n % 2 == 0 && (rows->axes == 0 || (rows->axes == 1 && rows->stride[0] == 1));
}

/* Sides in the order of their names, the codes among them. */
static void sort_sides(struct cg_quantised *how, int32_t codes)
{
    for (int i = 1; i < how->nsides; i++)
        for (int k = i; k > 0 && how->side[k].tensor < how->side[k - 1].tensor; k--) {
            struct cg_side other = how->side[k];
            how->side[k] = how->side[k - 1];
            how->side[k - 1] = other;
        }
    for (int k = 0; k < how->nsides; k++)
        how->codes_at += how->side[k].tensor < codes;
}

bool cg_coded_part(struct cg_quantised *how, struct cg_view *codes, const struct cg_coded_matrix *m,
                   const struct cg_view *part)
{
    const struct rows rows = rows_of(m, part);
    *how = m->how;
    how->rows = rows.n;
    if (m->scale_rows == 1)
        how->block_rows = rows.n;
    if (!(how->flat ? place_flat_codes : place_codes)(codes, m, &rows))
        return false;
    for (int k = 0; m->coded->scheme->side[k].suffix; k++) {
        if (m->coded->side[k] < 0)
            continue;
        struct cg_side *side = &how->side[how->nsides++];
        const struct cg_tensor *tensor = &m->model->tensors[m->coded->side[k]];
        *side = (struct cg_side){
            .kind = m->coded->scheme->side[k].kind, .tensor = m->coded->side[k], .dtype = tensor->dtype};
        if (!(how->flat ? place_flat : place_side)(side, m, &rows))
            return false;
        side->elements = elements_of(&side->view);
        side->bytes = cg_dtype_bytes(tensor->dtype, side->elements);
        how->side_bytes += side->bytes;
        if (side->kind == CG_SIDE_SCALE && tensor->dtype == CG_U8 && !how->flat)
            side->dtype = CG_F8_E8M0;
    }
    sort_sides(how, m->coded->tensor);
    return true;
}
