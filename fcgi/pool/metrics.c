#include "fcgi/pool/metrics.h"

#include "common/base/json_write.h"

#include <inttypes.h>

/* ---- OpenMetrics ---- */

static void add_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_add_format(out, "# TYPE cbu_%s %s\n# HELP cbu_%s %s\n", name, type, name, help);
}

static void add_gauge(struct buf *out, const char *name, const char *help, int64_t value)
{
    if (value < 0) /* not known here */
        return;
    add_head(out, name, "gauge", help);
    buf_add_format(out, "cbu_%s %" PRId64 "\n", name, value);
}

static void add_counter(struct buf *out, const char *name, const char *help, int64_t value)
{
    add_head(out, name, "counter", help);
    buf_add_format(out, "cbu_%s_total %" PRId64 "\n", name, value);
}

static void add_seconds(struct buf *out, int64_t us)
{
    buf_add_format(out, "%" PRId64 ".%06" PRId64, us / 1000000, us % 1000000);
}

static void add_histogram(struct buf *out, const char *name, const char *help,
                          const int64_t *counts, int64_t sum_us)
{
    uint64_t sum = 0; /* a counter: it starts over rather than overflow */
    add_head(out, name, "histogram", help);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        sum += (uint64_t)counts[i];
        buf_add_format(out, "cbu_%s_bucket{le=\"", name);
        if (i < HISTOGRAM_BUCKETS - 1)
            add_seconds(out, histogram_bounds_ms[i] * 1000);
        else
            buf_add(out, SLICE("+Inf"));
        buf_add_format(out, "\"} %" PRIu64 "\n", sum);
    }
    buf_add_format(out, "cbu_%s_count %" PRIu64 "\ncbu_%s_sum ", name, sum, name);
    add_seconds(out, sum_us);
    buf_add_char(out, '\n');
}

static void add_workers(struct buf *out, const struct status_source *s)
{
    struct status_tally t = status_count_workers(s);
    const struct {
        const char *state;
        size_t count;
    } states[] = {
        {"idle", t.idle}, {"busy", t.busy}, {"starting", t.starting}, {"stopping", t.ending}};
    add_head(out, "workers", "gauge", "Workers by state");
    for (size_t i = 0; i < COUNT(states); i++)
        buf_add_format(out, "cbu_workers{state=\"%s\"} %zu\n", states[i].state, states[i].count);
    add_gauge(out, "workers_limit", "Workers there shall be", (int64_t)s->pool->target);
    add_gauge(out, "database_connections", "Workers connected to the database",
              (int64_t)t.connected);
}

static void add_restarts(struct buf *out, const struct pool_counts *counts)
{
    add_head(out, "restarts", "counter", "Processes replaced, by cause");
#define ADD_COUNT(name)                                                                            \
    buf_add_format(out, "cbu_restarts_total{cause=\"" #name "\"} %" PRId64 "\n", counts->name);
    POOL_COUNTS(ADD_COUNT)
#undef ADD_COUNT
}

void metrics_write(const struct status_source *s, int64_t now_ms, struct reply *reply)
{
    struct buf *out = &reply->body;
    struct pool_numbers totals = status_totals(s);
    struct snapshot seen = status_snapshot(s, now_ms);
    reply->content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    add_head(out, "build", "info", "Version of the program");
    buf_add(out, SLICE("cbu_build_info{version=\"" CBU_VERSION "\"} 1\n"));
    add_gauge(out, "uptime_seconds", "Age of the master", (now_ms - s->started_ms) / MS_PER_S);
    add_workers(out, s);
    add_gauge(out, "queue_waiting", "Connections in the queue of the socket",
              s->readings->queue.waiting);
    add_gauge(out, "queue_limit", "Places in the queue of the socket", s->readings->queue.limit);
    add_gauge(out, "handover_waiting", "Connections between two workers", s->readings->handed);
    add_counter(out, "saturated_seconds", "Seconds with all workers busy and more waiting",
                s->readings->saturated);
    for (size_t i = 0; i < WORKER_COUNTER_COUNT; i++)
        add_counter(out, worker_counters[i].name, worker_counters[i].help, totals.counters[i]);
    add_histogram(out, "queue_wait_seconds", "From nginx to a worker", totals.queue.counts,
                  totals.queue.sum_us);
    add_histogram(out, "service_seconds", "From a worker to the answer", totals.service.counts,
                  totals.service.sum_us);
    add_restarts(out, &s->pool->counts);
    add_gauge(out, "database_up", "Whether the keeper's last look was good",
              seen.database == DATABASE_UP);
    buf_add(out, SLICE("# EOF\n"));
}

/* ---- CloudWatch ---- */

struct sample {
    const char *name, *unit;
    int64_t value; /* -1: not known, left out */
};

static int64_t restarts_of(const struct pool_counts *c)
{
    return c->crashes + c->timeouts + c->kills + c->keeper_crashes;
}

static void subtract(const int64_t *now, const int64_t *before, int64_t *ret)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        ret[i] = now[i] - before[i];
}

