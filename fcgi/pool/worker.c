#include "fcgi/pool/worker.h"

#include "common/base/number.h"
#include "common/db/mysql.h"
#include "common/run/log.h"
#include "common/web/problem.h"
#include "common/web/reply.h"
#include "fcgi/api/dispatch.h"
#include "fcgi/api/routes.h"
#include "fcgi/pool/connections.h"
#include "fcgi/pool/fastcgi_answer.h"
#include "fcgi/pool/params.h"
#include "fcgi/pool/token_check.h"

#include <errno.h>
#include <fcgiapp.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

/* The most memory one request can make a worker hold, beside its answer and the rows it is made of
 * (which the client library holds: about as much again for a list). */
#define REQUEST_MEMORY    WORKER_REQUEST_MEMORY
/* 100 products with descriptions of 4000 four-byte characters make 1.7 MB. */
#define ANSWER_MAX        MIB(2)
#define HEADERS_MAX       KIB(4)
/* What a Unix socket takes without being asked, less the kernel's own share. */
#define SOCKET_BYTES      KIB(96)
/* nginx gives up long before; see NGINX_READ_TIMEOUT_S. */
#define QUEUE_WAIT_MAX_MS 60000
#define RETRY_AFTER_MAX_S 30
/* A read is tried by so many workers. What ends all of them from outside in the same moment may
 * well hit two that had the same read, the second having just taken it over; hardly three. nginx
 * tries once more (nginx/parts/fastcgi.conf), so it is a worker that refuses, and says so in the
 * log. */
#define ATTEMPTS_MAX      3

/* A worker that waits for another login asks for one so often meanwhile: the first look may have
 * come too early. After waiting in vain it fails at once for a moment. */
#define LOGIN_ASK_MS      250
#define LOGIN_FAIL_FOR_MS 1000

struct worker {
    const struct conf *conf;
    const struct world *world;
    struct scoreboard *board;
    struct worker_slot *slot;
    struct vault *vault;
    uint64_t secrets_version; /* of what is in use; see take_secrets() */
    uint64_t login_version;   /* of the login that was used last */
    int64_t ask_login_at_ms;  /* monotonic: waited in vain, not again before */
    struct connections connections;
    struct db *db;
    struct api api;
    struct token_check tokens;
    struct arena arena, answer_memory;
    struct reply reply;
    struct trace trace;
    struct params params; /* of the request that is being served */
    char headers[HEADERS_MAX];
};

/* SIGTERM stays blocked and arrives through a descriptor. libfcgi installs handlers of its own for
 * it and for SIGUSR1; these replace them. */
static bool open_signals(struct worker *w, struct err *err)
{
    struct sigaction standard = {.sa_handler = SIG_DFL}, ignore = {.sa_handler = SIG_IGN};
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigaction(SIGTERM, &standard, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGUSR1, &ignore, NULL);
    w->connections.end_fd = signalfd(-1, &end, SFD_NONBLOCK | SFD_CLOEXEC);
    return w->connections.end_fd >= 0 ||
           err_fail(err, &ERR_INTERNAL, "signalfd: %s", strerror(errno));
}

/* Waits, within reason, until the keeper has published something else than what was refused. The
 * request has no better use for the time: without the database it would fail. */
static bool wait_for_other_login(struct worker *w)
{
    int64_t begun_ms = world_monotonic_ms(w->world), ask_at_ms = begun_ms;
    while (vault_login_version(w->vault) == w->login_version) {
        int64_t now_ms = world_monotonic_ms(w->world);
        if (begun_ms < w->ask_login_at_ms)
            return false;
        if (now_ms - begun_ms > LOGIN_WAIT_MS) {
            /* There is none: the next requests shall not wait in vain as well. */
            w->ask_login_at_ms = now_ms + LOGIN_FAIL_FOR_MS;
            return false;
        }
        if (now_ms >= ask_at_ms) {
            vault_ask(w->vault, VAULT_NEED_LOGIN);
            ask_at_ms = now_ms + LOGIN_ASK_MS;
        }
        usleep(LOGIN_POLL_MS * 1000);
    }
    return true;
}

