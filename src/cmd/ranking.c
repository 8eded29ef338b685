#include "ranking.h"
#include "cognate/mem.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A pair as it is ranked. */
struct place {
    int class;
    double log10_p, cosine;
    int64_t pair;
};

static int class_of(const char *verdict)
{
    static const char *const verdicts[] = {"IDENTICAL", "DERIVED", "PARTIAL", "INCONCLUSIVE"};
    int n = sizeof verdicts / sizeof *verdicts, class = 0;
    while (class < n && strcmp(verdict, verdicts[class]) != 0)
        class ++;
    return class;
}

/* Smaller first, what is not known last. */
static int by_number(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return (a > b) - (a < b);
}

static int by_nearness(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    int order = a->class - b->class;
    order = order != 0 ? order : by_number(a->log10_p, b->log10_p);
    order = order != 0 ? order : by_number(-a->cosine, -b->cosine);
    return order != 0 ? order : (a->pair > b->pair) - (a->pair < b->pair);
}

int ranking_of(int64_t *order, const struct cg_result *result, struct cg_err *err)
{
    size_t n = (size_t)result->size[CG_DIM_PAIR];
    struct place *places = cg_new(n, sizeof *places, err);
    if (!places)
        return -1;
    for (size_t p = 0; p < n; p++)
        places[p] = (struct place){class_of(result->root.verdict[p]), result->root.log10_p[p],
                                   result->root.matrix_cosine[p], (int64_t)p};
    qsort(places, n, sizeof *places, by_nearness);
    for (size_t p = 0; p < n; p++)
        order[p] = places[p].pair;
    free(places);
    return 0;
}

int ranking_apply(const int64_t *order, int64_t n, const struct ranked_array *array, struct cg_err *err)
{
    char *row = cg_new((size_t)n, array->size, err);
    if (!row)
        return -1;
    for (int64_t r = 0; r < array->rows; r++) {
        char *items = (char *)array->items + (size_t)(r * n) * array->size;
        memcpy(row, items, (size_t)n * array->size);
        for (int64_t p = 0; p < n; p++)
            memcpy(items + (size_t)p * array->size, row + (size_t)order[p] * array->size, array->size);
    }
    free(row);
    return 0;
}
