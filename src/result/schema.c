#include "schema.h"
#include "cognate/mem.h"
#include <string.h>

const char *const cg_group_path[CG_GROUP_PATHS] = {"/",       "/tensors",    "/layers", "/experts",
                                                   "/merges", "/embeddings", "/pca",    "/run"};

const struct cg_axis cg_axes[CG_DIMENSION_COUNT] = {
#define AXIS(id, group, name) {group, name},
    CG_DIMENSION_LIST(AXIS)
#undef AXIS
};

#define ROW(group, field, name, type, d0, d1, d2, units, long_name)                                          \
    {group,                                                                                                  \
     #name,                                                                                                  \
     CG_TYPE_##type,                                                                                         \
     {CG_DIM_##d0, CG_DIM_##d1, CG_DIM_##d2},                                                                \
     units,                                                                                                  \
     long_name,                                                                                              \
     offsetof(struct cg_result, field.name)},
#define ROOT(...)       ROW("/", root, __VA_ARGS__)
#define TENSORS(...)    ROW("/tensors", tensors, __VA_ARGS__)
#define LAYERS(...)     ROW("/layers", layers, __VA_ARGS__)
#define EXPERTS(...)    ROW("/experts", experts, __VA_ARGS__)
#define MERGES(...)     ROW("/merges", merges, __VA_ARGS__)
#define EMBEDDINGS(...) ROW("/embeddings", embeddings, __VA_ARGS__)
#define PCA(...)        ROW("/pca", pca, __VA_ARGS__)

const struct cg_variable cg_variables[] = {CG_ROOT_VARIABLES(ROOT)             /* */
                                           CG_TENSORS_VARIABLES(TENSORS)       /* */
                                           CG_LAYERS_VARIABLES(LAYERS)         /* */
                                           CG_EXPERTS_VARIABLES(EXPERTS)       /* */
                                           CG_MERGES_VARIABLES(MERGES)         /* */
                                           CG_EMBEDDINGS_VARIABLES(EMBEDDINGS) /* */
                                           CG_PCA_VARIABLES(PCA)};

const size_t cg_variable_count = sizeof cg_variables / sizeof cg_variables[0];

#define ATTRIBUTE(group, name, type, field)                                                                  \
    {                                                                                                        \
        group, name, CG_TYPE_##type, offsetof(struct cg_result, field)                                       \
    }
#define RUN(field, type) ATTRIBUTE("/run", #field, type, run.field)

const struct cg_attribute cg_attributes[] = {
    ATTRIBUTE("/", "source", TEXT, source),
    ATTRIBUTE("/", "notes", TEXT, notes),
    ATTRIBUTE("/pca", "features", TEXT, pca_features),
    RUN(date_created, TEXT),
    RUN(history, TEXT),
    RUN(ranks, INT64),
    RUN(hosts, INT64),
    RUN(wall_seconds, FLOAT64),
    RUN(read_seconds_max, FLOAT64),
    RUN(read_seconds_mean, FLOAT64),
    RUN(bytes_read, INT64),
    RUN(bytes_reread, INT64),
    RUN(peak_rss_bytes_max, INT64),
};

const size_t cg_attribute_count = sizeof cg_attributes / sizeof cg_attributes[0];

int cg_variable_rank(const struct cg_variable *variable)
{
    int rank = 0;
    while (rank < CG_MAX_DIMENSIONS && variable->dimension[rank] != CG_DIM_NONE)
        rank++;
    return rank;
}

int64_t cg_variable_cells(const struct cg_variable *variable, const struct cg_result *result,
                          struct cg_err *err)
{
    long long cells = 1;
    for (int i = 0; i < cg_variable_rank(variable); i++)
        if (cg_multiply(cells, result->size[variable->dimension[i]], &cells) < 0)
            return cg_fail(err, CG_ENOMEM, "%s: has too many cells", variable->name);
    return cells;
}

size_t cg_type_size(enum cg_type type)
{
    static const size_t size[] = {[CG_TYPE_BOOL] = 1,
                                  [CG_TYPE_INT32] = 4,
                                  [CG_TYPE_INT64] = 8,
                                  [CG_TYPE_FLOAT64] = 8,
                                  [CG_TYPE_TEXT] = sizeof(char *)};
    return size[type];
}

bool cg_variable_is_coordinate(const struct cg_variable *variable)
{
    const struct cg_axis *axis = &cg_axes[variable->dimension[0]];
    return strcmp(axis->group, variable->group) == 0 && strcmp(axis->name, variable->name) == 0;
}

bool cg_group_is_written(const char *group, const struct cg_result *result)
{
    return result->pca_features || strcmp(group, "/pca") != 0;
}

/* The fields are pointers of five types; copying the bytes of a pointer keeps to the aliasing rules. */
void *cg_variable_data(const struct cg_variable *variable, const struct cg_result *result)
{
    void *data;
    memcpy(&data, (const char *)result + variable->offset, sizeof data);
    return data;
}

void cg_variable_set(const struct cg_variable *variable, struct cg_result *result, void *data)
{
    memcpy((char *)result + variable->offset, &data, sizeof data);
}
