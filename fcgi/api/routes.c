#include "fcgi/api/routes.h"

#include "fcgi/api/categories.h"
#include "fcgi/api/errors.h"
#include "fcgi/api/health.h"
#include "fcgi/api/openapi.h"
#include "fcgi/api/product_edit.h"
#include "fcgi/api/product_history.h"
#include "fcgi/api/product_input.h"
#include "fcgi/api/products.h"
#include "fcgi/api/service.h"

/* clang-format off */
#define ONE(status, view) {status, ANSWER_ONE, view, NULL}
#define LIST(view, more)  {200, ANSWER_LIST, view, more}
#define NOTHING           {204, ANSWER_NONE, NULL, NULL}
#define TAGGED            ROUTE_ETAG
#define IF_MATCH          ROUTE_IF_MATCH
#define REPEATABLE        ROUTE_IDEMPOTENT

#define FAILS(...)        ((const struct err_kind *const[]){__VA_ARGS__, NULL})
/* Of whatever asks the database, of whatever changes something there, and of what is changed. */
#define DATABASE          &ERR_DATABASE_DOWN, &ERR_DATABASE_SCHEMA
#define CHANGE            DATABASE, &ERR_DATABASE_BUSY, &ERR_WRITE_UNKNOWN
#define PRESENT           &ERR_PRODUCT_ABSENT, &ERR_PRODUCT_DELETED

static const struct route rows[] = {
    /* method     path                         handler                  scope           needs                           query                   body                   limit               answer                                    summary                                                 operation         errors */
    {HTTP_GET,    "/",                         service_handler,         SCOPE_NONE,     ROUTE_PAGE,                     NULL,                   NULL,                  0,                  ONE(200, &service_view),                  "What this service is",                                 "showService",    NULL},
    {HTTP_GET,    "/openapi.json",             openapi_handler,         SCOPE_NONE,     TAGGED,                         NULL,                   NULL,                  0,                  ONE(200, NULL),                           "This document",                                        "showDocument",   NULL},
    {HTTP_GET,    "/v1/products",              product_list_handler,    SCOPE_NONE,     0,                              &product_list_query,    NULL,                  0,                  LIST(&product_view, &product_total_view), "List products",                                        "listProducts",   FAILS(DATABASE)},
    {HTTP_POST,   "/v1/products",              product_create_handler,  SCOPE_EDIT,     TAGGED | REPEATABLE,            NULL,                   &product_input_schema, PRODUCT_BODY_LIMIT, ONE(201, &product_view),                  "Make a product",                                       "createProduct",  FAILS(CHANGE, &ERR_SKU_TAKEN)},
    {HTTP_GET,    "/v1/products/{id}",         product_show_handler,    SCOPE_OPTIONAL, TAGGED,                         NULL,                   NULL,                  0,                  ONE(200, &product_view),                  "Read a product",                                       "showProduct",    FAILS(DATABASE, &ERR_PRODUCT_ABSENT)},
    {HTTP_PUT,    "/v1/products/{id}",         product_replace_handler, SCOPE_EDIT,     TAGGED | IF_MATCH,              NULL,                   &product_input_schema, PRODUCT_BODY_LIMIT, ONE(200, &product_view),                  "Replace a product",                                    "replaceProduct", FAILS(CHANGE, PRESENT, &ERR_SKU_TAKEN)},
    {HTTP_PATCH,  "/v1/products/{id}",         product_patch_handler,   SCOPE_EDIT,     TAGGED | IF_MATCH,              NULL,                   &product_patch_schema, PRODUCT_BODY_LIMIT, ONE(200, &product_view),                  "Change members of a product",                          "patchProduct",   FAILS(CHANGE, PRESENT, &ERR_SKU_TAKEN)},
    {HTTP_DELETE, "/v1/products/{id}",         product_delete_handler,  SCOPE_EDIT,     TAGGED | IF_MATCH,              NULL,                   NULL,                  0,                  NOTHING,                                  "Delete a product; it can be restored",                 "deleteProduct",  FAILS(CHANGE, PRESENT)},
    {HTTP_POST,   "/v1/products/{id}/restore", product_restore_handler, SCOPE_EDIT,     TAGGED | IF_MATCH | REPEATABLE, NULL,                   NULL,                  0,                  ONE(200, &product_view),                  "Restore a deleted product",                            "restoreProduct", FAILS(CHANGE, &ERR_PRODUCT_ABSENT, &ERR_PRODUCT_NOT_DELETED)},
    {HTTP_GET,    "/v1/products/{id}/history", product_history_handler, SCOPE_EDIT,     0,                              &product_history_query, NULL,                  0,                  LIST(&change_view, NULL),                 "Who changed a product, and how",                       "listChanges",    FAILS(DATABASE, &ERR_PRODUCT_ABSENT)},
    {HTTP_GET,    "/v1/categories",            category_list_handler,   SCOPE_NONE,     0,                              &category_list_query,   NULL,                  0,                  LIST(&category_view, NULL),               "List categories",                                      "listCategories", FAILS(DATABASE)},
};

/* Without a handler: the master answers these (fcgi/pool/status.c). */
static const struct route master_rows[] = {
    {HTTP_GET,    "/health/live",              NULL,                    SCOPE_NONE,     0,                              NULL,                   NULL,                  0,                  ONE(200, &health_live_view),              "Whether the service is alive",                         "showLiveness",   NULL},
    {HTTP_GET,    "/health/ready",             NULL,                    SCOPE_NONE,     ROUTE_OR_503,                   NULL,                   NULL,                  0,                  ONE(200, &health_ready_view),             "Whether the service is ready; for the machine itself", "showReadiness",  FAILS(&ERR_NOT_FOUND)},
};
/* clang-format on */

const struct route_table api_routes = {ARRAY(rows)};
const struct route_table master_routes = {ARRAY(master_rows)};

size_t api_body_limit(void)
{
    size_t limit = 0;
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].body_limit > limit)
            limit = rows[i].body_limit;
    return limit;
}
