#include "cognate/sweep.h"
#include "cognate/interrupt.h"
#include "cognate/log.h"
#include "cognate/mem.h"
#include "cognate/pulse.h"
#include "exchange.h"
#include "gather.h"
#include "pieces.h"
#include "resume.h"
#include "sides.h"
#include "stream.h"
#include "worker.h"
#include <stdlib.h>

int64_t cg_sweep_least_buffer(const struct cg_plan *plan)
{
    int64_t widest = 0;
    for (int64_t i = 0; i < plan->nbundles; i++) {
        const struct cg_bundle *bundle = &plan->bundles[i];
        const struct cg_bundle_member *member = &plan->members[bundle->first_member];
        int64_t bytes = 0, elements = CG_STEP;
        for (int32_t m = 0; m < bundle->members; m++)
            if (cg_takes_whole_chunks(&member[m]))
                elements = cg_chunk_elements(bundle->rows, bundle->columns);
        for (int32_t m = 0; m < bundle->members; m++)
            bytes += cg_grain_bytes(member[m].grain, elements);
        widest = bytes > widest ? bytes : widest;
    }
    return 2 * widest + cg_gather_scratch(plan);
}

int64_t cg_sweep_memory(const struct cg_plan *plan, const struct cg_anatomy *anatomy,
                        const struct cg_sweep_options *options)
{
    int64_t widest = 1, widest_sides = 0;
    for (int64_t i = 0; i < plan->nbundles; i++) {
        const struct cg_bundle *bundle = &plan->bundles[i];
        int64_t sides = 0;
        for (int32_t m = 0; m < bundle->members; m++)
            sides += cg_side_bytes(&plan->members[bundle->first_member + m]);
        widest = bundle->members > widest ? bundle->members : widest;
        widest_sides = sides > widest_sides ? sides : widest_sides;
    }
    int64_t panels = widest * CG_PANEL_ELEMENTS * (int64_t)sizeof(float);
    int64_t rows = 0, imprints = plan->nmembers * options->imprint.sketch + options->imprint.panels;
    for (int64_t i = 0; i < options->nrequests; i++)
        rows += options->requests[i].most;
    return options->buffer + 2 * widest_sides + imprints * (int64_t)sizeof(float) + cg_table_bytes(plan) +
           panels + rows * (int64_t)sizeof(int32_t) + cg_panels_room(plan, anatomy) * (int64_t)sizeof(double);
}

int64_t cg_sweep_pair(const struct cg_sweep *sweep, int64_t bundle, int32_t i, int32_t j)
{
    return sweep->first_pair[bundle] + cg_pair_index(i, j);
}

/* Takes piece after piece. 0 after the last; -1 or -2 when one failed, as cg_stream_next; 1 when another rank
 * failed, while the thread may still be reading. */
static int take_all(struct cg_worker *worker, struct cg_resume *resume, struct cg_stream *stream,
                    struct cg_pulse *pulse, struct cg_err *err)
{
    int64_t done = resume->bytes;
    struct cg_task_marks begun = {0};
    for (;;) {
        struct cg_piece piece;
        int got = cg_stream_next(stream, worker->options->stall_timeout, &piece, err);
        if (got <= 0)
            return got;
        int64_t bytes = 0;
        for (int32_t m = 0; m < piece.members; m++)
            bytes += (int64_t)piece.bytes[m];
        if (piece.begins_task)
            begun = cg_task_marks_of(worker);
        if (cg_worker_take(worker, &piece, err) < 0 ||
            (piece.ends_task && cg_resume_remember(resume, worker, piece.task, &begun, err) < 0))
            return -1;
        done += bytes;
        if (cg_interrupt_check(err) < 0)
            return -1;
        char position[480] = "";
        if (cg_pulse_due(pulse))
            cg_stream_position(stream, position, sizeof position);
        if (!cg_pulse_beat(pulse, done, position))
            return 1; /* the rank that failed will say why */
    }
}

