/* tiktoken's files: lines of a token's bytes in base64 (RFC 4648), a space, and its rank, which is its id. */
#include "vocabulary_source.h"
#include <string.h>

/* A line taken apart; -1 for a part that is not as it should be. */
struct line {
    int64_t letters; /* of its base64 that stand for bytes */
    int64_t rank;
};

static struct line take_apart(const char *line, size_t n)
{
    n -= n > 0 && line[n - 1] == '\r';
    const char *space = memchr(line, ' ', n);
    size_t length = space ? (size_t)(space - line) : n;
    return (struct line){cg_base64_letters(line, length),
                         space ? cg_token_id_of(space + 1, n - length - 1) : -1};
}

bool cg_tiktoken_recognises(const char *head, size_t n)
{
    const char *next = memchr(head, '\n', n);
    struct line first = take_apart(head, next ? (size_t)(next - head) : n);
    return first.letters >= 0 && first.rank >= 0;
}

int cg_tiktoken_load(struct cg_token_list *list, struct cg_buf *text, struct cg_err *err)
{
    char *end = text->data + text->size;
    for (char *line = text->data, *next; line < end; line = next + 1) {
        next = memchr(line, '\n', (size_t)(end - line));
        next = next ? next : end;
        if (next == line)
            continue;
        struct line parts = take_apart(line, (size_t)(next - line));
        size_t n = parts.letters < 0 ? 0 : cg_base64_decode(line, (size_t)parts.letters);
        if (cg_token_list_add_raw(list, parts.letters < 0 ? NULL : line, n, parts.rank, err) < 0)
            return -1;
    }
    return 0;
}
