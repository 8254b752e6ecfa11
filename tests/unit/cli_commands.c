#include "fcgi/cli/commands.h"

#include "fcgi/pool/status_server.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/output.h"
#include "tests/unit/support/scratch.h"

#include <cjson/cJSON.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

typedef int command(int argc, char **argv);

/* Only what a test says is set; nobody listens on the database's socket. */
static void set_environment(const char *status_socket)
{
    for (size_t i = 0; i < settings_table.count; i++)
        unsetenv(settings_table.items[i].name);
    setenv("DATABASE_URL", "mysql://cbu:hunter2@localhost/shop?socket=/nonexistent/mysql.sock", 1);
    setenv("APP_JWT_SECRET", "0123456789abcdef0123456789abcdef", 1);
    setenv("STATUS_SOCKET", status_socket, 1);
    unsetenv("NGINX_MAX_BODY");
}

/* Runs `name` with one argument, or none where it is NULL; what it prints goes to `ret`. */
static int run(command *function, const char *argument, char *ret, size_t cap)
{
    char name[] = "command", text[256] = "";
    char *argv[] = {name, argument ? text : NULL, NULL};
    struct output output;
    if (argument)
        snprintf(text, sizeof text, "%s", argument);
    output_begin(&output);
    int status = function(argument ? 2 : 1, argv);
    output_end(&output, ret, cap);
    return status;
}

/* ---- import ---- */

#define GOOD          "{\"sku\":\"T-1\",\"name\":\"Tea\",\"category\":\"tea\",\"price_minor\":1,\"stock\":2}"
#define DONE(refused) "0 lines loaded, " refused " lines refused, 0 repeated SKUs\n"

static const struct import_row {
    const char *name;
    struct slice file;
    int status;
    const char *output;
} import_rows[] = {
    {"empty", SLICE_INIT(""), EX_OK, DONE("0")},
    {"blank lines", SLICE_INIT("\n \t \n\r\n\n"), EX_OK, DONE("0")},
    {"a byte order mark alone", SLICE_INIT("\xEF\xBB\xBF"), EX_OK, DONE("0")},
    {"one behind it", SLICE_INIT("\xEF\xBB\xBF[]\n"), EX_DATAERR,
     "line 1: must be an object\n" DONE("1")},
    {"one on the second line is no blank", SLICE_INIT("\n\xEF\xBB\xBF\n"), EX_DATAERR,
     "line 2: value expected, at byte 1\n" DONE("1")},
    {"no line feed at the end", SLICE_INIT("[]"), EX_DATAERR,
     "line 1: must be an object\n" DONE("1")},
    {"carriage returns", SLICE_INIT("[]\r\n[]\r\n"), EX_DATAERR,
     "line 1: must be an object\nline 2: must be an object\n" DONE("2")},
    {"lines are counted through blank ones", SLICE_INIT("\n\n[]\n\n[]"), EX_DATAERR,
     "line 3: must be an object\nline 5: must be an object\n" DONE("2")},
    {"bad JSON", SLICE_INIT("{\"sku\":}\n"), EX_DATAERR,
     "line 1: value expected, at byte 8\n" DONE("1")},
    {"a NUL", SLICE_INIT("[\0]\n"), EX_DATAERR, "line 1: value expected, at byte 2\n" DONE("1")},
    {"every fault of a line", SLICE_INIT("{\"sku\":\" x\",\"price_minor\":-1,\"colour\":1}\n"),
     EX_DATAERR,
     "line 1: /sku must not begin or end with a space; /price_minor must be from 0 to "
     "999999999999; /colour is no member here; /name is required; /category is required; /stock "
     "is required\n" DONE("1")},
    {"without a database", SLICE_INIT("[]\n" GOOD "\n"), EX_UNAVAILABLE,
     "line 1: must be an object\ncbu import: stopped at line 2: database_down: connect: "},
};
START_TEST(import_files)
{
    const struct import_row *r = &import_rows[_i];
    struct scratch scratch;
    char output[KIB(4)];
    scratch_open(&scratch);
    set_environment("/nonexistent");
    const char *path = scratch_file(&scratch, "products.ndjson", r->file);
    int status = run(command_import, path, output, sizeof output);
    ck_assert_msg(status == r->status, "%s: %d: %s", r->name, status, output);
    ck_assert_msg(strncmp(output, r->output, strlen(r->output)) == 0, "%s: %s", r->name, output);
    ck_assert_ptr_null(strstr(output, "hunter2"));
    scratch_close(&scratch);
}
END_TEST

