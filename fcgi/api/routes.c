#include "fcgi/api/routes.h"

#include "fcgi/api/categories.h"
#include "fcgi/api/products.h"
#include "fcgi/api/service.h"

/* clang-format off */
static const struct route rows[] = {
    /* method   path                 handler                query              body  summary */
    {HTTP_GET, "/",                  service_handler,       NULL,                 0, "What this service is"},
    {HTTP_GET, "/v1/products",       product_list_handler,  &product_list_query,  0, "List products"},
    {HTTP_GET, "/v1/products/{id}",  product_show_handler,  NULL,                 0, "Read a product"},
    {HTTP_GET, "/v1/categories",     category_list_handler, &category_list_query, 0, "List categories"},
};
/* clang-format on */

const struct route_table api_routes = {ARRAY(rows)};

size_t api_body_limit(void)
{
    size_t limit = 0;
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].body_limit > limit)
            limit = rows[i].body_limit;
    return limit;
}
