#include "fcgi/api/categories_store.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/api_fixture.h"
#include "tests/unit/support/assert.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#define LIST                                                                                       \
    "SELECT c.category_key, n.products FROM (SELECT category_id, COUNT(*) AS products FROM"        \
    " products FORCE INDEX (ix_products_category_newest) WHERE listed = 1 GROUP BY category_id) "  \
    "AS n JOIN categories c ON c.id = n.category_id"

static const struct list_row {
    struct fake_answer answer;
    const char *body;
} list_rows[] = {
    {{FAKE_NO_ROWS(2)}, "{\"items\":[],\"next_cursor\":null}"},
    {{FAKE_ROWS(2, "tea", "12")},
     "{\"items\":[{\"key\":\"tea\",\"products\":12}],\"next_cursor\":null}"},
    {{FAKE_ROWS(2, "\"a\"", "1", "Th\xC3\xA9", "9223372036854775807")},
     "{\"items\":[{\"key\":\"\\\"a\\\"\",\"products\":1},{\"key\":\"Th\xC3\xA9\","
     "\"products\":9223372036854775807}],\"next_cursor\":null}"},
};
START_TEST(categories_list)
{
    const struct list_row *r = &list_rows[_i];
    struct api_fixture f;
    api_fixture_open(&f, &r->answer, 1);
    ck_assert_str_eq(api_fixture_get(&f, "/v1/categories"), r->body);
    ck_assert_int_eq(f.reply.status, 200);
    ck_assert_str_eq(f.reply.content_type, "application/json");
    ck_assert_text_eq(f.fake.statements[0], LIST " ORDER BY c.category_key LIMIT 101");
    api_fixture_close(&f);
}
END_TEST

/* Two of three, then the page that the cursor names; a cursor of products is none of ours. */
START_TEST(categories_pages)
{
    const struct fake_answer answers[] = {{FAKE_ROWS(2, "a", "1", "b'", "2", "c", "3")},
                                          {FAKE_ROWS(2, "c", "3")}};
    struct api_fixture f;
    char target[256];
    api_fixture_open(&f, ARRAY(answers));
    cJSON *page = cJSON_Parse(api_fixture_get(&f, "/v1/categories?limit=2"));
    ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(page, "items")), 2);
    const char *cursor =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(page, "next_cursor"));
    ck_assert_ptr_nonnull(cursor);
    snprintf(target, sizeof target, "/v1/categories?limit=500&cursor=%s", cursor);
    ck_assert_str_eq(api_fixture_get(&f, target),
                     "{\"items\":[{\"key\":\"c\",\"products\":3}],\"next_cursor\":null}");
    ck_assert_text_eq(f.fake.statements[0], LIST " ORDER BY c.category_key LIMIT 3");
    ck_assert_text_eq(f.fake.statements[1],
                      LIST " WHERE c.category_key > 'b\\'' ORDER BY c.category_key LIMIT 501");
    snprintf(target, sizeof target, "/v1/products?cursor=%s", cursor);
    ck_assert_ptr_nonnull(strstr(api_fixture_get(&f, target), "cursor_invalid"));
    ck_assert_ptr_nonnull(strstr(api_fixture_get(&f, "/v1/categories?limit=501"), "/query/limit"));
    cJSON_Delete(page);
    api_fixture_close(&f);
}
END_TEST

/* A list could not name its next page: neither is asked for before the secret is there. */
START_TEST(lists_before_the_secret)
{
    static const char *const targets[] = {"/v1/categories", "/v1/products"};
    struct api_fixture f;
    api_fixture_open(&f, NULL, 0);
    api_done(&f.api);
    const char *body = api_fixture_get(&f, targets[_i]);
    ck_assert_int_eq(f.reply.status, 503);
    ck_assert_msg(strstr(body, "not_ready"), "%s", body);
    ck_assert_uint_eq(f.fake.statement_count, 0);
    api_fixture_close(&f);
}
END_TEST

