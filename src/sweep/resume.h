/* Going on where a run was cut off: the journal of a rank, and which of its tasks it holds. */
#ifndef COGNATE_SWEEP_RESUME_H
#define COGNATE_SWEEP_RESUME_H

#include "journal.h"
#include "record.h"

struct cg_resume {
    struct cg_journal *journal;  /* NULL: none is kept */
    const struct cg_task *tasks; /* this rank's */
    bool *done;                  /* of each whether an earlier run has ended it */
    int64_t ndone, bytes;        /* those tasks, and what they read */
    bool stale;                  /* there was a journal of another run */
    struct cg_buf record;
};

/* Local. Brings the worker, which has just been initialised, to where the journal ends. */
int cg_resume_init(struct cg_resume *resume, struct cg_worker *worker, int rank, struct cg_err *err);
void cg_resume_release(struct cg_resume *resume);

/* Collective. Says on rank 0 what was found. */
void cg_resume_report(const struct cg_comm *comm, const struct cg_resume *resume, const struct cg_plan *plan);

/* Local. Puts a task that has just ended into the journal. */
int cg_resume_remember(struct cg_resume *resume, struct cg_worker *worker, const struct cg_task *task,
                       const struct cg_task_marks *begun, struct cg_err *err);

/* Local. What is in the journal is on disk. */
void cg_resume_flush(struct cg_resume *resume);

#endif
