#include "fcgi/api/product_edit.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/api_fixture.h"
#include "tests/unit/support/assert.h"

#include <stdio.h>
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

/* ---- every way a write can go ---- */

#define NAME(name) "{\"name\":\"" name "\"}"
#define FULL(name, price)                                                                          \
    "{\"sku\":\"T-5\",\"name\":\"" name "\",\"category\":\"tea\",\"price_minor\":" price           \
    ",\"stock\":3}"
#define SHOW           "/v1/products/5"
#define LIST           "/v1/products"
#define BACK           "/v1/products/5/restore"
#define BEFORE         PRODUCT("Tea", "10", "active", "1")
#define AFTER          PRODUCT("Cup", "10", "active", "2")
#define GONE           PRODUCT("Tea", "10", "deleted", "2")
#define ABSENT         FAKE_NO_ROWS(14)
#define CATEGORY       FAKE_ROWS(1, "7")
#define ONE_ROW        FAKE_WRITTEN(1, 0)
#define NO_ROW         FAKE_WRITTEN(0, 0)
#define COLUMNS_OF_KEY 5
#define NO_KEY         FAKE_NO_ROWS(COLUMNS_OF_KEY)
#define OPEN_KEY       FAKE_ROWS(COLUMNS_OF_KEY, "0", "0", NULL, "", "")
#define DONE_KEY                                                                                   \
    FAKE_ROWS(COLUMNS_OF_KEY, "201", "1", "application/json", "ETag: \"a5-1\"\r\n", "{\"id\":5}")
#define OTHER_KEY FAKE_ROWS(COLUMNS_OF_KEY, "201", "0", "application/json", "", "{\"id\":5}")
#define EMPTY_KEY FAKE_ROWS(COLUMNS_OF_KEY, "204", "1", NULL, "", "")

