#include "fcgi/pool/listener.h"

#include "common/base/buf.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct listener open_listener(const char *path, int backlog)
{
    struct err err = {0};
    struct listener listener = {0};
    ck_assert_msg(listener_open(path, backlog, &listener, &err), "%s", err.cause);
    return listener;
}

static void check_refused(const char *path, const char *cause)
{
    struct err err = {0};
    struct listener listener = {.fd = -5};
    ck_assert(!listener_open(path, 8, &listener, &err));
    ck_assert_ptr_eq(err.kind, &ERR_SETTINGS_INVALID);
    ck_assert_msg(strstr(err.cause, cause) != NULL, "\"%s\" lacks \"%s\"", err.cause, cause);
    ck_assert_int_eq(listener.fd, -5); /* outputs are written on success only */
}

/* A connected descriptor, or -1 with errno. */
static int dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(fd, 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}

/* A socket file that nobody listens on, as a killed master leaves it. */
static void make_stale(const char *path)
{
    struct listener dead = open_listener(path, 8);
    close(dead.fd);
    ck_assert_int_eq(dial(path), -1);
    ck_assert_int_eq(errno, ECONNREFUSED);
}

START_TEST(listener_accepts)
{
    struct scratch scratch;
    scratch_open(&scratch);
    const char *path = scratch_path(&scratch, "s");
    struct listener listener = open_listener(path, 8);
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0660);
    ck_assert(fcntl(listener.fd, F_GETFD) & FD_CLOEXEC);
    ck_assert_int_eq(accept(listener.fd, NULL, NULL), -1); /* does not wait */
    ck_assert_int_eq(errno, EAGAIN);
    int client = dial(path), server = accept(listener.fd, NULL, NULL);
    ck_assert_int_ge(client, 0);
    ck_assert_int_ge(server, 0);
    close(client);
    close(server);
    listener_close(&listener);
    ck_assert_int_ne(access(path, F_OK), 0);
    scratch_close(&scratch);
}
END_TEST

/* The backlog is the setting's: one connection more is refused at once, not kept waiting. */
START_TEST(listener_backlog)
{
    struct scratch scratch;
    scratch_open(&scratch);
    const char *path = scratch_path(&scratch, "s");
    struct listener listener = open_listener(path, 2);
    int clients[3]; /* Linux lets backlog + 1 wait */
    for (size_t i = 0; i < COUNT(clients); i++)
        ck_assert_int_ge(clients[i] = dial(path), 0);
    ck_assert_int_eq(dial(path), -1);
    ck_assert_int_eq(errno, EAGAIN);
    check_refused(path, "in use"); /* a full queue is a listener too */
    for (size_t i = 0; i < COUNT(clients); i++)
        close(clients[i]);
    listener_close(&listener);
    scratch_close(&scratch);
}
END_TEST

START_TEST(listener_replaces_a_stale_socket)
{
    struct scratch scratch;
    scratch_open(&scratch);
    const char *path = scratch_path(&scratch, "s");
    make_stale(path);
    struct listener listener = open_listener(path, 8);
    int client = dial(path);
    ck_assert_int_ge(client, 0);
    close(client);
    listener_close(&listener);
    scratch_close(&scratch);
}
END_TEST

START_TEST(listener_refuses_a_live_socket)
{
    struct scratch scratch;
    scratch_open(&scratch);
    const char *path = scratch_path(&scratch, "s");
    struct listener first = open_listener(path, 8);
    check_refused(path, "in use");
    int client = dial(path); /* the first still has it */
    ck_assert_int_ge(client, 0);
    close(client);
    listener_close(&first);
    scratch_close(&scratch);
}
END_TEST

START_TEST(listener_refuses_what_is_no_socket)
{
    struct scratch scratch;
    scratch_open(&scratch);
    const char *file = scratch_file(&scratch, "file", SLICE("precious"));
    const char *link = scratch_path(&scratch, "link");
    check_refused(file, "is no socket");
    ck_assert_int_eq(access(file, F_OK), 0);
    ck_assert_int_eq(symlink(scratch_path(&scratch, "absent"), link), 0);
    check_refused(link, "is no socket");
    check_refused(scratch.dir, "is no socket");
    check_refused(scratch_path(&scratch, "no/folder"), strerror(ENOENT));
    scratch_close(&scratch);
}
END_TEST

