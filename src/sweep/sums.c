#include "sums.h"
#include "cognate/mem.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A sum with the rounding errors it has lost so far (Neumaier 1974, doi 10.1002/zamm.19740540106). */
struct wide {
    double sum, lost;
};

static inline void wide_add(struct wide *wide, double x)
{
    double total = wide->sum + x;
    wide->lost += fabs(wide->sum) >= fabs(x) ? (wide->sum - total) + x : (x - total) + wide->sum;
    wide->sum = total;
}

static inline double wide_value(const struct wide *wide)
{
    return isfinite(wide->sum) ? wide->sum + wide->lost : wide->sum;
}

/* Below this share of |a|^2 + |b|^2 the difference is summed element by element: from the products it would
 * lose digits. */
static const double CLOSE = 0.05;

struct cg_sums {
    int32_t members;
    int64_t bundle, chunk;                 /* that the sums are of */
    struct wide *sum, *squares, *rounding; /* [members] */
    double *minimum, *maximum, *nonfinite; /* [members] */
    struct wide *product, *difference;     /* [pairs] */
};

struct cg_sums *cg_sums_create(int32_t members, struct cg_err *err)
{
    struct cg_sums *sums = cg_new(1, sizeof *sums, err);
    size_t n = (size_t)members, pairs = (size_t)cg_pairs(members);
    if (sums && (sums->sum = cg_new(3 * n + 2 * pairs, sizeof(struct wide), err)) &&
        (sums->minimum = cg_new(3 * n, sizeof(double), err))) {
        sums->squares = sums->sum + n;
        sums->rounding = sums->squares + n;
        sums->product = sums->rounding + n;
        sums->difference = sums->product + pairs;
        sums->maximum = sums->minimum + n;
        sums->nonfinite = sums->maximum + n;
        return sums;
    }
    cg_sums_destroy(sums);
    return NULL;
}

void cg_sums_destroy(struct cg_sums *sums)
{
    if (!sums)
        return;
    free(sums->sum);
    free(sums->minimum);
    free(sums);
}

void cg_sums_begin(struct cg_sums *sums, int32_t members, int64_t bundle, int64_t chunk)
{
    sums->members = members;
    sums->bundle = bundle;
    sums->chunk = chunk;
    for (int32_t m = 0; m < members; m++) {
        sums->sum[m] = sums->squares[m] = sums->rounding[m] = (struct wide){0};
        sums->minimum[m] = sums->maximum[m] = NAN;
        sums->nonfinite[m] = 0;
    }
    for (int64_t p = 0; p < cg_pairs(members); p++)
        sums->product[p] = sums->difference[p] = (struct wide){0};
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
    wide_add(&sums->sum[m], member->moments.sum);
    wide_add(&sums->squares[m], member->moments.squares);
    sums->minimum[m] = lower(sums->minimum[m], member->moments.minimum);
    sums->maximum[m] = higher(sums->maximum[m], member->moments.maximum);
    sums->nonfinite[m] += (double)member->nonfinite;
    wide_add(&sums->rounding[m], member->rounding);
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

/* The block's sum of (b - a)^2. Positive whenever any value differs, be it only in which kind of NaN or
 * infinity. */
static double block_difference(const struct cg_block_member *a, const struct cg_block_member *b,
                               double product, size_t n)
{
    bool finite = a->nonfinite + b->nonfinite == 0;
    double both = a->moments.squares + b->moments.squares, rough = both - 2 * product;
    if (finite && rough > CLOSE * both && isfinite(rough))
        return rough;
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

int cg_sums_add(struct cg_sums *sums, const struct cg_block *block, struct cg_losses *losses,
                struct cg_err *err)
{
    for (int32_t j = 0; j < sums->members; j++) {
        const struct cg_block_member *b = &block->member[j];
        add_member(sums, j, b);
        for (int32_t i = 0; i < j; i++) {
            const struct cg_block_member *a = &block->member[i];
            int64_t pair = cg_pair_index(i, j);
            double product = cg_block_product_of(block, i, j);
            wide_add(&sums->product[pair], product);
            wide_add(&sums->difference[pair], block_difference(a, b, product, block->n));
            if (a->nonfinite + b->nonfinite > 0 && add_losses(losses, sums, block, i, j, err) < 0)
                return -1;
        }
    }
    return 0;
}

void cg_sums_end(const struct cg_sums *sums, double *cell)
{
    for (int32_t m = 0; m < sums->members; m++) {
        *cell++ = wide_value(&sums->sum[m]);
        *cell++ = wide_value(&sums->squares[m]);
        *cell++ = sums->minimum[m] + 0.0; /* -0.0 becomes +0.0, as it would in the reduction */
        *cell++ = sums->maximum[m] + 0.0;
        *cell++ = sums->nonfinite[m];
        *cell++ = wide_value(&sums->rounding[m]);
    }
    for (int64_t p = 0; p < cg_pairs(sums->members); p++) {
        *cell++ = wide_value(&sums->product[p]);
        *cell++ = wide_value(&sums->difference[p]);
    }
}

static double fold_field(const double *cells, int64_t chunks, int64_t size, int64_t field)
{
    struct wide total = {0};
    for (int64_t k = 0; k < chunks; k++)
        wide_add(&total, cells[k * size + field]);
    return wide_value(&total);
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
