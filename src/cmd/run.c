#include "run.h"
#include "cognate/blocks.h"
#include "cognate/log.h"
#include "cognate/mem.h"
#include "cognate/pulse.h"
#include "cognate/summary.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* The exit status of a run that should be started again: EX_TEMPFAIL of sysexits.h. */
enum { TEMPORARY = 75 };

static int list_models(const struct run *run, struct cg_manifest *manifest, struct cg_err *err)
{
    if (run->options->manifest && cg_manifest_read(manifest, run->options->manifest, err) < 0)
        return -1;
    for (int i = 0; i < run->narguments; i++)
        if (cg_manifest_add(manifest, run->arguments[i], err) < 0)
            return -1;
    return cg_manifest_unique_labels(manifest, err);
}

/* Broken models end the run, or are left out: then the pairs are made of the others. */
static int leave_out_broken(struct run *run, const struct cg_manifest *sound, struct cg_err *err)
{
    const struct cg_manifest *broken = &run->skipped;
    if (broken->n == 0)
        return 0;
    if (!run->options->skip_broken)
        return cg_models_refuse(
            broken, broken->n > 1 ? "models are broken; --skip-broken goes on without them" : NULL, err);
    free(run->pairs);
    run->pairs = NULL;
    run->npairs = 0;
    if (run->paired && cg_manifest_pairs(sound, &run->pairs, &run->npairs, err) < 0)
        return err->code == CG_ENOMEM
                   ? -1
                   : cg_models_refuse(broken, "without broken models no two are left to compare", err);
    for (size_t i = 0; i < broken->n; i++) {
        char label[80];
        cg_log_warning("%s is left out: %s", cg_printable(label, sizeof label, broken->entries[i].label),
                       broken->entries[i].error);
    }
    return 0;
}

/* Reads all metadata and packs it for the other ranks. */
static int read_metadata_on_root(struct run *run, struct cg_buf *buf, struct cg_err *err)
{
    if (run->comm->rank != 0)
        return 0;
    struct cg_manifest manifest = {0};
    int result = -1;
    CG_TRY(cg_result_writable(run->options->output, err));
    CG_TRY(run->lock = cg_result_lock(run->options->output, err));
    CG_TRY(list_models(run, &manifest, err));
    if (run->paired)
        CG_TRY(cg_manifest_pairs(&manifest, &run->pairs, &run->npairs, err));
    CG_TRY(cg_models_open(&run->models, &manifest, &run->skipped, err));
    CG_TRY(leave_out_broken(run, &manifest, err));
    CG_TRY(cg_pack_int(buf, (int64_t)run->npairs, err));
    CG_TRY(cg_buf_append(buf, run->pairs, run->npairs * sizeof *run->pairs, err));
    CG_TRY(cg_models_pack(&run->models, buf, err));
    result = 0;
done:
    cg_manifest_release(&manifest);
    return result;
}

static int unpack_metadata(struct run *run, const struct cg_buf *buf, struct cg_err *err)
{
    if (run->comm->rank == 0)
        return 0;
    struct cg_unpacker from = {buf->data, buf->data + buf->size};
    run->npairs = (size_t)cg_unpack_int(&from);
    size_t bytes = run->npairs * sizeof *run->pairs;
    if (!(run->pairs = cg_new(run->npairs, sizeof *run->pairs, err)))
        return -1;
    memcpy(run->pairs, from.at, bytes);
    from.at += bytes;
    return cg_models_unpack(&run->models, &from, err);
}

/* The others wait for rank 0 under a watch: a file system that hangs does so here first. */
static int await_metadata(struct run *run, struct cg_buf *buf, struct cg_err *err)
{
    struct cg_pulse *pulse =
        cg_pulse_create(run->comm, "metadata", 0, run->options->sweep.stall_timeout, err);
    if (!pulse)
        return -1;
    cg_pulse_beat(pulse, 0, "the models' metadata");
    int result = read_metadata_on_root(run, buf, err);
    cg_pulse_end(pulse, result < 0);
    result = cg_agree(run->comm, result, err);
    cg_pulse_destroy(pulse);
    return result;
}

