#include "schema.h"
#include "cognate/mem.h"
#include <string.h>

static const char *const groups[] = {"/",       "/tensors",    "/layers",     "/experts", "/cells",
                                     "/merges", "/identities", "/embeddings", "/pca",     "/run"};

static const struct cg_axis axes[CG_DIMENSION_COUNT] = {
#define AXIS(id, group, name) {group, name},
    CG_DIMENSION_LIST(AXIS)
#undef AXIS
};

#define ROW(...)        CG_VARIABLE(struct cg_result, CG_DIM_, __VA_ARGS__),
#define ROOT(...)       ROW("/", root, __VA_ARGS__)
#define TENSORS(...)    ROW("/tensors", tensors, __VA_ARGS__)
#define LAYERS(...)     ROW("/layers", layers, __VA_ARGS__)
#define EXPERTS(...)    ROW("/experts", experts, __VA_ARGS__)
#define CELLS(...)      ROW("/cells", cells, __VA_ARGS__)
#define MERGES(...)     ROW("/merges", merges, __VA_ARGS__)
#define IDENTITIES(...) ROW("/identities", identities, __VA_ARGS__)
#define EMBEDDINGS(...) ROW("/embeddings", embeddings, __VA_ARGS__)
#define PCA(...)        ROW("/pca", pca, __VA_ARGS__)

const struct cg_variable cg_variables[] = {CG_ROOT_VARIABLES(ROOT)             /* */
                                           CG_TENSORS_VARIABLES(TENSORS)       /* */
                                           CG_LAYERS_VARIABLES(LAYERS)         /* */
                                           CG_EXPERTS_VARIABLES(EXPERTS)       /* */
                                           CG_CELLS_VARIABLES(CELLS)           /* */
                                           CG_MERGES_VARIABLES(MERGES)         /* */
                                           CG_IDENTITIES_VARIABLES(IDENTITIES) /* */
                                           CG_EMBEDDINGS_VARIABLES(EMBEDDINGS) /* */
                                           CG_PCA_VARIABLES(PCA)};

const size_t cg_variable_count = sizeof cg_variables / sizeof cg_variables[0];

static const struct cg_attribute attributes[] = {
    CG_ATTRIBUTE(struct cg_result, "/", "source", TEXT, source),
    CG_ATTRIBUTE(struct cg_result, "/", "notes", TEXT, notes),
    CG_ATTRIBUTE(struct cg_result, "/pca", "features", TEXT, pca_features),
    CG_RUN_ATTRIBUTES(struct cg_result),
    CG_RUN_ATTRIBUTE(struct cg_result, sweep_seconds, FLOAT64),
};

const struct cg_form cg_result_form = {.kind = "result file",
                                       .title = "Descent of language models, told from their weights alone",
                                       .version_name = "cognate_schema",
                                       .version = CG_SCHEMA_VERSION,
                                       .groups = groups,
                                       .ngroups = sizeof groups / sizeof *groups,
                                       .axes = axes,
                                       .naxes = CG_DIMENSION_COUNT,
                                       .variables = cg_variables,
                                       .nvariables = sizeof cg_variables / sizeof *cg_variables,
                                       .attributes = attributes,
                                       .nattributes = sizeof attributes / sizeof *attributes,
                                       .optional = "/pca",
                                       .optional_offset = offsetof(struct cg_result, pca_features)};

int cg_variable_rank(const struct cg_variable *variable)
{
    int rank = 0;
    while (rank < CG_MAX_DIMENSIONS && variable->dimension[rank] != 0)
        rank++;
    return rank;
}

int64_t *cg_record_sizes(void *record)
{
    return record;
}

int64_t cg_record_size(const void *record, int axis)
{
    return ((const int64_t *)record)[axis];
}

int64_t cg_variable_cells(const struct cg_variable *variable, const void *record, struct cg_err *err)
{
    long long cells = 1;
    for (int i = 0; i < cg_variable_rank(variable); i++)
        if (cg_multiply(cells, cg_record_size(record, variable->dimension[i]), &cells) < 0)
            return cg_fail(err, CG_ENOMEM, "%s: has too many cells", variable->name);
    return cells;
}

size_t cg_type_size(enum cg_type type)
{
    static const size_t size[] = {
        [CG_TYPE_BOOL] = 1,  [CG_TYPE_UINT8] = 1, [CG_TYPE_INT16] = 2,   [CG_TYPE_FLOAT32] = 4,
        [CG_TYPE_INT32] = 4, [CG_TYPE_INT64] = 8, [CG_TYPE_FLOAT64] = 8, [CG_TYPE_TEXT] = sizeof(char *)};
    return size[type];
}

bool cg_variable_is_coordinate(const struct cg_form *form, const struct cg_variable *variable)
{
    const struct cg_axis *axis = &form->axes[variable->dimension[0]];
    return strcmp(axis->group, variable->group) == 0 && strcmp(axis->name, variable->name) == 0;
}

/* The fields are pointers of several types; copying the bytes of a pointer keeps to the aliasing rules. */
static void *pointer_at(const void *record, size_t offset)
{
    void *data;
    memcpy(&data, (const char *)record + offset, sizeof data);
    return data;
}

bool cg_group_is_written(const struct cg_form *form, const char *group, const void *record)
{
    return !form->optional || strcmp(group, form->optional) != 0 || pointer_at(record, form->optional_offset);
}

void *cg_variable_data(const struct cg_variable *variable, const void *record)
{
    return pointer_at(record, variable->offset);
}

void cg_variable_set(const struct cg_variable *variable, void *record, void *data)
{
    memcpy((char *)record + variable->offset, &data, sizeof data);
}
