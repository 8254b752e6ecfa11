#include "fcgi/api/product_edit.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/api_fixture.h"
#include "tests/unit/support/assert.h"

#include <string.h>

#define CREATED "2026-11-22 21:07:11.123"
/* The cells of product 5 as the database sends them. */
#define PRODUCT(name, price, status, version)                                                      \
    FAKE_ROWS(14, "5", "T-5", name, "", NULL, "tea", price, "USD", "3", "1", status, version,      \
              CREATED, CREATED)
/* And as a client gets it. */
#define ANSWER(name, price, status, version)                                                       \
    "{\"id\":5,\"sku\":\"T-5\",\"name\":\"" name "\",\"description\":\"\",\"brand\":null,"         \
    "\"category\":\"tea\",\"price_minor\":" price ",\"currency\":\"USD\",\"stock\":3,"             \
    "\"in_stock\":true,\"status\":\"" status "\",\"version\":" version                             \
    ",\"created_at\":\"2026-11-22T21:07:11.123Z\",\"updated_at\":\"2026-11-22T21:07:11.123Z\"}"

#define TEA "{\"sku\":\"T-5\",\"name\":\"Tea\",\"category\":\"tea\",\"price_minor\":10,\"stock\":3}"

static const struct fake_answer category = {FAKE_ROWS(1, "7")}, done = {FAKE_WRITTEN(1, 0)},
                                made = {FAKE_WRITTEN(1, 5)}, none = {0},
                                tea = {PRODUCT("Tea", "10", "active", "1")};

START_TEST(create_product)
{
    const struct fake_answer answers[] = {category, none, made, tea, done, none};
    struct api_fixture f;
    api_fixture_open(&f, ARRAY(answers));
    f.req.authorization = SLICE(API_FIXTURE_EDITOR);
    f.req.body = SLICE(TEA);
    ck_assert_str_eq(api_fixture_ask(&f, HTTP_POST, SLICE("/v1/products")),
                     ANSWER("Tea", "10", "active", "1"));
    ck_assert_int_eq(f.reply.status, 201);
    ck_assert_str_eq(api_fixture_header(&f, "Location"), "/v1/products/5");
    ck_assert_str_eq(api_fixture_header(&f, "ETag"), "\"a5-1\"");
    ck_assert_str_eq(api_fixture_header(&f, "Cache-Control"), "private, no-cache");
    ck_assert_str_eq(f.fake.trace, "connect set SELECT START INSERT SELECT INSERT COMMIT ");
    ck_assert_text_eq(
        f.fake.statements[2],
        "INSERT INTO products (sku, name, description, brand, category_id, price_minor, currency,"
        " stock, status, created_at, updated_at) VALUES('T-5','Tea','',NULL,7,10,'USD',3,0,"
        "UTC_TIMESTAMP(3),UTC_TIMESTAMP(3))");
    ck_assert_text_eq(
        f.fake.statements[4],
        "INSERT INTO audit_log (noun, noun_id, version, action, at, user_id, username, request_id,"
        " changes) VALUES ('product',5,1,'created',UTC_TIMESTAMP(3),'sub-editor','Edith',"
        "'" API_FIXTURE_REQUEST_ID
        "','{\\\"sku\\\":{\\\"before\\\":null,\\\"after\\\":\\\"T-5\\\"},"
        "\\\"name\\\":{\\\"before\\\":null,\\\"after\\\":\\\"Tea\\\"},"
        "\\\"description\\\":{\\\"before\\\":null,\\\"after\\\":\\\"\\\"},"
        "\\\"category\\\":{\\\"before\\\":null,\\\"after\\\":\\\"tea\\\"},"
        "\\\"price_minor\\\":{\\\"before\\\":null,\\\"after\\\":10},"
        "\\\"currency\\\":{\\\"before\\\":null,\\\"after\\\":\\\"USD\\\"},"
        "\\\"stock\\\":{\\\"before\\\":null,\\\"after\\\":3},"
        "\\\"status\\\":{\\\"before\\\":null,\\\"after\\\":\\\"active\\\"}}')");
    ck_assert_str_eq(api_fixture_log(&f), "");
    api_fixture_close(&f);
}
END_TEST

/* Without the right token nothing of the request is looked at. */
static const struct caller_row {
    const char *authorization, *code;
    int status;
} caller_rows[] = {
    {"", "authentication_required", 401},
    {"Bearer nobody", "authentication_required", 401},
    {API_FIXTURE_USER, "forbidden", 403},
};
START_TEST(create_refused)
{
    const struct caller_row *r = &caller_rows[_i];
    struct api_fixture f;
    api_fixture_open(&f, NULL, 0);
    f.req.authorization = slice_from_cstr(r->authorization);
    f.req.body = SLICE("{");
    const char *body = api_fixture_ask(&f, HTTP_POST, SLICE("/v1/products"));
    ck_assert_int_eq(f.reply.status, r->status);
    ck_assert_ptr_nonnull(strstr(body, r->code));
    ck_assert_ptr_nonnull(api_fixture_header(&f, "WWW-Authenticate"));
    ck_assert_uint_eq(f.fake.connects_seen, 0);
    api_fixture_close(&f);
}
END_TEST

void api_product_edit(struct suite *s)
{
    suite_test(s, create_product);
    suite_rows(s, create_refused, COUNT(caller_rows));
}