/* See db_options.login. */
static bool login(void *ctx, bool refused, struct db_target *target, struct err *err)
{
    CLEANUP(vault_set_wipe) struct vault_set set;
    struct worker *w = ctx;
    if (refused && !wait_for_other_login(w))
        return false;
    vault_read(w->vault, &set);
    w->login_version = set.login_version;
    if (!set.login_known)
        return err_fail(err, &ERR_DATABASE_DOWN, "no database password yet");
    memcpy(target->user, set.database_user, sizeof target->user);
    memcpy(target->password, set.database_password, sizeof target->password);
    return true;
}

/* Takes over what the keeper has published since. A login that changed makes a new connection; the
 * old one would go on working until it is next made anew. */
static void take_published(struct worker *w)
{
    CLEANUP(vault_set_wipe) struct vault_set set;
    struct slice secrets[MAC_RING_MAX];
    struct err err = {0};
    vault_read(w->vault, &set);
    for (size_t i = 0; i < set.app_secret_count; i++)
        secrets[i] = slice_from_cstr(set.app_secrets[i]);
    if (!api_set_secrets(&w->api, secrets, set.app_secret_count, &err))
        log_warn("secret.failed", KV_STR("cause", err.cause));
    if (set.login_version != w->login_version)
        db_renew(w->db);
    w->secrets_version = set.version;
}

/* Between two requests. Wiping a set takes as long as many a handler, so there is one only when
 * something is new. */
static void take_secrets(struct worker *w)
{
    if (vault_version(w->vault) != w->secrets_version)
        take_published(w);
}

/* The request is about to wait: nothing else shall wait for it. */
static void wait_long(void *ctx)
{
    struct worker *w = ctx;
    connections_hand_on(&w->connections);
}

static bool open_worker(struct worker *w, struct err *err)
{
    struct db_options options = {0};
    if (FCGX_Init() != 0)
        return err_fail(err, &ERR_INTERNAL, "libfcgi did not start");
    if (!api_init(w->conf->shop_currency, &w->api, err) ||
        !arena_init(&w->arena, REQUEST_MEMORY, err) ||
        !arena_init(&w->answer_memory, ANSWER_MAX, err) || !open_signals(w, err) ||
        !connections_open(&w->connections, err) ||
        !settings_database(w->conf, w->conf->database_url, &options, err))
        return false;
    token_check_init(w->conf, w->world, w->vault, &w->tokens);
    w->api.authenticator = token_check_authenticator(&w->tokens);
    options.login = login;
    options.login_ctx = w;
    options.waiting = wait_long;
    options.waiting_ctx = w;
    w->tokens.waiting = wait_long;
    w->tokens.waiting_ctx = w;
    w->reply.headers = BUF(w->headers);
    w->reply.body = arena_buf(&w->answer_memory, ANSWER_MAX);
    w->db = db_open(&db_driver_mysql, &options, w->world, err);
    db_target_wipe(&options.target);
    if (!w->db)
        return false;
    db_set_trace(w->db, &w->trace);
    return true;
}

static void close_worker(struct worker *w)
{
    db_close(w->db);
    api_done(&w->api);
    token_check_done(&w->tokens);
    arena_done(&w->answer_memory);
    arena_done(&w->arena);
    connections_close(&w->connections);
    if (w->connections.end_fd >= 0)
        close(w->connections.end_fd);
}

/* Reads the whole body, so that closing the connection never cuts the answer off, but keeps no more
 * than the largest any route takes. False when it breaks off: nginx is gone, nobody would read an
 * answer, and half a body must never be acted on. */
static bool read_body(struct worker *w, FCGX_Request *fcgi, struct request *req)
{
    int64_t length = 0;
    struct slice declared = w->params.content_length; /* as the client wrote it: "03" is 3 */
    while (declared.len > 1 && declared.ptr[0] == '0')
        declared = slice_after(declared, 1);
    if (declared.len > 0 && number_parse_i64(declared, 0, INT32_MAX, &length) != NUMBER_OK)
        return false;
    req->body_too_large = (size_t)length > api_body_limit();
    struct buf body = arena_buf(&w->arena, req->body_too_large ? 0 : (size_t)length);
    char piece[4096];
    int64_t read = 0;
    int got;
    while ((got = FCGX_GetStr(piece, sizeof piece, fcgi->in)) > 0) {
        buf_add(&body, (struct slice){piece, (size_t)got});
        read += got;
    }
    if (!body.full)
        req->body = buf_slice(&body);
    /* libfcgi takes parameters that break off for all there are, but remembers the error. */
    return read == length && FCGX_GetError(fcgi->in) == 0;
}

