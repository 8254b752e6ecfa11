#include "fcgi/api/products.h"

#include "common/base/base64url.h"
#include "fcgi/api/products_store.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/api_fixture.h"
#include "tests/unit/support/assert.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS                                                                                    \
    "p.id, p.sku, p.name, p.description, p.brand, c.category_key, p.price_minor, p.currency, "     \
    "p.stock, p.in_stock,"                                                                         \
    " IF(p.deleted_at IS NULL, IF(p.status = 0, 'active', 'draft'), 'deleted'),"                   \
    " p.version, p.created_at, p.updated_at"
#define LIST      "SELECT STRAIGHT_JOIN " COLUMNS " FROM products p"
#define JOIN      " JOIN categories c ON c.id = p.category_id WHERE p.listed = 1"
#define COUNT_SQL "SELECT COUNT(*) FROM (SELECT 1 FROM products p WHERE p.listed = 1"

/* The cells of a row as the database sends them. */
#define CREATED "2026-11-22 21:07:11.123"
#define CELLS(id, sku, name, price)                                                                \
    id, sku, name, "", NULL, "tea", price, "USD", "3", "1", "active", "1", CREATED, CREATED
#define ITEM(id, sku, name, price)                                                                 \
    "{\"id\":" id ",\"sku\":\"" sku "\",\"name\":\"" name                                          \
    "\",\"description\":\"\",\"brand\":null,"                                                      \
    "\"category\":\"tea\",\"price_minor\":" price ",\"currency\":\"USD\",\"stock\":3,"             \
    "\"in_stock\":true,\"status\":\"active\",\"version\":1,"                                       \
    "\"created_at\":\"2026-11-22T21:07:11.123Z\",\"updated_at\":\"2026-11-22T21:07:11.123Z\"}"

static const struct fake_answer no_rows[] = {{FAKE_NO_ROWS(14)}, {FAKE_ROWS(1, "0")}};

/* ---- the statement of a list ---- */

