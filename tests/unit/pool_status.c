#include "fcgi/pool/status.h"

#include "fcgi/api/routes.h"
#include "fcgi/pool/keeper.h"
#include "fcgi/pool/metrics.h"
#include "tests/unit/suites.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#define NOW_MS INT64_C(500000)

struct fixture {
    struct scoreboard board;
    struct pool pool;
    struct pool_readings readings;
    struct conf conf;
    struct status_source source;
    int64_t resized_to; /* -1: reloaded */
    struct request req;
    struct reply reply;
    char headers[256], body[KIB(95)]; /* as in status_server.c */
};

/* A letter a slot: s starting, i idle, b busy, e ending, k killed, - empty. The last is busy in the
 * scoreboard still, as its worker left it. */
static void set_slots(struct fixture *f, const char *slots)
{
    for (size_t i = 0; slots[i]; i++) {
        struct pool_slot *slot = &f->pool.slots[i];
        _Atomic uint64_t *state = &f->board.workers[i].state;
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

static int row_of_a_product(void)
{
    int row = 0;
    while (strcmp(api_routes.rows[row].path, "/v1/products/{id}") != 0)
        row++;
    return row;
}

static void reload(void *ctx)
{
    ((struct fixture *)ctx)->resized_to = -1;
}

static void resize(void *ctx, int64_t workers)
{
    struct fixture *f = ctx;
    f->resized_to = workers;
    f->pool.target = (size_t)workers;
}

static void set_up(struct fixture *f, const char *slots, bool stopping)
{
    memset(f, 0, sizeof *f);
    pool_init(&f->pool, strlen(slots), 25000);
    f->pool.stopping = stopping;
    f->conf = (struct conf){.s3_bucket_name = "",
                            .queue_timeout_ms = 2000,
                            .request_timeout_ms = 20000,
                            .slow_request_ms = 1000,
                            .worker_max_requests = 100000,
                            .worker_max_memory_mb = 48,
                            .stop_timeout_s = 25};
    f->readings.queue = (struct queue_depth){7, 512};
    f->source = (struct status_source){.pool = &f->pool,
                                       .board = &f->board,
                                       .readings = &f->readings,
                                       .conf = &f->conf,
                                       .pid = 4711,
                                       .started_ms = NOW_MS - 61999,
                                       .stale_ms = 30000,
                                       .control = {reload, resize, f}};
    f->reply.headers = BUF(f->headers);
    f->reply.body = BUF(f->body);
    set_slots(f, slots);
}

static const char *get(struct fixture *f, enum http_method method, const char *path)
{
    f->req = (struct request){.method = method, .path = slice_from_cstr(path)};
    status_answer(&f->source, NOW_MS, &f->req, true, &f->reply);
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

/* What a worker without a request has. */
#define NO_REQUEST "\"request_id\":\"\",\"route\":\"\",\"phase\":\"none\","
#define NO_COUNTS                                                                                  \
    "\"requests\":0,\"server_errors\":0,\"shed\":0,\"refused\":0,\"slow\":0,\"departed\":0,"       \
    "\"handed_on\":0,\"database_connects\":0"

START_TEST(status_page)
{
    struct fixture f;
    const struct snapshot seen = {.checked_ms = NOW_MS - 1500,
                                  .database = DATABASE_UP,
                                  .schema_version = 7,
                                  .latency_ms = 3,
                                  .server = "MariaDB 10.11.19",
                                  .secrets_checked_ms = NOW_MS - 7999,
                                  .secrets_error = "app_secret: denied",
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
    atomic_store(&first->connected, 1);
    atomic_store(&first->request_high, 0xa0b1c2d3e4f50617);
    atomic_store(&first->request_low, 0x28394a5b6c7d8e9f);
    atomic_store(&first->trace.route, row_of_a_product());
    atomic_store(&first->trace.phase, TRACE_SQL);
    atomic_store(&first->numbers.counters[COUNT_REQUESTS], 55);
    atomic_store(&first->numbers.counters[COUNT_SERVER_ERRORS], 2);
    atomic_store(&first->numbers.counters[COUNT_DATABASE_CONNECTS], 3);
    for (int64_t i = 0; i < 55; i++)
        histogram_add(&first->numbers.service, i < 54 ? 900 : 9000000);
    f.readings.retired.counters[COUNT_REQUESTS] = 100;
    f.readings.retired.service.counts[1] = 100;
    f.readings.retired.service.sum_us = 150000;
    f.readings.handed = -1;
    f.readings.saturated = 5;
    for (size_t i = 1; i < 4; i++) {
        atomic_store(&f.board.workers[i].started_ms, NOW_MS);
        atomic_store(&f.board.workers[i].state_since_ms, NOW_MS);
    }
    atomic_store(&f.board.keeper_pid, 99);
    f.pool.counts = (struct pool_counts){1, 2, 3, 4, 5, 6, 7};
    scoreboard_publish(&f.board, &seen);
    ck_assert_str_eq(
        get(&f, HTTP_GET, "/status"),
        "{\"version\":\"" CBU_VERSION "\",\"pid\":4711,\"uptime_s\":61,\"stopping\":false,"
        "\"workers\":{\"limit\":4,\"idle\":0,\"busy\":1,\"starting\":1,\"stopping\":1,"
        "\"pending\":4,\"list\":["
        "{\"slot\":0,\"pid\":101,\"state\":\"busy\",\"state_ms\":12,\"age_ms\":60000,"
        "\"request_id\":\"a0b1c2d3e4f5061728394a5b6c7d8e9f\",\"route\":\"/v1/products/{id}\","
        "\"phase\":\"sql\",\"requests\":55,\"server_errors\":2,\"shed\":0,\"refused\":0,"
        "\"slow\":0,\"departed\":0,\"handed_on\":0,\"database_connects\":3},"
        "{\"slot\":1,\"pid\":0,\"state\":\"starting\",\"state_ms\":0,\"age_ms\":0," NO_REQUEST
            NO_COUNTS "},"
        "{\"slot\":3,\"pid\":0,\"state\":\"stopping\",\"state_ms\":0,\"age_ms\":0,"
        "\"request_id\":\"00000000000000000000000000000000\",\"route\":\"/\","
        "\"phase\":\"none\"," NO_COUNTS "}]},"
        "\"queue\":{\"waiting\":7,\"limit\":512,\"handed\":null,\"saturated_s\":5},"
        "\"totals\":{\"requests\":155,\"server_errors\":2,\"shed\":0,\"refused\":0,\"slow\":0,"
        "\"departed\":0,\"handed_on\":0,\"database_connects\":3},"
        "\"durations\":{\"bounds_ms\":[1,2,5,10,20,50,100,200,500,1000,2000,5000],"
        "\"queue\":{\"p50_ms\":0,\"p99_ms\":0,\"sum_ms\":0,"
        "\"counts\":[0,0,0,0,0,0,0,0,0,0,0,0,0]},"
        "\"service\":{\"p50_ms\":2,\"p99_ms\":2,\"sum_ms\":9198,"
        "\"counts\":[54,100,0,0,0,0,0,0,0,0,0,0,1]}},"
        "\"restarts\":{\"crashes\":1,\"quick_crashes\":2,\"reloads\":3,\"recycles\":4,"
        "\"timeouts\":5,\"kills\":6,\"keeper_crashes\":7},"
        "\"limits\":{\"queue_timeout_ms\":2000,\"request_timeout_ms\":20000,"
        "\"slow_request_ms\":1000,\"worker_max_requests\":100000,\"worker_max_memory_mb\":48,"
        "\"stop_timeout_s\":25},\"keeper\":{\"pid\":99},"
        "\"database\":{\"state\":\"up\",\"server\":\"MariaDB 10.11.19\",\"schema_version\":7,"
        "\"schema_version_needed\":2,\"connections\":1,\"latency_ms\":3,"
        "\"checked_ms_ago\":1500,\"error\":\"\"},"
        "\"secrets\":{\"missing\":\"\",\"credentials_left_s\":null,\"checked_s_ago\":7,"
        "\"error\":\"app_secret: denied\"},"
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
    ck_assert_ptr_nonnull(strstr(body, "\"bucket\":{\"state\":\"none\""));
    f.conf.s3_bucket_name = "images";
    body = get(&f, HTTP_GET, "/status");
    ck_assert_ptr_nonnull(strstr(body, "\"bucket\":{\"state\":\"unknown\""));
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
    ck_assert_ptr_nonnull(
        strstr(body, "\"credentials_left_s\":4,\"checked_s_ago\":null,\"error\":\"\"}"));
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
    memset(seen.secrets_error, '\x01', sizeof seen.secrets_error - 1);
    memset(seen.bucket_error, '\x01', sizeof seen.bucket_error - 1);
    memset(seen.keys_error, '\x01', sizeof seen.keys_error - 1);
    set_up(&f, "ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss", true);
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        struct worker_slot *w = &f.board.workers[i];
        atomic_store(&w->pid, INT32_MAX);
        atomic_store(&w->started_ms, -INT64_MAX / 2);
        atomic_store(&w->state_since_ms, -INT64_MAX / 2);
        for (size_t n = 0; n < WORKER_COUNTER_COUNT; n++)
            atomic_store(&w->numbers.counters[n], INT64_MIN / 64);
        for (size_t n = 0; n < HISTOGRAM_BUCKETS; n++) {
            atomic_store(&w->numbers.queue.counts[n], INT64_MIN / 64);
            atomic_store(&w->numbers.service.counts[n], INT64_MIN / 64);
        }
        atomic_store(&w->state, WORKER_BUSY);
        atomic_store(&w->trace.phase, INT32_MIN);
        atomic_store(&w->trace.route, row_of_a_product());
    }
    memset(&f.pool.counts, 0x81, sizeof f.pool.counts);
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
    {"/metrics", "method_not_allowed", "Allow: GET, HEAD\r\n", HTTP_POST, 405},
    {"/reload", "not_found", "", HTTP_GET, 404},
    {"/reload", "not_found", "", HTTP_PUT, 404},
    {"/reload/", "not_found", "", HTTP_POST, 404},
    {"/workers", "not_found", "", HTTP_POST, 404},
    {"/workers/", "workers_invalid", "", HTTP_POST, 422},
    {"/workers/0", "workers_invalid", "", HTTP_POST, 422},
    {"/workers/65", "workers_invalid", "", HTTP_POST, 422},
    {"/workers/-1", "workers_invalid", "", HTTP_POST, 422},
    {"/workers/8/", "workers_invalid", "", HTTP_POST, 422},
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

static const struct order_row {
    const char *name, *path;
    bool trusted, stopping;
    int status;
    const char *code; /* of the problem; NULL: accepted */
    int64_t resized_to;
} order_rows[] = {
    {"reload", "/reload", true, false, 202, NULL, -1},
    {"one worker", "/workers/1", true, false, 202, NULL, 1},
    {"all there can be", "/workers/64", true, false, 202, NULL, 64},
    {"a stranger", "/reload", false, false, 403, "forbidden", 0},
    {"a stranger with a number", "/workers/3", false, false, 403, "forbidden", 0},
    {"a pool that stops", "/reload", true, true, 409, "stopping", 0},
    {"a pool that stops", "/workers/3", true, true, 409, "stopping", 0},
};
START_TEST(status_orders)
{
    const struct order_row *r = &order_rows[_i];
    struct fixture f;
    set_up(&f, "ii", r->stopping);
    f.req = (struct request){.method = HTTP_POST, .path = slice_from_cstr(r->path)};
    status_answer(&f.source, NOW_MS, &f.req, r->trusted, &f.reply);
    const char *body = buf_cstr(&f.reply.body);
    ck_assert_int_eq(f.reply.status, r->status);
    ck_assert_int_eq(f.resized_to, r->resized_to);
    cJSON *page = cJSON_Parse(body);
    if (r->code)
        ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(page, "code")),
                         r->code);
    else
        ck_assert_msg(cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(page, "workers")) ==
                          (double)(r->resized_to > 0 ? r->resized_to : 2),
                      "%s", body);
    cJSON_Delete(page);
}
END_TEST

static const struct quantile_row {
    int64_t counts[HISTOGRAM_BUCKETS], thousandth, want_ms;
} quantile_rows[] = {
    {{0}, 500, 0},
    {{1}, 990, 1},
    {{99, 1}, 990, 1},
    {{98, 2}, 990, 2},
    {{0, 0, 10}, 1, 5},
    {{50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 50}, 500, 1},
    {{50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 50}, 510, 5000},
    {{[HISTOGRAM_BUCKETS - 1] = 1}, 990, -1},
};
START_TEST(status_quantiles)
{
    const struct quantile_row *r = &quantile_rows[_i];
    ck_assert_int_eq(status_quantile_ms(r->counts, r->thousandth), r->want_ms);
}
END_TEST

/* ---- the other pages ---- */

START_TEST(metrics_are_open_metrics)
{
    struct fixture f;
    set_up(&f, "bi", false);
    atomic_store(&f.board.workers[0].connected, 1);
    histogram_add(&f.board.workers[0].numbers.queue, 1500);
    atomic_store(&f.board.workers[0].numbers.counters[COUNT_SHED], 3);
    f.readings.retired.counters[COUNT_SHED] = 4;
    f.readings.handed = -1;
    f.pool.counts.timeouts = 2;
    const char *body = get(&f, HTTP_GET, "/metrics");
    static const char *const parts[] = {
        "# TYPE cbu_shed counter\n",
        "\ncbu_shed_total 7\n",
        "\ncbu_workers{state=\"busy\"} 1\n",
        "\ncbu_workers_limit 2\n",
        "\ncbu_queue_waiting 7\n",
        "\ncbu_queue_wait_seconds_bucket{le=\"0.001000\"} 0\n",
        "\ncbu_queue_wait_seconds_bucket{le=\"0.002000\"} 1\n",
        "\ncbu_queue_wait_seconds_bucket{le=\"+Inf\"} 1\n",
        "\ncbu_queue_wait_seconds_count 1\ncbu_queue_wait_seconds_sum 0.001500\n",
        "\ncbu_restarts_total{cause=\"timeouts\"} 2\n",
        "\ncbu_database_connections 1\n",
    };
    for (size_t i = 0; i < COUNT(parts); i++)
        ck_assert_msg(strstr(body, parts[i]) != NULL, "%s: %s", parts[i], body);
    ck_assert_ptr_null(strstr(body, "handover_waiting")); /* not known here */
    ck_assert_str_eq(body + strlen(body) - 7, "\n# EOF\n");
    ck_assert_str_eq(f.reply.content_type,
                     "application/openmetrics-text; version=1.0.0; charset=utf-8");
}
END_TEST

static double member(const cJSON *object, const char *name)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

/* Two lines: the second tells what happened since the first. */
START_TEST(metrics_for_cloudwatch)
{
    struct fixture f;
    struct metrics_since since = {0};
    set_up(&f, "bi", false);
    f.readings.queue.waiting = -1;
    _Atomic int64_t *requests = &f.board.workers[0].numbers.counters[COUNT_REQUESTS];
    for (int line = 1; line <= 2; line++) {
        char storage[KIB(4)];
        struct buf out = BUF(storage);
        atomic_store(requests, INT64_C(10) * line);
        histogram_add(&f.board.workers[0].numbers.service, line == 1 ? 100 : 90000000);
        buf_add_char(&out, '{');
        metrics_write_embedded(&f.source, INT64_C(1795381631123), &since, &out);
        buf_add_char(&out, '}');
        const char *text = buf_cstr(&out);
        ck_assert_ptr_nonnull(text);
        cJSON *json = cJSON_Parse(text);
        const cJSON *aws = cJSON_GetObjectItemCaseSensitive(json, "_aws");
        const cJSON *set =
            cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(aws, "CloudWatchMetrics"), 0);
        const cJSON *metric, *metrics = cJSON_GetObjectItemCaseSensitive(set, "Metrics");
        ck_assert_msg(member(aws, "Timestamp") == 1795381631123.0, "%s", text);
        ck_assert_int_ge(cJSON_GetArraySize(metrics), 10);
        cJSON_ArrayForEach(metric, metrics) /* each named one is there, as a number */
            ck_assert_msg(
                cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(
                    json, cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(metric, "Name")))),
                "%s", text);
        ck_assert_msg(member(json, "Requests") == 10 && member(json, "WorkersBusy") == 1 &&
                          member(json, "ServiceP99") == (line == 1 ? 1 : 7500),
                      "%s", text);
        ck_assert_ptr_null(cJSON_GetObjectItemCaseSensitive(json, "QueueWaiting"));
        cJSON_Delete(json);
    }
}
END_TEST

