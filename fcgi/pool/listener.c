#include "fcgi/pool/listener.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_MODE 0660

/* Whether a process listens behind the address. A full queue (EAGAIN) is a listener too. */
static bool is_live(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true; /* cannot tell: better not take it */
    int result = connect(fd, (const struct sockaddr *)address, sizeof *address);
    bool refused = result < 0 && (errno == ECONNREFUSED || errno == ENOENT);
    close(fd);
    return !refused;
}

static bool is_socket(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static bool bind_path(int fd, const struct sockaddr_un *address, struct err *err)
{
    const char *path = address->sun_path;
    if (bind(fd, (const struct sockaddr *)address, sizeof *address) == 0)
        return true;
    if (errno != EADDRINUSE)
        return err_fail(err, &ERR_SETTINGS_INVALID, "socket %s: %s", path, strerror(errno));
    if (!is_socket(path))
        return err_fail(err, &ERR_SETTINGS_INVALID, "%s exists and is no socket", path);
    if (is_live(address))
        return err_fail(err, &ERR_SETTINGS_INVALID,
                        "socket %s is in use: another cbu serve listens there", path);
    if (unlink(path) != 0 || bind(fd, (const struct sockaddr *)address, sizeof *address) != 0)
        return err_fail(err, &ERR_SETTINGS_INVALID, "stale socket %s: %s", path, strerror(errno));
    return true;
}

bool listener_open(const char *path, int backlog, struct listener *ret, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path); /* settings check its length */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_fail(err, &ERR_INTERNAL, "socket: %s", strerror(errno));
    if (!bind_path(fd, &address, err)) {
        close(fd);
        return false;
    }
    if (chmod(path, SOCKET_MODE) != 0 || listen(fd, backlog) != 0 || stat(path, &st) != 0) {
        err_fail(err, &ERR_INTERNAL, "listen on %s: %s", path, strerror(errno));
        unlink(address.sun_path); /* ours since the bind */
        close(fd);
        return false;
    }
    *ret = (struct listener){fd, path, st.st_ino};
    return true;
}

void listener_shut(struct listener *listener)
{
    struct stat st;
    if (stat(listener->path, &st) == 0 && st.st_ino == listener->inode)
        unlink(listener->path);
    shutdown(listener->fd, SHUT_RDWR);
}

void listener_close(struct listener *listener)
{
    listener_shut(listener);
    close(listener->fd);
}