/* The bound above all others is unknown; half as much again as the last is what a graph can show.
 */
static int64_t p99_of(const int64_t *counts)
{
    int64_t p99_ms = status_quantile_ms(counts, 990);
    return p99_ms >= 0 ? p99_ms : histogram_bounds_ms[HISTOGRAM_BUCKETS - 2] * 3 / 2;
}

static void add_samples(struct buf *out, int64_t time_ms, const struct sample *samples,
                        size_t count)
{
    json_add_name(out, "_aws");
    buf_add_format(out, "{\"Timestamp\":%" PRId64 ",\"CloudWatchMetrics\":[{\"Namespace\":\"cbu\"",
                   time_ms);
    buf_add(out, SLICE(",\"Dimensions\":[[]],\"Metrics\":["));
    const char *between = "";
    for (size_t i = 0; i < count; i++) {
        if (samples[i].value < 0)
            continue;
        buf_add_format(out, "%s{\"Name\":\"%s\",\"Unit\":\"%s\"}", between, samples[i].name,
                       samples[i].unit);
        between = ",";
    }
    buf_add(out, SLICE("]}]}"));
    for (size_t i = 0; i < count; i++)
        if (samples[i].value >= 0)
            json_add_member_i64(out, samples[i].name, samples[i].value);
}

void metrics_write_embedded(const struct status_source *s, int64_t time_ms,
                            struct metrics_since *since, struct buf *out)
{
    struct pool_numbers now = status_totals(s);
    struct status_tally t = status_count_workers(s);
    int64_t queue[HISTOGRAM_BUCKETS], service[HISTOGRAM_BUCKETS], more[WORKER_COUNTER_COUNT];
    subtract(now.queue.counts, since->numbers.queue.counts, queue);
    subtract(now.service.counts, since->numbers.service.counts, service);
    for (size_t i = 0; i < WORKER_COUNTER_COUNT; i++)
        more[i] = now.counters[i] - since->numbers.counters[i];
    const struct sample samples[] = {
        {"Requests", "Count", more[COUNT_REQUESTS]},
        {"ServerErrors", "Count", more[COUNT_SERVER_ERRORS]},
        {"Shed", "Count", more[COUNT_SHED]},
        {"Departed", "Count", more[COUNT_DEPARTED]},
        {"WorkersBusy", "Count", (int64_t)t.busy},
        {"WorkersLimit", "Count", (int64_t)s->pool->target},
        {"QueueWaiting", "Count", s->readings->queue.waiting},
        {"SaturatedSeconds", "Seconds", s->readings->saturated - since->saturated},
        {"QueueWaitP99", "Milliseconds", p99_of(queue)},
        {"ServiceP50", "Milliseconds", status_quantile_ms(service, 500)},
        {"ServiceP99", "Milliseconds", p99_of(service)},
        {"Restarts", "Count", restarts_of(&s->pool->counts) - restarts_of(&since->counts)},
        {"DatabaseConnections", "Count", (int64_t)t.connected},
    };
    add_samples(out, time_ms, ARRAY(samples));
    *since = (struct metrics_since){now, s->pool->counts, s->readings->saturated};
}