static const struct statement_row {
    const char *target, *want;
} statement_rows[] = {
    /* one index holds exactly the page's rows in their order: it is named */
    {"/v1/products", LIST " FORCE INDEX (ix_products_newest)" JOIN " ORDER BY p.id DESC LIMIT 21"},
    {"/v1/products?sort=newest",
     LIST " FORCE INDEX (ix_products_newest)" JOIN " ORDER BY p.id DESC LIMIT 21"},
    {"/v1/products?sort=price",
     LIST " FORCE INDEX (ix_products_price)" JOIN " ORDER BY p.price_minor, p.id LIMIT 21"},
    {"/v1/products?sort=-price", LIST " FORCE INDEX (ix_products_price)" JOIN
                                      " ORDER BY p.price_minor DESC, p.id DESC LIMIT 21"},
    {"/v1/products?sort=name",
     LIST " FORCE INDEX (ix_products_name)" JOIN " ORDER BY p.name, p.id LIMIT 21"},
    {"/v1/products?category=tea",
     LIST " FORCE INDEX (ix_products_category_newest)" JOIN
          " AND p.category_id = (SELECT id FROM categories WHERE category_key = 'tea')"
          " ORDER BY p.id DESC LIMIT 21"},
    {"/v1/products?category=tea&sort=price",
     LIST " FORCE INDEX (ix_products_category_price)" JOIN
          " AND p.category_id = (SELECT id FROM categories WHERE category_key = 'tea')"
          " ORDER BY p.price_minor, p.id LIMIT 21"},
    {"/v1/products?sort=-price&category=tea",
     LIST " FORCE INDEX (ix_products_category_price)" JOIN
          " AND p.category_id = (SELECT id FROM categories WHERE category_key = 'tea')"
          " ORDER BY p.price_minor DESC, p.id DESC LIMIT 21"},
    {"/v1/products?category=tea&sort=name",
     LIST " FORCE INDEX (ix_products_category_name)" JOIN
          " AND p.category_id = (SELECT id FROM categories WHERE category_key = 'tea')"
          " ORDER BY p.name, p.id LIMIT 21"},
    /* other filters are the optimizer's: no index is named */
    {"/v1/products?brand=Oolong", LIST JOIN " AND p.brand = 'Oolong' ORDER BY p.id DESC LIMIT 21"},
    {"/v1/products?in_stock=true", LIST JOIN " AND p.in_stock = 1 ORDER BY p.id DESC LIMIT 21"},
    {"/v1/products?in_stock=false", LIST JOIN " AND p.in_stock = 0 ORDER BY p.id DESC LIMIT 21"},
    {"/v1/products?price_min=0", LIST JOIN " AND p.price_minor >= 0 ORDER BY p.id DESC LIMIT 21"},
    {"/v1/products?price_max=999999999999&sort=price",
     LIST JOIN " AND p.price_minor <= 999999999999 ORDER BY p.price_minor, p.id LIMIT 21"},
    {"/v1/products?category=tea&brand=Oolong&price_min=100&price_max=100&in_stock=true&sort=name"
     "&limit=100",
     LIST JOIN " AND p.category_id = (SELECT id FROM categories WHERE category_key = 'tea')"
               " AND p.brand = 'Oolong' AND p.price_minor >= 100 AND p.price_minor <= 100"
               " AND p.in_stock = 1 ORDER BY p.name, p.id LIMIT 101"},
    /* one row more than the page shows */
    {"/v1/products?limit=1",
     LIST " FORCE INDEX (ix_products_newest)" JOIN " ORDER BY p.id DESC LIMIT 2"},
    {"/v1/products?limit=100",
     LIST " FORCE INDEX (ix_products_newest)" JOIN " ORDER BY p.id DESC LIMIT 101"},
    /* values are decoded, bound and escaped */
    {"/v1/products?brand=O%27Neill%5C%22%0A%1A",
     LIST JOIN " AND p.brand = 'O\\'Neill\\\\\\\"\\n\\Z' ORDER BY p.id DESC LIMIT 21"},
    {"/v1/products?brand=%27%20OR%201%3D1%20--%20%23",
     LIST JOIN " AND p.brand = '\\' OR 1=1 -- #' ORDER BY p.id DESC LIMIT 21"},
    {"/v1/products?brand=a?b+%3F", LIST JOIN " AND p.brand = 'a?b ?' ORDER BY p.id DESC LIMIT 21"},
    {"/v1/products?category=Th%C3%A9%20%F0%9F%8D%B5",
     LIST " FORCE INDEX (ix_products_category_newest)" JOIN
          " AND p.category_id = (SELECT id FROM categories WHERE category_key = "
          "'Th\xC3\xA9 \xF0\x9F\x8D\xB5') ORDER BY p.id DESC LIMIT 21"},
};
START_TEST(list_statements)
{
    const struct statement_row *r = &statement_rows[_i];
    struct api_fixture f;
    api_fixture_open(&f, no_rows, 1);
    ck_assert_str_eq(api_fixture_get(&f, r->target), "{\"items\":[],\"next_cursor\":null}");
    ck_assert_int_eq(f.reply.status, 200);
    ck_assert_str_eq(f.reply.content_type, "application/json");
    ck_assert_text_eq(buf_slice(&f.reply.headers), "Cache-Control: no-cache\r\n");
    ck_assert_text_eq(f.fake.statements[0], r->want);
    ck_assert_str_eq(f.fake.trace, "connect set SELECT ");
    api_fixture_close(&f);
}
END_TEST

/* The longest values a client may send, all of them escaped, still make a statement that does not
 * pin a proxy's connection. */
START_TEST(list_statement_at_its_longest)
{
    struct api_fixture f;
    char target[KIB(4)];
    struct buf out = BUF(target);
    api_fixture_open(&f, no_rows, 1);
    buf_add(&out, SLICE("/v1/products?price_min=999999999999&price_max=999999999999&category="));
    for (int i = 0; i < 100; i++)
        buf_add(&out, SLICE("%27"));
    buf_add(&out, SLICE("&brand="));
    for (int i = 0; i < 100; i++)
        buf_add(&out, SLICE("%F0%9F%8D%B5"));
    api_fixture_ask(&f, HTTP_GET, buf_slice(&out));
    ck_assert_int_eq(f.reply.status, 200);
    ck_assert_uint_lt(f.fake.statements[0].len, SQL_PIN_BYTES);
    api_fixture_close(&f);
}
END_TEST

/* ---- rows become items ---- */

