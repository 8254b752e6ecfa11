#include "fcgi/api/service.h"

#include "common/web/media.h"

static bool write_page(struct ctx *ctx, struct err *err)
{
    static const char page[] =
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<title>Core Business Unit service</title></head>\n<body><h1>Core Business Unit "
        "service</h1>\n<p>Version " CBU_VERSION ". A catalogue of products over HTTP.</p>\n<ul>\n"
        "<li><a href=\"/v1/products\">Products</a></li>\n"
        "<li><a href=\"/v1/products?sort=price&amp;in_stock=true\">Products in stock by price</a>"
        "</li>\n<li><a href=\"/v1/categories\">Categories</a></li>\n"
        "<li><a href=\"/docs\">Documentation of the API</a>, and the <a href=\"/openapi.json\">"
        "document</a> behind it</li>\n<li><a "
        "href=\"/health/live\">Health</a></li>\n</ul></body></html>\n";
    buf_add_cstr(&ctx->reply->body, page);
    return reply_body(ctx, 200, "text/html; charset=utf-8", err);
}

struct links {
    struct slice products, categories, document, docs, health;
};
struct service {
    struct slice service, version, currency;
    struct links links;
};

static const struct view_field link_fields[] = {
    VIEW_FIELD(links, products, TEXT), VIEW_FIELD(links, categories, TEXT),
    VIEW_FIELD(links, document, TEXT), VIEW_FIELD(links, docs, TEXT),
    VIEW_FIELD(links, health, TEXT),
};
static const struct view links_view = {"Links", ARRAY(link_fields)};

static const struct view_field service_fields[] = {
    VIEW_FIELD(service, service, TEXT),
    VIEW_FIELD(service, version, TEXT),
    VIEW_FIELD(service, currency, TEXT),
    VIEW_FIELD(service, links, ONE, .view = &links_view),
};
const struct view service_view = {"Service", ARRAY(service_fields)};

bool service_handler(struct ctx *ctx, struct err *err)
{
    reply_header(ctx->reply, "Vary", SLICE("Accept"));
    /* Browsers name it; programs that take anything get JSON. */
    if (media_names(ctx->request->accept, SLICE("text/html")) ||
        !media_accepts(ctx->request->accept, SLICE("application/json")))
        return write_page(ctx, err);
    const struct service service = {
        .service = SLICE("cbu"),
        .version = SLICE(CBU_VERSION),
        .currency = slice_from_cstr(ctx->api->shop_currency),
        .links = {.products = SLICE("/v1/products"),
                  .categories = SLICE("/v1/categories"),
                  .document = SLICE("/openapi.json"),
                  .docs = SLICE("/docs"),
                  .health = SLICE("/health/live")},
    };
    return reply_row(ctx, &service_view, &service, NULL, err);
}
