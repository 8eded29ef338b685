/* A run that sweeps models, stage by stage: what compare, fingerprint and search do alike. Every stage is
 * collective and agreed, and takes up what the ones before it left in the run. */
#ifndef COGNATE_CMD_RUN_H
#define COGNATE_CMD_RUN_H

#include "cognate/comm.h"
#include "cognate/plan.h"
#include "cognate/result.h"
#include "cognate/sweep.h"
#include "cognate/vocabulary.h"
#include "compare.h"
#include "models.h"

struct run {
    const struct cg_comm *comm;
    const struct compare_options *options;
    char **arguments; /* models as the user named them */
    int narguments;
    bool paired; /* its models are compared with one another */
    double start;
    struct cg_models models;
    struct cg_manifest skipped; /* the broken ones, rank 0 */
    int32_t (*pairs)[2];        /* of a run that is paired */
    size_t npairs;
    struct cg_plan plan;
    struct cg_sweep_options sweeping; /* the user's, the journal, and */
    struct cg_row_request *requests;  /* for blocks, with --evidence full */
    char *journal;                    /* its folder */
    int lock;                         /* on the result, rank 0 */
    struct cg_sweep sweep;
    struct cg_vocabulary *vocabularies; /* [models] on rank 0 */
    int64_t bytes_reread;
    struct cg_buf notes;
    struct cg_result result; /* rank 0 */
};

/* Reads the models' metadata on rank 0, under a watch, and shares it; then what follows from it on every
 * rank: study, plan, checks. All that can go wrong before the first data byte is read. */
int run_open(struct run *run, struct cg_err *err);

/* Sweeps, and notes elements that are no numbers. */
int run_sweep(struct run *run, struct cg_err *err);

/* Reads the models' vocabularies on rank 0. */
int run_load_vocabularies(struct run *run, struct cg_err *err);

/* Notes of a model, line by line with its label, also as warnings. Local: rank 0. */
int run_note(struct run *run, int model, const struct cg_buf *lines, struct cg_err *err);

/* No file of the models changed while they were read. */
int run_check_files(struct run *run, struct cg_err *err);

/* The figures of /run but for wall_seconds, and the notes, into the result. */
int run_describe(struct run *run, int argc, char **argv, struct cg_err *err);

/* Writes the result, drops the journal, prints the summary. */
int run_publish(struct run *run, struct cg_err *err);

void run_release(struct run *run);

/* Prints the error of a run that failed, on rank 0, and returns the program's exit status for it. */
int run_failed(const struct run *run, const struct cg_err *err);

/* Runs a stage under a pulse (pulse.h): the run's ranks are watched meanwhile, and a signal ends it in good
 * order. `apart`: in a thread of its own, which a stage that calls MPI itself cannot have. */
typedef int run_stage(void *context, struct cg_err *err);
int run_watched(struct run *run, const char *name, bool apart, run_stage *stage, void *context,
                struct cg_err *err);

#endif