/* The journal of this very run, on all ranks. */
static int find_journal(struct run *run, const struct cg_buf *metadata, struct cg_err *err)
{
    struct cg_buf folder = {0};
    run->sweeping = run->options->sweep;
    if (!run->options->journal)
        return 0;
    if (cg_buf_printf(&folder, err, "%s.journal", run->options->output) < 0)
        return -1;
    run->journal = folder.data;
    run->sweeping.journal.folder = run->journal;
    return cg_journal_identify(&run->sweeping, metadata, run->comm->size, PACKAGE_VERSION, err);
}

static int share_metadata(struct run *run, struct cg_err *err)
{
    struct cg_buf buf = {0};
    int result = -1;
    CG_TRY(await_metadata(run, &buf, err));
    CG_TRY(cg_broadcast(run->comm, &buf, err));
    CG_TRY(cg_agree(run->comm, unpack_metadata(run, &buf, err), err));
    CG_TRY(cg_agree(run->comm, find_journal(run, &buf, err), err));
    result = 0;
done:
    cg_buf_release(&buf);
    return result;
}

int run_note(struct run *run, int model, const struct cg_buf *lines, struct cg_err *err)
{
    const char *line = lines->data;
    while (line && *line) {
        size_t n = strcspn(line, "\n");
        if (cg_buf_printf(&run->notes, err, "%s: %.*s\n", run->models.checkpoints[model].label, (int)n,
                          line) < 0)
            return -1;
        cg_log_warning("%s: %.*s", run->models.checkpoints[model].label, (int)n, line);
        line += n + (line[n] == '\n');
    }
    return 0;
}

static int prepare(struct run *run, struct cg_err *err)
{
    if (cg_models_study(&run->models, err) < 0 ||
        cg_plan_build(&run->plan, &run->models.anatomy, run->models.pointers, run->comm->size, err) < 0 ||
        !(run->vocabularies = cg_new((size_t)run->models.n, sizeof *run->vocabularies, err)))
        return -1;
    int64_t least = cg_sweep_least_buffer(&run->plan);
    if (run->options->sweep.buffer < least)
        return cg_fail(err, CG_EUSAGE, "--buffer: these models want at least %" PRId64 " bytes a rank",
                       least);
    for (int m = 0; run->comm->rank == 0 && m < run->models.n; m++)
        if (run_note(run, m, &run->models.checkpoints[m].warnings, err) < 0 ||
            run_note(run, m, &run->models.anatomy.warnings[m], err) < 0)
            return -1;
    return 0;
}

int run_open(struct run *run, struct cg_err *err)
{
    if (share_metadata(run, err) < 0)
        return -1;
    return cg_agree(run->comm, prepare(run, err), err);
}

/* Elements that are no numbers are a fact about the model: noted by tensor, the first few of each model. */
static int note_nonfinite_on_root(struct run *run, struct cg_err *err)
{
    enum { SHOWN = 10 };
    struct cg_buf lines = {0};
    int result = 0;
    for (int m = 0; run->comm->rank == 0 && m < run->models.n && result == 0; m++) {
        int64_t tensors = 0;
        for (int64_t i = 0; i < run->plan.nmembers && result == 0; i++) {
            const struct cg_bundle_member *member = &run->plan.members[i];
            int64_t nonfinite = run->sweep.moments[i].nonfinite;
            if (member->model != m || nonfinite == 0 || tensors++ >= SHOWN)
                continue;
            char name[200];
            cg_printable(name, sizeof name, run->models.checkpoints[m].tensors[member->tensor].name);
            result = cg_buf_printf(
                &lines, err, "%s: %" PRId64 " elements are NaN or infinite; similarity is over the others\n",
                name, nonfinite);
        }
        if (tensors > SHOWN && result == 0)
            result = cg_buf_printf(&lines, err, "%" PRId64 " more tensors hold NaN or infinite elements\n",
                                   tensors - SHOWN);
        if (result == 0)
            result = run_note(run, m, &lines, err);
        cg_buf_release(&lines);
    }
    cg_buf_release(&lines);
    return result;
}

