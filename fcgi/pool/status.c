#include "fcgi/pool/status.h"

#include "common/base/json_write.h"
#include "common/base/number.h"
#include "common/web/problem.h"
#include "fcgi/api/health.h"
#include "fcgi/api/routes.h"
#include "fcgi/pool/keeper.h"
#include "fcgi/pool/metrics.h"
#include "fcgi/pool/status_page.h"

/* What a slot is to a reader: the pool's word while a process comes or goes, its own otherwise. */
const char *status_slot_state(const struct status_source *s, size_t i)
{
    switch (s->pool->slots[i].state) {
    case POOL_SLOT_STARTING:
        return "starting";
    case POOL_SLOT_ENDING:
    case POOL_SLOT_KILLED:
        return "stopping";
    case POOL_SLOT_EMPTY:
        return "none";
    case POOL_SLOT_RUNNING:
        break;
    }
    return worker_state_name(worker_slot_state(&s->board->workers[i]));
}

struct status_tally status_count_workers(const struct status_source *s)
{
    struct status_tally t = {0};
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        struct slice state = slice_from_cstr(status_slot_state(s, i));
        t.starting += slice_equal(state, SLICE("starting"));
        t.idle += slice_equal(state, SLICE("idle"));
        t.busy += slice_equal(state, SLICE("busy")) || slice_equal(state, SLICE("condemned"));
        t.ending += slice_equal(state, SLICE("stopping"));
        t.connected += s->pool->slots[i].state != POOL_SLOT_EMPTY &&
                       atomic_load(&s->board->workers[i].connected) != 0;
    }
    return t;
}

struct pool_numbers status_totals(const struct status_source *s)
{
    struct pool_numbers totals = s->readings->retired;
    for (size_t i = 0; i < WORKERS_MAX; i++)
        if (s->pool->slots[i].state != POOL_SLOT_EMPTY)
            numbers_add(&totals, &s->board->workers[i].numbers);
    return totals;
}

const struct route *status_route(const struct worker_slot *slot)
{
    int row = atomic_load(&slot->trace.route);
    return row >= 0 && (size_t)row < api_routes.count ? &api_routes.rows[row] : NULL;
}

/* What a worker is doing now: nothing of it is there between two requests. */
static void write_request(struct buf *out, const struct worker_slot *w)
{
    char storage[40];
    struct buf id = BUF(storage);
    bool busy = worker_slot_state(w) == WORKER_BUSY || worker_slot_state(w) == WORKER_CONDEMNED;
    const struct route *route = busy ? status_route(w) : NULL;
    if (busy)
        worker_slot_request_id(w, &id);
    json_add_member(out, "request_id", buf_slice(&id));
    json_add_member(out, "route", slice_from_cstr(route ? route->path : ""));
    json_add_member(out, "phase",
                    slice_from_cstr(trace_phase_name(busy ? atomic_load(&w->trace.phase) : 0)));
}

static void write_counters(struct buf *out, const int64_t *counters)
{
    for (size_t i = 0; i < WORKER_COUNTER_COUNT; i++)
        json_add_member_i64(out, worker_counters[i].name, counters[i]);
}

static void write_worker(struct buf *out, const struct status_source *s, size_t i, int64_t now_ms)
{
    const struct worker_slot *w = &s->board->workers[i];
    buf_add_char(out, '{');
    json_add_member_i64(out, "slot", (int64_t)i);
    json_add_member_i64(out, "pid", atomic_load(&w->pid));
    json_add_member(out, "state", slice_from_cstr(status_slot_state(s, i)));
    json_add_member_i64(out, "state_ms", now_ms - atomic_load(&w->state_since_ms));
    json_add_member_i64(out, "age_ms", now_ms - atomic_load(&w->started_ms));
    write_request(out, w);
    struct pool_numbers numbers = {0};
    numbers_add(&numbers, &w->numbers);
    write_counters(out, numbers.counters);
    buf_add_char(out, '}');
}

