/* cognate compare: the way from models to a result, stage by stage. */
#include "compare.h"
#include "cognate/findings.h"
#include "cognate/interrupt.h"
#include "cognate/log.h"
#include "cognate/mem.h"
#include "cognate/pulse.h"
#include "cognate/summary.h"
#include "commands.h"
#include "models.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* Token rows in a result, over all pairs: beyond it pairs list evenly spaced tokens, and the notes say so. */
enum { MOST_TOKENS = 1 << 20 };

/* The exit status of a run that should be started again: EX_TEMPFAIL of sysexits.h. */
enum { TEMPORARY = 75 };

/* Everything of one run, in the order in which it comes to be. */
struct run {
    const struct cg_comm *comm;
    const struct compare_options *options;
    double start;
    struct cg_models models;
    struct cg_manifest skipped; /* the broken ones, rank 0 */
    int32_t (*pairs)[2];
    size_t npairs;
    struct cg_plan plan;
    struct cg_sweep_options sweeping; /* the user's, and the journal */
    char *journal;                    /* its folder */
    int lock;                         /* on the result, rank 0 */
    struct cg_sweep sweep;
    struct cg_vocabulary *vocabularies; /* [models] on rank 0 */
    struct cg_alignment *alignments;    /* [npairs]; text on rank 0 alone */
    bool *aligned;                      /* [npairs] */
    struct cg_token_cosines *tokens;    /* [npairs] */
    struct cg_kinship *kinships;        /* [npairs]; empty with --evidence quick */
    int64_t bytes_reread;
    struct cg_pca pca;
    struct cg_buf notes;
    struct cg_result result; /* rank 0 */
};

static int list_models(struct cg_manifest *manifest, const struct compare_options *options, char **models,
                       int n, struct cg_err *err)
{
    if (options->manifest && cg_manifest_read(manifest, options->manifest, err) < 0)
        return -1;
    for (int i = 0; i < n; i++)
        if (cg_manifest_add(manifest, models[i], err) < 0)
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
            broken, broken->n > 1 ? "models are broken; --skip-broken goes on without" : NULL, err);
    free(run->pairs);
    run->pairs = NULL;
    run->npairs = 0;
    if (cg_manifest_pairs(sound, &run->pairs, &run->npairs, err) < 0)
        return err->code == CG_ENOMEM
                   ? -1
                   : cg_models_refuse(broken, "without broken models no two are left to compare", err);
    for (size_t i = 0; i < broken->n; i++)
        cg_log_warning("%s is left out: %s", broken->entries[i].label, broken->entries[i].error);
    return 0;
}

