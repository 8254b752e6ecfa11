/* jws.h - signatures of tokens: JWS in its compact form (RFC 7515), RS256 (RFC 7518 section 3.3)
 * and nothing else. The algorithm is that of our keys; a token that names another is refused, and
 * no key, address or certificate inside a token is ever looked at. Own code on OpenSSL.
 * Pure: no I/O, no clock; callable from any process at any time. */
#ifndef COMMON_AUTH_JWS_H
#define COMMON_AUTH_JWS_H

#include "common/auth/jwks.h"
#include "common/base/arena.h"

/* nginx takes header fields of up to 8 KiB; an access token of Cognito has about 1 KiB. */
#define JWS_TOKEN_MAX  KIB(8)
#define JWS_HEADER_MAX KIB(1) /* of it, as sent */

/* A key set as OpenSSL wants it; one owner, one process. Errors: ERR_INTERNAL when OpenSSL refuses
 * a key or `set` is not what jwks_parse() makes (shared memory may hold anything). */
struct jws_keys;
struct jws_keys *jws_keys_open(const struct jwks *set, struct err *err) MUST_USE;
void jws_keys_close(struct jws_keys *keys); /* NULL is fine */

/* Whether `signature` is that of `text` by the key `kid`, PKCS #1 v1.5 with SHA-256. */
bool jws_is_signed(const struct jws_keys *keys, struct slice kid, struct slice text,
                   struct slice signature) MUST_USE;

/* Whether the token is signed by one of the keys; its payload, decoded, lives in the arena.
 * Three parts in strict base64url; the header a JSON object (json_object.h) with `alg` RS256, the
 * `kid` of a known key, and no `crit` (we know no extension that a token could insist on).
 * Errors, in this order: ERR_TOKEN_MALFORMED, ERR_TOKEN_ALGORITHM, ERR_TOKEN_UNKNOWN_KEY,
 * ERR_TOKEN_SIGNATURE; ERR_INTERNAL when the arena is full. */
bool jws_verify(const struct jws_keys *keys, struct slice token, struct arena *arena,
                struct slice *ret_payload, struct err *err) MUST_USE;

/* The kid that the token's header names, in the arena; for a token that jws_verify() has refused
 * with ERR_TOKEN_UNKNOWN_KEY. At most JWKS_KID_MAX bytes. Errors: as above, save the last two. */
bool jws_read_kid(struct slice token, struct arena *arena, struct slice *ret_kid,
                  struct err *err) MUST_USE;

#endif
