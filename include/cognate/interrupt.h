/* Signals that ask a run to stop in good order: SIGTERM and SIGUSR1, as schedulers send them before the time
 * is up. Local. Besides the log the only state that is not passed along, since a handler takes no argument.
 */
#ifndef COGNATE_INTERRUPT_H
#define COGNATE_INTERRUPT_H

/* From now on these signals are remembered instead of ending the process. */
void cg_interrupt_listen(void);

/* The signal that came, 0 for none. */
int cg_interrupted(void);

#endif
