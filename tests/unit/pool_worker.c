#include "fcgi/pool/worker.h"

#include "fcgi/pool/listener.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/scratch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define REQUEST_ID "a0b1c2d3e4f5061728394a5b6c7d8e9f"

/* A worker in a process of its own, as the master forks it, and this test in the place of nginx. No
 * database listens: what needs one is answered 503. */
struct fixture {
    struct scratch scratch;
    struct listener listener;
    struct scoreboard *board;
    struct vault *vault;
    struct conf conf;
    struct world world;
    pid_t pid;
    int log_fd;
    char answer[KIB(16)], log[KIB(16)];
};

static void set_up(struct fixture *f)
{
    struct err err = {0};
    *f = (struct fixture){.world = world_system(), .log_fd = memfd_create("log", MFD_CLOEXEC)};
    scratch_open(&f->scratch);
    ck_assert_msg(listener_open(scratch_path(&f->scratch, "fcgi"), 64, &f->listener, &err), "%s",
                  err.cause);
    f->board = scoreboard_open(&err);
    ck_assert_ptr_nonnull(f->board);
    f->vault = vault_open(&err);
    ck_assert_ptr_nonnull(f->vault);
    vault_publish(f->vault,
                  &(struct vault_set){.login_known = true,
                                      .database_user = "cbu",
                                      .database_password = "secret",
                                      .app_secret_count = 1,
                                      .app_secrets = {"0123456789abcdef0123456789abcdef"}});
    f->conf = (struct conf){
        .database_url = "mysql://cbu:secret@localhost/shop?socket=/nonexistent/mysql.sock",
        .database_ca_file = "",
        .database_connect_timeout_s = 1,
        .database_io_timeout_s = 1,
        .database_idle_s = 60,
        .database_max_age_s = 60,
        .shop_currency = "USD",
        .cognito_user_pool_id = "",
        .cognito_client_id = "",
        .workers = 1,
    };
}

static void tear_down(struct fixture *f)
{
    listener_close(&f->listener);
    scratch_close(&f->scratch);
    munmap(f->board, sizeof *f->board);
    close(f->log_fd);
}

/* As in the master, all signals are blocked; `pending` came before the worker was ready for it. */
static void start_worker(struct fixture *f, int pending)
{
    atomic_store(&f->board->workers[0].state, WORKER_STARTING);
    pid_t parent = getpid();
    f->pid = fork();
    ck_assert_int_ge(f->pid, 0);
    if (f->pid > 0)
        return;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EX_OSERR);
    if (pending)
        raise(pending);
    log_start(f->log_fd, LOG_LEVEL_DEBUG);
    _exit(worker_run(&f->conf, &f->world, f->listener.fd, &f->board->workers[0], f->vault));
}

static void wait_until_idle(const struct fixture *f)
{
    while (atomic_load(&f->board->workers[0].state) != WORKER_IDLE) {
        ck_assert_int_eq(waitpid(f->pid, NULL, WNOHANG), 0); /* it lives */
        usleep(1000);
    }
}

