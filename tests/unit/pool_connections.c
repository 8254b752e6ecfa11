#include "fcgi/pool/connections.h"

#include "fcgi/pool/listener.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/fake_world.h"
#include "tests/unit/support/scratch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* One worker's connections, and this test in the place of nginx and of the other workers. */
struct fixture {
    struct scoreboard board; /* this worker's slot is the last in use */
    struct listener listener;
    struct fake_world fake;
    struct connections c;
    struct scratch scratch;
    struct handover handover;
};

static void set_up(struct fixture *f)
{
    struct err err = {0};
    memset(f, 0, sizeof *f);
    scratch_open(&f->scratch);
    fake_world_init(&f->fake);
    atomic_store(&f->board.wanted, 2);
    atomic_store(&f->board.slots, 4);
    atomic_store(&f->board.workers[3].state, WORKER_IDLE);
    ck_assert(listener_open(scratch_path(&f->scratch, "fcgi"), 64, &f->listener, &err));
    ck_assert(handover_open(&f->handover, &err));
    f->c = (struct connections){.world = &f->fake.world,
                                .listen_fd = f->listener.fd,
                                .handover = &f->handover,
                                .board = &f->board,
                                .slot = &f->board.workers[3],
                                .end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    ck_assert_msg(connections_open(&f->c, &err), "%s", err.cause);
}

static void tear_down(struct fixture *f)
{
    connections_close(&f->c);
    close(f->c.end_fd);
    handover_close(&f->handover);
    listener_close(&f->listener);
    scratch_close(&f->scratch);
}

static void ask_to_end(const struct fixture *f)
{
    ck_assert_int_eq(eventfd_write(f->c.end_fd, 1), 0);
}

/* nginx's end of a new connection. */
static int dial(const struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", f->listener.path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void say(int fd, char byte)
{
    ck_assert_int_eq(send(fd, &byte, 1, MSG_NOSIGNAL), 1);
}

static int dial_and_say(const struct fixture *f, char byte)
{
    int fd = dial(f);
    say(fd, byte);
    return fd;
}

/* What the other side said, without waiting; '\0' for the end, '-' for nothing yet. */
static char hear(int fd)
{
    char byte = '\0';
    ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);
    if (got < 0)
        byte = '-';
    return byte;
}

static bool can_say(int fd)
{
    return send(fd, "?", 1, MSG_NOSIGNAL) == 1;
}

static char serve(struct fixture *f, struct connection *connection)
{
    ck_assert(connections_next(&f->c, connection));
    return hear(connection->fd);
}

static char serve_and_keep(struct fixture *f)
{
    struct connection connection;
    char heard = serve(f, &connection);
    connections_keep(&f->c, &connection);
    return heard;
}

static size_t handed(const struct fixture *f)
{
    struct connection taken[64];
    size_t count = 0;
    while (count < COUNT(taken) && handover_take(&f->handover, &taken[count]))
        count++;
    for (size_t i = 0; i < count; i++)
        ck_assert(handover_give(&f->handover, &taken[i]));
    return count;
}

START_TEST(handover_keeps_order_and_words)
{
    struct fixture f;
    struct connection got;
    set_up(&f);
    int pipes[3][2];
    ck_assert(!handover_take(&f.handover, &got));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pipes[i]), 0);
        ck_assert(handover_give(&f.handover, &(struct connection){pipes[i][1], i == 1, 10 + i}));
    }
    for (int i = 0; i < 3; i++) {
        ck_assert(handover_take(&f.handover, &got));
        ck_assert_int_eq(got.last, i == 1);
        ck_assert_int_eq(got.used_ms, 10 + i);
        say(pipes[i][0], (char)('a' + i));
        ck_assert_int_eq(hear(got.fd), 'a' + i);
        close(got.fd);
        ck_assert_int_eq(hear(pipes[i][0]), '\0'); /* nobody else has it open */
        close(pipes[i][0]);
    }
    ck_assert(!handover_take(&f.handover, &got));
    tear_down(&f);
}
END_TEST

/* A full way refuses, and the connection stays as it was. */
START_TEST(handover_full)
{
    struct fixture f;
    struct connection got;
    set_up(&f);
    int own = dial(&f), count = 0;
    for (;; count++) {
        int copy = dup(own);
        if (!handover_give(&f.handover, &(struct connection){.fd = copy})) {
            say(copy, 'x');
            close(copy);
            break;
        }
    }
    ck_assert_int_gt(count, 64);
    ck_assert(handover_take(&f.handover, &got));
    ck_assert(handover_give(&f.handover, &got));
    close(own);
    tear_down(&f);
}
END_TEST

START_TEST(connections_serve_who_speaks)
{
    struct fixture f;
    struct connection connection;
    set_up(&f);
    int silent = dial(&f), speaking = dial_and_say(&f, 'a');
    ck_assert_int_eq(serve(&f, &connection), 'a');
    ck_assert_uint_eq(handed(&f), 0); /* the silent one waits for nobody */
    connections_hand_on(&f.c);
    close(connection.fd);
    say(silent, 'b');
    ck_assert_int_eq(serve(&f, &connection), 'b');
    close(connection.fd);
    close(silent);
    close(speaking);
    tear_down(&f);
}
END_TEST

