/* cognate search: one model against a folder of fingerprints, the nearest first. */
#include "cognate/findings.h"
#include "cognate/fingerprint.h"
#include "cognate/interrupt.h"
#include "cognate/log.h"
#include "cognate/mem.h"
#include "cognate/pulse.h"
#include "commands.h"
#include "library.h"
#include "ranking.h"
#include "run.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Pairs that a rank holds packed before rank 0 gets them. */
enum { BATCH = 16 };

struct search {
    struct run run; /* its models: the query, then the library's; its sweep holds digests and moments alone */
    struct cg_fingerprint query;
    struct cg_kept *kept; /* the query's */
    int *owner;           /* [npairs] the rank that takes the pair */
    struct library library;
    struct cg_comparison *comparisons; /* [nslots * npairs] */
    struct cg_alignment *alignments;   /* [npairs], here and below on rank 0: counts alone */
    bool *aligned;
    struct cg_token_cosines *tokens;
    struct cg_kinship *kinships;
    struct cg_maps *maps;
};

static void forget_pairs(struct search *search)
{
    for (size_t p = 0; p < search->run.npairs; p++) {
        if (search->kinships)
            cg_kinship_release(&search->kinships[p]);
        if (search->maps)
            cg_maps_release(&search->maps[p]);
    }
    free(search->kinships);
    free(search->maps);
    free(search->comparisons);
    free(search->alignments);
    free(search->aligned);
    free(search->tokens);
    free(search->owner);
    search->owner = NULL;
    search->kinships = NULL;
    search->maps = NULL;
    search->comparisons = NULL;
    search->alignments = NULL;
    search->aligned = NULL;
    search->tokens = NULL;
}

/* A model that is a fingerprint is read by every rank; another is swept by all. */
static int take_query(struct search *search, struct cg_err *err)
{
    struct run *run = &search->run;
    struct cg_manifest given = {0};
    int result = cg_agree(run->comm, cg_manifest_add(&given, run->arguments[0], err), err);
    const char *path = result == 0 ? given.entries[0].path : "";
    bool known = result == 0 && run->comm->rank == 0 && cg_fingerprint_recognise(path);
    known = cg_max_int(run->comm, known) > 0;
    if (result == 0 && known)
        result = cg_agree(run->comm, cg_fingerprint_read(&search->query, path, err), err);
    if (result == 0 && known && strchr(run->arguments[0], '='))
        result = cg_agree(
            run->comm,
            cg_result_text(&search->query.root.text_value[CG_PRINT_LABEL_TEXT], given.entries[0].label, err),
            err);
    cg_manifest_release(&given);
    if (result < 0 || known)
        return result;
    if (run_open(run, err) < 0)
        return -1;
    return run_take_fingerprint(run, &search->query, err);
}

static int claim_place_on_root(struct run *run, struct cg_err *err)
{
    if (run->comm->rank != 0 || run->lock >= 0)
        return 0;
    if (cg_result_writable(run->options->output, err) < 0)
        return -1;
    run->lock = cg_result_lock(run->options->output, err);
    return run->lock < 0 ? -1 : 0;
}

static int note_foreign_on_root(struct search *search, struct cg_err *err)
{
    struct run *run = &search->run;
    const char *line = search->library.foreign.data;
    if (run->comm->rank != 0)
        return 0;
    for (size_t n; line && *line; line += n + 1) {
        n = strcspn(line, "\n");
        cg_log_warning("%.*s is no fingerprint", (int)n, line);
        if (cg_buf_printf(&run->notes, err, "%.*s is no fingerprint\n", (int)n, line) < 0)
            return -1;
    }
    return 0;
}

/* Broken fingerprints end the search, or are left out: those before number `from` were told already. */
static int refuse_broken_on_root(const struct search *search, size_t from, struct cg_err *err)
{
    const struct run *run = &search->run;
    const struct cg_manifest *broken = &search->library.broken;
    if (run->comm->rank != 0)
        return 0;
    if (broken->n > 0 && !run->options->skip_broken)
        return cg_models_refuse(
            broken, broken->n > 1 ? "fingerprints are broken; --skip-broken goes on without" : NULL, err);
    for (size_t i = from; i < broken->n; i++)
        cg_log_warning("%s is left out: %s", broken->entries[i].label, broken->entries[i].error);
    if (search->library.sound.n == 0)
        return cg_fail(err, CG_EMISSING, "%s: holds no sound fingerprint", run->options->library);
    return 0;
}

