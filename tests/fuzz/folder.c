/* A folder of shards, with or without an index, as one text: for each file a line with its name, then its
 * bytes, then a line of %% unless it is the last. */
#include "fuzz.h"
#include <string.h>
#include <unistd.h>

enum { MOST_FILES = 8, LONGEST_NAME = 100 };

static const char separator[] = "\n%%\n";

static bool is_plain_name(const char *name, size_t n)
{
    return strlen(name) == n && n > 0 && !strchr(name, '/') && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

/* Takes one file from the text; false when it does not go on. */
static bool take_file(char name[LONGEST_NAME + 1], const uint8_t **at, const uint8_t *end)
{
    const uint8_t *line = *at < end ? memchr(*at, '\n', (size_t)(end - *at)) : NULL;
    if (!line || line - *at > LONGEST_NAME)
        return false;
    size_t n = (size_t)(line - *at);
    memcpy(name, *at, n);
    name[n] = '\0';
    if (!is_plain_name(name, n))
        return false;
    const uint8_t *body = line + 1, *stop = memmem(body, (size_t)(end - body), separator, 4);
    fuzz_write(name, body, (size_t)((stop ? stop : end) - body));
    *at = stop ? stop + 4 : end;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char names[MOST_FILES][LONGEST_NAME + 1];
    const uint8_t *at = data;
    int n = 0;
    while (n < MOST_FILES && take_file(names[n], &at, data + size))
        n++;
    fuzz_open("");
    while (n-- > 0)
        unlink(scratch_path(fuzz_scratch(), names[n]));
    return 0;
}
