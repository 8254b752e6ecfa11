#include "fcgi/pool/queue.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

void queue_open(int listen_fd, struct queue_probe *ret)
{
    struct stat st;
    *ret = (struct queue_probe){.fd = -1};
    if (fstat(listen_fd, &st) != 0)
        return;
    ret->inode = (uint32_t)st.st_ino;
    ret->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
}

void queue_close(struct queue_probe *probe)
{
    if (probe->fd >= 0)
        close(probe->fd);
    probe->fd = -1;
}

struct question {
    struct nlmsghdr header;
    struct unix_diag_req body;
};

static bool ask(const struct queue_probe *probe)
{
    const struct question question = {
        .header = {.nlmsg_len = sizeof question,
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST},
        .body = {.sdiag_family = AF_UNIX,
                 .udiag_states = 1 << TCP_LISTEN,
                 .udiag_ino = probe->inode,
                 .udiag_show = UDIAG_SHOW_RQLEN,
                 .udiag_cookie = {UINT32_MAX, UINT32_MAX}}, /* any */
    };
    return send(probe->fd, &question, sizeof question, 0) == sizeof question;
}

/* The kernel answers within send(), so the answer is there already. */
struct queue_depth queue_read(const struct queue_probe *probe)
{
    _Alignas(struct nlmsghdr) char answer[512];
    struct queue_depth depth = {-1, -1};
    if (probe->fd < 0 || !ask(probe))
        return depth;
    ssize_t got = recv(probe->fd, answer, sizeof answer, 0);
    const struct nlmsghdr *header = (const struct nlmsghdr *)(const void *)answer;
    if (got < (ssize_t)NLMSG_LENGTH(sizeof(struct unix_diag_msg)) ||
        header->nlmsg_type != SOCK_DIAG_BY_FAMILY || header->nlmsg_len > (size_t)got)
        return depth;
    size_t at = NLMSG_LENGTH(sizeof(struct unix_diag_msg));
    while (at + sizeof(struct rtattr) <= header->nlmsg_len) {
        struct rtattr attribute;
        struct unix_diag_rqlen lengths;
        memcpy(&attribute, answer + at, sizeof attribute);
        if (attribute.rta_len < sizeof attribute || at + attribute.rta_len > header->nlmsg_len)
            break;
        if (attribute.rta_type == UNIX_DIAG_RQLEN && RTA_PAYLOAD(&attribute) >= sizeof lengths) {
            memcpy(&lengths, answer + at + RTA_LENGTH(0), sizeof lengths);
            depth = (struct queue_depth){lengths.udiag_rqueue, lengths.udiag_wqueue};
        }
        at += RTA_ALIGN(attribute.rta_len);
    }
    return depth;
}
