#include "common/auth/jws.h"

#include "common/auth/errors.h"
#include "common/auth/json_object.h"
#include "common/base/base64url.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

struct jws_keys {
    size_t count;
    struct {
        char kid[JWKS_KID_MAX + 1];
        EVP_PKEY *key;
    } keys[JWKS_KEYS_MAX];
};

/* ---- keys ---- */

struct making { /* what it takes to make one of OpenSSL's keys */
    BIGNUM *modulus;
    OSSL_PARAM_BLD *build;
    OSSL_PARAM *params;
    EVP_PKEY_CTX *context;
};

static void making_done(struct making *m)
{
    EVP_PKEY_CTX_free(m->context);
    OSSL_PARAM_free(m->params);
    OSSL_PARAM_BLD_free(m->build);
    BN_free(m->modulus);
}

static EVP_PKEY *make_key(const struct jwk *jwk)
{
    CLEANUP(making_done)
    struct making m = {
        .modulus = BN_bin2bn(jwk->modulus, (int)jwk->modulus_len, NULL),
        .build = OSSL_PARAM_BLD_new(),
        .context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL),
    };
    EVP_PKEY *key = NULL;
    if (!m.modulus || !m.build || !m.context ||
        OSSL_PARAM_BLD_push_BN(m.build, OSSL_PKEY_PARAM_RSA_N, m.modulus) != 1 ||
        OSSL_PARAM_BLD_push_uint32(m.build, OSSL_PKEY_PARAM_RSA_E, jwk->exponent) != 1)
        return NULL;
    m.params = OSSL_PARAM_BLD_to_param(m.build);
    if (!m.params || EVP_PKEY_fromdata_init(m.context) != 1 ||
        EVP_PKEY_fromdata(m.context, &key, EVP_PKEY_PUBLIC_KEY, m.params) != 1)
        return NULL;
    return key;
}

static bool add_key(struct jws_keys *keys, const struct jwk *jwk)
{
    size_t i = keys->count;
    if (jwk->modulus_len < JWKS_BITS_MIN / 8 || jwk->modulus_len > sizeof jwk->modulus ||
        jwk->exponent < JWKS_EXPONENT_MIN || !memchr(jwk->kid, '\0', sizeof jwk->kid))
        return false;
    memcpy(keys->keys[i].kid, jwk->kid, sizeof jwk->kid);
    keys->keys[i].key = make_key(jwk);
    keys->count++;
    return keys->keys[i].key != NULL;
}

struct jws_keys *jws_keys_open(const struct jwks *set, struct err *err)
{
    struct jws_keys *keys = calloc(1, sizeof *keys);
    bool good = keys && set->count <= JWKS_KEYS_MAX;
    for (size_t i = 0; good && i < set->count; i++)
        good = add_key(keys, &set->keys[i]);
    if (good)
        return keys;
    jws_keys_close(keys);
    err_fail(err, &ERR_INTERNAL, "a key set that OpenSSL does not take");
    return NULL;
}

void jws_keys_close(struct jws_keys *keys)
{
    for (size_t i = 0; keys && i < keys->count; i++)
        EVP_PKEY_free(keys->keys[i].key);
    free(keys);
}

static EVP_PKEY *find_key(const struct jws_keys *keys, struct slice kid)
{
    for (size_t i = 0; i < keys->count; i++)
        if (slice_equal(slice_from_cstr(keys->keys[i].kid), kid))
            return keys->keys[i].key;
    return NULL;
}

/* ---- tokens ---- */

struct parts { /* as sent */
    struct slice header, payload, signature;
    struct slice signed_text; /* the first two and the dot between them */
};

static bool split(struct slice token, struct parts *ret, struct err *err)
{
    struct slice rest = token;
    struct parts p = {0};
    if (token.len > JWS_TOKEN_MAX)
        return err_fail(err, &ERR_TOKEN_MALFORMED, "%zu bytes", token.len);
    if (!slice_cut(&rest, '.', &p.header) || !slice_cut(&rest, '.', &p.payload) ||
        !slice_cut(&rest, '.', &p.signature) || rest.ptr)
        return err_fail(err, &ERR_TOKEN_MALFORMED, "not three parts");
    if (p.header.len > JWS_HEADER_MAX)
        return err_fail(err, &ERR_TOKEN_MALFORMED, "header of %zu bytes", p.header.len);
    p.signed_text = (struct slice){token.ptr, p.header.len + 1 + p.payload.len};
    *ret = p;
    return true;
}