/* Labels are unique: the query's stays. */
static int name_models(struct search *search, struct cg_err *err)
{
    struct run *run = &search->run;
    struct cg_manifest all = {0};
    int result = (all.entries = cg_new((size_t)run->models.n, sizeof *all.entries, err)) ? 0 : -1;
    for (int m = 0; result == 0 && m < run->models.n; m++) {
        const char *label = run->models.checkpoints[m].label;
        all.entries[m].label = cg_copy_text(label, strlen(label), err);
        result = all.entries[m].label ? 0 : -1;
        all.n++;
    }
    if (result == 0)
        result = cg_manifest_unique_labels(&all, err);
    for (int m = 0; result == 0 && m < run->models.n; m++) {
        char *label = run->models.checkpoints[m].label;
        run->models.checkpoints[m].label = all.entries[m].label;
        all.entries[m].label = label;
    }
    cg_manifest_release(&all);
    return result;
}

/* The metadata of all, the query's first, become the models of the run. */
static int study(struct search *search, struct cg_err *err)
{
    struct run *run = &search->run;
    struct cg_checkpoint query = {0};
    struct cg_buf buf = {0};
    size_t n = search->library.sound.n;
    int result = -1;
    CG_TRY(cg_fingerprint_checkpoint(&query, &search->query, err));
    CG_TRY(cg_pack_int(&buf, (int64_t)n + 1, err));
    CG_TRY(cg_checkpoint_pack(&query, &buf, err));
    for (size_t i = 0; i < n; i++)
        CG_TRY(cg_buf_append(&buf, search->library.metadata[i].data, search->library.metadata[i].size, err));
    run_forget_models(run);
    struct cg_unpacker from = {buf.data, buf.data + buf.size};
    CG_TRY(cg_models_unpack(&run->models, &from, err));
    CG_TRY(name_models(search, err));
    CG_TRY(cg_models_study(&run->models, err));
    CG_TRY(cg_plan_build(&run->plan, &run->models.anatomy, run->models.pointers, 1, err));
    result = 0;
done:
    cg_checkpoint_release(&query);
    cg_buf_release(&buf);
    return result;
}

struct share {
    size_t pair;
    size_t tensors; /* of the other model: a pair takes about as long as it has many */
};

static int by_tensors(const void *a, const void *b)
{
    const struct share *x = a, *y = b;
    if (x->tensors != y->tensors)
        return x->tensors > y->tensors ? -1 : 1;
    return x->pair < y->pair ? -1 : x->pair > y->pair;
}

/* The pairs of every batch to the rank that has the least to do yet, the longest first. */
static int deal(struct search *search, struct cg_err *err)
{
    size_t n = search->run.npairs, ranks = (size_t)search->run.comm->size, step = BATCH * ranks;
    struct share *shares = cg_new(n, sizeof *shares, err);
    size_t *load = shares ? cg_new(ranks, sizeof *load, err) : NULL;
    for (size_t p = 0; load && p < n; p++)
        shares[p] = (struct share){p, search->run.models.checkpoints[p + 1].ntensors};
    for (size_t first = 0; load && first < n; first += step)
        qsort(shares + first, n - first < step ? n - first : step, sizeof *shares, by_tensors);
    for (size_t i = 0; load && i < n; i++) {
        size_t least = 0;
        for (size_t rank = 1; rank < ranks; rank++)
            if (load[rank] < load[least])
                least = rank;
        load[least] += shares[i].tensors;
        search->owner[shares[i].pair] = (int)least;
    }
    int result = load ? 0 : -1;
    free(shares);
    free(load);
    return result;
}

static int allocate(struct search *search, struct cg_err *err)
{
    struct run *run = &search->run;
    size_t n = run->npairs = search->library.sound.n, members = (size_t)run->plan.nmembers;
    if (!(run->pairs = cg_new(n, sizeof *run->pairs, err)) ||
        !(run->sweep.digest = cg_new(members, sizeof *run->sweep.digest, err)) ||
        !(run->sweep.moments = cg_new(members, sizeof *run->sweep.moments, err)) ||
        !(search->comparisons =
              cg_new((size_t)run->models.anatomy.nslots * n, sizeof *search->comparisons, err)) ||
        !(search->alignments = cg_new(n, sizeof *search->alignments, err)) ||
        !(search->aligned = cg_new(n, sizeof *search->aligned, err)) ||
        !(search->tokens = cg_new(n, sizeof *search->tokens, err)) ||
        !(search->kinships = cg_new(n, sizeof *search->kinships, err)) ||
        !(search->maps = cg_new(n, sizeof *search->maps, err)) ||
        !(search->owner = cg_new(n, sizeof *search->owner, err)) || deal(search, err) < 0)
        return -1;
    for (size_t p = 0; p < n; p++)
        run->pairs[p][1] = (int32_t)p + 1;
    return cg_fingerprint_members(&run->sweep, &run->models.anatomy, &run->plan, 0, &search->query, err);
}

