/* control.c - `cbu reload` and `cbu workers N`: have the master change the pool, and wait until it
 * has. */
#include "fcgi/cli/commands.h"

#include "fcgi/cli/master_client.h"
#include "fcgi/settings.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_MS 100
/* A worker may take STOP_TIMEOUT_S to end, and they go one by one. */
#define WAIT_MAX_S    INT64_C(1800)

struct control {
    const char *command;
    struct conf conf;
    char storage[MASTER_ANSWER_MAX];
};

/* Asks; on any answer but `wanted` says what is wrong and returns NULL. The caller deletes it. */
static cJSON *ask(struct control *c, const char *method, const char *path, int64_t wanted,
                  int *ret_status)
{
    struct buf answer = BUF(c->storage);
    struct slice body = {0};
    int64_t status = master_ask(c->conf.status_socket, method, path, &answer, &body);
    if (status == 0) {
        fprintf(stderr, "cbu %s: no master answers on %s: %s\n", c->command, c->conf.status_socket,
                strerror(errno));
        *ret_status = EX_UNAVAILABLE;
        return NULL;
    }
    cJSON *page = cJSON_ParseWithLength(body.ptr, body.len);
    if (status == wanted && page)
        return page;
    const char *detail = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(page, "detail"));
    fprintf(stderr, "cbu %s: the master refused: %s\n", c->command, detail ? detail : "no reason");
    *ret_status = status == 403 ? EX_NOPERM : status == 422 ? EX_USAGE : EX_UNAVAILABLE;
    cJSON_Delete(page);
    return NULL;
}

static int64_t number_at(const cJSON *page, const char *object, const char *name)
{
    const cJSON *inner = cJSON_GetObjectItemCaseSensitive(page, object);
    return (int64_t)cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(inner, name));
}

static int64_t now_ms(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * MS_PER_S + t.tv_nsec / 1000000;
}

/* Until no process is to be replaced, started or ended any more. */
static int wait_until_settled(struct control *c)
{
    int64_t begun_ms = now_ms();
    for (;;) {
        int status = EX_OK;
        cJSON *page = ask(c, "GET", "/status", 200, &status);
        if (!page)
            return status;
        int64_t pending = number_at(page, "workers", "pending");
        int64_t limit = number_at(page, "workers", "limit");
        cJSON_Delete(page);
        if (pending == 0) {
            printf("done after %lld ms: %lld workers\n", (long long)(now_ms() - begun_ms),
                   (long long)limit);
            return EX_OK;
        }
        if (now_ms() - begun_ms > WAIT_MAX_S * MS_PER_S) {
            fprintf(stderr, "cbu %s: %lld processes are still to come; see cbu status\n",
                    c->command, (long long)pending);
            return EX_TEMPFAIL;
        }
        usleep((useconds_t)LOOK_EVERY_MS * 1000);
    }
}

static int order(const char *command, const char *path)
{
    static struct control c;
    int status = EX_OK;
    c.command = command;
    if (!settings_read(USE_STATUS, &c.conf))
        return EX_CONFIG;
    cJSON *answer = ask(&c, "POST", path, 202, &status);
    if (!answer)
        return status;
    cJSON_Delete(answer);
    return wait_until_settled(&c);
}

int command_reload(int argc, char **argv)
{
    (void)argc;
    return order(argv[0], "/reload");
}

int command_workers(int argc, char **argv)
{
    char storage[32];
    struct buf path = BUF(storage);
    if (argc != 2) {
        fputs("usage: cbu workers N\n", stderr);
        return EX_USAGE;
    }
    buf_add_cstr(&path, "/workers/");
    for (const char *digit = argv[1]; *digit; digit++)
        if (*digit < '0' || *digit > '9') {
            fprintf(stderr, "cbu workers: '%s' is no number\n", argv[1]);
            return EX_USAGE;
        }
    buf_add_cstr(&path, argv[1]);
    const char *text = buf_cstr(&path);
    if (!text || !*argv[1]) {
        fprintf(stderr, "cbu workers: '%s' is no number of workers\n", argv[1]);
        return EX_USAGE;
    }
    return order(argv[0], text);
}
