/* The slots of two fingerprints. */
#include "cognate/fingerprint.h"
#include "cognate/mem.h"
#include "pack.h"
#include "slots.h"
#include "sweep/panel.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What two sketches of equal numbers that are not equal leave, over a's sum of squares. */
static const double LEAST_DIFFERENCE = 0x1p-46;

int64_t *cg_print_slots(const struct cg_anatomy *anatomy, int model, struct cg_err *err)
{
    int64_t *own = cg_new((size_t)anatomy->nslots, sizeof *own, err), n = 0, embedding = -1;
    for (int64_t s = 0; own && s < anatomy->nslots; s++) {
        const struct cg_member *member = cg_member_of(anatomy, s, model);
        own[s] = member->tensor < 0 ? -1 : member->tied ? embedding : n++;
        if (anatomy->slots[s].role == CG_ROLE_EMBED && member->tensor >= 0 && embedding < 0)
            embedding = own[s];
    }
    return own;
}

static int hex_digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

int cg_fingerprint_members(struct cg_sweep *sweep, const struct cg_anatomy *anatomy,
                           const struct cg_plan *plan, int model, const struct cg_fingerprint *print,
                           struct cg_err *err)
{
    int64_t *own = cg_print_slots(anatomy, model, err);
    for (int64_t s = 0; own && s < anatomy->nslots; s++) {
        const struct cg_place_in_bundle *place = &plan->places[s * anatomy->models + model];
        if (own[s] < 0 || cg_member_of(anatomy, s, model)->tied)
            continue;
        int64_t member = plan->bundles[place->bundle].first_member + place->position;
        const char *digits = print->slots.sha256[own[s]];
        for (int i = 0; i < CG_SHA256; i++)
            sweep->digest[member][i] =
                (uint8_t)(16 * hex_digit(digits[2 * i]) + hex_digit(digits[2 * i + 1]));
        sweep->moments[member] = (struct cg_moments){.elements = print->slots.elements[own[s]],
                                                     .nonfinite = print->slots.nonfinite[own[s]],
                                                     .sum = print->slots.sum[own[s]],
                                                     .squares = print->slots.squares[own[s]],
                                                     .minimum = print->slots.minimum[own[s]],
                                                     .maximum = print->slots.maximum[own[s]],
                                                     .rounding = print->slots.rounding[own[s]]};
    }
    free(own);
    return own ? 0 : -1;
}

struct slots {
    const struct cg_print_pair *pair;
    int64_t *own[2];   /* [nslots] the fingerprint's slot */
    int64_t length;    /* of the sketches, of both */
    double *sketch[2]; /* [length] folded */
    float *panel[2];   /* [panel elements] */
    double *scratch;
};

/* The sketch of a shorter length is the longer one folded. */
static void fold(const struct slots *slots, int side, int64_t s)
{
    const struct cg_fingerprint *print = slots->pair->print[side];
    int64_t length = print->size[CG_PRINT_FEATURE];
    const float *from = print->slots.sketch + slots->own[side][s] * length;
    memset(slots->sketch[side], 0, (size_t)slots->length * sizeof(double));
    for (int64_t first = 0; first < length; first += slots->length)
        for (int64_t k = 0; k < slots->length; k++)
            slots->sketch[side][k] += (double)from[first + k];
}

static bool values_are_equal(const struct slots *slots, int64_t s)
{
    const struct cg_fingerprint *a = slots->pair->print[0], *b = slots->pair->print[1];
    int64_t in_a = slots->own[0][s], in_b = slots->own[1][s];
    if (strcmp(a->slots.sha256[in_a], b->slots.sha256[in_b]) == 0)
        return true;
    return a->slots.nonfinite[in_a] == 0 && b->slots.nonfinite[in_b] == 0 &&
           strcmp(a->slots.values_hash[in_a], b->slots.values_hash[in_b]) == 0;
}

static struct cg_products estimate(const struct slots *slots, int64_t s)
{
    const struct cg_fingerprint *a = slots->pair->print[0], *b = slots->pair->print[1];
    int64_t in_a = slots->own[0][s], in_b = slots->own[1][s];
    struct cg_products out = {.elements = a->slots.elements[in_a] - a->slots.nonfinite[in_a],
                              .sum_a = a->slots.sum[in_a],
                              .sum_b = b->slots.sum[in_b],
                              .squares_a = a->slots.squares[in_a],
                              .squares_b = b->slots.squares[in_b]};
    if (values_are_equal(slots, s)) {
        out.product = out.squares_a;
        return out;
    }
    double product = 0, squares[2] = {0};
    fold(slots, 0, s);
    fold(slots, 1, s);
    for (int64_t k = 0; k < slots->length; k++) {
        double x = slots->sketch[0][k], y = slots->sketch[1][k];
        product += x * y;
        squares[0] += x * x;
        squares[1] += y * y;
        out.difference += (y - x) * (y - x);
    }
    double scale = sqrt(squares[0]) * sqrt(squares[1]);
    if (scale > 0) /* the quotient varies less than the product where they are alike */
        out.product = product / scale * sqrt(out.squares_a) * sqrt(out.squares_b);
    out.difference = fmax(out.difference, LEAST_DIFFERENCE * (out.squares_a + out.squares_b));
    return out;
}

