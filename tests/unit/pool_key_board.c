#include "fcgi/pool/key_board.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW 1000000

static struct key_board *open_board(void)
{
    struct key_board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(board, MAP_FAILED);
    return board;
}

static uint64_t hash_of(const char *kid)
{
    return key_board_hash(slice_from_cstr(kid));
}

START_TEST(key_board_counts_publications)
{
    struct key_board *board = open_board();
    struct key_set got;
    key_board_read(board, &got);
    ck_assert_uint_eq(got.version, 0);
    for (uint32_t i = 1; i <= 3; i++) {
        const struct jwks keys = {.count = i};
        key_board_publish(board, &keys, NOW + i);
        key_board_read(board, &got);
        ck_assert_uint_eq(got.version, i);
        ck_assert_uint_eq(key_board_version(board), i);
        ck_assert_uint_eq(got.keys.count, i);
        ck_assert_int_eq(got.fetched_ms, NOW + i);
    }
    munmap(board, sizeof *board);
}
END_TEST

/* A writer that never pauses, in another process: no reader ever sees parts of two sets. */
START_TEST(key_board_sets_are_whole)
{
    struct key_board *board = open_board();
    pid_t writer = fork();
    ck_assert_int_ge(writer, 0);
    if (writer == 0) {
        static struct jwks keys = {.count = 2};
        for (int i = 0; i < 20000; i++) {
            memset(keys.keys, 'a' + i % 26, sizeof keys.keys);
            key_board_publish(board, &keys, 'a' + i % 26);
        }
        _exit(0);
    }
    int status = -1;
    while (waitpid(writer, &status, WNOHANG) == 0) {
        struct key_set got;
        key_board_read(board, &got);
        ck_assert_int_eq(got.keys.keys[0].kid[0], (char)got.fetched_ms);
        ck_assert_int_eq(got.keys.keys[JWKS_KEYS_MAX - 1].modulus[511],
                         (unsigned char)got.fetched_ms);
    }
    ck_assert_int_eq(status, 0);
    munmap(board, sizeof *board);
}
END_TEST

START_TEST(key_board_asks_and_answers)
{
    struct key_board *board = open_board();
    uint64_t first, second, third, asks;
    bool ring;
    ck_assert(!key_board_is_asked(board, &asks));
    ck_assert(key_board_ask(board, &first, &ring));
    ck_assert(ring);
    ck_assert(key_board_is_asked(board, &asks)); /* the keeper begins a fetch */
    ck_assert(key_board_ask(board, &second, &ring));
    ck_assert(!ring); /* it is awake */
    ck_assert_int_eq(key_board_outcome(board, first), KEY_PENDING);
    key_board_answer(board, asks, false);
    ck_assert_int_eq(key_board_outcome(board, first), KEY_FETCHED);
    /* What was asked for during the fetch needs another one. */
    ck_assert_int_eq(key_board_outcome(board, second), KEY_PENDING);
    ck_assert(key_board_is_asked(board, &asks));
    key_board_answer(board, asks, true);
    ck_assert_int_eq(key_board_outcome(board, second), KEY_FETCH_FAILED);
    ck_assert(!key_board_is_asked(board, &asks));
    ck_assert(!key_board_ask(board, &third, &ring)); /* it is trying again anyway */
    key_board_answer(board, asks, false);
    ck_assert(key_board_ask(board, &third, &ring));
    ck_assert(ring);
    munmap(board, sizeof *board);
}
END_TEST

START_TEST(key_board_has_so_many_places)
{
    struct key_board *board = open_board();
    int a = key_board_enter(board, hash_of("a"), 2, NOW, 3);
    int b = key_board_enter(board, hash_of("b"), 2, NOW, 3);
    ck_assert_int_ge(a, 0);
    ck_assert_int_ge(b, 0);
    ck_assert_int_ne(a, b);
    ck_assert_int_eq(key_board_enter(board, hash_of("c"), 2, NOW, 3), -1);
    /* Any number may wait for what somebody waits for. */
    for (int i = 2; i < WORKERS_MAX; i++)
        ck_assert_int_ge(key_board_enter(board, hash_of("a"), 2, NOW, 3), 0);
    ck_assert_int_eq(key_board_enter(board, hash_of("a"), 2, NOW, 3), -1);
    /* But not while somebody tries kids that are none. */
    key_board_leave(board, b);
    key_board_punish(board, hash_of("garbage"), NOW, 10);
    ck_assert_int_eq(key_board_enter(board, hash_of("a"), 2, NOW + 1000, 3), -1);
    ck_assert_int_eq(key_board_enter(board, hash_of("a"), WORKERS_MAX, NOW + 1000, 3), b);
    for (int i = 2; i < WORKERS_MAX; i++)
        key_board_leave(board, i);
    key_board_leave(board, a);
    ck_assert_int_ge(key_board_enter(board, hash_of("x"), 2, NOW + 9000, 3), 0);
    ck_assert_int_ge(key_board_enter(board, hash_of("a"), 2, NOW + 10000, 3), 0);
    key_board_leave(board, b);
    key_board_leave(board, -1);
    ck_assert_int_eq(key_board_enter(board, hash_of("c"), 2, NOW, 3), b);
    munmap(board, sizeof *board);
}
END_TEST

/* Nobody is left to leave them. */
START_TEST(key_board_places_of_the_dead)
{
    struct key_board *board = open_board();
    ck_assert_int_eq(key_board_enter(board, hash_of("a"), 1, NOW, 3), 0);
    ck_assert_int_eq(key_board_enter(board, hash_of("b"), 1, NOW + 3000, 3), -1);
    ck_assert_int_eq(key_board_enter(board, hash_of("b"), 1, NOW + 4000, 3), 0);
    munmap(board, sizeof *board);
}
END_TEST

static const struct penalty_row {
    int64_t after_ms;
    const char *kid;
    bool want;
} penalty_rows[] = {
    {0, "a", true},
    {9999, "a", true},
    {10000, "a", false},
    {0, "b", false},
    {-1, "a", true},
    {INT64_C(16777216000), "a", true}, /* 2^24 s: as far as a mark can tell, the same moment */
    {INT64_C(16777216000) / 2, "a", false},
};
START_TEST(key_board_penalties)
{
    const struct penalty_row *r = &penalty_rows[_i];
    struct key_board *board = open_board();
    ck_assert(!key_board_is_punished(board, hash_of("a"), NOW));
    key_board_punish(board, hash_of("a"), NOW, 10);
    ck_assert_int_eq(key_board_is_punished(board, hash_of(r->kid), NOW + r->after_ms), r->want);
    munmap(board, sizeof *board);
}
END_TEST

/* An empty board punishes nobody, whatever the hour. */
START_TEST(key_board_nothing_is_no_mark)
{
    struct key_board *board = open_board();
    for (int64_t s = 0; s < 1 << 24; s += 997)
        ck_assert(!key_board_is_punished(board, 0, s * MS_PER_S));
    munmap(board, sizeof *board);
}
END_TEST

void pool_key_board(struct suite *s)
{
    suite_test(s, key_board_counts_publications);
    suite_test(s, key_board_sets_are_whole);
    suite_test(s, key_board_asks_and_answers);
    suite_test(s, key_board_has_so_many_places);
    suite_test(s, key_board_places_of_the_dead);
    suite_rows(s, key_board_penalties, COUNT(penalty_rows));
    suite_test(s, key_board_nothing_is_no_mark);
}
