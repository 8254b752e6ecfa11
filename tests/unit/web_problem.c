#include "common/web/problem.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#define NO_STORE "Cache-Control: no-store\r\n"

static const struct row {
    const struct err_kind *kind;
    const char *path, *request_id;
    bool with_fault;
    const char *headers, *body;
} rows[] = {
    {&ERR_NOT_FOUND, "/v1/x", "0123456789abcdef0123456789abcdef", false, NO_STORE,
     "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
     "\"detail\":\"There is nothing at this address.\",\"instance\":\"/v1/x\","
     "\"code\":\"not_found\",\"request_id\":\"0123456789abcdef0123456789abcdef\"}"},
    {&ERR_DATABASE_DOWN, "/", "", false, NO_STORE "Retry-After: 1\r\n",
     "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
     "\"detail\":\"The database is unavailable; try again later.\",\"instance\":\"/\","
     "\"code\":\"database_down\",\"request_id\":\"\"}"},
    {&ERR_QUERY_INVALID, "/a\"b\xFF", "1", true, NO_STORE,
     "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
     "\"detail\":\"The query string has invalid parameters.\","
     "\"instance\":\"/a\\\"b\xEF\xBF\xBD\",\"code\":\"query_invalid\",\"request_id\":\"1\","
     "\"errors\":[{\"pointer\":\"/query/limit\",\"code\":\"range\",\"message\":\"too big\"}]}"},
};
START_TEST(problem_bodies)
{
    const struct row *r = &rows[_i];
    CLEANUP(arena_done) struct arena arena = test_arena(KIB(4));
    const struct request req = {.path = slice_from_cstr(r->path),
                                .request_id = slice_from_cstr(r->request_id)};
    struct faults faults = {0};
    char headers[256], body[1024];
    struct reply reply = {200, "application/json", BUF(headers), BUF(body)};
    if (r->with_fault)
        fault_add(&faults, &arena, "/query/", SLICE("limit"), &FAULT_RANGE, "too big");
    reply_header(&reply, "ETag", SLICE("\"1\"")); /* what was begun before the failure goes */
    buf_add_cstr(&reply.body, "{\"half\":");
    problem_write(&reply, &req, r->kind, r->with_fault ? &faults : NULL);
    ck_assert_int_eq(reply.status, r->kind->status);
    ck_assert_str_eq(reply.content_type, "application/problem+json");
    ck_assert_text_eq(buf_slice(&reply.headers), r->headers);
    ck_assert_text_eq(buf_slice(&reply.body), r->body);
}
END_TEST

void web_problem(struct suite *s)
{
    suite_rows(s, problem_bodies, COUNT(rows));
}