/* What a pair comes to, packed: but for its slots, which have their places in the table. */
struct outcome {
    int64_t shared, same_id;
    bool aligned;
    double cosine, centred;
};

static int match(const struct cg_print_pair *pair, struct cg_buf *out, struct cg_err *err)
{
    struct cg_alignment alignment = {0};
    struct cg_token_cosines tokens = {0};
    struct cg_kinship kinship = {0};
    struct cg_maps maps = {0};
    struct outcome outcome = {0};
    int result = cg_fingerprint_kinship(pair, &alignment, &outcome.aligned, &tokens, &kinship, err);
    outcome.shared = alignment.shared;
    outcome.same_id = alignment.same_id;
    outcome.cosine = tokens.whole_cosine;
    outcome.centred = tokens.whole_centred;
    if (result == 0)
        result = cg_fingerprint_maps(pair, &maps, err);
    if (result == 0)
        result = cg_buf_append(out, &outcome, sizeof outcome, err);
    if (result == 0)
        result = cg_kinship_pack(&kinship, out, err);
    if (result == 0)
        result = cg_maps_pack(&maps, out, err);
    cg_maps_release(&maps);
    cg_alignment_release(&alignment);
    cg_token_cosines_release(&tokens);
    cg_kinship_release(&kinship);
    return result;
}

static int compare_slots(struct search *search, const struct cg_print_pair *pair, size_t p,
                         struct cg_err *err)
{
    int64_t nslots = pair->anatomy->nslots, npairs = (int64_t)search->run.npairs;
    struct cg_comparison *own = cg_new((size_t)nslots, sizeof *own, err);
    int result = own ? cg_fingerprint_compare(pair, own, err) : -1;
    for (int64_t s = 0; result == 0 && s < nslots; s++)
        search->comparisons[s * npairs + (int64_t)p] = own[s];
    free(own);
    return result;
}

static int take_read_pair(struct search *search, size_t p, const struct cg_fingerprint *print,
                          struct cg_buf *out, struct cg_err *err)
{
    struct run *run = &search->run;
    int member = (int)p + 1;
    const struct cg_print_pair pair = {.models = run->models.pointers,
                                       .anatomy = &run->models.anatomy,
                                       .plan = &run->plan,
                                       .sweep = &run->sweep,
                                       .model = {0, member},
                                       .print = {&search->query, print},
                                       .kept = search->kept};
    if (print->size[CG_PRINT_STORED] != (int64_t)run->models.checkpoints[member].ntensors)
        return cg_fail(err, CG_ECHANGED, "%s: changed during the search",
                       search->library.sound.entries[p].path);
    if (cg_fingerprint_members(&run->sweep, pair.anatomy, pair.plan, member, print, err) < 0 ||
        compare_slots(search, &pair, p, err) < 0)
        return -1;
    return match(&pair, out, err);
}

/* One fingerprint of the library at a time is in memory. What is wrong with it, or nothing, stands before
 * what the pair comes to. */
static int take_pair(struct search *search, size_t p, struct cg_buf *out, struct cg_err *err)
{
    struct cg_fingerprint print = {0};
    struct cg_err why = {0};
    if (cg_fingerprint_read(&print, search->library.sound.entries[p].path, &why) < 0)
        return why.code == CG_ENOMEM ? cg_fail(err, why.code, "%s", why.text)
                                     : cg_pack_text(out, why.text, err);
    int result = cg_pack_text(out, "", err);
    if (result == 0)
        result = take_read_pair(search, p, &print, out, err);
    cg_fingerprint_release(&print);
    return result;
}

