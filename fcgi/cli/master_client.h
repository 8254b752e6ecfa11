/* master_client.h - asks the running master over its status socket. */
#ifndef FCGI_CLI_MASTER_CLIENT_H
#define FCGI_CLI_MASTER_CLIENT_H

#include "common/base/buf.h"

/* Holds the largest page. */
#define MASTER_ANSWER_MAX KIB(128)

/* Sends one request; returns the HTTP status and the body, which borrows `answer`; 0 when nobody
 * answers within 3 s (errno says why). */
int64_t master_ask(const char *socket_path, const char *method, const char *path,
                   struct buf *answer, struct slice *ret_body) MUST_USE;

#endif
