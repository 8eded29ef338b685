/* One PyTorch file: an archive when the input begins like one, else a stream of pickles. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_write("pytorch_model.bin", data, size);
    fuzz_open("pytorch_model.bin");
    return 0;
}