/* clang-format off */
static const struct story {
    const char *name;
    enum http_method method;
    const char *target, *if_match, *key, *body;
    struct fake_answer answers[24];
    unsigned answer_count;
    int status;
    const char *part;  /* of the body */
    const char *trace; /* without "connect set "; NULL: no statement */
} stories[] = {
    {"replaced", HTTP_PUT, SHOW, "\"a5-1\"", "", FULL("Cup", "10"), {{BEFORE}, {CATEGORY}, {0},
     {ONE_ROW}, {AFTER}, {ONE_ROW}, {0}}, 7, 200, ANSWER("Cup", "10", "active", "2"),
     "SELECT SELECT START UPDATE SELECT INSERT COMMIT "},
    {"patched", HTTP_PATCH, SHOW, "\"a5-1\"", "", NAME("Cup"), {{BEFORE}, {CATEGORY}, {0},
     {ONE_ROW}, {AFTER}, {ONE_ROW}, {0}}, 7, 200, ANSWER("Cup", "10", "active", "2"),
     "SELECT SELECT START UPDATE SELECT INSERT COMMIT "},
    {"replaced by the same", HTTP_PUT, SHOW, "\"a5-1\"", "", FULL("Tea", "10"), {{BEFORE}}, 1, 200,
     ANSWER("Tea", "10", "active", "1"), "SELECT "},
    {"an empty patch", HTTP_PATCH, SHOW, "*", "", "{}", {{BEFORE}}, 1, 200, ANSWER("Tea", "10",
     "active", "1"), "SELECT "},
    {"deleted", HTTP_DELETE, SHOW, "\"a5-1\"", "", "", {{BEFORE}, {0}, {ONE_ROW}, {GONE},
     {ONE_ROW}, {0}}, 6, 204, "", "SELECT START UPDATE SELECT INSERT COMMIT "},
    {"restored", HTTP_POST, BACK, "\"a5-2\"", "", "", {{GONE}, {0}, {ONE_ROW}, {PRODUCT("Tea",
     "10", "active", "3")}, {ONE_ROW}, {0}}, 6, 200, ANSWER("Tea", "10", "active", "3"),
     "SELECT START UPDATE SELECT INSERT COMMIT "},

    /* If-Match */
    {"one of several tags", HTTP_DELETE, SHOW, "\"a5-9\", \"a5-1\"", "", "", {{BEFORE}, {0},
     {ONE_ROW}, {GONE}, {ONE_ROW}, {0}}, 6, 204, "", "SELECT START UPDATE SELECT INSERT COMMIT "},
    {"no If-Match: PUT", HTTP_PUT, SHOW, "", "", "{", {{0}}, 0, 428, "if_match_required", NULL},
    {"no If-Match: PATCH", HTTP_PATCH, SHOW, "", "", "{", {{0}}, 0, 428, "if_match_required", NULL},
    {"no If-Match: DELETE", HTTP_DELETE, SHOW, "", "", "", {{0}}, 0, 428, "if_match_required",
     NULL},
    {"no If-Match: restore", HTTP_POST, BACK, "", "", "", {{0}}, 0, 428, "if_match_required", NULL},
    {"a stale tag: PUT", HTTP_PUT, SHOW, "\"a5-2\"", "", FULL("Cup", "10"), {{BEFORE}}, 1, 412,
     "precondition_failed", "SELECT "},
    {"a stale tag, though nothing would change", HTTP_PUT, SHOW, "\"a5-2\"", "", FULL("Tea", "10"),
     {{BEFORE}}, 1, 412, "precondition_failed", "SELECT "},
    {"a stale tag: PATCH", HTTP_PATCH, SHOW, "\"a5-0\"", "", NAME("Cup"), {{BEFORE}}, 1, 412,
     "precondition_failed", "SELECT "},
    {"a weak tag", HTTP_DELETE, SHOW, "W/\"a5-1\"", "", "", {{BEFORE}}, 1, 412,
     "precondition_failed", "SELECT "},
    {"another product's tag", HTTP_DELETE, SHOW, "\"a6-1\"", "", "", {{BEFORE}}, 1, 412,
     "precondition_failed", "SELECT "},
    {"a stale tag: restore", HTTP_POST, BACK, "\"a5-1\"", "", "", {{GONE}}, 1, 412,
     "precondition_failed", "SELECT "},
    {"another change came between", HTTP_PUT, SHOW, "\"a5-1\"", "", FULL("Cup", "10"), {{BEFORE},
     {CATEGORY}, {0}, {NO_ROW}, {0}, {AFTER}}, 6, 412, "precondition_failed",
     "SELECT SELECT START UPDATE ROLLBACK SELECT "},
    {"it was deleted in between", HTTP_DELETE, SHOW, "\"a5-1\"", "", "", {{BEFORE}, {0}, {NO_ROW},
     {0}, {GONE}}, 5, 409, "product_deleted", "SELECT START UPDATE ROLLBACK SELECT "},
    {"another change came between; any version will do", HTTP_DELETE, SHOW, "*", "", "", {{BEFORE},
     {0}, {NO_ROW}, {0}, {AFTER}, {0}, {ONE_ROW}, {GONE}, {ONE_ROW}, {0}}, 10, 204, "",
     "SELECT START UPDATE ROLLBACK SELECT START UPDATE SELECT INSERT COMMIT "},
    {"changes come between for ever", HTTP_DELETE, SHOW, "*", "", "", {{BEFORE}, {0}, {NO_ROW},
     {0}, {BEFORE}, {0}, {NO_ROW}, {0}, {BEFORE}, {0}, {NO_ROW}, {0}}, 12, 503, "database_busy",
     "SELECT START UPDATE ROLLBACK SELECT START UPDATE ROLLBACK SELECT START UPDATE ROLLBACK "},

    /* states */
    {"absent: PUT", HTTP_PUT, SHOW, "*", "", FULL("Cup", "10"), {{ABSENT}}, 1, 404,
     "product_absent", "SELECT "},
    {"absent: DELETE", HTTP_DELETE, SHOW, "*", "", "", {{ABSENT}}, 1, 404, "product_absent",
     "SELECT "},
    {"absent: restore", HTTP_POST, BACK, "*", "", "", {{ABSENT}}, 1, 404, "product_absent",
     "SELECT "},
    {"no id", HTTP_DELETE, "/v1/products/x", "*", "", "", {{0}}, 0, 404, "product_absent", NULL},
    {"deleted: PUT", HTTP_PUT, SHOW, "*", "", FULL("Cup", "10"), {{GONE}}, 1, 409,
     "product_deleted", "SELECT "},
    {"deleted: PATCH", HTTP_PATCH, SHOW, "\"a5-1\"", "", NAME("Cup"), {{GONE}}, 1, 409,
     "product_deleted", "SELECT "},
    {"deleted: DELETE", HTTP_DELETE, SHOW, "\"a5-1\"", "", "", {{GONE}}, 1, 409, "product_deleted",
     "SELECT "},
    {"not deleted: restore", HTTP_POST, BACK, "\"a5-1\"", "", "", {{BEFORE}}, 1, 409,
     "product_not_deleted", "SELECT "},

    /* bodies */
    {"no body", HTTP_POST, LIST, "", "", "", {{0}}, 0, 400, "json_invalid", NULL},
    {"no product", HTTP_POST, LIST, "", "", "{\"stock\":-1,\"x\":1}", {{0}}, 0, 422,
     "\"errors\":[{\"pointer\":\"/stock\",\"code\":\"range\"", NULL},
    {"no product: PUT", HTTP_PUT, SHOW, "*", "", NAME("Cup"), {{BEFORE}}, 1, 422,
     "\"pointer\":\"/sku\",\"code\":\"required\"", "SELECT "},
    {"a patch that makes no product", HTTP_PATCH, SHOW, "*", "", "{\"name\":null}", {{BEFORE}}, 1,
     422, "\"pointer\":\"/name\",\"code\":\"required\"", "SELECT "},
    {"the body is judged before the tag", HTTP_PATCH, SHOW, "\"a5-9\"", "", "{\"name\":null}",
     {{BEFORE}}, 1, 422, "body_invalid", "SELECT "},

    /* the SKU */
    {"taken", HTTP_POST, LIST, "", "", TEA, {{CATEGORY}, {0}, {FAKE_ERROR(1062)}, {0}, {BEFORE}},
     5, 409, "\"code\":\"sku_taken\",\"request_id\":\"" API_FIXTURE_REQUEST_ID
     "\",\"errors\":[{\"pointer\":\"/sku\",\"code\":\"taken\","
     "\"message\":\"belongs to product 5\"}]", "SELECT START INSERT ROLLBACK SELECT "},
    {"taken by a deleted product", HTTP_PATCH, SHOW, "*", "", "{\"sku\":\"T-6\"}", {{BEFORE},
     {CATEGORY}, {0}, {FAKE_ERROR(1062)}, {0}, {GONE}}, 6, 409,
     "belongs to product 5, which is deleted", "SELECT SELECT START UPDATE ROLLBACK SELECT "},
    {"taken, and free again", HTTP_POST, LIST, "", "", TEA, {{CATEGORY}, {0}, {FAKE_ERROR(1062)},
     {0}, {ABSENT}}, 5, 409, "sku_taken", "SELECT START INSERT ROLLBACK SELECT "},

    /* the database */
    {"again after a deadlock", HTTP_POST, LIST, "", "", TEA, {{CATEGORY}, {0}, {FAKE_ERROR(1213)},
     {0}, {0}, {FAKE_WRITTEN(1, 5)}, {BEFORE}, {ONE_ROW}, {0}}, 9, 201, ANSWER("Tea", "10",
     "active", "1"), "SELECT START INSERT ROLLBACK START INSERT SELECT INSERT COMMIT "},
    {"lost while the audit row is written", HTTP_POST, LIST, "", "", TEA, {{CATEGORY}, {0},
     {FAKE_WRITTEN(1, 5)}, {BEFORE}, {FAKE_ERROR(2013)}}, 5, 503, "database_down",
     "SELECT START INSERT SELECT INSERT disconnect "},
    {"lost at COMMIT: nobody knows", HTTP_POST, LIST, "", "", TEA, {{CATEGORY}, {0},
     {FAKE_WRITTEN(1, 5)}, {BEFORE}, {ONE_ROW}, {FAKE_ERROR(2013)}}, 6, 503, "write_unknown",
     "SELECT START INSERT SELECT INSERT COMMIT disconnect "},
    {"no such table yet", HTTP_POST, LIST, "", "", TEA, {{CATEGORY}, {0}, {FAKE_WRITTEN(1, 5)},
     {BEFORE}, {FAKE_ERROR(1146)}, {0}}, 6, 503, "database_schema",
     "SELECT START INSERT SELECT INSERT ROLLBACK "},

    /* Idempotency-Key */
    {"a new key", HTTP_POST, LIST, "", "k1", TEA, {{NO_KEY}, {CATEGORY}, {ONE_ROW}, {ONE_ROW}, {0},
     {OPEN_KEY}, {FAKE_WRITTEN(1, 5)}, {BEFORE}, {ONE_ROW}, {ONE_ROW}, {0}}, 11, 201, ANSWER("Tea",
     "10", "active", "1"),
     "SELECT SELECT DELETE INSERT START SELECT INSERT SELECT INSERT UPDATE COMMIT "},
    {"old keys that cannot be pruned harm nobody", HTTP_POST, LIST, "", "k1", TEA, {{NO_KEY},
     {CATEGORY}, {FAKE_ERROR(1205)}, {ONE_ROW}, {0}, {OPEN_KEY}, {FAKE_WRITTEN(1, 5)}, {BEFORE},
     {ONE_ROW}, {ONE_ROW}, {0}}, 11, 201, ANSWER("Tea", "10", "active", "1"),
     "SELECT SELECT DELETE INSERT START SELECT INSERT SELECT INSERT UPDATE COMMIT "},
    {"a key whose request changed nothing", HTTP_POST, LIST, "", "k1", TEA, {{OPEN_KEY},
     {CATEGORY}, {0}, {OPEN_KEY}, {FAKE_WRITTEN(1, 5)}, {BEFORE}, {ONE_ROW}, {ONE_ROW}, {0}}, 9,
     201, ANSWER("Tea", "10", "active", "1"),
     "SELECT SELECT START SELECT INSERT SELECT INSERT UPDATE COMMIT "},
    {"answered before", HTTP_POST, LIST, "", "k1", TEA, {{DONE_KEY}}, 1, 201, "{\"id\":5}",
     "SELECT "},
    {"answered before, whatever is valid today", HTTP_POST, LIST, "", "k1", "{}", {{DONE_KEY}}, 1,
     201, "{\"id\":5}", "SELECT "},
    {"answered in this moment", HTTP_POST, LIST, "", "k1", TEA, {{OPEN_KEY}, {CATEGORY}, {0},
     {DONE_KEY}, {0}}, 5, 201, "{\"id\":5}", "SELECT SELECT START SELECT COMMIT "},
    {"another body", HTTP_POST, LIST, "", "k1", TEA, {{OTHER_KEY}}, 1, 422,
     "idempotency_key_reused", "SELECT "},
    {"another body, in this moment", HTTP_POST, LIST, "", "k1", TEA, {{OPEN_KEY}, {CATEGORY}, {0},
     {OTHER_KEY}, {0}}, 5, 422, "idempotency_key_reused", "SELECT SELECT START SELECT ROLLBACK "},
    {"still running (MySQL)", HTTP_POST, LIST, "", "k1", TEA, {{OPEN_KEY}, {CATEGORY}, {0},
     {FAKE_ERROR(3572)}, {0}}, 5, 409, "idempotency_in_progress",
     "SELECT SELECT START SELECT ROLLBACK "},
    {"still running (MariaDB)", HTTP_POST, LIST, "", "k1", TEA, {{OPEN_KEY}, {CATEGORY}, {0},
     {FAKE_ERROR(1205)}, {0}}, 5, 409, "idempotency_in_progress",
     "SELECT SELECT START SELECT ROLLBACK "},
    {"a bad body leaves no key", HTTP_POST, LIST, "", "k1", "{}", {{NO_KEY}}, 1, 422,
     "body_invalid", "SELECT "},
    {"a refused request leaves its key free", HTTP_POST, LIST, "", "k1", TEA, {{OPEN_KEY},
     {CATEGORY}, {0}, {OPEN_KEY}, {FAKE_ERROR(1062)}, {0}, {BEFORE}}, 7, 409, "sku_taken",
     "SELECT SELECT START SELECT INSERT ROLLBACK SELECT "},
    {"keys cannot be read", HTTP_POST, LIST, "", "k1", TEA, {{FAKE_ERROR(1146)}}, 1, 503,
     "database_schema", "SELECT "},
    {"a blank", HTTP_POST, LIST, "", "k 1", TEA, {{0}}, 0, 400, "idempotency_key_invalid", NULL},
    {"no ASCII", HTTP_POST, LIST, "", "k\xC3\xA9", TEA, {{0}}, 0, 400, "idempotency_key_invalid",
     NULL},
    {"restored once", HTTP_POST, BACK, "\"a5-2\"", "k1", "", {{NO_KEY}, {GONE}, {ONE_ROW},
     {ONE_ROW}, {0}, {OPEN_KEY}, {ONE_ROW}, {BEFORE}, {ONE_ROW}, {ONE_ROW}, {0}}, 11, 200,
     ANSWER("Tea", "10", "active", "1"),
     "SELECT SELECT DELETE INSERT START SELECT UPDATE SELECT INSERT UPDATE COMMIT "},
    {"restored before", HTTP_POST, BACK, "\"a5-2\"", "k1", "", {{DONE_KEY}}, 1, 201, "{\"id\":5}",
     "SELECT "},
    {"only a POST has keys", HTTP_DELETE, SHOW, "\"a5-1\"", "k1", "", {{BEFORE}, {0}, {ONE_ROW},
     {GONE}, {ONE_ROW}, {0}}, 6, 204, "", "SELECT START UPDATE SELECT INSERT COMMIT "},
};
/* clang-format on */
START_TEST(edit_stories)
{
    const struct story *r = &stories[_i];
    struct api_fixture f;
    char trace[256] = "";
    api_fixture_open(&f, r->answers, r->answer_count);
    f.req.authorization = SLICE(API_FIXTURE_EDITOR);
    f.req.if_match = slice_from_cstr(r->if_match);
    f.req.idempotency_key = slice_from_cstr(r->key);
    f.req.body = slice_from_cstr(r->body);
    const char *body = api_fixture_ask(&f, r->method, slice_from_cstr(r->target));
    ck_assert_msg(f.reply.status == r->status, "%s: %d %s", r->name, f.reply.status, body);
    ck_assert_msg(strstr(body, r->part) != NULL, "%s: %s", r->name, body);
    if (r->trace)
        snprintf(trace, sizeof trace, "connect set %s", r->trace);
    ck_assert_msg(strcmp(f.fake.trace, trace) == 0, "%s: %s", r->name, f.fake.trace);
    const char *retry_after = api_fixture_header(&f, "Retry-After");
    bool later = r->status == 503 || strcmp(r->part, "idempotency_in_progress") == 0;
    ck_assert_msg(!retry_after == !later, "%s", r->name);
    if (r->status < 300)
        ck_assert_ptr_nonnull(api_fixture_header(&f, "ETag"));
    api_fixture_close(&f);
}
END_TEST