static bool read_request(struct worker *w, FCGX_Request *fcgi, struct request *ret)
{
    *ret = (struct request){
        .method = http_method_parse(w->params.method),
        .content_type = w->params.content_type,
        .content_encoding = w->params.content_encoding,
        .accept = w->params.accept,
        .if_match = w->params.if_match,
        .if_none_match = w->params.if_none_match,
        .authorization = w->params.authorization,
        .idempotency_key = w->params.idempotency_key,
        .request_id = w->params.request_id,
        .trace_id = w->params.trace_id,
        .remote_addr = w->params.remote_addr,
        .trace = &w->trace,
    };
    return read_body(w, fcgi, ret);
}

static struct slice write_head(const struct reply *reply, struct buf *head)
{
    buf_add(head, SLICE("Status: "));
    buf_add_i64(head, reply->status);
    buf_add_char(head, ' ');
    buf_add_cstr(head, http_status_title(reply->status));
    if (reply->content_type) {
        buf_add(head, SLICE("\r\nContent-Type: "));
        buf_add_cstr(head, reply->content_type);
        buf_add(head, SLICE("\r\nContent-Length: "));
        buf_add_u64(head, reply->body.len);
    }
    buf_add(head, SLICE("\r\n"));
    buf_add(head, buf_slice(&reply->headers));
    buf_add(head, SLICE("\r\n"));
    return buf_slice(head);
}

/* As much of a large answer as the kernel lets us goes out in one write: what a worker that is
 * killed has already written reaches nginx, what it has not is lost. */
static void widen_socket(int fd)
{
    const int wanted = ANSWER_MAX;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted);
}

/* False: nginx has hung up, and there is nobody left to tell. */
static bool send_reply(struct worker *w, const FCGX_Request *fcgi, const struct request *req)
{
    const struct reply *reply = &w->reply;
    char storage[HEADERS_MAX + 256];
    struct buf head = BUF(storage);
    struct slice body = buf_slice(&reply->body);
    if (!reply->content_type || req->method == HTTP_HEAD)
        body.len = 0;
    if (body.len > SOCKET_BYTES) { /* it may not go out in one piece */
        widen_socket(fcgi->ipcFd);
        wait_long(w);
    }
    return fastcgi_answer_write(fcgi->ipcFd, fcgi->requestId, write_head(reply, &head), body);
}

static void count(const struct worker *w, enum worker_counter counter, int64_t more)
{
    numbers_count(&w->slot->numbers, counter, more);
}

static void log_slow(struct worker *w, const struct request *req, int64_t total_us)
{
    const int64_t *us = w->trace.spent_us;
    log_warn("request.slow", KV_STR("method", http_method_name(req->method)),
             KV_SLICE("path", req->path), KV_I64("status", w->reply.status),
             KV_I64("total_ms", total_us / 1000), KV_I64("queue_ms", us[TRACE_QUEUE] / 1000),
             KV_I64("read_ms", us[TRACE_READ] / 1000), KV_I64("auth_ms", us[TRACE_AUTH] / 1000),
             KV_I64("sql_ms", us[TRACE_SQL] / 1000), KV_I64("work_ms", us[TRACE_WORK] / 1000),
             KV_I64("write_ms", us[TRACE_WRITE] / 1000), KV_STR("statement", w->trace.slowest),
             KV_I64("statement_ms", w->trace.slowest_us / 1000));
}

/* The request is answered: what it took, for the status pages and the log. */
static void note_request(struct worker *w, const struct request *req)
{
    int64_t service_us = trace_end(&w->trace), queue_us = w->trace.spent_us[TRACE_QUEUE];
    int64_t slow_us = w->conf->slow_request_ms * 1000;
    histogram_add(&w->slot->numbers.queue, queue_us);
    histogram_add(&w->slot->numbers.service, service_us);
    count(w, COUNT_SERVER_ERRORS, w->reply.status >= 500);
    if (slow_us > 0 && queue_us + service_us > slow_us) {
        count(w, COUNT_SLOW, 1);
        log_slow(w, req, queue_us + service_us);
    }
    log_debug("request.done", KV_STR("method", http_method_name(req->method)),
              KV_SLICE("path", req->path), KV_I64("status", w->reply.status),
              KV_I64("bytes", w->reply.body.len), KV_I64("duration_us", service_us));
    atomic_store_explicit(&w->slot->numbers.counters[COUNT_DATABASE_CONNECTS], db_connects(w->db),
                          memory_order_relaxed);
    atomic_store_explicit(&w->slot->connected, db_connected(w->db), memory_order_relaxed);
    count(w, COUNT_REQUESTS, 1);
}

