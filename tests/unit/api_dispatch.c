#include "fcgi/api/dispatch.h"

#include "fcgi/api/routes.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/api_fixture.h"
#include "tests/unit/support/assert.h"

#include <stdio.h>
#include <string.h>

#define CREATED "2026-11-22 21:07:11.123"
#define PRODUCT                                                                                    \
    FAKE_ROWS(14, "5", "T-5", "Tea", "", NULL, "tea", "10", "USD", "3", "1", "active", "1",        \
              CREATED, CREATED)

/* ---- every route of the table ---- */

static const struct route_row {
    const char *path;  /* as in the table */
    const char *allow; /* its methods */
    const char *target;
    struct fake_answer answers[2];
    size_t count;
} route_rows[] = {
    {"/", "GET, HEAD", "/", {{0}}, 0},
    {"/openapi.json", "GET, HEAD", "/openapi.json", {{0}}, 0},
    {"/v1/products", "GET, HEAD, POST", "/v1/products", {{FAKE_NO_ROWS(14)}}, 1},
    {"/v1/products/{id}", "GET, HEAD, PUT, PATCH, DELETE", "/v1/products/5", {{PRODUCT}}, 1},
    {"/v1/categories", "GET, HEAD", "/v1/categories", {{FAKE_ROWS(2, "tea", "3")}}, 1},
};

/* Who adds a route that reads adds its row above, and has the tests below at once; those that write
 * are in api_product_edit.c. */
START_TEST(routes_are_all_here)
{
    size_t reading = 0;
    for (size_t i = 0; i < api_routes.count; i++) {
        const struct route *route = &api_routes.rows[i];
        if (route->method == HTTP_GET && route->scope < SCOPE_USER) {
            ck_assert_uint_lt(reading, COUNT(route_rows));
            ck_assert_str_eq(route->path, route_rows[reading++].path);
        }
        ck_assert_int_eq(route->body != NULL, route->body_limit > 0);
        ck_assert(route->method == HTTP_GET || route->scope != SCOPE_NONE);
        ck_assert_ptr_nonnull(route->handler);
        ck_assert_ptr_nonnull(route->summary);
        ck_assert_ptr_nonnull(route->operation);
        ck_assert_uint_le(route->body_limit, api_body_limit());
    }
    ck_assert_uint_eq(reading, COUNT(route_rows));
}
END_TEST

/* HEAD does what GET does; that the body stays behind is the worker's business. */
START_TEST(routes_answer_get_and_head)
{
    const struct route_row *r = &route_rows[_i];
    struct api_fixture get, head;
    api_fixture_open(&get, r->answers, r->count);
    api_fixture_open(&head, r->answers, r->count);
    const char *body = api_fixture_ask(&get, HTTP_GET, slice_from_cstr(r->target));
    ck_assert_int_eq(get.reply.status, 200);
    ck_assert_str_ne(body, "");
    ck_assert_str_eq(api_fixture_ask(&head, HTTP_HEAD, slice_from_cstr(r->target)), body);
    ck_assert_int_eq(head.reply.status, 200);
    ck_assert_slice_eq(buf_slice(&head.reply.headers), buf_slice(&get.reply.headers));
    ck_assert_str_eq(api_fixture_log(&head), "");
    api_fixture_close(&head);
    api_fixture_close(&get);
}
END_TEST

START_TEST(routes_refuse_other_methods)
{
    static const enum http_method others[] = {HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE,
                                              HTTP_OTHER};
    const struct route_row *r = &route_rows[_i];
    struct api_fixture f;
    char allow[80];
    api_fixture_open(&f, NULL, 0);
    for (size_t i = 0; i < COUNT(others); i++) {
        if (strstr(r->allow, http_method_name(others[i])))
            continue;
        const char *body = api_fixture_ask(&f, others[i], slice_from_cstr(r->target));
        ck_assert_int_eq(f.reply.status, 405);
        ck_assert_ptr_nonnull(strstr(body, "\"code\":\"method_not_allowed\""));
        snprintf(allow, sizeof allow, "%s, OPTIONS", r->allow);
        ck_assert_str_eq(api_fixture_header(&f, "Allow"), allow);
    }
    ck_assert_uint_eq(f.fake.connects_seen, 0);
    api_fixture_close(&f);
}
END_TEST

