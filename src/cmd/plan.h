/* What `cognate plan` was asked for, and its output. */
#ifndef COGNATE_CMD_PLAN_H
#define COGNATE_CMD_PLAN_H

#include "forecast.h"

struct plan_options {
    int32_t *ranks; /* [nranks] ascending or not, as given; on the heap */
    size_t nranks, capacity;
    struct rates rates;
    bool json, help;
    int first_model; /* argv[first_model ...] are models */
};

/* Parses argv. 0, or -1 with err filled: wrong usage. Release in either case. */
int plan_parse(struct plan_options *out, int argc, char **argv, struct cg_err *err);
void plan_options_release(struct plan_options *options);

extern const char plan_help[];

/* One number of ranks in full: the forecast, and how the work falls on the ranks. */
int plan_print_one(FILE *out, const struct cg_plan *plan, const struct cg_models *models,
                   const struct forecast *forecast, const struct rates *rates, struct cg_err *err);

/* Several: a table. */
void plan_print_table(FILE *out, const struct cg_models *models, const struct forecast *forecasts, size_t n,
                      const struct rates *rates);

void plan_print_json(FILE *out, const struct cg_models *models, const struct forecast *forecasts, size_t n,
                     const struct rates *rates);

#endif
