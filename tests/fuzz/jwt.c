/* jwt.c - fuzz target: a token as a client sends it, and, since no mutation survives a signature,
 * the same bytes as a payload whose signature was good. The key is made when the target starts. */
#include "common/auth/jwt.h"
#include "common/auth/errors.h"
#include "tests/fuzz/fuzz.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

#define NOW 1700000000
static const struct jwt_rules rules = {SLICE_INIT("https://i/p"), SLICE_INIT("client"), 0};

static struct jws_keys *make_keys(void)
{
    struct jwks set = {.count = 1, .keys = {{.kid = "a", .exponent = 65537}}};
    struct err err = {0};
    BIGNUM *n = NULL;
    EVP_PKEY *pair = EVP_RSA_gen(2048);
    FUZZ_ASSERT(pair && EVP_PKEY_get_bn_param(pair, OSSL_PKEY_PARAM_RSA_N, &n) == 1);
    set.keys[0].modulus_len = (uint32_t)BN_bn2bin(n, set.keys[0].modulus);
    BN_free(n);
    EVP_PKEY_free(pair);
    struct jws_keys *keys = jws_keys_open(&set, &err);
    FUZZ_ASSERT(keys != NULL);
    return keys;
}

static void judge_token(struct slice token)
{
    static struct jws_keys *keys;
    struct jwt_claims claims = {0};
    struct slice kid = {0};
    struct err err = {0}, kid_err = {0};
    if (!keys)
        keys = make_keys();
    /* Nobody has the key, so nothing may get through. */
    FUZZ_ASSERT(!jwt_verify(keys, &rules, NOW, token, fuzz_arena(), &claims, &err));
    FUZZ_ASSERT(err.kind->status == 401 && claims.subject.len == 0);
    if (jws_read_kid(token, fuzz_arena(), &kid, &kid_err))
        FUZZ_ASSERT(kid.len > 0 && kid.len <= JWKS_KID_MAX);
    else
        FUZZ_ASSERT(kid_err.kind == err.kind);
}

static void judge_payload(struct slice payload)
{
    struct jwt_claims claims = {0};
    struct err err = {0};
    if (!jwt_judge(&rules, NOW, payload, fuzz_arena(), &claims, &err)) {
        FUZZ_ASSERT(err.kind && err.kind->status == 401 && claims.subject.len == 0);
        return;
    }
    FUZZ_ASSERT(!err.kind && claims.subject.len > 0 && claims.subject.len <= JWT_SUBJECT_MAX);
    FUZZ_ASSERT(!memchr(claims.subject.ptr, '\0', claims.subject.len));
    FUZZ_ASSERT(claims.expires_s >= NOW && claims.group_count <= JWT_GROUPS_MAX);
    for (size_t i = 0; i < claims.group_count; i++)
        FUZZ_ASSERT(jwt_in_group(&claims, claims.groups[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct slice text = {(const char *)bytes, size};
    judge_token(text);
    if (size <= JWS_TOKEN_MAX)
        judge_payload(text);
    return 0;
}
