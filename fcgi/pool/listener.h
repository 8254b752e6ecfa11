/* listener.h - the Unix sockets that nginx connects to. */
#ifndef FCGI_POOL_LISTENER_H
#define FCGI_POOL_LISTENER_H

#include "common/base/err.h"

#include <sys/types.h>

struct listener {
    int fd;
    const char *path; /* borrowed */
    ino_t inode;      /* of our socket file, so that a successor's is never removed */
};

/* Binds and listens, not blocking, close-on-exec, mode 0660. A socket file that nobody listens on
 * is replaced. Errors: ERR_SETTINGS_INVALID when somebody does, or the folder cannot be written;
 * ERR_INTERNAL when the system refuses anything else. No socket file is left behind then. */
bool listener_open(const char *path, int backlog, struct listener *ret, struct err *err) MUST_USE;

/* Closes the door: new connections are refused, those in the queue can still be accepted, and every
 * process that polls the socket wakes up. Removes the socket file if it is still ours. */
void listener_shut(struct listener *listener);
void listener_close(struct listener *listener);

#endif
