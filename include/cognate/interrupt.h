/* Signals that ask a run to stop in good order: SIGTERM and SIGUSR1, as schedulers send them before the time
 * is up. Local. Besides the log the only state that is not passed along, since a handler takes no argument.
 */
#ifndef COGNATE_INTERRUPT_H
#define COGNATE_INTERRUPT_H

#include "cognate/err.h"

/* From now on these signals are remembered instead of ending the process. */
void cg_interrupt_listen(void);

/* Fails with CG_EINTERRUPTED, naming the signal, when one has come. */
int cg_interrupt_check(struct cg_err *err);

#endif
