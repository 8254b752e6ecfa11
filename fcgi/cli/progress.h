/* progress.h - a progress bar on standard error, when that is a terminal; nothing otherwise. */
#ifndef FCGI_CLI_PROGRESS_H
#define FCGI_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool shown;       /* standard error is a terminal */
    int64_t total;    /* bytes; 0: not known, then only the count is shown */
    int percent;      /* drawn last; -1: none yet */
    int64_t drawn_at; /* count when drawn last */
};

struct progress progress_start(int64_t total);
/* Draws when it would look different: every percent, or every thousand lines. */
void progress_show(struct progress *p, int64_t done, int64_t lines);
/* Takes the bar away, so that a message can be printed; the next show draws it anew. */
void progress_clear(struct progress *p);

#endif