/* This rank's tasks, from the first byte to the last; no collective inside but the pulse's end. */
static int sweep_own(const struct cg_comm *comm, struct cg_worker *worker, struct cg_resume *resume,
                     struct cg_pulse *pulse, struct cg_sweep *out, struct cg_err *err)
{
    struct cg_stream *stream = cg_stream_create(worker->models, worker->plan, comm->rank, resume->done,
                                                worker->options->buffer, err);
    int result = stream ? take_all(worker, resume, stream, pulse, err) : -1;
    if (result == 0)
        result = cg_stream_check(stream, err);
    /* What is good need not be done again, whatever ends the run here or later. */
    if (result == 0 || result == -2 || (result == -1 && err->code == CG_EINTERRUPTED))
        cg_resume_flush(resume);
    if (result == -2)
        cg_comm_abort(comm, "%s", err->text);
    cg_pulse_end(pulse, result < 0);
    if (result == 0) {
        out->bytes_read = cg_stream_bytes(stream);
        out->read_seconds = cg_stream_read_seconds(stream);
    }
    cg_stream_destroy(stream);
    return result;
}

/* Small embeddings, each kept by one rank while all others hold zeros, reach every rank. */
static void share_kept(const struct cg_comm *comm, struct cg_worker *worker, struct cg_sweep *out)
{
    for (int64_t i = 0; i < worker->anatomy->nslots; i++)
        for (int m = 0; worker->anatomy->slots[i].role == CG_ROLE_EMBED && m < worker->anatomy->models; m++) {
            const struct cg_member *member = cg_member_of(worker->anatomy, i, m);
            if (member->tensor >= 0 && worker->kept[m])
                cg_or_bytes(comm, worker->kept[m],
                            cg_grain_bytes(member->grain, member->rows * member->columns));
        }
    out->kept = worker->kept;
    out->models = worker->anatomy->models;
    worker->kept = NULL;
}

/* Lists, each filled by one rank, reach every rank. */
static void share_longest(const struct cg_comm *comm, struct cg_worker *worker, struct cg_sweep *out)
{
    struct cg_longest *longest = &worker->longest;
    if (longest->n > 0)
        cg_or_bytes(comm, (uint8_t *)longest->row,
                    longest->first[longest->n] * (int64_t)sizeof *longest->row);
    out->longest = *longest;
    *longest = (struct cg_longest){0};
}

int cg_sweep_run(const struct cg_comm *comm, const struct cg_checkpoint *const *models,
                 const struct cg_anatomy *anatomy, const struct cg_plan *plan,
                 const struct cg_sweep_options *options, struct cg_sweep *out, struct cg_err *err)
{
    *out = (struct cg_sweep){0};
    double start = cg_seconds();
    struct cg_worker worker;
    struct cg_resume resume = {0};
    struct cg_pulse *pulse = NULL;
    int64_t total = 0;
    for (int r = 0; r < plan->ranks; r++)
        total += plan->bytes[r];
    int result = cg_worker_init(&worker, models, anatomy, plan, comm->rank, options, err);
    if (result == 0)
        result = cg_resume_init(&resume, &worker, comm->rank, err);
    CG_TRY(result = cg_agree(comm, result, err));
    cg_resume_report(comm, &resume, plan);
    pulse = cg_pulse_create(comm, "sweep", total, options->stall_timeout, err);
    CG_TRY(result = pulse ? 0 : -1);
    result = sweep_own(comm, &worker, &resume, pulse, out, err);
    CG_TRY(result = cg_agree(comm, result, err));
    CG_TRY(result = cg_exchange_panels(comm, &worker, err));
    CG_TRY(result = cg_table_reduce(comm, &worker.table, out, err));
    share_kept(comm, &worker, out);
    cg_imprints_share(comm, &worker.imprints, plan->nmembers);
    out->imprints = worker.imprints;
    worker.imprints = (struct cg_imprints){0};
    out->features = worker.features;
    worker.features = (struct cg_features){0};
    out->sketches = worker.sketches;
    worker.sketches = (struct cg_sketches){0};
    share_longest(comm, &worker, out);
    out->seconds = cg_seconds() - start;
done:
    cg_pulse_destroy(pulse);
    cg_resume_release(&resume);
    cg_worker_release(&worker);
    if (result < 0)
        cg_sweep_release(out);
    return result;
}

void cg_sweep_release(struct cg_sweep *sweep)
{
    free(sweep->digest);
    free(sweep->moments);
    free(sweep->first_pair);
    free(sweep->products);
    free(sweep->null);
    for (int m = 0; sweep->kept && m < sweep->models; m++)
        free(sweep->kept[m]);
    free(sweep->kept);
    cg_imprints_release(&sweep->imprints);
    free(sweep->features.sample);
    free(sweep->features.value);
    cg_sketches_release(&sweep->sketches);
    cg_longest_release(&sweep->longest);
    *sweep = (struct cg_sweep){0};
}