/* What evidence wants of the sweep besides the sums. */
static int ask_for_rows(struct run *run, struct cg_err *err)
{
    size_t capacity = 0;
    int64_t n = 0;
    for (int m = 0; run->options->full && m < run->models.n; m++)
        if (cg_blocks_request(&run->requests, &n, &capacity, run->models.pointers, &run->models.anatomy, m,
                              err) < 0)
            return -1;
    run->sweeping.requests = run->requests;
    run->sweeping.nrequests = n;
    return 0;
}

int run_sweep(struct run *run, struct cg_err *err)
{
    if (cg_agree(run->comm, ask_for_rows(run, err), err) < 0 ||
        cg_sweep_run(run->comm, run->models.pointers, &run->models.anatomy, &run->plan, &run->sweeping,
                     &run->sweep, err) < 0)
        return -1;
    return cg_agree(run->comm, note_nonfinite_on_root(run, err), err);
}

static int load_vocabularies_on_root(struct run *run, struct cg_err *err)
{
    for (int m = 0; run->comm->rank == 0 && m < run->models.n; m++) {
        struct cg_buf warnings = {0};
        const char *place = cg_checkpoint_vocabulary(&run->models.checkpoints[m]);
        int result = cg_vocabulary_load(&run->vocabularies[m], place, &warnings, err);
        if (result == 0)
            result = run_note(run, m, &warnings, err);
        cg_buf_release(&warnings);
        if (result < 0)
            return -1;
    }
    return 0;
}

int run_load_vocabularies(struct run *run, struct cg_err *err)
{
    return cg_agree(run->comm, load_vocabularies_on_root(run, err), err);
}

static int check_files_on_root(const struct run *run, struct cg_err *err)
{
    for (int m = 0; run->comm->rank == 0 && m < run->models.n; m++)
        for (size_t f = 0; f < run->models.checkpoints[m].nfiles; f++)
            if (cg_file_unchanged(&run->models.checkpoints[m].files[f], true, err) < 0)
                return -1;
    return 0;
}

int run_check_files(struct run *run, struct cg_err *err)
{
    return cg_agree(run->comm, check_files_on_root(run, err), err);
}

int run_take_fingerprint(struct run *run, struct cg_fingerprint *out, struct cg_err *err)
{
    const struct cg_print_subject subject = {.models = run->models.pointers,
                                             .architecture = &run->models.architectures[0],
                                             .anatomy = &run->models.anatomy,
                                             .plan = &run->plan,
                                             .sweep = &run->sweep,
                                             .vocabulary = &run->vocabularies[0]};
    int64_t reread = 0;
    run->sweeping.feature_kind = CG_FEATURES_NONE;
    run->sweeping.feature_length = 0;
    run->sweeping.sketches = false; /* imprints hold them all */
    run->sweeping.imprint = cg_fingerprint_imprint(&run->models.anatomy);
    if (run_sweep(run, err) < 0 || run_load_vocabularies(run, err) < 0 ||
        cg_fingerprint_take(run->comm, &subject, out, &reread, err) < 0)
        return -1;
    run->bytes_reread += reread;
    return run_check_files(run, err);
}

static int join_command(char **out, int argc, char **argv, struct cg_err *err)
{
    struct cg_buf line = {0};
    int result = cg_buf_printf(&line, err, "cognate");
    for (int i = 0; i < argc && result == 0; i++)
        result = cg_buf_printf(&line, err, " %s", argv[i]);
    if (result == 0)
        result = cg_result_text(out, line.data, err);
    cg_buf_release(&line);
    return result;
}

static int64_t peak_memory(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return 1024 * (int64_t)usage.ru_maxrss;
}

