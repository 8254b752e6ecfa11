#include "fcgi/cli/master_client.h"

#include "common/base/number.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PEER_TIMEOUT_S 3

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static bool fetch(int fd, const char *socket_path, const char *method, const char *path,
                  struct buf *answer)
{
    const struct timeval timeout = {.tv_sec = PEER_TIMEOUT_S};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char storage[128];
    struct buf request = BUF(storage);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
    buf_add_format(&request, "%s %s HTTP/1.1\r\nHost: localhost\r\n\r\n", method, path);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        send(fd, request.ptr, request.len, MSG_NOSIGNAL) != (ssize_t)request.len)
        return false;
    ssize_t got;
    while ((got = recv(fd, answer->ptr + answer->len, answer->cap - answer->len, 0)) > 0)
        answer->len += (size_t)got;
    return got == 0;
}

int64_t master_ask(const char *socket_path, const char *method, const char *path,
                   struct buf *answer, struct slice *ret_body)
{
    CLEANUP(close_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!fetch(fd, socket_path, method, path, answer))
        return 0;
    struct slice text = buf_slice(answer), version, status;
    const char *blank = memmem(text.ptr, text.len, "\r\n\r\n", 4);
    int64_t number = 0;
    if (!slice_cut(&text, ' ', &version) || !slice_cut(&text, ' ', &status) || !blank ||
        number_parse_i64(status, 100, 599, &number) != NUMBER_OK) {
        errno = EPROTO;
        return 0;
    }
    *ret_body = slice_after(buf_slice(answer), (size_t)(blank + 4 - answer->ptr));
    return number;
}
