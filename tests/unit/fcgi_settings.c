#include "fcgi/settings.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"
#include "tests/unit/support/output.h"

#include <stdlib.h>
#include <string.h>

#define URL    "mysql://cbu:hunter2@db.example:3307/shop"
#define SECRET "0123456789abcdef0123456789abcdef"

static void clear_environment(void)
{
    for (size_t i = 0; i < settings_table.count; i++)
        unsetenv(settings_table.items[i].name);
}

/* Reads the settings from these variables alone, and what was said about them. */
static bool read(const char *const *environment, unsigned uses, struct conf *ret, char *ret_text,
                 size_t cap)
{
    struct output output;
    clear_environment();
    for (size_t i = 0; environment[i]; i += 2)
        setenv(environment[i], environment[i + 1], 1);
    output_begin(&output);
    bool good = settings_read(uses, ret);
    output_end(&output, ret_text, cap);
    return good;
}

START_TEST(settings_defaults)
{
    static const char *const environment[] = {"DATABASE_URL", URL, "APP_JWT_SECRET", SECRET, NULL};
    struct conf c;
    char text[256];
    ck_assert(read(environment, USE_SERVE, &c, text, sizeof text));
    ck_assert_str_eq(text, "");
    ck_assert_str_eq(c.database_url, URL);
    ck_assert_str_eq(c.migrate_database_url, "");
    ck_assert_str_eq(c.database_ca_file, "/etc/ssl/certs/ca-certificates.crt");
    ck_assert_int_eq(c.database_connect_timeout_s, 2);
    ck_assert_int_eq(c.database_io_timeout_s, 5);
    ck_assert_int_eq(c.database_idle_s, 1500);
    ck_assert_int_eq(c.database_max_age_s, 14400);
    ck_assert_str_eq(c.migrations_dir, "migrations");
    ck_assert_str_eq(c.app_jwt_secret, SECRET);
    ck_assert_str_eq(c.shop_currency, "USD");
    ck_assert_int_eq(c.log_level, LOG_LEVEL_INFO);
    ck_assert_int_eq(c.workers, 8);
    ck_assert_str_eq(c.fcgi_socket, "/run/cbu/fcgi.sock");
    ck_assert_int_eq(c.fcgi_backlog, 512);
    ck_assert_str_eq(c.status_socket, "/run/cbu/status.sock");
    ck_assert_int_eq(c.stop_timeout_s, 25);
    ck_assert_int_eq(c.keeper_interval_ms, 2000);
}
END_TEST

