#include "fcgi/pool/connections.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* nginx sends whole requests at once; a peer silent for so long within one is gone. */
#define PEER_TIMEOUT_S 10
/* A worker killed between being woken and accepting leaves a connection that no other was told of;
 * this is the longest it then waits for an idle one. */
#define LOOK_AGAIN_MS  1000
/* At the end of all: nginx connects and sends in one go, but not in one step. */
#define FIRST_BYTE_MS  200
/* A kept connection that carried nothing for so long is not worth handing around: nginx kept it
 * from a burst, and each hand-over costs more system calls than the request it makes way for. */
#define COLD_MS        1000
/* Descriptors that are not for connections: sockets, the log, the database. */
#define RESERVED       64
#define LIMIT_MAX      16384
#define EVENTS_MAX     64

struct held {
    struct connection connection;
    bool watched;    /* known to epoll */
    uint64_t serial; /* grows with each that is held: the least has waited longest */
};

enum source { SOURCE_HELD, SOURCE_HANDOVER, SOURCE_LISTENER, SOURCE_COUNT };

size_t connections_most(uint64_t descriptors)
{
    if (descriptors < UINT64_C(2) * RESERVED)
        return RESERVED;
    return (descriptors < LIMIT_MAX ? (size_t)descriptors : LIMIT_MAX) - RESERVED;
}

/* EPOLLEXCLUSIVE: what comes wakes one idle worker, not all of them. */
static bool watch_shared(const struct connections *c, int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data = {.fd = fd}};
    return epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

bool connections_open(struct connections *c, struct err *err)
{
    struct epoll_event end = {.events = EPOLLIN, .data = {.fd = c->end_fd}};
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    c->watched_fd = -1;
    c->most = connections_most(limit.rlim_cur);
    c->held = calloc(c->most + 1, sizeof *c->held);
    c->places = calloc(c->most + RESERVED, sizeof *c->places);
    c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!c->held || !c->places || c->epoll_fd < 0 || !watch_shared(c, c->listen_fd) ||
        !watch_shared(c, c->handover->take_fd) ||
        epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->end_fd, &end) != 0)
        return err_fail(err, &ERR_INTERNAL, "epoll: %s", strerror(errno));
    return true;
}

void connections_close(struct connections *c)
{
    for (size_t i = 0; i < c->count; i++)
        close(c->held[i].connection.fd);
    free(c->held);
    free(c->places);
    if (c->epoll_fd >= 0)
        close(c->epoll_fd);
    c->held = NULL;
    c->places = NULL;
    c->count = 0;
    c->epoll_fd = -1;
}

static struct held take_out(struct connections *c, size_t i)
{
    struct held taken = c->held[i];
    c->held[i] = c->held[--c->count];
    c->places[c->held[i].connection.fd] = (uint16_t)i;
    return taken;
}

/* Takes number `i` out of the table. The open file may live on in another worker, so epoll would
 * not forget it by itself. */
static struct connection release(struct connections *c, size_t i)
{
    struct held taken = take_out(c, i);
    if (taken.watched)
        epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, taken.connection.fd, NULL);
    return taken.connection;
}

/* Whether there is something to read within `wait_ms`. Sets `*ret_gone` when nginx has hung up, and
 * a request would be answered to nobody. */
static bool is_readable(int fd, int wait_ms, bool *ret_gone)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};
    int found = poll(&look, 1, wait_ms);
    *ret_gone = found > 0 && look.revents & (POLLHUP | POLLERR | POLLNVAL);
    return found > 0 && !*ret_gone;
}

static bool holds_data(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Ends a connection unless a request is on it, which is then the last. From the shutdown on nginx
 * cannot write, so there is no moment at which a request could be lost. Returns whether there is
 * one; if not, `fd` is closed. */
static bool retire(struct connection *connection, int wait_ms)
{
    bool gone = false;
    if (wait_ms > 0)
        (void)is_readable(connection->fd, wait_ms, &gone);
    shutdown(connection->fd, SHUT_RD);
    connection->last = true;
    (void)is_readable(connection->fd, 0, &gone);
    if (!gone && holds_data(connection->fd))
        return true;
    close(connection->fd);
    return false;
}

/* nginx has hung up. If it had asked for something before, its client is gone, and nothing is done
 * for nobody. */
static void close_gone(struct connections *c, int fd)
{
    numbers_count(&c->slot->numbers, COUNT_DEPARTED, holds_data(fd));
    close(fd);
}

/* The table is full: room for one is made. nginx repeats what is lost by that, if anything is: only
 * reads come on kept connections. */
static void retire_oldest(struct connections *c)
{
    size_t oldest = 0;
    for (size_t i = 1; i < c->count; i++)
        if (c->held[i].connection.used_ms < c->held[oldest].connection.used_ms)
            oldest = i;
    struct connection old = release(c, oldest);
    if (retire(&old, 0) && !handover_give(c->handover, &old))
        close(old.fd);
}

static void hold(struct connections *c, const struct connection *connection, bool watched)
{
    if ((size_t)connection->fd >= c->most + RESERVED) { /* more is open than ever should be */
        close(connection->fd);
        return;
    }
    c->places[connection->fd] = (uint16_t)c->count;
    c->held[c->count++] = (struct held){*connection, watched, ++c->serial};
    c->unwatched = c->unwatched || !watched;
    if (c->count > c->most)
        retire_oldest(c);
}

void connections_keep(struct connections *c, struct connection *connection)
{
    connection->used_ms = world_monotonic_ms(c->world);
    hold(c, connection, connection->fd == c->watched_fd);
    c->watched_fd = -1;
}

static void watch_all(struct connections *c)
{
    for (size_t i = c->count; i-- > 0;) {
        struct held *h = &c->held[i];
        struct epoll_event event = {.events = EPOLLIN, .data = {.fd = h->connection.fd}};
        if (h->watched)
            continue;
        h->watched = epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, h->connection.fd, &event) == 0;
        if (!h->watched) /* out of memory or watches: better closed than never looked at */
            close(release(c, i).fd);
    }
    c->unwatched = false;
}

