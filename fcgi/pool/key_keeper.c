#include "fcgi/pool/key_keeper.h"

#include "common/auth/user_pool.h"
#include "common/run/log.h"
#include "fcgi/pool/custody.h"

#include <string.h>

#define KEY_MEMORY      KIB(128)
#define CONNECT_MS      1000
/* Between two attempts, however many workers ask for however many kids. */
#define ASK_AT_LEAST_MS 500
/* The longest pause behind a failure: so soon after its return the endpoint is noticed. */
#define PAUSE_LAST_MS   5000

bool key_keeper_is_wanted(const struct conf *conf)
{
    return conf->cognito_user_pool_id[0] != '\0';
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the builder writes through it. */
static bool write_url(const struct conf *conf, char *ret, size_t cap)
{
    struct buf out = {ret, 0, cap, false};
    if (conf->cognito_jwks_url[0])
        buf_add_cstr(&out, conf->cognito_jwks_url);
    else
        user_pool_add_jwks_url(&out, slice_from_cstr(conf->cognito_endpoint),
                               slice_from_cstr(conf->cognito_user_pool_id));
    return buf_cstr(&out) != NULL;
}

bool key_keeper_init(const struct conf *conf, const struct world *world,
                     struct http_outside outside, struct key_board *board, struct key_keeper *ret,
                     struct err *err)
{
    *ret = (struct key_keeper){.conf = conf, .world = world, .outside = outside, .board = board};
    if (!key_keeper_is_wanted(conf))
        return true;
    key_board_read(board, &ret->set); /* another keeper may have been there before */
    if (!write_url(conf, ARRAY(ret->url)))
        return err_fail(err, &ERR_INTERNAL, "the address of the keys is too long");
    return arena_init(&ret->arena, KEY_MEMORY, err);
}

void key_keeper_done(struct key_keeper *k)
{
    arena_done(&k->arena);
}

/* ---- fetching ---- */

static bool fetch(struct key_keeper *k, struct jwks *ret, struct err *err)
{
    const struct http_request req = {
        .method = SLICE("GET"),
        .url = slice_from_cstr(k->url),
        .answer_max = JWKS_DOCUMENT_MAX,
        .connect_timeout_ms = CONNECT_MS,
        .timeout_ms = KEY_FETCH_MAX_MS,
    };
    struct http_answer answer = {0};
    const char *fault = NULL;
    if (!k->outside.fetch(k->outside.ctx, &req, &k->arena, &answer, err))
        return false;
    if (answer.status != 200)
        return err_fail(err, &ERR_AWS_ANSWER, "status %d", answer.status);
    return jwks_parse(answer.body, ret, &fault) ||
           err_fail(err, &ERR_AWS_ANSWER, "no usable JWKS: %s", fault);
}

static bool is_same(const struct jwks *a, const struct jwks *b)
{
    return a->count == b->count && memcmp(a->keys, b->keys, a->count * sizeof a->keys[0]) == 0;
}

static void keep(struct key_keeper *k, const struct jwks *keys, int64_t begun_ms)
{
    bool news = !is_same(keys, &k->set.keys) || k->failures > 0;
    k->set = (struct key_set){k->set.version + 1, begun_ms, *keys};
    k->failures = 0;
    k->error[0] = '\0';
    k->expired_logged = false;
    key_board_publish(k->board, keys, begun_ms);
    if (news)
        log_info("keys.fetched", KV_I64("keys", keys->count));
}

static void note_failure(struct key_keeper *k, const struct err *err)
{
    struct buf error = {k->error, 0, sizeof k->error - 1, false};
    buf_add_cstr(&error, err->cause);
    if (error.full) {
        buf_cut(&error, 0);
        buf_add_cstr(&error, err->kind->code);
    }
    k->error[error.len] = '\0';
    k->failures++;
    log_warn("keys.failed", KV_I64("failures", k->failures), KV_STR("code", err->kind->code),
             KV_STR("cause", err->cause));
}

static int64_t next_due_ms(const struct key_keeper *k)
{
    int64_t now_ms = world_monotonic_ms(k->world);
    uint32_t random = world_random_below(k->world, 1000);
    int64_t pause_ms = custody_pause_ms(k->failures, random);
    if (k->failures > 0)
        return now_ms + (pause_ms < PAUSE_LAST_MS ? pause_ms : PAUSE_LAST_MS);
    int64_t interval_ms = k->conf->jwks_refresh_s * MS_PER_S;
    return now_ms + interval_ms - interval_ms / 10 * random / 1000;
}

static void try_once(struct key_keeper *k, uint64_t asks)
{
    struct jwks keys = {0};
    struct err err = {0};
    int64_t begun_ms = world_monotonic_ms(k->world);
    if (fetch(k, &keys, &err))
        keep(k, &keys, begun_ms);
    else
        note_failure(k, &err);
    arena_reset(&k->arena);
    k->tried_ms = world_monotonic_ms(k->world);
    k->due_ms = next_due_ms(k);
    key_board_answer(k->board, asks, k->failures > 0);
}

/* ---- when ---- */

static bool is_expired(const struct key_keeper *k)
{
    return k->set.version > 0 &&
           world_monotonic_ms(k->world) - k->set.fetched_ms > k->conf->jwks_max_age_s * MS_PER_S;
}

int64_t key_keeper_wait_ms(const struct key_keeper *k)
{
    uint64_t asks;
    int64_t now_ms = world_monotonic_ms(k->world), at_ms = k->due_ms;
    if (!key_keeper_is_wanted(k->conf))
        return INT32_MAX;
    /* While it fails, the pauses are kept: asking changes nothing about it. */
    if (k->failures == 0 && key_board_is_asked(k->board, &asks) &&
        k->tried_ms + ASK_AT_LEAST_MS < at_ms)
        at_ms = k->tried_ms + ASK_AT_LEAST_MS;
    return at_ms > now_ms ? at_ms - now_ms : 0;
}

void key_keeper_look(struct key_keeper *k)
{
    uint64_t asks;
    (void)key_board_is_asked(k->board, &asks); /* before the fetch: later ones want another */
    if (key_keeper_wait_ms(k) == 0)
        try_once(k, asks);
    if (is_expired(k) && !k->expired_logged) {
        k->expired_logged = true;
        log_error("keys.expired", KV_STR("cause", k->error));
    }
}

void key_keeper_describe(const struct key_keeper *k, struct snapshot *ret)
{
    struct buf error = {ret->keys_error, 0, sizeof ret->keys_error - 1, false};
    if (!key_keeper_is_wanted(k->conf))
        ret->keys = KEYS_NONE;
    else if (k->set.version == 0)
        ret->keys = KEYS_MISSING;
    else
        ret->keys = is_expired(k) ? KEYS_EXPIRED : KEYS_KNOWN;
    ret->keys_count = k->set.keys.count;
    ret->keys_fetched_ms = k->set.version > 0 ? k->set.fetched_ms : 0;
    buf_add_cstr(&error, k->error);
    ret->keys_error[error.len] = '\0';
}
