/* Layers of two fingerprints, from the sketches of their matrices. */
#include "cognate/fingerprint.h"
#include "cognate/mem.h"
#include "slots.h"
#include "sweep/sketches.h"
#include <stdlib.h>

/* A fingerprint's sketches as the sweep would have left them, folded to the lengths it takes. */
static int take_sketches(struct cg_sketches *out, const struct cg_print_pair *pair, int side,
                         struct cg_err *err)
{
    const struct cg_fingerprint *print = pair->print[side];
    const struct cg_anatomy *anatomy = pair->anatomy;
    int64_t stored = print->size[CG_PRINT_FEATURE];
    int64_t *own = cg_print_slots(anatomy, pair->model[side], err);
    double *sketch = own ? cg_new((size_t)stored, sizeof *sketch, err) : NULL;
    int result = sketch ? 0 : -1;
    for (int64_t s = 0; result == 0 && s < anatomy->nslots; s++) {
        int64_t member = s * anatomy->models + pair->model[side];
        if (!cg_may_be_sketched(&anatomy->slots[s], &anatomy->members[member],
                                pair->models[pair->model[side]]))
            continue;
        int64_t length = cg_sketch_floats(anatomy, member);
        float *to = cg_sketches_append(out, anatomy, member, err);
        result = to ? 0 : -1;
        for (int64_t k = 0; result == 0 && k < stored; k++)
            sketch[k] = (double)print->slots.sketch[own[s] * stored + k];
        if (result == 0)
            cg_sketch_fold(sketch, length, sketch, stored);
        for (int64_t k = 0; result == 0 && k < length; k++)
            to[k] = (float)sketch[k];
    }
    free(own);
    free(sketch);
    return result;
}

int cg_fingerprint_maps(const struct cg_print_pair *pair, struct cg_maps *out, struct cg_err *err)
{
    const struct cg_comm alone = cg_comm_alone();
    struct cg_sweep sweep = *pair->sweep;
    sweep.sketches = (struct cg_sketches){0};
    *out = (struct cg_maps){0};
    int result = 0;
    for (int side = 0; side < 2; side++)
        if (pair->print[side]->size[CG_PRINT_FEATURE] < CG_MOST_SKETCH)
            return 0;
    for (int side = 0; result == 0 && side < 2; side++)
        result = take_sketches(&sweep.sketches, pair, side, err);
    if (result == 0)
        result = cg_maps_find(&alone, pair->models, pair->anatomy, pair->plan, &sweep, pair->model[0],
                              pair->model[1], out, err);
    cg_sketches_release(&sweep.sketches);
    return result;
}