static bool give(struct connections *c, const struct connection *connection)
{
    if (!handover_give(c->handover, connection))
        return false;
    numbers_count(&c->slot->numbers, COUNT_HANDED_ON, 1);
    return true;
}

void connections_hand_on(struct connections *c)
{
    /* A single worker would only take it all back. */
    if (c->count == 0 || atomic_load_explicit(&c->board->wanted, memory_order_relaxed) == 1)
        return;
    int64_t now_ms = world_monotonic_ms(c->world);
    for (size_t i = c->count; i-- > 0;) {
        struct connection connection = release(c, i);
        bool cold = now_ms - connection.used_ms > COLD_MS;
        if (cold && !connection.last && !retire(&connection, 0))
            continue;
        if (!give(c, &connection))
            hold(c, &connection, false); /* at the end of the table, where this loop has been */
    }
}

static bool accept_new(struct connections *c, struct connection *ret)
{
    const struct timeval timeout = {.tv_sec = PEER_TIMEOUT_S};
    int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED && errno != EINVAL)
            usleep(1000); /* out of descriptors or memory: do not spin */
        return false;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    *ret = (struct connection){.fd = fd, .used_ms = world_monotonic_ms(c->world)};
    return true;
}

/* What one look has found. */
struct sight {
    bool found[SOURCE_COUNT];
    bool woken; /* perhaps by something new, and then no other worker was: it must be taken */
    bool end;
    int readable_fds[EVENTS_MAX]; /* SOURCE_HELD */
    size_t readable;
};

static uint64_t serial_of(const struct connections *c, int fd)
{
    return c->held[c->places[fd]].serial;
}

static void note(struct connections *c, const struct epoll_event *event, struct sight *s)
{
    if (event->data.fd == c->listen_fd) {
        s->found[SOURCE_LISTENER] = true;
        s->end = s->end || event->events & EPOLLHUP; /* it is shut */
    } else if (event->data.fd == c->end_fd) {
        s->end = true;
    } else if (event->data.fd == c->handover->take_fd) {
        s->found[SOURCE_HANDOVER] = true;
    } else if (event->events & (EPOLLHUP | EPOLLERR)) {
        close_gone(c, release(c, c->places[event->data.fd]).fd);
    } else {
        s->found[SOURCE_HELD] = true;
        s->readable_fds[s->readable++] = event->data.fd;
    }
}

/* Looks at all sources at once. While others wait as well, first without waiting: what is found so
 * has woken nobody, and may be left to the next look or worker. */
static struct sight look(struct connections *c)
{
    struct epoll_event events[EVENTS_MAX];
    struct sight s = {0};
    int count = 0;
    if (c->unwatched)
        watch_all(c);
    if (c->pressed)
        count = epoll_wait(c->epoll_fd, events, EVENTS_MAX, 0);
    if (count <= 0) {
        count = epoll_wait(c->epoll_fd, events, EVENTS_MAX, LOOK_AGAIN_MS);
        s.woken = true;
    }
    for (int i = 0; i < count; i++)
        note(c, &events[i], &s);
    c->pressed = s.found[SOURCE_HANDOVER] || s.found[SOURCE_LISTENER];
    return s;
}

/* Forgets number `i`; the others stay in the order of their arrival. */
static void forget(struct sight *s, size_t i)
{
    memmove(&s->readable_fds[i], &s->readable_fds[i + 1],
            (--s->readable - i) * sizeof s->readable_fds[0]);
}

/* A table that was full may have retired one of them since. */
static void drop_released(const struct connections *c, struct sight *s)
{
    for (size_t i = s->readable; i-- > 0;) {
        size_t at = c->places[s->readable_fds[i]];
        if (at >= c->count || c->held[at].connection.fd != s->readable_fds[i])
            forget(s, i);
    }
}

/* The held one that has waited longest. It stays known to epoll: most often it comes back, and if
 * not, closing it is enough. */
