#include "fcgi/pool/status_server.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/scratch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEADLINE_MS     5000
#define ACCEPT_PAUSE_MS 200
#define ANSWER_BYTES    KIB(100)

struct fixture {
    struct scoreboard board;
    struct pool pool;
    struct pool_readings readings;
    struct conf conf;
    struct scratch scratch;
    const char *path;
    struct status_server *server;
    int64_t now_ms;
    size_t answer_len;
    char answer[ANSWER_BYTES];
};

static void set_up(struct fixture *f)
{
    struct err err = {0};
    memset(f, 0, sizeof *f);
    f->conf.s3_bucket_name = "";
    f->now_ms = 1000000;
    scratch_open(&f->scratch);
    f->path = scratch_path(&f->scratch, "status");
    pool_init(&f->pool, 2, 25000);
    const struct status_source source = {.pool = &f->pool,
                                         .board = &f->board,
                                         .readings = &f->readings,
                                         .conf = &f->conf,
                                         .pid = 4711,
                                         .stale_ms = 30000};
    f->server = status_server_open(f->path, &source, &err);
    ck_assert_msg(f->server != NULL, "%s", err.cause);
}

static void tear_down(struct fixture *f)
{
    status_server_close(f->server);
    ck_assert_int_ne(access(f->path, F_OK), 0);
    scratch_close(&f->scratch);
}

static int dial(const struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", f->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* What the master's loop does, as long as there is something to do at once. */
static void run(struct fixture *f)
{
    struct pollfd fds[STATUS_POLL_MAX];
    do {
        status_server_run(f->server, f->now_ms);
    } while (poll(fds, status_server_poll(f->server, fds), 0) > 0);
}

static void say(int fd, struct slice text)
{
    ck_assert_int_eq(send(fd, text.ptr, text.len, MSG_NOSIGNAL), (ssize_t)text.len);
}

/* What has come by now, added to the answer. True when the server has hung up. */
static bool listen_to(struct fixture *f, int fd)
{
    for (;;) {
        ssize_t got = recv(fd, f->answer + f->answer_len, ANSWER_BYTES - 1 - f->answer_len, 0);
        if (got < 0 && errno == EAGAIN)
            return false;
        if (got <= 0) /* a reset is the end of a connection with bytes that nobody read */
            return true;
        f->answer_len += (size_t)got;
        f->answer[f->answer_len] = '\0';
    }
}

static const char *ask(struct fixture *f, struct slice request)
{
    int fd = dial(f);
    f->answer_len = 0;
    f->answer[0] = '\0';
    run(f);
    say(fd, request);
    run(f);
    ck_assert(listen_to(f, fd));
    close(fd);
    return f->answer;
}

#define LIVE                                                                                       \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n"                  \
    "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
#define BAD "HTTP/1.1 400 Bad Request\r\n"

static const struct request_row {
    const char *name;
    struct slice request;
    const char *begins; /* the answer */
    const char *holds;
} request_rows[] = {
    {"live", SLICE_INIT("GET /health/live HTTP/1.1\r\n\r\n"), LIVE "{\"status\":\"ok\"}", ""},
    {"HTTP/1.0 and header fields",
     SLICE_INIT("GET /health/live HTTP/1.0\r\nHost: x\r\nAccept: */*\r\n\r\n"), LIVE, "ok"},
    {"a query is left alone", SLICE_INIT("GET /health/live?x=%zz HTTP/1.1\r\n\r\n"), LIVE, "ok"},
    {"absolute form", SLICE_INIT("GET http://localhost/health/live HTTP/1.1\r\n\r\n"), LIVE, "ok"},
    {"pipelined junk is not answered",
     SLICE_INIT("GET /health/live HTTP/1.1\r\n\r\nGET /status HTTP/1.1\r\n\r\n\x01\x02"),
     LIVE "{\"status\":\"ok\"}", ""},
    {"unready", SLICE_INIT("GET /health/ready HTTP/1.1\r\n\r\n"),
     "HTTP/1.1 503 Service Unavailable\r\n", "\"unready\""},
    {"not found", SLICE_INIT("GET /etc/passwd HTTP/1.1\r\n\r\n"), "HTTP/1.1 404 Not Found\r\n",
     "\"instance\":\"/etc/passwd\""},
    {"not allowed", SLICE_INIT("POST /status HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"),
     "HTTP/1.1 405 Method Not Allowed\r\n", "\r\nAllow: GET, HEAD\r\n"},
    {"a method of another letter case", SLICE_INIT("get /status HTTP/1.1\r\n\r\n"),
     "HTTP/1.1 405 Method Not Allowed\r\n", ""},
    {"no version", SLICE_INIT("GET /health/live\r\n\r\n"), BAD, "bad_request"},
    {"HTTP/2", SLICE_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), BAD, "\"instance\":\"/\""},
    {"empty", SLICE_INIT("\r\n\r\n"), BAD, ""},
    {"blanks", SLICE_INIT("   \r\n\r\n"), BAD, ""},
    {"no path", SLICE_INIT("GET * HTTP/1.1\r\n\r\n"), BAD, ""},
    {"NUL", SLICE_INIT("GET /\0 HTTP/1.1\r\n\r\n"), BAD, ""},
    {"garbage", SLICE_INIT("\x16\x03\x01\x02\x00\xff\xfe\r\n\r\n"), BAD, ""},
    {"bytes that are no UTF-8", SLICE_INIT("GET /\xff\"\\ HTTP/1.1\r\n\r\n"), "HTTP/1.1 404",
     "\"instance\":\"/\xEF\xBF\xBD\\\"\\\\\""},
    {"a header field is not injected", SLICE_INIT("GET /%0d%0aX:y HTTP/1.1\r\n\r\n"),
     "HTTP/1.1 404", "\"instance\":\"/%0d%0aX:y\""},
};
START_TEST(server_requests)
{
    const struct request_row *r = &request_rows[_i];
    struct fixture f;
    set_up(&f);
    const char *answer = ask(&f, r->request);
    ck_assert_msg(strncmp(answer, r->begins, strlen(r->begins)) == 0, "%s: %s", r->name, answer);
    ck_assert_msg(strstr(answer, r->holds) != NULL, "%s: %s", r->name, answer);
    ck_assert_msg(strstr(strstr(answer, "\r\n\r\n") + 4, "HTTP/1.1") == NULL, "%s: %s", r->name,
                  answer);
    tear_down(&f);
}
END_TEST