static int exit_status(const struct fixture *f)
{
    int status;
    ck_assert_int_eq(waitpid(f->pid, &status, 0), f->pid);
    ck_assert_msg(WIFEXITED(status), "ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

static void stop_worker(const struct fixture *f)
{
    ck_assert_int_eq(kill(f->pid, SIGTERM), 0);
    ck_assert_int_eq(exit_status(f), EX_OK);
}

static const char *read_log(struct fixture *f)
{
    ssize_t got = pread(f->log_fd, f->log, sizeof f->log - 1, 0);
    ck_assert_int_ge(got, 0);
    f->log[got] = '\0';
    return f->log;
}

/* ---- the client's half of FastCGI ---- */

static int dial(const struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", f->listener.path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

enum { BEGIN_REQUEST = 1, PARAMS = 4, STDIN = 5, STDOUT = 6 };

static void add_record(struct buf *out, int type, struct slice content)
{
    const char header[8] = {1, (char)type, 0, 1, (char)(content.len >> 8), (char)content.len, 0, 0};
    buf_add(out, (struct slice){header, sizeof header});
    buf_add(out, content);
}

static void add_param(struct buf *out, const char *name, struct slice value)
{
    ck_assert_uint_lt(value.len, 128);
    buf_add_char(out, (char)strlen(name));
    buf_add_char(out, (char)value.len);
    buf_add_cstr(out, name);
    buf_add(out, value);
}

struct question {
    const char *method, *uri, *body, *content_length; /* NULL: the body's */
};

static void add_question(struct buf *out, const struct question *q)
{
    char storage[KIB(1)], length[16];
    struct buf params = BUF(storage);
    struct slice body = slice_from_cstr(q->body ? q->body : "");
    snprintf(length, sizeof length, "%zu", body.len);
    add_param(&params, "REQUEST_METHOD", slice_from_cstr(q->method));
    add_param(&params, "REQUEST_URI", slice_from_cstr(q->uri));
    add_param(&params, "CONTENT_LENGTH",
              slice_from_cstr(q->content_length ? q->content_length : length));
    add_param(&params, "REQUEST_ID", SLICE(REQUEST_ID));
    add_record(out, BEGIN_REQUEST, SLICE("\0\1\0\0\0\0\0\0")); /* responder, not kept */
    add_record(out, PARAMS, buf_slice(&params));
    add_record(out, PARAMS, SLICE(""));
    if (body.len > 0)
        add_record(out, STDIN, body);
    add_record(out, STDIN, SLICE(""));
    ck_assert(!params.full && !out->full);
}

static int send_question(const struct fixture *f, const struct question *q)
{
    char storage[KIB(4)];
    struct buf out = BUF(storage);
    int fd = dial(f);
    add_question(&out, q);
    ck_assert_int_eq(send(fd, out.ptr, out.len, MSG_NOSIGNAL), (ssize_t)out.len);
    return fd;
}

/* What the worker says until it hangs up, out of its records; empty when it only hangs up. */
static const char *receive(struct fixture *f, int fd)
{
    char storage[KIB(32)];
    struct buf text = BUF(f->answer);
    size_t len = 0;
    ssize_t got;
    while ((got = recv(fd, storage + len, sizeof storage - len, 0)) > 0)
        len += (size_t)got;
    for (size_t at = 0; at + 8 <= len;) {
        size_t length =
            (size_t)(unsigned char)storage[at + 4] << 8 | (unsigned char)storage[at + 5];
        if (storage[at + 1] == STDOUT)
            buf_add(&text, (struct slice){storage + at + 8, length});
        at += 8 + length + (unsigned char)storage[at + 6];
    }
    close(fd);
    ck_assert_ptr_nonnull(buf_cstr(&text));
    return text.ptr;
}

static const char *ask(struct fixture *f, const char *method, const char *uri, const char *body)
{
    return receive(f, send_question(f, &(struct question){method, uri, body, NULL}));
}

/* ---- requests ---- */

static const struct answer_row {
    const char *method, *uri, *body, *begins, *holds;
} answer_rows[] = {
    {"GET", "/", "", "Status: 200 OK\r\nContent-Type: application/json\r\nContent-Length: ",
     "\r\n\r\n{\"service\":\"cbu\""},
    {"GET", "/", "a body that nobody asked for", "Status: 200 OK\r\n", "{\"service\":\"cbu\""},
    {"POST", "/", "a=b", "Status: 405 Method Not Allowed\r\n", "\r\nAllow: GET, HEAD, OPTIONS\r\n"},
    {"BREW", "/", "", "Status: 405 Method Not Allowed\r\n", "\"code\":\"method_not_allowed\""},
    {"", "", "", "Status: 400 Bad Request\r\n", "\"request_id\":\"" REQUEST_ID "\""},
    {"GET", "/nothing?x", "", "Status: 404 Not Found\r\n", "\"instance\":\"/nothing\""},
    {"GET", "/v1/products", "", "Status: 503 Service Unavailable\r\n", "\r\nRetry-After: 1\r\n"},
};
START_TEST(worker_answers)
{
    const struct answer_row *r = &answer_rows[_i];
    struct fixture f;
    set_up(&f);
    start_worker(&f, 0);
    const char *answer = ask(&f, r->method, r->uri, r->body);
    ck_assert_msg(strncmp(answer, r->begins, strlen(r->begins)) == 0, "%s", answer);
    ck_assert_msg(strstr(answer, r->holds) != NULL, "%s", answer);
    wait_until_idle(&f);
    stop_worker(&f);
    tear_down(&f);
}
END_TEST

START_TEST(worker_head)
{
    struct fixture f;
    char get[KIB(4)];
    set_up(&f);
    start_worker(&f, 0);
    snprintf(get, sizeof get, "%s", ask(&f, "GET", "/", ""));
    *(strstr(get, "\r\n\r\n") + 4) = '\0';
    ck_assert_str_eq(ask(&f, "HEAD", "/", ""), get);
    stop_worker(&f);
    tear_down(&f);
}
END_TEST

START_TEST(worker_counts)
{
    struct fixture f;
    set_up(&f);
    const struct worker_slot *slot = &f.board->workers[0];
    start_worker(&f, 0);
    wait_until_idle(&f);
    ck_assert_int_eq(atomic_load(&slot->requests), 0);
    ask(&f, "GET", "/", "");
    ask(&f, "GET", "/nothing", "");
    ask(&f, "GET", "/v1/categories", "");
    stop_worker(&f);
    ck_assert_int_eq(atomic_load(&slot->requests), 3);
    ck_assert_int_eq(atomic_load(&slot->server_errors), 1);
    ck_assert_int_eq(atomic_load(&slot->database_connects), 0);
    tear_down(&f);
}
END_TEST

/* The log of a request names it, also when its line is written after the answer. */
START_TEST(worker_logs)
{
    struct fixture f;
    set_up(&f);
    start_worker(&f, 0);
    ask(&f, "GET", "/", "");
    ask(&f, "GET", "/v1/categories?x=1", "");
    stop_worker(&f);
    const char *log = read_log(&f);
    ck_assert_ptr_nonnull(strstr(log, "\"event\":\"worker.started\""));
    ck_assert_msg(strstr(log, "\"event\":\"request.done\",\"request_id\":\"" REQUEST_ID
                              "\",\"method\":\"GET\",\"path\":\"/\",\"status\":200,\"bytes\":"),
                  "%s", log);
    ck_assert_msg(strstr(log, "\"event\":\"request.failed\",\"request_id\":\"" REQUEST_ID
                              "\",\"method\":\"GET\",\"path\":\"/v1/categories\",\"status\":400"),
                  "%s", log);
    ck_assert_ptr_null(strstr(log, "secret"));
    tear_down(&f);
}
END_TEST

/* What breaks off, or is no FastCGI, is not answered, not counted, and ends no worker. */
static const struct broken_row {
    const char *name;
    struct slice said;
} broken_rows[] = {
    {"nothing", {0}},
    {"HTTP", SLICE_INIT("GET / HTTP/1.1\r\nHost: x\r\n\r\n")},
    {"half a record", SLICE_INIT("\1\1\0\1\0")},
    {"no parameters", SLICE_INIT("\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0")},
    {"half the parameters",
     SLICE_INIT("\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0\1\4\0\1\0\40\0\0\16\3REQUEST_METHODGET")},
    {"a length that is none", SLICE_INIT("\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0\1\4\0\1\0\25\0\0\16"
                                         "\5CONTENT_LENGTH12,34\1\4\0\1\0\0\0\0\1\5\0\1\0\0\0\0")},
};
START_TEST(worker_broken_requests)
{
    const struct broken_row *r = &broken_rows[_i];
    struct fixture f;
    set_up(&f);
    start_worker(&f, 0);
    int fd = dial(&f);
    if (r->said.len > 0)
        ck_assert_int_eq(send(fd, r->said.ptr, r->said.len, MSG_NOSIGNAL), (ssize_t)r->said.len);
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    ck_assert_str_eq(receive(&f, fd), "");
    const char *answer = ask(&f, "GET", "/", "");
    ck_assert_int_eq(strncmp(answer, "Status: 200 OK\r\n", 16), 0);
    stop_worker(&f);
    ck_assert_int_eq(atomic_load(&f.board->workers[0].requests), 1);
    tear_down(&f);
}
END_TEST

static const struct length_row {
    const char *body, *content_length;
    bool answered;
} length_rows[] = {
    {"abc", "3", true},   {"abc", "03", true},  {"abc", "0003", true}, {"", "00", true},
    {"abc", "00", false}, {"abc", "3.", false}, {"abc", "+3", false},  {"abc", "-3", false},
    {"abc", "4", false},  {"abc", "2", false},  {"", "", true},        {"", "1", false},
};
START_TEST(worker_body_of_another_length)
{
    const struct length_row *r = &length_rows[_i];
    struct fixture f;
    set_up(&f);
    start_worker(&f, 0);
    const struct question question = {"POST", "/", r->body, r->content_length};
    const char *answer = receive(&f, send_question(&f, &question));
    ck_assert_int_eq(*answer != '\0', r->answered);
    stop_worker(&f);
    tear_down(&f);
}
END_TEST

/* ---- ends ---- */

START_TEST(worker_ends_when_idle)
{
    struct fixture f;
    set_up(&f);
    start_worker(&f, 0);
    wait_until_idle(&f);
    stop_worker(&f);
    tear_down(&f);
}
END_TEST

/* SIGTERM means this worker: what waits is left to the others, however much of it there is. */
START_TEST(worker_ends_under_load)
{
    struct fixture f;
    int clients[5], server;
    set_up(&f);
    for (size_t i = 0; i < COUNT(clients); i++)
        clients[i] = send_question(&f, &(struct question){"GET", "/", "", NULL});
    start_worker(&f, SIGTERM);
    ck_assert_int_eq(exit_status(&f), EX_OK);
    for (size_t i = 0; i < COUNT(clients); i++) {
        ck_assert_int_ge(server = accept(f.listener.fd, NULL, NULL), 0);
        close(server);
        close(clients[i]);
    }
    tear_down(&f);
}
END_TEST

/* The shut socket means all workers: what waits is still served, then they end by themselves. */
START_TEST(worker_drains)
{
    struct fixture f;
    int clients[5];
    set_up(&f);
    for (size_t i = 0; i < COUNT(clients); i++)
        clients[i] = send_question(&f, &(struct question){"GET", "/", "", NULL});
    listener_shut(&f.listener);
    start_worker(&f, 0);
    ck_assert_int_eq(exit_status(&f), EX_OK);
    for (size_t i = 0; i < COUNT(clients); i++)
        ck_assert_int_eq(strncmp(receive(&f, clients[i]), "Status: 200 OK\r\n", 16), 0);
    ck_assert_int_eq(atomic_load(&f.board->workers[0].requests), COUNT(clients));
    tear_down(&f);
}
END_TEST

START_TEST(worker_that_waits_ends_when_shut)
{
    struct fixture f;
    set_up(&f);
    start_worker(&f, 0);
    ask(&f, "GET", "/", "");
    wait_until_idle(&f);
    listener_shut(&f.listener);
    ck_assert_int_eq(exit_status(&f), EX_OK);
    tear_down(&f);
}
END_TEST

START_TEST(worker_that_cannot_start)
{
    struct fixture f;
    set_up(&f);
    f.conf.database_url = "nonsense";
    start_worker(&f, 0);
    ck_assert_int_eq(exit_status(&f), EX_SOFTWARE);
    ck_assert_ptr_nonnull(strstr(read_log(&f), "\"event\":\"worker.failed\""));
    ck_assert_int_eq(atomic_load(&f.board->workers[0].state), WORKER_STARTING);
    tear_down(&f);
}
END_TEST

void pool_worker(struct suite *s)
{
    suite_rows(s, worker_answers, COUNT(answer_rows));
    suite_test(s, worker_head);
    suite_test(s, worker_counts);
    suite_test(s, worker_logs);
    suite_rows(s, worker_broken_requests, COUNT(broken_rows));
    suite_rows(s, worker_body_of_another_length, COUNT(length_rows));
    suite_test(s, worker_ends_when_idle);
    suite_test(s, worker_ends_under_load);
    suite_test(s, worker_drains);
    suite_test(s, worker_that_waits_ends_when_shut);
    suite_test(s, worker_that_cannot_start);
}
