/* A small result with a value in every cell that follows from the variable's name and the cell's number
 * alone: false and true in turn; 100 * strlen(name) + i; strlen(name) + i / 8, NaN in the last cell; "name é
 * i", empty in the last cell. tests/result/test_file.py computes the same. */
#ifndef COGNATE_TESTS_RESULT_SAMPLE_H
#define COGNATE_TESTS_RESULT_SAMPLE_H

#include "cognate/result.h"

enum sample { SAMPLE_FULL, SAMPLE_EMPTY_AXES, SAMPLE_NO_PCA, SAMPLE_LARGE };

/* Asserts (cmocka's or plain) on failure. */
void sample_init(struct cg_result *result, enum sample kind);

#endif
