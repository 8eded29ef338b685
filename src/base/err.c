#include "cognate/err.h"
#include <stdarg.h>
#include <stdio.h>

int cg_fail(struct cg_err *err, enum cg_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    err->code = code;
    return -1;
}

const char *cg_code_meaning(enum cg_code code)
{
    static const char *const meaning[] = {
#define CG_ERROR_MEANING(id, text) [id] = text,
        CG_ERROR_LIST(CG_ERROR_MEANING)
#undef CG_ERROR_MEANING
    };
    return meaning[code];
}