/* ---- the statements ---- */

static const struct statement_row {
    enum http_method method;
    const char *target, *body;
    struct fake_answer answers[7];
    size_t answer_count, update; /* which statement changes the product */
    const char *want, *changes;
} statement_rows[] = {
    {HTTP_PUT,
     SHOW,
     FULL("It's", "0"),
     {{BEFORE}, {CATEGORY}, {0}, {ONE_ROW}, {PRODUCT("It's", "0", "active", "2")}, {ONE_ROW}, {0}},
     7,
     3,
     "UPDATE products SET sku = 'T-5', name = 'It\\'s', description = '', brand = NULL,"
     " category_id = 7, price_minor = 0, currency = 'USD', stock = 3, status = 0,"
     " version = version + 1, updated_at = UTC_TIMESTAMP(3) WHERE id = 5 AND version = 1"
     " AND deleted_at IS NULL",
     "'{\\\"name\\\":{\\\"before\\\":\\\"Tea\\\",\\\"after\\\":\\\"It\\'s\\\"},"
     "\\\"price_minor\\\":{\\\"before\\\":10,\\\"after\\\":0}}')"},
    {HTTP_DELETE,
     SHOW,
     "",
     {{BEFORE}, {0}, {ONE_ROW}, {GONE}, {ONE_ROW}, {0}},
     6,
     2,
     "UPDATE products SET deleted_at = UTC_TIMESTAMP(3), version = version + 1,"
     " updated_at = UTC_TIMESTAMP(3) WHERE id = 5 AND version = 1 AND deleted_at IS NULL",
     "'{\\\"status\\\":{\\\"before\\\":\\\"active\\\",\\\"after\\\":\\\"deleted\\\"}}')"},
    {HTTP_POST,
     BACK,
     "",
     {{GONE}, {0}, {ONE_ROW}, {BEFORE}, {ONE_ROW}, {0}},
     6,
     2,
     "UPDATE products SET deleted_at = NULL, version = version + 1,"
     " updated_at = UTC_TIMESTAMP(3) WHERE id = 5 AND version = 2 AND deleted_at IS NOT NULL",
     "'{\\\"status\\\":{\\\"before\\\":\\\"deleted\\\",\\\"after\\\":\\\"active\\\"}}')"},
};
START_TEST(edit_statements)
{
    const struct statement_row *r = &statement_rows[_i];
    struct api_fixture f;
    char audit[KIB(1)];
    api_fixture_open(&f, r->answers, r->answer_count);
    f.req.authorization = SLICE(API_FIXTURE_ADMIN);
    f.req.if_match = SLICE("*");
    f.req.body = slice_from_cstr(r->body);
    api_fixture_ask(&f, r->method, slice_from_cstr(r->target));
    ck_assert_text_eq(f.fake.statements[r->update], r->want);
    const struct slice got = f.fake.statements[r->update + 2];
    ck_assert(slice_to_cstr(got, audit, sizeof audit));
    ck_assert_ptr_nonnull(strstr(audit, "'sub-admin','Ada'"));
    ck_assert_str_eq(audit + got.len - strlen(r->changes), r->changes);
    api_fixture_close(&f);
}
END_TEST

