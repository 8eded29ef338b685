#include "pca/redistribute.h"
#include "cognate/mem.h"
#include "pca/block_cyclic.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Values that a rank sends in one round: 8 MiB. */
enum { PIECE = 1 << 20 };

/* A record is a sample's index, exact as a double, and those of its features that one process holds. */
struct exchange {
    const struct cg_grid *grid;
    const struct cg_features *features;
    const double *mean;
    int64_t batch; /* rows a round */
    int ranks;
    int *send_count, *send_at, *receive_count, *receive_at; /* [ranks], in values */
    double *send, *receive;
    size_t receive_capacity;
};

static int exchange_init(struct exchange *ex, const struct cg_comm *comm, struct cg_err *err)
{
    size_t ranks = (size_t)comm->size;
    size_t row = (size_t)(ex->features->features + ex->grid->rows);
    ex->ranks = comm->size;
    ex->batch = row < PIECE ? (int64_t)(PIECE / row) : 1;
    if (!(ex->send_count = cg_new(ranks, sizeof(int), err)) ||
        !(ex->send_at = cg_new(ranks, sizeof(int), err)) ||
        !(ex->receive_count = cg_new(ranks, sizeof(int), err)) ||
        !(ex->receive_at = cg_new(ranks, sizeof(int), err)) ||
        !(ex->send = cg_new((size_t)ex->batch * row, sizeof(double), err)))
        return -1;
    return 0;
}

static void exchange_release(struct exchange *ex)
{
    free(ex->send_count);
    free(ex->send_at);
    free(ex->receive_count);
    free(ex->receive_at);
    free(ex->send);
    free(ex->receive);
}

/* Where each rank's values begin; returns the sum. */
static int place(const int *count, int *at, int ranks)
{
    int sum = 0;
    for (int r = 0; r < ranks; r++) {
        at[r] = sum;
        sum += count[r];
    }
    return sum;
}

static void count_rows(struct exchange *ex, int64_t first, int64_t end)
{
    const struct cg_grid *grid = ex->grid;
    memset(ex->send_count, 0, (size_t)ex->ranks * sizeof *ex->send_count);
    for (int row = 0; row < grid->rows; row++) {
        int record = 1 + (int)cg_cyclic_count(ex->features->features, CG_PCA_BLOCK, grid->rows, row);
        for (int64_t i = first; i < end; i++) {
            int column = cg_cyclic_owner(ex->features->sample[i], CG_PCA_BLOCK, grid->columns);
            ex->send_count[row * grid->columns + column] += record;
        }
    }
}

/* Writes the record of one sample for one row of the grid; returns its length. */
static int pack_record(const struct exchange *ex, int64_t i, int row, double *out)
{
    int64_t features = ex->features->features;
    const double *value = ex->features->value + i * features;
    int n = 0;
    out[n++] = (double)ex->features->sample[i];
    for (int64_t block = (int64_t)row * CG_PCA_BLOCK; block < features;
         block += (int64_t)ex->grid->rows * CG_PCA_BLOCK)
        for (int64_t f = block; f < features && f < block + CG_PCA_BLOCK; f++)
            out[n++] = value[f] - ex->mean[f];
    return n;
}

static void pack_rows(struct exchange *ex, int64_t first, int64_t end)
{
    place(ex->send_count, ex->send_at, ex->ranks);
    for (int64_t i = first; i < end; i++) {
        int column = cg_cyclic_owner(ex->features->sample[i], CG_PCA_BLOCK, ex->grid->columns);
        for (int row = 0; row < ex->grid->rows; row++) {
            int to = row * ex->grid->columns + column;
            ex->send_at[to] += pack_record(ex, i, row, ex->send + ex->send_at[to]);
        }
    }
    place(ex->send_count, ex->send_at, ex->ranks); /* packing moved them on */
}

/* Returns the number of records. */
static int unpack(const struct exchange *ex, int received, struct cg_matrix *x)
{
    int rows = x->local_rows, records = 0;
    for (int at = 0; at < received; at += 1 + rows, records++) {
        int64_t column = cg_cyclic_local((int64_t)ex->receive[at], CG_PCA_BLOCK, ex->grid->columns);
        memcpy(x->local + column * rows, ex->receive + at + 1, (size_t)rows * sizeof *x->local);
    }
    return records;
}

