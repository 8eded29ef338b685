#include "products.h"
#include "cognate/clones.h"
#include <math.h>
#include <string.h>

/* A tile is a few members by a few others: their pairs' sums, of some of the lanes, are all that the
 * registers of an instruction set with vectors of four doubles hold. Eight lanes are a cache line. A part of
 * the values at a time goes through all tiles, so that the nearest cache holds those of a column of them. */
enum { WIDTH = 4, EIGHT = 8, ROWS = 2, COLUMNS = 3, VECTORS = CG_LANES / WIDTH, PART = 1024 };
typedef double vector __attribute__((vector_size(WIDTH * sizeof(double))));

/* Exact products make a multiplication and an addition in one instruction worth allowing. */
#ifdef __clang__
#define CONTRACT
#else
#define CONTRACT __attribute__((optimize("fp-contract=fast")))
#endif

struct values {
    const double *x; /* CG_STRIDE apart, member after member */
    size_t whole;    /* of each, whole steps of all lanes */
    double *lanes;   /* [pairs * CG_LANES], to which they are added */
};

/* The lanes from `first` on, `vectors` times four of them, of members i, i + 1, ... by members j, j + 1, ...
 */
CG_ALWAYS_INLINE void tile(const int rows, const int columns, const int vectors, const struct values *of,
                           int first, int32_t i, int32_t j)
{
    vector sum[ROWS][COLUMNS][VECTORS];
    const double *a = of->x + (size_t)i * CG_STRIDE + first, *b = of->x + (size_t)j * CG_STRIDE + first;
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int q = 0; q < columns * vectors; q++)
            memcpy(&sum[r][q / vectors][q % vectors],
                   of->lanes + cg_pair_index(i + r, j + q / vectors) * CG_LANES + first + q % vectors * WIDTH,
                   sizeof(vector));
    for (size_t k = 0; k < of->whole; k += CG_LANES) {
        vector left[ROWS][VECTORS], right;
#pragma GCC unroll 8
        for (int p = 0; p < rows * vectors; p++)
            memcpy(&left[p / vectors][p % vectors], a + k + p / vectors * CG_STRIDE + p % vectors * WIDTH,
                   sizeof(vector));
#pragma GCC unroll 8
        for (int q = 0; q < columns * vectors; q++) {
            memcpy(&right, b + k + q / vectors * CG_STRIDE + q % vectors * WIDTH, sizeof(vector));
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++)
                sum[r][q / vectors][q % vectors] += left[r][q % vectors] * right;
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int q = 0; q < columns * vectors; q++)
            memcpy(of->lanes + cg_pair_index(i + r, j + q / vectors) * CG_LANES + first + q % vectors * WIDTH,
                   &sum[r][q / vectors][q % vectors], sizeof(vector));
}

/* Members j, j + 1, ... by all before them, and by one another. */
CG_ALWAYS_INLINE void column_of_tiles(const int columns, const struct values *of, int32_t j)
{
    const int vectors = columns == 1 ? VECTORS : EIGHT / WIDTH;
    for (int first = 0; first < CG_LANES; first += vectors * WIDTH) {
        int32_t i = 0;
        for (; i + ROWS <= j; i += ROWS)
            tile(ROWS, columns, vectors, of, first, i, j);
        if (i < j)
            tile(1, columns, vectors, of, first, i, j);
    }
    if (columns > 1)
        tile(1, columns - 1, VECTORS, of, 0, j, j + 1);
    if (columns > 2)
        tile(1, columns - 2, VECTORS, of, 0, j + 1, j + 2);
}

CG_ALWAYS_INLINE void all_tiles(const struct values *of, int32_t members)
{
    int32_t j = 0;
    for (; j + COLUMNS <= members; j += COLUMNS)
        column_of_tiles(COLUMNS, of, j);
    if (j + 2 == members)
        column_of_tiles(2, of, j);
    if (j + 1 == members)
        column_of_tiles(1, of, j);
}

CG_CLONES CONTRACT static void tiles_of_floats(const struct values *of, int32_t members)
{
    all_tiles(of, members);
}

CG_CLONES static void tiles_of_doubles(const struct values *of, int32_t members)
{
    all_tiles(of, members);
}

/* The tree of kernels.h, in vectors down to four lanes. */
CG_CLONES static void fold(const double *restrict lanes, size_t n, double *restrict out)
{
    for (size_t p = 0; p < n; p++) {
        const double *lane = lanes + p * CG_LANES;
        double four[WIDTH];
        for (int i = 0; i < WIDTH; i++)
            four[i] = (lane[i] + lane[i + 8]) + (lane[i + 4] + lane[i + 12]);
        out[p] = (four[0] + four[2]) + (four[1] + four[3]);
    }
}

void cg_block_products(const double *x, int32_t members, size_t n, bool floats, double *lanes, double *out)
{
    size_t whole = n - n % CG_LANES;
    memset(lanes, 0, (size_t)cg_pairs(members) * CG_LANES * sizeof *lanes);
    for (size_t at = 0; at < whole; at += PART) {
        struct values of = {.x = x + at, .whole = whole - at < PART ? whole - at : PART, .lanes = lanes};
        if (floats)
            tiles_of_floats(&of, members);
        else
            tiles_of_doubles(&of, members);
    }
    for (int32_t j = 0; whole < n && j < members; j++)
        for (int32_t i = 0; i < j; i++)
            for (size_t k = whole; k < n; k++)
                lanes[(size_t)cg_pair_index(i, j) * CG_LANES + k - whole] +=
                    x[(size_t)i * CG_STRIDE + k] * x[(size_t)j * CG_STRIDE + k];
    fold(lanes, (size_t)cg_pairs(members), out);
}

CG_CLONES void cg_far_differences(const double *restrict squares, int32_t members,
                                  const double *restrict products, double close, double *restrict out)
{
    for (int32_t j = 1; j < members; j++) {
        const double *product = products + cg_pairs(j);
        double *difference = out + cg_pairs(j);
        for (int32_t i = 0; i < j; i++) {
            double both = squares[i] + squares[j], rough = both - 2 * product[i];
            difference[i] = rough > close * both && rough < (double)INFINITY ? rough : -1;
        }
    }
}

CG_CLONES void cg_wide_add(double *restrict sum, double *restrict lost, const double *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cg_wide_add_one(&sum[i], &lost[i], x[i]);
}