/* Collective. */
static int describe(struct run *run, int argc, char **argv, struct cg_err *err)
{
    const struct cg_comm *comm = run->comm;
    struct cg_run *figures = &run->result.run;
    char date[32];
    time_t now = time(NULL);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    figures->ranks = comm->size;
    figures->hosts = cg_count_hosts(comm);
    figures->bytes_read = cg_sum_int(comm, run->sweep.bytes_read);
    figures->bytes_reread = cg_sum_int(comm, run->bytes_reread + run->sweep.longest.bytes_read);
    figures->sweep_seconds = cg_max_double(comm, run->sweep.seconds);
    figures->read_seconds_max = cg_max_double(comm, run->sweep.read_seconds);
    figures->read_seconds_mean = cg_sum_double(comm, run->sweep.read_seconds) / comm->size;
    figures->peak_rss_bytes_max = cg_max_int(comm, peak_memory());
    if (comm->rank != 0)
        return 0;
    if (cg_result_text(&figures->date_created, date, err) < 0 ||
        cg_result_text(&run->result.source, "cognate " PACKAGE_VERSION, err) < 0 ||
        cg_result_text(&run->result.notes, run->notes.data ? run->notes.data : "", err) < 0)
        return -1;
    return join_command(&figures->history, argc, argv, err);
}

int run_describe(struct run *run, int argc, char **argv, struct cg_err *err)
{
    return cg_agree(run->comm, describe(run, argc, argv, err), err);
}

static int publish_on_root(struct run *run, struct cg_err *err)
{
    if (run->comm->rank != 0)
        return 0;
    run->result.run.wall_seconds = cg_seconds() - run->start;
    if (cg_result_write(&run->result, run->options->output, err) < 0)
        return -1;
    if (run->journal)
        cg_journal_remove(run->journal);
    if (cg_summary_print(stdout, &run->result, cg_style_of(stdout), err) < 0)
        return -1;
    printf("Result: %s\n", run->options->output);
    return fflush(stdout) == 0 ? 0 : cg_fail(err, CG_EIO, "standard output: %s", strerror(errno));
}

int run_publish(struct run *run, struct cg_err *err)
{
    return cg_agree(run->comm, publish_on_root(run, err), err);
}

void run_forget_models(struct run *run)
{
    for (int m = 0; run->vocabularies && m < run->models.n; m++)
        cg_vocabulary_release(&run->vocabularies[m]);
    free(run->vocabularies);
    cg_sweep_release(&run->sweep);
    cg_plan_release(&run->plan);
    free(run->pairs);
    cg_models_release(&run->models);
    run->vocabularies = NULL;
    run->pairs = NULL;
    run->npairs = 0;
}

void run_release(struct run *run)
{
    cg_result_release(&run->result);
    run_forget_models(run);
    cg_manifest_release(&run->skipped);
    cg_buf_release(&run->notes);
    free(run->journal);
    free(run->requests);
    cg_result_unlock(run->options->output, run->lock);
}

int run_failed(const struct run *run, const struct cg_err *err)
{
    struct cg_err told = *err;
    if (err->code == CG_EINTERRUPTED)
        cg_fail(&told, err->code, "%s; %s", err->text,
                run->journal ? "the same command goes on from here" : "no journal is kept");
    if (run->comm->rank == 0)
        cg_log_error(told.text);
    return err->code == CG_EUSAGE ? 2 : err->code == CG_EINTERRUPTED ? TEMPORARY : 1;
}

struct watched {
    struct run *run;
    run_stage *stage;
    void *context;
};

static int enter_stage(const struct cg_comm *comm, void *context, struct cg_err *err)
{
    struct watched *watched = context;
    const struct cg_comm *plain = watched->run->comm;
    watched->run->comm = comm;
    int result = watched->stage(watched->context, err);
    watched->run->comm = plain;
    return result;
}

int run_watched(struct run *run, const char *name, bool apart, run_stage *stage, void *context,
                struct cg_err *err)
{
    struct watched watched = {run, stage, context};
    struct cg_pulse *pulse = cg_pulse_create(run->comm, name, 0, run->options->sweep.stall_timeout, err);
    if (!pulse)
        return -1;
    int result = apart ? cg_pulse_run(pulse, enter_stage, &watched, err)
                       : enter_stage(cg_pulse_comm(pulse), &watched, err);
    cg_pulse_end(pulse, result < 0);
    cg_pulse_destroy(pulse);
    return result;
}
