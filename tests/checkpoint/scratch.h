/* A folder for a test's files, and safetensors files by their header. Anything that fails ends the test. */
#ifndef TESTS_CHECKPOINT_SCRATCH_H
#define TESTS_CHECKPOINT_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

struct scratch {
    char folder[256];
    char path[1024]; /* what scratch_path made last */
};

/* Makes an empty folder; removes it with all that is in it. */
void scratch_make(struct scratch *scratch);
void scratch_remove(struct scratch *scratch);

/* The same as a group's fixture: *state is the scratch. */
int scratch_set_up(void **state);
int scratch_tear_down(void **state);

/* The full path of a name in it, good until the next call. */
const char *scratch_path(struct scratch *scratch, const char *name);

void scratch_folder(struct scratch *scratch, const char *name);
void scratch_link(struct scratch *scratch, const char *target, const char *name);
void scratch_bytes(struct scratch *scratch, const char *name, const void *bytes, size_t n);
void scratch_text(struct scratch *scratch, const char *name, const char *text);

/* With COGNATE_SEEDS in the environment: keeps a copy of the file, unless it is large, in the folder of that
 * name, for the fuzz targets to start from. The functions that write call it. */
void scratch_keep(const char *path);

/* A file that claims a header of `claimed` bytes (-1: as many as it has), then the header, then n bytes. */
void scratch_safetensors(struct scratch *scratch, const char *name, int64_t claimed, const char *header,
                         size_t n);

#endif
