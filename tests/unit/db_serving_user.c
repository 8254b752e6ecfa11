#include "common/db/serving_user.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"
#include "tests/unit/support/fake_db.h"

#include <stdio.h>
#include <string.h>

static char reported[256];
static int reads;

static void report(const char *done)
{
    size_t len = strlen(reported);
    snprintf(reported + len, sizeof reported - len, "%s;", done);
}

static bool read_again(void *ctx, struct db_target *login, struct err *err)
{
    (void)ctx;
    (void)err;
    reads++;
    snprintf(login->password, sizeof login->password, "newer");
    return true;
}

/* `connects`: of the trial logins; the admin's own is made before. */
/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in the order of what happens. */
static const struct row {
    const char *name;
    unsigned connects[5];
    size_t connect_count;
    struct fake_answer answers[6];
    size_t answer_count;
    const char *trace; /* first words of what the admin wrote */
    const char *reported;
    int reads;
    const struct err_kind *want;
    const char *cause;
} rows[] = {
    {"all is well", {0}, 1, {{FAKE_ROWS(1, "4")}}, 1, "", "", 0, NULL, NULL},
    {"there is nobody",
     {1045, 0, 0},
     3,
     {{FAKE_WRITTEN(0, 0)}, {FAKE_ROWS(1, "0")}, {FAKE_WRITTEN(0, 0)}, {FAKE_ROWS(1, "4")}},
     4,
     "CREATE GRANT ",
     "the serving user has its rights;",
     0,
     NULL,
     NULL},
    {"no right on the database",
     {1044, 0},
     2,
     {{FAKE_WRITTEN(0, 0)}, {FAKE_ROWS(1, "4")}},
     2,
     "GRANT ",
     "the serving user has its rights;",
     0,
     NULL,
     NULL},
    {"a rotation that is just ending",
     {1045, 1045, 0},
     3,
     {{FAKE_WRITTEN(0, 0)}, {FAKE_ROWS(1, "4")}},
     2,
     "CREATE ",
     "",
     1,
     NULL,
     NULL},
    {"another password",
     {1698, 1698, 1045, 0},
     4,
     {{FAKE_WRITTEN(0, 0)}, {FAKE_WRITTEN(0, 0)}, {FAKE_ROWS(1, "4")}},
     3,
     "CREATE ALTER ",
     "the serving user has its password again;",
     1,
     NULL,
     NULL},
    {"another account is taken",
     {1045, 1045, 1045, 1045},
     4,
     {{FAKE_WRITTEN(0, 0)}, {FAKE_WRITTEN(0, 0)}},
     2,
     "CREATE ALTER ",
     "the serving user has its password again;",
     1,
     &ERR_SERVING_USER,
     "narrower host"},
    {"no right to make users",
     {1045},
     1,
     {{FAKE_ERROR(1227)}},
     1,
     "CREATE ",
     "",
     0,
     &ERR_SERVING_USER,
     "CREATE USER for the serving user o'dd: error 1227"},
    {"no right to grant",
     {1044},
     1,
     {{FAKE_ERROR(1044)}},
     1,
     "GRANT ",
     "",
     0,
     &ERR_SERVING_USER,
     "GRANT to the serving user o'dd"},
    {"the server is gone", {2003}, 1, {{0}}, 0, "", "", 0, &ERR_DATABASE_DOWN, "login"},
    {"rights that cannot be read",
     {0},
     1,
     {{FAKE_ERROR(1146)}},
     1,
     "",
     "",
     0,
     &ERR_SERVING_USER,
     "rights"},
    {"rights that are no number",
     {0},
     1,
     {{FAKE_ROWS(1, "x")}},
     1,
     "",
     "",
     0,
     &ERR_SERVING_USER,
     "unreadable"},
};

/* The statements' first words alone. */
static void strip(const char *trace, char *ret, size_t cap)
{
    char copy[1024], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", trace);
    *ret = '\0';
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        if (word[0] >= 'A' && word[0] <= 'Z') {
            size_t len = strlen(ret);
            snprintf(ret + len, cap - len, "%s ", word);
        }
}

START_TEST(serving_user_is_ensured)
{
    const struct row *r = &rows[_i];
    struct fake_world world;
    struct fake_db admin_fake, trial;
    struct err err = {0};
    char seen[256], text[KIB(8)];
    struct db_target login = {.host = "db.example.com",
                              .user = "o'dd",
                              .password = "s\\3c'ret",
                              .name = "c_u`",
                              .port = 3306};
    /* What the admin writes, and what a trial reads, come from one script each. */
    struct fake_answer writes[6] = {0}, reads_of[6] = {0};
    size_t write_count = 0, read_count = 0;
    for (size_t i = 0; i < r->answer_count; i++) {
        bool of_trial = r->answers[i].columns > 0 || r->answers[i].error == 1146;
        if (of_trial)
            reads_of[read_count++] = r->answers[i];
        else
            writes[write_count++] = r->answers[i];
    }
    fake_world_init(&world);
    fake_db_init(&admin_fake, &world, writes, write_count);
    fake_db_init(&trial, &world, reads_of, read_count);
    trial.connects = r->connects;
    trial.connect_count = r->connect_count;
    reported[0] = '\0';
    reads = 0;
    struct db *admin = fake_db_open(&admin_fake);
    const struct serving_user user = {.admin = admin,
                                      .driver = &trial.driver,
                                      .login = &login,
                                      .read_again = read_again,
                                      .report = report};
    ck_assert_msg(serving_user_ensure(&user, &err) == (r->want == NULL), "%s: %s", r->name,
                  err.cause);
    ck_assert_msg(err.kind == r->want, "%s: %s", r->name, err.cause);
    ck_assert_msg(!r->cause || strstr(err.cause, r->cause), "%s: %s", r->name, err.cause);
    ck_assert_msg(!strstr(err.cause, "ret"), "%s: %s", r->name, err.cause);
    ck_assert_str_eq(reported, r->reported);
    ck_assert_int_eq(reads, r->reads);
    ck_assert_uint_eq(trial.connects_seen, r->connect_count);
    db_close(admin);
    admin_fake.trace[admin_fake.trace_len] = trial.trace[trial.trace_len] = '\0';
    size_t used = 0;
    for (size_t i = 0; i < admin_fake.statement_count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%.*s;",
                                 SLICE_ARG(admin_fake.statements[i]));
    strip(admin_fake.trace, seen, sizeof seen);
    if (strstr(r->trace, "GRANT"))
        ck_assert_msg(strstr(text, "GRANT SELECT, INSERT, UPDATE, DELETE ON `c\\_u```.* TO "
                                   "'o\\'dd'@'%';") != NULL,
                      "%s", text);
    if (strstr(r->trace, "CREATE"))
        ck_assert_msg(strstr(text, "CREATE USER IF NOT EXISTS 'o\\'dd'@'%' IDENTIFIED BY "
                                   "'s\\\\3c\\'ret';") != NULL,
                      "%s", text);
    if (strstr(r->trace, "ALTER"))
        ck_assert_msg(strstr(text, "ALTER USER 'o\\'dd'@'%' IDENTIFIED BY 'newer';") != NULL, "%s",
                      text);
    ck_assert_str_eq(seen, r->trace);
    fake_db_check_done(&admin_fake);
    fake_db_check_done(&trial);
}
END_TEST

void db_serving_user(struct suite *s)
{
    suite_rows(s, serving_user_is_ensured, COUNT(rows));
}
