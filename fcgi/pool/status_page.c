#include "fcgi/pool/status_page.h"

#include "common/base/number.h"

#include <inttypes.h>

static const char style[] =
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;"
    "color:#1b1f24;background:#fff}"
    "h1{font-size:1.3rem;margin:0}h2{font-size:1rem;margin:1.6rem 0 .4rem}"
    ".bad{color:#a40000;font-weight:600}.dim{color:#57606a}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:right;padding:.15rem .6rem;border-bottom:1px solid #d8dee4;"
    "font-variant-numeric:tabular-nums}"
    "th{font-weight:600}.l{text-align:left}"
    ".bar{display:flex;height:1.4rem;background:#eaeef2;border-radius:3px;overflow:hidden}"
    ".bar i{display:block}.busy{background:#bc4c00}.idle{background:#2da44e}"
    ".starting{background:#0969da}.stopping{background:#8250df}.condemned{background:#a40000}"
    ".cards{display:flex;flex-wrap:wrap;gap:.8rem;margin-top:1rem}"
    ".cards div{border:1px solid #d8dee4;border-radius:4px;padding:.4rem .8rem;min-width:8rem}"
    ".cards b{display:block;font-size:1.25rem;font-variant-numeric:tabular-nums}"
    "@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}"
    ".dim{color:#9198a1}.bad{color:#ff7b72}th,td{border-color:#30363d}.bar{background:#30363d}"
    ".cards div{border-color:#30363d}}";

/* Nothing on the page comes from a client, but what a server said of itself or of an error may hold
 * anything. */
static void add_text(struct buf *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            buf_add(out, SLICE("&lt;"));
            break;
        case '&':
            buf_add(out, SLICE("&amp;"));
            break;
        default:
            buf_add_char(out, *text);
        }
    }
}

static void add_card(struct buf *out, const char *name, int64_t value, const char *unit, bool bad)
{
    buf_add_format(out, "<div><span class=dim>%s</span><b%s>", name, bad ? " class=bad" : "");
    if (value < 0)
        buf_add(out, SLICE("&ndash;"));
    else
        buf_add_i64(out, value);
    buf_add_format(out, "%s</b></div>", unit);
}

static void add_bar(struct buf *out, const struct status_tally *t)
{
    const struct {
        const char *state;
        size_t count;
    } parts[] = {
        {"busy", t->busy}, {"idle", t->idle}, {"starting", t->starting}, {"stopping", t->ending}};
    buf_add(out, SLICE("<div class=bar>"));
    for (size_t i = 0; i < COUNT(parts); i++)
        if (parts[i].count > 0)
            buf_add_format(out, "<i class=%s style='flex:%zu' title='%zu %s'></i>", parts[i].state,
                           parts[i].count, parts[i].count, parts[i].state);
    buf_add(out, SLICE("</div>"));
}

static void add_cards(struct buf *out, const struct status_source *s, const struct status_tally *t)
{
    struct pool_numbers totals = status_totals(s);
    const struct pool_readings *r = s->readings;
    const struct pool_counts *c = &s->pool->counts;
    bool full = t->busy >= s->pool->target;
    buf_add(out, SLICE("<div class=cards>"));
    add_card(out, "workers busy", (int64_t)t->busy, "", full);
    add_card(out, "of", (int64_t)s->pool->target, "", false);
    add_card(out, "in the queue", r->queue.waiting, "", full && r->queue.waiting > 0);
    add_card(out, "places there", r->queue.limit, "", false);
    add_card(out, "between workers", r->handed, "", full && r->handed > 0);
    add_card(out, "saturated", r->saturated, " s", false);
    add_card(out, "queue wait p99", status_quantile_ms(totals.queue.counts, 990), " ms", false);
    add_card(out, "service p50", status_quantile_ms(totals.service.counts, 500), " ms", false);
    add_card(out, "service p99", status_quantile_ms(totals.service.counts, 990), " ms", false);
    add_card(out, "requests", totals.counters[COUNT_REQUESTS], "", false);
    add_card(out, "errors", totals.counters[COUNT_SERVER_ERRORS], "", false);
    add_card(out, "shed", totals.counters[COUNT_SHED], "", false);
    add_card(out, "crashes", c->crashes, "", c->crashes > 0);
    add_card(out, "timeouts", c->timeouts, "", c->timeouts > 0);
    add_card(out, "recycled", c->recycles, "", false);
    buf_add(out, SLICE("</div>"));
}

