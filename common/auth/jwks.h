/* jwks.h - the public keys of a user pool, as its JWKS document (RFC 7517) lists them. Plain data
 * without pointers, so that it can stand in shared memory; jws.h makes OpenSSL's keys of it.
 * Pure: no I/O, no globals. */
#ifndef COMMON_AUTH_JWKS_H
#define COMMON_AUTH_JWKS_H

#include "common/base/macros.h"
#include "common/base/slice.h"

#include <stdint.h>

#define JWKS_KEYS_MAX     16 /* Cognito publishes two */
#define JWKS_KID_MAX      127
#define JWKS_BITS_MIN     2048
#define JWKS_BITS_MAX     4096
/* The least of FIPS 186-5 section A.1.1; every key of Cognito has it. */
#define JWKS_EXPONENT_MIN 65537
#define JWKS_DOCUMENT_MAX KIB(32)

/* One RSA key. */
struct jwk {
    char kid[JWKS_KID_MAX + 1]; /* not empty; no other key of the set has it */
    uint32_t exponent;          /* odd, at least JWKS_EXPONENT_MIN */
    uint32_t modulus_len;       /* bytes; the first is not 0 */
    unsigned char modulus[JWKS_BITS_MAX / 8];
};

struct jwks {
    uint32_t count;
    struct jwk keys[JWKS_KEYS_MAX];
};

/* Takes the keys that RS256 signatures can be verified with: `kty` RSA; `use`, where it is given,
 * sig; `alg`, where it is given, RS256; `key_ops`, where it is given, with verify; a `kid`; `n` and
 * `e` within the bounds above; and no private member (`d`): whoever publishes that has told the
 * world how to sign. All other keys are passed over, so that a pool may add kinds of its own.
 * False for no well-formed JWKS, two keys of one kid, more keys than fit, or none that can be used:
 * `*ret_fault` says which, and `*ret` is as it was. */
bool jwks_parse(struct slice document, struct jwks *ret, const char **ret_fault) MUST_USE;

#endif
