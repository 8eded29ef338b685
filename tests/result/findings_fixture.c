#include "findings_fixture.h"
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct finding INDEPENDENT = {.cosine = 0.01, .t = 0.5, .sd = 0.005};
const struct finding KIN = {.cosine = 0.9, .t = 60, .sd = 0.005};
const struct finding SAME = {.cosine = 1, .t = 80, .sd = 0.005, .equal = true, .identical = true};
const struct finding CONSTANT = {
    .cosine = 1, .t = NAN, .sd = NAN, .equal = true, .identical = true, .constant = true};

static void *zeroed(int64_t n, size_t size)
{
    void *memory = calloc((size_t)n + 1, size);
    assert(memory);
    return memory;
}

void fixture_begin(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    synthetic_begin(&f->made, 2);
    f->pairs[0][1] = 1;
    for (int m = 0; m < 2; m++) {
        struct cg_checkpoint *model = &f->made.model[m];
        model->label = m == 0 ? "a" : "b";
        model->given = model->folder = model->family = model->role = "";
        model->config.model_type = model->config.architecture = "";
        for (int fact = 0; fact < CG_FACT_COUNT; fact++)
            f->architectures[m].fact[fact] = -1;
    }
}

void fixture_slot(struct fixture *f, enum cg_role role, int32_t layer, int64_t rows, int64_t columns)
{
    synthetic_alike(&f->made, role, layer, -1, CG_BF16, rows, columns);
}

/* The bundle's members differ in their digests until fixture_set says otherwise. */
static void sweep_make(struct fixture *f)
{
    struct cg_sweep *sweep = &f->sweep;
    sweep->models = 2;
    sweep->digest = zeroed(f->plan.nmembers, sizeof *sweep->digest);
    sweep->moments = zeroed(f->plan.nmembers, sizeof *sweep->moments);
    sweep->first_pair = zeroed(f->plan.nbundles + 1, sizeof *sweep->first_pair);
    for (int64_t i = 0; i < f->plan.nbundles; i++) {
        int64_t n = f->plan.bundles[i].members;
        sweep->first_pair[i + 1] = sweep->first_pair[i] + n * (n - 1) / 2;
    }
    sweep->products = zeroed(sweep->first_pair[f->plan.nbundles], sizeof *sweep->products);
    sweep->null = zeroed(sweep->first_pair[f->plan.nbundles], sizeof *sweep->null);
    sweep->kept = zeroed(2, sizeof *sweep->kept);
}

void fixture_settle(struct fixture *f)
{
    struct cg_err err;
    for (int64_t s = 0; s < f->made.anatomy.nslots; s++) {
        char name[32];
        snprintf(name, sizeof name, "slot.%d", (int)s);
        f->made.anatomy.slots[s].name = strdup(name);
    }
    int built = cg_plan_build(&f->plan, &f->made.anatomy, f->made.models, 1, &err);
    assert(built == 0);
    (void)built;
    sweep_make(f);
    for (int64_t s = 0; s < f->made.anatomy.nslots; s++)
        fixture_set(f, s, &INDEPENDENT);
    static const struct cg_manifest none = {0};
    f->findings = (struct cg_findings){.models = f->made.models,
                                       .skipped = &none,
                                       .architectures = f->architectures,
                                       .anatomy = &f->made.anatomy,
                                       .plan = &f->plan,
                                       .sweep = &f->sweep,
                                       .pairs = (const int32_t(*)[2])f->pairs,
                                       .npairs = 1,
                                       .alignments = f->alignments,
                                       .aligned = f->aligned,
                                       .tokens = f->tokens};
}

/* Vectors of length 1 and of mean 0. */
void fixture_set(struct fixture *f, int64_t slot, const struct finding *finding)
{
    const struct cg_place_in_bundle *a = &f->plan.places[slot * 2], *b = a + 1;
    for (int m = 0; m < 2; m++) {
        if (a[m].bundle < 0)
            continue;
        int64_t i = f->plan.bundles[a[m].bundle].first_member + a[m].position;
        memset(f->sweep.digest[i], finding->identical ? 1 : 2 + m, CG_SHA256);
        f->sweep.moments[i] = (struct cg_moments){.elements = 64,
                                                  .squares = 1,
                                                  .minimum = finding->constant ? 0.125 : -0.5,
                                                  .maximum = finding->constant ? 0.125 : 0.5,
                                                  .rounding = m == 1 ? finding->rounding : 0};
    }
    if (a->bundle < 0 || a->bundle != b->bundle)
        return;
    int64_t pair = cg_sweep_pair(&f->sweep, a->bundle, a->position, b->position);
    f->sweep.products[pair] =
        (struct cg_products){.elements = 64,
                             .product = finding->cosine,
                             .difference = finding->equal ? 0 : 2 - 2 * finding->cosine + 1e-9,
                             .squares_a = 1,
                             .squares_b = 1};
    f->sweep.null[pair] = (struct cg_shift_null){finding->cosine, 0, finding->sd, finding->t};
}

void fixture_digest(struct fixture *f, int64_t slot, int model, int number)
{
    const struct cg_place_in_bundle *place = &f->plan.places[slot * 2 + model];
    uint8_t *digest = f->sweep.digest[f->plan.bundles[place->bundle].first_member + place->position];
    memset(digest, 0, CG_SHA256);
    memcpy(digest, &number, sizeof number);
}

void fixture_collect(struct fixture *f)
{
    struct cg_err err = {0};
    if (cg_result_collect(&f->result, &f->findings, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
}

void fixture_release(struct fixture *f)
{
    cg_result_release(&f->result);
    for (int64_t s = 0; s < f->made.anatomy.nslots; s++)
        free(f->made.anatomy.slots[s].name);
    free(f->sweep.digest);
    free(f->sweep.moments);
    free(f->sweep.first_pair);
    free(f->sweep.products);
    free(f->sweep.null);
    free(f->sweep.kept);
    cg_plan_release(&f->plan);
    synthetic_release(&f->made);
}
