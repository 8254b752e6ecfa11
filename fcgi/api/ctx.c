#include "fcgi/api/ctx.h"

#include "common/base/number.h"

/* Keep it, but ask before each use: by its ETag where there is one. */
static const struct slice ask_again = SLICE_INIT("no-cache");

void api_init(const char *shop_currency, struct api *ret)
{
    *ret = (struct api){.shop_currency = shop_currency};
}

bool api_set_secrets(struct api *api, const struct slice *secrets, size_t count, struct err *err)
{
    return mac_ring_derive(secrets, count, "cbu cursor 1", &api->cursor_keys, err);
}

void api_done(struct api *api)
{
    mac_ring_wipe(&api->cursor_keys);
}

bool ctx_query(struct ctx *ctx, void *ret, struct err *err)
{
    return query_read(ctx->route->query, ctx->request->query, ctx->arena, ret, &ctx->faults, err);
}

bool ctx_id(const struct ctx *ctx, size_t index, const struct err_kind *absent, int64_t *ret,
            struct err *err)
{
    if (number_parse_i64(ctx->params[index], 1, INT64_MAX, ret) == NUMBER_OK)
        return true;
    return err_fail(err, absent, "path parameter %zu is no id", index + 1);
}

bool reply_json(struct ctx *ctx, int status, struct err *err)
{
    reply_header(ctx->reply, "Cache-Control", ask_again);
    ctx->reply->status = status;
    ctx->reply->content_type = "application/json";
    return !ctx->reply->body.full ||
           err_fail(err, &ERR_INTERNAL, "answer larger than %zu bytes", ctx->reply->body.cap);
}

bool reply_row(struct ctx *ctx, const struct view *view, const void *row, const struct slice *etag,
               struct err *err)
{
    if (etag) {
        reply_header(ctx->reply, "ETag", *etag);
        if (etag_listed(ctx->request->if_none_match, *etag)) {
            reply_header(ctx->reply, "Cache-Control", ask_again);
            ctx->reply->status = 304;
            return true;
        }
    }
    view_write(&ctx->reply->body, view, row);
    return reply_json(ctx, 200, err);
}
