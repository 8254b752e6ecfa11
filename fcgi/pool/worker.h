/* worker.h - one FastCGI worker process: one request at a time, one database connection. */
#ifndef FCGI_POOL_WORKER_H
#define FCGI_POOL_WORKER_H

#include "common/run/world.h"
#include "fcgi/pool/scoreboard.h"
#include "fcgi/pool/vault.h"

/* The limit of a request's arena; nginx's largest body must fit in (fcgi/cli/doctor.c). */
#define WORKER_REQUEST_MEMORY MIB(4)

/* Runs in the child after fork(), with all signals blocked, until the listening socket is shut and
 * its queue empty, or SIGTERM came and no request is running. Returns the exit status. `listen_fd`
 * is shared with the other workers; `slot` is this worker's own. New secrets are taken from
 * `vault` between two requests. */
int worker_run(const struct conf *conf, const struct world *world, int listen_fd,
               struct worker_slot *slot, struct vault *vault);

#endif
