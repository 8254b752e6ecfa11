#include "fcgi/pool/token_check.h"

#include "common/auth/errors.h"
#include "fcgi/api/errors.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"
#include "tests/unit/support/fake_issuer.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define POOL   "us-east-2_AbCdEfGhI"
#define ISSUER "https://cognito-idp.us-east-2.amazonaws.com/" POOL

/* The real clock: what is tested here waits for other processes. */
struct fixture {
    struct conf conf;
    struct world world;
    struct vault *vault;
    struct token_check check;
    struct authenticator authenticator;
    struct arena arena;
    struct caller caller;
    struct err err;
};

static void set_up(struct fixture *f)
{
    *f = (struct fixture){
        .conf = {.cognito_user_pool_id = POOL,
                 .cognito_client_id = "client",
                 .jwks_max_age_s = 3600,
                 .workers = 3},
        .world = world_system(),
        .arena = test_arena(KIB(256)),
    };
    f->vault = vault_open(&f->err);
    ck_assert_ptr_nonnull(f->vault);
    token_check_init(&f->conf, &f->world, f->vault, &f->check);
    f->authenticator = token_check_authenticator(&f->check);
}

static void tear_down(struct fixture *f)
{
    token_check_done(&f->check);
    close(f->vault->wake_fd);
    munmap(f->vault, sizeof *f->vault);
    arena_done(&f->arena);
}

static void publish(const struct fixture *f, size_t keys, int64_t age_ms)
{
    const struct jwks set = fake_issuer_keys(keys);
    key_board_publish(&f->vault->keys, &set, world_monotonic_ms(&f->world) - age_ms);
}

static const char *mint(const char *kid, enum fake_key key, const char *groups)
{
    char header[128], payload[512];
    snprintf(header, sizeof header, "{\"kid\":\"%s\",\"alg\":\"RS256\"}", kid);
    snprintf(payload, sizeof payload,
             "{\"sub\":\"s\",\"username\":\"ada\",\"iss\":\"" ISSUER "\",\"client_id\":\"client\","
             "\"token_use\":\"access\",\"exp\":9000000000,\"cognito:groups\":[%s]}",
             groups);
    return fake_issuer_mint(header, payload, key, FAKE_RS256);
}

/* NULL: it is taken. */
static const struct err_kind *judge(struct fixture *f, const char *token)
{
    f->err = (struct err){0};
    f->caller = (struct caller){0};
    bool good = f->authenticator.identify(f->authenticator.ctx, slice_from_cstr(token), &f->arena,
                                          &f->caller, &f->err);
    ck_assert_int_eq(good, f->err.kind == NULL);
    return f->err.kind;
}

static const struct group_row {
    const char *groups;
    bool edits, administers;
} group_rows[] = {
    {"", false, false},
    {"\"editors\"", true, false},
    {"\"admins\"", false, true},
    {"\"staff\",\"admins\",\"editors\"", true, true},
    {"\"Editors\",\"admin\",\" admins\",\"editors,admins\"", false, false},
};
START_TEST(token_check_groups)
{
    const struct group_row *r = &group_rows[_i];
    struct fixture f;
    set_up(&f);
    publish(&f, 1, 0);
    ck_assert_ptr_null(judge(&f, mint("a", FAKE_KEY_A, r->groups)));
    ck_assert_text_eq(f.caller.subject, "s");
    ck_assert_text_eq(f.caller.username, "ada");
    ck_assert_int_eq(f.caller.edits, r->edits);
    ck_assert_int_eq(f.caller.administers, r->administers);
    tear_down(&f);
}
END_TEST

START_TEST(token_check_without_a_pool)
{
    struct fixture f;
    set_up(&f);
    f.conf.cognito_user_pool_id = "";
    ck_assert_ptr_null(token_check_authenticator(&f.check).identify);
    tear_down(&f);
}
END_TEST

