#include "cognate/mem.h"
#include "schema.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void release_variable(const struct cg_variable *variable, void *record)
{
    void *data = cg_variable_data(variable, record);
    if (data && variable->type == CG_TYPE_TEXT) {
        struct cg_err ignored;
        char **text = (char **)data;
        for (int64_t i = cg_variable_cells(variable, record, &ignored); i-- > 0;)
            free(text[i]);
    }
    free(data);
    cg_variable_set(variable, record, NULL);
}

void cg_record_release(const struct cg_form *form, void *record)
{
    for (size_t i = 0; i < form->nvariables; i++)
        release_variable(&form->variables[i], record);
    for (size_t i = 0; i < form->nattributes; i++) {
        char **text = (char **)(void *)((char *)record + form->attributes[i].offset);
        if (form->attributes[i].type == CG_TYPE_TEXT) {
            free(*text);
            *text = NULL;
        }
    }
}

static int fill_absent(enum cg_type type, void *data, size_t cells, struct cg_err *err)
{
    double *number = (double *)data;
    float *small = (float *)data;
    char **text = (char **)data;
    switch (type) {
    case CG_TYPE_BOOL: /* false, as it came from cg_new; and 0 */
    case CG_TYPE_UINT8:
    case CG_TYPE_INT16:
        break;
    case CG_TYPE_INT32:
    case CG_TYPE_INT64:
        memset(data, 0xFF, cells * cg_type_size(type)); /* -1 */
        break;
    case CG_TYPE_FLOAT64:
        for (size_t i = 0; i < cells; i++)
            number[i] = NAN;
        break;
    case CG_TYPE_FLOAT32:
        for (size_t i = 0; i < cells; i++)
            small[i] = NAN;
        break;
    case CG_TYPE_TEXT:
        for (size_t i = 0; i < cells; i++)
            if (!(text[i] = cg_copy_text("", 0, err)))
                return -1;
        break;
    }
    return 0;
}

static int allocate_variable(const struct cg_variable *variable, void *record, struct cg_err *err)
{
    release_variable(variable, record);
    int64_t cells = cg_variable_cells(variable, record, err);
    if (cells < 0)
        return -1;
    void *data = cg_new((size_t)cells, cg_type_size(variable->type), err);
    if (!data)
        return -1;
    cg_variable_set(variable, record, data);
    return fill_absent(variable->type, data, (size_t)cells, err);
}

int cg_record_allocate(const struct cg_form *form, void *record, const char *group, struct cg_err *err)
{
    bool known = false;
    for (size_t i = 0; i < form->nvariables; i++) {
        if (strcmp(form->variables[i].group, group) != 0)
            continue;
        known = true;
        if (allocate_variable(&form->variables[i], record, err) < 0)
            return -1;
    }
    assert(known);
    (void)known;
    return 0;
}
