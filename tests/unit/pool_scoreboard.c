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
        ck_assert_int_eq(worker_slot_state(&board->workers[i]), WORKER_NONE);
    close_board(board);
}
END_TEST

START_TEST(scoreboard_slots_share_no_cache_line)
{
    ck_assert_uint_eq(sizeof(struct worker_slot) % 64, 0);
    ck_assert_uint_eq(offsetof(struct scoreboard, keeper_pid) % 64, 0);
}
END_TEST

static const struct id_row {
    const char *text;
    uint64_t high, low;
} id_rows[] = {
    {"a0b1c2d3e4f5061728394a5b6c7d8e9f", 0xa0b1c2d3e4f50617, 0x28394a5b6c7d8e9f},
    {"A0B1C2D3E4F5061728394A5B6C7D8E9F", 0xa0b1c2d3e4f50617, 0x28394a5b6c7d8e9f},
    {"a0b1c2d3e4f5061728394a5b6c7d8e9", 0, 0},
    {"a0b1c2d3e4f5061728394a5b6c7d8e9f0", 0, 0},
    {"a0b1c2d3e4f5061728394a5b6c7d8e9g", 0, 0},
    {"", 0, 0},
};
START_TEST(scoreboard_reads_request_ids)
{
    const struct id_row *r = &id_rows[_i];
    struct request_id id = request_id_parse(slice_from_cstr(r->text));
    ck_assert_uint_eq(id.high, r->high);
    ck_assert_uint_eq(id.low, r->low);
}
END_TEST

/* Who else serves it, or died under it, wherever that stands. */
/* Only a request that is served, and for so long, can be condemned; its worker serves no other. */
START_TEST(scoreboard_condemns_one_request)
{
    struct scoreboard *board = open_board();
    struct worker_slot *slot = &board->workers[0];
    worker_slot_reset(slot, 1000);
    ck_assert(!worker_slot_condemn(slot, 9000));
    worker_slot_idle(slot, 1100);
    ck_assert(!worker_slot_condemn(slot, 9000));
    worker_slot_begin(slot, 2000);
    ck_assert(!worker_slot_condemn(slot, 1999));
    ck_assert(worker_slot_end(slot, 2100));
    ck_assert(!worker_slot_condemn(slot, 9000));
    worker_slot_begin(slot, 3000);
    ck_assert(worker_slot_condemn(slot, 3000));
    ck_assert_int_eq(worker_slot_state(slot), WORKER_CONDEMNED);
    ck_assert(!worker_slot_condemn(slot, 9000)); /* once */
    ck_assert(!worker_slot_end(slot, 3100));
    worker_slot_reset(slot, 4000); /* for the next worker */
    ck_assert_int_eq(worker_slot_state(slot), WORKER_STARTING);
    close_board(board);
}
END_TEST

static const struct bucket_row {
    int64_t us;
    size_t bucket;
} bucket_rows[] = {{0, 0},        {1000, 0},     {1001, 1},          {2000, 1},
                   {5000000, 11}, {5000001, 12}, {INT64_MAX / 2, 12}};
START_TEST(scoreboard_histogram)
{
    struct worker_numbers numbers = {0};
    struct pool_numbers totals = {0};
    histogram_add(&numbers.queue, bucket_rows[_i].us);
    numbers_add(&totals, &numbers);
    numbers_add(&totals, &numbers);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        ck_assert_int_eq(totals.queue.counts[i], i == bucket_rows[_i].bucket ? 2 : 0);
    ck_assert_int_eq(totals.queue.sum_us, 2 * bucket_rows[_i].us);
    ck_assert_int_eq(totals.service.sum_us, 0);
}
END_TEST

START_TEST(scoreboard_counts_deaths)
{
    const struct request_id one = {1, 2}, other = {1, 3}, none = {0, 0};
    struct scoreboard *board = open_board();
    struct worker_slot *w = board->workers;
    atomic_store(&board->slots, 4);
    ck_assert_uint_eq(scoreboard_begin(board, &w[0], one), 0);
    ck_assert_uint_eq(scoreboard_begin(board, &w[0], one), 0); /* itself does not count */
    ck_assert_uint_eq(scoreboard_begin(board, &w[1], other), 0);
    ck_assert_uint_eq(scoreboard_begin(board, &w[2], one), 1);
    scoreboard_bury(board, &w[0]);
    ck_assert_uint_eq(scoreboard_begin(board, &w[2], one), 1);
    scoreboard_bury(board, &w[2]);
    scoreboard_bury(board, &w[2]); /* it is moved once */
    ck_assert_uint_eq(scoreboard_begin(board, &w[3], one), 2);
    scoreboard_end(&w[3]); /* answered */
    scoreboard_bury(board, &w[3]);
    ck_assert_uint_eq(scoreboard_begin(board, &w[0], one), 2);
    ck_assert_uint_eq(scoreboard_begin(board, &w[0], none), 0);
    close_board(board);
}
END_TEST

START_TEST(scoreboard_forgets_the_oldest_deaths)
{
    struct scoreboard *board = open_board();
    struct worker_slot *w = board->workers;
    atomic_store(&board->slots, 2);
    for (uint64_t i = 0; i <= FALLEN_MAX; i++) {
        scoreboard_begin(board, &w[0], (struct request_id){7, i});
        scoreboard_bury(board, &w[0]);
    }
    ck_assert_uint_eq(scoreboard_begin(board, &w[1], (struct request_id){7, 0}), 0);
    ck_assert_uint_eq(scoreboard_begin(board, &w[1], (struct request_id){7, 1}), 1);
    ck_assert_uint_eq(scoreboard_begin(board, &w[1], (struct request_id){7, FALLEN_MAX}), 1);
    /* A master killed in the midst of it: nobody waits for its end. */
    atomic_fetch_add(&board->burials, 1);
    ck_assert_uint_eq(scoreboard_begin(board, &w[1], (struct request_id){7, 1}), 1);
    close_board(board);
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
    ck_assert_str_eq(worker_state_name((enum worker_state)(WORKER_CONDEMNED + 1)), "invalid");
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
    suite_rows(s, scoreboard_reads_request_ids, COUNT(id_rows));
    suite_test(s, scoreboard_condemns_one_request);
    suite_rows(s, scoreboard_histogram, COUNT(bucket_rows));
    suite_test(s, scoreboard_counts_deaths);
    suite_test(s, scoreboard_forgets_the_oldest_deaths);
    suite_test(s, scoreboard_names);
    suite_test(s, scoreboard_shows_the_newest);
    suite_test(s, scoreboard_half_written_copy);
    suite_test(s, scoreboard_writers_killed);
}