START_TEST(token_check_keys_have_an_age)
{
    struct fixture f;
    set_up(&f);
    ck_assert_ptr_eq(judge(&f, mint("a", FAKE_KEY_A, "")), &ERR_KEYS_UNAVAILABLE); /* none yet */
    publish(&f, 1, 3599000);
    ck_assert_ptr_null(judge(&f, mint("a", FAKE_KEY_A, "")));
    publish(&f, 1, 3601000);
    ck_assert_ptr_eq(judge(&f, mint("a", FAKE_KEY_A, "")), &ERR_KEYS_UNAVAILABLE);
    /* Never 401, whatever the token is like: it was not judged. */
    ck_assert_ptr_eq(judge(&f, "garbage"), &ERR_KEYS_UNAVAILABLE);
    publish(&f, 1, 0);
    ck_assert_ptr_null(judge(&f, mint("a", FAKE_KEY_A, "")));
    tear_down(&f);
}
END_TEST

/* A key that the pool has taken away is none of ours from the next set on. */
START_TEST(token_check_takes_over)
{
    struct fixture f;
    set_up(&f);
    publish(&f, 2, 0);
    ck_assert_ptr_null(judge(&f, mint("b", FAKE_KEY_B, "")));
    publish(&f, 1, 0);
    key_board_punish(&f.vault->keys, key_board_hash(SLICE("b")), world_monotonic_ms(&f.world), 10);
    ck_assert_ptr_eq(judge(&f, mint("b", FAKE_KEY_B, "")), &ERR_TOKEN_UNKNOWN_KEY);
    ck_assert_ptr_null(judge(&f, mint("a", FAKE_KEY_A, "")));
    /* A set of wild memory changes nothing. */
    struct jwks wild = fake_issuer_keys(2);
    wild.keys[0].modulus_len = UINT32_MAX;
    key_board_publish(&f.vault->keys, &wild, world_monotonic_ms(&f.world));
    ck_assert_ptr_null(judge(&f, mint("a", FAKE_KEY_A, "")));
    tear_down(&f);
}
END_TEST

/* A keeper that answers `fetches` asks, each with this many keys (0: the fetch fails). */
static pid_t start_keeper(const struct fixture *f, int fetches, size_t keys)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid > 0)
        return pid;
    for (int i = 0; i < fetches; i++) {
        sigset_t none;
        uint64_t asks;
        sigemptyset(&none);
        while (!key_board_is_asked(&f->vault->keys, &asks))
            (void)vault_wait(f->vault, 10000, &none); /* only a ring wakes it */
        if (keys > 0)
            publish(f, keys, 0);
        key_board_answer(&f->vault->keys, asks, keys == 0);
    }
    _exit(0);
}