static void write_workers(struct buf *out, const struct status_source *s, int64_t now_ms)
{
    struct status_tally t = status_count_workers(s);
    json_add_name(out, "workers");
    buf_add_char(out, '{');
    json_add_member_i64(out, "limit", (int64_t)s->pool->target);
    json_add_member_i64(out, "idle", (int64_t)t.idle);
    json_add_member_i64(out, "busy", (int64_t)t.busy);
    json_add_member_i64(out, "starting", (int64_t)t.starting);
    json_add_member_i64(out, "stopping", (int64_t)t.ending);
    json_add_member_i64(out, "pending", (int64_t)pool_pending(s->pool));
    json_add_name(out, "list");
    buf_add_char(out, '[');
    const char *between = "";
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        if (s->pool->slots[i].state == POOL_SLOT_EMPTY)
            continue;
        buf_add_cstr(out, between);
        write_worker(out, s, i, now_ms);
        between = ",";
    }
    buf_add(out, SLICE("]}"));
}

static void write_restarts(struct buf *out, const struct pool_counts *counts)
{
    json_add_name(out, "restarts");
    buf_add_char(out, '{');
#define WRITE_COUNT(name) json_add_member_i64(out, #name, counts->name);
    POOL_COUNTS(WRITE_COUNT)
#undef WRITE_COUNT
    buf_add_char(out, '}');
}

/* -1 is what the system does not tell here. */
static void write_known(struct buf *out, const char *name, int64_t value)
{
    json_add_name(out, name);
    if (value < 0)
        buf_add(out, SLICE("null"));
    else
        buf_add_i64(out, value);
}

static void write_queue(struct buf *out, const struct pool_readings *r)
{
    json_add_name(out, "queue");
    buf_add_char(out, '{');
    write_known(out, "waiting", r->queue.waiting);
    write_known(out, "limit", r->queue.limit);
    write_known(out, "handed", r->handed);
    json_add_member_i64(out, "saturated_s", r->saturated);
    buf_add_char(out, '}');
}

int64_t status_quantile_ms(const int64_t *counts, int64_t thousandth)
{
    double total = 0, seen = 0; /* exact as far as anybody counts, and no product overflows */
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        total += (double)counts[i];
    for (size_t i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        seen += (double)counts[i];
        if (seen * 1000 >= total * (double)thousandth)
            return total > 0 ? histogram_bounds_ms[i] : 0;
    }
    return -1; /* above the last bound */
}

static void write_histogram(struct buf *out, const char *name, const int64_t *counts,
                            int64_t sum_us)
{
    json_add_name(out, name);
    buf_add_char(out, '{');
    write_known(out, "p50_ms", status_quantile_ms(counts, 500));
    write_known(out, "p99_ms", status_quantile_ms(counts, 990));
    json_add_member_i64(out, "sum_ms", sum_us / 1000);
    json_add_name(out, "counts");
    buf_add_char(out, '[');
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        buf_add_cstr(out, i > 0 ? "," : "");
        buf_add_i64(out, counts[i]);
    }
    buf_add(out, SLICE("]}"));
}

static void write_requests(struct buf *out, const struct status_source *s)
{
    struct pool_numbers totals = status_totals(s);
    json_add_name(out, "totals");
    buf_add_char(out, '{');
    write_counters(out, totals.counters);
    buf_add(out, SLICE("},\"durations\":{\"bounds_ms\":["));
    for (size_t i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        buf_add_cstr(out, i > 0 ? "," : "");
        buf_add_i64(out, histogram_bounds_ms[i]);
    }
    buf_add_char(out, ']');
    write_histogram(out, "queue", totals.queue.counts, totals.queue.sum_us);
    write_histogram(out, "service", totals.service.counts, totals.service.sum_us);
    buf_add_char(out, '}');
}

static void write_limits(struct buf *out, const struct conf *conf)
{
    json_add_name(out, "limits");
    buf_add_char(out, '{');
    json_add_member_i64(out, "queue_timeout_ms", conf->queue_timeout_ms);
    json_add_member_i64(out, "request_timeout_ms", conf->request_timeout_ms);
    json_add_member_i64(out, "slow_request_ms", conf->slow_request_ms);
    json_add_member_i64(out, "worker_max_requests", conf->worker_max_requests);
    json_add_member_i64(out, "worker_max_memory_mb", conf->worker_max_memory_mb);
    json_add_member_i64(out, "stop_timeout_s", conf->stop_timeout_s);
    buf_add_char(out, '}');
}

/* The keeper's word, unless it is too old to count. */
struct snapshot status_snapshot(const struct status_source *s, int64_t now_ms)
{
    struct snapshot seen = scoreboard_snapshot(s->board);
    if (now_ms - seen.checked_ms > s->stale_ms)
        seen.database = DATABASE_UNKNOWN;
    if (seen.bucket == BUCKET_NONE && *s->conf->s3_bucket_name) /* the keeper has not looked yet */
        seen.bucket = BUCKET_UNKNOWN;
    return seen;
}

