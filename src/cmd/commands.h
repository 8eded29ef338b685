/* The commands: each takes its own name as argv[0] and returns the program's exit status: 0 done, 1 bad input
 * or failed work, 2 wrong usage. */
#ifndef COGNATE_CMD_COMMANDS_H
#define COGNATE_CMD_COMMANDS_H

#include "cognate/comm.h"
#include "cognate/err.h"

/* Collective; only rank 0 prints. */
int cg_command_compare(const struct cg_comm *comm, int argc, char **argv);
int cg_command_fingerprint(const struct cg_comm *comm, int argc, char **argv);
int cg_command_search(const struct cg_comm *comm, int argc, char **argv);

/* Local: without MPI. */
int cg_command_inspect(int argc, char **argv);
int cg_command_plan(int argc, char **argv);
int cg_command_report(int argc, char **argv);
int cg_command_verify(int argc, char **argv);

/* What is wrong with the option for which getopt, with opterr = 0 and options that begin with a colon, has
 * just returned '?' or ':'. The first fills err and returns -1; the second prints it and returns the exit
 * status. */
int cg_option_error(struct cg_err *err, int option, char *const *argv);
int cg_refuse_option(int option, char *const *argv);

#endif
