#include "fcgi/api/service.h"

#include "common/base/json_write.h"

#include <string.h>

static bool wants_html(struct slice accept)
{
    static const struct slice html = SLICE_INIT("text/html");
    return accept.len > 0 && memmem(accept.ptr, accept.len, html.ptr, html.len);
}

static bool write_page(struct ctx *ctx)
{
    static const char page[] =
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<title>Core Business Unit service</title></head>\n<body><h1>Core Business Unit "
        "service</h1>\n<p>Version " CBU_VERSION ". A catalogue of products over HTTP.</p>\n<ul>\n"
        "<li><a href=\"/v1/products\">Products</a></li>\n"
        "<li><a href=\"/v1/products?sort=price&amp;in_stock=true\">Products in stock by price</a>"
        "</li>\n<li><a href=\"/v1/categories\">Categories</a></li>\n"
        "<li><a href=\"/health/live\">Health</a></li>\n</ul></body></html>\n";
    ctx->reply->status = 200;
    ctx->reply->content_type = "text/html; charset=utf-8";
    buf_add_cstr(&ctx->reply->body, page);
    return true;
}

bool service_handler(struct ctx *ctx, struct err *err)
{
    struct buf *body = &ctx->reply->body;
    reply_header(ctx->reply, "Vary", SLICE("Accept"));
    if (wants_html(ctx->request->accept))
        return write_page(ctx);
    buf_add_char(body, '{');
    json_add_member(body, "service", SLICE("cbu"));
    json_add_member(body, "version", SLICE(CBU_VERSION));
    json_add_member(body, "currency", slice_from_cstr(ctx->api->shop_currency));
    json_add_name(body, "links");
    buf_add_char(body, '{');
    json_add_member(body, "products", SLICE("/v1/products"));
    json_add_member(body, "categories", SLICE("/v1/categories"));
    json_add_member(body, "health", SLICE("/health/live"));
    buf_add(body, SLICE("}}"));
    return reply_json(ctx, 200, err);
}
