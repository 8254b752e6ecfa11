/* status.h - what the status socket answers: /health/live, /health/ready, /status, /status.html and
 * /metrics; and POST /reload and /workers/N, by which the pool is changed. Pure: the pages come
 * from the pool and the scoreboard, so they can be had when every worker is stuck. */
#ifndef FCGI_POOL_STATUS_H
#define FCGI_POOL_STATUS_H

#include "common/web/reply.h"
#include "common/web/request.h"
#include "common/web/route.h"
#include "fcgi/pool/pool.h"
#include "fcgi/pool/queue.h"
#include "fcgi/pool/scoreboard.h"

/* What the master has read off the system, and kept of workers that are gone. */
struct pool_readings {
    struct queue_depth queue;
    int64_t handed;           /* connections between two workers; -1: not known */
    int64_t looks, saturated; /* one a second; of these with all workers busy and more waiting */
    struct pool_numbers retired;
};

/* What the master does when it is asked to. */
struct status_control {
    void (*reload)(void *ctx);
    void (*resize)(void *ctx, int64_t workers);
    void *ctx;
};

struct status_source {
    const struct pool *pool;
    const struct scoreboard *board;
    const struct pool_readings *readings;
    const struct conf *conf;
    int64_t pid, started_ms; /* of the master; monotonic */
    int64_t stale_ms;        /* an older look of the keeper is no knowledge: it hangs or is gone */
    struct status_control control;
};

/* Answers one request; what is not known or not allowed gets a problem. `trusted`: the client may
 * change the pool. `now_ms`: monotonic, as all ages here are, so that no setting of the wall clock
 * makes a hung keeper look alive. */
void status_answer(const struct status_source *source, int64_t now_ms, const struct request *req,
                   bool trusted, struct reply *reply);

/* What the pages are made of. */
struct status_tally {
    size_t starting, idle, busy, ending, connected;
};
struct status_tally status_count_workers(const struct status_source *source);
/* "starting", "idle", "busy", "stopping", "none" or "condemned". */
const char *status_slot_state(const struct status_source *source, size_t slot);
/* The row of the route table that the worker serves; NULL: none, or none known. */
const struct route *status_route(const struct worker_slot *slot);
/* Since the start of the master, workers that are gone included. */
struct pool_numbers status_totals(const struct status_source *source);
/* The bound of the bucket that `thousandth` of all fall into or below; 0 without any, -1 above the
 * last. */
int64_t status_quantile_ms(const int64_t *counts, int64_t thousandth);
/* The keeper's word, `unknown` when it is too old to count. */
struct snapshot status_snapshot(const struct status_source *source, int64_t now_ms);

#endif
