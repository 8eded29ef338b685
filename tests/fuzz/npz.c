/* NumPy's archive of one array: the input is the entry a.npy, with a sound archive around it. */
#include "fuzz.h"
#include <stdlib.h>
#include <string.h>

enum { LOCAL = 30, CENTRAL = 46, END = 22, NAME = 5, MOST = 1 << 16 };

static void put(uint8_t *at, size_t value, int n)
{
    for (int i = 0; i < n; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* The fields that a local header and the central directory's record share, from the version on. */
static void put_entry(uint8_t *at, size_t size)
{
    put(at, 20, 2);
    put(at + 14, size, 4);
    put(at + 18, size, 4);
    put(at + 22, NAME, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *file = size <= MOST ? calloc(LOCAL + CENTRAL + END + 2 * NAME + size, 1) : NULL;
    if (!file)
        return 0;
    uint8_t *central = file + LOCAL + NAME + size, *end = central + CENTRAL + NAME;
    memcpy(file, "PK\3\4", 4);
    put_entry(file + 4, size);
    memcpy(file + LOCAL, "a.npy", NAME);
    memcpy(file + LOCAL + NAME, data, size);
    memcpy(central, "PK\1\2", 4);
    put_entry(central + 6, size);
    memcpy(central + CENTRAL, "a.npy", NAME);
    memcpy(end, "PK\5\6", 4);
    put(end + 8, 1, 2);
    put(end + 10, 1, 2);
    put(end + 12, CENTRAL + NAME, 4);
    put(end + 16, LOCAL + NAME + size, 4);
    fuzz_write("m.npz", file, (size_t)(end + END - file));
    fuzz_open("m.npz");
    free(file);
    return 0;
}
