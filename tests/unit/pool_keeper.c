#include "fcgi/pool/keeper.h"

#include "common/db/migrate.h"
#include "fcgi/pool/custody.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/fake_db.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define QUERY                                                                                      \
    "SELECT version FROM schema_migrations WHERE applied_at IS NOT NULL ORDER BY version DESC"     \
    " LIMIT 1"

#define SERVER "MariaDB 10.11.19"

static struct arena open_arena(void)
{
    struct arena arena;
    struct err err = {0};
    ck_assert(arena_init(&arena, KIB(256), &err));
    return arena;
}

static const struct look_row {
    const char *name, *server, *error;
    struct fake_answer answer;
    int64_t version;
    unsigned connect_error;
    enum database_state want;
} look_rows[] = {
    {"up", SERVER, "", {FAKE_ROWS(1, "2"), .takes_ms = 7}, 2, 0, DATABASE_UP},
    {"a newer schema serves an older program",
     SERVER,
     "",
     {FAKE_ROWS(1, "9999")},
     9999,
     0,
     DATABASE_UP},
    {"an older one does not", SERVER, "", {FAKE_ROWS(1, "1")}, 1, 0, DATABASE_OLD_SCHEMA},
    {"no migration is complete", SERVER, "no row", {FAKE_NO_ROWS(1)}, 0, 0, DATABASE_OLD_SCHEMA},
    {"no table",
     SERVER,
     "1146 fake failure",
     {FAKE_ERROR(1146), .takes_ms = 2},
     0,
     0,
     DATABASE_OLD_SCHEMA},
    {"no answer", "", "connect: 2003 fake failure", {0}, 0, 2003, DATABASE_DOWN},
    {"access denied", "", "connect: 1045 fake failure", {0}, 0, 1045, DATABASE_DOWN},
};
START_TEST(keeper_looks)
{
    const struct look_row *r = &look_rows[_i];
    struct fake_world world;
    struct fake_db fake;
    struct arena arena = open_arena();
    fake_world_init(&world);
    fake_db_init(&fake, &world, &r->answer, r->connect_error ? 0 : 1);
    fake.connects = &r->connect_error;
    fake.connect_count = 1;
    struct db *db = fake_db_open(&fake);
    int64_t begun_ms = world.monotonic_ms;
    struct snapshot seen = keeper_look(db, &world.world, &arena);
    ck_assert_msg(seen.database == r->want, "%s: %s", r->name, database_state_name(seen.database));
    ck_assert_int_eq(seen.schema_version, r->version);
    ck_assert_int_eq(seen.checked_ms, begun_ms);
    ck_assert_int_eq(seen.latency_ms, r->answer.takes_ms);
    ck_assert_str_eq(seen.server, r->server);
    ck_assert_str_eq(seen.error, r->error);
    if (fake.statement_count > 0)
        ck_assert(slice_equal(fake.statements[0], SLICE(QUERY)));
    ck_assert_uint_eq(arena.used, 0);
    db_close(db);
    fake_db_check_done(&fake);
    arena_done(&arena);
}
END_TEST

/* Lost and found again, on one handle: the loop of the keeper. */
START_TEST(keeper_looks_again_and_again)
{
    const struct fake_answer answers[] = {
        {FAKE_ROWS(1, "2")}, {FAKE_ERROR(2013), .takes_ms = 5000}, {FAKE_ROWS(1, "2")}};
    static const unsigned connects[] = {0, 2002};
    static const enum database_state want[] = {DATABASE_UP, DATABASE_DOWN, DATABASE_DOWN,
                                               DATABASE_UP};
    struct fake_world world;
    struct fake_db fake;
    struct arena arena = open_arena();
    fake_world_init(&world);
    fake_db_init(&fake, &world, ARRAY(answers));
    fake.connects = connects;
    fake.connect_count = COUNT(connects);
    struct db *db = fake_db_open(&fake);
    for (size_t i = 0; i < COUNT(want); i++) {
        struct snapshot seen = keeper_look(db, &world.world, &arena);
        ck_assert_msg(seen.database == want[i], "look %zu: %s: %s", i,
                      database_state_name(seen.database), seen.error);
        fake_world_pass(&world, 2000);
    }
    db_close(db);
    fake_db_check_done(&fake);
    arena_done(&arena);
}
END_TEST

