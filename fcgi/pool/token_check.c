#include "fcgi/pool/token_check.h"

#include "common/auth/errors.h"
#include "common/auth/user_pool.h"
#include "common/run/log.h"
#include "fcgi/api/errors.h"
#include "fcgi/pool/key_keeper.h"

#include <unistd.h>

#define POLL_MS 5

/* The groups of the user pool that may do more than read. */
static const struct slice group_editors = SLICE_INIT("editors");
static const struct slice group_admins = SLICE_INIT("admins");

void token_check_init(const struct conf *conf, const struct world *world, struct vault *vault,
                      struct token_check *ret)
{
    *ret = (struct token_check){.conf = conf, .world = world, .vault = vault};
    struct buf issuer = BUF(ret->issuer);
    user_pool_add_issuer(&issuer, slice_from_cstr(conf->cognito_user_pool_id));
    ret->rules = (struct jwt_rules){
        .issuer = buf_slice(&issuer), /* settings bound the id: it fits */
        .client_id = slice_from_cstr(conf->cognito_client_id),
        .leeway_s = conf->token_leeway_s,
    };
}

void token_check_done(struct token_check *check)
{
    jws_keys_close(check->keys);
    check->keys = NULL;
}

/* ---- keys ---- */

/* Takes over what the keeper has published since. A set that OpenSSL does not take leaves the one
 * before in use, until it is too old. */
static void take_over(struct token_check *t)
{
    struct key_set set;
    struct err err = {0};
    if (key_board_version(&t->vault->keys) == t->version)
        return;
    key_board_read(&t->vault->keys, &set);
    t->version = set.version;
    struct jws_keys *keys = jws_keys_open(&set.keys, &err);
    if (!keys) {
        log_warn("keys.refused", KV_STR("cause", err.cause));
        return;
    }
    jws_keys_close(t->keys);
    t->keys = keys;
    t->fetched_ms = set.fetched_ms;
}

static bool has_keys(struct token_check *t, struct err *err)
{
    take_over(t);
    int64_t age_ms = world_monotonic_ms(t->world) - t->fetched_ms;
    if (!t->keys)
        return err_fail(err, &ERR_KEYS_UNAVAILABLE, "no keys yet");
    if (age_ms > t->conf->jwks_max_age_s * MS_PER_S)
        return err_fail(err, &ERR_KEYS_UNAVAILABLE, "the keys are too old");
    return true;
}

/* ---- a key that is not there ---- */

/* Whether the keeper has published it since the keys in use. */
static bool has_come(const struct token_check *t, struct slice kid)
{
    struct key_set set;
    if (key_board_version(&t->vault->keys) == t->version)
        return false;
    key_board_read(&t->vault->keys, &set);
    for (size_t i = 0; i < set.keys.count; i++)
        if (slice_equal(slice_from_cstr(set.keys.keys[i].kid), kid))
            return true;
    return false;
}

/* Ends as soon as the key is there, by whoever's fetch: those who wait on would keep the places
 * from those who need them. */
static bool wait_for_fetch(struct token_check *t, uint64_t ask, struct slice kid, struct err *err)
{
    int64_t end_ms = world_monotonic_ms(t->world) + TOKEN_WAIT_MS;
    for (;;) {
        switch (key_board_outcome(&t->vault->keys, ask)) {
        case KEY_FETCHED:
            return true;
        case KEY_FETCH_FAILED:
            return err_fail(err, &ERR_KEYS_UNAVAILABLE, "unknown key, and the fetch failed");
        case KEY_PENDING:
            if (has_come(t, kid))
                return true;
            break;
        }
        if (world_monotonic_ms(t->world) > end_ms)
            return err_fail(err, &ERR_KEYS_UNAVAILABLE, "unknown key, and the fetch takes long");
        usleep(POLL_MS * 1000);
    }
}

static bool ask(struct token_check *t, uint64_t hash, struct slice kid, struct err *err)
{
    uint64_t number = 0;
    bool ring = false;
    struct key_board *board = &t->vault->keys;
    size_t places = (size_t)(t->conf->workers + 1) / 2; /* the others go on serving */
    int place = key_board_enter(board, hash, places, world_monotonic_ms(t->world),
                                TOKEN_WAIT_MS / MS_PER_S);
    if (place < 0)
        return err_fail(err, &ERR_KEYS_UNAVAILABLE, "too many workers wait for unknown keys");
    bool asked = key_board_ask(board, &number, &ring);
    if (!asked)
        err_fail(err, &ERR_KEYS_UNAVAILABLE, "unknown key, and the last fetch failed");
    if (ring)
        vault_ring(t->vault);
    bool fetched = asked && wait_for_fetch(t, number, kid, err);
    key_board_leave(board, place);
    return fetched;
}

/* True when there are other keys now than those that did not know `kid`. */
static bool find_out(struct token_check *t, struct slice kid, struct err *err)
{
    struct key_board *board = &t->vault->keys;
    uint64_t before = t->version, hash = key_board_hash(kid);
    if (key_board_is_punished(board, hash, world_monotonic_ms(t->world)))
        return err_fail(err, &ERR_TOKEN_UNKNOWN_KEY, "kid %.*s, asked for before", SLICE_ARG(kid));
    if ((!has_come(t, kid) && !ask(t, hash, kid, err)) || !has_keys(t, err))
        return false;
    return t->version != before ||
           err_fail(err, &ERR_INTERNAL, "a fetch that nobody has published");
}

static bool verify(struct token_check *t, struct slice token, struct arena *arena,
                   struct jwt_claims *ret, struct err *err)
{
    return jwt_verify(t->keys, &t->rules, world_now_ms(t->world) / MS_PER_S, token, arena, ret,
                      err);
}

static bool verify_once_more(struct token_check *t, struct slice token, struct arena *arena,
                             struct jwt_claims *ret, struct err *err)
{
    struct slice kid = {0};
    if (!jws_read_kid(token, arena, &kid, err) || !find_out(t, kid, err))
        return false;
    if (verify(t, token, arena, ret, err))
        return true;
    if (err->kind == &ERR_TOKEN_UNKNOWN_KEY)
        key_board_punish(&t->vault->keys, key_board_hash(kid), world_monotonic_ms(t->world),
                         TOKEN_PENALTY_S);
    return false;
}

/* ---- whose it is ---- */

static bool identify(void *ctx, struct slice token, struct arena *arena, struct caller *ret,
                     struct err *err)
{
    struct token_check *t = ctx;
    struct jwt_claims claims = {0};
    struct err first = {0};
    if (!has_keys(t, err))
        return false;
    if (!verify(t, token, arena, &claims, &first)) {
        if (first.kind != &ERR_TOKEN_UNKNOWN_KEY)
            return err_fail(err, first.kind, "%s", first.cause);
        if (!verify_once_more(t, token, arena, &claims, err))
            return false;
    }
    *ret = (struct caller){
        .subject = claims.subject,
        .username = claims.username,
        .edits = jwt_in_group(&claims, group_editors),
        .administers = jwt_in_group(&claims, group_admins),
    };
    return true;
}

struct authenticator token_check_authenticator(struct token_check *check)
{
    if (!key_keeper_is_wanted(check->conf))
        return (struct authenticator){0};
    return (struct authenticator){identify, check};
}