START_TEST(server_head_has_no_body)
{
    struct fixture f;
    set_up(&f);
    ck_assert_str_eq(ask(&f, SLICE("HEAD /health/live HTTP/1.1\r\n\r\n")), LIVE);
    tear_down(&f);
}
END_TEST

START_TEST(server_reads_byte_by_byte)
{
    struct fixture f;
    const struct slice request = SLICE("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n");
    set_up(&f);
    int fd = dial(&f);
    for (size_t i = 0; i < request.len; i++) {
        ck_assert(!listen_to(&f, fd));
        ck_assert_uint_eq(f.answer_len, 0);
        say(fd, (struct slice){request.ptr + i, 1});
        run(&f);
    }
    ck_assert(listen_to(&f, fd));
    ck_assert_str_eq(f.answer, LIVE "{\"status\":\"ok\"}");
    close(fd);
    tear_down(&f);
}
END_TEST

/* A head that is longer than the buffer is answered by its first line; so is one whose first line
 * alone is too long, but as malformed. */
static const struct oversized_row {
    const char *begins;
    char filler;
    const char *status;
} oversized_rows[] = {
    {"GET /health/live HTTP/1.1\r\nCookie: ", 'x', "HTTP/1.1 200 OK\r\n"},
    {"GET /health/live HTTP/1.1\r\n", '\r', "HTTP/1.1 200 OK\r\n"},
    {"GET /", 'x', "HTTP/1.1 400 Bad Request\r\n"},
    {"GET /health/live ", ' ', "HTTP/1.1 400 Bad Request\r\n"},
    {"", 'x', "HTTP/1.1 400 Bad Request\r\n"},
    {"", '\0', "HTTP/1.1 400 Bad Request\r\n"},
};
START_TEST(server_oversized_heads)
{
    const struct oversized_row *r = &oversized_rows[_i];
    struct fixture f;
    char request[KIB(6)];
    size_t length = strlen(r->begins);
    set_up(&f);
    memset(request, r->filler, sizeof request);
    memcpy(request, r->begins, length);
    const char *answer = ask(&f, (struct slice){request, sizeof request});
    ck_assert_msg(strncmp(answer, r->status, strlen(r->status)) == 0, "%.100s", answer);
    tear_down(&f);
}
END_TEST

