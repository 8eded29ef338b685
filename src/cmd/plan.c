/* cognate plan: how the work of a run would fall on its ranks, and what it would cost. */
#include "plan.h"
#include "cognate/log.h"
#include "cognate/mem.h"
#include "commands.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As a run without options has them. */
static const struct cg_sweep_options sweeping = {
    .buffer = 128 << 20, .feature_kind = CG_FEATURES_SKETCH, .feature_length = 1024};

/* Plans each number of ranks; the last plan stays in *plan. */
static int forecast_all(struct forecast *out, struct cg_plan *plan, const struct cg_models *models,
                        struct plan_options *options, struct cg_err *err)
{
    for (size_t i = 0; i < options->nranks; i++) {
        cg_plan_release(plan);
        if (cg_plan_build(plan, &models->anatomy, models->pointers, options->ranks[i], err) < 0 ||
            (i == 0 && rates_measure(&options->rates, any_beside(plan), err) < 0))
            return -1;
        forecast_of(&out[i], plan, models, &sweeping, &options->rates);
    }
    return 0;
}

static int print(struct plan_options *options, const struct cg_models *models, struct cg_err *err)
{
    struct cg_plan plan = {0};
    struct forecast *forecasts = cg_new(options->nranks, sizeof *forecasts, err);
    int result = -1;
    CG_TRY(forecasts ? 0 : -1);
    CG_TRY(forecast_all(forecasts, &plan, models, options, err));
    if (options->json)
        plan_print_json(stdout, models, forecasts, options->nranks, &options->rates);
    else if (options->nranks == 1)
        CG_TRY(plan_print_one(stdout, &plan, models, forecasts, &options->rates, err));
    else
        plan_print_table(stdout, models, forecasts, options->nranks, &options->rates);
    result = fflush(stdout) == 0 && !ferror(stdout)
                 ? 0
                 : cg_fail(err, CG_EIO, "standard output: %s", strerror(errno));
done:
    cg_plan_release(&plan);
    free(forecasts);
    return result;
}

static int plan_models(struct plan_options *options, char **arguments, int n, struct cg_err *err)
{
    struct cg_manifest manifest = {0}, broken = {0};
    struct cg_models models = {0};
    int result = -1;
    for (int i = 0; i < n; i++)
        CG_TRY(cg_manifest_add(&manifest, arguments[i], err));
    CG_TRY(cg_manifest_unique_labels(&manifest, err));
    CG_TRY(cg_models_open(&models, &manifest, &broken, err));
    CG_TRY(broken.n > 0 ? cg_models_refuse(&broken, NULL, err) : 0);
    CG_TRY(cg_models_study(&models, err));
    result = print(options, &models, err);
done:
    cg_models_release(&models);
    cg_manifest_release(&manifest);
    cg_manifest_release(&broken);
    return result;
}

int cg_command_plan(int argc, char **argv)
{
    struct plan_options options;
    struct cg_err err;
    int result = plan_parse(&options, argc, argv, &err);
    if (result == 0 && options.help)
        fputs(plan_help, stdout);
    else if (result == 0)
        result = plan_models(&options, argv + options.first_model, argc - options.first_model, &err);
    if (result < 0)
        cg_log_error(err.text);
    plan_options_release(&options);
    return result == 0 ? 0 : err.code == CG_EUSAGE ? 2 : 1;
}
