#include "shared_sketches.h"
#include "cognate/clones.h"
#include "cognate/mem.h"
#include <math.h>
#include <stdlib.h>

CG_CLONES void cg_sketch_products(const float *a, const float *b, int64_t n, double *product, double *squares)
{
    double sum[16] = {0}, square[16] = {0};
    for (int64_t i = 0; i < n; i += 16)
        for (int64_t k = 0; k < 16 && i + k < n; k++) {
            double value = (double)a[i + k] * (double)b[i + k];
            sum[k] += value;
            square[k] += value * value;
        }
    *product = *squares = 0;
    for (int k = 0; k < 16; k++) {
        *product += sum[k];
        *squares += square[k];
    }
}

int64_t cg_shared_length(const struct cg_shared_sketches *shared, const struct cg_anatomy *anatomy,
                         int64_t slot, int model)
{
    const struct cg_member *member = cg_member_of(anatomy, slot, model);
    int64_t length = cg_sketch_length(&anatomy->slots[slot], member->rows, member->columns);
    return length < shared->most ? length : shared->most;
}

int cg_shared_sketches_init(struct cg_shared_sketches *shared, const struct cg_anatomy *anatomy, int64_t most,
                            struct cg_err *err)
{
    *shared = (struct cg_shared_sketches){.most = most};
    if (!(shared->first = cg_new((size_t)anatomy->nslots, sizeof *shared->first, err)))
        return -1;
    for (int64_t s = 0; s < anatomy->nslots; s++)
        shared->first[s] = -1;
    return 0;
}

/* The sketch of ones for a shape; few shapes are many members'. */
struct ones {
    float *value;
    int64_t length, elements;
};

struct shapes {
    struct ones *list;
    size_t n, capacity;
};

static const struct ones *ones_for(struct shapes *shapes, int64_t length, int64_t elements,
                                   struct cg_err *err)
{
    for (size_t i = 0; i < shapes->n; i++)
        if (shapes->list[i].length == length && shapes->list[i].elements == elements)
            return &shapes->list[i];
    struct ones ones = {cg_new((size_t)length, sizeof(float), err), length, elements};
    if (!ones.value || cg_sketch_of_ones(ones.value, length, elements, err) < 0 ||
        cg_grow((void **)&shapes->list, &shapes->capacity, shapes->n + 1, sizeof ones, err) < 0) {
        free(ones.value);
        return NULL;
    }
    shapes->list[shapes->n] = ones;
    return &shapes->list[shapes->n++];
}

static void shapes_release(struct shapes *shapes)
{
    for (size_t i = 0; i < shapes->n; i++)
        free(shapes->list[i].value);
    free(shapes->list);
}

/* Centred, folded, of unit length; what rounding leaves of a constant is no direction. */
static void take(float *out, int64_t length, const float *sketch, const struct ones *ones, double mean)
{
    double squares = 0, least = 0;
    for (int64_t first = 0; first < ones->length; first += length)
        for (int64_t k = 0; k < length; k++) {
            double one = mean * (double)ones->value[first + k];
            out[k] += (float)((double)sketch[first + k] - one);
            least += one * one;
        }
    for (int64_t k = 0; k < length; k++)
        squares += (double)out[k] * (double)out[k];
    double scale = squares > 1e-10 * least && squares > 0 ? 1 / sqrt(squares) : 0;
    for (int64_t k = 0; k < length; k++)
        out[k] = (float)((double)out[k] * scale);
}

/* What this rank sketched of the model. */
static int take_own(struct cg_shared_sketches *out, const struct cg_anatomy *anatomy,
                    const struct cg_plan *plan, const struct cg_sweep *sweep, int model, struct cg_err *err)
{
    const float *sketch = sweep->sketches.value;
    struct shapes shapes = {0};
    int result = 0;
    for (int64_t i = 0; result == 0 && i < sweep->sketches.local; i++) {
        int64_t index = sweep->sketches.member[i], slot = index / anatomy->models;
        const struct cg_member *member = &anatomy->members[index];
        int64_t length = cg_sketch_length(&anatomy->slots[slot], member->rows, member->columns);
        if (index % anatomy->models == model && out->first[slot] >= 0) {
            const struct cg_place_in_bundle *place = &plan->places[index];
            const struct cg_moments *of =
                &sweep->moments[plan->bundles[place->bundle].first_member + place->position];
            int64_t finite = of->elements - of->nonfinite;
            const struct ones *ones = ones_for(&shapes, length, of->elements, err);
            result = ones ? 0 : -1;
            if (ones)
                take(out->value + out->first[slot], cg_shared_length(out, anatomy, slot, model), sketch, ones,
                     finite > 0 ? of->sum / (double)finite : 0);
        }
        sketch += length;
    }
    shapes_release(&shapes);
    return result;
}

int cg_sketches_share(const struct cg_comm *comm, const struct cg_anatomy *anatomy,
                      const struct cg_plan *plan, const struct cg_sweep *sweep, int model,
                      struct cg_shared_sketches *shared, struct cg_err *err)
{
    shared->value = cg_new((size_t)shared->floats, sizeof *shared->value, err);
    int result = shared->value ? take_own(shared, anatomy, plan, sweep, model, err) : -1;
    if (cg_agree(comm, result, err) < 0)
        return -1;
    cg_or_bytes(comm, (uint8_t *)shared->value, shared->floats * (int64_t)sizeof *shared->value);
    return 0;
}

void cg_shared_sketches_release(struct cg_shared_sketches *shared)
{
    free(shared->first);
    free(shared->value);
    *shared = (struct cg_shared_sketches){0};
}
