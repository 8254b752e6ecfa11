/* connections.h - the connections of nginx that one worker holds, and how it finds the next one
 * with a request. nginx keeps connections for reads, so a worker would be tied to whoever
 * connected to it first; instead it polls all it holds, the listening socket and the hand-over. Of
 * those with a request it serves one, and hands the others on to whoever is free next; all that it
 * holds it hands on when its request turns out to take long. So nothing waits behind a slow request
 * for longer than that takes to show (docs/decisions/0070-kept-connections.md).
 *
 * A connection is never just closed: shutdown(SHUT_RD) makes nginx's next write fail at once, and
 * what was written before is still read and answered, so no request falls between. */
#ifndef FCGI_POOL_CONNECTIONS_H
#define FCGI_POOL_CONNECTIONS_H

#include "common/run/world.h"
#include "fcgi/pool/handover.h"
#include "fcgi/pool/scoreboard.h"

#include <stdatomic.h>

struct connections {
    const struct world *world;
    int listen_fd;
    const struct handover *handover;
    const struct scoreboard *board; /* how many workers there shall be */
    struct worker_slot *slot;       /* this worker's own */
    int end_fd;                     /* readable: the worker was told to end (a signalfd) */

    int epoll_fd;
    struct held *held;
    uint16_t *places; /* where the connection with this descriptor stands in `held` */
    size_t count, most;
    uint64_t serial;
    bool unwatched; /* some held one is not known to epoll yet */
    int watched_fd; /* the connection being served, when epoll knows it; else -1 */
    bool leaving;   /* takes no part any more */
    bool pressed;   /* the last look found something new, or handed over */
    unsigned turn;  /* which source is asked first */
};

/* The members up to `end_fd` are the caller's, and set before. Errors: ERR_INTERNAL. */
bool connections_open(struct connections *c, struct err *err) MUST_USE;
void connections_close(struct connections *c); /* half-opened ones too */

/* The next connection with something to read, which is the caller's then; waits for it. False
 * when the worker shall end, with nothing left to it: it was told to, and the
 * others have what it held; or the listening socket is shut, and all that was accepted or queued
 * has been served. */
bool connections_next(struct connections *c, struct connection *ret) MUST_USE;
/* The request that is served takes long: all that is held goes to other workers, or to whoever is
 * idle next. Costs nothing when it is asked for again. */
void connections_hand_on(struct connections *c);
/* Takes a connection back whose request was answered and that nginx may use again. One that is not
 * given back, the caller closes. */
void connections_keep(struct connections *c, struct connection *connection);

/* How many connections a worker holds at most that may open so many descriptors. */
size_t connections_most(uint64_t descriptors);

#endif