START_TEST(list_items)
{
    struct api_fixture f;
    const struct fake_answer answers[] = {
        {FAKE_ROWS(14, "2", "K-2", "Kettle \"Zen\"", "Line\nbreak\\", "Br\xC3\xBC", "tea/green",
                   "0", "EUR", "0", "0", "draft", "17", "2026-01-02 03:04:05.006",
                   "2026-11-22 21:07:11.123", CELLS("1", "T-1", "Tea", "999999999999"))}};
    api_fixture_open(&f, answers, 1);
    ck_assert_str_eq(
        api_fixture_get(&f, "/v1/products?limit=2"),
        "{\"items\":[{\"id\":2,\"sku\":\"K-2\",\"name\":\"Kettle \\\"Zen\\\"\","
        "\"description\":\"Line\\nbreak\\\\\",\"brand\":\"Br\xC3\xBC\","
        "\"category\":\"tea/green\",\"price_minor\":0,\"currency\":\"EUR\",\"stock\":0,"
        "\"in_stock\":false,\"status\":\"draft\",\"version\":17,"
        "\"created_at\":\"2026-01-02T03:04:05.006Z\","
        "\"updated_at\":\"2026-11-22T21:07:11.123Z\"}," ITEM(
            "1", "T-1", "Tea", "999999999999") "],\"next_cursor\":null}");
    api_fixture_close(&f);
}
END_TEST

/* Whether there is a next page is told by the one row too many. */
static const struct page_row {
    const char *limit;
    size_t rows, items;
    bool more;
} page_rows[] = {
    {"1", 0, 0, false}, {"1", 1, 1, false}, {"1", 2, 1, true},
    {"2", 1, 1, false}, {"2", 2, 2, false}, {"2", 3, 2, true},
};
START_TEST(list_pages)
{
    const struct page_row *r = &page_rows[_i];
    const char *cells[] = {CELLS("3", "a", "A", "1"), CELLS("2", "b", "B", "1"),
                           CELLS("1", "c", "C", "1")};
    const struct fake_answer answers[] = {
        {.columns = 14, .cells = cells, .cell_count = r->rows * 14}};
    struct api_fixture f;
    char target[64];
    api_fixture_open(&f, answers, 1);
    snprintf(target, sizeof target, "/v1/products?limit=%s", r->limit);
    cJSON *page = cJSON_Parse(api_fixture_get(&f, target));
    ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(page, "items")),
                     (int)r->items);
    const cJSON *next = cJSON_GetObjectItemCaseSensitive(page, "next_cursor");
    ck_assert(r->more ? cJSON_IsString(next) : cJSON_IsNull(next));
    cJSON_Delete(page);
    api_fixture_close(&f);
}
END_TEST

/* ---- the cursor of a page leads to the next ---- */

/* The first page of `query` with one item, whose next_cursor is copied to `ret`. */
static void first_page(const struct fake_answer *answer, const char *query, char *ret, size_t cap)
{
    struct api_fixture f;
    char target[256];
    api_fixture_open(&f, answer, 1);
    snprintf(target, sizeof target, "/v1/products?limit=1%s", query);
    cJSON *page = cJSON_Parse(api_fixture_get(&f, target));
    const char *cursor =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(page, "next_cursor"));
    ck_assert_ptr_nonnull(cursor);
    snprintf(ret, cap, "%s", cursor);
    cJSON_Delete(page);
    api_fixture_close(&f);
}

#define TWO_ROWS(name, price)                                                                      \
    {                                                                                              \
        FAKE_ROWS(14, CELLS("42", "a", name, price), CELLS("41", "b", "B", "7"))                   \
    }
static const struct fake_answer page_answer = TWO_ROWS("L'\\\xC3\xA9t\xC3\xA9", "1999");

static const struct next_row {
    const char *query, *want; /* the condition, between the filters and the order */
} next_rows[] = {
    {"", JOIN " AND p.id < 42 ORDER BY p.id DESC LIMIT"},
    {"&sort=newest", JOIN " AND p.id < 42 ORDER BY p.id DESC LIMIT"},
    {"&sort=price", JOIN " AND (p.price_minor > 1999 OR (p.price_minor = 1999 AND p.id > 42))"
                         " ORDER BY p.price_minor, p.id LIMIT"},
    {"&sort=-price", JOIN " AND (p.price_minor < 1999 OR (p.price_minor = 1999 AND p.id < 42))"
                          " ORDER BY p.price_minor DESC, p.id DESC LIMIT"},
    {"&sort=name", JOIN " AND (p.name > 'L\\'\\\\\xC3\xA9t\xC3\xA9' OR (p.name = "
                        "'L\\'\\\\\xC3\xA9t\xC3\xA9' AND p.id > 42)) ORDER BY p.name, p.id LIMIT"},
    {"&in_stock=true&sort=price&brand=x",
     JOIN " AND p.brand = 'x' AND p.in_stock = 1 AND (p.price_minor > 1999"
          " OR (p.price_minor = 1999 AND p.id > 42)) ORDER BY p.price_minor, p.id LIMIT"},
};
START_TEST(list_next_page)
{
    const struct next_row *r = &next_rows[_i];
    struct api_fixture f;
    char cursor[512], target[1024], sql[KIB(2)];
    first_page(&page_answer, r->query, cursor, sizeof cursor);
    api_fixture_open(&f, no_rows, 1);
    /* the page size may change on the way, and the order of the parameters */
    snprintf(target, sizeof target, "/v1/products?cursor=%s%s&limit=50", cursor, r->query);
    api_fixture_get(&f, target);
    ck_assert_int_eq(f.reply.status, 200);
    snprintf(sql, sizeof sql, "%.*s", SLICE_ARG(f.fake.statements[0]));
    ck_assert_msg(strstr(sql, r->want) != NULL, "%s", sql);
    ck_assert_ptr_nonnull(strstr(sql, " LIMIT 51"));
    api_fixture_close(&f);
}
END_TEST