/* The same connection again and again: epoll learns of it once. */
START_TEST(connections_are_kept)
{
    struct fixture f;
    set_up(&f);
    int fd = dial(&f);
    for (int i = 0; i < 26; i++) {
        char c = (char)('a' + i);
        say(fd, c);
        ck_assert_int_eq(serve_and_keep(&f), c);
    }
    close(fd);
    int other = dial_and_say(&f, '!');
    ck_assert_int_eq(serve_and_keep(&f), '!'); /* the one that is gone is not in its way */
    close(other);
    tear_down(&f);
}
END_TEST

/* Four that have been served before, so that all of them are held here. */
static void gather(struct fixture *f, int fds[4])
{
    for (size_t i = 0; i < 4; i++) {
        fds[i] = dial_and_say(f, 'a');
        serve_and_keep(f);
    }
}

static const struct hand_row {
    int workers;
    size_t handed;
} hand_rows[] = {{1, 0}, {2, 3}, {64, 3}};
START_TEST(connections_are_handed_on_when_it_takes_long)
{
    const struct hand_row *r = &hand_rows[_i];
    struct fixture f;
    struct connection connection;
    int fds[4];
    set_up(&f);
    gather(&f, fds);
    atomic_store(&f.board.wanted, r->workers);
    for (size_t i = 0; i < 2; i++)
        say(fds[i], 'b');
    ck_assert_int_eq(serve(&f, &connection), 'b');
    connections_hand_on(&f.c);
    connections_hand_on(&f.c); /* there is nothing left */
    ck_assert_uint_eq(handed(&f), r->handed);
    ck_assert_int_eq(atomic_load(&f.c.slot->numbers.counters[COUNT_HANDED_ON]), (int64_t)r->handed);
    connections_keep(&f.c, &connection);
    ck_assert_int_eq(serve_and_keep(&f), 'b'); /* the other that has something to say */
    for (size_t i = 0; i < COUNT(fds); i++) {
        ck_assert_int_eq(hear(fds[i]), '-'); /* none was closed */
        close(fds[i]);
    }
    tear_down(&f);
}
END_TEST

/* Those with a request go to whoever is free next, in the order of arrival; those without stay. */
static const struct share_row {
    int workers;
    size_t speaking, handed;
} share_rows[] = {{2, 1, 0}, {2, 2, 1}, {2, 4, 3}, {1, 4, 0}};
START_TEST(connections_with_a_request_are_shared)
{
    const struct share_row *r = &share_rows[_i];
    struct fixture f;
    struct connection connection;
    int fds[4];
    set_up(&f);
    gather(&f, fds);
    atomic_store(&f.board.wanted, r->workers);
    for (size_t i = 0; i < r->speaking; i++)
        say(fds[i], (char)('1' + i));
    for (size_t i = 0; i < r->speaking; i++) {
        ck_assert_int_eq(serve(&f, &connection), (char)('1' + i));
        if (i == 0)
            ck_assert_uint_eq(handed(&f), r->handed);
        close(connection.fd);
    }
    for (size_t i = 0; i < COUNT(fds); i++)
        close(fds[i]);
    tear_down(&f);
}
END_TEST

/* A connection that is left over from a burst is closed instead of handed around; what was said on
 * it before that is still served, and nothing can be said after. One that was found with a request
 * is no such connection, however long it was idle. */
static const struct cold_row {
    int64_t idle_ms;
    enum { SILENT, SPEAKS_EARLY, SPEAKS_LATE } how; /* before the look, or after it */
    bool handed, open;
} cold_rows[] = {
    {500, SILENT, true, true},
    {1500, SILENT, false, false},
    {1500, SPEAKS_EARLY, true, true},
    {1500, SPEAKS_LATE, true, false},
};
START_TEST(connections_that_are_cold)
{
    const struct cold_row *r = &cold_rows[_i];
    struct fixture f;
    struct connection connection, other;
    set_up(&f);
    int cold = dial_and_say(&f, 'a');
    serve_and_keep(&f);
    f.fake.monotonic_ms += r->idle_ms;
    int warm = dial_and_say(&f, 'b');
    if (r->how == SPEAKS_EARLY)
        say(cold, 'c');
    ck_assert_int_eq(serve(&f, &connection), 'b');
    if (r->how == SPEAKS_LATE)
        say(cold, 'c');
    connections_hand_on(&f.c);
    ck_assert_uint_eq(handed(&f), r->handed);
    ck_assert_int_eq(can_say(cold), r->open);
    if (r->how != SILENT) {
        ck_assert(handover_take(&f.handover, &other));
        ck_assert_int_eq(hear(other.fd), 'c');
        ck_assert_int_eq(other.last, !r->open);
        close(other.fd);
    }
    close(connection.fd);
    close(warm);
    close(cold);
    tear_down(&f);
}
END_TEST

