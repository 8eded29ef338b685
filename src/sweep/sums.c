#include "sums.h"
#include "cognate/mem.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sums with the rounding errors they have lost so far. */
struct wides {
    double *sum, *lost;
};

static void add_one(struct wides wides, int64_t i, double x)
{
    cg_wide_add_one(&wides.sum[i], &wides.lost[i], x);
}

static double value_of(struct wides wides, int64_t i)
{
    return isfinite(wides.sum[i]) ? wides.sum[i] + wides.lost[i] : wides.sum[i];
}

/* Below this share of |a|^2 + |b|^2 the difference is summed element by element: from the products it would
 * lose digits. */
static const double CLOSE = 0.05;

struct cg_sums {
    int32_t members;
    int64_t bundle, chunk;                 /* that the sums are of */
    double *memory;                        /* of all below */
    struct wides sum, squares, rounding;   /* [members] */
    double *minimum, *maximum, *nonfinite; /* [members] */
    struct wides product, difference;      /* [pairs] */
    double *squared, *apart;               /* [members], [pairs] of the block at hand */
};

static double *cut(double **from, size_t n)
{
    *from += n;
    return *from - n;
}

static struct wides cut_wides(double **from, size_t n)
{
    double *sum = cut(from, n);
    return (struct wides){sum, cut(from, n)};
}

struct cg_sums *cg_sums_create(int32_t members, struct cg_err *err)
{
    struct cg_sums *sums = cg_new(1, sizeof *sums, err);
    size_t n = (size_t)members, pairs = (size_t)cg_pairs(members);
    if (!sums || !(sums->memory = cg_new(10 * n + 5 * pairs, sizeof(double), err))) {
        cg_sums_destroy(sums);
        return NULL;
    }
    double *left = sums->memory;
    sums->sum = cut_wides(&left, n);
    sums->squares = cut_wides(&left, n);
    sums->rounding = cut_wides(&left, n);
    sums->minimum = cut(&left, n);
    sums->maximum = cut(&left, n);
    sums->nonfinite = cut(&left, n);
    sums->squared = cut(&left, n);
    sums->product = cut_wides(&left, pairs);
    sums->difference = cut_wides(&left, pairs);
    sums->apart = cut(&left, pairs);
    return sums;
}

void cg_sums_destroy(struct cg_sums *sums)
{
    if (!sums)
        return;
    free(sums->memory);
    free(sums);
}

static void clear(struct wides wides, size_t n)
{
    memset(wides.sum, 0, n * sizeof *wides.sum);
    memset(wides.lost, 0, n * sizeof *wides.lost);
}

void cg_sums_begin(struct cg_sums *sums, int32_t members, int64_t bundle, int64_t chunk)
{
    size_t n = (size_t)members, pairs = (size_t)cg_pairs(members);
    sums->members = members;
    sums->bundle = bundle;
    sums->chunk = chunk;
    clear(sums->sum, n);
    clear(sums->squares, n);
    clear(sums->rounding, n);
    clear(sums->product, pairs);
    clear(sums->difference, pairs);
    for (int32_t m = 0; m < members; m++) {
        sums->minimum[m] = sums->maximum[m] = NAN;
        sums->nonfinite[m] = 0;
    }
}

/* NaN means that there is no value yet. */
static inline double lower(double a, double b)
{
    return isnan(a) || b < a ? b : a;
}

static inline double higher(double a, double b)
{
    return isnan(a) || b > a ? b : a;
}

static void add_member(struct cg_sums *sums, int32_t m, const struct cg_block_member *member)
{
    add_one(sums->sum, m, member->moments.sum);
    add_one(sums->squares, m, member->moments.squares);
    sums->minimum[m] = lower(sums->minimum[m], member->moments.minimum);
    sums->maximum[m] = higher(sums->maximum[m], member->moments.maximum);
    sums->nonfinite[m] += (double)member->nonfinite;
    add_one(sums->rounding, m, member->rounding);
}

static bool all_equal(struct cg_values a, struct cg_values b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (cg_value(a, i) != cg_value(b, i))
            return false;
    return true;
}

/* The sum of (b - a)^2 where both are finite. */
static double finite_difference(const struct cg_block_member *a, const struct cg_block_member *b, size_t n)
{
    double sum = 0;
    if (a->nonfinite + b->nonfinite == 0)
        return a->values.single ? cg_single_difference(a->values.single, b->values.single, n)
                                : cg_block_difference(a->values.wide, b->values.wide, n);
    for (size_t i = 0; i < n; i++) {
        bool odd =
            (a->nonfinite > 0 && cg_mask_bit(a->mask, i)) || (b->nonfinite > 0 && cg_mask_bit(b->mask, i));
        double d = odd ? 0 : cg_value(b->values, i) - cg_value(a->values, i);
        sum += d * d;
    }
    return sum;
}

/* The block's sum of (b - a)^2, of the values themselves. Positive whenever any value differs, be it only in
 * which kind of NaN or infinity. */
static double close_difference(const struct cg_block_member *a, const struct cg_block_member *b, size_t n)
{
    double difference = finite_difference(a, b, n);
    if (difference == 0 && (a->oddities != b->oddities || !all_equal(a->values, b->values, n)))
        return DBL_TRUE_MIN;
    return difference;
}

