/* Results made by hand, for the tests of the summary. Every call asserts. */
#ifndef COGNATE_TESTS_SUMMARY_FIXTURE_H
#define COGNATE_TESTS_SUMMARY_FIXTURE_H

#include "cognate/result.h"

enum { GROUPS = 4, TOKENS = 6, FEATURES = 8, COMPONENTS = 3, SAMPLES_A_MODEL = 8 };

void fixture_set(char **cell, const char *text);

/* Every two models are a pair; all cells are absent but the names of the role groups. */
void fixture_make_empty(struct cg_result *r, int models, int layers, bool pca);

/* The same, filled with numbers that are easy to reckon with. */
void fixture_make(struct cg_result *r, int models, int layers, bool pca);

#endif
