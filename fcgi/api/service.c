#include "fcgi/api/service.h"

#include "common/base/json_write.h"

/* Whether a media range of the Accept field is exactly text/html and not excluded by q=0 (RFC 9110
 * section 12.5.1). Browsers name it; programs that take anything get JSON. */
static bool wants_html(struct slice accept)
{
    struct slice range, type;
    while (slice_cut(&accept, ',', &range)) {
        slice_cut(&range, ';', &type);
        if (!slice_equal_ignore_case(slice_trim(type), SLICE("text/html")))
            continue;
        struct slice quality = slice_trim(range);
        return !slice_equal(quality, SLICE("q=0")) && !slice_equal(quality, SLICE("q=0.0"));
    }
    return false;
}

static bool write_page(struct ctx *ctx, struct err *err)
{
    static const char page[] =
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<title>Core Business Unit service</title></head>\n<body><h1>Core Business Unit "
        "service</h1>\n<p>Version " CBU_VERSION ". A catalogue of products over HTTP.</p>\n<ul>\n"
        "<li><a href=\"/v1/products\">Products</a></li>\n"
        "<li><a href=\"/v1/products?sort=price&amp;in_stock=true\">Products in stock by price</a>"
        "</li>\n<li><a href=\"/v1/categories\">Categories</a></li>\n"
        "<li><a href=\"/health/live\">Health</a></li>\n</ul></body></html>\n";
    buf_add_cstr(&ctx->reply->body, page);
    return reply_body(ctx, 200, "text/html; charset=utf-8", err);
}

bool service_handler(struct ctx *ctx, struct err *err)
{
    struct buf *body = &ctx->reply->body;
    reply_header(ctx->reply, "Vary", SLICE("Accept"));
    if (wants_html(ctx->request->accept))
        return write_page(ctx, err);
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