/* One round: the rows first..end-1 of every rank, each rank its own. Adds to *records. */
static int exchange_rows(struct exchange *ex, const struct cg_comm *comm, int64_t first, int64_t end,
                         struct cg_matrix *x, int *records, struct cg_err *err)
{
    count_rows(ex, first, end);
    MPI_Alltoall(ex->send_count, 1, MPI_INT, ex->receive_count, 1, MPI_INT, comm->mpi);
    int received = place(ex->receive_count, ex->receive_at, ex->ranks);
    int result =
        cg_grow((void **)&ex->receive, &ex->receive_capacity, (size_t)received, sizeof *ex->receive, err);
    if (cg_agree(comm, result, err) < 0)
        return -1;
    pack_rows(ex, first, end);
    MPI_Alltoallv(ex->send, ex->send_count, ex->send_at, MPI_DOUBLE, ex->receive, ex->receive_count,
                  ex->receive_at, MPI_DOUBLE, comm->mpi);
    *records += unpack(ex, received, x);
    return 0;
}

int cg_scatter_samples(const struct cg_comm *comm, const struct cg_grid *grid,
                       const struct cg_features *features, const double *mean, struct cg_matrix *x,
                       struct cg_err *err)
{
    struct exchange ex = {.grid = grid, .features = features, .mean = mean};
    int result = cg_agree(comm, exchange_init(&ex, comm, err), err);
    if (result < 0)
        goto done;
    int64_t most = cg_max_int(comm, features->local);
    int records = 0;
    for (int64_t round = 0; round * ex.batch < most && result == 0; round++) {
        int64_t first = round * ex.batch, end = first + ex.batch;
        if (first > features->local)
            first = features->local;
        if (end > features->local)
            end = features->local;
        result = exchange_rows(&ex, comm, first, end, x, &records, err);
    }
    assert(result < 0 || records == x->local_columns);
done:
    exchange_release(&ex);
    return result;
}

/* Puts one process's part, the columns from `first` on, into the dense matrix. */
static void put_part(const struct cg_grid *grid, const struct cg_matrix *matrix, int first, int process,
                     const double *part, double *out)
{
    int row = process / grid->columns, column = process % grid->columns;
    int64_t rows = cg_cyclic_count(matrix->rows, CG_PCA_BLOCK, grid->rows, row);
    int64_t skip = cg_cyclic_count(first, CG_PCA_BLOCK, grid->columns, column);
    int64_t columns = cg_cyclic_count(matrix->columns, CG_PCA_BLOCK, grid->columns, column);
    for (int64_t j = skip; j < columns; j++) {
        int64_t to = (cg_cyclic_global(j, CG_PCA_BLOCK, grid->columns, column) - first) * matrix->rows;
        for (int64_t i = 0; i < rows; i++)
            out[to + cg_cyclic_global(i, CG_PCA_BLOCK, grid->rows, row)] = *part++;
    }
}

/* Process 0's own part is where it is; the others send theirs in turn. */
static void gather_on_root(const struct cg_grid *grid, const struct cg_matrix *matrix, int first,
                           double *buffer, int capacity, double *out)
{
    int64_t skip = cg_cyclic_count(first, CG_PCA_BLOCK, grid->columns, grid->column);
    put_part(grid, matrix, first, 0, matrix->local + skip * matrix->local_rows, out);
    for (int process = 1; process < grid->rows * grid->columns; process++) {
        MPI_Recv(buffer, capacity, MPI_DOUBLE, process, 0, grid->comm, MPI_STATUS_IGNORE);
        put_part(grid, matrix, first, process, buffer, out);
    }
}

int cg_gather_columns(const struct cg_comm *comm, const struct cg_grid *grid, const struct cg_matrix *matrix,
                      int first, double *out, struct cg_err *err)
{
    double *buffer = NULL;
    int result = 0, capacity = 0;
    if (comm->rank == 0) { /* process (0, 0) holds no less of any matrix than the others */
        capacity = matrix->local_rows * matrix->local_columns;
        buffer = cg_new((size_t)capacity, sizeof *buffer, err);
        result = buffer ? 0 : -1;
    }
    if (cg_agree(comm, result, err) < 0)
        return -1;
    if (comm->rank == 0) {
        gather_on_root(grid, matrix, first, buffer, capacity, out);
    } else if (grid->inside) {
        int64_t skip = cg_cyclic_count(first, CG_PCA_BLOCK, grid->columns, grid->column);
        MPI_Send(matrix->local + skip * matrix->local_rows,
                 (int)((matrix->local_columns - skip) * matrix->local_rows), MPI_DOUBLE, 0, 0, grid->comm);
    }
    free(buffer);
    return 0;
}
