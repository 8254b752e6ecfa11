#include "fcgi/pool/worker.h"

#include "common/base/number.h"
#include "common/db/mysql.h"
#include "common/run/log.h"
#include "common/web/reply.h"
#include "fcgi/api/dispatch.h"
#include "fcgi/api/routes.h"
#include "fcgi/pool/fastcgi_answer.h"
#include "fcgi/pool/token_check.h"

#include <errno.h>
#include <fcgiapp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

/* The most memory one request can make a worker hold, beside its answer and the rows it is made of
 * (which the client library holds: about as much again for a list). */
#define REQUEST_MEMORY WORKER_REQUEST_MEMORY
/* 100 products with descriptions of 4000 four-byte characters make 1.7 MB. */
#define ANSWER_MAX     MIB(2)
#define HEADERS_MAX    KIB(4)
/* What a Unix socket takes without being asked, less the kernel's own share. */
#define SOCKET_BYTES   KIB(96)
/* nginx sends whole requests at once; a peer silent for so long is gone. */
#define PEER_TIMEOUT_S 10
/* A worker killed between being woken and accepting leaves a connection that no other was told of;
 * this is the longest it then waits for an idle one. */
#define LOOK_AGAIN_MS  1000

/* A worker whose login is refused waits so long for another, and asks for one so often. */
#define LOGIN_WAIT_MS      3000
#define LOGIN_POLL_MS      10
#define LOGIN_ASK_AGAIN_MS 10000

struct worker {
    const struct conf *conf;
    const struct world *world;
    struct worker_slot *slot;
    struct vault *vault;
    uint64_t secrets_version; /* of what is in use; see take_secrets() */
    uint64_t login_version;   /* of the login that was used last */
    int64_t ask_login_at_ms;  /* monotonic: asked in vain, not again before */
    int listen_fd, epoll_fd;
    sigset_t wait_mask; /* signals blocked while waiting: all but SIGTERM */
    struct db *db;
    struct api api;
    struct token_check tokens;
    struct arena arena, answer_memory;
    struct reply reply;
    char headers[HEADERS_MAX];
};

/* Only ever delivered inside epoll_pwait(), so it has nothing to do but to interrupt it. */
static volatile sig_atomic_t end_asked;

static void on_sigterm(int signal_number)
{
    (void)signal_number;
    end_asked = 1;
}

/* libfcgi installs handlers of its own for SIGTERM and SIGUSR1; ours replace them. */
static void set_signals(struct worker *w)
{
    struct sigaction term = {.sa_handler = on_sigterm}, ignore = {.sa_handler = SIG_IGN};
    sigfillset(&w->wait_mask);
    sigdelset(&w->wait_mask, SIGTERM);
    sigaction(SIGTERM, &term, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGUSR1, &ignore, NULL);
}

static void set_state(const struct worker *w, enum worker_state state)
{
    atomic_store(&w->slot->state_since_ms, world_monotonic_ms(w->world));
    atomic_store(&w->slot->state, (int)state);
}

/* EPOLLEXCLUSIVE: a new connection wakes one idle worker, not all of them. */
static bool open_epoll(struct worker *w, struct err *err)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE};
    w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (w->epoll_fd < 0 || epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->listen_fd, &event) != 0)
        return err_fail(err, &ERR_INTERNAL, "epoll: %s", strerror(errno));
    return true;
}

/* Waits, within reason, until the keeper has published something else than what was refused. The
 * request has no better use for the time: without the database it would fail. */
