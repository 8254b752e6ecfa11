/* worker.h - one FastCGI worker process: one request at a time, one database connection. */
#ifndef FCGI_POOL_WORKER_H
#define FCGI_POOL_WORKER_H

#include "common/run/world.h"
#include "fcgi/pool/handover.h"
#include "fcgi/pool/scoreboard.h"
#include "fcgi/pool/vault.h"

/* The limit of a request's arena; nginx's largest body must fit in (fcgi/cli/doctor.c). */
#define WORKER_REQUEST_MEMORY MIB(4)

/* Where a worker is put. All is borrowed, and shared with the master and the other workers. */
struct worker_setting {
    const struct conf *conf;
    const struct world *world;
    int listen_fd;
    const struct handover *handover;
    struct scoreboard *board;
    size_t slot;         /* its own on the board */
    struct vault *vault; /* new secrets are taken from it between two requests */
};

/* Runs in the child after fork(), with all signals blocked, until the listening socket is shut and
 * all that was accepted or queued is served, or SIGTERM came and no request is running; the
 * connections it held are then with the others. Returns the exit status. */
int worker_run(const struct worker_setting *setting);

/* What a refused client is told to wait: 1 to 30 seconds. Pure. */
int64_t worker_retry_after_s(int64_t waiting, int64_t service_us, int64_t workers);

#endif