/* No panel where the two were taken of another size. */
static struct cg_panel_shape shape_of(const struct slots *slots, int64_t s)
{
    const struct cg_anatomy *anatomy = slots->pair->anatomy;
    const struct cg_fingerprint *const *print = slots->pair->print;
    int64_t most = print[0]->root.size_value[CG_PRINT_PANEL_NUMBER];
    const struct cg_member *member = cg_member_of(anatomy, s, slots->pair->model[0]);
    if (most != print[1]->root.size_value[CG_PRINT_PANEL_NUMBER])
        return (struct cg_panel_shape){0};
    return cg_panel_shape_within(anatomy->slots[s].role, member->rows, member->columns, most);
}

static struct cg_shift_null shift_null(const struct slots *slots, int64_t s)
{
    const struct cg_fingerprint *const *print = slots->pair->print;
    struct cg_panel_shape shape = shape_of(slots, s);
    struct cg_panel panel[2];
    if (shape.residual == 0)
        return (struct cg_shift_null){NAN, NAN, NAN, NAN};
    for (int side = 0; side < 2; side++) {
        int64_t own = slots->own[side][s], first = print[side]->slots.panel_first[own];
        if (first < 0)
            return (struct cg_shift_null){NAN, NAN, NAN, NAN};
        cg_row_unpack(slots->panel[side], print[side]->slots.panel + first,
                      print[side]->slots.panel_scale[own], shape.lines * shape.residual);
        panel[side] = cg_panel_of(&shape, slots->panel[side]);
    }
    struct cg_shift_null null;
    cg_panels_compare(&shape, panel, (struct cg_meeting){2, 0}, slots->scratch, &null);
    return null;
}

static struct cg_comparison compare(const struct slots *slots, int64_t s)
{
    const struct cg_print_pair *pair = slots->pair;
    const struct cg_member *a = cg_member_of(pair->anatomy, s, pair->model[0]),
                           *b = cg_member_of(pair->anatomy, s, pair->model[1]);
    bool known = a->tensor >= 0 && b->tensor >= 0 && a->rows == b->rows && a->columns == b->columns &&
                 pair->print[0]->slots.elements[slots->own[0][s]] > 0 &&
                 pair->print[1]->slots.elements[slots->own[1][s]] > 0;
    if (!known)
        return cg_compare_products(pair->anatomy, pair->plan, pair->sweep, s, pair->model[0], pair->model[1],
                                   NULL, NULL);
    struct cg_products products = estimate(slots, s);
    struct cg_shift_null null = shift_null(slots, s);
    return cg_compare_products(pair->anatomy, pair->plan, pair->sweep, s, pair->model[0], pair->model[1],
                               &products, &null);
}

static int slots_init(struct slots *slots, const struct cg_print_pair *pair, struct cg_err *err)
{
    int64_t a = pair->print[0]->size[CG_PRINT_FEATURE], b = pair->print[1]->size[CG_PRINT_FEATURE];
    *slots = (struct slots){.pair = pair, .length = a < b ? a : b};
    for (int side = 0; side < 2; side++)
        if (!(slots->own[side] = cg_print_slots(pair->anatomy, pair->model[side], err)) ||
            !(slots->sketch[side] = cg_new((size_t)slots->length, sizeof(double), err)) ||
            !(slots->panel[side] = cg_new(CG_PANEL_ELEMENTS, sizeof(float), err)))
            return -1;
    int64_t most = 0;
    for (int64_t s = 0; s < pair->anatomy->nslots; s++) {
        struct cg_panel_shape shape = shape_of(slots, s);
        int64_t own = shape.residual > 0 ? cg_panels_scratch(&shape, (struct cg_meeting){2, 0}) : 0;
        most = own > most ? own : most;
    }
    slots->scratch = cg_new_aligned((size_t)most, sizeof(double), err);
    return slots->scratch ? 0 : -1;
}

int cg_fingerprint_compare(const struct cg_print_pair *pair, struct cg_comparison *out, struct cg_err *err)
{
    struct slots slots;
    int result = slots_init(&slots, pair, err);
    for (int64_t s = 0; result == 0 && s < pair->anatomy->nslots; s++)
        out[s] = compare(&slots, s);
    for (int side = 0; side < 2; side++) {
        free(slots.own[side]);
        free(slots.sketch[side]);
        free(slots.panel[side]);
    }
    free(slots.scratch);
    return result;
}