static const struct carried_row {
    const char *from, *to;
    bool good;
} carried_rows[] = {
    {"", "", true},
    {"", "&include=total", true},
    {"", "&sort=newest", true},
    {"&sort=price&brand=a", "&brand=a&sort=price", true},
    {"", "&sort=price", false},
    {"&sort=price", "&sort=-price", false},
    {"&sort=price", "", false},
    {"", "&category=tea", false},
    {"&category=tea", "&category=te", false},
    {"&category=tea", "&brand=tea", false},
    {"&category=a&brand=b", "&category=b&brand=a", false},
    {"&price_min=1", "", false},
    {"&price_min=1", "&price_max=1", false},
    {"&price_min=0", "", false},
    {"&in_stock=false", "", false},
    {"&in_stock=false", "&in_stock=true", false},
    {"&brand=a%22%2C%22x", "&brand=a", false},
};
START_TEST(list_cursor_of_another_query)
{
    const struct carried_row *r = &carried_rows[_i];
    struct api_fixture f;
    char cursor[512], target[1024];
    first_page(&page_answer, r->from, cursor, sizeof cursor);
    bool total = strstr(r->to, "total") != NULL;
    api_fixture_open(&f, no_rows, r->good ? 1 + total : 0);
    snprintf(target, sizeof target, "/v1/products?cursor=%s%s", cursor, r->to);
    const char *body = api_fixture_get(&f, target);
    ck_assert_int_eq(f.reply.status, r->good ? 200 : 400);
    ck_assert_int_eq(strstr(body, "\"code\":\"cursor_invalid\"") == NULL, r->good);
    api_fixture_close(&f);
}
END_TEST

/* The longest name there can be, of four-byte characters, makes a cursor that is accepted. */
START_TEST(list_longest_cursor)
{
    char name[801], cursor[KIB(2)], target[KIB(4)];
    struct api_fixture f;
    for (size_t i = 0; i < 200; i++)
        memcpy(name + 4 * i, "\xF0\x9F\x8D\xB5", 5);
    const struct fake_answer long_name[] = {TWO_ROWS(name, "1")};
    first_page(long_name, "&sort=name", cursor, sizeof cursor);
    api_fixture_open(&f, no_rows, 1);
    snprintf(target, sizeof target, "/v1/products?sort=name&cursor=%s", cursor);
    api_fixture_get(&f, target);
    ck_assert_int_eq(f.reply.status, 200);
    api_fixture_close(&f);
}
END_TEST

/* ---- totals ---- */

static const struct total_row {
    const char *target, *counted, *body, *sql;
} total_rows[] = {
    {"/v1/products?include=total", "0",
     "{\"items\":[],\"next_cursor\":null,\"total\":0,\"total_is_estimate\":false}",
     COUNT_SQL " LIMIT 10001) AS counted"},
    {"/v1/products?include=total,total", "9999",
     "{\"items\":[],\"next_cursor\":null,\"total\":9999,\"total_is_estimate\":false}",
     COUNT_SQL " LIMIT 10001) AS counted"},
    {"/v1/products?include=total", "10000",
     "{\"items\":[],\"next_cursor\":null,\"total\":10000,\"total_is_estimate\":false}",
     COUNT_SQL " LIMIT 10001) AS counted"},
    {"/v1/products?include=total", "10001",
     "{\"items\":[],\"next_cursor\":null,\"total\":10000,\"total_is_estimate\":true}",
     COUNT_SQL " LIMIT 10001) AS counted"},
    {"/v1/products?include=total&category=tea&brand=a&in_stock=true&price_min=1&price_max=2", "1",
     "{\"items\":[],\"next_cursor\":null,\"total\":1,\"total_is_estimate\":false}",
     COUNT_SQL " AND p.category_id = (SELECT id FROM categories WHERE category_key = 'tea')"
               " AND p.brand = 'a' AND p.price_minor >= 1 AND p.price_minor <= 2"
               " AND p.in_stock = 1 LIMIT 10001) AS counted"},
};
START_TEST(list_totals)
{
    const struct total_row *r = &total_rows[_i];
    const struct fake_answer answers[] = {{FAKE_NO_ROWS(14)}, {FAKE_ROWS(1, r->counted)}};
    struct api_fixture f;
    api_fixture_open(&f, answers, 2);
    ck_assert_str_eq(api_fixture_get(&f, r->target), r->body);
    ck_assert_text_eq(f.fake.statements[1], r->sql);
    api_fixture_close(&f);
}
END_TEST