/* Good to the last value of each range, bad one step beyond. */
static const struct range_row {
    const char *name, *good[2], *bad[4];
} range_rows[] = {
    {"WORKERS", {"1", "64"}, {"0", "65", "8.0", "eight"}},
    {"STOP_TIMEOUT_S", {"1", "110"}, {"0", "111", "-1", "25s"}},
    {"FCGI_BACKLOG", {"1", "65535"}, {"0", "65536", " 1", "0x10"}},
    {"DATABASE_CONNECT_TIMEOUT_S", {"1", "60"}, {"0", "61", "1e1", "+1"}},
    {"DATABASE_IO_TIMEOUT_S", {"1", "300"}, {"0", "301", "01", "5 "}},
    {"DATABASE_IDLE_S", {"1", "28800"}, {"0", "28801", "1,500", "-"}},
    {"DATABASE_MAX_AGE_S", {"10", "86400"}, {"9", "86401", "99999999999999999999", "1\n"}},
    {"LOG_LEVEL", {"DEBUG", "ERROR"}, {"debug", "TRACE", "INFO|WARN", "1"}},
    {"SHOP_CURRENCY", {"EUR", "XXX"}, {"eur", "EU", "EURO", "E\xC3\xBC"}},
    {"FCGI_SOCKET", {"/a", "/run/x y"}, {"a", "/", "run/cbu.sock", "./s"}},
    {"S3_BUCKET_NAME", {"cbu", "cbu.images-1"}, {"ab", "Images", "-cbu", "cbu..images"}},
    {"STATUS_SOCKET", {"/a", "/run/x y"}, {"a", "/", "run/cbu.sock", "./s"}},
    {"AWS_ENDPOINT_URL_S3",
     {"http://127.0.0.1:9000", "https://s3.example"},
     {"http://s3.example", "https://user:pw@s3.example", "http://127.0.0.1:1@s3.example",
      "https://s3.example/"}},
    {"AWS_ENDPOINT_URL_SECRETS_MANAGER",
     {"http://localhost:5000", "https://secrets.example:8443"},
     {"http://secrets.example", "http://169.254.170.2", "https://u@secrets.example", "ftp://x"}},
    {"AWS_CONTAINER_CREDENTIALS_FULL_URI",
     {"http://127.0.0.1:1/c", "http://169.254.170.23/v1/credentials"},
     {"http://evil.example/x", "https://u:pw@x/", "noscheme", "http:///x"}},
    {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
     {"/v2/credentials/1", "/a?b=c"},
     {"noslash", "/a b", "@evil.example/", "http://169.254.170.2/"}},
    {"AWS_REGION", {"us-east-2", "local"}, {"us east 2", "a.example/", "US-EAST-2", "-"}},
    {"AWS_CA_BUNDLE",
     {"/dev/null", "Makefile"},
     {"/nonexistent", "/nonexistent/x", "Makefile/x", "no-such-file.pem"}},
    {"DATABASE_SECRET_ARN",
     {"arn:aws:secretsmanager:us-east-2:123456789012:secret:cbu-AbCdEf", "cbu/database"},
     {"arn:aws:s3:::bucket", "two words", "arn:aws:secretsmanager", "cbu:database"}},
    {"APP_JWT_SECRET_ARN", {"cbu/app", "a"}, {"arn:x", "a b", "a\"b", "a:b"}},
};
START_TEST(settings_ranges)
{
    const struct range_row *r = &range_rows[_i];
    struct conf c;
    char text[KIB(2)];
    for (size_t i = 0; i < COUNT(r->good) + COUNT(r->bad); i++) {
        bool good = i < COUNT(r->good);
        const char *value = good ? r->good[i] : r->bad[i - COUNT(r->good)];
        const char *const environment[] = {"DATABASE_URL", URL, "APP_JWT_SECRET", SECRET, r->name,
                                           value,          NULL};
        ck_assert_msg(read(environment, USE_SERVE, &c, text, sizeof text) == good, "%s=%s: %s",
                      r->name, value, text);
        ck_assert_msg(good || strstr(text, r->name), "%s=%s: %s", r->name, value, text);
    }
}
END_TEST

/* 107 bytes is what a socket's path may have: one more would be cut by the system call. */
START_TEST(settings_socket_path_length)
{
    char path[109] = "/";
    struct conf c;
    char text[KIB(2)];
    for (size_t length = 107; length <= 108; length++) {
        memset(path + 1, 'x', length - 1);
        path[length] = '\0';
        const char *const environment[] = {
            "DATABASE_URL", URL, "APP_JWT_SECRET", SECRET, "FCGI_SOCKET", path, NULL};
        ck_assert_int_eq(read(environment, USE_SERVE, &c, text, sizeof text), length == 107);
    }
}
END_TEST

