#include "fcgi/pool/queue.h"

#include "fcgi/pool/listener.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/scratch.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS 5

START_TEST(queue_counts_who_waits)
{
    struct scratch scratch;
    struct listener listener;
    struct queue_probe probe;
    struct err err = {0};
    int fds[CLIENTS];
    scratch_open(&scratch);
    ck_assert(listener_open(scratch_path(&scratch, "fcgi"), 17, &listener, &err));
    queue_open(listener.fd, &probe);
    struct queue_depth depth = queue_read(&probe);
    if (depth.waiting >= 0) { /* else this kernel does not tell */
        ck_assert_int_eq(depth.waiting, 0);
        ck_assert_int_eq(depth.limit, 17);
        for (int i = 0; i < CLIENTS; i++) {
            struct sockaddr_un address = {.sun_family = AF_UNIX};
            snprintf(address.sun_path, sizeof address.sun_path, "%s", listener.path);
            fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
            ck_assert_int_eq(connect(fds[i], (struct sockaddr *)&address, sizeof address), 0);
            ck_assert_int_eq(queue_read(&probe).waiting, i + 1);
        }
        close(accept(listener.fd, NULL, NULL));
        ck_assert_int_eq(queue_read(&probe).waiting, CLIENTS - 1);
        for (int i = 0; i < CLIENTS; i++)
            close(fds[i]);
    }
    queue_close(&probe);
    ck_assert_int_eq(queue_read(&probe).waiting, -1);
    listener_close(&listener);
    scratch_close(&scratch);
}
END_TEST

START_TEST(queue_of_something_else)
{
    struct queue_probe probe;
    queue_open(-1, &probe);
    ck_assert_int_eq(queue_read(&probe).waiting, -1);
    queue_open(STDERR_FILENO, &probe);
    ck_assert_int_eq(queue_read(&probe).waiting, -1);
    queue_close(&probe);
}
END_TEST

void pool_queue(struct suite *s)
{
    suite_test(s, queue_counts_who_waits);
    suite_test(s, queue_of_something_else);
}
