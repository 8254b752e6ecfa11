/* jwt.h - access tokens of one app client of one Cognito user pool.
 * Source: Amazon Cognito Developer Guide, "Verifying JSON web tokens"; RFC 7519; the checks are
 * those of AWS's own aws-jwt-verify, and `exp` is required.
 * Pure: keys, rules and clock are arguments; callable from any process at any time. */
#ifndef COMMON_AUTH_JWT_H
#define COMMON_AUTH_JWT_H

#include "common/auth/jws.h"

struct jwt_rules {
    struct slice issuer, client_id; /* what `iss` and `client_id` must be, byte for byte */
    /* By how much our clock may differ from the issuer's: a token is good for that much longer, and
     * earlier. */
    int64_t leeway_s;
};

/* Cognito sets `iat` to its own clock when it issues a token, which is used at once: a clock of
 * ours that is slightly behind must not refuse every fresh token. Beyond this (and the leeway) the
 * token is from the future. */
#define JWT_ISSUED_AHEAD_S 60

#define JWT_GROUPS_MAX   128 /* a Cognito user may be in 100 */
#define JWT_SUBJECT_MAX  128 /* bytes; a UUID in fact */
#define JWT_USERNAME_MAX 128 /* characters; Cognito has the same limit */

/* What a verified token says. Texts live in the arena; one that is absent is empty. Times are Unix
 * seconds; 0 is an absent one. */
struct jwt_claims {
    struct slice subject; /* sub: never empty */
    struct slice username;
    struct slice token_id;         /* jti */
    struct slice sign_in_id;       /* origin_jti: of the sign-in that the token descends from */
    int64_t expires_s;             /* exp: never absent */
    int64_t issued_s, signed_in_s; /* iat, auth_time */
    const struct slice *groups;    /* cognito:groups */
    size_t group_count;
};

/* Judges a token at the time `now_s`. Errors, in the order of the checks: those of jws_verify();
 * ERR_TOKEN_CLAIMS for a claim that is missing (sub, iss, token_use, client_id, exp), of the wrong
 * type, or beyond the limits above; ERR_TOKEN_WRONG_ISSUER, ERR_TOKEN_WRONG_USE,
 * ERR_TOKEN_WRONG_CLIENT, ERR_TOKEN_EXPIRED from the second `exp` on, ERR_TOKEN_NOT_YET_VALID. */
bool jwt_verify(const struct jws_keys *keys, const struct jwt_rules *rules, int64_t now_s,
                struct slice token, struct arena *arena, struct jwt_claims *ret,
                struct err *err) MUST_USE;

/* The same for the payload alone of a token whose signature is known to be good. Errors:
 * ERR_TOKEN_MALFORMED when it is no JSON object (json_object.h), and as above. */
bool jwt_judge(const struct jwt_rules *rules, int64_t now_s, struct slice payload,
               struct arena *arena, struct jwt_claims *ret, struct err *err) MUST_USE;

bool jwt_in_group(const struct jwt_claims *claims, struct slice group);

#endif