/* Milliseconds since nginx handed the request over: its $msec, "1795381631.123". 0 where it cannot
 * be: nobody waits longer than nginx does, so the clock was set in between. */
static int64_t queue_wait_ms(const struct worker *w)
{
    struct slice fraction = w->params.msec, seconds = {0};
    int64_t s = 0, ms = 0;
    slice_cut(&fraction, '.', &seconds);
    while (fraction.len > 1 && *fraction.ptr == '0')
        fraction = slice_after(fraction, 1);
    if (number_parse_i64(seconds, 0, INT64_MAX / MS_PER_S - 1, &s) != NUMBER_OK ||
        number_parse_i64(fraction, 0, 999, &ms) != NUMBER_OK)
        return 0;
    int64_t waited_ms = world_now_ms(w->world) - (s * MS_PER_S + ms);
    return waited_ms > 0 && waited_ms < QUEUE_WAIT_MAX_MS ? waited_ms : 0;
}

/* When the queue will be empty as things are: what waits, times what one takes, shared by all. */
int64_t worker_retry_after_s(int64_t waiting, int64_t service_us, int64_t workers)
{
    int64_t seconds = waiting * service_us / (workers > 0 ? workers : 1) / 1000000 + 1;
    return seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S;
}

static int64_t retry_after_s(const struct worker *w)
{
    const struct worker_numbers *n = &w->slot->numbers;
    int64_t served =
        atomic_load(&n->counters[COUNT_REQUESTS]) - atomic_load(&n->counters[COUNT_SHED]);
    int64_t service_us = atomic_load(&n->service.sum_us) / (served > 0 ? served : 1);
    int64_t queued = atomic_load(&w->board->queued),
            handed = handover_count(w->connections.handover);
    return worker_retry_after_s((queued > 0 ? queued : 0) + (handed > 0 ? handed : 0), service_us,
                                atomic_load(&w->board->wanted));
}

/* Whether the request may be served; if not, it has its answer. One under which workers have died
 * has not waited in the queue alone, so its age does not count. */
static bool admit(struct worker *w, const struct request *req, struct slice target)
{
    unsigned deaths = scoreboard_begin(w->board, w->slot, request_id_parse(req->request_id));
    if (deaths >= ATTEMPTS_MAX) {
        /* It would end every worker it came to: over a kept connection nginx repeats a read without
         * counting. */
        log_error("request.refused", KV_STR("method", http_method_name(req->method)),
                  KV_SLICE("target", target), KV_I64("deaths", deaths));
        count(w, COUNT_REFUSED, 1);
        problem_write(&w->reply, req, &ERR_UNAVAILABLE, NULL);
        return false;
    }
    if (deaths > 0 || w->trace.spent_us[TRACE_QUEUE] <= w->conf->queue_timeout_ms * 1000)
        return true;
    count(w, COUNT_SHED, 1);
    problem_write_retry(&w->reply, req, &ERR_OVERLOADED, retry_after_s(w));
    return false;
}

/* "Server-Timing: queue;dur=0.120, sql;dur=1.003, total;dur=1.340", in milliseconds: what is known
 * when the answer begins. Source: W3C, Server Timing. */
static void add_duration(struct buf *out, const char *name, int64_t us)
{
    const char digits[] = {'.', (char)('0' + us / 100 % 10), (char)('0' + us / 10 % 10),
                           (char)('0' + us % 10)};
    buf_add_cstr(out, name);
    buf_add(out, SLICE(";dur="));
    buf_add_i64(out, us / 1000);
    buf_add(out, (struct slice){digits, sizeof digits});
}

