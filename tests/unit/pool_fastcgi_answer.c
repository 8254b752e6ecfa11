#include "fcgi/pool/fastcgi_answer.h"

#include "tests/unit/suites.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define REQUEST_ID 0x0102
#define BODY_MAX   MIB(3)
#define LONG_BODY  300001

/* Static, since a forked writer leaves its copies without releasing them. */
static char body_bytes[BODY_MAX], received_bytes[2 * BODY_MAX], output_bytes[2 * BODY_MAX];

/* What the other end of the connection has got, record by record; the contents of FCGI_STDOUT,
 * joined, are in `output_bytes`. */
struct received {
    size_t len, output_len, records;
    bool stdout_ended, request_ended;
};

static void open_pair(int ret_pair[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_pair), 0);
}

/* A child that writes the answer; the pair's other end is ours. */
static pid_t start_writer(const int pair[2], struct slice head, struct slice body)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid > 0) {
        close(pair[0]);
        return pid;
    }
    close(pair[1]);
    _exit(fastcgi_answer_write(pair[0], REQUEST_ID, head, body) ? 0 : 1);
}

static void check_record(struct received *r, const unsigned char *record)
{
    size_t length = (size_t)record[4] << 8 | record[5];
    ck_assert_uint_eq(record[0], 1); /* version */
    ck_assert_uint_eq((size_t)record[2] << 8 | record[3], REQUEST_ID);
    ck_assert(!r->request_ended); /* nothing follows the end */
    r->records++;
    if (record[1] == 6) { /* FCGI_STDOUT; an empty one ends the stream */
        ck_assert(!r->stdout_ended);
        memcpy(output_bytes + r->output_len, record + 8, length);
        r->output_len += length;
        r->stdout_ended = length == 0;
    } else {
        ck_assert_uint_eq(record[1], 3); /* FCGI_END_REQUEST: status 0, FCGI_REQUEST_COMPLETE */
        ck_assert_uint_eq(length, 8);
        ck_assert_int_eq(memcmp(record + 8, (const char[5]){0}, 5), 0);
        ck_assert(r->stdout_ended);
        r->request_ended = true;
    }
}

/* `pause_us` before each read keeps the writer waiting. */
static struct received receive(int fd, useconds_t pause_us)
{
    struct received r = {0};
    ssize_t got;
    while ((got = recv(fd, received_bytes + r.len, sizeof received_bytes - r.len, 0)) > 0) {
        r.len += (size_t)got;
        if (pause_us > 0)
            usleep(pause_us);
    }
    ck_assert_int_eq(got, 0);
    for (size_t at = 0; at < r.len;) {
        const unsigned char *record = (const unsigned char *)received_bytes + at;
        ck_assert_uint_ge(r.len - at, 8);
        at += 8 + ((size_t)record[4] << 8 | record[5]) + record[6];
        ck_assert_uint_le(at, r.len);
        check_record(&r, record);
    }
    ck_assert(r.request_ended);
    return r;
}

/* Head and body are `body_bytes`, cut somewhere. */
static void check_output(const struct received *r, size_t len)
{
    ck_assert_uint_eq(r->output_len, len);
    ck_assert_int_eq(memcmp(output_bytes, body_bytes, len), 0);
}

static void make_body(void)
{
    for (size_t i = 0; i < sizeof body_bytes; i++)
        body_bytes[i] = (char)(i * 31 + i / 251);
}

static const struct size_row {
    size_t head, body, records;
} size_rows[] = {
    {0, 0, 2},      {1, 0, 3},     {0, 1, 3},           {100, 1000, 3},     {28, 65500, 3},
    {28, 65501, 4}, {65528, 0, 3}, {65528, 1, 4},       {65529, 65527, 4},  {65529, 65528, 5},
    {0, 65528, 3},  {0, 65529, 4}, {4000, 1 << 20, 19}, {300, 2 << 20, 35},
};
START_TEST(answer_sizes)
{
    const struct size_row *r = &size_rows[_i];
    int pair[2], status;
    make_body();
    open_pair(pair);
    pid_t pid = start_writer(pair, (struct slice){body_bytes, r->head},
                             (struct slice){body_bytes + r->head, r->body});
    struct received got = receive(pair[1], 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    check_output(&got, r->head + r->body);
    ck_assert_uint_eq(got.records, r->records);
    close(pair[1]);
}
END_TEST

static void on_alarm(int signal_number)
{
    (void)signal_number;
}

/* A socket that takes little at a time, and signals that interrupt the sending, cut the records
 * anywhere. */
START_TEST(answer_interrupted)
{
    const struct itimerval often = {{.tv_usec = 500}, {.tv_usec = 500}}, never = {0};
    const struct sigaction action = {.sa_handler = on_alarm};
    int pair[2], status, small = 4096;
    make_body();
    open_pair(pair);
    ck_assert_int_eq(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        close(pair[1]);
        sigaction(SIGALRM, &action, NULL);
        setitimer(ITIMER_REAL, &often, NULL);
        bool good = fastcgi_answer_write(pair[0], REQUEST_ID, (struct slice){body_bytes, 100},
                                         (struct slice){body_bytes + 100, LONG_BODY});
        setitimer(ITIMER_REAL, &never, NULL);
        _exit(good ? 0 : 1);
    }
    close(pair[0]);
    struct received got = receive(pair[1], 300);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    check_output(&got, 100 + LONG_BODY);
    close(pair[1]);
}
END_TEST

/* Also with the default action of SIGPIPE, which would end the process. */
START_TEST(answer_to_nobody)
{
    int pair[2];
    open_pair(pair);
    close(pair[1]);
    ck_assert(!fastcgi_answer_write(pair[0], REQUEST_ID, SLICE("head"), SLICE("body")));
    close(pair[0]);
}
END_TEST

START_TEST(answer_nobody_reads)
{
    const struct timeval timeout = {.tv_usec = 20000};
    int pair[2], small = 4096;
    open_pair(pair);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    ck_assert(!fastcgi_answer_write(pair[0], REQUEST_ID, SLICE("head"),
                                    (struct slice){body_bytes, MIB(1)}));
    close(pair[0]);
    close(pair[1]);
}
END_TEST

void pool_fastcgi_answer(struct suite *s)
{
    suite_rows(s, answer_sizes, COUNT(size_rows));
    suite_test(s, answer_interrupted);
    suite_test(s, answer_to_nobody);
    suite_test(s, answer_nobody_reads);
}
