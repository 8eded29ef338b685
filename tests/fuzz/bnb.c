/* What bitsandbytes says beside a weight of 4 bits: the input is the text of its quant_state. */
#include "fuzz.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WEIGHT = 8, HEADER = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *file = calloc(1, 8 + HEADER + WEIGHT + size);
    if (!file)
        abort();
    char *header = (char *)file + 8;
    uint64_t length = HEADER;
    memcpy(file, &length, sizeof length);
    memset(header, ' ', HEADER);
    int n = snprintf(header, HEADER,
                     "{\"w.weight\":{\"dtype\":\"U8\",\"shape\":[8,1],\"data_offsets\":[0,8]},"
                     "\"w.weight.quant_state.bitsandbytes__nf4\":{\"dtype\":\"U8\",\"shape\":[%zu],"
                     "\"data_offsets\":[8,%zu]}}",
                     size, WEIGHT + size);
    header[n] = ' ';
    memcpy(header + HEADER + WEIGHT, data, size);
    fuzz_write("model.safetensors", file, 8 + HEADER + WEIGHT + size);
    free(file);
    fuzz_open("model.safetensors");
    return 0;
}