/* The longest line is read whole; of a longer one the rest is skipped, and the next is read. */
static const struct length_row {
    size_t length;
    const char *output;
} length_rows[] = {
    {65535, "line 1: value expected, at byte 1\nline 2: must be an object\n"},
    {65536, "line 1: value expected, at byte 1\nline 2: must be an object\n"},
    {65537, "line 1: longer than 65536 bytes\nline 2: must be an object\n"},
    {200000, "line 1: longer than 65536 bytes\nline 2: must be an object\n"},
};
START_TEST(import_long_lines)
{
    const struct length_row *r = &length_rows[_i];
    static char text[200010];
    struct scratch scratch;
    char output[KIB(4)];
    scratch_open(&scratch);
    set_environment("/nonexistent");
    memset(text, 'x', r->length);
    struct buf end = {text + r->length, 0, 3, false};
    buf_add(&end, SLICE("\n[]"));
    const char *path = scratch_file(&scratch, "f", (struct slice){text, r->length + 3});
    ck_assert_int_eq(run(command_import, path, output, sizeof output), EX_DATAERR);
    ck_assert_msg(strncmp(output, r->output, strlen(r->output)) == 0, "%s", output);
    scratch_close(&scratch);
}
END_TEST

/* A line with more faults than fit the report is still reported. */
START_TEST(import_many_faults)
{
    char line[KIB(16)], output[KIB(8)];
    struct buf text = BUF(line);
    struct scratch scratch;
    scratch_open(&scratch);
    set_environment("/nonexistent");
    buf_add_char(&text, '{');
    for (int i = 0; i < 50; i++)
        buf_add_format(&text, "%s\"%d%0150d\":1", i > 0 ? "," : "", i, 0);
    buf_add(&text, SLICE("}\n"));
    ck_assert(!text.full);
    ck_assert_int_eq(
        run(command_import, scratch_file(&scratch, "f", buf_slice(&text)), output, sizeof output),
        EX_DATAERR);
    ck_assert_int_eq(strncmp(output, "line 1: /000", 12), 0);
    ck_assert_ptr_nonnull(strstr(output, "\n" DONE("1")));
    scratch_close(&scratch);
}
END_TEST

START_TEST(import_unreadable)
{
    struct scratch scratch;
    char output[KIB(4)];
    scratch_open(&scratch);
    set_environment("/nonexistent");
    ck_assert_int_eq(run(command_import, scratch_path(&scratch, "absent"), output, sizeof output),
                     EX_NOINPUT);
    ck_assert_int_eq(run(command_import, scratch.dir, output, sizeof output), EX_NOINPUT);
    ck_assert_int_eq(run(command_import, NULL, output, sizeof output), EX_USAGE);
    setenv("SHOP_CURRENCY", "dollars", 1);
    ck_assert_int_eq(run(command_import, scratch.dir, output, sizeof output), EX_CONFIG);
    ck_assert_ptr_nonnull(strstr(output, "SHOP_CURRENCY=dollars"));
    scratch_close(&scratch);
}
END_TEST

/* ---- migrate and config ---- */