START_TEST(page_for_people)
{
    struct fixture f;
    const struct snapshot seen = {
        .checked_ms = NOW_MS, .database = DATABASE_DOWN, .error = "<script>&\"'"};
    set_up(&f, "bi-e", false);
    atomic_store(&f.board.workers[0].trace.route, row_of_a_product());
    scoreboard_publish(&f.board, &seen);
    const char *body = get(&f, HTTP_GET, "/status.html");
    ck_assert_str_eq(f.reply.content_type, "text/html; charset=utf-8");
    ck_assert_ptr_nonnull(strstr(body, "http-equiv=refresh content=2"));
    ck_assert_ptr_nonnull(strstr(body, "/v1/products/{id}"));
    ck_assert_ptr_nonnull(strstr(body, "&lt;script>&amp;"));
    ck_assert_ptr_null(strstr(body, "<script"));
    ck_assert_ptr_nonnull(strstr(buf_cstr(&f.reply.headers), "Content-Security-Policy: default"));
}
END_TEST

START_TEST(pages_at_their_longest)
{
    static const char *const paths[] = {"/status.html", "/metrics"};
    struct fixture f;
    set_up(&f, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", true);
    memset(&f.readings, 0x81, sizeof f.readings);
    memset(&f.pool.counts, 0x81, sizeof f.pool.counts);
    for (size_t i = 0; i < WORKERS_MAX; i++)
        atomic_store(&f.board.workers[i].state_since_ms, INT64_MIN / 2);
    for (size_t i = 0; i < COUNT(paths); i++)
        get(&f, HTTP_GET, paths[i]);
}
END_TEST

void pool_status(struct suite *s)
{
    suite_rows(s, status_orders, COUNT(order_rows));
    suite_rows(s, status_quantiles, COUNT(quantile_rows));
    suite_test(s, metrics_are_open_metrics);
    suite_test(s, metrics_for_cloudwatch);
    suite_test(s, page_for_people);
    suite_test(s, pages_at_their_longest);
    suite_rows(s, status_ready, COUNT(ready_rows));
    suite_test(s, status_live_in_every_state);
    suite_test(s, status_page);
    suite_test(s, status_page_before_the_first_look);
    suite_test(s, status_page_with_a_stale_look);
    suite_test(s, status_page_at_its_longest);
    suite_rows(s, status_refusals, COUNT(refusal_rows));
}