/* The total counts what the filters say, not what is left behind the cursor. */
START_TEST(list_total_ignores_the_cursor)
{
    struct api_fixture f;
    char cursor[512], target[1024];
    first_page(&page_answer, "", cursor, sizeof cursor);
    api_fixture_open(&f, no_rows, 2);
    snprintf(target, sizeof target, "/v1/products?include=total&cursor=%s", cursor);
    api_fixture_get(&f, target);
    ck_assert_text_eq(f.fake.statements[1], COUNT_SQL " LIMIT 10001) AS counted");
    api_fixture_close(&f);
}
END_TEST

/* ---- what is refused before any statement runs ---- */

#define PROBLEM(code, detail, errors)                                                              \
    "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,\"detail\":\"" detail      \
    "\",\"instance\":\"/v1/products\",\"code\":\"" code                                            \
    "\",\"request_id\":\"" API_FIXTURE_REQUEST_ID "\"" errors "}"
#define QUERY_PROBLEM(errors)                                                                      \
    PROBLEM("query_invalid", "The query string has invalid parameters.", ",\"errors\":[" errors "]")
#define FAULT(name, code, message)                                                                 \
    "{\"pointer\":\"/query/" name "\",\"code\":\"" code "\",\"message\":\"" message "\"}"

static const struct bad_query_row {
    const char *query, *problem;
} bad_query_rows[] = {
    {"limit=0", QUERY_PROBLEM(FAULT("limit", "range", "must be a whole number from 1 to 100"))},
    {"limit=101", QUERY_PROBLEM(FAULT("limit", "range", "must be a whole number from 1 to 100"))},
    {"limit=", QUERY_PROBLEM(FAULT("limit", "type", "must be a whole number from 1 to 100"))},
    {"sort=random",
     QUERY_PROBLEM(FAULT("sort", "choice", "must be one of newest|price|-price|name"))},
    {"in_stock=1", QUERY_PROBLEM(FAULT("in_stock", "type", "must be true or false"))},
    {"price_min=-1",
     QUERY_PROBLEM(FAULT("price_min", "range", "must be a whole number from 0 to 999999999999"))},
    {"price_max=1000000000000",
     QUERY_PROBLEM(FAULT("price_max", "range", "must be a whole number from 0 to 999999999999"))},
    {"price_min=2&price_max=1",
     QUERY_PROBLEM(FAULT("price_max", "range", "must not be below price_min"))},
    {"category=", QUERY_PROBLEM(FAULT("category", "length", "must have 1 to 100 characters"))},
    {"brand=+a", QUERY_PROBLEM(FAULT("brand", "blanks", "must not begin or end with a blank"))},
    {"category=a%09",
     QUERY_PROBLEM(FAULT("category", "blanks", "must not begin or end with a blank"))},
    {"brand=%ff", QUERY_PROBLEM(FAULT("brand", "encoding", "is not percent-encoded UTF-8"))},
    {"brand=%00", QUERY_PROBLEM(FAULT("brand", "encoding", "is not percent-encoded UTF-8"))},
    {"include=facets",
     QUERY_PROBLEM(FAULT("include", "choice", "must be a comma-separated list out of total"))},
    {"page=2", QUERY_PROBLEM(FAULT("page", "unknown", "is no parameter here"))},
    {"limit=5&limit=5", QUERY_PROBLEM(FAULT("limit", "repeated", "is given more than once"))},
    {"cursor=", QUERY_PROBLEM(FAULT("cursor", "length", "must have 1 to 1200 characters"))},
    {"limit=x&page=2&in_stock=yes",
     QUERY_PROBLEM(FAULT("limit", "type", "must be a whole number from 1 to 100") "," FAULT(
         "page", "unknown", "is no parameter here") "," FAULT("in_stock", "type",
                                                              "must be true or false"))},
    {"cursor=AAAA", PROBLEM("cursor_invalid",
                            "The cursor is not valid for this query; start again without it.", "")},
};
START_TEST(list_bad_queries)
{
    const struct bad_query_row *r = &bad_query_rows[_i];
    struct api_fixture f;
    char target[256];
    api_fixture_open(&f, NULL, 0);
    snprintf(target, sizeof target, "/v1/products?%s", r->query);
    ck_assert_str_eq(api_fixture_get(&f, target), r->problem);
    ck_assert_int_eq(f.reply.status, 400);
    ck_assert_str_eq(f.reply.content_type, "application/problem+json");
    ck_assert_uint_eq(f.fake.connects_seen, 0);
    api_fixture_close(&f);
}
END_TEST