static void add_worker(struct buf *out, const struct status_source *s, size_t i, int64_t now_ms)
{
    const struct worker_slot *w = &s->board->workers[i];
    const char *state = status_slot_state(s, i);
    bool busy = worker_slot_state(w) == WORKER_BUSY || worker_slot_state(w) == WORKER_CONDEMNED;
    const struct route *route = busy ? status_route(w) : NULL;
    int64_t state_ms = now_ms - atomic_load(&w->state_since_ms);
    buf_add_format(out, "<tr><td>%zu<td>%d<td class=l>%s<td%s>%" PRId64, i,
                   (int)atomic_load(&w->pid), state, busy && state_ms > 1000 ? " class=bad" : "",
                   state_ms);
    buf_add_format(out, "<td class=l>%s<td class=l>%s", route ? route->path : "",
                   busy ? trace_phase_name(atomic_load(&w->trace.phase)) : "");
    buf_add_format(out, "<td>%" PRId64 "<td>%" PRId64 "<td>%" PRId64,
                   atomic_load(&w->numbers.counters[COUNT_REQUESTS]),
                   atomic_load(&w->numbers.counters[COUNT_SERVER_ERRORS]),
                   (now_ms - atomic_load(&w->started_ms)) / MS_PER_S);
}

static void add_workers(struct buf *out, const struct status_source *s, int64_t now_ms)
{
    buf_add(out, SLICE("<h2>Workers</h2><table><tr><th>slot<th>pid<th class=l>state<th>for ms"
                       "<th class=l>route<th class=l>phase<th>requests<th>errors<th>age s"));
    for (size_t i = 0; i < WORKERS_MAX; i++)
        if (s->pool->slots[i].state != POOL_SLOT_EMPTY)
            add_worker(out, s, i, now_ms);
    buf_add(out, SLICE("</table>"));
}

static void add_database(struct buf *out, const struct status_source *s, int64_t now_ms)
{
    struct snapshot seen = status_snapshot(s, now_ms);
    bool up = seen.database == DATABASE_UP;
    buf_add_format(out, "<h2>Database</h2><p><span%s>%s</span> <span class=dim>",
                   up ? "" : " class=bad", database_state_name(seen.database));
    add_text(out, seen.server);
    buf_add(out, SLICE("</span> "));
    add_text(out, seen.error);
    buf_add(out, SLICE("</p>"));
}

void status_page_write(const struct status_source *s, int64_t now_ms, struct reply *reply)
{
    struct buf *out = &reply->body;
    struct status_tally t = status_count_workers(s);
    reply->content_type = "text/html; charset=utf-8";
    reply_header(reply, "Content-Security-Policy",
                 SLICE("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"));
    buf_add(out, SLICE("<!DOCTYPE html><html lang=en><meta charset=utf-8>"
                       "<meta http-equiv=refresh content=2><title>cbu status</title><style>"));
    buf_add_cstr(out, style);
    buf_add_format(out,
                   "</style><h1>cbu <span class=dim>" CBU_VERSION ", pid %" PRId64 ", up %" PRId64
                   " s%s</span></h1>",
                   s->pid, (now_ms - s->started_ms) / MS_PER_S,
                   s->pool->stopping ? ", stopping" : "");
    add_cards(out, s, &t);
    buf_add(out, SLICE("<h2>Pool</h2>"));
    add_bar(out, &t);
    add_workers(out, s, now_ms);
    add_database(out, s, now_ms);
}
