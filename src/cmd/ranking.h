/* The order of a search's pairs, the nearest first: by verdict, then by p, then by cosine. Pure, local. */
#ifndef COGNATE_CMD_RANKING_H
#define COGNATE_CMD_RANKING_H

#include "cognate/result.h"

/* Fills order[pairs of the result]: the pair that comes first, second, ... */
int ranking_of(int64_t *order, const struct cg_result *result, struct cg_err *err);

/* Rows of n items each, [rows * n]: every row goes into the order. */
struct ranked_array {
    void *items;
    size_t size; /* of an item */
    int64_t rows;
};
int ranking_apply(const int64_t *order, int64_t n, const struct ranked_array *array, struct cg_err *err);

#endif
