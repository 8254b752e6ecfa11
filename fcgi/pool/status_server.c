#include "fcgi/pool/status_server.h"

#include "common/web/problem.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG         64
#define REQUEST_MAX     KIB(4)
#define ANSWER_MAX      KIB(96) /* 64 workers of up to 800 bytes, and the rest of the page */
#define DEADLINE_MS     5000
/* Out of descriptors or memory: a connection that cannot be accepted keeps the listener readable,
 * so it is left alone for so long. */
#define ACCEPT_PAUSE_MS 200

struct connection {
    int fd; /* -1: free */
    int64_t deadline_ms;
    char input[REQUEST_MAX];
    size_t input_len;
    struct buf output; /* empty while the request is read */
    size_t sent;
    char output_bytes[ANSWER_MAX];
};

struct status_server {
    struct listener listener;
    struct status_source source;
    int64_t accept_again_ms; /* 0: no pause */
    struct connection connections[STATUS_CONNECTIONS_MAX];
};

struct status_server *status_server_open(const char *path, const struct status_source *source,
                                         struct err *err)
{
    struct status_server *server = calloc(1, sizeof *server);
    if (!server) {
        err_fail(err, &ERR_INTERNAL, "no memory for the status server");
        return NULL;
    }
    server->source = *source;
    for (size_t i = 0; i < STATUS_CONNECTIONS_MAX; i++)
        server->connections[i].fd = -1;
    if (listener_open(path, BACKLOG, &server->listener, err))
        return server;
    free(server);
    return NULL;
}

static void drop(struct connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

void status_server_forget(struct status_server *server)
{
    for (size_t i = 0; i < STATUS_CONNECTIONS_MAX; i++)
        drop(&server->connections[i]);
    close(server->listener.fd);
    free(server);
}

void status_server_close(struct status_server *server)
{
    if (!server)
        return;
    listener_shut(&server->listener);
    status_server_forget(server);
}

static struct connection *free_connection(struct status_server *server)
{
    for (size_t i = 0; i < STATUS_CONNECTIONS_MAX; i++)
        if (server->connections[i].fd < 0)
            return &server->connections[i];
    return NULL;
}

size_t status_server_poll(const struct status_server *server, struct pollfd *ret)
{
    size_t count = 0;
    bool room = false;
    for (size_t i = 0; i < STATUS_CONNECTIONS_MAX; i++) {
        const struct connection *c = &server->connections[i];
        if (c->fd < 0)
            room = true;
        else
            ret[count++] =
                (struct pollfd){.fd = c->fd, .events = c->output.len > 0 ? POLLOUT : POLLIN};
    }
    if (room && server->accept_again_ms == 0) /* else callers wait in the socket's queue */
        ret[count++] = (struct pollfd){.fd = server->listener.fd, .events = POLLIN};
    return count;
}

int64_t status_server_wait_ms(const struct status_server *server, int64_t now_ms)
{
    int64_t soonest = server->accept_again_ms > 0 ? server->accept_again_ms : INT64_MAX;
    for (size_t i = 0; i < STATUS_CONNECTIONS_MAX; i++)
        if (server->connections[i].fd >= 0 && server->connections[i].deadline_ms < soonest)
            soonest = server->connections[i].deadline_ms;
    if (soonest == INT64_MAX)
        return -1;
    return soonest > now_ms ? soonest - now_ms : 0;
}

/* "GET /path HTTP/1.1": the only line of the request that matters here. */
static bool parse_request_line(struct slice head, struct request *req, struct err *err)
{
    struct slice line, method, target;
    slice_cut(&head, '\r', &line);
    slice_cut(&line, ' ', &method);
    if (!slice_cut(&line, ' ', &target) || !slice_starts_with(line, SLICE("HTTP/1.")))
        return err_fail(err, &ERR_BAD_REQUEST, "malformed request line");
    req->method = http_method_parse(method);
    return request_set_target(req, target, err);
}

static void write_http(struct buf *out, const struct reply *reply, bool body)
{
    buf_add_format(out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n",
                   reply->status, http_status_title(reply->status), reply->content_type,
                   reply->body.len);
    buf_add(out, buf_slice(&reply->headers));
    buf_add(out, SLICE("Connection: close\r\n\r\n"));
    if (body)
        buf_add(out, buf_slice(&reply->body));
}

/* Whoever may signal us may change the pool; that nginx may ask how it is, is no reason. */
static bool is_trusted(int fd)
{
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && size == sizeof peer &&
           (peer.uid == geteuid() || peer.uid == 0);
}

static void answer(struct status_server *server, struct connection *c, int64_t now_ms)
{
    static char body[ANSWER_MAX - KIB(1)]; /* the master is one thread */
    char headers[256];
    struct reply reply = {.headers = BUF(headers), .body = BUF(body)};
    struct request req = {.path = SLICE("/")};
    struct err err = {0};
    if (parse_request_line((struct slice){c->input, c->input_len}, &req, &err))
        status_answer(&server->source, now_ms, &req, is_trusted(c->fd), &reply);
    else
        problem_write(&reply, &req, err.kind, NULL);
    c->output = BUF(c->output_bytes);
    write_http(&c->output, &reply, req.method != HTTP_HEAD);
}

static bool ends_with_blank_line(const struct connection *c)
{
    for (size_t i = 3; i < c->input_len; i++)
        if (slice_equal((struct slice){c->input + i - 3, 4}, SLICE("\r\n\r\n")))
            return true;
    return false;
}

static void read_input(struct status_server *server, struct connection *c, int64_t now_ms)
{
    ssize_t got = recv(c->fd, c->input + c->input_len, REQUEST_MAX - c->input_len, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        drop(c);
        return;
    }
    c->input_len += (size_t)got;
    /* A head that fills the buffer is answered by its first line all the same. */
    if (ends_with_blank_line(c) || c->input_len == REQUEST_MAX)
        answer(server, c, now_ms);
}

static void write_output(struct connection *c)
{
    ssize_t sent =
        send(c->fd, c->output.ptr + c->sent, c->output.len - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (sent >= 0)
        c->sent += (size_t)sent;
    if (sent < 0 || c->sent == c->output.len)
        drop(c);
}

static void accept_all(struct status_server *server, int64_t now_ms)
{
    struct connection *c;
    if (now_ms < server->accept_again_ms)
        return;
    server->accept_again_ms = 0;
    while ((c = free_connection(server))) {
        int fd = accept4(server->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                server->accept_again_ms = now_ms + ACCEPT_PAUSE_MS;
            return;
        }
        c->fd = fd;
        c->deadline_ms = now_ms + DEADLINE_MS;
        c->input_len = c->sent = 0;
        c->output = (struct buf){0};
    }
}

void status_server_run(struct status_server *server, int64_t now_ms)
{
    accept_all(server, now_ms);
    for (size_t i = 0; i < STATUS_CONNECTIONS_MAX; i++) {
        struct connection *c = &server->connections[i];
        if (c->fd >= 0 && now_ms >= c->deadline_ms)
            drop(c);
        if (c->fd >= 0 && c->output.len == 0)
            read_input(server, c, now_ms);
        if (c->fd >= 0 && c->output.len > 0)
            write_output(c);
    }
}