START_TEST(routes_answer_options)
{
    struct api_fixture f;
    char allow[80];
    snprintf(allow, sizeof allow, "%s, OPTIONS", route_rows[_i].allow);
    api_fixture_open(&f, NULL, 0);
    const char *body = api_fixture_ask(&f, HTTP_OPTIONS, slice_from_cstr(route_rows[_i].target));
    ck_assert_str_eq(body, "");
    ck_assert_int_eq(f.reply.status, 204);
    ck_assert_ptr_null(f.reply.content_type);
    ck_assert_str_eq(api_fixture_header(&f, "Allow"), allow);
    ck_assert_str_eq(api_fixture_log(&f), "");
    api_fixture_close(&f);
}
END_TEST

/* What is neither JSON nor anything of a route's own is refused before a handler runs. */
START_TEST(routes_refuse_other_types)
{
    const struct route_row *r = &route_rows[_i];
    struct api_fixture f;
    api_fixture_open(&f, r->answers, r->count);
    f.req.accept = SLICE("application/xml");
    const char *body = api_fixture_get(&f, r->target);
    ck_assert_int_eq(f.reply.status, 406);
    ck_assert_ptr_nonnull(strstr(body, "\"code\":\"not_acceptable\""));
    ck_assert_str_eq(f.reply.content_type, "application/problem+json");
    f.req.accept = SLICE("application/xml, application/json;q=0.1");
    api_fixture_get(&f, r->target);
    ck_assert_int_eq(f.reply.status, 200);
    api_fixture_close(&f);
}
END_TEST

START_TEST(routes_refuse_unknown_parameters)
{
    const struct route_row *r = &route_rows[_i];
    struct api_fixture f;
    char target[128];
    api_fixture_open(&f, NULL, 0);
    snprintf(target, sizeof target, "%s?utm_source=x&%%zz=1", r->target);
    const char *body = api_fixture_get(&f, target);
    ck_assert_int_eq(f.reply.status, 400);
    ck_assert_ptr_nonnull(strstr(body, "\"errors\":[{\"pointer\":\"/query/utm_source\","
                                       "\"code\":\"unknown\""));
    ck_assert_ptr_nonnull(strstr(body, "{\"pointer\":\"/query/%zz\",\"code\":\"encoding\""));
    ck_assert_uint_eq(f.fake.connects_seen, 0);
    api_fixture_close(&f);
}
END_TEST

START_TEST(routes_take_an_empty_query)
{
    const struct route_row *r = &route_rows[_i];
    struct api_fixture f;
    char target[128];
    api_fixture_open(&f, r->answers, r->count);
    snprintf(target, sizeof target, "%s?", r->target);
    api_fixture_get(&f, target);
    ck_assert_int_eq(f.reply.status, 200);
    api_fixture_close(&f);
}
END_TEST

/* No route takes a body yet: whatever came is read away and changes nothing. */
START_TEST(routes_ignore_a_body)
{
    const struct route_row *r = &route_rows[_i];
    struct api_fixture f;
    api_fixture_open(&f, r->answers, r->count);
    f.req.body_too_large = true;
    api_fixture_get(&f, r->target);
    ck_assert_int_eq(f.reply.status, 200);
    api_fixture_close(&f);
}
END_TEST

/* ---- what no route has ---- */