static bool wait_for_other_login(struct worker *w)
{
    int64_t begun_ms = world_monotonic_ms(w->world);
    if (vault_login_version(w->vault) == w->login_version) {
        if (begun_ms < w->ask_login_at_ms)
            return false;
        vault_ask(w->vault, VAULT_NEED_LOGIN);
    }
    while (vault_login_version(w->vault) == w->login_version) {
        int64_t now_ms = world_monotonic_ms(w->world);
        if (now_ms - begun_ms > LOGIN_WAIT_MS) {
            /* There is none: the next requests shall not wait in vain as well. */
            w->ask_login_at_ms = now_ms + LOGIN_ASK_AGAIN_MS;
            return false;
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

/* Between two requests: takes over what the keeper has published since. A login that changed makes
 * a new connection; the old one would go on working until it is next made anew. */
static void take_secrets(struct worker *w)
{
    CLEANUP(vault_set_wipe) struct vault_set set;
    struct slice secrets[MAC_RING_MAX];
    struct err err = {0};
    if (vault_version(w->vault) == w->secrets_version)
        return;
    vault_read(w->vault, &set);
    for (size_t i = 0; i < set.app_secret_count; i++)
        secrets[i] = slice_from_cstr(set.app_secrets[i]);
    if (!api_set_secrets(&w->api, secrets, set.app_secret_count, &err))
        log_warn("secret.failed", KV_STR("cause", err.cause));
    if (set.login_version != w->login_version)
        db_renew(w->db);
    w->secrets_version = set.version;
}

static bool open_worker(struct worker *w, struct err *err)
{
    struct db_options options = {0};
    if (FCGX_Init() != 0)
        return err_fail(err, &ERR_INTERNAL, "libfcgi did not start");
    set_signals(w);
    if (!api_init(w->conf->shop_currency, &w->api, err) ||
        !arena_init(&w->arena, REQUEST_MEMORY, err) ||
        !arena_init(&w->answer_memory, ANSWER_MAX, err) || !open_epoll(w, err) ||
        !settings_database(w->conf, w->conf->database_url, &options, err))
        return false;
    token_check_init(w->conf, w->world, w->vault, &w->tokens);
    w->api.authenticator = token_check_authenticator(&w->tokens);
    options.login = login;
    options.login_ctx = w;
    w->reply.headers = BUF(w->headers);
    w->reply.body = arena_buf(&w->answer_memory, ANSWER_MAX);
    w->db = db_open(&db_driver_mysql, &options, w->world, err);
    db_target_wipe(&options.target);
    return w->db != NULL;
}

static void close_worker(struct worker *w)
{
    db_close(w->db);
    api_done(&w->api);
    token_check_done(&w->tokens);
    arena_done(&w->answer_memory);
    arena_done(&w->arena);
    close(w->epoll_fd);
}

/* SIGTERM stays blocked but while waiting; a worker that is never idle finds it pending. */
static bool must_end(void)
{
    sigset_t pending;
    return end_asked || (sigpending(&pending) == 0 && sigismember(&pending, SIGTERM) == 1);
}

/* The next connection, waiting for it; -1 when the worker shall end: SIGTERM came, or the listening
 * socket is shut and its queue empty. A connection that woke this worker woke no other, so it is
 * taken even when the end was asked for meanwhile. */
static int accept_connection(const struct worker *w)
{
    bool woken = false;
    struct epoll_event event = {0};
    while (woken || !must_end()) {
        int fd = accept4(w->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            return fd;
        /* A socket that is shut says EINVAL only where it may block; this one just hangs up. */
        if (errno == EINVAL || (errno == EAGAIN && woken && event.events & EPOLLHUP))
            return -1;
        woken = false;
        if (errno == EAGAIN)
            woken = epoll_pwait(w->epoll_fd, &event, 1, LOOK_AGAIN_MS, &w->wait_mask) > 0;
        else if (errno != EINTR && errno != ECONNABORTED)
            usleep(1000); /* out of descriptors or memory: do not spin */
    }
    return -1;
}

static struct slice param(const FCGX_Request *fcgi, const char *name)
{
    return slice_from_cstr(FCGX_GetParam(name, fcgi->envp));
}

/* Reads the whole body, so that closing the connection never cuts the answer off, but keeps no more
 * than the largest any route takes. False when it breaks off: nginx is gone, nobody would read an
 * answer, and half a body must never be acted on. */
static bool read_body(struct worker *w, FCGX_Request *fcgi, struct request *req)
{
    int64_t length = 0;
    struct slice declared = param(fcgi, "CONTENT_LENGTH"); /* as the client wrote it: "03" is 3 */
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
        .method = http_method_parse(param(fcgi, "REQUEST_METHOD")),
        .content_type = param(fcgi, "CONTENT_TYPE"),
        .accept = param(fcgi, "HTTP_ACCEPT"),
        .if_match = param(fcgi, "HTTP_IF_MATCH"),
        .if_none_match = param(fcgi, "HTTP_IF_NONE_MATCH"),
        .authorization = param(fcgi, "HTTP_AUTHORIZATION"),
        .idempotency_key = param(fcgi, "HTTP_IDEMPOTENCY_KEY"),
        .request_id = param(fcgi, "REQUEST_ID"),
        .trace_id = param(fcgi, "HTTP_X_AMZN_TRACE_ID"),
        .remote_addr = param(fcgi, "REMOTE_ADDR"),
    };
    return read_body(w, fcgi, ret);
}

static struct slice write_head(const struct reply *reply, struct buf *head)
{
    buf_add_format(head, "Status: %d %s\r\n", reply->status, http_status_title(reply->status));
    if (reply->content_type)
        buf_add_format(head, "Content-Type: %s\r\nContent-Length: %zu\r\n", reply->content_type,
                       reply->body.len);
    buf_add(head, buf_slice(&reply->headers));
    buf_add(head, SLICE("\r\n"));
    return buf_slice(head);
}

/* As much of a large answer as the kernel lets us goes out in one write: what a worker that is
 * killed has already written reaches nginx, what it has not is lost. */
static void widen_socket(int fd, size_t bytes)
{
    const int wanted = ANSWER_MAX;
    if (bytes > SOCKET_BYTES)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted);
}

/* A failed write is nginx hanging up: there is nobody left to tell. */
static void send_reply(const FCGX_Request *fcgi, const struct request *req,
                       const struct reply *reply)
{
    char storage[HEADERS_MAX + 256];
    struct buf head = BUF(storage);
    struct slice body = buf_slice(&reply->body);
    if (!reply->content_type || req->method == HTTP_HEAD)
        body.len = 0;
    widen_socket(fcgi->ipcFd, body.len);
    (void)!fastcgi_answer_write(fcgi->ipcFd, fcgi->requestId, write_head(reply, &head), body);
}

static void count_request(const struct worker *w)
{
    if (w->reply.status >= 500)
        atomic_fetch_add(&w->slot->server_errors, 1);
    atomic_fetch_add(&w->slot->requests, 1);
    atomic_store(&w->slot->database_connects, db_connects(w->db));
}

/* One request, from a connection that libfcgi has read. */
static void serve_request(struct worker *w, FCGX_Request *fcgi)
{
    struct request req;
    take_secrets(w);
    if (read_request(w, fcgi, &req)) {
        log_set_request(req.request_id, req.trace_id);
        dispatch(&w->api, w->db, &w->arena, &req, param(fcgi, "REQUEST_URI"), &w->reply);
        send_reply(fcgi, &req, &w->reply);
        log_debug("request.done", KV_STR("method", http_method_name(req.method)),
                  KV_SLICE("path", req.path), KV_I64("status", w->reply.status),
                  KV_I64("bytes", w->reply.body.len));
        log_set_request((struct slice){0}, (struct slice){0});
        count_request(w);
    }
    arena_reset(&w->arena);
    arena_trim(&w->answer_memory, w->reply.body.len);
}

/* The connection is closed by us alone: libfcgi would first wait for nginx to close its side. */
static void serve_connection(struct worker *w, int fd)
{
    const struct timeval timeout = {.tv_sec = PEER_TIMEOUT_S};
    FCGX_Request fcgi;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (FCGX_InitRequest(&fcgi, -1, 0) == 0) { /* -1: libfcgi never accepts by itself */
        fcgi.ipcFd = fd;
        fcgi.keepConnection = 1; /* or FCGX_Accept_r() would close what it is handed */
        if (FCGX_Accept_r(&fcgi) == 0) {
            serve_request(w, &fcgi);
            FCGX_Free(&fcgi, 0);
        } else {
            fd = -1; /* closed by libfcgi, as a request it could not read */
        }
    }
    if (fd >= 0)
        close(fd);
}

int worker_run(const struct conf *conf, const struct world *world, int listen_fd,
               struct worker_slot *slot, struct vault *vault)
{
    struct worker w = {.conf = conf,
                       .world = world,
                       .slot = slot,
                       .vault = vault,
                       .listen_fd = listen_fd,
                       .epoll_fd = -1};
    struct err err = {0};
    int fd;
    if (!open_worker(&w, &err)) {
        log_error("worker.failed", KV_STR("cause", err.cause));
        close_worker(&w);
        return EX_SOFTWARE;
    }
    log_info("worker.started", KV_I64("pid", getpid()));
    set_state(&w, WORKER_IDLE);
    while ((fd = accept_connection(&w)) >= 0) {
        set_state(&w, WORKER_BUSY);
        serve_connection(&w, fd);
        set_state(&w, WORKER_IDLE);
    }
    close_worker(&w);
    return EX_OK;
}