/* The statements of a key: its row is found by one hash, that of the caller, the route and the key;
 * a second one, of path and body, tells another request. */
START_TEST(edit_key_statements)
{
    const struct fake_answer answers[] = {
        {NO_KEY}, {CATEGORY}, {ONE_ROW}, {ONE_ROW}, {0}, {OPEN_KEY}, {FAKE_WRITTEN(1, 5)},
        {BEFORE}, {ONE_ROW},  {ONE_ROW}, {0}};
    struct api_fixture f;
    char find[512], lock[512], keep[KIB(2)];
    api_fixture_open(&f, ARRAY(answers));
    f.req.authorization = SLICE(API_FIXTURE_EDITOR);
    f.req.idempotency_key = SLICE("k1");
    f.req.body = SLICE(TEA);
    api_fixture_ask(&f, HTTP_POST, SLICE(LIST));
    ck_assert_int_eq(f.reply.status, 201);
    ck_assert(slice_to_cstr(f.fake.statements[0], find, sizeof find) &&
              slice_to_cstr(f.fake.statements[5], lock, sizeof lock) &&
              slice_to_cstr(f.fake.statements[9], keep, sizeof keep));
    ck_assert_ptr_nonnull(strstr(find, " FROM idempotency_keys WHERE id = x'"));
    ck_assert_int_eq(strncmp(lock, find, strlen(find)), 0);
    ck_assert_str_eq(lock + strlen(find), " FOR UPDATE NOWAIT");
    ck_assert_text_eq(f.fake.statements[2],
                      "DELETE FROM idempotency_keys WHERE created_at < UTC_TIMESTAMP(3) - INTERVAL"
                      " 24 HOUR ORDER BY created_at LIMIT 10");
    /* What a client gets, and nothing else, is kept. */
    ck_assert_ptr_nonnull(
        strstr(keep, ", status = 201, content_type = 'application/json',"
                     " headers = 'Location: /v1/products/5\\r\\nETag: \\\"a5-1\\\"\\r\\n"));
    ck_assert_ptr_nonnull(strstr(keep, "body = '{\\\"id\\\":5,"));
    api_fixture_close(&f);
}
END_TEST