/* A long path comes back in the problem, three bytes for each that is no UTF-8: it still fits. */
START_TEST(server_longest_problem)
{
    struct fixture f;
    char request[KIB(4)];
    set_up(&f);
    memset(request, '\xff', sizeof request);
    struct buf begin = BUF(request), end = {request + sizeof request - 13, 0, 13, false};
    buf_add(&begin, SLICE("GET /"));
    buf_add(&end, SLICE(" HTTP/1.1\r\n\r\n"));
    const char *answer = ask(&f, (struct slice){request, sizeof request});
    ck_assert_int_eq(strncmp(answer, "HTTP/1.1 404", 12), 0);
    ck_assert_uint_gt(f.answer_len, 3 * (sizeof request - 18));
    ck_assert_int_eq(answer[f.answer_len - 1], '}');
    tear_down(&f);
}
END_TEST

START_TEST(server_status_of_64_workers)
{
    struct fixture f;
    set_up(&f);
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        f.pool.slots[i].state = POOL_SLOT_STARTING;
        for (size_t n = 0; n < WORKER_COUNTER_COUNT; n++)
            atomic_store(&f.board.workers[i].numbers.counters[n], INT64_MIN / 64);
    }
    const char *answer = ask(&f, SLICE("GET /status HTTP/1.1\r\n\r\n"));
    char length[64];
    const char *body = strstr(answer, "\r\n\r\n");
    ck_assert_ptr_nonnull(body);
    snprintf(length, sizeof length, "\r\nContent-Length: %zu\r\n", strlen(body + 4));
    ck_assert_ptr_nonnull(strstr(answer, length));
    ck_assert_ptr_nonnull(strstr(body, "\"slot\":63,"));
    ck_assert_int_eq(answer[f.answer_len - 1], '}');
    tear_down(&f);
}
END_TEST

static const struct slow_row {
    const char *name;
    struct slice said;
} slow_rows[] = {
    {"says nothing", {0}},
    {"half a line", SLICE_INIT("GET /heal")},
    {"no blank line", SLICE_INIT("GET /health/live HTTP/1.1\r\nHost: x\r\n")},
    {"line feeds only", SLICE_INIT("GET /health/live HTTP/1.1\n\n")},
};
START_TEST(server_drops_the_slow)
{
    const struct slow_row *r = &slow_rows[_i];
    struct fixture f;
    set_up(&f);
    ck_assert_int_eq(status_server_wait_ms(f.server, f.now_ms), -1);
    int fd = dial(&f);
    run(&f);
    if (r->said.len > 0)
        say(fd, r->said);
    f.now_ms += 1;
    run(&f);
    ck_assert_int_eq(status_server_wait_ms(f.server, f.now_ms), DEADLINE_MS - 1);
    f.now_ms += DEADLINE_MS - 2;
    run(&f);
    ck_assert(!listen_to(&f, fd));
    ck_assert_int_eq(status_server_wait_ms(f.server, f.now_ms), 1);
    f.now_ms += 1;
    ck_assert_int_eq(status_server_wait_ms(f.server, f.now_ms), 0);
    run(&f);
    ck_assert_msg(listen_to(&f, fd), "%s: is still there", r->name);
    ck_assert_uint_eq(f.answer_len, 0);
    ck_assert_int_eq(status_server_wait_ms(f.server, f.now_ms), -1);
    close(fd);
    tear_down(&f);
}
END_TEST

/* Dripping does not buy time: the deadline counts from the connection's beginning. */
START_TEST(server_drops_the_dripping)
{
    struct fixture f;
    set_up(&f);
    int fd = dial(&f);
    run(&f);
    for (int i = 0; i < 10; i++) {
        say(fd, SLICE("G"));
        run(&f);
        ck_assert(!listen_to(&f, fd));
        f.now_ms += DEADLINE_MS / 10;
    }
    run(&f);
    ck_assert(listen_to(&f, fd));
    close(fd);
    tear_down(&f);
}
END_TEST

START_TEST(server_forgets_who_hangs_up)
{
    struct fixture f;
    struct pollfd fds[STATUS_POLL_MAX];
    set_up(&f);
    for (int i = 0; i < 3 * STATUS_CONNECTIONS_MAX; i++) {
        int fd = dial(&f);
        say(fd, SLICE("GET /"));
        run(&f);
        ck_assert_uint_eq(status_server_poll(f.server, fds), 2);
        close(fd);
        run(&f);
        ck_assert_uint_eq(status_server_poll(f.server, fds), 1);
    }
    tear_down(&f);
}
END_TEST

/* Sixteen silent clients take every place; more wait in the queue, and are served when the
 * deadlines have passed. */
