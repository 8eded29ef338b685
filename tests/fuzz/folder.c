/* A folder of shards, with or without an index. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_fill(data, size);
    fuzz_open("");
    fuzz_empty();
    return 0;
}
