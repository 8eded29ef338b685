#include "gguf_written.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

int64_t gguf_write(struct scratch *scratch, const char *name, const char *header, size_t n, int64_t data,
                   int alignment)
{
    enum { ROOM = 4096 };
    char bytes[ROOM];
    size_t step = (size_t)(alignment ? alignment : 32), start = (n + step - 1) / step * step;
    size_t all = data < 0 ? n : start + (size_t)data;
    assert_true(all <= ROOM);
    memset(bytes, 'x', sizeof bytes);
    memset(bytes + n, 0, start - n);
    memcpy(bytes, header, n);
    scratch_bytes(scratch, name, bytes, all);
    return (int64_t)start;
}

void gguf_check_refusal(const char *what, const struct cg_err *err, const char *message)
{
    if (!strstr(err->text, message))
        fail_msg("%s: \"%s\", not \"%s\"", what, err->text, message);
    assert_null(strchr(err->text, '\n'));
}
