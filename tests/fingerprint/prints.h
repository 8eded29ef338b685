/* A small fingerprint built by hand: of a model of one layer with a feed-forward block, sizes of 1 to 16, all
 * of them sound. */
#ifndef COGNATE_TESTS_FINGERPRINT_PRINTS_H
#define COGNATE_TESTS_FINGERPRINT_PRINTS_H

#include "cognate/fingerprint.h"

/* Asserts on failure. */
void print_init(struct cg_fingerprint *print);

/* The variable of that path, "/slots/sum"; it must be there. */
const struct cg_variable *print_variable(const char *path);

/* Sets cell i of a variable of numbers, as the type has it, or of texts. */
void print_set(struct cg_fingerprint *print, const char *path, int64_t i, double value);
void print_set_text(struct cg_fingerprint *print, const char *path, int64_t i, const char *text);

/* Takes from, or adds to, each variable with that axis what one step along it is; new cells are all zero. */
void print_resize(struct cg_fingerprint *print, enum cg_print_dimension axis, int64_t size);

/* The file, sound or not. */
void print_write(const struct cg_fingerprint *print, const char *path);

#endif