static void write_database(struct buf *out, const struct status_source *s,
                           const struct snapshot *seen, int64_t now_ms)
{
    json_add_name(out, "database");
    buf_add_char(out, '{');
    json_add_member(out, "state", slice_from_cstr(database_state_name(seen->database)));
    json_add_member(out, "server", slice_from_cstr(seen->server));
    json_add_member_i64(out, "schema_version", seen->schema_version);
    json_add_member_i64(out, "schema_version_needed", SCHEMA_VERSION_NEEDED);
    json_add_member_i64(out, "connections", (int64_t)status_count_workers(s).connected);
    json_add_member_i64(out, "latency_ms", seen->latency_ms);
    json_add_name(out, "checked_ms_ago");
    if (seen->checked_ms > 0)
        buf_add_i64(out, now_ms - seen->checked_ms);
    else
        buf_add(out, SLICE("null"));
    json_add_member(out, "error", slice_from_cstr(seen->error));
    buf_add_char(out, '}');
}

/* Never a value: what is missing, and for how long the AWS credentials are good. */
static void write_secrets(struct buf *out, const struct snapshot *seen, int64_t now_ms)
{
    json_add_name(out, "secrets");
    buf_add_char(out, '{');
    json_add_member(out, "missing", slice_from_cstr(seen->missing));
    json_add_name(out, "credentials_left_s");
    if (seen->credentials_end_ms != 0)
        buf_add_i64(out, (seen->credentials_end_ms - now_ms) / MS_PER_S);
    else
        buf_add(out, SLICE("null"));
    json_add_name(out, "checked_s_ago");
    if (seen->secrets_checked_ms != 0)
        buf_add_i64(out, (now_ms - seen->secrets_checked_ms) / MS_PER_S);
    else
        buf_add(out, SLICE("null"));
    json_add_member(out, "error", slice_from_cstr(seen->secrets_error));
    buf_add_char(out, '}');
}

static void write_bucket(struct buf *out, const struct snapshot *seen)
{
    json_add_name(out, "bucket");
    buf_add_char(out, '{');
    json_add_member(out, "state", slice_from_cstr(bucket_state_name(seen->bucket)));
    json_add_member(out, "error", slice_from_cstr(seen->bucket_error));
    buf_add_char(out, '}');
}

static void write_keys(struct buf *out, const struct snapshot *seen, int64_t now_ms)
{
    json_add_name(out, "keys");
    buf_add_char(out, '{');
    json_add_member(out, "state", slice_from_cstr(keys_state_name(seen->keys)));
    json_add_member_i64(out, "count", seen->keys_count);
    json_add_name(out, "age_s");
    if (seen->keys_fetched_ms != 0)
        buf_add_i64(out, (now_ms - seen->keys_fetched_ms) / MS_PER_S);
    else
        buf_add(out, SLICE("null"));
    json_add_member(out, "error", slice_from_cstr(seen->keys_error));
    buf_add_char(out, '}');
}

static void write_status(const struct status_source *s, int64_t now_ms, struct reply *reply)
{
    struct snapshot seen = status_snapshot(s, now_ms);
    struct buf *out = &reply->body;
    buf_add_char(out, '{');
    json_add_member(out, "version", SLICE(CBU_VERSION));
    json_add_member_i64(out, "pid", s->pid);
    json_add_member_i64(out, "uptime_s", (now_ms - s->started_ms) / MS_PER_S);
    json_add_member_bool(out, "stopping", s->pool->stopping);
    write_workers(out, s, now_ms);
    write_queue(out, s->readings);
    write_requests(out, s);
    write_restarts(out, &s->pool->counts);
    write_limits(out, s->conf);
    json_add_name(out, "keeper");
    buf_add_char(out, '{');
    json_add_member_i64(out, "pid", atomic_load(&s->board->keeper_pid));
    buf_add_char(out, '}');
    write_database(out, s, &seen, now_ms);
    write_secrets(out, &seen, now_ms);
    write_bucket(out, &seen);
    write_keys(out, &seen, now_ms);
    buf_add_char(out, '}');
}

static struct health_check health(bool ok, const char *good, const char *bad)
{
    return (struct health_check){ok, slice_from_cstr(ok ? good : bad)};
}