static void add_server_timing(struct worker *w)
{
    static const enum trace_phase shown[] = {TRACE_QUEUE, TRACE_AUTH, TRACE_SQL, TRACE_WORK};
    struct buf *out = &w->reply.headers;
    buf_add(out, SLICE("Server-Timing: "));
    for (size_t i = 0; i < COUNT(shown); i++) {
        add_duration(out, trace_phase_name((int)shown[i]), w->trace.spent_us[shown[i]]);
        buf_add(out, SLICE(", "));
    }
    add_duration(out, "total", w->trace.entered_us - w->trace.begun_us);
    buf_add(out, SLICE("\r\n"));
}

static bool is_read(const struct request *req)
{
    return req->method == HTTP_GET || req->method == HTTP_HEAD;
}

/* Whether nginx may send the next request over the same connection: it keeps those of reads. */
static bool is_kept(const struct worker *w, const FCGX_Request *fcgi, const struct request *req)
{
    return fcgi->keepConnection && is_read(req) && w->params.connection_close.len == 0;
}

static bool answer_request(struct worker *w, FCGX_Request *fcgi, struct request *req)
{
    struct slice target = w->params.uri;
    log_set_request(req->request_id, req->trace_id);
    trace_enter(&w->trace, TRACE_WORK);
    if (!is_read(req)) /* locks, transactions, uploads: it takes its time */
        wait_long(w);
    if (admit(w, req, target))
        dispatch(&w->api, w->db, &w->arena, req, target, &w->reply);
    trace_enter(&w->trace, TRACE_WRITE);
    add_server_timing(w);
    bool kept = send_reply(w, fcgi, req) && is_kept(w, fcgi, req);
    note_request(w, req);
    log_set_request((struct slice){0}, (struct slice){0});
    scoreboard_end(w->slot);
    return kept;
}

/* One request, from a connection that libfcgi has read. Returns whether nginx may use the
 * connection again. */
static bool serve_request(struct worker *w, FCGX_Request *fcgi)
{
    struct request req;
    params_read(fcgi->envp, &w->params);
    w->trace.spent_us[TRACE_QUEUE] = queue_wait_ms(w) * 1000;
    take_secrets(w);
    bool kept = read_request(w, fcgi, &req) && answer_request(w, fcgi, &req);
    arena_reset(&w->arena);
    arena_trim(&w->answer_memory, w->reply.body.len);
    return kept;
}

/* The connection is closed by us alone: libfcgi would first wait for nginx to close its side. */
static void serve_connection(struct worker *w, struct connection *connection)
{
    FCGX_Request fcgi;
    bool kept = false, open = true;
    trace_begin(&w->trace, w->world, &w->slot->trace);
    if (FCGX_InitRequest(&fcgi, -1, 0) == 0) { /* -1: libfcgi never accepts by itself */
        fcgi.ipcFd = connection->fd;
        fcgi.keepConnection = 1; /* or FCGX_Accept_r() would close what it is handed */
        if (FCGX_Accept_r(&fcgi) == 0) {
            kept = serve_request(w, &fcgi);
            FCGX_Free(&fcgi, 0);
        } else {
            open = false; /* closed by libfcgi, as a request it could not read */
        }
    }
    if (open && kept && !connection->last)
        connections_keep(&w->connections, connection);
    else if (open)
        close(connection->fd);
}

int worker_run(const struct worker_setting *setting)
{
    struct worker w = {.conf = setting->conf,
                       .world = setting->world,
                       .board = setting->board,
                       .slot = &setting->board->workers[setting->slot],
                       .vault = setting->vault,
                       .connections = {.world = setting->world,
                                       .listen_fd = setting->listen_fd,
                                       .handover = setting->handover,
                                       .board = setting->board,
                                       .slot = &setting->board->workers[setting->slot],
                                       .end_fd = -1,
                                       .epoll_fd = -1}};
    struct connection connection;
    struct err err = {0};
    if (!open_worker(&w, &err)) {
        log_error("worker.failed", KV_STR("cause", err.cause));
        close_worker(&w);
        return EX_SOFTWARE;
    }
    log_info("worker.started", KV_I64("pid", getpid()));
    worker_slot_idle(w.slot, world_monotonic_ms(w.world));
    do {
        if (!connections_next(&w.connections, &connection))
            break;
        worker_slot_begin(w.slot, world_monotonic_ms(w.world));
        serve_connection(&w, &connection);
        /* One that was condemned has answered after all, but its place is given to another. */
    } while (worker_slot_end(w.slot, world_monotonic_ms(w.world)));
    close_worker(&w);
    return EX_OK;
}
