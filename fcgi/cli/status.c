/* status.c - `cbu status` and `cbu healthcheck`: ask the master over its status socket. */
#include "fcgi/cli/commands.h"

#include "common/base/number.h"
#include "fcgi/settings.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#define ANSWER_MAX     KIB(64)
#define PEER_TIMEOUT_S 3

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static bool fetch(int fd, const char *socket_path, const char *path, struct buf *answer)
{
    const struct timeval timeout = {.tv_sec = PEER_TIMEOUT_S};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char storage[128];
    struct buf request = BUF(storage);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
    buf_add_format(&request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
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

/* GETs `path`; returns the HTTP status and the body, which borrows `answer`; 0 when nobody answers
 * (errno says why). */
static int64_t get(const char *socket_path, const char *path, struct buf *answer,
                   struct slice *ret_body)
{
    CLEANUP(close_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!fetch(fd, socket_path, path, answer))
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

int command_healthcheck(int argc, char **argv)
{
    static char storage[ANSWER_MAX];
    struct buf answer = BUF(storage);
    struct conf conf;
    struct slice body;
    (void)argc;
    (void)argv;
    if (!settings_read(USE_STATUS, &conf))
        return EX_CONFIG;
    int64_t status = get(conf.status_socket, "/health/live", &answer, &body);
    if (status == 200)
        return EX_OK;
    fprintf(stderr, "cbu healthcheck: %s: %s\n", conf.status_socket,
            status == 0 ? strerror(errno) : "not healthy");
    return 1;
}

static int64_t number_of(const cJSON *object, const char *name)
{
    double value = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return value > 0 ? (int64_t)value : 0;
}

static const char *text_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text ? text : "";
}

static void print_page(const cJSON *page)
{
    const cJSON *workers = cJSON_GetObjectItemCaseSensitive(page, "workers");
    const cJSON *database = cJSON_GetObjectItemCaseSensitive(page, "database");
    const cJSON *restarts = cJSON_GetObjectItemCaseSensitive(page, "restarts");
    const cJSON *worker;
    printf("cbu %s  pid %lld  up %lld s\n", text_of(page, "version"),
           (long long)number_of(page, "pid"), (long long)number_of(page, "uptime_s"));
    printf("database  %s  %s  schema %lld  %s\n", text_of(database, "state"),
           text_of(database, "server"), (long long)number_of(database, "schema_version"),
           text_of(database, "error"));
    printf("workers   limit %lld  idle %lld  busy %lld  starting %lld  stopping %lld\n",
           (long long)number_of(workers, "limit"), (long long)number_of(workers, "idle"),
           (long long)number_of(workers, "busy"), (long long)number_of(workers, "starting"),
           (long long)number_of(workers, "stopping"));
    printf("restarts  crashes %lld  reloads %lld  kills %lld\n\n",
           (long long)number_of(restarts, "crashes"), (long long)number_of(restarts, "reloads"),
           (long long)number_of(restarts, "kills"));
    printf("%4s %8s %-9s %12s %10s %8s\n", "slot", "pid", "state", "requests", "age s", "errors");
    cJSON_ArrayForEach(worker, cJSON_GetObjectItemCaseSensitive(workers, "list")) printf(
        "%4lld %8lld %-9s %12lld %10lld %8lld\n", (long long)number_of(worker, "slot"),
        (long long)number_of(worker, "pid"), text_of(worker, "state"),
        (long long)number_of(worker, "requests"), (long long)number_of(worker, "age_ms") / MS_PER_S,
        (long long)number_of(worker, "server_errors"));
}

int command_status(int argc, char **argv)
{
    static char storage[ANSWER_MAX];
    struct buf answer = BUF(storage);
    struct conf conf;
    struct slice body;
    bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
    if (argc > 1 && !json) {
        fprintf(stderr, "cbu status: unknown option '%s'\n", argv[1]);
        return EX_USAGE;
    }
    if (!settings_read(USE_STATUS, &conf))
        return EX_CONFIG;
    int64_t status = get(conf.status_socket, "/status", &answer, &body);
    if (status != 200) {
        fprintf(stderr, "cbu status: no master answers on %s: %s\n", conf.status_socket,
                status == 0 ? strerror(errno) : "it has no status page");
        return EX_UNAVAILABLE;
    }
    if (json) {
        printf("%.*s\n", SLICE_ARG(body));
        return EX_OK;
    }
    cJSON *page = cJSON_ParseWithLength(body.ptr, body.len);
    print_page(page);
    cJSON_Delete(page);
    return EX_OK;
}
