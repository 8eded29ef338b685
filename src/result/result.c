#include "cognate/result.h"
#include "cognate/mem.h"
#include "schema.h"
#include <stdlib.h>
#include <string.h>

void cg_result_release(struct cg_result *result)
{
    cg_record_release(&cg_result_form, result);
    *result = (struct cg_result){0};
}

int cg_result_allocate(struct cg_result *result, const char *group, struct cg_err *err)
{
    return cg_record_allocate(&cg_result_form, result, group, err);
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