START_TEST(server_full)
{
    struct fixture f;
    struct pollfd fds[STATUS_POLL_MAX];
    int silent[STATUS_CONNECTIONS_MAX];
    set_up(&f);
    for (size_t i = 0; i < COUNT(silent); i++) {
        silent[i] = dial(&f);
        run(&f);
    }
    ck_assert_uint_eq(status_server_poll(f.server, fds), STATUS_CONNECTIONS_MAX);
    int waiting = dial(&f);
    say(waiting, SLICE("GET /health/live HTTP/1.1\r\n\r\n"));
    run(&f); /* does not spin: the listener is not polled */
    ck_assert(!listen_to(&f, waiting));
    close(silent[7]);
    run(&f);
    ck_assert(listen_to(&f, waiting));
    ck_assert_str_eq(f.answer, LIVE "{\"status\":\"ok\"}");
    close(waiting);
    f.now_ms += DEADLINE_MS;
    run(&f);
    for (size_t i = 0; i < COUNT(silent); i++) {
        if (i == 7)
            continue;
        ck_assert(listen_to(&f, silent[i]));
        close(silent[i]);
    }
    ck_assert_uint_eq(status_server_poll(f.server, fds), 1);
    tear_down(&f);
}
END_TEST

/* Out of descriptors: the caller waits in the queue, and the loop does not spin meanwhile. */
START_TEST(server_out_of_descriptors)
{
    struct fixture f;
    struct rlimit limit, none;
    struct pollfd fds[STATUS_POLL_MAX];
    set_up(&f);
    int fd = dial(&f);
    say(fd, SLICE("GET /health/live HTTP/1.1\r\n\r\n"));
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){0, limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    status_server_run(f.server, f.now_ms);
    status_server_run(f.server, f.now_ms + ACCEPT_PAUSE_MS - 1);
    ck_assert_uint_eq(status_server_poll(f.server, fds), 0);
    ck_assert_int_eq(status_server_wait_ms(f.server, f.now_ms), ACCEPT_PAUSE_MS);
    f.now_ms += ACCEPT_PAUSE_MS;
    status_server_run(f.server, f.now_ms); /* still out of them */
    ck_assert_int_eq(status_server_wait_ms(f.server, f.now_ms), ACCEPT_PAUSE_MS);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    f.now_ms += ACCEPT_PAUSE_MS;
    run(&f);
    ck_assert(listen_to(&f, fd));
    ck_assert_str_eq(f.answer, LIVE "{\"status\":\"ok\"}");
    ck_assert_int_eq(status_server_wait_ms(f.server, f.now_ms), -1);
    close(fd);
    tear_down(&f);
}
END_TEST

START_TEST(server_refuses_a_live_socket)
{
    struct fixture f;
    struct err err = {0};
    set_up(&f);
    const struct status_source source = {.pool = &f.pool, .board = &f.board};
    ck_assert_ptr_null(status_server_open(f.path, &source, &err));
    ck_assert_ptr_eq(err.kind, &ERR_SETTINGS_INVALID);
    tear_down(&f);
}
END_TEST

/* A child drops what is the master's, and the master's callers do not notice. */
START_TEST(server_forgotten_in_a_child)
{
    struct fixture f;
    set_up(&f);
    int fd = dial(&f);
    run(&f);
    status_server_forget(f.server);
    ck_assert_int_eq(access(f.path, F_OK), 0);
    close(fd);
    scratch_close(&f.scratch);
    status_server_close(NULL);
}
END_TEST

void pool_status_server(struct suite *s)
{
    suite_rows(s, server_requests, COUNT(request_rows));
    suite_test(s, server_head_has_no_body);
    suite_test(s, server_reads_byte_by_byte);
    suite_rows(s, server_oversized_heads, COUNT(oversized_rows));
    suite_test(s, server_longest_problem);
    suite_test(s, server_status_of_64_workers);
    suite_rows(s, server_drops_the_slow, COUNT(slow_rows));
    suite_test(s, server_drops_the_dripping);
    suite_test(s, server_forgets_who_hangs_up);
    suite_test(s, server_full);
    const char *fork_mode = getenv("CK_FORK");
    if (fork_mode && strcmp(fork_mode, "no") == 0) /* valgrind does not enforce the limit */
        suite_skip(s, "server_out_of_descriptors: needs a process of its own (CK_FORK=no)");
    else
        suite_test(s, server_out_of_descriptors);
    suite_test(s, server_refuses_a_live_socket);
    suite_test(s, server_forgotten_in_a_child);
}