/* Who asks, with which key, for which route: each makes another row. Path and body make another
 * fingerprint alone. */
static const struct key_row {
    const char *authorization, *target, *key, *body;
    bool other_row, other_fingerprint;
} key_rows[] = {
    {API_FIXTURE_EDITOR, BACK, "k1", "", false, false},
    {API_FIXTURE_ADMIN, BACK, "k1", "", true, false},
    {API_FIXTURE_EDITOR, BACK, "k2", "", true, false},
    {API_FIXTURE_EDITOR, BACK, "K1", "", true, false},
    {API_FIXTURE_EDITOR, LIST, "k1", "", true, true},
    {API_FIXTURE_EDITOR, "/v1/products/6/restore", "k1", "", false, true},
    {API_FIXTURE_EDITOR, BACK, "k1", " ", false, true},
};
START_TEST(edit_key_rows)
{
    static const char fingerprint_before[] = "COALESCE(fingerprint = ", id_before[] = "WHERE id = ";
    char first[512] = "", other[512] = "";
    char *const texts[] = {first, other};
    for (size_t i = 0; i < 2; i++) {
        const struct key_row *r = &key_rows[i == 0 ? 0 : _i];
        const struct fake_answer answers[] = {{FAKE_ERROR(1146)}};
        struct api_fixture f;
        api_fixture_open(&f, ARRAY(answers));
        f.req.authorization = slice_from_cstr(r->authorization);
        f.req.idempotency_key = slice_from_cstr(r->key);
        f.req.if_match = SLICE("*");
        f.req.body = slice_from_cstr(r->body);
        api_fixture_ask(&f, HTTP_POST, slice_from_cstr(r->target));
        ck_assert(slice_to_cstr(f.fake.statements[0], texts[i], sizeof first));
        api_fixture_close(&f);
    }
    ck_assert_int_eq(strcmp(strstr(first, id_before), strstr(other, id_before)) != 0,
                     key_rows[_i].other_row);
    ck_assert_int_eq(strncmp(strstr(first, fingerprint_before), strstr(other, fingerprint_before),
                             sizeof fingerprint_before + 64) != 0,
                     key_rows[_i].other_fingerprint);
}
END_TEST

