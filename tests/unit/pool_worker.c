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
    struct handover handover;
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
    ck_assert(handover_open(&f->handover, &err));
    f->board = scoreboard_open(&err);
    ck_assert_ptr_nonnull(f->board);
    atomic_store(&f->board->wanted, 2);
    atomic_store(&f->board->slots, WORKERS_MAX);
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
        .queue_timeout_ms = 2000,
        .request_timeout_ms = 20000,
    };
}

static void tear_down(struct fixture *f)
{
    listener_close(&f->listener);
    handover_close(&f->handover);
    scratch_close(&f->scratch);
    munmap(f->board, sizeof *f->board);
    close(f->log_fd);
}

/* As in the master, all signals are blocked; `pending` came before the worker was ready for it. */
static void start_worker(struct fixture *f, int pending)
{
    worker_slot_reset(&f->board->workers[0], 0);
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
    const struct worker_setting setting = {.conf = &f->conf,
                                           .world = &f->world,
                                           .listen_fd = f->listener.fd,
                                           .handover = &f->handover,
                                           .board = f->board,
                                           .slot = 0,
                                           .vault = f->vault};
    _exit(worker_run(&setting));
}

static void wait_until_idle(const struct fixture *f)
{
    while (worker_slot_state(&f->board->workers[0]) != WORKER_IDLE) {
        ck_assert_int_eq(waitpid(f->pid, NULL, WNOHANG), 0); /* it lives */
        usleep(1000);
    }
}

static int64_t counted(const struct fixture *f, enum worker_counter counter)
{
    return atomic_load(&f->board->workers[0].numbers.counters[counter]);
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

enum { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4, STDIN = 5, STDOUT = 6 };

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
    bool kept, close; /* nginx's flag, and the parameter that says it keeps none */
    const char *msec; /* when nginx handed it over */
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
    if (q->msec)
        add_param(&params, "REQUEST_MSEC", slice_from_cstr(q->msec));
    if (q->close)
        add_param(&params, "CONNECTION_CLOSE", SLICE("1"));
    add_record(out, BEGIN_REQUEST, /* responder */
               q->kept ? SLICE("\0\1\1\0\0\0\0\0") : SLICE("\0\1\0\0\0\0\0\0"));
    add_record(out, PARAMS, buf_slice(&params));
    add_record(out, PARAMS, SLICE(""));
    if (body.len > 0)
        add_record(out, STDIN, body);
    add_record(out, STDIN, SLICE(""));
    ck_assert(!params.full && !out->full);
}

static void send_on(int fd, const struct question *q)
{
    char storage[KIB(4)];
    struct buf out = BUF(storage);
    add_question(&out, q);
    ck_assert_int_eq(send(fd, out.ptr, out.len, MSG_NOSIGNAL), (ssize_t)out.len);
}

static int send_question(const struct fixture *f, const struct question *q)
{
    int fd = dial(f);
    send_on(fd, q);
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
    return receive(
        f, send_question(f, &(struct question){.method = method, .uri = uri, .body = body}));
}

static const struct question get_root = {.method = "GET", .uri = "/"};

