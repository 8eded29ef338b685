/* The table behind the result file: one row a variable, made from result_schema.h. */
#ifndef COGNATE_RESULT_TABLE_H
#define COGNATE_RESULT_TABLE_H

#include "cognate/result.h"

enum cg_type { CG_TYPE_BOOL, CG_TYPE_INT32, CG_TYPE_INT64, CG_TYPE_FLOAT64, CG_TYPE_TEXT };

enum { CG_SCHEMA_VERSION = 1, CG_MAX_DIMENSIONS = 3, CG_GROUP_PATHS = 8 };

struct cg_variable {
    const char *group, *name;
    enum cg_type type;
    enum cg_dimension dimension[CG_MAX_DIMENSIONS]; /* CG_DIM_NONE fills up */
    const char *units, *long_name;
    size_t offset; /* of its array in struct cg_result */
};

/* A scalar attribute of a group whose value is a field of struct cg_result. */
struct cg_attribute {
    const char *group, *name;
    enum cg_type type; /* TEXT, INT64 or FLOAT64 */
    size_t offset;
};

struct cg_axis {
    const char *group, *name; /* the group where its scale lies, and its name */
};

extern const char
    *const cg_group_path[CG_GROUP_PATHS]; /* in the order in which they are written; "/" first */
extern const struct cg_axis cg_axes[CG_DIMENSION_COUNT];
extern const struct cg_variable cg_variables[];
extern const size_t cg_variable_count;
extern const struct cg_attribute cg_attributes[];
extern const size_t cg_attribute_count;

/* The number of dimensions in use (the axis along the characters of a text not counted). */
int cg_variable_rank(const struct cg_variable *variable);

/* The number of cells for the sizes of `result`; -1 with err when the product overflows. */
int64_t cg_variable_cells(const struct cg_variable *variable, const struct cg_result *result,
                          struct cg_err *err);

/* Bytes of a cell in memory: a text is a pointer. */
size_t cg_type_size(enum cg_type type);

/* Whether the variable has an axis's name: then it holds that axis's coordinate. */
bool cg_variable_is_coordinate(const struct cg_variable *variable);

/* Whether the file has this group at all: /pca is left out when there was no PCA. */
bool cg_group_is_written(const char *group, const struct cg_result *result);

/* The variable's array in the result. */
void *cg_variable_data(const struct cg_variable *variable, const struct cg_result *result);
void cg_variable_set(const struct cg_variable *variable, struct cg_result *result, void *data);

#endif
