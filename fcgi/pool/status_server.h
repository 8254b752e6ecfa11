/* status_server.h - HTTP/1.1 on the status socket, inside the master's poll loop: a few
 * connections, none blocking, each with a deadline, one request each (Connection: close). Source:
 * RFC 9112. */
#ifndef FCGI_POOL_STATUS_SERVER_H
#define FCGI_POOL_STATUS_SERVER_H

#include "fcgi/pool/listener.h"
#include "fcgi/pool/status.h"

#include <poll.h>

#define STATUS_CONNECTIONS_MAX 16
/* The listener and every connection. */
#define STATUS_POLL_MAX        (STATUS_CONNECTIONS_MAX + 1)

struct status_server;

/* Errors: those of listener_open(). */
struct status_server *status_server_open(const char *path, const struct status_source *source,
                                         struct err *err) MUST_USE;
void status_server_close(struct status_server *server);
/* In a child after fork(): drops the descriptors without touching the socket file. */
void status_server_forget(struct status_server *server);

/* Fills at most STATUS_POLL_MAX entries for poll() and returns how many. */
size_t status_server_poll(const struct status_server *server, struct pollfd *ret);
/* Milliseconds until status_server_run() has something to do without an event; -1: no such time. */
int64_t status_server_wait_ms(const struct status_server *server, int64_t now_ms);
/* Accepts, reads, answers and times out, as far as it goes without waiting. */
void status_server_run(struct status_server *server, int64_t now_ms);

#endif
