#include "tests/unit/support/fake_issuer.h"

#include "common/base/base64url.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

static EVP_PKEY *keys[FAKE_KEYS];
static const char *const kids[FAKE_KEYS] = {"a", "b", "short", "ec"};

void fake_issuer_prepare(const struct suite *s)
{
    if (!s->check || keys[FAKE_KEY_A])
        return;
    keys[FAKE_KEY_A] = EVP_RSA_gen(2048);
    keys[FAKE_KEY_B] = EVP_RSA_gen(2048);
    keys[FAKE_KEY_SHORT] = EVP_RSA_gen(1024);
    keys[FAKE_KEY_EC] = EVP_EC_gen("P-256");
}

/* ---- signatures ---- */

static struct slice hmac(EVP_PKEY *key, struct slice text)
{
    static unsigned char mac[32];
    BIO *memory = BIO_new(BIO_s_mem());
    char *pem;
    ck_assert_int_eq(PEM_write_bio_PUBKEY(memory, key), 1);
    long len = BIO_get_mem_data(memory, &pem);
    ck_assert_ptr_nonnull(
        HMAC(EVP_sha256(), pem, (int)len, (const unsigned char *)text.ptr, text.len, mac, NULL));
    BIO_free(memory);
    return (struct slice){(const char *)mac, sizeof mac};
}

static struct slice sign(EVP_PKEY *key, struct slice text, enum fake_signature kind)
{
    static unsigned char storage[512];
    size_t len = sizeof storage;
    EVP_PKEY_CTX *padding;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const EVP_MD *digest = kind == FAKE_RS512 ? EVP_sha512() : EVP_sha256();
    ck_assert_int_eq(EVP_DigestSignInit(context, &padding, digest, NULL, key), 1);
    if (kind == FAKE_PS256)
        ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING), 1);
    ck_assert_int_eq(
        EVP_DigestSign(context, storage, &len, (const unsigned char *)text.ptr, text.len), 1);
    EVP_MD_CTX_free(context);
    return (struct slice){(const char *)storage, len};
}

/* RFC 7518 section 3.4: the two numbers, 32 bytes each, and not DER. */
static struct slice raw_ecdsa(struct slice der)
{
    static unsigned char raw[64];
    const unsigned char *at = (const unsigned char *)der.ptr;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)der.len);
    ck_assert_ptr_nonnull(pair);
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + 32, 32);
    ECDSA_SIG_free(pair);
    return (struct slice){(const char *)raw, sizeof raw};
}

const char *fake_issuer_sign(struct slice text, enum fake_key key, enum fake_signature kind)
{
    static char storage[1024];
    struct buf out = BUF(storage);
    struct slice bytes = {0};
    if (kind == FAKE_HS256)
        bytes = hmac(keys[key], text);
    else if (kind != FAKE_NONE)
        bytes = sign(keys[key], text, kind);
    base64url_add(&out, kind == FAKE_ES256 ? raw_ecdsa(bytes) : bytes);
    const char *made = buf_cstr(&out);
    ck_assert_ptr_nonnull(made);
    return made;
}

const char *fake_issuer_mint(const char *header, const char *payload, enum fake_key key,
                             enum fake_signature signature)
{
    static char storage[KIB(64)];
    struct buf out = BUF(storage);
    base64url_add(&out, slice_from_cstr(header));
    buf_add_char(&out, '.');
    base64url_add(&out, slice_from_cstr(payload));
    const char *made = fake_issuer_sign(buf_slice(&out), key, signature);
    buf_add_char(&out, '.');
    buf_add_cstr(&out, made);
    const char *token = buf_cstr(&out);
    ck_assert_ptr_nonnull(token);
    return token;
}

/* ---- keys ---- */

static struct jwk public_half(enum fake_key key)
{
    struct jwk made = {0};
    BIGNUM *n = NULL, *e = NULL;
    ck_assert_int_eq(EVP_PKEY_get_bn_param(keys[key], OSSL_PKEY_PARAM_RSA_N, &n), 1);
    ck_assert_int_eq(EVP_PKEY_get_bn_param(keys[key], OSSL_PKEY_PARAM_RSA_E, &e), 1);
    memcpy(made.kid, kids[key], strlen(kids[key]));
    made.modulus_len = (uint32_t)BN_bn2bin(n, made.modulus);
    made.exponent = (uint32_t)BN_get_word(e);
    BN_free(n);
    BN_free(e);
    return made;
}

const char *fake_issuer_numbers(enum fake_key key)
{
    static char storage[FAKE_KEYS][KIB(1)];
    struct buf out = BUF(storage[key]);
    const struct jwk half = public_half(key);
    ck_assert_uint_eq(half.exponent, 65537);
    buf_add_cstr(&out, "\"n\":\"");
    base64url_add(&out, (struct slice){(const char *)half.modulus, half.modulus_len});
    buf_add_cstr(&out, "\",\"e\":\"AQAB\"");
    const char *made = buf_cstr(&out);
    ck_assert_ptr_nonnull(made);
    return made;
}

struct jwks fake_issuer_keys(size_t count)
{
    struct jwks set = {.count = (uint32_t)count};
    for (size_t i = 0; i < count; i++)
        set.keys[i] = public_half((enum fake_key)i);
    return set;
}