/* Reads all metadata and packs it for the other ranks. */
static int read_metadata_on_root(struct run *run, struct cg_buf *buf, char **models, int n,
                                 struct cg_err *err)
{
    if (run->comm->rank != 0)
        return 0;
    struct cg_manifest manifest = {0};
    int result = -1;
    CG_TRY(cg_result_writable(run->options->output, err));
    CG_TRY(run->lock = cg_result_lock(run->options->output, err));
    CG_TRY(list_models(&manifest, run->options, models, n, err));
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
static int await_metadata(struct run *run, struct cg_buf *buf, char **models, int n, struct cg_err *err)
{
    struct cg_pulse *pulse =
        cg_pulse_create(run->comm, "metadata", 0, run->options->sweep.stall_timeout, err);
    if (!pulse)
        return -1;
    cg_pulse_beat(pulse, 0, "the models' metadata");
    int result = read_metadata_on_root(run, buf, models, n, err);
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

static int share_metadata(struct run *run, char **models, int n, struct cg_err *err)
{
    struct cg_buf buf = {0};
    int result = -1;
    CG_TRY(await_metadata(run, &buf, models, n, err));
    CG_TRY(cg_broadcast(run->comm, &buf, err));
    CG_TRY(cg_agree(run->comm, unpack_metadata(run, &buf, err), err));
    CG_TRY(cg_agree(run->comm, find_journal(run, &buf, err), err));
    result = 0;
done:
    cg_buf_release(&buf);
    return result;
}

/* Notes of the metadata, each line with its model's label, also as warnings. */
static int take_notes_on_root(struct run *run, int model, const struct cg_buf *warnings, struct cg_err *err)
{
    const char *line = warnings->data;
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

static int allocate_tokens(struct run *run, struct cg_err *err)
{
    if (!(run->vocabularies = cg_new((size_t)run->models.n, sizeof *run->vocabularies, err)) ||
        !(run->alignments = cg_new(run->npairs, sizeof *run->alignments, err)) ||
        !(run->aligned = cg_new(run->npairs, sizeof *run->aligned, err)) ||
        !(run->tokens = cg_new(run->npairs, sizeof *run->tokens, err)) ||
        !(run->kinships = cg_new(run->npairs, sizeof *run->kinships, err)))
        return -1;
    return 0;
}

/* Study, plan, checks: all that can go wrong before the first data byte is read. */
static int prepare(struct run *run, struct cg_err *err)
{
    if (cg_models_study(&run->models, err) < 0 ||
        cg_plan_build(&run->plan, &run->models.anatomy, run->models.pointers, run->comm->size, err) < 0 ||
        allocate_tokens(run, err) < 0)
        return -1;
    int64_t least = cg_sweep_least_buffer(&run->plan);
    if (run->options->sweep.buffer < least)
        return cg_fail(err, CG_EUSAGE, "--buffer: these models want at least %" PRId64 " bytes a rank",
                       least);
    for (int m = 0; run->comm->rank == 0 && m < run->models.n; m++)
        if (take_notes_on_root(run, m, &run->models.checkpoints[m].warnings, err) < 0 ||
            take_notes_on_root(run, m, &run->models.anatomy.warnings[m], err) < 0)
            return -1;
    return 0;
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
            result = take_notes_on_root(run, m, &lines, err);
        cg_buf_release(&lines);
    }
    cg_buf_release(&lines);
    return result;
}

static int64_t embedding_rows(const struct cg_anatomy *anatomy, int model)
{
    const struct cg_member *embedding = cg_embedding_of(anatomy, model);
    return embedding ? embedding->rows : 0;
}

static int load_vocabularies_on_root(struct run *run, struct cg_err *err)
{
    for (int m = 0; run->comm->rank == 0 && m < run->models.n; m++) {
        struct cg_buf warnings = {0};
        const char *place = cg_checkpoint_vocabulary(&run->models.checkpoints[m]);
        int result = cg_vocabulary_load(&run->vocabularies[m], place, &warnings, err);
        if (result == 0)
            result = take_notes_on_root(run, m, &warnings, err);
        cg_buf_release(&warnings);
        if (result < 0)
            return -1;
    }
    return 0;
}

static int align_on_root(struct run *run, size_t p, struct cg_err *err)
{
    if (run->comm->rank != 0)
        return 0;
    int a = run->pairs[p][0], b = run->pairs[p][1];
    const struct cg_anatomy *anatomy = &run->models.anatomy;
    run->aligned[p] = run->vocabularies[a].present && run->vocabularies[b].present;
    return cg_vocabulary_align(&run->alignments[p], &run->vocabularies[a], embedding_rows(anatomy, a),
                               &run->vocabularies[b], embedding_rows(anatomy, b), err);
}

/* Rank 0 keeps what is listed; the others need nothing more of this pair. */
static int keep_listed(struct run *run, size_t p, struct cg_err *err)
{
    struct cg_alignment *alignment = &run->alignments[p];
    struct cg_token_cosines *tokens = &run->tokens[p];
    int64_t most = MOST_TOKENS / (int64_t)run->npairs + 1, shared = tokens->shared;
    if (run->comm->rank != 0) {
        cg_alignment_release(alignment);
        cg_token_cosines_release(tokens);
        return 0;
    }
    const char *a = run->models.checkpoints[run->pairs[p][0]].label;
    const char *b = run->models.checkpoints[run->pairs[p][1]].label;
    if (tokens->listed == 0 && shared > 0)
        return cg_buf_printf(&run->notes, err, "%s and %s: rows of shared tokens are not compared: %s\n", a,
                             b,
                             run->options->full ? "the embeddings differ in width, or are not plain"
                                                : "--evidence quick reads large embeddings only once");
    if (tokens->listed <= most)
        return 0;
    int64_t stride = (shared + most - 1) / most;
    cg_tokens_thin(tokens, alignment, stride);
    return cg_buf_printf(&run->notes, err,
                         "%s and %s: every %" PRId64 "th of %" PRId64 " shared tokens is listed\n", a, b,
                         stride, shared);
}

static int compare_tokens(struct run *run, struct cg_err *err)
{
    if (cg_agree(run->comm, load_vocabularies_on_root(run, err), err) < 0)
        return -1;
    for (size_t p = 0; p < run->npairs; p++) {
        if (cg_agree(run->comm, align_on_root(run, p, err), err) < 0 ||
            cg_alignment_broadcast(run->comm, &run->alignments[p], err) < 0 ||
            cg_tokens_compare(run->comm, run->models.pointers, &run->models.anatomy, &run->sweep,
                              run->pairs[p][0], run->pairs[p][1], &run->alignments[p], run->options->full,
                              &run->tokens[p], err) < 0)
            return -1;
        if (run->options->full && cg_kinship_find(run->comm, run->models.pointers, &run->models.anatomy,
                                                  &run->plan, &run->sweep, run->pairs[p][0], run->pairs[p][1],
                                                  &run->alignments[p], &run->kinships[p], err) < 0)
            return -1;
        run->bytes_reread += run->tokens[p].bytes_reread + run->kinships[p].bytes_reread;
        if (cg_agree(run->comm, keep_listed(run, p, err), err) < 0)
            return -1;
    }
    return 0;
}

static int take_components(struct run *run, struct cg_err *err)
{
    if (run->options->sweep.feature_kind == CG_FEATURES_NONE)
        return 0;
    return cg_pca_run(run->comm, &run->sweep.features, run->options->components, &run->pca, err);
}

static int collect_on_root(struct run *run, struct cg_err *err)
{
    if (run->comm->rank != 0)
        return 0;
    bool pca = run->options->sweep.feature_kind != CG_FEATURES_NONE;
    struct cg_findings findings = {.models = run->models.pointers,
                                   .skipped = &run->skipped,
                                   .architectures = run->models.architectures,
                                   .anatomy = &run->models.anatomy,
                                   .plan = &run->plan,
                                   .sweep = &run->sweep,
                                   .pairs = (const int32_t(*)[2])run->pairs,
                                   .npairs = (int64_t)run->npairs,
                                   .alignments = run->alignments,
                                   .aligned = run->aligned,
                                   .tokens = run->tokens,
                                   .kinships = run->options->full ? run->kinships : NULL,
                                   .pca = pca ? &run->pca : NULL,
                                   .options = &run->options->sweep};
    if (cg_result_collect(&run->result, &findings, err) < 0 ||
        cg_result_text(&run->result.source, "cognate " PACKAGE_VERSION, err) < 0)
        return -1;
    return cg_result_text(&run->result.notes, run->notes.data ? run->notes.data : "", err);
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

/* The figures of /run but for wall_seconds. Collective. */
static int describe_run(struct run *run, int argc, char **argv, struct cg_err *err)
{
    const struct cg_comm *comm = run->comm;
    struct cg_run *figures = &run->result.run;
    char date[32];
    time_t now = time(NULL);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    figures->ranks = comm->size;
    figures->hosts = cg_count_hosts(comm);
    figures->bytes_read = cg_sum_int(comm, run->sweep.bytes_read);
    figures->bytes_reread = cg_sum_int(comm, run->bytes_reread);
    figures->read_seconds_max = cg_max_double(comm, run->sweep.read_seconds);
    figures->read_seconds_mean = cg_sum_double(comm, run->sweep.read_seconds) / comm->size;
    figures->peak_rss_bytes_max = cg_max_int(comm, peak_memory());
    if (comm->rank != 0)
        return 0;
    if (cg_result_text(&figures->date_created, date, err) < 0)
        return -1;
    return join_command(&figures->history, argc, argv, err);
}

static int check_files_on_root(const struct run *run, struct cg_err *err)
{
    for (int m = 0; run->comm->rank == 0 && m < run->models.n; m++)
        for (size_t f = 0; f < run->models.checkpoints[m].nfiles; f++)
            if (cg_file_unchanged(&run->models.checkpoints[m].files[f], true, err) < 0)
                return -1;
    return 0;
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

static int compare(struct run *run, int argc, char **argv, struct cg_err *err)
{
    const struct cg_comm *comm = run->comm;
    char **models = argv + run->options->first_model;
    int n = argc - run->options->first_model;
    if (share_metadata(run, models, n, err) < 0 || cg_agree(comm, prepare(run, err), err) < 0 ||
        cg_sweep_run(comm, run->models.pointers, &run->models.anatomy, &run->plan, &run->sweeping,
                     &run->sweep, err) < 0 ||
        cg_agree(comm, note_nonfinite_on_root(run, err), err) < 0 || compare_tokens(run, err) < 0 ||
        take_components(run, err) < 0 || cg_agree(comm, check_files_on_root(run, err), err) < 0 ||
        cg_agree(comm, collect_on_root(run, err), err) < 0 ||
        cg_agree(comm, describe_run(run, argc, argv, err), err) < 0)
        return -1;
    return cg_agree(comm, publish_on_root(run, err), err);
}

static void run_release(struct run *run)
{
    cg_result_release(&run->result);
    cg_pca_release(&run->pca);
    for (size_t p = 0; p < run->npairs; p++) {
        if (run->alignments)
            cg_alignment_release(&run->alignments[p]);
        if (run->tokens)
            cg_token_cosines_release(&run->tokens[p]);
        if (run->kinships)
            cg_kinship_release(&run->kinships[p]);
    }
    for (int m = 0; run->vocabularies && m < run->models.n; m++)
        cg_vocabulary_release(&run->vocabularies[m]);
    free(run->alignments);
    free(run->aligned);
    free(run->tokens);
    free(run->kinships);
    free(run->vocabularies);
    cg_sweep_release(&run->sweep);
    cg_plan_release(&run->plan);
    free(run->pairs);
    cg_models_release(&run->models);
    cg_manifest_release(&run->skipped);
    cg_buf_release(&run->notes);
    free(run->journal);
    cg_result_unlock(run->options->output, run->lock);
}

int cg_command_compare(const struct cg_comm *comm, int argc, char **argv)
{
    struct compare_options options;
    struct run run = {.comm = comm, .options = &options, .start = cg_seconds(), .lock = -1};
    struct cg_err err;
    int result = compare_parse(&options, argc, argv, &err);
    if (result == 0 && options.help) {
        if (comm->rank == 0)
            fputs(compare_help, stdout);
        return 0;
    }
    if (result == 0) {
        cg_log_setup(options.quiet, comm->rank == 0);
        cg_interrupt_listen();
        result = compare(&run, argc, argv, &err);
    }
    if (result < 0 && comm->rank == 0)
        cg_log_error(err.text);
    run_release(&run);
    return result == 0 ? 0 : err.code == CG_EUSAGE ? 2 : err.code == CG_EINTERRUPTED ? TEMPORARY : 1;
}
