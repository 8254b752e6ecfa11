#include "fcgi/cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#define BAR_WIDTH 40

struct progress progress_start(int64_t total)
{
    return (struct progress){.shown = isatty(STDERR_FILENO) == 1, .total = total, .percent = -1};
}

void progress_show(struct progress *p, int64_t done, int64_t lines)
{
    static const char full[] = "########################################";
    if (p->total > 0 && done > p->total) /* the file grows while it is read */
        done = p->total;
    int percent = p->total > 0 ? (int)(done * 100 / p->total) : 0;
    if (!p->shown || (percent == p->percent && lines - p->drawn_at < 1000))
        return;
    p->percent = percent;
    p->drawn_at = lines;
    if (p->total > 0)
        fprintf(stderr, "\r[%-*.*s] %3d %%  %lld lines", BAR_WIDTH, percent * BAR_WIDTH / 100, full,
                percent, (long long)lines);
    else
        fprintf(stderr, "\r%lld lines", (long long)lines);
}

void progress_clear(struct progress *p)
{
    if (p->shown && p->percent >= 0)
        fputs("\r\033[K", stderr);
    p->percent = -1;
}
