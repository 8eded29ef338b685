#include "cognate/result.h"
#include "cognate/mem.h"
#include "schema.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void release_variable(const struct cg_variable *variable, struct cg_result *result)
{
    void *data = cg_variable_data(variable, result);
    if (data && variable->type == CG_TYPE_TEXT) {
        struct cg_err ignored;
        char **text = (char **)data;
        for (int64_t i = cg_variable_cells(variable, result, &ignored); i-- > 0;)
            free(text[i]);
    }
    free(data);
    cg_variable_set(variable, result, NULL);
}

void cg_result_release(struct cg_result *result)
{
    for (size_t i = 0; i < cg_variable_count; i++)
        release_variable(&cg_variables[i], result);
    free(result->pca_features);
    free(result->source);
    free(result->notes);
    free(result->run.date_created);
    free(result->run.history);
    *result = (struct cg_result){0};
}

static int fill_absent(enum cg_type type, void *data, size_t cells, struct cg_err *err)
{
    double *number = (double *)data;
    char **text = (char **)data;
    switch (type) {
    case CG_TYPE_BOOL: /* false, as it came from cg_new */
        break;
    case CG_TYPE_INT32:
    case CG_TYPE_INT64:
        memset(data, 0xFF, cells * cg_type_size(type)); /* -1 */
        break;
    case CG_TYPE_FLOAT64:
        for (size_t i = 0; i < cells; i++)
            number[i] = NAN;
        break;
    case CG_TYPE_TEXT:
        for (size_t i = 0; i < cells; i++)
            if (!(text[i] = cg_copy_text("", 0, err)))
                return -1;
        break;
    }
    return 0;
}

static int allocate_variable(const struct cg_variable *variable, struct cg_result *result, struct cg_err *err)
{
    release_variable(variable, result);
    int64_t cells = cg_variable_cells(variable, result, err);
    if (cells < 0)
        return -1;
    void *data = cg_new((size_t)cells, cg_type_size(variable->type), err);
    if (!data)
        return -1;
    cg_variable_set(variable, result, data);
    return fill_absent(variable->type, data, (size_t)cells, err);
}

int cg_result_allocate(struct cg_result *result, const char *group, struct cg_err *err)
{
    bool known = false;
    for (size_t i = 0; i < cg_variable_count; i++) {
        if (strcmp(cg_variables[i].group, group) != 0)
            continue;
        known = true;
        if (allocate_variable(&cg_variables[i], result, err) < 0)
            return -1;
    }
    assert(known);
    (void)known;
    return 0;
}

int cg_result_text(char **cell, const char *text, struct cg_err *err)
{
    char *copy = cg_copy_text(text, strlen(text), err);
    if (!copy)
        return -1;
    free(*cell);
    *cell = copy;
    return 0;
}
