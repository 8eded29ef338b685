/* What goes to stderr: errors, warnings and progress. The only global state of cognate. All functions local.
 */
#ifndef COGNATE_LOG_H
#define COGNATE_LOG_H

#include <stdbool.h>
#include <stdint.h>

/* quiet: no progress, no warnings. speaks: only a rank that speaks writes warnings and progress (rank 0). */
void cg_log_setup(bool quiet, bool speaks);

/* "cognate: error: TEXT". Printed whatever the setup; call it on one rank. */
void cg_log_error(const char *text);

/* "cognate: ...": what a user should know and is no warning. Not under --quiet. */
void cg_log_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "cognate: warning: ..." */
void cg_log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Progress of a stage that moves `total` bytes: a bar on a terminal, elsewhere a line every 30 seconds, with
 * rate and time left. Cheap to call often; `done` == `total` ends the stage. */
void cg_log_progress(const char *stage, int64_t done, int64_t total);

/* Seconds on a clock that never goes back. */
double cg_seconds(void);

#endif