START_TEST(settings_every_fault_at_once)
{
    static char long_path[20001];
    memset(long_path, 'x', sizeof long_path - 1);
    const char *const environment[] = {"DATABASE_URL",
                                       "postgres://cbu:hunter2@db/x",
                                       "MIGRATE_DATABASE_URL",
                                       "mysql://admin:hunter3@db:99999/x",
                                       "APP_JWT_SECRET",
                                       "hunter4 is too short",
                                       "DATABASE_CONNECT_TIMEOUT_S",
                                       "no",
                                       "DATABASE_IO_TIMEOUT_S",
                                       "no",
                                       "DATABASE_IDLE_S",
                                       "no",
                                       "DATABASE_MAX_AGE_S",
                                       "no",
                                       "SHOP_CURRENCY",
                                       "usd",
                                       "LOG_LEVEL",
                                       "LOUD",
                                       "WORKERS",
                                       "65",
                                       "FCGI_SOCKET",
                                       long_path,
                                       "FCGI_BACKLOG",
                                       "no",
                                       "STATUS_SOCKET",
                                       "status.sock",
                                       "STOP_TIMEOUT_S",
                                       "no",
                                       "KEEPER_INTERVAL_MS",
                                       "no",
                                       NULL};
    struct conf c;
    char text[KIB(32)];
    ck_assert(!read(environment, USE_SERVE, &c, text, sizeof text));
    for (size_t i = 0; environment[i]; i += 2) {
        char line[64];
        snprintf(line, sizeof line, "\n%s%s", environment[i],
                 strstr(environment[i], "URL") || strstr(environment[i], "SECRET") ? ":" : "=");
        ck_assert_msg(strstr(text, line) != NULL, "%s is not named in: %.4000s", environment[i],
                      text);
    }
    ck_assert_ptr_null(strstr(text, "hunter"));
    ck_assert_uint_lt(strlen(text), 8192);
}
END_TEST

