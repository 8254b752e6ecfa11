/* queue.h - how many connections wait in the queue of the workers' socket, and how many may: the
 * kernel's own numbers. Sources: sock_diag(7), linux/unix_diag.h. */
#ifndef FCGI_POOL_QUEUE_H
#define FCGI_POOL_QUEUE_H

#include "common/base/err.h"

#include <stdint.h>

struct queue_probe {
    int fd;         /* -1: the kernel does not tell here */
    uint32_t inode; /* of the socket itself, not of its file */
};

/* Never fails: without sock_diag (a module of the kernel) there are no numbers. */
void queue_open(int listen_fd, struct queue_probe *ret);
void queue_close(struct queue_probe *probe);

struct queue_depth {
    int64_t waiting, limit; /* -1: not known */
};
struct queue_depth queue_read(const struct queue_probe *probe);

#endif
