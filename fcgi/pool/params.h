/* params.h - the FastCGI parameters of one request: nginx/parts/fastcgi.conf has the whole list. */
#ifndef FCGI_POOL_PARAMS_H
#define FCGI_POOL_PARAMS_H

#include "common/base/slice.h"

struct params { /* one that was not sent, since it is empty, has no length */
    struct slice method, uri, content_type, content_length, request_id, msec, remote_addr, accept,
        content_encoding, if_match, if_none_match, authorization, idempotency_key, trace_id,
        connection_close;
};

/* Sorts "NAME=value" strings, as libfcgi has them, up to a NULL; other names are left out. The
 * values are borrowed. */
void params_read(char *const *strings, struct params *ret);

#endif
