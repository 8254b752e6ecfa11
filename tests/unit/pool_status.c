#include "fcgi/pool/status.h"

#include "fcgi/pool/keeper.h"
#include "tests/unit/suites.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#define NOW_MS INT64_C(500000)

struct fixture {
    struct scoreboard board;
    struct pool pool;
    struct status_source source;
    struct request req;
    struct reply reply;
    char headers[256], body[KIB(31)]; /* as in status_server.c */
};

/* A letter a slot: s starting, i idle, b busy, e ending, k killed, - empty. The last is busy in the
 * scoreboard still, as its worker left it. */
static void set_slots(struct fixture *f, const char *slots)
{
    for (size_t i = 0; slots[i]; i++) {
        struct pool_slot *slot = &f->pool.slots[i];
        _Atomic int *state = &f->board.workers[i].state;
        switch (slots[i]) {
        case 's':
            slot->state = POOL_SLOT_STARTING;
            atomic_store(state, WORKER_STARTING);
            break;
        case 'i':
            slot->state = POOL_SLOT_RUNNING;
            atomic_store(state, WORKER_IDLE);
            break;
        case 'b':
            slot->state = POOL_SLOT_RUNNING;
            atomic_store(state, WORKER_BUSY);
            break;
        default:
            slot->state = slots[i] == 'e'   ? POOL_SLOT_ENDING
                          : slots[i] == 'k' ? POOL_SLOT_KILLED
                                            : POOL_SLOT_EMPTY;
            atomic_store(state, WORKER_BUSY);
        }
    }
}

static void set_up(struct fixture *f, const char *slots, bool stopping)
{
    memset(f, 0, sizeof *f);
    pool_init(&f->pool, strlen(slots), 25000);
    f->pool.stopping = stopping;
    f->source = (struct status_source){&f->pool, &f->board, 4711, NOW_MS - 61999, 30000};
    f->reply.headers = BUF(f->headers);
    f->reply.body = BUF(f->body);
    set_slots(f, slots);
}

static const char *get(struct fixture *f, enum http_method method, const char *path)
{
    f->req = (struct request){.method = method, .path = slice_from_cstr(path)};
    status_answer(&f->source, NOW_MS, &f->req, &f->reply);
    const char *body = buf_cstr(&f->reply.body);
    ck_assert_ptr_nonnull(body);
    return body;
}

static const struct ready_row {
    const char *name, *slots, *database, *workers;
    struct snapshot seen; /* checked_ms: how long ago; -1 never */
    int status;
    bool stopping;
} ready_rows[] = {
    {"all is well", "ii", "up", "answering", {.database = DATABASE_UP}, 200, false},
    {"a busy worker will do", "bs", "up", "answering", {.database = DATABASE_UP}, 200, false},
    {"none is up", "ss", "up", "none is running", {.database = DATABASE_UP}, 503, false},
    {"all are leaving", "ek", "up", "none is running", {.database = DATABASE_UP}, 503, false},
    {"all have crashed", "--", "up", "none is running", {.database = DATABASE_UP}, 503, false},
    {"stopping", "ib", "up", "answering", {.database = DATABASE_UP}, 503, true},
    {"database down", "i", "down", "answering", {.database = DATABASE_DOWN}, 503, false},
    {"the bucket is away",
     "i",
     "up",
     "answering",
     {.database = DATABASE_UP, .bucket = BUCKET_DOWN, .bucket_error = "HeadBucket: status 403"},
     200,
     false},
    {"a secret is not there yet",
     "i",
     "up",
     "answering",
     {.database = DATABASE_UP, .missing = "app_secret"},
     503,
     false},
    {"old schema", "i", "old_schema", "answering", {.database = DATABASE_OLD_SCHEMA}, 503, false},
    {"nobody has looked yet",
     "i",
     "unknown",
     "answering",
     {.checked_ms = -1, .database = DATABASE_UNKNOWN},
     503,
     false},
    {"a look 30 s ago counts",
     "i",
     "up",
     "answering",
     {.checked_ms = 30000, .database = DATABASE_UP},
     200,
     false},
    {"one a little older does not",
     "i",
     "unknown",
     "answering",
     {.checked_ms = 30001, .database = DATABASE_UP},
     503,
     false},
};
START_TEST(status_ready)
{
    const struct ready_row *r = &ready_rows[_i];
    struct fixture f;
    char want[512];
    struct snapshot seen = r->seen;
    set_up(&f, r->slots, r->stopping);
    seen.checked_ms = NOW_MS - seen.checked_ms;
    if (r->seen.checked_ms >= 0)
        scoreboard_publish(&f.board, &seen);
    const char *body = get(&f, HTTP_GET, "/health/ready");
    snprintf(want, sizeof want,
             "{\"status\":\"%s\",\"checks\":{\"database\":{\"ok\":%s,\"detail\":\"%s\"},"
             "\"secrets\":{\"ok\":%s,\"detail\":\"%s\"},"
             "\"workers\":{\"ok\":%s,\"detail\":\"%s\"},"
             "\"pool\":{\"ok\":%s,\"detail\":\"%s\"}}}",
             r->status == 200 ? "ready" : "unready",
             strcmp(r->database, "up") == 0 ? "true" : "false", r->database,
             r->seen.missing[0] ? "false" : "true", r->seen.missing[0] ? r->seen.missing : "known",
             strcmp(r->workers, "answering") == 0 ? "true" : "false", r->workers,
             r->stopping ? "false" : "true", r->stopping ? "stopping" : "serving");
    ck_assert_msg(strcmp(body, want) == 0, "%s: %s", r->name, body);
    ck_assert_int_eq(f.reply.status, r->status);
    ck_assert_str_eq(f.reply.content_type, "application/json");
    ck_assert_str_eq(buf_cstr(&f.reply.headers), "Cache-Control: no-store\r\n");
}
END_TEST