START_TEST(edit_replayed)
{
    const struct fake_answer answers[] = {{DONE_KEY}, {EMPTY_KEY}};
    struct api_fixture f;
    api_fixture_open(&f, ARRAY(answers));
    f.req.authorization = SLICE(API_FIXTURE_EDITOR);
    f.req.idempotency_key = SLICE("k1");
    f.req.body = SLICE(TEA);
    api_fixture_ask(&f, HTTP_POST, SLICE(LIST));
    ck_assert_str_eq(f.reply.content_type, "application/json");
    ck_assert_str_eq(api_fixture_header(&f, "ETag"), "\"a5-1\"");
    ck_assert_str_eq(api_fixture_header(&f, "Idempotent-Replayed"), "true");
    ck_assert_str_eq(api_fixture_ask(&f, HTTP_POST, SLICE(LIST)), "");
    ck_assert_int_eq(f.reply.status, 204);
    ck_assert_ptr_null(f.reply.content_type);
    api_fixture_close(&f);
}
END_TEST

static const size_t key_lengths[] = {1, 255, 256};
START_TEST(edit_key_lengths)
{
    static char key[256];
    const struct fake_answer answers[] = {{DONE_KEY}};
    bool good = key_lengths[_i] <= 255;
    struct api_fixture f;
    memset(key, '~', sizeof key);
    api_fixture_open(&f, answers, good ? 1 : 0);
    f.req.authorization = SLICE(API_FIXTURE_EDITOR);
    f.req.idempotency_key = (struct slice){key, key_lengths[_i]};
    api_fixture_ask(&f, HTTP_POST, SLICE(LIST));
    ck_assert_int_eq(f.reply.status, good ? 201 : 400);
    api_fixture_close(&f);
}
END_TEST