/* A socket that cannot be had must not leave a descriptor behind. */
START_TEST(listener_refusal_closes)
{
    struct scratch scratch;
    scratch_open(&scratch);
    const char *path = scratch_path(&scratch, "s");
    struct listener first = open_listener(path, 8);
    int before = dup(first.fd), after;
    ck_assert_int_ge(before, 0);
    check_refused(path, "in use");
    check_refused(scratch_file(&scratch, "file", SLICE("")), "is no socket");
    ck_assert_int_eq(after = dup(first.fd), before + 1);
    close(after);
    close(before);
    listener_close(&first);
    scratch_close(&scratch);
}
END_TEST

/* Here because the path is longer than an address: the file of the cut one is bound, and chmod()
 * does not find it. Settings check the length. */
START_TEST(listener_failure_removes_its_file)
{
    struct scratch scratch;
    struct err err = {0};
    struct listener listener = {.fd = -5};
    char path[120] = "";
    scratch_open(&scratch);
    struct buf text = BUF(path);
    buf_add_cstr(&text, scratch.dir);
    buf_add_char(&text, '/');
    while (text.len < sizeof path - 1)
        buf_add_char(&text, 'x');
    path[text.len] = '\0';
    ck_assert(!listener_open(path, 8, &listener, &err));
    ck_assert_ptr_eq(err.kind, &ERR_INTERNAL);
    path[sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1] = '\0';
    ck_assert_int_ne(access(path, F_OK), 0);
    scratch_close(&scratch);
}
END_TEST

/* A master that starts while the one before drains has made a socket file of its own. */
START_TEST(listener_leaves_the_successors_file)
{
    struct scratch scratch;
    scratch_open(&scratch);
    const char *path = scratch_path(&scratch, "s");
    struct listener old = open_listener(path, 8);
    listener_shut(&old);
    ck_assert_int_ne(access(path, F_OK), 0);
    struct listener successor = open_listener(path, 8);
    listener_shut(&old);
    listener_close(&old);
    int client = dial(path);
    ck_assert_int_ge(client, 0);
    close(client);
    listener_close(&successor);
    scratch_close(&scratch);
}
END_TEST

START_TEST(listener_shut_keeps_the_queue)
{
    struct scratch scratch;
    struct pollfd poll_fd = {.events = POLLIN};
    char byte;
    scratch_open(&scratch);
    const char *path = scratch_path(&scratch, "s");
    struct listener listener = open_listener(path, 8);
    const char *again = scratch_path(&scratch, "again");
    ck_assert_int_eq(link(path, again), 0); /* reaches the socket without its file */
    int clients[2] = {dial(path), dial(path)}, server;
    ck_assert_int_eq(write(clients[0], "1", 1), 1);
    ck_assert_int_eq(write(clients[1], "2", 1), 1);
    listener_shut(&listener);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_eq(dial(again), -1);
    ck_assert_int_eq(errno, ECONNREFUSED);
    for (size_t i = 0; i < COUNT(clients); i++) {
        ck_assert_int_ge(server = accept(listener.fd, NULL, NULL), 0);
        ck_assert_int_eq(read(server, &byte, 1), 1);
        ck_assert_int_eq(byte, '1' + (char)i);
        close(server);
        close(clients[i]);
    }
    /* Every process that polls it wakes up. A blocking accept() would say EINVAL; ours does not
     * block, and then Linux says EAGAIN for a shut socket too: POLLHUP tells them apart. */
    poll_fd.fd = listener.fd;
    ck_assert_int_eq(poll(&poll_fd, 1, 0), 1);
    ck_assert(poll_fd.revents & POLLHUP);
    ck_assert_int_eq(accept(listener.fd, NULL, NULL), -1);
    ck_assert(errno == EAGAIN || errno == EINVAL);
    listener_close(&listener);
    scratch_close(&scratch);
}
END_TEST

void pool_listener(struct suite *s)
{
    suite_test(s, listener_accepts);
    suite_test(s, listener_backlog);
    suite_test(s, listener_replaces_a_stale_socket);
    suite_test(s, listener_refuses_a_live_socket);
    suite_test(s, listener_refuses_what_is_no_socket);
    suite_test(s, listener_refusal_closes);
    suite_test(s, listener_failure_removes_its_file);
    suite_test(s, listener_leaves_the_successors_file);
    suite_test(s, listener_shut_keeps_the_queue);
}
