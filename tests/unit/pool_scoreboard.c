#include "fcgi/pool/scoreboard.h"

#include "tests/unit/suites.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct scoreboard *open_board(void)
{
    struct err err = {0};
    struct scoreboard *board = scoreboard_open(&err);
    ck_assert_msg(board != NULL, "%s", err.cause);
    return board;
}

static void close_board(struct scoreboard *board)
{
    munmap(board, sizeof *board);
}

START_TEST(scoreboard_begins_empty)
{
    struct scoreboard *board = open_board();
    struct snapshot seen = scoreboard_snapshot(board);
    ck_assert_int_eq(seen.checked_ms, 0);
    ck_assert_int_eq(seen.database, DATABASE_UNKNOWN);
    for (size_t i = 0; i < WORKERS_MAX; i++)
        ck_assert_int_eq(atomic_load(&board->workers[i].state), WORKER_NONE);
    close_board(board);
}
END_TEST

START_TEST(scoreboard_slots_share_no_cache_line)
{
    ck_assert_uint_eq(sizeof(struct worker_slot) % 64, 0);
    ck_assert_uint_eq(offsetof(struct scoreboard, keeper_pid) % 64, 0);
}
END_TEST

START_TEST(scoreboard_names)
{
    ck_assert_str_eq(worker_state_name(WORKER_NONE), "none");
    ck_assert_str_eq(worker_state_name(WORKER_STARTING), "starting");
    ck_assert_str_eq(worker_state_name(WORKER_IDLE), "idle");
    ck_assert_str_eq(worker_state_name(WORKER_BUSY), "busy");
    ck_assert_str_eq(database_state_name(DATABASE_UNKNOWN), "unknown");
    ck_assert_str_eq(database_state_name(DATABASE_UP), "up");
    ck_assert_str_eq(database_state_name(DATABASE_DOWN), "down");
    ck_assert_str_eq(database_state_name(DATABASE_OLD_SCHEMA), "old_schema");
    /* a wild worker's */
    ck_assert_str_eq(worker_state_name((enum worker_state)(WORKER_BUSY + 1)), "invalid");
    ck_assert_str_eq(worker_state_name((enum worker_state)INT32_MIN), "invalid");
    ck_assert_str_eq(database_state_name((enum database_state)INT32_MAX), "invalid");
    ck_assert_str_eq(bucket_state_name((enum bucket_state)(BUCKET_DOWN + 1)), "invalid");
}
END_TEST

/* A snapshot whose members all say the same number, so that a mix of two shows. */
static struct snapshot make_snapshot(int64_t number)
{
    struct snapshot made = {.checked_ms = number,
                            .database = (enum database_state)(number % 4),
                            .schema_version = number * 3,
                            .latency_ms = -number};
    memset(made.server, 'a' + (int)(number % 26), sizeof made.server - 1);
    memset(made.error, 'A' + (int)(number % 26), sizeof made.error - 1);
    return made;
}

static void check_whole(const struct snapshot *seen)
{
    struct snapshot want = make_snapshot(seen->checked_ms);
    ck_assert_int_eq(seen->database, want.database);
    ck_assert_int_eq(seen->schema_version, want.schema_version);
    ck_assert_int_eq(seen->latency_ms, want.latency_ms);
    ck_assert_str_eq(seen->server, want.server);
    ck_assert_str_eq(seen->error, want.error);
}

static void publish(struct scoreboard *board, int64_t number)
{
    struct snapshot made = make_snapshot(number);
    scoreboard_publish(board, &made);
}

static void check_newest(const struct scoreboard *board, int64_t number)
{
    struct snapshot seen = scoreboard_snapshot(board);
    ck_assert_int_eq(seen.checked_ms, number);
    check_whole(&seen);
}

START_TEST(scoreboard_shows_the_newest)
{
    struct scoreboard *board = open_board();
    for (int64_t i = 1; i <= 5; i++) {
        publish(board, i);
        check_newest(board, i);
        check_newest(board, i);
    }
    close_board(board);
}
END_TEST

/* What a keeper that dies while it writes leaves behind: the other copy, half written. */
START_TEST(scoreboard_half_written_copy)
{
    for (int64_t published = 1; published <= 2; published++) {
        struct scoreboard *board = open_board();
        for (int64_t i = 1; i <= published; i++)
            publish(board, i);
        memset(&board->snapshots[(published + 1) % 2], 0xFF, sizeof(struct snapshot) / 2);
        check_newest(board, published);
        publish(board, published + 1); /* its successor goes on */
        check_newest(board, published + 1);
        close_board(board);
    }
}
END_TEST

static pid_t start_writer(struct scoreboard *board, int64_t from)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid > 0)
        return pid;
    (void)signal(SIGTERM, SIG_DFL); /* not Check's handler, which would end the test */
    for (int64_t number = from;; number++)
        publish(board, number);
}

#define WRITERS 25
START_TEST(scoreboard_writers_killed)
{
    struct scoreboard *board = open_board();
    int64_t newest = 1;
    publish(board, newest);
    for (int i = 0; i < WRITERS; i++) {
        pid_t pid = start_writer(board, newest + 1);
        struct snapshot seen = scoreboard_snapshot(board);
        /* Until it surely is in the midst of writing; the test's time limit ends a lame one. */
        for (int64_t from = newest; seen.checked_ms < from + 500 + i;) {
            seen = scoreboard_snapshot(board);
            check_whole(&seen);
            ck_assert_int_ge(seen.checked_ms, newest);
            newest = seen.checked_ms;
        }
        /* Its default action ends the writer anywhere, as SIGKILL would, but lets valgrind report.
         */
        ck_assert_int_eq(kill(pid, SIGTERM), 0);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        seen = scoreboard_snapshot(board);
        check_whole(&seen);
        newest = seen.checked_ms;
    }
    close_board(board);
}
END_TEST

void pool_scoreboard(struct suite *s)
{
    suite_test(s, scoreboard_begins_empty);
    suite_test(s, scoreboard_slots_share_no_cache_line);
    suite_test(s, scoreboard_names);
    suite_test(s, scoreboard_shows_the_newest);
    suite_test(s, scoreboard_half_written_copy);
    suite_test(s, scoreboard_writers_killed);
}