/* ---- one product ---- */

#define SHOW(id)                                                                                   \
    "SELECT " COLUMNS                                                                              \
    " FROM products p JOIN categories c ON c.id = p.category_id WHERE p.id = " id                  \
    " AND p.listed = 1"

static const struct fake_answer product_5[] = {
    {FAKE_ROWS(14, "5", "T-5", "Tea", "", NULL, "tea", "10", "USD", "3", "1", "active", "1",
               CREATED, CREATED)}};

START_TEST(show_product)
{
    struct api_fixture f;
    api_fixture_open(&f, product_5, 1);
    ck_assert_str_eq(api_fixture_get(&f, "/v1/products/5"), ITEM("5", "T-5", "Tea", "10"));
    ck_assert_int_eq(f.reply.status, 200);
    ck_assert_str_eq(api_fixture_header(&f, "ETag"), "\"a5-1\"");
    ck_assert_str_eq(api_fixture_header(&f, "Cache-Control"), "no-cache");
    ck_assert_text_eq(f.fake.statements[0], SHOW("5"));
    api_fixture_close(&f);
}
END_TEST

START_TEST(show_percent_encoded_id)
{
    struct api_fixture f;
    api_fixture_open(&f, product_5, 1);
    ck_assert_str_eq(api_fixture_get(&f, "/v1/products/%35"), ITEM("5", "T-5", "Tea", "10"));
    api_fixture_close(&f);
}
END_TEST

static const struct etag_row {
    const char *if_none_match;
    int status;
} etag_rows[] = {
    {"\"a5-1\"", 304},         {"W/\"a5-1\"", 304}, {"*", 304},        {"\"x\", \"a5-1\"", 304},
    {"\"x\",W/\"a5-1\"", 304}, {"\"a5-2\"", 200},   {"\"a6-1\"", 200}, {"a5-1", 200},
    {"\"A5-1\"", 200},         {"", 200},           {"\"\"", 200},     {",,", 200},
};
START_TEST(show_etag)
{
    const struct etag_row *r = &etag_rows[_i];
    struct api_fixture f;
    api_fixture_open(&f, product_5, 1);
    f.req.if_none_match = slice_from_cstr(r->if_none_match);
    const char *body = api_fixture_get(&f, "/v1/products/5");
    ck_assert_int_eq(f.reply.status, r->status);
    ck_assert_str_eq(api_fixture_header(&f, "ETag"), "\"a5-1\"");
    ck_assert_str_eq(api_fixture_header(&f, "Cache-Control"), "no-cache");
    if (r->status == 304) {
        ck_assert_ptr_null(f.reply.content_type);
        ck_assert_str_eq(body, "");
    } else {
        ck_assert_str_eq(body, ITEM("5", "T-5", "Tea", "10"));
    }
    api_fixture_close(&f);
}
END_TEST

/* The tag says which product and which version of it. */
START_TEST(show_etag_values)
{
    const struct fake_answer answers[] = {
        {FAKE_ROWS(14, "9223372036854775807", "a", "A", "", NULL, "tea", "1", "USD", "1", "1",
                   "active", "9223372036854775807", CREATED, CREATED)}};
    struct api_fixture f;
    api_fixture_open(&f, answers, 1);
    api_fixture_get(&f, "/v1/products/9223372036854775807");
    ck_assert_str_eq(api_fixture_header(&f, "ETag"),
                     "\"a9223372036854775807-9223372036854775807\"");
    ck_assert_text_eq(f.fake.statements[0], SHOW("9223372036854775807"));
    api_fixture_close(&f);
}
END_TEST

