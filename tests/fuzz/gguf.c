/* One GGUF file, and the vocabulary in it. */
#include "cognate/vocabulary.h"
#include "fuzz.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cg_vocabulary vocabulary = {0};
    struct cg_buf warnings = {0};
    struct cg_err err = {0};
    fuzz_write("model.gguf", data, size);
    fuzz_open("model.gguf");
    assert(cg_vocabulary_load(&vocabulary, scratch_path(fuzz_scratch(), "model.gguf"), &warnings, &err) == 0);
    assert(err.code == CG_OK);
    if (warnings.size > 0)
        fuzz_check_text(warnings.data, true);
    fuzz_check_vocabulary(&vocabulary);
    cg_vocabulary_release(&vocabulary);
    cg_buf_release(&warnings);
    return 0;
}
