#include "common/db/target.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#include <string.h>

#define TEN   "1234567890"
#define FIFTY TEN TEN TEN TEN TEN

static const struct good_row {
    const char *url;
    struct db_target want;
} good_rows[] = {
    {"mysql://user:secret@db.example:3307/shop",
     {.host = "db.example", .user = "user", .password = "secret", .name = "shop", .port = 3307}},
    {"mysql://user:secret@db.example/shop",
     {.host = "db.example", .user = "user", .password = "secret", .name = "shop", .port = 3306}},
    {"mysql://user@db.example/shop",
     {.host = "db.example", .user = "user", .name = "shop", .port = 3306}},
    {"mysql://user:@db.example/shop",
     {.host = "db.example", .user = "user", .name = "shop", .port = 3306}},
    {"mysql://u%40x:p%3a%2F%40%25@h:1/n%20m",
     {.host = "h", .user = "u@x", .password = "p:/@%", .name = "n m", .port = 1}},
    {"mysql://u:a:b@h:65535/n",
     {.host = "h", .user = "u", .password = "a:b", .name = "n", .port = 65535}},
    {"mysql://u:p+q@h/n", /* '+' is itself here */
     {.host = "h", .user = "u", .password = "p+q", .name = "n", .port = 3306}},
    {"mysql://u:p@localhost/n?socket=/run/mysqld/mysqld.sock",
     {.host = "localhost",
      .user = "u",
      .password = "p",
      .name = "n",
      .socket = "/run/mysqld/mysqld.sock",
      .port = 3306}},
    {"mysql://u:p@localhost/n?socket=%2Ftmp%2Fa%20b.sock",
     {.host = "localhost",
      .user = "u",
      .password = "p",
      .name = "n",
      .socket = "/tmp/a b.sock",
      .port = 3306}},
    {"mysql://u:p@localhost/n?socket=/" FIFTY FIFTY "123456",
     {.host = "localhost",
      .user = "u",
      .password = "p",
      .name = "n",
      .socket = "/" FIFTY FIFTY "123456",
      .port = 3306}},
    {"mysql://u:p@h/" FIFTY TEN "1234",
     {.host = "h", .user = "u", .password = "p", .name = FIFTY TEN "1234", .port = 3306}},
};
START_TEST(target_good)
{
    const struct good_row *r = &good_rows[_i];
    struct db_target got;
    memset(&got, 'x', sizeof got); /* every text must be written, the empty ones too */
    const char *wrong = db_target_parse(r->url, &got);
    ck_assert_msg(!wrong, "%s", wrong);
    ck_assert_str_eq(got.host, r->want.host);
    ck_assert_str_eq(got.user, r->want.user);
    ck_assert_str_eq(got.password, r->want.password);
    ck_assert_str_eq(got.name, r->want.name);
    ck_assert_str_eq(got.socket, r->want.socket);
    ck_assert_uint_eq(got.port, r->want.port);
}
END_TEST

#define NO_USER    "must name a user before '@'"
#define NO_HOST    "must name a host"
#define NO_NAME    "must end with the database's name"
#define BAD_PORT   "must have a port from 1 to 65535"
#define BAD_OPTION "may have one option, socket=/path of at most 107 bytes"
#define BAD_SECRET "has a password that is too long or badly percent-encoded"

static const struct bad_row {
    const char *url, *wrong;
} bad_rows[] = {
    {"", "must begin with mysql://"},
    {"mysql:/u:p@h/n", "must begin with mysql://"},
    {"MYSQL://u:p@h/n", "must begin with mysql://"},
    {"postgres://u:p@h/n", "must begin with mysql://"},
    {"mysql://", NO_USER},
    {"mysql://h/n", NO_USER},
    {"mysql://@h/n", NO_USER},
    {"mysql://:p@h/n", NO_USER},
    {"mysql://u%4:p@h/n", NO_USER},
    {"mysql://%00:p@h/n", NO_USER},
    {"mysql://u:p@h", NO_NAME},
    {"mysql://u:p@h/", NO_NAME},
    {"mysql://u:p@h/?socket=/a", NO_NAME},
    {"mysql://u:p@h/%", NO_NAME},
    {"mysql://u:p@h/n%00m", NO_NAME},
    {"mysql://u:p@h/" FIFTY TEN "12345", NO_NAME},
    {"mysql://u:p@/n", NO_HOST},
    {"mysql://u:p@:3306/n", NO_HOST},
    {"mysql://u:p@h:/n", BAD_PORT},
    {"mysql://u:p@h:0/n", BAD_PORT},
    {"mysql://u:p@h:65536/n", BAD_PORT},
    {"mysql://u:p@h:33o6/n", BAD_PORT},
    {"mysql://u:p@h:-1/n", BAD_PORT},
    {"mysql://u:p@h:3306:1/n", BAD_PORT},
    {"mysql://u:p%@h/n", BAD_SECRET},
    {"mysql://u:p%2@h/n", BAD_SECRET},
    {"mysql://u:%zz@h/n", BAD_SECRET},
    {"mysql://u:a%00b@h/n", BAD_SECRET},
    {"mysql://u:" FIFTY FIFTY FIFTY FIFTY FIFTY "123456@h/n", BAD_SECRET},
    {"mysql://u:p@h/n?", BAD_OPTION},
    {"mysql://u:p@h/n?socket=", BAD_OPTION},
    {"mysql://u:p@h/n?socket=relative", BAD_OPTION},
    {"mysql://u:p@h/n?ssl=0", BAD_OPTION},
    {"mysql://u:p@h/n?Socket=/a", BAD_OPTION},
    {"mysql://u:p@h/n?socket=/%00", BAD_OPTION},
    {"mysql://u:p@h/n?socket=/" FIFTY FIFTY "1234567", BAD_OPTION},
};
START_TEST(target_bad)
{
    struct db_target got;
    const char *wrong = db_target_parse(bad_rows[_i].url, &got);
    ck_assert_ptr_nonnull(wrong);
    ck_assert_str_eq(wrong, bad_rows[_i].wrong);
}
END_TEST

START_TEST(target_wipe)
{
    static const char nothing[sizeof((struct db_target *)0)->password];
    struct db_target target;
    ck_assert_ptr_null(db_target_parse("mysql://u:secret@h/n", &target));
    db_target_wipe(&target);
    ck_assert_mem_eq(target.password, nothing, sizeof nothing);
    ck_assert_str_eq(target.user, "u");
}
END_TEST

void db_target(struct suite *s)
{
    suite_rows(s, target_good, COUNT(good_rows));
    suite_rows(s, target_bad, COUNT(bad_rows));
    suite_test(s, target_wipe);
}
