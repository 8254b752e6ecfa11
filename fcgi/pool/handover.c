#include "fcgi/pool/handover.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A message counts for less than 1 KiB of this, so there is room for some thousand connections; the
 * kernel caps it at net.core.wmem_max (208 KiB, a few hundred) without a word. */
#define WAY_BYTES MIB(4)

bool handover_open(struct handover *ret, struct err *err)
{
    const int bytes = WAY_BYTES;
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
        return err_fail(err, &ERR_INTERNAL, "socketpair: %s", strerror(errno));
    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    *ret = (struct handover){fds[0], fds[1]};
    return true;
}

void handover_close(struct handover *handover)
{
    close(handover->give_fd);
    close(handover->take_fd);
}

/* Room for one descriptor, aligned as the kernel wants it. */
union control {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

bool handover_give(const struct handover *handover, const struct connection *connection)
{
    union control control = {0};
    struct connection told;
    memset(&told, 0, sizeof told); /* its padding is sent too */
    told.last = connection->last;
    told.used_ms = connection->used_ms;
    struct iovec piece = {&told, sizeof told};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &connection->fd, sizeof connection->fd);
    if (sendmsg(handover->give_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof told)
        return false;
    close(connection->fd);
    return true;
}

bool handover_take(const struct handover *handover, struct connection *ret)
{
    union control control = {0};
    struct connection told;
    struct iovec piece = {&told, sizeof told};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    if (recvmsg(handover->take_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != sizeof told)
        return false;
    /* Out of descriptors the kernel drops the one that came; nginx sees its connection closed. */
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
        return false;
    memcpy(&told.fd, CMSG_DATA(header), sizeof told.fd);
    *ret = told;
    return true;
}

/* The kernel tells the bytes of all messages together. */
int64_t handover_count(const struct handover *handover)
{
    int bytes = 0;
    if (ioctl(handover->take_fd, SIOCINQ, &bytes) != 0)
        return -1;
    return bytes / (int64_t)sizeof(struct connection);
}