static const struct absent_row {
    enum http_method method;
    const char *target, *instance;
} absent_rows[] = {
    {HTTP_GET, "/v1", "/v1"},
    {HTTP_GET, "/v1/", "/v1/"},
    {HTTP_GET, "/v1/products/", "/v1/products/"},
    {HTTP_GET, "/v1/products/5/", "/v1/products/5/"},
    {HTTP_GET, "/v1/products/5/images", "/v1/products/5/images"},
    {HTTP_GET, "//v1/products", "//v1/products"},
    {HTTP_GET, "/V1/products", "/V1/products"},
    {HTTP_GET, "/v1%2Fproducts", "/v1%2Fproducts"},
    {HTTP_GET, "/v1/./products", "/v1/./products"},
    {HTTP_GET, "/v1/products;a=b", "/v1/products;a=b"},
    {HTTP_GET, "/health/live", "/health/live"},
    {HTTP_GET, "/status?x=1", "/status"},
    {HTTP_POST, "/nothing", "/nothing"},
    {HTTP_OPTIONS, "/nothing", "/nothing"},
    {HTTP_OTHER, "/nothing", "/nothing"},
    {HTTP_GET, "/\xff\"", "/\xEF\xBF\xBD\\\""},
    {HTTP_GET, "http://localhost:8000/nothing?x=1", "/nothing"},
};
START_TEST(dispatch_not_found)
{
    const struct absent_row *r = &absent_rows[_i];
    struct api_fixture f;
    char want[512];
    api_fixture_open(&f, NULL, 0);
    snprintf(want, sizeof want,
             "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
             "\"detail\":\"There is nothing at this address.\",\"instance\":\"%s\","
             "\"code\":\"not_found\",\"request_id\":\"" API_FIXTURE_REQUEST_ID "\"}",
             r->instance);
    ck_assert_str_eq(api_fixture_ask(&f, r->method, slice_from_cstr(r->target)), want);
    ck_assert_int_eq(f.reply.status, 404);
    ck_assert_str_eq(f.reply.content_type, "application/problem+json");
    ck_assert_ptr_null(api_fixture_header(&f, "Allow"));
    api_fixture_close(&f);
}
END_TEST

static const struct bad_row {
    struct slice target;
} bad_rows[] = {
    {{0}},
    {SLICE_INIT("")},
    {SLICE_INIT("v1/products")},
    {SLICE_INIT("*")},
    {SLICE_INIT("?x=1")},
    {SLICE_INIT("/v1/products HTTP/1.1")},
    {SLICE_INIT("/v1/prod\0ucts")},
    {SLICE_INIT("/v1/products\r\nX: y")},
    {SLICE_INIT("/v1/products/\x7f")},
    {SLICE_INIT("/v1/products/%zz")},
    {SLICE_INIT("/v1/products/%2")},
    {SLICE_INIT("/v1/products/%00")},
    {SLICE_INIT("/v1/products/%ff")},
    {SLICE_INIT("/v1/products/%C0%AF")},
};
START_TEST(dispatch_bad_requests)
{
    struct api_fixture f;
    api_fixture_open(&f, NULL, 0);
    const char *body = api_fixture_ask(&f, HTTP_GET, bad_rows[_i].target);
    ck_assert_int_eq(f.reply.status, 400);
    ck_assert_ptr_nonnull(strstr(body, "\"code\":\"bad_request\""));
    ck_assert_uint_eq(f.fake.connects_seen, 0);
    api_fixture_close(&f);
}
END_TEST

START_TEST(dispatch_absolute_target)
{
    const struct fake_answer answers[] = {{FAKE_NO_ROWS(14)}};
    struct api_fixture f;
    api_fixture_open(&f, answers, 1);
    api_fixture_get(&f, "HTTP://shop.example:8000/v1/products?limit=1");
    ck_assert_int_eq(f.reply.status, 200);
    api_fixture_close(&f);
}
END_TEST

