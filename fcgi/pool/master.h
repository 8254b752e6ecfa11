/* master.h - the process that owns the sockets and forks the others. Holds no MySQL, TLS or curl
 * state. Signals: SIGTERM and SIGINT stop gracefully, SIGHUP replaces the workers one by one,
 * SIGTTIN and SIGTTOU make them one more or fewer. */
#ifndef FCGI_POOL_MASTER_H
#define FCGI_POOL_MASTER_H

#include "common/run/world.h"
#include "fcgi/settings.h"

/* Runs `cbu serve` in the foreground until it is told to stop. Returns the exit status: EX_OK,
 * EX_CONFIG when a socket cannot be had as it is set, EX_OSERR when the system refused something
 * else at start, EX_SOFTWARE when the pool gave up. */
int master_run(const struct conf *conf, const struct world *world);

#endif