static void write_ready(const struct status_source *s, int64_t now_ms, struct reply *reply)
{
    struct snapshot seen = status_snapshot(s, now_ms);
    struct status_tally workers = status_count_workers(s);
    const char *database = database_state_name(seen.database);
    struct health_ready page = {
        .checks = {
            .database = health(seen.database == DATABASE_UP, database, database),
            .secrets = health(!seen.missing[0], "known", seen.missing),
            .workers = health(workers.idle + workers.busy > 0, "answering", "none is running"),
            .pool = health(!s->pool->stopping, "serving", "stopping"),
        }};
    const struct health_checks *c = &page.checks;
    bool ready = c->database.ok && c->secrets.ok && c->workers.ok && c->pool.ok;
    page.status = ready ? SLICE("ready") : SLICE("unready");
    reply->status = ready ? 200 : 503;
    view_write(&reply->body, &health_ready_view, &page);
}

static void write_live(const struct status_source *s, int64_t now_ms, struct reply *reply)
{
    (void)s;
    (void)now_ms;
    const struct health_live live = {SLICE("ok")};
    view_write(&reply->body, &health_live_view, &live);
}

/* Nobody but the clients of the status socket gets these, so they stand in no table of the API. */
static const struct err_kind not_allowed = {
    403, "forbidden", "Only the service's own user and root may change the pool."};
static const struct err_kind is_stopping = {409, "stopping", "The pool is stopping."};
static const struct err_kind bad_count = {
    422, "workers_invalid", "The number of workers must be from 1 to 64: POST /workers/8."};

/* What is asked of the pool is done one process after the other; `pending` of the status page tells
 * how far it is. */
static void accept(const struct status_source *s, struct reply *reply)
{
    reply->status = 202;
    buf_add_char(&reply->body, '{');
    json_add_member_i64(&reply->body, "workers", (int64_t)s->pool->target);
    json_add_member_i64(&reply->body, "pending", (int64_t)pool_pending(s->pool));
    buf_add_char(&reply->body, '}');
}

static const struct err_kind *order(const struct status_source *s, struct slice path, bool trusted)
{
    static const struct slice workers = SLICE_INIT("/workers/");
    int64_t count = 0;
    bool is_reload = slice_equal(path, SLICE("/reload"));
    if (!is_reload && !slice_starts_with(path, workers))
        return &ERR_NOT_FOUND;
    if (!trusted)
        return &not_allowed;
    if (s->pool->stopping)
        return &is_stopping;
    if (is_reload) {
        s->control.reload(s->control.ctx);
        return NULL;
    }
    if (number_parse_i64(slice_after(path, workers.len), 1, WORKERS_MAX, &count) != NUMBER_OK)
        return &bad_count;
    s->control.resize(s->control.ctx, count);
    return NULL;
}

static const struct page {
    const char *path;
    void (*write)(const struct status_source *s, int64_t now_ms, struct reply *reply);
} pages[] = {
    {"/health/live", write_live}, {"/health/ready", write_ready},      {"/status", write_status},
    {"/metrics", metrics_write},  {"/status.html", status_page_write},
};

static const struct page *find_page(struct slice path)
{
    for (size_t i = 0; i < COUNT(pages); i++)
        if (slice_equal(path, slice_from_cstr(pages[i].path)))
            return &pages[i];
    return NULL;
}

void status_answer(const struct status_source *source, int64_t now_ms, const struct request *req,
                   bool trusted, struct reply *reply)
{
    const struct page *page = find_page(req->path);
    const struct err_kind *refused = NULL;
    reply_reset(reply);
    reply->status = 200;
    reply->content_type = "application/json";
    reply_header(reply, "Cache-Control", SLICE("no-store")); /* a problem brings its own */
    if (page && (req->method == HTTP_GET || req->method == HTTP_HEAD))
        page->write(source, now_ms, reply);
    else if (page)
        refused = &ERR_METHOD_NOT_ALLOWED;
    else if (req->method == HTTP_POST)
        refused = order(source, req->path, trusted);
    else
        refused = &ERR_NOT_FOUND;
    if (refused)
        problem_write(reply, req, refused, NULL);
    if (refused == &ERR_METHOD_NOT_ALLOWED)
        reply_header(reply, "Allow", SLICE("GET, HEAD"));
    if (!page && !refused)
        accept(source, reply);
}
