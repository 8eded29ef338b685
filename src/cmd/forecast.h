/* What a run on so many ranks would cost, from the plan alone. */
#ifndef COGNATE_CMD_FORECAST_H
#define COGNATE_CMD_FORECAST_H

#include "cognate/traffic.h"
#include "models.h"
#include <stdio.h>

/* Bytes a second. */
struct rates {
    double hash;      /* SHA-256, a core */
    double memory;    /* read or written, a node; 0: `copy` for each of its ranks */
    double copy;      /* the same, a core */
    double bandwidth; /* of the file system, in all; 0: not known */
    int ranks_a_node;
};

/* Fills in what is 0 of hash and copy, by measuring for a tenth of a second each: hashing as the sweep does
 * it, two members side by side where it will have them. */
int rates_measure(struct rates *rates, bool beside, struct cg_err *err);

/* What a run waits for, if for nothing else. enumerator, name in JSON, name on paper */
#define BOUND_LIST(X)                                                                                        \
    X(BOUND_HASH, sha256, "SHA-256")                                                                         \
    X(BOUND_MEMORY, memory, "memory")                                                                        \
    X(BOUND_FILES, file_system, "file system")

enum bound {
#define BOUND_ENUM(id, name, paper) id,
    BOUND_LIST(BOUND_ENUM)
#undef BOUND_ENUM
        BOUNDS
};

struct forecast {
    int ranks, nodes;
    double imbalance;     /* as cg_plan_imbalance */
    int64_t split;        /* slots */
    int64_t read, hashed; /* bytes, all ranks */
    int64_t read_most, hashed_most, node_read_most;
    int64_t load, load_most,
        load_largest; /* of the plan: all, of the busiest rank, of what cannot be divided */
    int64_t memory;   /* bytes of the rank with the most features, besides MPI, metadata and PCA's own */
    struct cg_traffic traffic;
    int64_t samples, feature_bytes; /* of the PCA; what MPI_Alltoallv moves of them, all ranks */
    double seconds[BOUNDS];         /* NaN: not known */
    enum bound binding;             /* the largest of them */
    double work;                    /* seconds of the busiest rank for all it reads, hashes and multiplies */
};

/* Bytes that memory moves for one that is read: out of the page cache, into the buffer, out of it. */
enum { MEMORY_TURNS = 3 };

void forecast_of(struct forecast *out, const struct cg_plan *plan, const struct cg_models *models,
                 const struct cg_sweep_options *options, const struct rates *rates);

/* Whether two members or more lie beside each other anywhere. */
bool any_beside(const struct cg_plan *plan);

#endif