static const struct plain_row {
    const char *name;
    command *run;
    const char *argument, *setting, *value;
    int status;
    const char *holds;
} plain_rows[] = {
    {"no database", command_migrate, NULL, "MIGRATIONS_DIR", "migrations", EX_UNAVAILABLE,
     "cbu migrate: database_down: connect: "},
    {"no folder", command_migrate, NULL, "MIGRATIONS_DIR", "/nonexistent", EX_CONFIG,
     "cbu migrate: settings_invalid: folder /nonexistent (MIGRATIONS_DIR): No such file"},
    {"a URL of its own", command_migrate, NULL, "MIGRATE_DATABASE_URL", "nonsense", EX_CONFIG,
     "MIGRATE_DATABASE_URL: must begin with mysql://"},
    {"listing", command_config, NULL, "WORKERS", "3", EX_OK, "\nWORKERS=3\n"},
    {"listing masks", command_config, NULL, "WORKERS", "3", EX_OK, "APP_JWT_SECRET=***\n"},
    {"bad settings", command_config, NULL, "WORKERS", "0", EX_CONFIG, "WORKERS=0: must be"},
    {"Markdown needs none", command_config, "--markdown", "WORKERS", "0", EX_OK,
     "| `WORKERS` | `8` | 1 to 64 processes |"},
    {"JSON needs none", command_config, "--json", "WORKERS", "0", EX_OK,
     "{\"name\":\"WORKERS\",\"kind\":\"integer\",\"value\":\"0\",\"default\":\"8\""},
    {"JSON masks", command_config, "--json", "WORKERS", "3", EX_OK,
     "{\"name\":\"APP_JWT_SECRET\",\"kind\":\"text\",\"value\":\"***\""},
    {"check", command_config, "--check", "WORKERS", "3", EX_OK, "database-within-nginx: "},
    {"check that warns", command_config, "--check", "DATABASE_IDLE_S", "1800", EX_OK,
     "warning: idle-within-proxy: not "},
    {"check that fails", command_config, "--check", "NGINX_MAX_BODY", "9m", EX_CONFIG,
     "error: body-within-worker: not "},
    {"check of bad settings", command_config, "--check", "WORKERS", "0", EX_CONFIG, "WORKERS=0: "},
    {"unknown option", command_config, "--yaml", "WORKERS", "3", EX_USAGE, "'--yaml'"},
    {"unknown option", command_status, "--markdown", "WORKERS", "3", EX_USAGE, "'--markdown'"},
    {"a fault of others' settings", command_status, NULL, "WORKERS", "0", EX_UNAVAILABLE,
     "no master answers on /nonexistent: "},
    {"a fault of others' settings", command_healthcheck, NULL, "DATABASE_URL", "hunter2", 1,
     "cbu healthcheck: /nonexistent: "},
    {"its own is one", command_healthcheck, NULL, "STATUS_SOCKET", "s", EX_CONFIG,
     "STATUS_SOCKET=s: must be"},
};
START_TEST(commands_plain)
{
    const struct plain_row *r = &plain_rows[_i];
    char output[KIB(16)];
    set_environment("/nonexistent");
    setenv(r->setting, r->value, 1);
    int status = run(r->run, r->argument, output, sizeof output);
    ck_assert_msg(status == r->status, "%s: %d: %s", r->name, status, output);
    ck_assert_msg(strstr(output, r->holds) != NULL, "%s: %s", r->name, output);
    ck_assert_ptr_null(strstr(output, "hunter2"));
}
END_TEST

/* ---- status and healthcheck ---- */

static struct pool pool;

/* All is settled at once: `pending` of the page is 0. */
static void resize(void *ctx, int64_t workers)
{
    (void)ctx;
    pool_on_resize(&pool, workers);
    for (size_t i = 0; i < POOL_SLOTS; i++)
        pool.slots[i].state =
            i < pool.target || i == POOL_KEEPER ? POOL_SLOT_RUNNING : POOL_SLOT_EMPTY;
}

static void reload(void *ctx)
{
    resize(ctx, (int64_t)pool.target);
}

static struct status_server *open_server(const char *path)
{
    static struct scoreboard board;
    static struct pool_readings readings;
    static struct conf conf = {.s3_bucket_name = ""};
    struct err err = {0};
    pool_init(&pool, 2, 25000);
    pool.slots[0].state = POOL_SLOT_STARTING;
    const struct status_source source = {.pool = &pool,
                                         .board = &board,
                                         .readings = &readings,
                                         .conf = &conf,
                                         .pid = 4711,
                                         .stale_ms = 30000,
                                         .control = {reload, resize, NULL}};
    struct status_server *server = status_server_open(path, &source, &err);
    ck_assert_msg(server != NULL, "%s", err.cause);
    return server;
}

/* A master that only answers. */
static pid_t start_master(const char *path)
{
    static struct status_server *server; /* the child ends without releasing it */
    server = open_server(path);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid > 0) {
        status_server_forget(server);
        return pid;
    }
    (void)signal(SIGTERM, SIG_DFL); /* not Check's handler, which would end the test */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        struct pollfd fds[STATUS_POLL_MAX];
        (void)poll(fds, status_server_poll(server, fds), -1);
        status_server_run(server, 61000);
    }
}