static int keep_on_root(struct search *search, size_t p, struct cg_unpacker *from, struct cg_err *err)
{
    struct outcome outcome;
    if (search->run.comm->rank != 0)
        return 0;
    cg_unpack_bytes(&outcome, from, sizeof outcome);
    search->alignments[p].shared = outcome.shared;
    search->alignments[p].same_id = outcome.same_id;
    search->aligned[p] = outcome.aligned;
    search->tokens[p] = (struct cg_token_cosines){
        .shared = outcome.shared, .whole_cosine = outcome.cosine, .whole_centred = outcome.centred};
    if (cg_kinship_unpack(&search->kinships[p], from, err) < 0)
        return -1;
    return cg_maps_unpack(&search->maps[p], from, err);
}

/* Every rank learns which fingerprints are broken. */
static int keep(struct search *search, size_t first, const struct cg_buf *bufs, size_t n, struct cg_err *err)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < n; i++) {
        struct cg_unpacker from = {bufs[i].data, bufs[i].data + bufs[i].size};
        char *error = cg_unpack_text(&from, err);
        result = !error   ? -1
                 : *error ? cg_manifest_blame(&search->library.sound, first + i, error, err)
                          : keep_on_root(search, first + i, &from, err);
        free(error);
    }
    return result;
}

/* This rank's pairs of the batch. */
static int take_batch(struct search *search, size_t first, struct cg_buf *bufs, size_t n,
                      struct cg_pulse *pulse, struct cg_err *err)
{
    const struct cg_comm *comm = search->run.comm;
    for (size_t i = 0; i < n; i++) {
        if (search->owner[first + i] != comm->rank)
            continue;
        if (cg_interrupt_check(err) < 0)
            return -1;
        if (!cg_pulse_beat(pulse, 0, search->library.sound.entries[first + i].path))
            return 0; /* the rank that failed will say why */
        if (take_pair(search, first + i, &bufs[i], err) < 0)
            return -1;
    }
    return 0;
}

static int match_batch(struct search *search, size_t first, size_t n, struct cg_err *err)
{
    const struct cg_comm *comm = search->run.comm;
    struct cg_pulse *pulse =
        cg_pulse_create(comm, "search", 0, search->run.options->sweep.stall_timeout, err);
    if (!pulse)
        return -1;
    struct cg_buf *bufs = cg_new(n, sizeof *bufs, err);
    int result = bufs ? take_batch(search, first, bufs, n, pulse, err) : -1;
    cg_pulse_end(pulse, result < 0);
    result = cg_agree(comm, result, err);
    if (result == 0)
        result = cg_share_bufs(comm, bufs, (int64_t)n, err);
    if (result == 0)
        result = cg_agree(comm, keep(search, first, bufs, n, err), err);
    for (size_t i = 0; bufs && i < n; i++)
        cg_buf_release(&bufs[i]);
    free(bufs);
    cg_pulse_destroy(pulse);
    return result;
}

static void share(const struct cg_comm *comm, void *memory, size_t bytes)
{
    cg_or_bytes(comm, memory, (int64_t)bytes);
}

static int match_library(struct search *search, struct cg_err *err)
{
    struct run *run = &search->run;
    size_t step = BATCH * (size_t)run->comm->size;
    for (size_t first = 0; first < run->npairs; first += step) {
        size_t n = run->npairs - first < step ? run->npairs - first : step;
        if (match_batch(search, first, n, err) < 0)
            return -1;
    }
    size_t members = (size_t)run->plan.nmembers;
    share(run->comm, run->sweep.digest, members * sizeof *run->sweep.digest);
    share(run->comm, run->sweep.moments, members * sizeof *run->sweep.moments);
    share(run->comm, search->comparisons,
          (size_t)run->models.anatomy.nslots * run->npairs * sizeof *search->comparisons);
    return 0;
}

static int collect(struct search *search, struct cg_err *err)
{
    struct run *run = &search->run;
    const struct cg_findings findings = {.models = run->models.pointers,
                                         .skipped = &search->library.broken,
                                         .architectures = run->models.architectures,
                                         .anatomy = &run->models.anatomy,
                                         .plan = &run->plan,
                                         .sweep = &run->sweep,
                                         .comparisons = search->comparisons,
                                         .sketch = search->query.size[CG_PRINT_FEATURE],
                                         .pairs = (const int32_t(*)[2])run->pairs,
                                         .npairs = (int64_t)run->npairs,
                                         .alignments = search->alignments,
                                         .aligned = search->aligned,
                                         .tokens = search->tokens,
                                         .kinships = search->kinships,
                                         .maps = search->maps,
                                         .options = &run->options->sweep};
    return cg_result_collect(&run->result, &findings, err);
}