static void end_keeper(pid_t pid)
{
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

START_TEST(token_check_waits_for_a_new_key)
{
    struct fixture f;
    set_up(&f);
    publish(&f, 1, 0);
    pid_t keeper = start_keeper(&f, 1, 2);
    ck_assert_ptr_null(judge(&f, mint("b", FAKE_KEY_B, "\"editors\"")));
    ck_assert(f.caller.edits);
    end_keeper(keeper);
    ck_assert_uint_eq(atomic_load(&f.vault->keys.waiting[0]), 0);
    tear_down(&f);
}
END_TEST

/* Of a kid that a fetch did not bring nobody asks again: the keeper answers once. */
START_TEST(token_check_punishes_garbage)
{
    struct fixture f;
    set_up(&f);
    publish(&f, 1, 0);
    const char *garbage = mint("c", FAKE_KEY_A, "");
    pid_t keeper = start_keeper(&f, 1, 1);
    ck_assert_ptr_eq(judge(&f, garbage), &ERR_TOKEN_UNKNOWN_KEY);
    end_keeper(keeper);
    for (int i = 0; i < 100; i++)
        ck_assert_ptr_eq(judge(&f, garbage), &ERR_TOKEN_UNKNOWN_KEY);
    ck_assert_uint_eq(atomic_load(&f.vault->keys.asks), 1);
    /* Once it is published, its past does not count. */
    publish(&f, 2, 0);
    key_board_punish(&f.vault->keys, key_board_hash(SLICE("b")), world_monotonic_ms(&f.world), 10);
    ck_assert_ptr_null(judge(&f, mint("b", FAKE_KEY_B, "")));
    tear_down(&f);
}
END_TEST

/* Nobody could find out, so it is no 401; and the kid is not punished for it. */
START_TEST(token_check_when_the_fetch_fails)
{
    struct fixture f;
    set_up(&f);
    publish(&f, 1, 0);
    pid_t keeper = start_keeper(&f, 1, 0);
    ck_assert_ptr_eq(judge(&f, mint("b", FAKE_KEY_B, "")), &ERR_KEYS_UNAVAILABLE);
    end_keeper(keeper);
    ck_assert_ptr_eq(judge(&f, mint("b", FAKE_KEY_B, "")), &ERR_KEYS_UNAVAILABLE); /* at once */
    ck_assert_uint_eq(atomic_load(&f.vault->keys.asks), 1);
    ck_assert(!key_board_is_punished(&f.vault->keys, key_board_hash(SLICE("b")),
                                     world_monotonic_ms(&f.world)));
    ck_assert_ptr_null(judge(&f, mint("a", FAKE_KEY_A, ""))); /* known keys go on */
    tear_down(&f);
}
END_TEST

START_TEST(token_check_when_the_keeper_hangs)
{
    struct fixture f;
    set_up(&f);
    publish(&f, 1, 0);
    int64_t begun_ms = world_monotonic_ms(&f.world);
    ck_assert_ptr_eq(judge(&f, mint("b", FAKE_KEY_B, "")), &ERR_KEYS_UNAVAILABLE);
    ck_assert_int_ge(world_monotonic_ms(&f.world) - begun_ms, TOKEN_WAIT_MS);
    ck_assert_uint_eq(atomic_load(&f.vault->keys.waiting[0]), 0);
    tear_down(&f);
}
END_TEST

/* At most half of the workers wait for different kids; who comes on top is told to come again. One
 * alone must be able to wait, or it would never learn of a new key. */
static const struct {
    int workers, waiting;
    bool asks;
} places_rows[] = {
    {1, 0, true}, {1, 1, false}, {2, 1, false}, {3, 1, false}, {8, 3, true}, {8, 4, false},
};
START_TEST(token_check_leaves_workers_free)
{
    struct fixture f;
    set_up(&f);
    f.conf.workers = places_rows[_i].workers;
    publish(&f, 1, 0);
    int64_t now_ms = world_monotonic_ms(&f.world);
    for (int i = 0; i < places_rows[_i].waiting; i++)
        ck_assert_int_ge(key_board_enter(&f.vault->keys,
                                         key_board_hash((struct slice){&"wxyz"[i], 1}), 9, now_ms,
                                         60),
                         0);
    ck_assert_ptr_eq(judge(&f, mint("b", FAKE_KEY_B, "")), &ERR_KEYS_UNAVAILABLE);
    ck_assert_uint_eq(atomic_load(&f.vault->keys.asks), places_rows[_i].asks);
    tear_down(&f);
}
END_TEST

/* What is wrong with a token beside its kid is said without any fetch. */
START_TEST(token_check_asks_for_nothing_else)
{
    static const char *const tokens[] = {"garbage", "a.b.c",
                                         "eyJhbGciOiJub25lIiwia2lkIjoiYiJ9.e30.", ""};
    struct fixture f;
    set_up(&f);
    publish(&f, 1, 0);
    for (size_t i = 0; i < COUNT(tokens); i++)
        ck_assert_int_eq(judge(&f, tokens[i])->status, 401);
    ck_assert_ptr_eq(judge(&f, mint("a", FAKE_KEY_B, "")), &ERR_TOKEN_SIGNATURE);
    ck_assert_uint_eq(atomic_load(&f.vault->keys.asks), 0);
    tear_down(&f);
}
END_TEST

void pool_token_check(struct suite *s)
{
    suite_rows(s, token_check_groups, COUNT(group_rows));
    suite_test(s, token_check_without_a_pool);
    suite_test(s, token_check_keys_have_an_age);
    suite_test(s, token_check_takes_over);
    suite_test(s, token_check_waits_for_a_new_key);
    suite_test(s, token_check_punishes_garbage);
    suite_test(s, token_check_when_the_fetch_fails);
    suite_test(s, token_check_when_the_keeper_hangs);
    suite_rows(s, token_check_leaves_workers_free, COUNT(places_rows));
    suite_test(s, token_check_asks_for_nothing_else);
    fake_issuer_prepare(s);
}