static const struct failure_row {
    struct fake_answer answer;
    int status;
    const char *code;
} failure_rows[] = {
    {{FAKE_ERROR(2013), .takes_ms = 5000}, 503, "database_down"},
    {{FAKE_ERROR(1146)}, 503, "database_schema"},
    {{FAKE_ERROR(1064)}, 500, "internal"},
    {{FAKE_ROWS(1, "tea")}, 500, "internal"},
    {{FAKE_ROWS(2, "tea", "many")}, 500, "internal"},
    {{FAKE_ROWS(2, "tea", "1", NULL, "1")}, 500, "internal"},
};
START_TEST(categories_failures)
{
    const struct failure_row *r = &failure_rows[_i];
    struct api_fixture f;
    api_fixture_open(&f, &r->answer, 1);
    const char *body = api_fixture_get(&f, "/v1/categories");
    ck_assert_int_eq(f.reply.status, r->status);
    ck_assert_msg(strstr(body, r->code) && !strstr(body, "items"), "%s", body);
    api_fixture_close(&f);
}
END_TEST

#define FIND "SELECT id FROM categories WHERE category_key = 'O\\'Neill'"
#define INSERT                                                                                     \
    "INSERT IGNORE INTO categories (category_key, created_at) VALUES ('O\\'Neill',"                \
    " UTC_TIMESTAMP(3))"

/* What category_ensure() makes of the answers; `id` 0 and a kind when it fails. */
static const struct ensure_row {
    const char *name;
    struct fake_answer answers[3];
    size_t count;
    int64_t id;
    const struct err_kind *kind;
} ensure_rows[] = {
    {"there", {{FAKE_ROWS(1, "7")}}, 1, 7, NULL},
    {"made", {{FAKE_NO_ROWS(1)}, {FAKE_WRITTEN(1, 8)}, {FAKE_ROWS(1, "8")}}, 3, 8, NULL},
    {"made by another in the same moment",
     {{FAKE_NO_ROWS(1)}, {FAKE_WRITTEN(0, 0)}, {FAKE_ROWS(1, "9")}},
     3,
     9,
     NULL},
    {"refused", {{FAKE_ERROR(1064)}}, 1, 0, &ERR_INTERNAL},
    {"lost", {{FAKE_ERROR(2013), .takes_ms = 5000}}, 1, 0, &ERR_DATABASE_DOWN},
    {"not made", {{FAKE_NO_ROWS(1)}, {FAKE_ERROR(1142)}}, 2, 0, &ERR_INTERNAL},
    {"lost while it was made", {{FAKE_NO_ROWS(1)}, {FAKE_ERROR(2013)}}, 2, 0, &ERR_WRITE_UNKNOWN},
    {"gone again",
     {{FAKE_NO_ROWS(1)}, {FAKE_WRITTEN(1, 8)}, {FAKE_NO_ROWS(1)}},
     3,
     0,
     &ERR_INTERNAL},
};
START_TEST(categories_ensure)
{
    const struct ensure_row *r = &ensure_rows[_i];
    static const char *const statements[] = {FIND, INSERT, FIND};
    struct api_fixture f;
    struct err err = {0};
    int64_t id = 0;
    api_fixture_open(&f, r->answers, r->count);
    bool good = category_ensure(f.db, &f.arena, SLICE("O'Neill"), &id, &err);
    ck_assert_msg(good == !r->kind && err.kind == r->kind, "%s: %s", r->name, err.cause);
    ck_assert_int_eq(id, r->id);
    ck_assert_uint_eq(f.fake.statement_count, r->count);
    for (size_t i = 0; i < COUNT(statements) && i < r->count; i++)
        ck_assert_text_eq(f.fake.statements[i], statements[i]);
    api_fixture_close(&f);
}
END_TEST

void api_categories(struct suite *s)
{
    suite_rows(s, categories_list, COUNT(list_rows));
    suite_test(s, categories_pages);
    suite_rows(s, lists_before_the_secret, 2);
    suite_rows(s, categories_failures, COUNT(failure_rows));
    suite_rows(s, categories_ensure, COUNT(ensure_rows));
}