/* The entry of this chunk and pair: entries of one chunk stand together at the end of the list. */
static struct cg_loss *loss_of(struct cg_losses *losses, const struct cg_sums *sums, int32_t low,
                               int32_t high, struct cg_err *err)
{
    for (size_t i = losses->n; i-- > 0;) {
        struct cg_loss *loss = &losses->list[i];
        if (loss->bundle != sums->bundle || loss->chunk != sums->chunk)
            break;
        if (loss->low == low && loss->high == high)
            return loss;
    }
    if (cg_grow((void **)&losses->list, &losses->capacity, losses->n + 1, sizeof *losses->list, err) < 0)
        return NULL;
    losses->list[losses->n] =
        (struct cg_loss){.bundle = sums->bundle, .chunk = sums->chunk, .low = low, .high = high};
    return &losses->list[losses->n++];
}

/* Where exactly one of the two is not finite, the other's value leaves the pair. */
static int add_losses(struct cg_losses *losses, const struct cg_sums *sums, const struct cg_block *block,
                      int32_t low, int32_t high, struct cg_err *err)
{
    const struct cg_block_member *side[2] = {&block->member[low], &block->member[high]};
    struct cg_loss *loss = loss_of(losses, sums, low, high, err);
    if (!loss)
        return -1;
    for (size_t i = 0; i < block->n; i++) {
        bool odd[2] = {side[0]->nonfinite > 0 && cg_mask_bit(side[0]->mask, i),
                       side[1]->nonfinite > 0 && cg_mask_bit(side[1]->mask, i)};
        for (int k = 0; k < 2; k++)
            if (!odd[k] && odd[1 - k]) {
                loss->elements[k] += 1;
                double value = cg_value(side[k]->values, i);
                loss->sum[k] += value;
                loss->squares[k] += value * value;
            }
    }
    return 0;
}

/* What the products do not tell of the pairs of member j and those before it. */
static int take_close(struct cg_sums *sums, const struct cg_block *block, int32_t j, struct cg_losses *losses,
                      struct cg_err *err)
{
    const struct cg_block_member *b = &block->member[j];
    for (int32_t i = 0; i < j; i++) {
        const struct cg_block_member *a = &block->member[i];
        double *apart = &sums->apart[cg_pair_index(i, j)];
        if (*apart < 0)
            *apart = close_difference(a, b, block->n);
        if (a->nonfinite + b->nonfinite > 0 && add_losses(losses, sums, block, i, j, err) < 0)
            return -1;
    }
    return 0;
}

int cg_sums_add(struct cg_sums *sums, struct cg_block *block, struct cg_losses *losses, struct cg_err *err)
{
    size_t pairs = (size_t)cg_pairs(sums->members);
    const double *products = cg_block_multiply(block);
    for (int32_t j = 0; j < sums->members; j++) {
        const struct cg_block_member *member = &block->member[j];
        add_member(sums, j, member);
        sums->squared[j] = member->nonfinite > 0 ? NAN : member->moments.squares;
    }
    cg_far_differences(sums->squared, sums->members, products, CLOSE, sums->apart);
    for (int32_t j = 1; j < sums->members; j++)
        if (take_close(sums, block, j, losses, err) < 0)
            return -1;
    cg_wide_add(sums->product.sum, sums->product.lost, products, pairs);
    cg_wide_add(sums->difference.sum, sums->difference.lost, sums->apart, pairs);
    return 0;
}

void cg_sums_end(const struct cg_sums *sums, double *cell)
{
    for (int32_t m = 0; m < sums->members; m++) {
        *cell++ = value_of(sums->sum, m);
        *cell++ = value_of(sums->squares, m);
        *cell++ = sums->minimum[m] + 0.0; /* -0.0 becomes +0.0, as it would in the reduction */
        *cell++ = sums->maximum[m] + 0.0;
        *cell++ = sums->nonfinite[m];
        *cell++ = value_of(sums->rounding, m);
    }
    for (int64_t p = 0; p < cg_pairs(sums->members); p++) {
        *cell++ = value_of(sums->product, p);
        *cell++ = value_of(sums->difference, p);
    }
}

static double fold_field(const double *cells, int64_t chunks, int64_t size, int64_t field)
{
    double sum = 0, lost = 0;
    struct wides total = {&sum, &lost};
    for (int64_t k = 0; k < chunks; k++)
        add_one(total, 0, cells[k * size + field]);
    return value_of(total, 0);
}

static double fold_extreme(const double *cells, int64_t chunks, int64_t size, int64_t field, bool low)
{
    double extreme = NAN;
    for (int64_t k = 0; k < chunks; k++)
        extreme = low ? lower(extreme, cells[k * size + field]) : higher(extreme, cells[k * size + field]);
    return extreme;
}

void cg_cells_fold(const double *cells, int64_t chunks, int32_t members, double *out)
{
    int64_t size = cg_cell_size(members);
    for (int64_t field = 0; field < size; field++) {
        int64_t kind = field < CG_MEMBER_FIELDS * (int64_t)members ? field % CG_MEMBER_FIELDS : 0;
        out[field] = kind == 2 || kind == 3 ? fold_extreme(cells, chunks, size, field, kind == 2)
                                            : fold_field(cells, chunks, size, field);
    }
}
