#include "fcgi/api/product_history.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/api_fixture.h"
#include "tests/unit/support/assert.h"

#include <stdio.h>
#include <string.h>

#define AT      "2026-11-22 21:07:11.123"
#define HISTORY "/v1/products/5/history"
#define SELECT                                                                                     \
    "SELECT id, version, action, at, user_id, username, request_id, changes FROM audit_log"        \
    " WHERE noun = 'product' AND noun_id = 5"
#define EVENT(id) id, "2", "changed", AT, "sub-editor", "Edith", "r1", "{\"stock\":{}}"
#define ITEM(id)                                                                                   \
    "{\"id\":" id ",\"action\":\"changed\",\"version\":2,\"at\":\"2026-11-22T21:07:11.123Z\","     \
    "\"user_id\":\"sub-editor\",\"username\":\"Edith\",\"request_id\":\"r1\","                     \
    "\"changes\":{\"stock\":{}}}"
#define NO_EVENT FAKE_NO_ROWS(8)
#define PRODUCT                                                                                    \
    FAKE_ROWS(14, "5", "T-5", "Tea", "", NULL, "tea", "10", "USD", "3", "1", "deleted", "2", AT, AT)

static const struct row {
    const char *name, *target, *authorization;
    struct fake_answer answers[2];
    size_t answer_count;
    int status;
    const char *body; /* or a part of it, where it is a problem */
    const char *statement;
} rows[] = {
    {"a page",
     HISTORY,
     API_FIXTURE_EDITOR,
     {{FAKE_ROWS(8, EVENT("9"), EVENT("4"))}},
     1,
     200,
     "{\"items\":[" ITEM("9") "," ITEM("4") "],\"next_cursor\":null}",
     SELECT " ORDER BY id DESC LIMIT 21"},
    {"nobody's change",
     HISTORY "?limit=50",
     API_FIXTURE_ADMIN,
     {{FAKE_ROWS(8, "9", "1", "created", AT, NULL, NULL, NULL, "{}")}},
     1,
     200,
     "{\"items\":[{\"id\":9,\"action\":\"created\",\"version\":1,\"at\":\"2026-11-22T21:07:11."
     "123Z\""
     ",\"user_id\":null,\"username\":null,\"request_id\":null,\"changes\":{}}],"
     "\"next_cursor\":null}",
     SELECT " ORDER BY id DESC LIMIT 51"},
    {"imported and never changed",
     HISTORY,
     API_FIXTURE_EDITOR,
     {{NO_EVENT}, {PRODUCT}},
     2,
     200,
     "{\"items\":[],\"next_cursor\":null}",
     SELECT " ORDER BY id DESC LIMIT 21"},
    {"no such product",
     HISTORY,
     API_FIXTURE_EDITOR,
     {{NO_EVENT}, {FAKE_NO_ROWS(14)}},
     2,
     404,
     "product_absent",
     SELECT " ORDER BY id DESC LIMIT 21"},
    {"no id", "/v1/products/0/history", API_FIXTURE_EDITOR, {{0}}, 0, 404, "product_absent", NULL},
    {"too long a page", HISTORY "?limit=51", API_FIXTURE_EDITOR, {{0}}, 0, 400, "range", NULL},
    {"no cursor", HISTORY "?cursor=abc", API_FIXTURE_EDITOR, {{0}}, 0, 400, "cursor_invalid", NULL},
    {"not for all", HISTORY, "", {{0}}, 0, 401, "authentication_required", NULL},
    {"nor for every user", HISTORY, API_FIXTURE_USER, {{0}}, 0, 403, "forbidden", NULL},
    {"half a row",
     HISTORY,
     API_FIXTURE_EDITOR,
     {{FAKE_ROWS(8, EVENT("9"), EVENT("x"))}},
     1,
     500,
     "internal",
     SELECT " ORDER BY id DESC LIMIT 21"},
};
START_TEST(history_answers)
{
    const struct row *r = &rows[_i];
    struct api_fixture f;
    api_fixture_open(&f, r->answers, r->answer_count);
    f.req.authorization = slice_from_cstr(r->authorization);
    const char *body = api_fixture_get(&f, r->target);
    ck_assert_msg(f.reply.status == r->status, "%s: %d %s", r->name, f.reply.status, body);
    if (r->status == 200)
        ck_assert_str_eq(body, r->body);
    else
        ck_assert_msg(strstr(body, r->body) != NULL, "%s: %s", r->name, body);
    if (r->statement)
        ck_assert_text_eq(f.fake.statements[0], r->statement);
    api_fixture_close(&f);
}
END_TEST

/* The next page begins behind the last event shown, and is one of this product alone. */
START_TEST(history_next_page)
{
    const struct fake_answer answers[] = {{FAKE_ROWS(8, EVENT("9"), EVENT("4"))},
                                          {FAKE_ROWS(8, EVENT("4"))}};
    struct api_fixture f;
    char target[256];
    api_fixture_open(&f, ARRAY(answers));
    f.req.authorization = SLICE(API_FIXTURE_EDITOR);
    const char *cursor = strstr(api_fixture_get(&f, HISTORY "?limit=1"), "\"next_cursor\":\"");
    ck_assert_ptr_nonnull(cursor);
    cursor += sizeof "\"next_cursor\":\"" - 1;
    int length = (int)strcspn(cursor, "\"");
    snprintf(target, sizeof target, HISTORY "?cursor=%.*s", length, cursor);
    ck_assert_str_eq(api_fixture_get(&f, target),
                     "{\"items\":[" ITEM("4") "],\"next_cursor\":null}");
    ck_assert_text_eq(f.fake.statements[1], SELECT " AND id < 9 ORDER BY id DESC LIMIT 21");
    target[sizeof "/v1/products/" - 1] = '6';
    api_fixture_get(&f, target);
    ck_assert_int_eq(f.reply.status, 400);
    api_fixture_close(&f);
}
END_TEST

/* 50 of the longest changes fit an answer. */
START_TEST(history_at_its_largest)
{
    static char changes[37001];
    const char *cells[51 * 8],
        *row[8] = {"9223372036854775807", "2", "changed", AT, "sub", "name", "r1", changes};
    struct api_fixture f;
    memset(changes, '1', sizeof changes - 1);
    for (size_t i = 0; i < COUNT(cells); i++)
        cells[i] = row[i % 8];
    const struct fake_answer answer = {.columns = 8, .cells = cells, .cell_count = COUNT(cells)};
    api_fixture_open(&f, &answer, 1);
    f.req.authorization = SLICE(API_FIXTURE_EDITOR);
    api_fixture_get(&f, HISTORY "?limit=50");
    ck_assert_int_eq(f.reply.status, 200);
    api_fixture_close(&f);
}
END_TEST

void api_product_history(struct suite *s)
{
    suite_rows(s, history_answers, COUNT(rows));
    suite_test(s, history_next_page);
    suite_test(s, history_at_its_largest);
}