/* None of the three sources starves another, whatever they bring: each has a third of the turns. */
START_TEST(connections_take_turns)
{
    struct fixture f;
    struct connection connection;
    char seen[256] = {0};
    int kept, fds[12];
    set_up(&f);
    atomic_store(&f.board.wanted, 1); /* one that hands on would put the kept one into a queue */
    kept = dial_and_say(&f, 'k');
    serve_and_keep(&f);
    for (size_t i = 0; i < COUNT(fds); i++)
        fds[i] = dial_and_say(&f, i < COUNT(fds) / 2 ? 'h' : 'l');
    for (size_t i = 0; i < COUNT(fds) / 2; i++) {
        int fd = accept(f.listener.fd, NULL, NULL);
        ck_assert(handover_give(&f.handover, &(struct connection){.fd = fd}));
    }
    for (int i = 0; i < 15; i++) {
        say(kept, 'k');
        char heard = serve(&f, &connection);
        seen[(unsigned char)heard]++;
        if (heard == 'k')
            connections_keep(&f.c, &connection);
        else
            close(connection.fd);
    }
    ck_assert_msg(seen['k'] == 5 && seen['h'] == 5 && seen['l'] == 5, "%d %d %d", seen['k'],
                  seen['h'], seen['l']);
    for (size_t i = 0; i < COUNT(fds); i++)
        close(fds[i]);
    close(kept);
    tear_down(&f);
}
END_TEST

START_TEST(connections_of_one_that_ends)
{
    struct fixture f;
    struct connection connection;
    int fds[3];
    set_up(&f);
    atomic_store(&f.board.wanted, 1);
    for (size_t i = 0; i < COUNT(fds); i++) {
        fds[i] = dial_and_say(&f, 'a');
        serve_and_keep(&f);
    }
    say(fds[1], 'b');
    ask_to_end(&f);
    /* It may have been woken by that one. */
    ck_assert_int_eq(serve_and_keep(&f), 'b');
    ck_assert(!connections_next(&f.c, &connection));
    ck_assert_uint_eq(handed(&f), 3);
    for (size_t i = 0; i < COUNT(fds); i++) {
        ck_assert(can_say(fds[i]));
        close(fds[i]);
    }
    tear_down(&f);
}
END_TEST

/* All end: what was said is served, wherever it waits, and nothing can be said any more. */
START_TEST(connections_of_all_that_end)
{
    struct fixture f;
    struct connection connection;
    int served = 0, fds[6];
    set_up(&f);
    atomic_store(&f.board.wanted, 1);
    for (size_t i = 0; i < 4; i++) {
        fds[i] = dial_and_say(&f, 'a');
        serve_and_keep(&f);
    }
    for (size_t i = 4; i < COUNT(fds); i++)
        fds[i] = dial(&f);
    for (size_t i = 0; i < COUNT(fds); i += 2)
        say(fds[i], 'b');
    struct connection given = {.fd = accept(f.listener.fd, NULL, NULL)};
    ck_assert(handover_give(&f.handover, &given));
    listener_shut(&f.listener);
    while (connections_next(&f.c, &connection)) {
        ck_assert_int_eq(hear(connection.fd), 'b');
        served++;
        if (connection.last)
            close(connection.fd);
        else
            connections_keep(&f.c, &connection);
    }
    ck_assert_int_eq(served, 3);
    ck_assert_uint_eq(handed(&f), 0);
    for (size_t i = 0; i < COUNT(fds); i++) {
        ck_assert(!can_say(fds[i]));
        close(fds[i]);
    }
    tear_down(&f);
}
END_TEST

/* Descriptors are few: the oldest idle connection makes room for the newest. */
START_TEST(connections_have_a_limit)
{
    struct fixture f;
    struct connection connection;
    int fds[4];
    set_up(&f);
    f.c.most = 2;
    atomic_store(&f.board.wanted, 1);
    for (size_t i = 0; i < COUNT(fds); i++) {
        fds[i] = dial_and_say(&f, 'a');
        f.fake.monotonic_ms++;
        serve_and_keep(&f);
    }
    for (size_t i = 0; i < COUNT(fds); i++)
        ck_assert_int_eq(can_say(fds[i]), i >= 2);
    for (size_t i = 2; i < COUNT(fds); i++) {
        ck_assert_int_eq(serve(&f, &connection), '?');
        close(connection.fd);
    }
    for (size_t i = 0; i < COUNT(fds); i++)
        close(fds[i]);
    tear_down(&f);
}
END_TEST

void pool_connections(struct suite *s)
{
    suite_test(s, handover_keeps_order_and_words);
    suite_test(s, handover_full);
    suite_test(s, connections_serve_who_speaks);
    suite_test(s, connections_are_kept);
    suite_rows(s, connections_are_handed_on_when_it_takes_long, COUNT(hand_rows));
    suite_rows(s, connections_with_a_request_are_shared, COUNT(share_rows));
    suite_rows(s, connections_that_are_cold, COUNT(cold_rows));
    suite_test(s, connections_take_turns);
    suite_test(s, connections_of_one_that_ends);
    suite_test(s, connections_of_all_that_end);
    suite_test(s, connections_have_a_limit);
}
