/* One safetensors file: the input, or its header alone. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_write("model.safetensors", data, size);
    fuzz_open("model.safetensors");
    return 0;
}
