/* The tables behind the files that cognate writes: one row a variable. That of the result is made from
 * result_schema.h, that of fingerprints from fingerprint_schema.h. */
#ifndef COGNATE_RESULT_TABLE_H
#define COGNATE_RESULT_TABLE_H

#include "cognate/result.h"
#include <stddef.h>

enum cg_type {
    CG_TYPE_BOOL,
    CG_TYPE_UINT8,
    CG_TYPE_INT16,
    CG_TYPE_INT32,
    CG_TYPE_INT64,
    CG_TYPE_FLOAT32,
    CG_TYPE_FLOAT64,
    CG_TYPE_TEXT
};

enum { CG_SCHEMA_VERSION = 1, CG_MAX_DIMENSIONS = 3 };

struct cg_variable {
    const char *group, *name;
    enum cg_type type;
    int dimension[CG_MAX_DIMENSIONS]; /* axes of the form; 0, which is none, fills up */
    const char *units, *long_name;
    size_t offset; /* of its array in the record */
};

/* A scalar attribute of a group whose value is a field of the record. */
struct cg_attribute {
    const char *group, *name;
    enum cg_type type; /* TEXT, INT64 or FLOAT64 */
    size_t offset;
};

/* Rows of a form's tables: a variable by its row of a schema, after the record's type, the prefix of its
 * axes, the group and the field; an attribute; and those that every run leaves. */
#define CG_VARIABLE(record, axis, group, field, name, type, d0, d1, d2, units, long_name)                    \
    {                                                                                                        \
        group, #name, CG_TYPE_##type, {axis##d0, axis##d1, axis##d2}, units, long_name,                      \
            offsetof(record, field.name)                                                                     \
    }
#define CG_ATTRIBUTE(record, group, name, type, field)                                                       \
    {                                                                                                        \
        group, name, CG_TYPE_##type, offsetof(record, field)                                                 \
    }
#define CG_RUN_ATTRIBUTE(record, field, type) CG_ATTRIBUTE(record, "/run", #field, type, run.field)
#define CG_RUN_ATTRIBUTES(record)                                                                            \
    CG_RUN_ATTRIBUTE(record, date_created, TEXT), CG_RUN_ATTRIBUTE(record, history, TEXT),                   \
        CG_RUN_ATTRIBUTE(record, ranks, INT64), CG_RUN_ATTRIBUTE(record, hosts, INT64),                      \
        CG_RUN_ATTRIBUTE(record, wall_seconds, FLOAT64),                                                     \
        CG_RUN_ATTRIBUTE(record, read_seconds_max, FLOAT64),                                                 \
        CG_RUN_ATTRIBUTE(record, read_seconds_mean, FLOAT64), CG_RUN_ATTRIBUTE(record, bytes_read, INT64),   \
        CG_RUN_ATTRIBUTE(record, bytes_reread, INT64), CG_RUN_ATTRIBUTE(record, peak_rss_bytes_max, INT64)

struct cg_axis {
    const char *group, *name; /* the group where its scale lies, and its name */
};

/* A kind of file. Its record is a struct that begins with int64_t size[naxes]. */
struct cg_form {
    const char *kind, *title;
    const char *version_name; /* root attribute */
    int32_t version;
    const char *const *groups; /* in the order in which they are written; "/" first, "/run" last */
    size_t ngroups;
    const struct cg_axis *axes; /* axis 0 is none */
    int naxes;
    const struct cg_variable *variables;
    size_t nvariables;
    const struct cg_attribute *attributes;
    size_t nattributes;
    const char *optional;   /* a group that is left out where a text of the record is NULL; or NULL */
    size_t optional_offset; /* of that text */
};

extern const struct cg_form cg_result_form;

/* The variables of the result. */
extern const struct cg_variable cg_variables[];
extern const size_t cg_variable_count;

/* The number of dimensions in use (the axis along the characters of a text not counted). */
int cg_variable_rank(const struct cg_variable *variable);

/* The number of cells for the sizes of the record; -1 with err when the product overflows. */
int64_t cg_variable_cells(const struct cg_variable *variable, const void *record, struct cg_err *err);

/* Bytes of a cell in memory: a text is a pointer. */
size_t cg_type_size(enum cg_type type);

/* Whether the variable has an axis's name: then it holds that axis's coordinate. */
bool cg_variable_is_coordinate(const struct cg_form *form, const struct cg_variable *variable);

/* Whether the file has this group at all. */
bool cg_group_is_written(const struct cg_form *form, const char *group, const void *record);

/* The variable's array in the record. */
void *cg_variable_data(const struct cg_variable *variable, const void *record);
void cg_variable_set(const struct cg_variable *variable, void *record, void *data);

/* The sizes of a record. */
int64_t *cg_record_sizes(void *record);
int64_t cg_record_size(const void *record, int axis);

/* Allocates the variables of one group for the sizes set, filled with what "absent" is; frees all that a
 * record's variables and text attributes hold. */
int cg_record_allocate(const struct cg_form *form, void *record, const char *group, struct cg_err *err);
void cg_record_release(const struct cg_form *form, void *record);

#endif