/* What cannot be an id is absent, like an id that nobody has; no statement is spent on it. */
static const struct id_row {
    const char *id;
    size_t statements;
} id_rows[] = {
    {"77", 1},   {"0", 0},    {"-1", 0},  {"1.0", 0},
    {"01", 0},   {"+1", 0},   {"x", 0},   {"9223372036854775808", 0},
    {"1%20", 0}, {"%271", 0}, {"1e3", 0}, {"\xF0\x9F\x8D\xB5", 0},
};
START_TEST(show_absent)
{
    const struct id_row *r = &id_rows[_i];
    const struct fake_answer answers[] = {{FAKE_NO_ROWS(14)}};
    struct api_fixture f;
    char target[64], want[512];
    api_fixture_open(&f, answers, r->statements);
    snprintf(target, sizeof target, "/v1/products/%s", r->id);
    snprintf(want, sizeof want,
             "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
             "\"detail\":\"There is no product with this id.\",\"instance\":\"%s\","
             "\"code\":\"product_absent\",\"request_id\":\"" API_FIXTURE_REQUEST_ID "\"}",
             target);
    ck_assert_str_eq(api_fixture_get(&f, target), want);
    ck_assert_int_eq(f.reply.status, 404);
    ck_assert_ptr_null(api_fixture_header(&f, "ETag"));
    ck_assert_str_eq(api_fixture_header(&f, "Cache-Control"), "no-store");
    api_fixture_close(&f);
}
END_TEST

/* ---- the database fails ---- */

#define DOWN   "\"status\":503", "\"code\":\"database_down\"", "1"
#define SCHEMA "\"status\":503", "\"code\":\"database_schema\"", "1"
#define OURS   "\"status\":500", "\"code\":\"internal\"", NULL

static const struct failure_row {
    const char *name, *target;
    struct fake_answer answers[3];
    size_t count;
    const char *status, *code, *retry_after, *cause;
} failure_rows[] = {
    {"lost twice", "/v1/products", {{FAKE_ERROR(2013)}, {FAKE_ERROR(2006)}}, 2, DOWN, "2006"},
    {"shut down", "/v1/products/5", {{FAKE_ERROR(1053)}, {FAKE_ERROR(1053)}}, 2, DOWN, "1053"},
    {"slow to be lost", "/v1/products", {{FAKE_ERROR(2013), .takes_ms = 5000}}, 1, DOWN, "2013"},
    {"lost while counting",
     "/v1/products?include=total",
     {{FAKE_NO_ROWS(14)}, {FAKE_ERROR(2013), .takes_ms = 5000}},
     2,
     DOWN,
     "2013"},
    {"no table", "/v1/products", {{FAKE_ERROR(1146)}}, 1, SCHEMA, "1146"},
    {"a statement the server refuses", "/v1/products", {{FAKE_ERROR(1064)}}, 1, OURS, "1064"},
    {"other columns", "/v1/products", {{FAKE_ROWS(2, "1", "2")}}, 1, OURS, "2 columns"},
    {"NULL for a number",
     "/v1/products/5",
     {{FAKE_ROWS(14, NULL, "a", "A", "", NULL, "tea", "1", "USD", "1", "1", "active", "1", CREATED,
                 CREATED)}},
     1,
     OURS,
     "column 1 "},
    {"a bad row behind a good one",
     "/v1/products",
     {{FAKE_ROWS(14, CELLS("2", "a", "A", "1"), CELLS("1", "b", "B", "x"))}},
     1,
     OURS,
     "column 7 "},
    {"no row from COUNT",
     "/v1/products?include=total",
     {{FAKE_NO_ROWS(14)}, {FAKE_NO_ROWS(1)}},
     2,
     OURS,
     "COUNT"},
};
START_TEST(database_failures)
{
    const struct failure_row *r = &failure_rows[_i];
    struct api_fixture f;
    api_fixture_open(&f, r->answers, r->count);
    const char *body = api_fixture_get(&f, r->target);
    ck_assert_msg(strstr(body, r->status) && strstr(body, r->code), "%s: %s", r->name, body);
    ck_assert_int_eq(body[0], '{'); /* nothing of the answer that was begun is left */
    ck_assert_ptr_null(strstr(body, "items"));
    ck_assert_ptr_null(strstr(body, r->cause)); /* for the log only */
    const char *retry_after = api_fixture_header(&f, "Retry-After");
    ck_assert(r->retry_after ? strcmp(retry_after, r->retry_after) == 0 : !retry_after);
    const char *log = api_fixture_log(&f);
    ck_assert_msg(strstr(log, "\"level\":\"ERROR\",\"event\":\"request.failed\"") &&
                      strstr(log, r->cause) && strchr(log, '\n') == strrchr(log, '\n'),
                  "%s: %s", r->name, log);
    api_fixture_close(&f);
}
END_TEST

