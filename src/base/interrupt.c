#include "cognate/interrupt.h"
#include <signal.h>
#include <string.h>

static volatile sig_atomic_t caught;

static void remember(int signal)
{
    caught = signal;
}

void cg_interrupt_listen(void)
{
    struct sigaction action = {.sa_handler = remember, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
}

int cg_interrupt_check(struct cg_err *err)
{
    return caught ? cg_fail(err, CG_EINTERRUPTED, "stopped by a signal (%s)", strsignal(caught)) : 0;
}