static bool decode(struct slice part, const char *name, struct arena *arena, struct slice *ret,
                   struct err *err)
{
    struct buf out = arena_buf(arena, part.len / 4 * 3 + 3);
    if (out.full)
        return err_fail(err, &ERR_INTERNAL, "token larger than the arena");
    if (!base64url_decode(&out, part))
        return err_fail(err, &ERR_TOKEN_MALFORMED, "%s is no base64url", name);
    *ret = buf_slice(&out);
    return true;
}

/* What the header says, as far as anybody asks: it is the client's word alone. */
static bool read_header(struct slice part, struct arena *arena, struct slice *ret_kid,
                        struct err *err)
{
    struct slice text = {0};
    const char *fault = NULL;
    if (!decode(part, "header", arena, &text, err))
        return false;
    CLEANUP(json_object_close) cJSON *header = json_object_open(text, &fault);
    if (!header)
        return err_fail(err, &ERR_TOKEN_MALFORMED, "header: %s", fault);
    struct slice kid = json_object_text(header, "kid");
    if (cJSON_GetObjectItemCaseSensitive(header, "crit"))
        return err_fail(err, &ERR_TOKEN_MALFORMED, "header: crit");
    if (!slice_equal(json_object_text(header, "alg"), SLICE("RS256")))
        return err_fail(err, &ERR_TOKEN_ALGORITHM, "alg is not RS256");
    if (kid.len == 0 || kid.len > JWKS_KID_MAX)
        return err_fail(err, &ERR_TOKEN_MALFORMED, "header: no kid, or not a text of one");
    *ret_kid = arena_copy(arena, kid);
    return ret_kid->ptr || err_fail(err, &ERR_INTERNAL, "token larger than the arena");
}

static void free_context(EVP_MD_CTX **context)
{
    EVP_MD_CTX_free(*context);
}

/* PKCS #1 v1.5 with SHA-256, as the key is RSA and this names no other padding. OpenSSL builds the
 * one right encoding and compares, so a signature has no second spelling. */
bool jws_is_signed(const struct jws_keys *keys, struct slice kid, struct slice text,
                   struct slice signature)
{
    EVP_PKEY *key = find_key(keys, kid);
    CLEANUP(free_context) EVP_MD_CTX *context = EVP_MD_CTX_new();
    return key && context && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
           EVP_DigestVerify(context, (const unsigned char *)signature.ptr, signature.len,
                            (const unsigned char *)text.ptr, text.len) == 1;
}

bool jws_verify(const struct jws_keys *keys, struct slice token, struct arena *arena,
                struct slice *ret_payload, struct err *err)
{
    struct parts parts = {0};
    struct slice kid = {0}, payload = {0}, signature = {0};
    if (!split(token, &parts, err) || !read_header(parts.header, arena, &kid, err) ||
        !decode(parts.payload, "payload", arena, &payload, err) ||
        !decode(parts.signature, "signature", arena, &signature, err))
        return false;
    if (!find_key(keys, kid))
        return err_fail(err, &ERR_TOKEN_UNKNOWN_KEY, "kid %.*s", SLICE_ARG(kid));
    if (!jws_is_signed(keys, kid, parts.signed_text, signature))
        return err_fail(err, &ERR_TOKEN_SIGNATURE, "signature by kid %.*s", SLICE_ARG(kid));
    *ret_payload = payload;
    return true;
}

bool jws_read_kid(struct slice token, struct arena *arena, struct slice *ret_kid, struct err *err)
{
    struct parts parts = {0};
    struct slice kid = {0};
    if (!split(token, &parts, err) || !read_header(parts.header, arena, &kid, err))
        return false;
    *ret_kid = kid;
    return true;
}