/* The longest product, escaped wherever that makes it longer, fits into every statement, and so
 * does what is written about it. */
static const char *const longest_characters[] = {"\xF0\x9F\x8D\xB5", "\"", "\n"};
START_TEST(edit_longest)
{
    static char texts[2][16001], names[2][801], json[KIB(48)];
    const char *character = longest_characters[_i];
    for (size_t i = 0; i < 2; i++) {
        struct buf text = BUF(texts[i]), name = BUF(names[i]);
        for (size_t k = i; k < 4000; k++)
            buf_add_cstr(&text, character);
        for (size_t k = i; k < 200; k++)
            buf_add_cstr(&name, character[0] == '\n' ? "'" : character);
        ck_assert(buf_cstr(&text) && buf_cstr(&name));
    }
    const struct fake_answer answers[] = {
        {FAKE_ROWS(14, "5", "T-5", names[0], texts[0], "Old", "tea", "1", "USD", "1", "1", "active",
                   "1", CREATED, CREATED)},
        {CATEGORY},
        {0},
        {ONE_ROW},
        {FAKE_ROWS(14, "5", "T-5", names[1], texts[1], "New", "tea", "1", "USD", "1", "1", "active",
                   "2", CREATED, CREATED)},
        {ONE_ROW},
        {0}};
    struct buf body = BUF(json);
    buf_add_cstr(&body, "{\"description\":\"");
    for (size_t k = 1; k < 4000; k++)
        buf_add_cstr(&body, _i == 0 ? "\\ud83c\\udf75" : _i == 1 ? "\\\"" : "\\n");
    buf_add_cstr(&body, "\"}");
    ck_assert(!body.full);
    struct api_fixture f;
    api_fixture_open(&f, ARRAY(answers));
    f.req.authorization = SLICE(API_FIXTURE_EDITOR);
    f.req.if_match = SLICE("*");
    f.req.body = buf_slice(&body);
    const char *answer = api_fixture_ask(&f, HTTP_PATCH, SLICE(SHOW));
    ck_assert_msg(f.reply.status == 200, "%.300s", answer);
    api_fixture_close(&f);
}
END_TEST