START_TEST(status_live_in_every_state)
{
    struct fixture f;
    set_up(&f, "k-", true);
    ck_assert_str_eq(get(&f, HTTP_GET, "/health/live"), "{\"status\":\"ok\"}");
    ck_assert_int_eq(f.reply.status, 200);
    ck_assert_str_eq(buf_cstr(&f.reply.headers), "Cache-Control: no-store\r\n");
    ck_assert_str_eq(get(&f, HTTP_HEAD, "/health/live"), "{\"status\":\"ok\"}");
}
END_TEST

START_TEST(status_page)
{
    struct fixture f;
    const struct snapshot seen = {.checked_ms = NOW_MS - 1500,
                                  .database = DATABASE_UP,
                                  .schema_version = 7,
                                  .latency_ms = 3,
                                  .server = "MariaDB 10.11.19",
                                  .bucket = BUCKET_DOWN,
                                  .bucket_error = "HeadBucket: status 403",
                                  .keys = KEYS_KNOWN,
                                  .keys_count = 2,
                                  .keys_fetched_ms = NOW_MS - 301000,
                                  .keys_error = "status 500"};
    set_up(&f, "bs-e", false);
    struct worker_slot *first = &f.board.workers[0];
    atomic_store(&first->pid, 101);
    atomic_store(&first->started_ms, NOW_MS - 60000);
    atomic_store(&first->state_since_ms, NOW_MS - 12);
    atomic_store(&first->requests, 55);
    atomic_store(&first->server_errors, 2);
    atomic_store(&first->database_connects, 3);
    for (size_t i = 1; i < 4; i++) {
        atomic_store(&f.board.workers[i].started_ms, NOW_MS);
        atomic_store(&f.board.workers[i].state_since_ms, NOW_MS);
    }
    atomic_store(&f.board.keeper_pid, 99);
    f.pool.counts = (struct pool_counts){1, 2, 3, 4, 5};
    scoreboard_publish(&f.board, &seen);
    ck_assert_str_eq(
        get(&f, HTTP_GET, "/status"),
        "{\"version\":\"" CBU_VERSION "\",\"pid\":4711,\"uptime_s\":61,\"stopping\":false,"
        "\"workers\":{\"limit\":4,\"idle\":0,\"busy\":1,\"starting\":1,\"stopping\":1,\"list\":["
        "{\"slot\":0,\"pid\":101,\"state\":\"busy\",\"state_ms\":12,\"age_ms\":60000,"
        "\"requests\":55,\"server_errors\":2,\"database_connects\":3},"
        "{\"slot\":1,\"pid\":0,\"state\":\"starting\",\"state_ms\":0,\"age_ms\":0,"
        "\"requests\":0,\"server_errors\":0,\"database_connects\":0},"
        "{\"slot\":3,\"pid\":0,\"state\":\"stopping\",\"state_ms\":0,\"age_ms\":0,"
        "\"requests\":0,\"server_errors\":0,\"database_connects\":0}]},"
        "\"restarts\":{\"crashes\":1,\"quick_crashes\":2,\"reloads\":3,\"kills\":4,"
        "\"keeper_crashes\":5},\"keeper\":{\"pid\":99},"
        "\"database\":{\"state\":\"up\",\"server\":\"MariaDB 10.11.19\",\"schema_version\":7,"
        "\"schema_version_needed\":2,\"latency_ms\":3,\"checked_ms_ago\":1500,\"error\":\"\"},"
        "\"secrets\":{\"missing\":\"\",\"credentials_left_s\":null},"
        "\"bucket\":{\"state\":\"down\",\"error\":\"HeadBucket: status 403\"},"
        "\"keys\":{\"state\":\"known\",\"count\":2,\"age_s\":301,\"error\":\"status 500\"}}");
    ck_assert_int_eq(f.reply.status, 200);
}
END_TEST

