/* status.h - what the status socket answers: /health/live, /health/ready and /status. Pure: the
 * pages come from the pool and the scoreboard, so they can be had when every worker is stuck. */
#ifndef FCGI_POOL_STATUS_H
#define FCGI_POOL_STATUS_H

#include "common/web/reply.h"
#include "common/web/request.h"
#include "fcgi/pool/pool.h"
#include "fcgi/pool/scoreboard.h"

struct status_source {
    const struct pool *pool;
    const struct scoreboard *board;
    int64_t pid, started_ms; /* of the master; monotonic */
    int64_t stale_ms;        /* an older look of the keeper is no knowledge: it hangs or is gone */
};

/* Answers a GET or HEAD; anything else gets a problem. `now_ms`: monotonic, as all ages here are,
 * so that no setting of the wall clock makes a hung keeper look alive. */
void status_answer(const struct status_source *source, int64_t now_ms, const struct request *req,
                   struct reply *reply);

#endif
