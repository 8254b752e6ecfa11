/* products.h - the handlers of /v1/products that read. */
#ifndef FCGI_API_PRODUCTS_H
#define FCGI_API_PRODUCTS_H

#include "fcgi/api/ctx.h"
#include "fcgi/api/products_store.h"

extern const struct view product_view, product_total_view;
extern const struct query_table product_list_query;
route_handler product_list_handler, product_show_handler;

/* The strong ETag of a product, quotes included; in the arena. */
struct slice product_etag(const struct product *product, struct arena *arena);

#endif
