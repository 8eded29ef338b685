/* tiktoken's files: lines of a token's bytes in base64 (RFC 4648), a space, and its rank, which is its id. */
#include "vocabulary_source.h"
#include <string.h>

/* A line taken apart; -1 for a part that is not as it should be. */
struct line {
    int64_t letters; /* of its base64 that stand for bytes */
    int64_t rank;
};

static int value_of(char letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    if (letter >= 'a' && letter <= 'z')
        return letter - 'a' + 26;
    if (letter >= '0' && letter <= '9')
        return letter - '0' + 52;
    return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}

/* How many letters of base64[n] stand for bytes, or -1 when it is no base64: up to two = may fill the last
 * four. */
static int64_t letters_of(const char *base64, size_t n)
{
    size_t letters = n;
    while (letters > 0 && n - letters < 2 && base64[letters - 1] == '=')
        letters--;
    for (size_t i = 0; i < letters; i++)
        if (value_of(base64[i]) < 0)
            return -1;
    return n > 0 && n % 4 == 0 ? (int64_t)letters : -1;
}

/* Decodes in place; returns the number of bytes. */
static size_t decode(char *base64, size_t letters)
{
    size_t n = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < letters; i++) {
        bits = bits << 6 | (unsigned)value_of(base64[i]);
        if (i % 4 > 0)
            base64[n++] = (char)(unsigned char)(bits >> (6 - 2 * (i % 4)));
    }
    return n;
}

static struct line take_apart(const char *line, size_t n)
{
    n -= n > 0 && line[n - 1] == '\r';
    const char *space = memchr(line, ' ', n);
    size_t length = space ? (size_t)(space - line) : n;
    return (struct line){letters_of(line, length), space ? cg_token_id_of(space + 1, n - length - 1) : -1};
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
        size_t n = parts.letters < 0 ? 0 : decode(line, (size_t)parts.letters);
        if (cg_token_list_add_raw(list, parts.letters < 0 ? NULL : line, n, parts.rank, err) < 0)
            return -1;
    }
    return 0;
}
