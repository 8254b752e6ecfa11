/* dispatch.h - one request in, one answer out: the only way to a handler. */
#ifndef FCGI_API_DISPATCH_H
#define FCGI_API_DISPATCH_H

#include "fcgi/api/ctx.h"

/* Finds the route, checks what the route table says (method, query, body size), runs the handler
 * and turns an error into its problem. Logs each failed request once, with its cause. `target` is
 * the raw request target; the path and query of `req` are set from it. Leaves a complete answer in
 * `reply`, whose buffers are the caller's. */
void dispatch(const struct api *api, struct db *db, struct arena *arena, struct request *req,
              struct slice target, struct reply *reply);

#endif
