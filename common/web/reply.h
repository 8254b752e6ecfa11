/* reply.h - one HTTP answer under construction: status, a few header fields, a body buffer.
 * Handlers write JSON straight into `body`; the adapter sends it all in one piece. */
#ifndef COMMON_WEB_REPLY_H
#define COMMON_WEB_REPLY_H

#include "common/base/buf.h"

struct reply {
    int status;
    const char *content_type; /* NULL: no body, no Content-Type (304) */
    struct buf headers;       /* "Name: value\r\n" lines */
    struct buf body;
};

/* Starts over with empty buffers over the same storage. */
void reply_reset(struct reply *reply);
/* Bytes that would end or break the line are dropped, so a value can never inject a header. */
void reply_header(struct reply *reply, const char *name, struct slice value);
const char *http_status_title(int status); /* "Not Found"; "Error" for one not in its table */

#endif
