#include "fcgi/api/routes.h"

#include "fcgi/api/categories.h"
#include "fcgi/api/product_edit.h"
#include "fcgi/api/product_history.h"
#include "fcgi/api/product_input.h"
#include "fcgi/api/products.h"
#include "fcgi/api/service.h"

/* clang-format off */
#define ONE(status, view) {status, ANSWER_ONE, view}
#define LIST(view)        {200, ANSWER_LIST, view}
#define NOTHING           {204, ANSWER_NONE, NULL}
#define IF_MATCH          ROUTE_IF_MATCH
#define REPEATABLE        ROUTE_IDEMPOTENT

static const struct route rows[] = {
    /* method     path                         handler                  scope           needs                  query                   body                   limit               answer                   summary */
    {HTTP_GET,    "/",                         service_handler,         SCOPE_NONE,     0,                     NULL,                   NULL,                  0,                  ONE(200, NULL),          "What this service is"},
    {HTTP_GET,    "/v1/products",              product_list_handler,    SCOPE_NONE,     0,                     &product_list_query,    NULL,                  0,                  LIST(&product_view),     "List products"},
    {HTTP_POST,   "/v1/products",              product_create_handler,  SCOPE_EDIT,     REPEATABLE,            NULL,                   &product_input_schema, PRODUCT_BODY_LIMIT, ONE(201, &product_view), "Make a product"},
    {HTTP_GET,    "/v1/products/{id}",         product_show_handler,    SCOPE_OPTIONAL, 0,                     NULL,                   NULL,                  0,                  ONE(200, &product_view), "Read a product"},
    {HTTP_PUT,    "/v1/products/{id}",         product_replace_handler, SCOPE_EDIT,     IF_MATCH,              NULL,                   &product_input_schema, PRODUCT_BODY_LIMIT, ONE(200, &product_view), "Replace a product"},
    {HTTP_PATCH,  "/v1/products/{id}",         product_patch_handler,   SCOPE_EDIT,     IF_MATCH,              NULL,                   &product_patch_schema, PRODUCT_BODY_LIMIT, ONE(200, &product_view), "Change members of a product"},
    {HTTP_DELETE, "/v1/products/{id}",         product_delete_handler,  SCOPE_EDIT,     IF_MATCH,              NULL,                   NULL,                  0,                  NOTHING,                 "Delete a product; it can be restored"},
    {HTTP_POST,   "/v1/products/{id}/restore", product_restore_handler, SCOPE_EDIT,     IF_MATCH | REPEATABLE, NULL,                   NULL,                  0,                  ONE(200, &product_view), "Restore a deleted product"},
    {HTTP_GET,    "/v1/products/{id}/history", product_history_handler, SCOPE_EDIT,     0,                     &product_history_query, NULL,                  0,                  LIST(&change_view),      "Who changed a product, and how"},
    {HTTP_GET,    "/v1/categories",            category_list_handler,   SCOPE_NONE,     0,                     &category_list_query,   NULL,                  0,                  LIST(&category_view),    "List categories"},
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