/* One request leaves nothing to the next: neither header fields, nor a body, nor faults. */
START_TEST(dispatch_begins_anew)
{
    const struct fake_answer answers[] = {{PRODUCT}};
    struct api_fixture f;
    api_fixture_open(&f, answers, 1);
    api_fixture_get(&f, "/v1/products?limit=x");
    api_fixture_ask(&f, HTTP_POST, SLICE("/v1/categories"));
    ck_assert_ptr_nonnull(api_fixture_header(&f, "Allow"));
    api_fixture_get(&f, "/v1/products/5");
    ck_assert_ptr_null(api_fixture_header(&f, "Allow"));
    ck_assert_ptr_nonnull(api_fixture_header(&f, "ETag"));
    ck_assert_ptr_null(strstr(api_fixture_get(&f, "/nothing"), "errors"));
    ck_assert_ptr_null(api_fixture_header(&f, "ETag"));
    api_fixture_close(&f);
}
END_TEST

/* ---- the log ---- */

static const struct log_row {
    const char *target;
    struct fake_answer answers[1];
    size_t count;
    const char *log; /* behind the time; empty: no line */
} log_rows[] = {
    {"/v1/products", {{FAKE_NO_ROWS(14)}}, 1, ""},
    {"/v1/products/9?",
     {{FAKE_NO_ROWS(14)}},
     1,
     "\"level\":\"INFO\",\"event\":\"request.failed\",\"method\":\"GET\","
     "\"path\":\"/v1/products/9\",\"status\":404,\"code\":\"product_absent\",\"cause\":\"no "
     "row\"}\n"},
    {"/v1/products?limit=0&x=\n",
     {{0}},
     0,
     "\"level\":\"INFO\",\"event\":\"request.failed\",\"method\":\"GET\",\"path\":\"\","
     "\"status\":400,\"code\":\"bad_request\","
     "\"cause\":\"control byte or blank in the request target\"}\n"},
    {"/v1/products?limit=0",
     {{0}},
     0,
     "\"level\":\"INFO\",\"event\":\"request.failed\",\"method\":\"GET\","
     "\"path\":\"/v1/products\",\"status\":400,\"code\":\"query_invalid\","
     "\"cause\":\"/query/limit range\"}\n"},
    {"/v1/categories",
     {{FAKE_ERROR(1064)}},
     1,
     "\"level\":\"ERROR\",\"event\":\"request.failed\",\"method\":\"GET\","
     "\"path\":\"/v1/categories\",\"status\":500,\"code\":\"internal\","
     "\"cause\":\"1064 fake failure\"}\n"},
};
START_TEST(dispatch_logs_failures_once)
{
    const struct log_row *r = &log_rows[_i];
    struct api_fixture f;
    api_fixture_open(&f, r->answers, r->count);
    api_fixture_get(&f, r->target);
    const char *log = api_fixture_log(&f), *level = strstr(log, "\"level\"");
    ck_assert_str_eq(level ? level : log, r->log);
    api_fixture_close(&f);
}
END_TEST

void api_dispatch(struct suite *s)
{
    suite_test(s, routes_are_all_here);
    suite_rows(s, routes_answer_get_and_head, COUNT(route_rows));
    suite_rows(s, routes_refuse_other_methods, COUNT(route_rows));
    suite_rows(s, routes_answer_options, COUNT(route_rows));
    suite_rows(s, routes_refuse_other_types, COUNT(route_rows));
    suite_rows(s, routes_refuse_unknown_parameters, COUNT(route_rows));
    suite_rows(s, routes_take_an_empty_query, COUNT(route_rows));
    suite_rows(s, routes_ignore_a_body, COUNT(route_rows));
    suite_rows(s, dispatch_not_found, COUNT(absent_rows));
    suite_rows(s, dispatch_bad_requests, COUNT(bad_rows));
    suite_test(s, dispatch_absolute_target);
    suite_test(s, dispatch_begins_anew);
    suite_rows(s, dispatch_logs_failures_once, COUNT(log_rows));
}
