#include "common/web/route.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#include <string.h>

/* Handlers are never called here; a row is known by its summary. */
#define ROUTE(method_, path_, summary_)                                                            \
    {                                                                                              \
        .method = HTTP_##method_, .path = (path_), .summary = (summary_)                           \
    }
static const struct route routes[] = {
    ROUTE(GET, "/", "root"),
    ROUTE(GET, "/v1/products", "list"),
    ROUTE(POST, "/v1/products", "create"),
    ROUTE(GET, "/v1/products/search", "search"),
    ROUTE(GET, "/v1/products/{id}", "show"),
    ROUTE(PATCH, "/v1/products/{id}", "change"),
    ROUTE(DELETE, "/v1/products/{id}", "remove"),
    ROUTE(PUT, "/v1/products/{id}/images/{image}", "image"),
    ROUTE(GET, "/{a}/{b}/{c}/{d}", "too many"),
};
static const struct route_table table = {ARRAY(routes)};

static const struct find_row {
    enum http_method method;
    const char *path;
    const char *want; /* summary; NULL: no row */
    const char *allow;
    const char *params[ROUTE_PARAMS_MAX];
} find_rows[] = {
    {HTTP_GET, "/", "root", "GET, HEAD", {NULL}},
    {HTTP_HEAD, "/", "root", "GET, HEAD", {NULL}},
    {HTTP_POST, "/", NULL, "GET, HEAD", {NULL}},
    {HTTP_GET, "/v1/products", "list", "GET, HEAD, POST", {NULL}},
    {HTTP_HEAD, "/v1/products", "list", "GET, HEAD, POST", {NULL}},
    {HTTP_POST, "/v1/products", "create", "GET, HEAD, POST", {NULL}},
    {HTTP_PUT, "/v1/products", NULL, "GET, HEAD, POST", {NULL}},
    {HTTP_OPTIONS, "/v1/products", NULL, "GET, HEAD, POST", {NULL}},
    {HTTP_OTHER, "/v1/products", NULL, "GET, HEAD, POST", {NULL}},
    {HTTP_GET, "/v1/products/7", "show", "GET, HEAD, PATCH, DELETE", {"7"}},
    {HTTP_DELETE, "/v1/products/7", "remove", "GET, HEAD, PATCH, DELETE", {"7"}},
    {HTTP_POST, "/v1/products/7", NULL, "GET, HEAD, PATCH, DELETE", {NULL}},
    {HTTP_GET, "/v1/products/search", "search", "GET, HEAD, PATCH, DELETE", {NULL}},
    {HTTP_PATCH, "/v1/products/search", "change", "GET, HEAD, PATCH, DELETE", {"search"}},
    {HTTP_PUT, "/v1/products/7/images/a.png", "image", "PUT", {"7", "a.png"}},
    {HTTP_GET, "/v1/products/7/images/a.png", NULL, "PUT", {NULL}},
    /* escapes are decoded in parameters only, and a decoded '/' stays inside its segment */
    {HTTP_GET, "/v1/products/a%2Fb", "show", "GET, HEAD, PATCH, DELETE", {"a/b"}},
    {HTTP_GET, "/v1/products/a+b%20c", "show", "GET, HEAD, PATCH, DELETE", {"a+b c"}},
    {HTTP_GET, "/v1/products/caf%C3%A9", "show", "GET, HEAD, PATCH, DELETE", {"caf\xC3\xA9"}},
    {HTTP_GET, "/v1/product%73", NULL, "", {NULL}},
    {HTTP_GET, "/v1/products/", NULL, "", {NULL}},
    {HTTP_GET, "/v1/products/7/", NULL, "", {NULL}},
    {HTTP_GET, "//v1/products", NULL, "", {NULL}},
    {HTTP_GET, "/v1//products", NULL, "", {NULL}},
    {HTTP_GET, "/v1", NULL, "", {NULL}},
    {HTTP_GET, "/v1/Products", NULL, "", {NULL}},
    {HTTP_GET, "/v1/productsx", NULL, "", {NULL}},
    {HTTP_GET, "/v1/products/7/images", NULL, "", {NULL}},
    {HTTP_GET, "/%7Bid%7D", NULL, "", {NULL}},
    {HTTP_GET, "/1/2/3/4", NULL, "", {NULL}}, /* more braces than ROUTE_PARAMS_MAX match nothing */
};
START_TEST(route_find_rows)
{
    const struct find_row *r = &find_rows[_i];
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(4));
    const struct request req = {.method = r->method, .path = slice_from_cstr(r->path)};
    struct route_match match;
    struct err err = {0};
    char storage[64];
    struct buf allow = BUF(storage);
    ck_assert(route_find(&table, &req, &arena, &match, &err));
    ck_assert_int_eq(match.route != NULL, r->want != NULL);
    if (r->want)
        ck_assert_str_eq(match.route->summary, r->want);
    for (size_t i = 0; i < ROUTE_PARAMS_MAX; i++)
        ck_assert_text_eq(match.params[i], r->params[i]);
    route_add_allow(&allow, match.allowed);
    ck_assert_text_eq(buf_slice(&allow), r->allow);
}
END_TEST

static const struct refused_row {
    enum http_method method;
    const char *path;
} refused_rows[] = {
    {HTTP_GET, "/v1/products/%"},    {HTTP_GET, "/v1/products/%zz"},
    {HTTP_GET, "/v1/products/a%00"}, {HTTP_DELETE, "/v1/products/%FF"},
    {HTTP_GET, "/v1/products/%C3"},  {HTTP_PUT, "/v1/products/7/images/%4"},
};
START_TEST(route_refuses_bad_escapes)
{
    const struct refused_row *r = &refused_rows[_i];
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(4));
    const struct request req = {.method = r->method, .path = slice_from_cstr(r->path)};
    struct route_match match;
    struct err err = {0};
    ck_assert(!route_find(&table, &req, &arena, &match, &err));
    ck_assert_ptr_eq(err.kind, &ERR_BAD_REQUEST);
}
END_TEST

void web_route(struct suite *s)
{
    suite_rows(s, route_find_rows, COUNT(find_rows));
    suite_rows(s, route_refuses_bad_escapes, COUNT(refused_rows));
}
