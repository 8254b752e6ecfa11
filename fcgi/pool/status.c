#include "fcgi/pool/status.h"

#include "common/base/json_write.h"
#include "common/web/problem.h"
#include "fcgi/api/health.h"
#include "fcgi/pool/keeper.h"

struct tally {
    size_t starting, idle, busy, ending;
};

/* What a slot is to a reader: the pool's word while a process comes or goes, its own otherwise. */
static const char *slot_state(const struct status_source *s, size_t i)
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
    return worker_state_name((enum worker_state)atomic_load(&s->board->workers[i].state));
}

static struct tally count_workers(const struct status_source *s)
{
    struct tally t = {0};
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        struct slice state = slice_from_cstr(slot_state(s, i));
        t.starting += slice_equal(state, SLICE("starting"));
        t.idle += slice_equal(state, SLICE("idle"));
        t.busy += slice_equal(state, SLICE("busy"));
        t.ending += slice_equal(state, SLICE("stopping"));
    }
    return t;
}

static void write_worker(struct buf *out, const struct status_source *s, size_t i, int64_t now_ms)
{
    const struct worker_slot *w = &s->board->workers[i];
    buf_add_char(out, '{');
    json_add_member_i64(out, "slot", (int64_t)i);
    json_add_member_i64(out, "pid", atomic_load(&w->pid));
    json_add_member(out, "state", slice_from_cstr(slot_state(s, i)));
    json_add_member_i64(out, "state_ms", now_ms - atomic_load(&w->state_since_ms));
    json_add_member_i64(out, "age_ms", now_ms - atomic_load(&w->started_ms));
    json_add_member_i64(out, "requests", atomic_load(&w->requests));
    json_add_member_i64(out, "server_errors", atomic_load(&w->server_errors));
    json_add_member_i64(out, "database_connects", atomic_load(&w->database_connects));
    buf_add_char(out, '}');
}

static void write_workers(struct buf *out, const struct status_source *s, int64_t now_ms)
{
    struct tally t = count_workers(s);
    json_add_name(out, "workers");
    buf_add_char(out, '{');
    json_add_member_i64(out, "limit", (int64_t)s->pool->target);
    json_add_member_i64(out, "idle", (int64_t)t.idle);
    json_add_member_i64(out, "busy", (int64_t)t.busy);
    json_add_member_i64(out, "starting", (int64_t)t.starting);
    json_add_member_i64(out, "stopping", (int64_t)t.ending);
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
    json_add_member_i64(out, "crashes", counts->crashes);
    json_add_member_i64(out, "quick_crashes", counts->quick_crashes);
    json_add_member_i64(out, "reloads", counts->reloads);
    json_add_member_i64(out, "kills", counts->kills);
    json_add_member_i64(out, "keeper_crashes", counts->keeper_crashes);
    buf_add_char(out, '}');
}

/* The keeper's word, unless it is too old to count. */
static struct snapshot fresh_snapshot(const struct status_source *s, int64_t now_ms)
{
    struct snapshot seen = scoreboard_snapshot(s->board);
    if (now_ms - seen.checked_ms > s->stale_ms)
        seen.database = DATABASE_UNKNOWN;
    return seen;
}

static void write_database(struct buf *out, const struct snapshot *seen, int64_t now_ms)
{
    json_add_name(out, "database");
    buf_add_char(out, '{');
    json_add_member(out, "state", slice_from_cstr(database_state_name(seen->database)));
    json_add_member(out, "server", slice_from_cstr(seen->server));
    json_add_member_i64(out, "schema_version", seen->schema_version);
    json_add_member_i64(out, "schema_version_needed", SCHEMA_VERSION_NEEDED);
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
    struct snapshot seen = fresh_snapshot(s, now_ms);
    struct buf *out = &reply->body;
    buf_add_char(out, '{');
    json_add_member(out, "version", SLICE(CBU_VERSION));
    json_add_member_i64(out, "pid", s->pid);
    json_add_member_i64(out, "uptime_s", (now_ms - s->started_ms) / MS_PER_S);
    json_add_member_bool(out, "stopping", s->pool->stopping);
    write_workers(out, s, now_ms);
    write_restarts(out, &s->pool->counts);
    json_add_name(out, "keeper");
    buf_add_char(out, '{');
    json_add_member_i64(out, "pid", atomic_load(&s->board->keeper_pid));
    buf_add_char(out, '}');
    write_database(out, &seen, now_ms);
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
    struct snapshot seen = fresh_snapshot(s, now_ms);
    struct tally workers = count_workers(s);
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

void status_answer(const struct status_source *source, int64_t now_ms, const struct request *req,
                   struct reply *reply)
{
    reply_reset(reply);
    reply->status = 200;
    reply->content_type = "application/json";
    reply_header(reply, "Cache-Control", SLICE("no-store")); /* a problem brings its own */
    if (req->method != HTTP_GET && req->method != HTTP_HEAD) {
        problem_write(reply, req, &ERR_METHOD_NOT_ALLOWED, NULL);
        reply_header(reply, "Allow", SLICE("GET, HEAD"));
    } else if (slice_equal(req->path, SLICE("/health/live"))) {
        const struct health_live live = {SLICE("ok")};
        view_write(&reply->body, &health_live_view, &live);
    } else if (slice_equal(req->path, SLICE("/health/ready"))) {
        write_ready(source, now_ms, reply);
    } else if (slice_equal(req->path, SLICE("/status"))) {
        write_status(source, now_ms, reply);
    } else {
        problem_write(reply, req, &ERR_NOT_FOUND, NULL);
    }
}
