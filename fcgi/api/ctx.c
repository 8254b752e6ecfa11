#include "fcgi/api/ctx.h"

#include "common/base/json_write.h"
#include "common/base/number.h"
#include "fcgi/api/errors.h"

/* Keep it, but ask before each use: by its ETag where there is one. What a caller was shown for a
 * token is for no cache that others use. */
static void add_cache_rules(struct ctx *ctx)
{
    bool known = ctx->caller.subject.len > 0;
    reply_header(ctx->reply, "Cache-Control",
                 known ? SLICE("private, no-cache") : SLICE("no-cache"));
    if (ctx->route->scope == SCOPE_OPTIONAL)
        reply_header(ctx->reply, "Vary", SLICE("Authorization"));
}

bool api_init(const char *shop_currency, struct api *ret, struct err *err)
{
    *ret = (struct api){.shop_currency = shop_currency};
    return openapi_make(shop_currency, &ret->document, err);
}

bool api_set_secrets(struct api *api, const struct slice *secrets, size_t count, struct err *err)
{
    return mac_ring_derive(secrets, count, "cbu cursor 1", &api->cursor_keys, err);
}

void api_done(struct api *api)
{
    mac_ring_wipe(&api->cursor_keys);
    openapi_done(&api->document);
}

bool ctx_query(struct ctx *ctx, void *ret, struct err *err)
{
    return query_read(ctx->route->query, ctx->request->query, ctx->arena, ret, &ctx->faults, err);
}

bool ctx_body(struct ctx *ctx, void *ret, struct err *err)
{
    return schema_read(ctx->route->body, ctx->request->body, ctx->arena, ret, &ctx->faults, err);
}

bool ctx_id(const struct ctx *ctx, size_t index, const struct err_kind *absent, int64_t *ret,
            struct err *err)
{
    if (number_parse_i64(ctx->params[index], 1, INT64_MAX, ret) == NUMBER_OK)
        return true;
    return err_fail(err, absent, "path parameter %zu is no id", index + 1);
}

bool reply_body(struct ctx *ctx, int status, const char *content_type, struct err *err)
{
    add_cache_rules(ctx);
    ctx->reply->status = status;
    ctx->reply->content_type = content_type;
    return !ctx->reply->body.full ||
           err_fail(err, &ERR_INTERNAL, "answer larger than %zu bytes", ctx->reply->body.cap);
}

bool reply_json(struct ctx *ctx, int status, struct err *err)
{
    return reply_body(ctx, status, "application/json", err);
}

bool reply_unchanged(struct ctx *ctx, struct slice etag)
{
    reply_header(ctx->reply, "ETag", etag);
    if (!etag_listed(ctx->request->if_none_match, etag))
        return false;
    add_cache_rules(ctx);
    ctx->reply->status = 304;
    return true;
}

bool reply_row(struct ctx *ctx, const struct view *view, const void *row, const struct slice *etag,
               struct err *err)
{
    if (etag && reply_unchanged(ctx, *etag))
        return true;
    view_write(&ctx->reply->body, view, row);
    return reply_json(ctx, 200, err);
}

bool reply_change(struct ctx *ctx, int status, const struct view *view, const void *row,
                  struct slice etag, struct err *err)
{
    reply_header(ctx->reply, "ETag", etag);
    view_write(&ctx->reply->body, view, row);
    return reply_json(ctx, status, err);
}

bool reply_no_content(struct ctx *ctx, struct slice etag, struct err *err)
{
    reply_header(ctx->reply, "ETag", etag);
    return reply_body(ctx, 204, NULL, err);
}

bool ctx_has_cursor_keys(const struct ctx *ctx, struct err *err)
{
    return ctx->api->cursor_keys.count > 0 ||
           err_fail(err, &ERR_NOT_READY, "no application secret for cursors yet");
}

bool reply_next_cursor(struct ctx *ctx, struct slice binding, const struct cursor *last,
                       struct err *err)
{
    struct buf *body = &ctx->reply->body;
    json_add_name(body, "next_cursor");
    if (!last) {
        buf_add(body, SLICE("null"));
        return true;
    }
    struct slice text = cursor_write(&ctx->api->cursor_keys, binding, last, ctx->arena);
    json_add_string(body, text);
    return text.ptr || err_fail(err, &ERR_INTERNAL, "cursor could not be written");
}