START_TEST(status_page_before_the_first_look)
{
    struct fixture f;
    set_up(&f, "", false);
    const char *body = get(&f, HTTP_GET, "/status");
    ck_assert_ptr_nonnull(strstr(body, "\"list\":[]"));
    ck_assert_ptr_nonnull(strstr(body, "\"state\":\"unknown\""));
    ck_assert_ptr_nonnull(strstr(body, "\"checked_ms_ago\":null"));
}
END_TEST

/* A stale look keeps its details, so that people see what was known last. */
START_TEST(status_page_with_a_stale_look)
{
    struct fixture f;
    const struct snapshot seen = {.checked_ms = NOW_MS - 90000,
                                  .database = DATABASE_UP,
                                  .server = "MySQL 8.0.31",
                                  .credentials_end_ms = NOW_MS + 4000};
    set_up(&f, "i", false);
    scoreboard_publish(&f.board, &seen);
    const char *body = get(&f, HTTP_GET, "/status");
    ck_assert_ptr_nonnull(strstr(body, "\"state\":\"unknown\",\"server\":\"MySQL 8.0.31\""));
    ck_assert_ptr_nonnull(strstr(body, "\"checked_ms_ago\":90000"));
    ck_assert_ptr_nonnull(strstr(body, "\"credentials_left_s\":4}"));
}
END_TEST

/* All that can be long is: the page must fit the buffer, and stay JSON. */
START_TEST(status_page_at_its_longest)
{
    struct fixture f;
    struct snapshot seen = {.checked_ms = INT64_MIN / 2,
                            .database = DATABASE_OLD_SCHEMA,
                            .schema_version = INT64_MIN,
                            .latency_ms = INT64_MIN,
                            .bucket = BUCKET_UNKNOWN,
                            .keys = KEYS_EXPIRED,
                            .keys_count = INT64_MIN,
                            .keys_fetched_ms = INT64_MIN / 2};
    memset(seen.server, '\x01', sizeof seen.server - 1);
    memset(seen.error, '\x01', sizeof seen.error - 1);
    memset(seen.bucket_error, '\x01', sizeof seen.bucket_error - 1);
    memset(seen.keys_error, '\x01', sizeof seen.keys_error - 1);
    set_up(&f, "ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss", true);
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        struct worker_slot *w = &f.board.workers[i];
        atomic_store(&w->pid, INT32_MAX);
        atomic_store(&w->started_ms, -INT64_MAX / 2);
        atomic_store(&w->state_since_ms, -INT64_MAX / 2);
        atomic_store(&w->requests, INT64_MIN);
        atomic_store(&w->server_errors, INT64_MIN);
        atomic_store(&w->database_connects, INT64_MIN);
    }
    f.pool.counts = (struct pool_counts){INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN};
    scoreboard_publish(&f.board, &seen);
    const char *body = get(&f, HTTP_GET, "/status");
    cJSON *page = cJSON_Parse(body);
    const cJSON *workers = cJSON_GetObjectItemCaseSensitive(page, "workers");
    ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(workers, "list")),
                     WORKERS_MAX);
    cJSON_Delete(page);
}
END_TEST

static const struct refusal_row {
    const char *path, *code, *headers;
    enum http_method method;
    int status;
} refusal_rows[] = {
    {"/", "not_found", "", HTTP_GET, 404},
    {"/health", "not_found", "", HTTP_GET, 404},
    {"/health/live/", "not_found", "", HTTP_GET, 404},
    {"/Status", "not_found", "", HTTP_HEAD, 404},
    {"/status", "method_not_allowed", "Allow: GET, HEAD\r\n", HTTP_POST, 405},
    {"/health/live", "method_not_allowed", "Allow: GET, HEAD\r\n", HTTP_DELETE, 405},
    {"/health/ready", "method_not_allowed", "Allow: GET, HEAD\r\n", HTTP_OTHER, 405},
};
START_TEST(status_refusals)
{
    const struct refusal_row *r = &refusal_rows[_i];
    struct fixture f;
    char headers[128];
    set_up(&f, "i", false);
    cJSON *problem = cJSON_Parse(get(&f, r->method, r->path));
    ck_assert_int_eq(f.reply.status, r->status);
    ck_assert_str_eq(f.reply.content_type, "application/problem+json");
    ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(problem, "code")),
                     r->code);
    ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(problem, "instance")),
                     r->path);
    snprintf(headers, sizeof headers, "Cache-Control: no-store\r\n%s", r->headers);
    ck_assert_str_eq(buf_cstr(&f.reply.headers), headers);
    cJSON_Delete(problem);
}
END_TEST

void pool_status(struct suite *s)
{
    suite_rows(s, status_ready, COUNT(ready_rows));
    suite_test(s, status_live_in_every_state);
    suite_test(s, status_page);
    suite_test(s, status_page_before_the_first_look);
    suite_test(s, status_page_with_a_stale_look);
    suite_test(s, status_page_at_its_longest);
    suite_rows(s, status_refusals, COUNT(refusal_rows));
}
