/* cognate fingerprint: one model swept, and what tells its descent kept. */
#include "cognate/fingerprint.h"
#include "cognate/interrupt.h"
#include "cognate/log.h"
#include "commands.h"
#include "run.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* The fingerprint takes over what is known of the run. */
static void hand_over(struct cg_fingerprint *print, struct cg_result *from)
{
    print->source = from->source;
    print->notes = from->notes;
    print->run = from->run;
    from->source = from->notes = from->run.date_created = from->run.history = NULL;
}

static int publish_on_root(struct run *run, struct cg_fingerprint *print, struct cg_err *err)
{
    char label[200];
    if (run->comm->rank != 0)
        return 0;
    run->result.run.wall_seconds = cg_seconds() - run->start;
    hand_over(print, &run->result);
    if (cg_fingerprint_write(print, run->options->output, err) < 0)
        return -1;
    if (run->journal)
        cg_journal_remove(run->journal);
    printf("%s: %" PRId64 " slots, %" PRId64 " blocks, %" PRId64 " tokens\nFingerprint: %s\n",
           cg_printable(label, sizeof label, run->models.checkpoints[0].label), print->size[CG_PRINT_SLOT],
           print->size[CG_PRINT_BLOCK], print->size[CG_PRINT_ENTRY], run->options->output);
    return fflush(stdout) == 0 ? 0 : cg_fail(err, CG_EIO, "standard output: %s", strerror(errno));
}

static int fingerprint(struct run *run, struct cg_fingerprint *print, int argc, char **argv,
                       struct cg_err *err)
{
    if (run_open(run, err) < 0 || run_take_fingerprint(run, print, err) < 0 ||
        run_describe(run, argc, argv, err) < 0)
        return -1;
    return cg_agree(run->comm, publish_on_root(run, print, err), err);
}

int cg_command_fingerprint(const struct cg_comm *comm, int argc, char **argv)
{
    struct compare_options options;
    struct run run = {.comm = comm, .options = &options, .start = cg_seconds(), .lock = -1};
    struct cg_fingerprint print = {0};
    struct cg_err err;
    int result = compare_parse(&options, argc, argv, &err);
    if (result == 0 && options.help) {
        if (comm->rank == 0)
            fputs(fingerprint_help, stdout);
        return 0;
    }
    if (result == 0) {
        options.sweep.imprint.sketch = 1; /* its lengths follow from the model */
        cg_log_setup(options.quiet, comm->rank == 0);
        cg_interrupt_listen();
        run.arguments = argv + options.first_model;
        run.narguments = argc - options.first_model;
        result = fingerprint(&run, &print, argc, argv, &err);
    }
    int status = result < 0 ? run_failed(&run, &err) : 0;
    cg_fingerprint_release(&print);
    run_release(&run);
    return status;
}
