#include "fcgi/pool/key_keeper.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"
#include "tests/unit/support/fake_http.h"
#include "tests/unit/support/fake_issuer.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define POOL "us-east-2_AbCdEfGhI"

static struct conf make_conf(void)
{
    return (struct conf){
        .cognito_user_pool_id = POOL,
        .cognito_client_id = "client",
        .cognito_endpoint = "",
        .cognito_jwks_url = "",
        .jwks_refresh_s = 300,
        .jwks_max_age_s = 3600,
    };
}

struct fixture {
    struct conf conf;
    struct fake_http http;
    struct key_board *board;
    struct key_keeper keeper;
};

static void set_up(struct fixture *f, const struct fake_http_answer *answers, size_t count)
{
    struct err err = {0};
    f->conf = make_conf();
    fake_http_open(&f->http, answers, count);
    f->board =
        mmap(NULL, sizeof *f->board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(f->board, MAP_FAILED);
    ck_assert_msg(key_keeper_init(&f->conf, &f->http.world.world, f->http.client.outside, f->board,
                                  &f->keeper, &err),
                  "%s", err.cause);
}

static void tear_down(struct fixture *f)
{
    key_keeper_done(&f->keeper);
    fake_http_close(&f->http);
    munmap(f->board, sizeof *f->board);
}

static void pass(struct fixture *f, int64_t ms)
{
    fake_world_pass(&f->http.world, ms);
}

static struct snapshot describe(const struct fixture *f)
{
    struct snapshot seen = {0};
    key_keeper_describe(&f->keeper, &seen);
    return seen;
}

/* A document with this one key. */
static const char *document(enum fake_key key, const char *kid)
{
    static char storage[2][KIB(2)];
    char *text = storage[key];
    snprintf(text, sizeof storage[0], "{\"keys\":[{\"kid\":\"%s\",\"kty\":\"RSA\",%s}]}", kid,
             fake_issuer_numbers(key));
    return text;
}

static const struct address_row {
    const char *endpoint, *jwks_url, *want;
} address_rows[] = {
    {"", "", "https://cognito-idp.us-east-2.amazonaws.com/" POOL "/.well-known/jwks.json"},
    {"http://127.0.0.1:5000", "", "http://127.0.0.1:5000/" POOL "/.well-known/jwks.json"},
    {"http://127.0.0.1:5000", "https://localhost/x", "https://localhost/x"},
};
START_TEST(key_keeper_addresses)
{
    const struct address_row *r = &address_rows[_i];
    const struct fake_http_answer answers[] = {{.status = 500, .body = ""}};
    struct fixture f;
    struct err err = {0};
    set_up(&f, ARRAY(answers));
    f.conf.cognito_endpoint = r->endpoint;
    f.conf.cognito_jwks_url = r->jwks_url;
    key_keeper_done(&f.keeper);
    ck_assert(key_keeper_init(&f.conf, &f.http.world.world, f.http.client.outside, f.board,
                              &f.keeper, &err));
    key_keeper_look(&f.keeper);
    ck_assert_str_eq(f.http.requests[0].url, r->want);
    ck_assert_str_eq(f.http.requests[0].authorization, "");
    ck_assert_int_eq(f.http.requests[0].timeout_ms, KEY_FETCH_MAX_MS);
    tear_down(&f);
}
END_TEST

START_TEST(key_keeper_without_a_pool)
{
    struct fixture f;
    set_up(&f, NULL, 0);
    f.conf.cognito_user_pool_id = "";
    key_keeper_look(&f.keeper);
    ck_assert_int_eq(key_keeper_wait_ms(&f.keeper), INT32_MAX);
    ck_assert_int_eq(describe(&f).keys, KEYS_NONE);
    ck_assert_uint_eq(key_board_version(f.board), 0);
    tear_down(&f);
}
END_TEST

/* Fetched, and again ahead of need: at 90 to 100 % of the interval. */
START_TEST(key_keeper_fetches_and_refreshes)
{
    const char *one = document(FAKE_KEY_A, "a"), *other = document(FAKE_KEY_B, "b");
    const struct fake_http_answer answers[] = {{.status = 200, .body = one, .takes_ms = 40},
                                               {.status = 200, .body = one},
                                               {.status = 200, .body = other}};
    struct fixture f;
    struct key_set got;
    set_up(&f, ARRAY(answers));
    ck_assert_int_eq(describe(&f).keys, KEYS_MISSING);
    int64_t begun_ms = f.http.world.monotonic_ms;
    key_keeper_look(&f.keeper);
    key_board_read(f.board, &got);
    ck_assert_uint_eq(got.version, 1);
    ck_assert_int_eq(got.fetched_ms, begun_ms); /* what happened since, it may not show */
    ck_assert_str_eq(got.keys.keys[0].kid, "a");
    struct snapshot seen = describe(&f);
    ck_assert_int_eq(seen.keys, KEYS_KNOWN);
    ck_assert_int_eq(seen.keys_count, 1);
    ck_assert_int_eq(seen.keys_fetched_ms, begun_ms);
    ck_assert_int_eq(key_keeper_wait_ms(&f.keeper), 300000);
    pass(&f, 299999);
    key_keeper_look(&f.keeper); /* not yet */
    pass(&f, 1);
    f.http.world.random = 999;
    key_keeper_look(&f.keeper);
    ck_assert_uint_eq(key_board_version(f.board), 2); /* the same keys, but younger */
    ck_assert_int_eq(key_keeper_wait_ms(&f.keeper), 300000 - 29970);
    pass(&f, 300000 - 29970);
    key_keeper_look(&f.keeper);
    key_board_read(f.board, &got);
    ck_assert_str_eq(got.keys.keys[0].kid, "b");
    /* Only what is new is said. */
    const char *log = fake_http_log(&f.http);
    const char *first = strstr(log, "keys.fetched");
    ck_assert_ptr_nonnull(first);
    const char *second = strstr(first + 1, "keys.fetched");
    ck_assert_ptr_nonnull(second);
    ck_assert_ptr_null(strstr(second + 1, "keys.fetched"));
    tear_down(&f);
}
END_TEST

static const struct failure_row {
    const char *what;
    struct fake_http_answer answer;
    const char *error;
} failure_rows[] = {
    {"no answer", {.failure = &ERR_AWS_UNREACHABLE}, "fake failure"},
    {"not found", {.status = 404, .body = "{}"}, "status 404"},
    {"a redirect", {.status = 302, .body = ""}, "status 302"},
    {"an empty answer", {.status = 200, .body = ""}, "no usable JWKS: value expected at the end"},
    {"a page", {.status = 200, .body = "<html>"}, "no usable JWKS: value expected"},
    {"no keys",
     {.status = 200, .body = "{\"keys\":[]}"},
     "no usable JWKS: there is no key for RS256"},
};
START_TEST(key_keeper_keeps_what_it_has)
{
    const struct failure_row *r = &failure_rows[_i];
    const struct fake_http_answer answers[] = {{.status = 200, .body = document(FAKE_KEY_A, "a")},
                                               r->answer};
    struct fixture f;
    set_up(&f, ARRAY(answers));
    key_keeper_look(&f.keeper);
    pass(&f, 300000);
    key_keeper_look(&f.keeper);
    struct snapshot seen = describe(&f);
    ck_assert_uint_eq(key_board_version(f.board), 1);
    ck_assert_int_eq(seen.keys, KEYS_KNOWN);
    ck_assert_msg(strcmp(seen.keys_error, r->error) == 0, "%s: %s", r->what, seen.keys_error);
    ck_assert_int_eq(key_keeper_wait_ms(&f.keeper), 1000);
    ck_assert_ptr_nonnull(strstr(fake_http_log(&f.http), "keys.failed"));
    tear_down(&f);
}
END_TEST

/* Pauses grow, but the return of the endpoint is noticed within seconds. */
START_TEST(key_keeper_pauses)
{
    static const int64_t want_ms[] = {1000, 2000, 4000, 5000, 5000, 5000};
    const struct fake_http_answer away = {.failure = &ERR_AWS_UNREACHABLE, .takes_ms = 2500};
    const struct fake_http_answer answers[] = {
        away, away, away, away, away, away, {.status = 200, .body = document(FAKE_KEY_A, "a")}};
    struct fixture f;
    set_up(&f, ARRAY(answers));
    for (size_t i = 0; i < COUNT(want_ms); i++) {
        key_keeper_look(&f.keeper);
        ck_assert_int_eq(key_keeper_wait_ms(&f.keeper), want_ms[i]);
        ck_assert_int_eq(describe(&f).keys, KEYS_MISSING);
        pass(&f, want_ms[i]);
    }
    key_keeper_look(&f.keeper);
    ck_assert_int_eq(describe(&f).keys, KEYS_KNOWN);
    ck_assert_str_eq(describe(&f).keys_error, "");
    ck_assert_ptr_nonnull(strstr(fake_http_log(&f.http), "keys.fetched"));
    tear_down(&f);
}
END_TEST

START_TEST(key_keeper_expires)
{
    const struct fake_http_answer away = {.failure = &ERR_AWS_UNREACHABLE};
    const struct fake_http_answer answers[] = {{.status = 200, .body = document(FAKE_KEY_A, "a")},
                                               away,
                                               away,
                                               {.status = 200, .body = document(FAKE_KEY_A, "a")}};
    struct fixture f;
    set_up(&f, ARRAY(answers));
    key_keeper_look(&f.keeper);
    pass(&f, 3600000);
    key_keeper_look(&f.keeper);
    ck_assert_int_eq(describe(&f).keys, KEYS_KNOWN); /* its last second */
    pass(&f, 1001);
    key_keeper_look(&f.keeper);
    ck_assert_int_eq(describe(&f).keys, KEYS_EXPIRED);
    key_keeper_look(&f.keeper);
    const char *said = strstr(fake_http_log(&f.http), "keys.expired");
    ck_assert_ptr_nonnull(said);
    ck_assert_ptr_null(strstr(said + 1, "keys.expired"));
    pass(&f, 2000);
    key_keeper_look(&f.keeper);
    ck_assert_int_eq(describe(&f).keys, KEYS_KNOWN);
    tear_down(&f);
}
END_TEST

/* Asked for by workers, it fetches at once, but not more often than twice a second. */
START_TEST(key_keeper_is_asked)
{
    const char *one = document(FAKE_KEY_A, "a"), *other = document(FAKE_KEY_B, "b");
    const struct fake_http_answer answers[] = {{.status = 200, .body = one},
                                               {.status = 200, .body = other},
                                               {.status = 200, .body = other}};
    struct fixture f;
    uint64_t ask;
    bool ring;
    set_up(&f, ARRAY(answers));
    key_keeper_look(&f.keeper);
    pass(&f, 60000);
    ck_assert(key_board_ask(f.board, &ask, &ring));
    ck_assert_int_eq(key_keeper_wait_ms(&f.keeper), 0);
    key_keeper_look(&f.keeper);
    ck_assert_int_eq(key_board_outcome(f.board, ask), KEY_FETCHED);
    ck_assert_uint_eq(key_board_version(f.board), 2);
    ck_assert(key_board_ask(f.board, &ask, &ring)); /* for garbage, say */
    ck_assert_int_eq(key_keeper_wait_ms(&f.keeper), 500);
    pass(&f, 499);
    key_keeper_look(&f.keeper);
    ck_assert_int_eq(key_board_outcome(f.board, ask), KEY_PENDING);
    pass(&f, 1);
    key_keeper_look(&f.keeper);
    ck_assert_int_eq(key_board_outcome(f.board, ask), KEY_FETCHED);
    tear_down(&f);
}
END_TEST

/* Workers cannot shorten the pauses of an endpoint that is away. */
START_TEST(key_keeper_is_asked_in_vain)
{
    const struct fake_http_answer away = {.failure = &ERR_AWS_UNREACHABLE};
    const struct fake_http_answer answers[] = {
        {.status = 200, .body = document(FAKE_KEY_A, "a")}, away, away};
    struct fixture f;
    uint64_t ask, unused;
    bool ring;
    set_up(&f, ARRAY(answers));
    key_keeper_look(&f.keeper);
    pass(&f, 60000);
    ck_assert(key_board_ask(f.board, &ask, &ring));
    key_keeper_look(&f.keeper);
    ck_assert_int_eq(key_board_outcome(f.board, ask), KEY_FETCH_FAILED);
    ck_assert(!key_board_ask(f.board, &unused, &ring));
    pass(&f, 999);
    key_keeper_look(&f.keeper);
    pass(&f, 1);
    key_keeper_look(&f.keeper);
    ck_assert_int_eq(key_keeper_wait_ms(&f.keeper), 2000);
    tear_down(&f);
}
END_TEST

/* The keeper that comes after a dead one has its keys, and answers whoever asked the dead one. */
START_TEST(key_keeper_after_another)
{
    const char *one = document(FAKE_KEY_A, "a");
    const struct fake_http_answer answers[] = {{.status = 200, .body = one},
                                               {.status = 200, .body = one}};
    struct fixture f;
    struct err err = {0};
    uint64_t ask;
    bool ring;
    set_up(&f, ARRAY(answers));
    key_keeper_look(&f.keeper);
    ck_assert(key_board_ask(f.board, &ask, &ring));
    key_keeper_done(&f.keeper);
    ck_assert(key_keeper_init(&f.conf, &f.http.world.world, f.http.client.outside, f.board,
                              &f.keeper, &err));
    ck_assert_int_eq(describe(&f).keys, KEYS_KNOWN);
    key_keeper_look(&f.keeper);
    ck_assert_int_eq(key_board_outcome(f.board, ask), KEY_FETCHED);
    ck_assert_uint_eq(key_board_version(f.board), 2);
    tear_down(&f);
}
END_TEST

void pool_key_keeper(struct suite *s)
{
    suite_rows(s, key_keeper_addresses, COUNT(address_rows));
    suite_test(s, key_keeper_without_a_pool);
    suite_test(s, key_keeper_fetches_and_refreshes);
    suite_rows(s, key_keeper_keeps_what_it_has, COUNT(failure_rows));
    suite_test(s, key_keeper_pauses);
    suite_test(s, key_keeper_expires);
    suite_test(s, key_keeper_is_asked);
    suite_test(s, key_keeper_is_asked_in_vain);
    suite_test(s, key_keeper_after_another);
    fake_issuer_prepare(s);
}
