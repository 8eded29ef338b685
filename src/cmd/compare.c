/* cognate compare: the way from models to a result, stage by stage. */
#include "compare.h"
#include "cognate/findings.h"
#include "cognate/interrupt.h"
#include "cognate/log.h"
#include "cognate/mem.h"
#include "commands.h"
#include "run.h"
#include <inttypes.h>
#include <stdlib.h>

/* Token rows in a result, over all pairs: beyond it pairs list evenly spaced tokens, and the notes say so. */
enum { MOST_TOKENS = 1 << 20 };

/* What a comparison adds to its run. */
struct comparison {
    struct run run;
    struct cg_alignment *alignments; /* [npairs]; text on rank 0 alone */
    bool *aligned;                   /* [npairs] */
    struct cg_token_cosines *tokens; /* [npairs] */
    struct cg_kinship *kinships;     /* [npairs]; empty with --evidence quick */
    struct cg_maps *maps;            /* likewise */
    struct cg_pca pca;
};

static int allocate(struct comparison *all, struct cg_err *err)
{
    size_t npairs = all->run.npairs;
    if (!(all->alignments = cg_new(npairs, sizeof *all->alignments, err)) ||
        !(all->aligned = cg_new(npairs, sizeof *all->aligned, err)) ||
        !(all->tokens = cg_new(npairs, sizeof *all->tokens, err)) ||
        !(all->kinships = cg_new(npairs, sizeof *all->kinships, err)) ||
        !(all->maps = cg_new(npairs, sizeof *all->maps, err)))
        return -1;
    return 0;
}

static int64_t embedding_rows(const struct cg_anatomy *anatomy, int model)
{
    const struct cg_member *embedding = cg_embedding_of(anatomy, model);
    return embedding ? embedding->rows : 0;
}

static int align_on_root(struct comparison *all, size_t p, struct cg_err *err)
{
    const struct run *run = &all->run;
    if (run->comm->rank != 0)
        return 0;
    int a = run->pairs[p][0], b = run->pairs[p][1];
    const struct cg_anatomy *anatomy = &run->models.anatomy;
    all->aligned[p] = run->vocabularies[a].present && run->vocabularies[b].present;
    return cg_vocabulary_align(&all->alignments[p], &run->vocabularies[a], embedding_rows(anatomy, a),
                               &run->vocabularies[b], embedding_rows(anatomy, b), err);
}

/* Rank 0 keeps what is listed; the others need nothing more of this pair. */
static int keep_listed(struct comparison *all, size_t p, struct cg_err *err)
{
    struct run *run = &all->run;
    struct cg_alignment *alignment = &all->alignments[p];
    struct cg_token_cosines *tokens = &all->tokens[p];
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

/* One pair: its tokens, and with full evidence its blocks. */
static int compare_pair(struct comparison *all, size_t p, struct cg_err *err)
{
    struct run *run = &all->run;
    int a = run->pairs[p][0], b = run->pairs[p][1];
    if (cg_agree(run->comm, align_on_root(all, p, err), err) < 0 ||
        cg_alignment_broadcast(run->comm, &all->alignments[p], err) < 0 ||
        cg_tokens_compare(run->comm, run->models.pointers, &run->models.anatomy, &run->sweep, a, b,
                          &all->alignments[p], run->options->full, &all->tokens[p], err) < 0)
        return -1;
    if (run->options->full &&
        (cg_maps_find(run->comm, run->models.pointers, &run->models.anatomy, &run->plan, &run->sweep, a, b,
                      &all->maps[p], err) < 0 ||
         cg_kinship_find(run->comm, run->models.pointers, &run->models.anatomy, &run->plan, &run->sweep, a, b,
                         &all->alignments[p], &all->kinships[p], err) < 0))
        return -1;
    run->bytes_reread += all->tokens[p].bytes_reread + all->kinships[p].bytes_reread;
    return cg_agree(run->comm, keep_listed(all, p, err), err);
}

/* All that reads files again. */
static int gather_evidence(void *context, struct cg_err *err)
{
    struct comparison *all = context;
    if (run_load_vocabularies(&all->run, err) < 0)
        return -1;
    for (size_t p = 0; p < all->run.npairs; p++)
        if (compare_pair(all, p, err) < 0)
            return -1;
    return 0;
}

static int take_components(void *context, struct cg_err *err)
{
    struct comparison *all = context;
    const struct run *run = &all->run;
    if (run->options->sweep.feature_kind == CG_FEATURES_NONE)
        return 0;
    return cg_pca_run(run->comm, &run->sweep.features, run->options->components, &all->pca, err);
}

static int collect_on_root(struct comparison *all, struct cg_err *err)
{
    struct run *run = &all->run;
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
                                   .alignments = all->alignments,
                                   .aligned = all->aligned,
                                   .tokens = all->tokens,
                                   .kinships = run->options->full ? all->kinships : NULL,
                                   .maps = run->options->full ? all->maps : NULL,
                                   .pca = pca ? &all->pca : NULL,
                                   .options = &run->options->sweep};
    return cg_result_collect(&run->result, &findings, err);
}

static int compare(struct comparison *all, int argc, char **argv, struct cg_err *err)
{
    struct run *run = &all->run;
    if (run_open(run, err) < 0 || cg_agree(run->comm, allocate(all, err), err) < 0 ||
        run_sweep(run, err) < 0 || run_watched(run, "evidence", true, gather_evidence, all, err) < 0 ||
        run_watched(run, "components", false, take_components, all, err) < 0 ||
        run_check_files(run, err) < 0 || cg_agree(run->comm, collect_on_root(all, err), err) < 0 ||
        run_describe(run, argc, argv, err) < 0)
        return -1;
    return run_publish(run, err);
}

static void comparison_release(struct comparison *all)
{
    cg_pca_release(&all->pca);
    for (size_t p = 0; p < all->run.npairs; p++) {
        if (all->alignments)
            cg_alignment_release(&all->alignments[p]);
        if (all->tokens)
            cg_token_cosines_release(&all->tokens[p]);
        if (all->kinships)
            cg_kinship_release(&all->kinships[p]);
        if (all->maps)
            cg_maps_release(&all->maps[p]);
    }
    free(all->alignments);
    free(all->aligned);
    free(all->tokens);
    free(all->kinships);
    free(all->maps);
    run_release(&all->run);
}

int cg_command_compare(const struct cg_comm *comm, int argc, char **argv)
{
    struct compare_options options;
    struct comparison all = {
        .run = {.comm = comm, .options = &options, .paired = true, .start = cg_seconds(), .lock = -1}};
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
        all.run.arguments = argv + options.first_model;
        all.run.narguments = argc - options.first_model;
        result = compare(&all, argc, argv, &err);
    }
    int status = result < 0 ? run_failed(&all.run, &err) : 0;
    comparison_release(&all);
    return status;
}