static bool choose_held(struct connections *c, struct sight *s, struct connection *ret)
{
    size_t oldest = 0;
    drop_released(c, s);
    if (s->readable == 0)
        return false;
    for (size_t i = 1; i < s->readable; i++)
        if (serial_of(c, s->readable_fds[i]) < serial_of(c, s->readable_fds[oldest]))
            oldest = i;
    c->watched_fd = s->readable_fds[oldest];
    forget(s, oldest);
    *ret = take_out(c, c->places[c->watched_fd]).connection;
    return true;
}

/* One connection from outside. One that has no request yet, or is not `wanted`, is held. */
static bool choose_coming(struct connections *c, enum source source, bool wanted, struct sight *s,
                          struct connection *ret)
{
    struct connection connection;
    bool gone = false;
    if (!(source == SOURCE_LISTENER ? accept_new(c, &connection)
                                    : handover_take(c->handover, &connection)))
        return false;
    bool readable = is_readable(connection.fd, 0, &gone);
    if (gone) {
        close_gone(c, connection.fd);
        return false;
    }
    if (wanted && readable) {
        *ret = connection;
        return true;
    }
    hold(c, &connection, false);
    if (readable && s->readable < EVENTS_MAX)
        s->readable_fds[s->readable++] = connection.fd;
    return false;
}

static bool is_single(const struct connections *c)
{
    return atomic_load_explicit(&c->board->wanted, memory_order_relaxed) == 1;
}

/* The connection to serve out of what was seen. What comes from outside has waited longer than what
 * was found here just now, so it goes first, new and handed-over connections in turn. A single
 * worker, which hands nothing on, takes all three in turn. */
static bool choose(struct connections *c, struct sight *s, struct connection *ret)
{
    static const enum source orders[][SOURCE_COUNT] = {
        {SOURCE_HANDOVER, SOURCE_LISTENER, SOURCE_HELD},
        {SOURCE_LISTENER, SOURCE_HANDOVER, SOURCE_HELD},
        {SOURCE_HELD, SOURCE_HANDOVER, SOURCE_LISTENER},
    };
    const enum source *order = orders[c->turn++ % (is_single(c) ? 3U : 2U)];
    bool chosen = false;
    c->watched_fd = -1;
    for (size_t i = 0; i < SOURCE_COUNT && (!chosen || s->woken); i++) {
        if (!s->found[order[i]] || (chosen && order[i] == SOURCE_HELD))
            continue;
        chosen = (order[i] == SOURCE_HELD ? choose_held(c, s, ret)
                                          : choose_coming(c, order[i], !chosen, s, ret)) ||
                 chosen;
    }
    return chosen;
}

/* Hands on what has a request too: whoever is free next takes it, in the order of arrival. What has
 * none stays, since it waits for nobody. */
static void share(struct connections *c, struct sight *s)
{
    drop_released(c, s);
    for (size_t i = 0; i < s->readable && !is_single(c); i++) {
        struct connection connection = release(c, c->places[s->readable_fds[i]]);
        if (!give(c, &connection))
            hold(c, &connection, false);
    }
}

/* A listening socket that is shut hangs up, however much is still in its queue. */
static bool is_shut(const struct connections *c)
{
    struct pollfd listener = {.fd = c->listen_fd};
    return poll(&listener, 1, 0) > 0;
}

/* Leaves what is held to the others; with `all_end` there may be none, so what carries no request
 * is closed. What nobody could be given is found by the caller. */
static void leave_held(struct connections *c, bool all_end)
{
    for (size_t i = c->count; i-- > 0;) {
        struct connection connection = release(c, i);
        if (all_end && !connection.last && !retire(&connection, 0))
            continue;
        if (handover_give(c->handover, &connection))
            continue;
        if (connection.last || retire(&connection, 0))
            hold(c, &connection, false);
    }
}

/* What the queue of the socket, the hand-over and the table still have, one at a time. Whoever
 * hands something on at the end comes here after it, so the last worker leaves nothing behind. */
static bool drain(struct connections *c, struct connection *ret)
{
    while (accept_new(c, ret))
        if (retire(ret, FIRST_BYTE_MS))
            return true;
    while (handover_take(c->handover, ret))
        if (ret->last || retire(ret, 0))
            return true;
    if (c->count == 0)
        return false;
    *ret = release(c, c->count - 1);
    return true;
}

/* The last look at the listener comes after all was handed on: were it shut before that, the others
 * may have looked for the last time, and all of it falls back to this worker. */
static bool leave(struct connections *c, struct connection *ret)
{
    c->watched_fd = -1;
    leave_held(c, is_shut(c));
    if (is_shut(c))
        return drain(c, ret);
    if (c->count == 0)
        return false;
    *ret = release(c, c->count - 1);
    return true;
}

bool connections_next(struct connections *c, struct connection *ret)
{
    while (!c->leaving) {
        struct sight seen = look(c);
        bool chosen = choose(c, &seen, ret);
        c->leaving = seen.end;
        if (chosen) {
            share(c, &seen);
            return true;
        }
    }
    return leave(c, ret);
}