/* Reads one answer, whose last record is the end of the request, and leaves the connection open. */
static void receive_one(int fd)
{
    unsigned char header[8], content[KIB(8)];
    do {
        ck_assert_int_eq(recv(fd, header, sizeof header, MSG_WAITALL), sizeof header);
        ssize_t length = header[4] << 8 | header[5];
        ck_assert_int_le(length, (ssize_t)sizeof content);
        ck_assert_int_eq(recv(fd, content, (size_t)length, MSG_WAITALL), length);
    } while (header[1] != END_REQUEST);
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

/* Takes out what differs from answer to answer. */
static void cut_timing(char *answer)
{
    char *line = strstr(answer, "Server-Timing: ");
    ck_assert_msg(line != NULL, "%s", answer);
    char *next = strstr(line, "\r\n") + 2;
    memmove(line, next, strlen(next) + 1);
}

START_TEST(worker_head)
{
    struct fixture f;
    char get[KIB(4)], head[KIB(4)];
    set_up(&f);
    start_worker(&f, 0);
    snprintf(get, sizeof get, "%s", ask(&f, "GET", "/", ""));
    snprintf(head, sizeof head, "%s", ask(&f, "HEAD", "/", ""));
    cut_timing(get);
    cut_timing(head);
    *(strstr(get, "\r\n\r\n") + 4) = '\0';
    ck_assert_str_eq(head, get);
    stop_worker(&f);
    tear_down(&f);
}
END_TEST

START_TEST(worker_counts)
{
    struct fixture f;
    set_up(&f);
    start_worker(&f, 0);
    wait_until_idle(&f);
    ck_assert_int_eq(counted(&f, COUNT_REQUESTS), 0);
    ask(&f, "GET", "/", "");
    ask(&f, "GET", "/nothing", "");
    ask(&f, "GET", "/v1/categories", "");
    stop_worker(&f);
    ck_assert_int_eq(counted(&f, COUNT_REQUESTS), 3);
    ck_assert_int_eq(counted(&f, COUNT_SERVER_ERRORS), 1);
    ck_assert_int_eq(counted(&f, COUNT_DATABASE_CONNECTS), 0);
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
    ck_assert_int_eq(counted(&f, COUNT_REQUESTS), 1);
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
    const struct question question = {
        .method = "POST", .uri = "/", .body = r->body, .content_length = r->content_length};
    const char *answer = receive(&f, send_question(&f, &question));
    ck_assert_int_eq(*answer != '\0', r->answered);
    stop_worker(&f);
    tear_down(&f);
}
END_TEST

/* ---- time ---- */

/* "1795381631.123": so long ago, as nginx writes it. */
static const char *ago(int64_t ms, char *ret, size_t cap)
{
    const struct world world = world_system();
    int64_t at_ms = world_now_ms(&world) - ms;
    snprintf(ret, cap, "%lld.%03lld", (long long)(at_ms / 1000), (long long)(at_ms % 1000));
    return ret;
}

static const struct queue_row {
    const char *name;
    int64_t ago_ms;
    const char *msec; /* instead */
    bool repeated, shed;
} queue_rows[] = {
    {"at once", 0, NULL, false, false},
    {"within the time", 1000, NULL, false, false},
    {"too late", 2500, NULL, false, true},
    {"late because a worker died under it", 2500, NULL, true, false},
    {"longer than anybody waits: the clock was set", 70000, NULL, false, false},
    {"from the future", -5000, NULL, false, false},
    {"no time", 0, "", false, false},
    {"nonsense", 0, "yesterday", false, false},
    {"no fraction", 0, "1795381631", false, false},
    {"beyond 64 bits", 0, "99999999999999999999.000", false, false},
};
START_TEST(worker_sheds_what_waited_too_long)
{
    const struct queue_row *r = &queue_rows[_i];
    struct fixture f;
    char msec[32];
    set_up(&f);
    if (r->repeated)
        scoreboard_begin(f.board, &f.board->workers[1], request_id_parse(SLICE(REQUEST_ID)));
    start_worker(&f, 0);
    struct question q = get_root;
    q.msec = r->msec ? r->msec : ago(r->ago_ms, msec, sizeof msec);
    const char *answer = receive(&f, send_question(&f, &q));
    const char *begins = r->shed ? "Status: 503 Service Unavailable\r\n" : "Status: 200 OK\r\n";
    ck_assert_msg(strncmp(answer, begins, strlen(begins)) == 0, "%s: %s", r->name, answer);
    if (r->shed)
        ck_assert_msg(strstr(answer, "\r\nRetry-After: 1\r\n") != NULL &&
                          strstr(answer, "\"code\":\"overloaded\"") != NULL,
                      "%s", answer);
    stop_worker(&f);
    ck_assert_int_eq(counted(&f, COUNT_SHED), r->shed);
    tear_down(&f);
}
END_TEST

static const struct retry_row {
    int64_t waiting, service_us, workers, want_s;
} retry_rows[] = {
    {0, 1000, 8, 1},      {100, 1000, 8, 1},     {100, 500000, 2, 26},
    {40, 500000, 8, 3},   {1000, 500000, 1, 30}, {INT32_MAX, 60000000, 1, 30},
    {10, 1000000, 0, 11},
};
START_TEST(worker_says_when_to_come_again)
{
    const struct retry_row *r = &retry_rows[_i];
    ck_assert_int_eq(worker_retry_after_s(r->waiting, r->service_us, r->workers), r->want_s);
}
END_TEST

START_TEST(worker_tells_where_the_time_went)
{
    struct fixture f;
    char msec[32];
    set_up(&f);
    f.conf.slow_request_ms = 500;
    start_worker(&f, 0);
    struct question q = {.method = "GET", .uri = "/v1/categories?limit=1"};
    q.msec = ago(1000, msec, sizeof msec);
    const char *answer = receive(&f, send_question(&f, &q));
    const char *timing = strstr(answer, "\r\nServer-Timing: queue;dur=1");
    ck_assert_msg(timing != NULL, "%s", answer);
    ck_assert_ptr_nonnull(strstr(timing, ", auth;dur=0."));
    ck_assert_ptr_nonnull(strstr(timing, ", sql;dur="));
    ck_assert_ptr_nonnull(strstr(timing, ", work;dur="));
    ck_assert_ptr_nonnull(strstr(timing, ", total;dur="));
    ask(&f, "GET", "/", ""); /* not slow */
    stop_worker(&f);
    const char *slow = strstr(read_log(&f), "\"event\":\"request.slow\"");
    ck_assert_ptr_nonnull(slow);
    ck_assert_msg(strstr(slow, "\"path\":\"/v1/categories\",\"status\":503,\"total_ms\":1") != NULL,
                  "%s", slow);
    ck_assert_ptr_null(strstr(slow + 30, "request.slow"));
    ck_assert_int_eq(counted(&f, COUNT_SLOW), 1);
    tear_down(&f);
}
END_TEST

/* A worker that was condemned meanwhile answers, and then serves nothing more. */
START_TEST(worker_ends_when_condemned)
{
    struct fixture f;
    set_up(&f);
    start_worker(&f, 0);
    wait_until_idle(&f);
    /* Half a request keeps it busy. */
    char storage[KIB(4)];
    struct buf out = BUF(storage);
    int fd = dial(&f);
    add_question(&out, &get_root);
    ck_assert_int_eq(send(fd, out.ptr, out.len / 2, MSG_NOSIGNAL), (ssize_t)out.len / 2);
    while (!worker_slot_condemn(&f.board->workers[0], INT64_MAX))
        usleep(1000);
    ck_assert_int_eq(send(fd, out.ptr + out.len / 2, out.len - out.len / 2, MSG_NOSIGNAL),
                     (ssize_t)(out.len - out.len / 2));
    ck_assert_int_eq(strncmp(receive(&f, fd), "Status: 200 OK\r\n", 16), 0);
    ck_assert_int_eq(exit_status(&f), EX_OK);
    tear_down(&f);
}
END_TEST

/* Whoever has hung up is not served; what was written before is not even read. */
START_TEST(worker_leaves_out_the_departed)
{
    struct fixture f;
    set_up(&f);
    close(send_question(&f, &get_root));
    int fd = send_question(&f, &get_root);
    start_worker(&f, 0);
    ck_assert_int_eq(strncmp(receive(&f, fd), "Status: 200 OK\r\n", 16), 0);
    stop_worker(&f);
    ck_assert_int_eq(counted(&f, COUNT_REQUESTS), 1);
    ck_assert_int_eq(counted(&f, COUNT_DEPARTED), 1);
    tear_down(&f);
}
END_TEST

/* ---- connections that nginx keeps ---- */

static const struct kept_row {
    struct question question;
    bool kept;
} kept_rows[] = {
    {{.method = "GET", .uri = "/", .kept = true}, true},
    {{.method = "HEAD", .uri = "/", .kept = true}, true},
    {{.method = "GET", .uri = "/nothing", .kept = true}, true},
    {{.method = "GET", .uri = "/"}, false},
    {{.method = "GET", .uri = "/", .kept = true, .close = true}, false},
    {{.method = "POST", .uri = "/", .body = "a", .kept = true}, false},
    {{.method = "DELETE", .uri = "/", .kept = true}, false},
};
START_TEST(worker_keeps_connections_of_reads)
{
    const struct kept_row *r = &kept_rows[_i];
    struct fixture f;
    char byte;
    set_up(&f);
    start_worker(&f, 0);
    int fd = send_question(&f, &r->question);
    receive_one(fd);
    if (r->kept) {
        send_on(fd, &get_root);
        receive_one(fd);
    }
    ck_assert_int_eq(recv(fd, &byte, 1, 0), 0); /* the last one was not to be kept */
    close(fd);
    stop_worker(&f);
    ck_assert_int_eq(counted(&f, COUNT_REQUESTS), r->kept ? 2 : 1);
    tear_down(&f);
}
END_TEST

/* A silent connection holds no worker, and one that ends leaves what it keeps to the others. */
START_TEST(worker_hands_on_what_it_keeps)
{
    static const struct question kept = {.method = "GET", .uri = "/", .kept = true};
    struct fixture f;
    struct connection connection;
    set_up(&f);
    start_worker(&f, 0);
    int silent = dial(&f), fd = send_question(&f, &kept);
    receive_one(fd);
    send_on(fd, &kept);
    receive_one(fd);
    wait_until_idle(&f);
    stop_worker(&f);
    size_t count = 0;
    for (; handover_take(&f.handover, &connection); count++)
        close(connection.fd);
    ck_assert_uint_eq(count, 2);
    close(fd);
    close(silent);
    tear_down(&f);
}
END_TEST

/* ---- requests that end their workers ---- */

static const struct deaths_row {
    int in_slots, buried; /* workers that died under this request */
    const char *begins;
} deaths_rows[] = {
    {0, 0, "Status: 200 OK\r\n"},
    {1, 0, "Status: 200 OK\r\n"},
    {0, 1, "Status: 200 OK\r\n"},
    {1, 1, "Status: 200 OK\r\n"},
    {2, 0, "Status: 200 OK\r\n"},
    {0, 2, "Status: 200 OK\r\n"},
    {1, 2, "Status: 503 Service Unavailable\r\n"},
    {3, 0, "Status: 503 Service Unavailable\r\n"},
    {0, 3, "Status: 503 Service Unavailable\r\n"},
};
START_TEST(worker_refuses_what_killed_three)
{
    const struct deaths_row *r = &deaths_rows[_i];
    const struct request_id id = request_id_parse(SLICE(REQUEST_ID));
    struct fixture f;
    set_up(&f);
    for (int i = 1; i <= r->in_slots + r->buried; i++) {
        scoreboard_begin(f.board, &f.board->workers[i], id);
        if (i > r->in_slots)
            scoreboard_bury(f.board, &f.board->workers[i]);
    }
    start_worker(&f, 0);
    const char *answer = ask(&f, "GET", "/", "");
    ck_assert_msg(strncmp(answer, r->begins, strlen(r->begins)) == 0, "%s", answer);
    stop_worker(&f);
    bool refused = strstr(read_log(&f), "\"event\":\"request.refused\"") != NULL;
    ck_assert_int_eq(refused, r->in_slots + r->buried == 3);
    tear_down(&f);
}
END_TEST

/* ---- logins ---- */

/* A database that takes no login: it says so instead of a greeting, as the protocol allows. */
static pid_t start_refusing_database(struct fixture *f, char *url, size_t cap)
{
    static const char refusal[] = "\x16\0\0\0\xFF\x15\x04#28000Access denied";
    struct err err = {0};
    struct listener database;
    const char *path = scratch_path(&f->scratch, "mysql");
    ck_assert_msg(listener_open(path, 64, &database, &err), "%s", err.cause);
    snprintf(url, cap, "mysql://cbu:secret@localhost/shop?socket=%s", path);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) { /* until it is killed */
        int fd = accept(database.fd, NULL, NULL);
        if (fd < 0) {
            usleep(1000);
            continue;
        }
        (void)!send(fd, refusal, sizeof refusal - 1, MSG_NOSIGNAL);
        close(fd);
    }
}

