/* jwt.c - fuzz target: a token as a client sends it, and, since no mutation survives a signature,
 * its payload once more, signed by us. The key is made when the target starts. */
#include "common/auth/jwt.h"
#include "common/auth/errors.h"
#include "common/base/base64url.h"
#include "tests/fuzz/fuzz.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

#define NOW 1700000000
static const struct jwt_rules rules = {SLICE_INIT("https://i/p"), SLICE_INIT("client"), 0};

static EVP_PKEY *pair;
static struct jws_keys *keys;

static void make_key(void)
{
    struct jwks set = {.count = 1, .keys = {{.kid = "a", .exponent = 65537}}};
    struct err err = {0};
    BIGNUM *n = NULL;
    pair = EVP_RSA_gen(2048);
    FUZZ_ASSERT(pair && EVP_PKEY_get_bn_param(pair, OSSL_PKEY_PARAM_RSA_N, &n) == 1);
    set.keys[0].modulus_len = (uint32_t)BN_bn2bin(n, set.keys[0].modulus);
    BN_free(n);
    keys = jws_keys_open(&set, &err);
    FUZZ_ASSERT(keys != NULL);
}

static void sign(struct buf *token)
{
    unsigned char signature[256];
    size_t len = sizeof signature;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    FUZZ_ASSERT(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, pair) == 1);
    FUZZ_ASSERT(EVP_DigestSign(context, signature, &len, (const unsigned char *)token->ptr,
                               token->len) == 1);
    EVP_MD_CTX_free(context);
    buf_add_char(token, '.');
    base64url_add(token, (struct slice){(const char *)signature, len});
}

static void judge(struct slice token)
{
    struct jwt_claims claims = {0};
    struct err err = {0};
    struct arena *arena = fuzz_arena();
    if (!jwt_verify(keys, &rules, NOW, token, arena, &claims, &err)) {
        FUZZ_ASSERT(err.kind && err.kind->status == 401 && claims.subject.len == 0);
        return;
    }
    FUZZ_ASSERT(!err.kind && claims.subject.len > 0 && claims.subject.len <= JWT_SUBJECT_MAX);
    FUZZ_ASSERT(claims.expires_s >= NOW && claims.group_count <= JWT_GROUPS_MAX);
    FUZZ_ASSERT(!memchr(claims.subject.ptr, '\0', claims.subject.len));
}

/* RSA is slow beside all else, so only what is JSON by its first byte is worth a signature. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static char storage[KIB(16)];
    struct slice text = {(const char *)bytes, size}, kid = {0};
    struct buf token = BUF(storage);
    struct err err = {0};
    if (!keys)
        make_key();
    judge(text);
    if (jws_read_kid(text, fuzz_arena(), &kid, &err))
        FUZZ_ASSERT(kid.len > 0 && kid.len <= JWKS_KID_MAX);
    if (size == 0 || size > KIB(4) || bytes[0] != '{')
        return 0;
    buf_add_cstr(&token, "eyJraWQiOiJhIiwiYWxnIjoiUlMyNTYifQ."); /* {"kid":"a","alg":"RS256"} */
    base64url_add(&token, text);
    sign(&token);
    judge(buf_slice(&token));
    return 0;
}