START_TEST(settings_required)
{
    static const char *const nothing[] = {NULL};
    static const struct {
        unsigned uses;
        const char *missing[3];
    } rows[] = {
        {USE_SERVE, {"DATABASE_URL", "APP_JWT_SECRET", NULL}},
        {USE_DATABASE, {"DATABASE_URL", NULL}},
        {USE_STATUS, {NULL}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct conf c;
        char text[KIB(2)];
        ck_assert_int_eq(read(nothing, rows[i].uses, &c, text, sizeof text),
                         rows[i].missing[0] == NULL);
        size_t lines = 0;
        for (const char *at = text; (at = strchr(at, '\n')); at++)
            lines++;
        size_t k = 0;
        for (; rows[i].missing[k]; k++)
            ck_assert_ptr_nonnull(strstr(text, rows[i].missing[k]));
        ck_assert_uint_eq(lines, k > 0 ? k + 1 : 0);
    }
}
END_TEST

/* A bad secret is a fault also for commands that could do without it, and still not quoted. */
START_TEST(settings_bad_secret_of_others)
{
    static const char *const environment[] = {"DATABASE_URL", URL, "APP_JWT_SECRET", "hunter2",
                                              NULL};
    struct conf c;
    char text[KIB(2)];
    ck_assert(!read(environment, USE_DATABASE, &c, text, sizeof text));
    ck_assert_ptr_nonnull(strstr(text, "APP_JWT_SECRET: must be 32 to 4096 bytes long"));
    ck_assert_ptr_null(strstr(text, "hunter2"));
}
END_TEST

/* Who asks for the status needs its socket only. */
START_TEST(settings_for_status)
{
    static const char *const others[] = {"APP_JWT_SECRET", "hunter2", "WORKERS", "0",
                                         "STATUS_SOCKET",  "/s",      NULL};
    static const char *const own[] = {"STATUS_SOCKET", "s", "WORKERS", "0", NULL};
    struct conf c;
    char text[KIB(2)];
    ck_assert(read(others, USE_STATUS, &c, text, sizeof text));
    ck_assert_str_eq(text, "");
    ck_assert_str_eq(c.status_socket, "/s");
    ck_assert(!read(own, USE_STATUS, &c, text, sizeof text));
    ck_assert_ptr_nonnull(strstr(text, "STATUS_SOCKET=s: must be"));
    ck_assert_ptr_null(strstr(text, "WORKERS"));
}
END_TEST

START_TEST(settings_sockets_differ)
{
    static const char *const environment[] = {
        "DATABASE_URL", URL, "APP_JWT_SECRET", SECRET,  "FCGI_SOCKET", "/same",
        "WORKERS",      "0", "STATUS_SOCKET",  "/same", NULL};
    struct conf c;
    char text[KIB(2)];
    ck_assert(!read(environment, USE_SERVE, &c, text, sizeof text));
    ck_assert_ptr_nonnull(strstr(text, "\nWORKERS=0: "));
    ck_assert_ptr_nonnull(strstr(text, "\nSTATUS_SOCKET=/same: must differ from FCGI_SOCKET\n"));
}
END_TEST

START_TEST(settings_listing_masks_secrets)
{
    static const char *const environment[] = {
        "DATABASE_URL", URL, "APP_JWT_SECRET", SECRET, "MIGRATE_DATABASE_URL", URL, NULL};
    struct conf c;
    char text[KIB(4)], *listing = NULL;
    size_t size = 0;
    ck_assert(read(environment, USE_SERVE, &c, text, sizeof text));
    FILE *out = open_memstream(&listing, &size);
    conf_print_values(&settings_table, &c, out);
    conf_print_help(&settings_table, out);
    conf_print_markdown(&settings_table, out);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_ptr_nonnull(strstr(listing, "DATABASE_URL=***\n"));
    ck_assert_ptr_nonnull(strstr(listing, "APP_JWT_SECRET=***\n"));
    ck_assert_ptr_nonnull(strstr(listing, "WORKERS=8\n"));
    ck_assert_ptr_null(strstr(listing, "hunter2"));
    ck_assert_ptr_null(strstr(listing, SECRET));
    free(listing);
}
END_TEST

START_TEST(settings_database_options)
{
    static const char *const environment[] = {"DATABASE_URL",
                                              URL,
                                              "DATABASE_CONNECT_TIMEOUT_S",
                                              "3",
                                              "DATABASE_IO_TIMEOUT_S",
                                              "7",
                                              "DATABASE_IDLE_S",
                                              "60",
                                              "DATABASE_MAX_AGE_S",
                                              "120",
                                              "DATABASE_CA_FILE",
                                              "/etc/ca.pem",
                                              NULL};
    struct conf c;
    struct db_options options = {0};
    struct err err = {0};
    char text[KIB(2)];
    ck_assert(read(environment, USE_DATABASE, &c, text, sizeof text));
    ck_assert(settings_database(&c, c.database_url, &options, &err));
    ck_assert_str_eq(options.target.host, "db.example");
    ck_assert_uint_eq(options.target.port, 3307);
    ck_assert_str_eq(options.target.user, "cbu");
    ck_assert_str_eq(options.target.password, "hunter2");
    ck_assert_str_eq(options.target.name, "shop");
    ck_assert_str_eq(options.target.ca_file, "/etc/ca.pem");
    ck_assert_uint_eq(options.target.connect_timeout_s, 3);
    ck_assert_uint_eq(options.target.io_timeout_s, 7);
    ck_assert_int_eq(options.max_idle_ms, 60000);
    ck_assert_int_eq(options.max_age_ms, 120000);
    ck_assert(!options.keep);
    ck_assert(!settings_database(&c, "", &options, &err));
    ck_assert_ptr_eq(err.kind, &ERR_SETTINGS_INVALID);
    db_target_wipe(&options.target);
    ck_assert_int_eq(options.target.password[0], '\0');
}
END_TEST

void fcgi_settings(struct suite *s)
{
    suite_test(s, settings_defaults);
    suite_rows(s, settings_ranges, COUNT(range_rows));
    suite_test(s, settings_socket_path_length);
    suite_test(s, settings_every_fault_at_once);
    suite_test(s, settings_required);
    suite_test(s, settings_bad_secret_of_others);
    suite_test(s, settings_for_status);
    suite_test(s, settings_sockets_differ);
    suite_test(s, settings_listing_masks_secrets);
    suite_test(s, settings_database_options);
}
