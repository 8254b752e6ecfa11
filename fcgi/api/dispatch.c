#include "fcgi/api/dispatch.h"

#include "common/run/log.h"
#include "common/web/problem.h"
#include "fcgi/api/errors.h"
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
    return true;
}

/* What the row asks of every request, in this order: who sends it, how large it is, and what it
 * must say. */
static bool check_route(struct ctx *ctx, struct err *err)
{
    const struct request *req = ctx->request;
    const struct route *route = ctx->route;
    if (!caller_identify(&ctx->api->authenticator, req, route->scope, ctx->arena, &ctx->caller,
                         err))
        return false;
    if (route->body_limit > 0 && (req->body_too_large || req->body.len > route->body_limit))
        return err_fail(err, &ERR_BODY_TOO_LARGE, "body above %zu bytes", route->body_limit);
    if (route->needs & ROUTE_IF_MATCH && req->if_match.len == 0)
        return err_fail(err, &ERR_IF_MATCH_REQUIRED, "no If-Match");
    /* A handler with a table reads its query itself. */
    return route->query || query_read(NULL, req->query, ctx->arena, NULL, &ctx->faults, err);
}

/* What a refusal owes its client beside the problem document. */
static void add_refusal_headers(struct reply *reply, const struct err_kind *kind, unsigned allowed)
{
    char storage[256];
    struct buf value = BUF(storage);
    if (kind == &ERR_METHOD_NOT_ALLOWED) {
        route_add_allow(&value, allowed);
        reply_header(reply, "Allow", buf_slice(&value));
    } else if (kind->status == 401 || kind->status == 403) {
        caller_add_challenge(&value, kind);
        reply_header(reply, "WWW-Authenticate", buf_slice(&value));
    } else if (kind == &ERR_IDEMPOTENCY_IN_PROGRESS) {
        reply_header(reply, "Retry-After", SLICE("1"));
    }
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
        check_route(&ctx, &err) && match.route->handler(&ctx, &err))
        return;
    if (!err.kind) /* a handler that failed without saying why is a fault of its own */
        err_fail(&err, &ERR_INTERNAL, "handler failed without an error");
    problem_write(reply, req, err.kind, &ctx.faults);
    add_refusal_headers(reply, err.kind, match.allowed);
    log_failure(&ctx, &err);
}
