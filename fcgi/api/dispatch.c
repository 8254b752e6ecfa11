#include "fcgi/api/dispatch.h"

#include "common/run/log.h"
#include "common/web/problem.h"
#include "fcgi/api/routes.h"

/* The route's row, and what the row itself forbids. */
static bool find_route(struct ctx *ctx, struct route_match *match, struct err *err)
{
    const struct request *req = ctx->request;
    if (!route_find(&api_routes, req, ctx->arena, match, err))
        return false;
    if (!match->route)
        return err_fail(err, match->allowed ? &ERR_METHOD_NOT_ALLOWED : &ERR_NOT_FOUND, "no route");
    ctx->route = match->route;
    for (size_t i = 0; i < ROUTE_PARAMS_MAX; i++)
        ctx->params[i] = match->params[i];
    if (match->route->body_limit > 0 &&
        (req->body_too_large || req->body.len > match->route->body_limit))
        return err_fail(err, &ERR_BODY_TOO_LARGE, "body above %zu bytes", match->route->body_limit);
    /* A handler with a table reads its query itself. */
    return match->route->query || query_read(NULL, req->query, ctx->arena, NULL, &ctx->faults, err);
}

static void log_failure(const struct ctx *ctx, const struct err *err)
{
    enum log_level level = err->kind->status >= 500 ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO;
    LOG_EVENT(level, "request.failed", KV_STR("method", http_method_name(ctx->request->method)),
              KV_SLICE("path", ctx->request->path), KV_I64("status", err->kind->status),
              KV_STR("code", err->kind->code), KV_STR("cause", err->cause));
}

void dispatch(const struct api *api, struct db *db, struct arena *arena, struct request *req,
              struct slice target, struct reply *reply)
{
    struct ctx ctx = {.api = api, .db = db, .arena = arena, .request = req, .reply = reply};
    struct route_match match = {0};
    struct err err = {0};
    reply_reset(reply);
    if (request_set_target(req, target, &err) && find_route(&ctx, &match, &err) &&
        match.route->handler(&ctx, &err))
        return;
    if (!err.kind) /* a handler that failed without saying why is a fault of its own */
        err_fail(&err, &ERR_INTERNAL, "handler failed without an error");
    problem_write(reply, req, err.kind, &ctx.faults);
    if (err.kind == &ERR_METHOD_NOT_ALLOWED) {
        char storage[80];
        struct buf allow = BUF(storage);
        route_add_allow(&allow, match.allowed);
        reply_header(reply, "Allow", buf_slice(&allow));
    }
    log_failure(&ctx, &err);
}
