/* What the fuzz targets share: a folder for the files that parsers want, and what must hold of all that is
 * accepted or refused. Whatever does not hold aborts, which libFuzzer reports with the input. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "../checkpoint/scratch.h"
#include "cognate/checkpoint.h"
#include "cognate/vocabulary.h"
#include <stddef.h>
#include <stdint.h>

/* Made at first use, below TMPDIR; who set that removes it. */
struct scratch *fuzz_scratch(void);

/* Writes a file. One of safetensors that begins with a brace is a header alone: its length is put before it
 * and the data that it seems to ask for behind, so that mutations of the text need not get both right. */
void fuzz_write(const char *name, const uint8_t *bytes, size_t n);

/* Writes the files of a folder given as one text: for each a line with its name, its bytes as fuzz_write
 * takes them, and a line of %% unless it is the last. fuzz_empty removes them again. */
void fuzz_fill(const uint8_t *text, size_t n);
void fuzz_empty(void);

/* Opens the file of that name in the folder, or the folder itself when the name is empty, and checks what
 * comes out; then that the packed form brings it back. */
void fuzz_open(const char *name);

/* A message as a person may see it: UTF-8 without control characters; `lines` allows \n. */
void fuzz_check_text(const char *text, bool lines);

/* Tokens by id, each once, and within their bytes. */
void fuzz_check_vocabulary(const struct cg_vocabulary *vocabulary);

/* libFuzzer's entry to a target. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
