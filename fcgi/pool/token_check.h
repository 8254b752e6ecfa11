/* token_check.h - a worker's answer to whose token it is (struct authenticator, fcgi/api/caller.h):
 * verified with the keys that the keeper has published (key_board.h), by the rules of jwt.h. */
#ifndef FCGI_POOL_TOKEN_CHECK_H
#define FCGI_POOL_TOKEN_CHECK_H

#include "common/auth/jwt.h"
#include "common/run/world.h"
#include "fcgi/api/caller.h"
#include "fcgi/pool/vault.h"

/* A token by an unknown key: for so long its request waits for the keeper's fetch. */
#define TOKEN_WAIT_MS   3000
/* A kid that a fetch did not bring is not asked for again for so long. */
#define TOKEN_PENALTY_S 10

struct token_check {
    const struct conf *conf;
    const struct world *world;
    struct vault *vault;
    char issuer[512];
    struct jwt_rules rules;
    struct jws_keys *keys; /* NULL: none yet */
    uint64_t version;      /* of the set that `keys` is made of */
    int64_t fetched_ms;    /* of that set, too */
};

/* Everything is borrowed; `ret` must stay where it is. */
void token_check_init(const struct conf *conf, const struct world *world, struct vault *vault,
                      struct token_check *ret);
void token_check_done(struct token_check *check);

/* Empty when the settings name no user pool: then nothing verifies tokens. Its errors are those of
 * jwt_verify(), and ERR_KEYS_UNAVAILABLE when there is no key yet, the newest set is older than
 * JWKS_MAX_AGE_S, or the token's key is unknown and it could not be found out whether it is good
 * (the fetch failed or takes too long, or workers wait for too many other keys). */
struct authenticator token_check_authenticator(struct token_check *check);

#endif