START_TEST(database_away)
{
    static const unsigned refused[] = {2003};
    struct api_fixture f;
    api_fixture_open(&f, NULL, 0);
    f.fake.connects = refused;
    f.fake.connect_count = 1;
    for (int i = 0; i < 3; i++) { /* one try; the next requests do not pay for another */
        api_fixture_get(&f, i == 1 ? "/v1/products/5" : "/v1/products");
        ck_assert_int_eq(f.reply.status, 503);
        ck_assert_str_eq(api_fixture_header(&f, "Retry-After"), "1");
    }
    ck_assert_uint_eq(f.fake.connects_seen, 1);
    api_fixture_get(&f, "/"); /* what needs no database goes on */
    ck_assert_int_eq(f.reply.status, 200);
    api_fixture_close(&f);
}
END_TEST

/* A connection that was lost while idle costs a reader nothing. */
START_TEST(database_comes_back)
{
    const struct fake_answer answers[] = {{FAKE_ERROR(2006)}, product_5[0]};
    struct api_fixture f;
    api_fixture_open(&f, answers, 2);
    ck_assert_str_eq(api_fixture_get(&f, "/v1/products/5"), ITEM("5", "T-5", "Tea", "10"));
    ck_assert_int_eq(f.reply.status, 200);
    ck_assert_str_eq(f.fake.trace, "connect set SELECT disconnect connect set SELECT ");
    ck_assert_str_eq(api_fixture_log(&f), "");
    api_fixture_close(&f);
}
END_TEST

/* ---- the largest page fits ---- */

START_TEST(list_at_its_largest)
{
    static char description[16001], name[801], brand[401], sku[257];
    const char *cells[101 * 14], *row[14] = {"9223372036854775807",
                                             sku,
                                             name,
                                             description,
                                             brand,
                                             brand,
                                             "999999999999",
                                             "USD",
                                             "999999999",
                                             "1",
                                             "active",
                                             "9223372036854775807",
                                             CREATED,
                                             CREATED};
    struct api_fixture f;
    for (size_t i = 0; i < 4000; i++)
        memcpy(description + 4 * i, "\xF0\x9F\x8D\xB5", 5);
    memcpy(name, description, 800);
    memcpy(brand, description, 400);
    memcpy(sku, description, 256);
    for (size_t i = 0; i < COUNT(cells); i++)
        cells[i] = row[i % 14];
    cells[COUNT(cells) - 14] = "1"; /* of the row too many */
    const struct fake_answer answer = {.columns = 14, .cells = cells, .cell_count = COUNT(cells)};
    api_fixture_open(&f, &answer, 1);
    const char *body = api_fixture_get(&f, "/v1/products?limit=100&sort=name");
    ck_assert_msg(f.reply.status == 200, "%.300s", body);
    ck_assert_uint_gt(f.reply.body.len, 1700000);
    api_fixture_close(&f);
}
END_TEST

void api_products(struct suite *s)
{
    suite_rows(s, list_statements, COUNT(statement_rows));
    suite_test(s, list_statement_at_its_longest);
    suite_test(s, list_items);
    suite_rows(s, list_pages, COUNT(page_rows));
    suite_rows(s, list_next_page, COUNT(next_rows));
    suite_rows(s, list_cursor_of_another_query, COUNT(carried_rows));
    suite_test(s, list_longest_cursor);
    suite_rows(s, list_totals, COUNT(total_rows));
    suite_test(s, list_total_ignores_the_cursor);
    suite_rows(s, list_bad_queries, COUNT(bad_query_rows));
    suite_test(s, show_product);
    suite_test(s, show_percent_encoded_id);
    suite_rows(s, show_etag, COUNT(etag_rows));
    suite_test(s, show_etag_values);
    suite_rows(s, show_absent, COUNT(id_rows));
    suite_rows(s, database_failures, COUNT(failure_rows));
    suite_test(s, database_away);
    suite_test(s, database_comes_back);
    suite_test(s, list_at_its_largest);
}