/* ---- who sees what ---- */

static const struct seen_row {
    const char *authorization, *cache_control;
    int status;
    bool all; /* drafts and deleted ones, too */
} seen_rows[] = {
    {"", "no-cache", 200, false},
    {API_FIXTURE_USER, "private, no-cache", 200, false},
    {API_FIXTURE_EDITOR, "private, no-cache", 200, true},
    {API_FIXTURE_ADMIN, "private, no-cache", 200, true},
    {"Bearer nobody", "no-store", 401, false}, /* an expired token must not read as 404 */
    {"Basic ZWRpdG9yOg==", "no-store", 401, false},
};
START_TEST(edit_seen)
{
    const struct seen_row *r = &seen_rows[_i];
    const struct fake_answer answers[] = {{BEFORE}};
    struct api_fixture f;
    char statement[KIB(1)];
    api_fixture_open(&f, answers, r->status == 200 ? 1 : 0);
    f.req.authorization = slice_from_cstr(r->authorization);
    api_fixture_get(&f, SHOW);
    ck_assert_int_eq(f.reply.status, r->status);
    ck_assert_str_eq(api_fixture_header(&f, "Cache-Control"), r->cache_control);
    if (r->status == 200) {
        ck_assert_str_eq(api_fixture_header(&f, "Vary"), "Authorization");
        ck_assert(slice_to_cstr(f.fake.statements[0], statement, sizeof statement));
        ck_assert_int_eq(strstr(statement, "listed") == NULL, r->all);
    }
    api_fixture_close(&f);
}
END_TEST

void api_product_edit(struct suite *s)
{
    suite_test(s, create_product);
    suite_rows(s, create_refused, COUNT(caller_rows));
    suite_rows(s, edit_stories, COUNT(stories));
    suite_rows(s, edit_statements, COUNT(statement_rows));
    suite_test(s, edit_key_statements);
    suite_rows(s, edit_key_rows, COUNT(key_rows));
    suite_test(s, edit_replayed);
    suite_rows(s, edit_key_lengths, COUNT(key_lengths));
    suite_rows(s, edit_longest, COUNT(longest_characters));
    suite_rows(s, edit_seen, COUNT(seen_rows));
}
