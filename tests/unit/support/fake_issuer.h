/* fake_issuer.h - mints tokens of every kind, good and bad, with keys made by OpenSSL when the
 * tests start: no private key stands in the sources. */
#ifndef TESTS_UNIT_SUPPORT_FAKE_ISSUER_H
#define TESTS_UNIT_SUPPORT_FAKE_ISSUER_H

#include "common/auth/jwks.h"
#include "tests/unit/support/suite.h"

enum fake_key {
    FAKE_KEY_A,     /* RSA, 2048 bits, kid "a" */
    FAKE_KEY_B,     /* the same, kid "b" */
    FAKE_KEY_SHORT, /* RSA, 1024 bits, kid "short" */
    FAKE_KEY_EC,    /* P-256, kid "ec" */
    FAKE_KEYS
};
enum fake_signature {
    FAKE_RS256,
    FAKE_RS512,
    FAKE_PS256,
    FAKE_ES256,
    FAKE_HS256, /* keyed with the PEM text of the key's public half */
    FAKE_NONE   /* empty */
};

/* Makes the keys, in the process that all tests are forked from, if a test of `s` will run. To be
 * called behind the suite's tests. */
void fake_issuer_prepare(const struct suite *s);

/* "HEADER.PAYLOAD.SIGNATURE" of the two texts as they are; lives until the next call. */
const char *fake_issuer_mint(const char *header, const char *payload, enum fake_key key,
                             enum fake_signature signature);
/* The signature in base64url over any text; lives until the next call. */
const char *fake_issuer_sign(struct slice text, enum fake_key key, enum fake_signature signature);

/* The members "n" and "e" of an RSA key: "\"n\":\"...\",\"e\":\"AQAB\""; lives until the next call
 * for the same key. */
const char *fake_issuer_numbers(enum fake_key key);
/* A set of the first `count` keys (1 or 2), as jwks_parse() would make it. */
struct jwks fake_issuer_keys(size_t count);

#endif
