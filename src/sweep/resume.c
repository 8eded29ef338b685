#include "resume.h"
#include "cognate/log.h"
#include "cognate/mem.h"
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int restore_all(struct cg_resume *resume, struct cg_worker *worker, struct cg_err *err)
{
    struct cg_unpacker record;
    int64_t index;
    while (cg_journal_next(resume->journal, &record)) {
        if (cg_record_restore(worker, resume->tasks, &record, &index, err) < 0)
            return -1;
        resume->done[index] = true;
        resume->ndone++;
        resume->bytes += cg_task_bytes(worker->plan, &resume->tasks[index]);
    }
    return 0;
}

int cg_resume_init(struct cg_resume *resume, struct cg_worker *worker, int rank, struct cg_err *err)
{
    const struct cg_plan *plan = worker->plan;
    const struct cg_journal_options *options = &worker->options->journal;
    *resume = (struct cg_resume){.tasks = plan->tasks + plan->first_task[rank]};
    size_t n = (size_t)(plan->first_task[rank + 1] - plan->first_task[rank]);
    if (!(resume->done = cg_new(n, sizeof *resume->done, err)))
        return -1;
    if (!options->folder)
        return 0;
    resume->journal = cg_journal_open(options, rank, &resume->stale, err);
    return resume->journal ? restore_all(resume, worker, err) : -1;
}

void cg_resume_release(struct cg_resume *resume)
{
    cg_journal_close(resume->journal);
    free(resume->done);
    cg_buf_release(&resume->record);
    *resume = (struct cg_resume){0};
}

void cg_resume_report(const struct cg_comm *comm, const struct cg_resume *resume, const struct cg_plan *plan)
{
    int64_t done = cg_sum_int(comm, resume->ndone), bytes = cg_sum_int(comm, resume->bytes);
    bool stale = cg_sum_int(comm, resume->stale) > 0;
    if (done > 0)
        cg_log_note("going on where an earlier run stood: %" PRId64 " of %" PRId64
                    " tasks are done, %.1f GB of "
                    "reading",
                    done, plan->ntasks, 1e-9 * (double)bytes);
    else if (stale)
        cg_log_note("the journal beside the result is of other inputs or options: starting anew");
}

int cg_resume_remember(struct cg_resume *resume, struct cg_worker *worker, const struct cg_task *task,
                       const struct cg_task_marks *begun, struct cg_err *err)
{
    if (!resume->journal)
        return 0;
    if (cg_record_pack(worker, task, task - resume->tasks, begun, &resume->record, err) < 0)
        return -1;
    cg_journal_append(resume->journal, &resume->record);
    return 0;
}

void cg_resume_flush(struct cg_resume *resume)
{
    if (resume->journal)
        cg_journal_flush(resume->journal);
}

void cg_journal_remove(const char *folder)
{
    DIR *open_folder = opendir(folder);
    if (!open_folder)
        return;
    for (const struct dirent *entry; (entry = readdir(open_folder));)
        if (cg_starts_with(entry->d_name, "rank-"))
            unlinkat(dirfd(open_folder), entry->d_name, 0);
    closedir(open_folder);
    rmdir(folder);
}
