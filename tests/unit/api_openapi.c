#include "fcgi/api/openapi.h"

#include "common/base/json_check.h"
#include "fcgi/api/routes.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/api_fixture.h"
#include "tests/unit/support/assert.h"

#include <stdio.h>
#include <string.h>

START_TEST(openapi_is_json)
{
    CLEANUP(openapi_done) struct openapi document = {0};
    struct err err = {0};
    struct json_fault fault = {0};
    ck_assert_msg(openapi_make("EUR", &document, &err), "%s", err.cause);
    const struct slice text = {document.text, document.len};
    ck_assert_msg(json_check(text, &fault), "%s at %zu", fault.what, fault.at);
    ck_assert(slice_starts_with(text, SLICE("{\"openapi\":\"3.1.0\",")));
    ck_assert_uint_eq(strlen(document.etag), 18);
}
END_TEST

/* Every row of both tables is an operation of the document, and only they are. */
START_TEST(openapi_has_every_route)
{
    const struct route_table *tables[] = {&api_routes, &master_routes};
    CLEANUP(openapi_done) struct openapi document = {0};
    struct err err = {0};
    char wanted[128];
    size_t routes = 0, operations = 0;
    ck_assert(openapi_make("USD", &document, &err));
    for (size_t t = 0; t < COUNT(tables); t++) {
        for (size_t i = 0; i < tables[t]->count; i++, routes++) {
            const struct route *route = &tables[t]->rows[i];
            snprintf(wanted, sizeof wanted, "\"%s\":{", route->path);
            ck_assert_msg(memmem(document.text, document.len, wanted, strlen(wanted)), "%s",
                          wanted);
            snprintf(wanted, sizeof wanted, "{\"operationId\":\"%s\",", route->operation);
            const char *at = memmem(document.text, document.len, wanted, strlen(wanted));
            ck_assert_msg(at != NULL, "%s", wanted);
            size_t behind = document.len - (size_t)(at + 1 - document.text);
            ck_assert_msg(!memmem(at + 1, behind, wanted, strlen(wanted)), "twice: %s", wanted);
        }
    }
    struct slice rest = {document.text, document.len};
    const char name[] = "\"operationId\":";
    for (const char *at; (at = memmem(rest.ptr, rest.len, name, strlen(name))); operations++)
        rest = slice_after(rest, (size_t)(at + 1 - rest.ptr));
    ck_assert_uint_eq(operations, routes);
}
END_TEST

START_TEST(openapi_etag_is_of_the_text)
{
    static const char *const currencies[] = {"USD", "USD", "EUR"};
    struct openapi documents[COUNT(currencies)];
    struct err err = {0};
    for (size_t i = 0; i < COUNT(currencies); i++)
        ck_assert(openapi_make(currencies[i], &documents[i], &err));
    ck_assert_str_eq(documents[0].etag, documents[1].etag);
    ck_assert_str_ne(documents[0].etag, documents[2].etag);
    for (size_t i = 0; i < COUNT(currencies); i++)
        openapi_done(&documents[i]);
}
END_TEST

START_TEST(openapi_served)
{
    struct api_fixture f;
    char etag[64];
    api_fixture_open(&f, NULL, 0);
    const char *body = api_fixture_get(&f, "/openapi.json");
    ck_assert_int_eq(f.reply.status, 200);
    ck_assert_str_eq(f.reply.content_type, "application/json");
    ck_assert_slice_eq(slice_from_cstr(body),
                       ((struct slice){f.api.document.text, f.api.document.len}));
    snprintf(etag, sizeof etag, "%s", api_fixture_header(&f, "ETag"));
    f.req.if_none_match = slice_from_cstr(etag);
    ck_assert_str_eq(api_fixture_get(&f, "/openapi.json"), "");
    ck_assert_int_eq(f.reply.status, 304);
    ck_assert_str_eq(api_fixture_header(&f, "ETag"), etag);
    api_fixture_close(&f);
}
END_TEST

void api_openapi(struct suite *s)
{
    suite_test(s, openapi_is_json);
    suite_test(s, openapi_has_every_route);
    suite_test(s, openapi_etag_is_of_the_text);
    suite_test(s, openapi_served);
}
