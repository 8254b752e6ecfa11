#include "fcgi/api/dispatch.h"

#include "common/run/log.h"
#include "common/web/media.h"
#include "common/web/problem.h"
#include "fcgi/api/errors.h"
#include "fcgi/api/routes.h"

/* The route's row, and what the row itself forbids. Without one only OPTIONS goes on. */
static bool find_route(struct ctx *ctx, struct route_match *match, struct err *err)
{
    const struct request *req = ctx->request;
    if (!route_find(&api_routes, req, ctx->arena, match, err))
        return false;
    if (!match->route && match->allowed && req->method == HTTP_OPTIONS)
        return true;
    if (!match->route)
        return err_fail(err, match->allowed ? &ERR_METHOD_NOT_ALLOWED : &ERR_NOT_FOUND, "no route");
    ctx->route = match->route;
    for (size_t i = 0; i < ROUTE_PARAMS_MAX; i++)
        ctx->params[i] = match->params[i];
    return true;
}

/* Whether the client takes what the route answers. Problems come whatever it takes. */
static bool check_accept(const struct route *route, struct slice accept, struct err *err)
{
    return route->answer.form == ANSWER_NONE || media_accepts(accept, SLICE("application/json")) ||
           (route->needs & ROUTE_PAGE && media_accepts(accept, SLICE("text/html"))) ||
           err_fail(err, &ERR_NOT_ACCEPTABLE, "Accept: %.*s", SLICE_ARG(accept));
}

static bool check_body(const struct route *route, const struct request *req, struct err *err)
{
    const char *type;
    if (route->body_limit > 0 && (req->body_too_large || req->body.len > route->body_limit))
        return err_fail(err, &ERR_BODY_TOO_LARGE, "body above %zu bytes", route->body_limit);
    for (size_t i = 0; (type = route_body_type(route, i)); i++)
        if (media_is(req->content_type, slice_from_cstr(type)))
            return true;
    return !route->body ||
           err_fail(err, &ERR_MEDIA_TYPE, "Content-Type: %.*s", SLICE_ARG(req->content_type));
}

/* What the row asks of every request, in this order: who sends it, what it takes, what it brings,
 * and what it must say. */
static bool check_route(struct ctx *ctx, struct err *err)
{
    const struct request *req = ctx->request;
    const struct route *route = ctx->route;
    if (!caller_identify(&ctx->api->authenticator, req, route->scope, ctx->arena, &ctx->caller,
                         err) ||
        !check_accept(route, req->accept, err) || !check_body(route, req, err))
        return false;
    if (route->needs & ROUTE_IF_MATCH && req->if_match.len == 0)
        return err_fail(err, &ERR_IF_MATCH_REQUIRED, "no If-Match");
    /* A handler with a table reads its query itself. */
    return route->query || query_read(NULL, req->query, ctx->arena, NULL, &ctx->faults, err);
}

static void add_allow(struct reply *reply, unsigned allowed)
{
    char storage[80];
    struct buf value = BUF(storage);
    route_add_allow(&value, allowed | 1U << HTTP_OPTIONS);
    reply_header(reply, "Allow", buf_slice(&value));
}

/* OPTIONS of an address (RFC 9110 section 9.3.7). Browsers that ask before a cross-origin request
 * get their answer from nginx, which knows the origins. */
static bool answer_options(struct ctx *ctx, unsigned allowed)
{
    add_allow(ctx->reply, allowed);
    ctx->reply->status = 204;
    return true;
}

/* What the route reads: RFC 9110 section 15.5.16, for PATCH RFC 5789 section 2.2. */
static void add_body_types(struct reply *reply, const struct route *route)
{
    char storage[80];
    struct buf value = BUF(storage);
    const char *type;
    for (size_t i = 0; (type = route_body_type(route, i)); i++)
        buf_add_format(&value, "%s%s", i > 0 ? ", " : "", type);
    reply_header(reply, route->method == HTTP_PATCH ? "Accept-Patch" : "Accept", buf_slice(&value));
}

/* What a refusal owes its client beside the problem document. */
static void add_refusal_headers(const struct ctx *ctx, const struct err_kind *kind,
                                unsigned allowed)
{
    char storage[256];
    struct buf value = BUF(storage);
    if (kind == &ERR_METHOD_NOT_ALLOWED) {
        add_allow(ctx->reply, allowed);
    } else if (ctx->route && kind == &ERR_MEDIA_TYPE) {
        add_body_types(ctx->reply, ctx->route);
    } else if (kind->status == 401 || kind->status == 403) {
        caller_add_challenge(&value, kind);
        reply_header(ctx->reply, "WWW-Authenticate", buf_slice(&value));
    } else if (kind == &ERR_IDEMPOTENCY_IN_PROGRESS) {
        reply_header(ctx->reply, "Retry-After", SLICE("1"));
    }
}

static bool serve(struct ctx *ctx, unsigned allowed, struct err *err)
{
    if (!ctx->route)
        return answer_options(ctx, allowed);
    return check_route(ctx, err) && ctx->route->handler(ctx, err);
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
        serve(&ctx, match.allowed, &err))
        return;
    if (!err.kind) /* a handler that failed without saying why is a fault of its own */
        err_fail(&err, &ERR_INTERNAL, "handler failed without an error");
    problem_write(reply, req, err.kind, &ctx.faults);
    add_refusal_headers(&ctx, err.kind, match.allowed);
    log_failure(&ctx, &err);
}
