/* Writes a sample result for tests/result/test_file.py: write_sample RESULT.h5 full|empty|no-pca|large. */
#include "sample.h"
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"full", "empty", "no-pca", "large"};
    for (int kind = 0; argc == 3 && kind < 4; kind++) {
        if (strcmp(argv[2], kinds[kind]) != 0)
            continue;
        struct cg_err err = {0};
        struct cg_result result;
        sample_init(&result, (enum sample)kind);
        int outcome = cg_result_write(&result, argv[1], &err);
        if (outcome < 0)
            fprintf(stderr, "write_sample: %s\n", err.text);
        cg_result_release(&result);
        return outcome < 0 ? 1 : 0;
    }
    return 2;
}
