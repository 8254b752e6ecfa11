/* metrics.h - the numbers of the pool for machines: OpenMetrics text for whoever scrapes, and a
 * line in CloudWatch's embedded metric format for whoever reads the log. Sources: OpenMetrics 1.0;
 * AWS, "CloudWatch embedded metric format specification". Pure. */
#ifndef FCGI_POOL_METRICS_H
#define FCGI_POOL_METRICS_H

#include "fcgi/pool/status.h"

void metrics_write(const struct status_source *source, int64_t now_ms, struct reply *reply);

/* What was there when the last line was written. */
struct metrics_since {
    struct pool_numbers numbers;
    struct pool_counts counts;
    int64_t saturated;
};
/* Appends the members of one JSON object, without its braces: what has happened since `since`, and
 * how things are now. `since` becomes now. `time_ms`: Unix time. */
void metrics_write_embedded(const struct status_source *source, int64_t time_ms,
                            struct metrics_since *since, struct buf *out);

#endif
