/* handover.h - how a worker that is about to be busy passes its other connections to one that is
 * idle: a SOCK_SEQPACKET pair that the master makes before the first fork and all workers share.
 * The master keeps both ends, so what is on its way outlives every worker. Sources: unix(7),
 * SCM_RIGHTS; cmsg(3). */
#ifndef FCGI_POOL_HANDOVER_H
#define FCGI_POOL_HANDOVER_H

#include "common/base/err.h"

#include <stdint.h>

struct handover {
    int give_fd, take_fd; /* messages come out in the order they went in, each to one taker */
};

/* A connection of nginx. */
struct connection {
    int fd;
    bool last;       /* nginx can send nothing more on it: closed once its request is answered */
    int64_t used_ms; /* monotonic: when its last request ended; when it was accepted, before that */
};

/* Errors: ERR_INTERNAL. */
bool handover_open(struct handover *ret, struct err *err) MUST_USE;
void handover_close(struct handover *handover);

/* Never waits. True: the connection is on its way and `fd` is closed here. False: the way is full,
 * or the kernel's limit of descriptors under way is reached; the connection is as it was. */
bool handover_give(const struct handover *handover, const struct connection *connection) MUST_USE;
/* Never waits. False: there is none. */
bool handover_take(const struct handover *handover, struct connection *ret) MUST_USE;
/* How many connections are on their way; idle ones are among them. -1: cannot be told. */
int64_t handover_count(const struct handover *handover);

#endif