/* One look of the keeper's may come too early: a request that waits for another login asks again.
 */
START_TEST(worker_asks_again_for_a_login)
{
    struct fixture f;
    char url[256];
    sigset_t mask;
    int asks = 0;
    set_up(&f);
    pid_t database = start_refusing_database(&f, url, sizeof url);
    f.conf.database_url = url;
    sigfillset(&mask);
    start_worker(&f, 0);
    int fd = send_question(&f, &(struct question){.method = "GET", .uri = "/v1/products"});
    for (int i = 0; i < 500 && asks < 4; i++)
        asks += (vault_wait(f.vault, 10, &mask) & VAULT_NEED_LOGIN) != 0;
    ck_assert_int_eq(asks, 4);
    vault_publish(f.vault,
                  &(struct vault_set){.login_known = true, .database_password = "another"});
    ck_assert_ptr_nonnull(strstr(receive(&f, fd), "Status: 503"));
    stop_worker(&f);
    kill(database, SIGKILL);
    waitpid(database, NULL, 0);
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

/* SIGTERM means this worker: what waits is left to the others, however much of it there is. One
 * connection may have woken this worker and no other, so that one is served. */
START_TEST(worker_ends_under_load)
{
    struct fixture f;
    int clients[5], server;
    size_t left = 0;
    set_up(&f);
    for (size_t i = 0; i < COUNT(clients); i++)
        clients[i] = send_question(&f, &get_root);
    start_worker(&f, SIGTERM);
    ck_assert_int_eq(exit_status(&f), EX_OK);
    for (; (server = accept(f.listener.fd, NULL, NULL)) >= 0; left++)
        close(server);
    ck_assert_uint_ge(left, COUNT(clients) - 1);
    ck_assert_int_eq(counted(&f, COUNT_REQUESTS), (int64_t)(COUNT(clients) - left));
    for (size_t i = 0; i < COUNT(clients); i++)
        close(clients[i]);
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
        clients[i] = send_question(&f, &get_root);
    listener_shut(&f.listener);
    start_worker(&f, 0);
    ck_assert_int_eq(exit_status(&f), EX_OK);
    for (size_t i = 0; i < COUNT(clients); i++)
        ck_assert_int_eq(strncmp(receive(&f, clients[i]), "Status: 200 OK\r\n", 16), 0);
    ck_assert_int_eq(counted(&f, COUNT_REQUESTS), COUNT(clients));
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
    ck_assert_int_eq(worker_slot_state(&f.board->workers[0]), WORKER_STARTING);
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
    suite_rows(s, worker_sheds_what_waited_too_long, COUNT(queue_rows));
    suite_rows(s, worker_says_when_to_come_again, COUNT(retry_rows));
    suite_test(s, worker_tells_where_the_time_went);
    suite_test(s, worker_ends_when_condemned);
    suite_test(s, worker_leaves_out_the_departed);
    suite_rows(s, worker_keeps_connections_of_reads, COUNT(kept_rows));
    suite_test(s, worker_hands_on_what_it_keeps);
    suite_rows(s, worker_refuses_what_killed_three, COUNT(deaths_rows));
    suite_test(s, worker_asks_again_for_a_login);
    suite_test(s, worker_ends_when_idle);
    suite_test(s, worker_ends_under_load);
    suite_test(s, worker_drains);
    suite_test(s, worker_that_waits_ends_when_shut);
    suite_test(s, worker_that_cannot_start);
}
