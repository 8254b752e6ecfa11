#include "fcgi/pool/fastcgi_answer.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define RECORD_HEADER 8
/* The largest content that is a multiple of 8, so that no record needs padding to stay aligned. */
#define CONTENT_MAX   65528
#define PIECES_MAX    64 /* iovecs a call */

enum { FCGI_VERSION = 1, FCGI_TYPE_END = 3, FCGI_TYPE_STDOUT = 6 };

struct writer {
    int fd, request_id;
    struct iovec pieces[PIECES_MAX];
    char headers[PIECES_MAX][RECORD_HEADER];
    size_t count;
};

/* Takes `sent` bytes off the front of what is left to send. */
static void advance(struct iovec **piece, size_t *count, size_t sent)
{
    while (*count > 0 && sent >= (*piece)->iov_len) {
        sent -= (*piece)->iov_len;
        (*piece)++;
        (*count)--;
    }
    if (*count > 0) {
        (*piece)->iov_base = (char *)(*piece)->iov_base + sent;
        (*piece)->iov_len -= sent;
    }
}

static bool flush(struct writer *w)
{
    struct iovec *piece = w->pieces;
    size_t count = w->count;
    w->count = 0;
    while (count > 0) {
        const struct msghdr message = {.msg_iov = piece, .msg_iovlen = count};
        ssize_t sent = sendmsg(w->fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        advance(&piece, &count, (size_t)sent);
    }
    return true;
}

static void add_piece(struct writer *w, struct slice s)
{
    /* sendmsg() only reads what iov_base points at. */
    w->pieces[w->count++] = (struct iovec){.iov_base = (char *)s.ptr, .iov_len = s.len};
}

/* One record around `first` and `second`, which together have at most CONTENT_MAX bytes. */
static bool add_record(struct writer *w, int type, struct slice first, struct slice second)
{
    size_t length = first.len + second.len;
    if (w->count + 3 > PIECES_MAX && !flush(w))
        return false;
    char *header = w->headers[w->count];
    const char bytes[RECORD_HEADER] = {FCGI_VERSION,
                                       (char)type,
                                       (char)(w->request_id >> 8),
                                       (char)(w->request_id & 0xFF),
                                       (char)(length >> 8),
                                       (char)(length & 0xFF)};
    for (size_t i = 0; i < RECORD_HEADER; i++)
        header[i] = bytes[i];
    add_piece(w, (struct slice){header, RECORD_HEADER});
    if (first.len > 0)
        add_piece(w, first);
    if (second.len > 0)
        add_piece(w, second);
    return true;
}

static struct slice take(struct slice *rest, size_t most)
{
    struct slice part = {rest->ptr, rest->len < most ? rest->len : most};
    *rest = slice_after(*rest, part.len);
    return part;
}

bool fastcgi_answer_write(int fd, int request_id, struct slice head, struct slice body)
{
    static const char finished[8] = {0}; /* application status 0, FCGI_REQUEST_COMPLETE */
    struct writer w = {.fd = fd, .request_id = request_id};
    while (head.len + body.len > 0) {
        struct slice first = take(&head, CONTENT_MAX);
        struct slice second =
            head.len > 0 ? (struct slice){0} : take(&body, CONTENT_MAX - first.len);
        if (!add_record(&w, FCGI_TYPE_STDOUT, first, second))
            return false;
    }
    return add_record(&w, FCGI_TYPE_STDOUT, (struct slice){0}, (struct slice){0}) &&
           add_record(&w, FCGI_TYPE_END, (struct slice){finished, sizeof finished},
                      (struct slice){0}) &&
           flush(&w);
}