/* By the signal's default action, which lets valgrind report. */
static void stop_master(pid_t pid, const char *path)
{
    ck_assert_int_eq(kill(pid, SIGTERM), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_eq(unlink(path), 0);
}

START_TEST(status_of_a_master)
{
    struct scratch scratch;
    char output[KIB(16)];
    scratch_open(&scratch);
    const char *path = scratch_path(&scratch, "status");
    pid_t pid = start_master(path);
    set_environment(path);
    unsetenv("DATABASE_URL"); /* neither is needed to ask */
    unsetenv("APP_JWT_SECRET");
    ck_assert_int_eq(run(command_healthcheck, NULL, output, sizeof output), EX_OK);
    ck_assert_str_eq(output, "");
    ck_assert_int_eq(run(command_status, NULL, output, sizeof output), EX_OK);
    ck_assert_ptr_nonnull(strstr(output, "  pid 4711  up 61 s\n"));
    ck_assert_ptr_nonnull(strstr(output, "\ndatabase  unknown "));
    ck_assert_ptr_nonnull(
        strstr(output, "\nsecrets   known  \nbucket    none  \nkeys      none  0  \n"));
    ck_assert_ptr_nonnull(strstr(output, "\nworkers   limit 2  idle 0  busy 0  starting 1  "));
    ck_assert_ptr_nonnull(strstr(output, " starting "));
    ck_assert_int_eq(run(command_status, "--json", output, sizeof output), EX_OK);
    cJSON *page = cJSON_Parse(output);
    ck_assert_msg(cJSON_IsObject(page), "%s", output);
    cJSON_Delete(page);
    stop_master(pid, path);
    scratch_close(&scratch);
}
END_TEST

static const struct order_row {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *argument;
    int status;
    const char *holds;
} order_rows[] = {
    {"reload", command_reload, NULL, EX_OK, " ms: 2 workers\n"},
    {"more workers", command_workers, "5", EX_OK, " ms: 5 workers\n"},
    {"too many", command_workers, "65", EX_USAGE, "the master refused: The number of workers must"},
    {"none", command_workers, "0", EX_USAGE, "the master refused: The number of workers must"},
    {"no number", command_workers, "many", EX_USAGE, "'many' is no number"},
    {"an address", command_workers, "1?x", EX_USAGE, "'1?x' is no number"},
    {"nothing", command_workers, "", EX_USAGE, "is no number"},
    {"more than any", command_workers, "99999999999999999999999999", EX_USAGE, "is no number"},
    {"not said", command_workers, NULL, EX_USAGE, "usage: cbu workers N"},
};
START_TEST(orders_to_a_master)
{
    const struct order_row *r = &order_rows[_i];
    struct scratch scratch;
    char output[KIB(16)];
    scratch_open(&scratch);
    const char *path = scratch_path(&scratch, "status");
    pid_t pid = start_master(path);
    set_environment(path);
    ck_assert_int_eq(run(command_healthcheck, NULL, output, sizeof output), EX_OK); /* it is up */
    int status = run(r->run, r->argument, output, sizeof output);
    ck_assert_msg(status == r->status, "%s: %d: %s", r->name, status, output);
    ck_assert_msg(strstr(output, r->holds) != NULL, "%s: %s", r->name, output);
    stop_master(pid, path);
    ck_assert_int_eq(run(command_reload, NULL, output, sizeof output), EX_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(output, ": no master answers on "));
    scratch_close(&scratch);
}
END_TEST

START_TEST(status_without_a_master)
{
    struct scratch scratch;
    char output[KIB(4)];
    scratch_open(&scratch);
    const char *path = scratch_path(&scratch, "status");
    set_environment(path);
    ck_assert_int_eq(run(command_healthcheck, NULL, output, sizeof output), 1);
    ck_assert_ptr_nonnull(strstr(output, "No such file"));
    ck_assert_int_eq(run(command_status, NULL, output, sizeof output), EX_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(output, "no master answers on "));
    status_server_forget(open_server(path)); /* its socket file stays behind */
    ck_assert_int_eq(run(command_healthcheck, NULL, output, sizeof output), 1);
    ck_assert_ptr_nonnull(strstr(output, "refused"));
    scratch_close(&scratch);
}
END_TEST

void cli_commands(struct suite *s)
{
    suite_rows(s, import_files, COUNT(import_rows));
    suite_rows(s, import_long_lines, COUNT(length_rows));
    suite_test(s, import_many_faults);
    suite_test(s, import_unreadable);
    suite_rows(s, commands_plain, COUNT(plain_rows));
    suite_test(s, status_of_a_master);
    suite_rows(s, orders_to_a_master, COUNT(order_rows));
    suite_test(s, status_without_a_master);
}