/* Pairs in the order of their ranking, which verdicts decide. */
static int rank_on_root(struct search *search, struct cg_err *err)
{
    struct run *run = &search->run;
    if (run->comm->rank != 0)
        return 0;
    int64_t *order = cg_new(run->npairs, sizeof *order, err);
    int result = order ? collect(search, err) : -1;
    if (result == 0)
        result = ranking_of(order, &run->result, err);
    if (result == 0) {
        const struct ranked_array arrays[] = {
            {run->pairs, sizeof *run->pairs, 1},
            {search->alignments, sizeof *search->alignments, 1},
            {search->aligned, sizeof *search->aligned, 1},
            {search->tokens, sizeof *search->tokens, 1},
            {search->kinships, sizeof *search->kinships, 1},
            {search->maps, sizeof *search->maps, 1},
            {search->comparisons, sizeof *search->comparisons, run->models.anatomy.nslots}};
        for (size_t k = 0; k < sizeof arrays / sizeof *arrays && result == 0; k++)
            result = ranking_apply(order, (int64_t)run->npairs, &arrays[k], err);
        cg_result_release(&run->result);
    }
    if (result == 0)
        result = collect(search, err);
    for (size_t p = 0; result == 0 && p < run->npairs; p++)
        run->result.root.rank[p] = (int32_t)p + 1;
    free(order);
    return result;
}

/* The library's pairs with the query; begun anew without those whose fingerprints turned out to be broken. */
static int match_sound(struct search *search, struct cg_err *err)
{
    const struct cg_comm *comm = search->run.comm;
    size_t told = 0, sound;
    do {
        if (cg_agree(comm, refuse_broken_on_root(search, told, err), err) < 0)
            return -1;
        told = search->library.broken.n;
        sound = search->library.sound.n;
        forget_pairs(search);
        if (cg_agree(comm, study(search, err), err) < 0 || cg_agree(comm, allocate(search, err), err) < 0 ||
            match_library(search, err) < 0 ||
            cg_agree(comm, library_set_apart(&search->library, err), err) < 0)
            return -1;
    } while (search->library.sound.n != sound);
    return 0;
}

static int search_library(struct search *search, int argc, char **argv, struct cg_err *err)
{
    struct run *run = &search->run;
    const struct cg_comm *comm = run->comm;
    if (take_query(search, err) < 0 || cg_agree(comm, claim_place_on_root(run, err), err) < 0 ||
        library_open(&search->library, comm, run->options->library, err) < 0 ||
        cg_agree(comm, note_foreign_on_root(search, err), err) < 0)
        return -1;
    int64_t read = run->sweep.bytes_read;
    search->kept = cg_fingerprint_keep(err);
    if (cg_agree(comm, search->kept ? 0 : -1, err) < 0 || match_sound(search, err) < 0 ||
        cg_agree(comm, rank_on_root(search, err), err) < 0)
        return -1;
    run->sweep.bytes_read = read;
    if (run_describe(run, argc, argv, err) < 0)
        return -1;
    return run_publish(run, err);
}

static void search_release(struct search *search)
{
    forget_pairs(search);
    library_release(&search->library);
    cg_fingerprint_release(&search->query);
    cg_fingerprint_forget(search->kept);
    run_release(&search->run);
}

int cg_command_search(const struct cg_comm *comm, int argc, char **argv)
{
    struct compare_options options;
    struct search search = {.run = {.comm = comm, .options = &options, .start = cg_seconds(), .lock = -1}};
    struct cg_err err;
    int result = compare_parse(&options, argc, argv, &err);
    if (result == 0 && options.help) {
        if (comm->rank == 0)
            fputs(search_help, stdout);
        return 0;
    }
    if (result == 0) {
        options.sweep.imprint.sketch = 1; /* its lengths follow from the model */
        cg_log_setup(options.quiet, comm->rank == 0);
        cg_interrupt_listen();
        search.run.arguments = argv + options.first_model;
        search.run.narguments = argc - options.first_model;
        result = search_library(&search, argc, argv, &err);
    }
    int status = result < 0 ? run_failed(&search.run, &err) : 0;
    search_release(&search);
    return status;
}
