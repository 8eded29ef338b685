/* cognate: the commands by name. */
#include "cognate/blas.h"
#include "cognate/log.h"
#include "commands.h"
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: cognate COMMAND ...\n"
    "\n"
    "Tells from the weights alone whether language models descend from one another.\n"
    "\n"
    "  compare   reads models once, side by side, and writes evidence and verdicts\n"
    "            (under mpirun or srun)\n"
    "  fingerprint\n"
    "            reads a model once and keeps what tells its descent (likewise)\n"
    "  search    holds a model against a folder of fingerprints (likewise)\n"
    "  inspect   says what checkpoints hold, from their metadata\n"
    "  plan      says how the work would fall on the ranks of a run\n"
    "  report    shows the summary of a result file again\n"
    "  verify    checks that a result file or a fingerprint is whole\n"
    "\n"
    "cognate COMMAND --help says more; cognate --version says which cognate this is.\n";

/* Commands that need no other ranks run without MPI; started under a launcher, the first process alone does
 * the work. */
static bool is_first_process(void)
{
    static const char *const variables[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *rank = getenv(variables[i]);
        if (rank)
            return strcmp(rank, "0") == 0;
    }
    return true;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} local_commands[] = {{"inspect", cg_command_inspect},
                      {"plan", cg_command_plan},
                      {"report", cg_command_report},
                      {"verify", cg_command_verify}};

static const struct {
    const char *name;
    int (*run)(const struct cg_comm *comm, int argc, char **argv);
} parallel_commands[] = {
    {"compare", cg_command_compare}, {"fingerprint", cg_command_fingerprint}, {"search", cg_command_search}};

static int run_with_mpi(int (*run)(const struct cg_comm *comm, int argc, char **argv), int argc, char **argv)
{
    struct cg_comm comm;
    struct cg_err err;
    if (cg_comm_init(&comm, &argc, &argv, &err) < 0) {
        cg_log_error(err.text);
        return 1;
    }
    int status = run(&comm, argc, argv);
    cg_comm_finalize(&comm);
    return status;
}

static int refuse(const char *command)
{
    struct cg_err err;
    char name[80];
    if (*command == '\0')
        cg_fail(&err, CG_EUSAGE, "which command? see cognate --help");
    else
        cg_fail(&err, CG_EUSAGE, "no command '%s'; see cognate --help",
                cg_printable(name, sizeof name, command));
    cg_log_error(err.text);
    return 2;
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    const char *command = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof parallel_commands / sizeof *parallel_commands; i++)
        if (strcmp(command, parallel_commands[i].name) == 0) {
            cg_blas_suit_processor(argv);
            return run_with_mpi(parallel_commands[i].run, argc - 1, argv + 1);
        }
    if (!is_first_process())
        return 0;
    for (size_t i = 0; i < sizeof local_commands / sizeof *local_commands; i++)
        if (strcmp(command, local_commands[i].name) == 0)
            return local_commands[i].run(argc - 1, argv + 1);
    if (strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0 || strcmp(command, "help") == 0) {
        fputs(help, stdout);
        return 0;
    }
    if (strcmp(command, "--version") == 0 || strcmp(command, "-V") == 0) {
        cg_blas_suit_processor(argv);
        printf("cognate %s\nOpenBLAS has kernels for %s\n", PACKAGE_VERSION, cg_blas_kernels());
        return 0;
    }
    return refuse(command);
}
