#include "cognate/log.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR_WIDTH = 30 };
static const double TERMINAL_INTERVAL = 0.1, LINE_INTERVAL = 30.0;

/* All of cognate's global state but the signal that came (interrupt.c). */
static struct {
    bool quiet, speaks;
    double stage_start, last_shown;
    int64_t shown; /* bytes when last shown; 0: the stage has not been shown */
} log_state = {.speaks = true};

void cg_log_setup(bool quiet, bool speaks)
{
    log_state.quiet = quiet;
    log_state.speaks = speaks;
}

void cg_log_error(const char *text)
{
    fprintf(stderr, "cognate: error: %s\n", text);
}

static void speak(const char *kind, const char *format, va_list args)
{
    if (log_state.quiet || !log_state.speaks)
        return;
    fprintf(stderr, "cognate: %s", kind);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

void cg_log_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    speak("", format, args);
    va_end(args);
}

void cg_log_warning(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    speak("warning: ", format, args);
    va_end(args);
}

double cg_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void show_bar(const char *stage, double share, double rate, double left)
{
    char bar[BAR_WIDTH + 1];
    int filled = (int)(share * BAR_WIDTH);
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < filled ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r%-8s [%s] %5.1f%%  %6.2f GB/s  %5.0f s left ", stage, bar, 100 * share, rate, left);
}

static void show_line(const char *stage, int64_t done, int64_t total, double rate, double left)
{
    fprintf(stderr, "cognate: %s: %.1f of %.1f GB, %.2f GB/s, %.0f s left\n", stage, 1e-9 * (double)done,
            1e-9 * (double)total, rate, left);
}

void cg_log_progress(const char *stage, int64_t done, int64_t total)
{
    if (log_state.quiet || !log_state.speaks || total <= 0)
        return;
    double now = cg_seconds();
    if (done == 0) {
        log_state.stage_start = log_state.last_shown = now;
        log_state.shown = 0;
        return;
    }
    bool terminal = isatty(STDERR_FILENO) != 0, ended = done >= total;
    double interval = terminal ? TERMINAL_INTERVAL : LINE_INTERVAL;
    if (now - log_state.last_shown < interval && !(ended && log_state.shown > 0))
        return;
    double seconds = now - log_state.stage_start;
    double rate = seconds > 0 ? 1e-9 * (double)done / seconds : 0;
    double left = seconds * (double)(total - done) / (double)done;
    if (terminal)
        show_bar(stage, (double)done / (double)total, rate, left);
    else
        show_line(stage, done, total, rate, left);
    if (terminal && ended)
        fputs("\r\033[K", stderr); /* the bar has served */
    log_state.last_shown = now;
    log_state.shown = ended ? 0 : done;
}
