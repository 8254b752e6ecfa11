/* status.c - `cbu status` and `cbu healthcheck`: ask the master over its status socket. */
#include "fcgi/cli/commands.h"

#include "fcgi/cli/master_client.h"
#include "fcgi/settings.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define WATCH_EVERY_S 2

int command_healthcheck(int argc, char **argv)
{
    static char storage[MASTER_ANSWER_MAX];
    struct buf answer = BUF(storage);
    struct conf conf;
    struct slice body;
    (void)argc;
    (void)argv;
    if (!settings_read(USE_STATUS, &conf))
        return EX_CONFIG;
    int64_t status = master_ask(conf.status_socket, "GET", "/health/live", &answer, &body);
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

/* What a request needs beside the database. */
static void print_needs(const cJSON *page)
{
    const cJSON *secrets = cJSON_GetObjectItemCaseSensitive(page, "secrets");
    const cJSON *bucket = cJSON_GetObjectItemCaseSensitive(page, "bucket");
    const cJSON *keys = cJSON_GetObjectItemCaseSensitive(page, "keys");
    const cJSON *left = cJSON_GetObjectItemCaseSensitive(secrets, "credentials_left_s");
    const char *missing = text_of(secrets, "missing");
    printf("secrets   %s%s", missing[0] ? "missing " : "known", missing);
    if (cJSON_IsNumber(left))
        printf("  credentials for %lld s", (long long)cJSON_GetNumberValue(left));
    printf("  %s\n", text_of(secrets, "error"));
    printf("bucket    %s  %s\n", text_of(bucket, "state"), text_of(bucket, "error"));
    printf("keys      %s  %lld  %s\n", text_of(keys, "state"), (long long)number_of(keys, "count"),
           text_of(keys, "error"));
}

static void print_summary(const cJSON *page)
{
    const cJSON *workers = cJSON_GetObjectItemCaseSensitive(page, "workers");
    const cJSON *database = cJSON_GetObjectItemCaseSensitive(page, "database");
    const cJSON *queue = cJSON_GetObjectItemCaseSensitive(page, "queue");
    const cJSON *totals = cJSON_GetObjectItemCaseSensitive(page, "totals");
    const cJSON *count;
    printf("cbu %s  pid %lld  up %lld s%s\n", text_of(page, "version"),
           (long long)number_of(page, "pid"), (long long)number_of(page, "uptime_s"),
           cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(page, "stopping")) ? "  stopping" : "");
    printf("database  %s  %s  schema %lld  connections %lld  %s\n", text_of(database, "state"),
           text_of(database, "server"), (long long)number_of(database, "schema_version"),
           (long long)number_of(database, "connections"), text_of(database, "error"));
    print_needs(page);
    printf("workers   limit %lld  idle %lld  busy %lld  starting %lld  stopping %lld\n",
           (long long)number_of(workers, "limit"), (long long)number_of(workers, "idle"),
           (long long)number_of(workers, "busy"), (long long)number_of(workers, "starting"),
           (long long)number_of(workers, "stopping"));
    printf("queue     waiting %lld of %lld  between workers %lld  saturated %lld s\n",
           (long long)number_of(queue, "waiting"), (long long)number_of(queue, "limit"),
           (long long)number_of(queue, "handed"), (long long)number_of(queue, "saturated_s"));
    printf("requests  answered %lld  errors %lld  shed %lld  departed %lld  slow %lld\n",
           (long long)number_of(totals, "requests"), (long long)number_of(totals, "server_errors"),
           (long long)number_of(totals, "shed"), (long long)number_of(totals, "departed"),
           (long long)number_of(totals, "slow"));
    fputs("restarts", stdout);
    cJSON_ArrayForEach(count, cJSON_GetObjectItemCaseSensitive(page, "restarts"))
        printf("  %s %lld", count->string, (long long)cJSON_GetNumberValue(count));
    puts("");
}

static void print_durations(const cJSON *page)
{
    static const char *const names[] = {"queue", "service"};
    const cJSON *durations = cJSON_GetObjectItemCaseSensitive(page, "durations");
    for (size_t i = 0; i < COUNT(names); i++) {
        const cJSON *one = cJSON_GetObjectItemCaseSensitive(durations, names[i]);
        printf("%-9s p50 up to %lld ms  p99 up to %lld ms\n", names[i],
               (long long)number_of(one, "p50_ms"), (long long)number_of(one, "p99_ms"));
    }
}

static void print_page(const cJSON *page)
{
    const cJSON *workers = cJSON_GetObjectItemCaseSensitive(page, "workers");
    const cJSON *worker;
    print_summary(page);
    print_durations(page);
    printf("\n%4s %8s %-9s %9s %-6s %-28s %10s %7s %6s\n", "slot", "pid", "state", "for ms",
           "phase", "route", "requests", "age s", "errors");
    cJSON_ArrayForEach(worker, cJSON_GetObjectItemCaseSensitive(workers, "list")) printf(
        "%4lld %8lld %-9s %9lld %-6s %-28s %10lld %7lld %6lld\n",
        (long long)number_of(worker, "slot"), (long long)number_of(worker, "pid"),
        text_of(worker, "state"), (long long)number_of(worker, "state_ms"),
        text_of(worker, "phase"), text_of(worker, "route"),
        (long long)number_of(worker, "requests"), (long long)number_of(worker, "age_ms") / MS_PER_S,
        (long long)number_of(worker, "server_errors"));
}

static int show(const struct conf *conf, bool json)
{
    static char storage[MASTER_ANSWER_MAX];
    struct buf answer = BUF(storage);
    struct slice body;
    int64_t status = master_ask(conf->status_socket, "GET", "/status", &answer, &body);
    if (status != 200) {
        fprintf(stderr, "cbu status: no master answers on %s: %s\n", conf->status_socket,
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

/* Until it is interrupted, or the master is gone. */
static int watch(const struct conf *conf)
{
    for (;;) {
        if (isatty(STDOUT_FILENO))
            fputs("\033[H\033[2J", stdout); /* to the corner, and clear */
        int status = show(conf, false);
        if (status != EX_OK)
            return status;
        puts("");
        if (fflush(stdout) != 0) /* whoever read it has gone */
            return EX_OK;
        sleep(WATCH_EVERY_S);
    }
}

int command_status(int argc, char **argv)
{
    struct conf conf;
    const char *option = argc > 1 ? argv[1] : "";
    bool json = strcmp(option, "--json") == 0, watching = strcmp(option, "--watch") == 0;
    if (argc > 1 && !json && !watching) {
        fprintf(stderr, "cbu status: unknown option '%s'\n", option);
        return EX_USAGE;
    }
    if (!settings_read(USE_STATUS, &conf))
        return EX_CONFIG;
    return watching ? watch(&conf) : show(&conf, json);
}