/* A name of the server that fills the snapshot's field is cut, not spilled. */
START_TEST(keeper_cuts_long_texts)
{
    struct fake_world world;
    struct fake_db fake;
    struct arena arena = open_arena();
    const struct fake_answer answer = {FAKE_ROWS(1, "1")};
    fake_world_init(&world);
    fake_db_init(&fake, &world, &answer, 1);
    fake.server_info = "8.0.31-0123456789012345678901234567890123456789012345678901234567890123456";
    struct db *db = fake_db_open(&fake);
    struct snapshot seen = keeper_look(db, &world.world, &arena);
    ck_assert_str_eq(seen.server, "MySQL 8.0.31");
    db_close(db);
    arena_done(&arena);
}
END_TEST

/* Whoever adds a migration that the program relies on raises the number with it. */
START_TEST(keeper_needs_the_newest_migration)
{
    struct migrations list = {0};
    struct err err = {0};
    ck_assert_msg(migrations_list("migrations", &list, &err), "%s", err.cause);
    ck_assert_uint_gt(list.count, 0);
    ck_assert_int_eq(list.items[list.count - 1].version, SCHEMA_VERSION_NEEDED);
    migrations_done(&list);
}
END_TEST

/* The loop in a process of its own, as the master forks it, with no database to look at. */
START_TEST(keeper_runs_until_sigterm)
{
    const struct conf conf = {
        .database_url = "mysql://cbu:secret@localhost/shop?socket=/nonexistent/mysql.sock",
        .database_ca_file = "",
        .database_connect_timeout_s = 1,
        .database_io_timeout_s = 1,
        .database_secret_arn = "",
        .app_jwt_secret = "0123456789abcdef0123456789abcdef",
        .app_jwt_secret_arn = "",
        .cognito_user_pool_id = "",
        .cognito_client_secret = "",
        .cognito_client_secret_arn = "",
        .s3_bucket_name = "",
        .keeper_interval_ms = 60000,
    };
    struct vault_set plain;
    const struct world world = world_system();
    struct err err = {0};
    struct scoreboard *board = scoreboard_open(&err);
    sigset_t all;
    int status;
    struct vault *vault = vault_open(&err);
    ck_assert(board && vault);
    custody_plain(&conf, &plain);
    vault_publish(vault, &plain);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        log_start(memfd_create("log", MFD_CLOEXEC), LOG_LEVEL_INFO);
        _exit(keeper_run(&conf, &world, board, vault));
    }
    while (scoreboard_snapshot(board).checked_ms == 0)
        usleep(1000);
    struct snapshot seen = scoreboard_snapshot(board);
    ck_assert_int_eq(seen.database, DATABASE_DOWN);
    ck_assert_msg(strstr(seen.error, "/nonexistent/mysql.sock") != NULL, "%s", seen.error);
    ck_assert_ptr_null(strstr(seen.error, "secret"));
    ck_assert_int_eq(kill(pid, SIGTERM), 0); /* does not wait for the next look */
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == EX_OK);
    munmap(board, sizeof *board);
    munmap(vault, sizeof *vault);
}
END_TEST

void pool_keeper(struct suite *s)
{
    suite_rows(s, keeper_looks, COUNT(look_rows));
    suite_test(s, keeper_looks_again_and_again);
    suite_test(s, keeper_cuts_long_texts);
    suite_test(s, keeper_needs_the_newest_migration);
    suite_test(s, keeper_runs_until_sigterm);
}
