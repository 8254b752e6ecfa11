#include "common/auth/jwks.h"

#include "common/auth/json_object.h"
#include "common/base/base64url.h"

#include <string.h>

/* Whether a member is absent, or this text. */
static bool may_be(const cJSON *key, const char *name, struct slice wanted)
{
    return !cJSON_GetObjectItemCaseSensitive(key, name) ||
           slice_equal(json_object_text(key, name), wanted);
}

static bool may_verify(const cJSON *key)
{
    const cJSON *each, *ops = cJSON_GetObjectItemCaseSensitive(key, "key_ops");
    if (!ops)
        return true;
    if (!cJSON_IsArray(ops))
        return false;
    cJSON_ArrayForEach(each, ops)
    {
        if (slice_equal(slice_from_cstr(cJSON_GetStringValue(each)), SLICE("verify")))
            return true;
    }
    return false;
}

/* RFC 7518 section 6.3.1: unsigned, big-endian, in as few bytes as possible. */
static bool read_number(const cJSON *key, const char *name, struct buf *out)
{
    return base64url_decode(out, json_object_text(key, name)) && !out->full && out->len > 0 &&
           out->ptr[0] != 0;
}

static bool read_modulus(const cJSON *key, struct jwk *ret)
{
    struct buf out = {(char *)ret->modulus, 0, sizeof ret->modulus, false};
    if (!read_number(key, "n", &out) || !(ret->modulus[out.len - 1] & 1))
        return false;
    ret->modulus_len = (uint32_t)out.len;
    size_t bits = 8 * out.len - (size_t)(__builtin_clz(ret->modulus[0]) - 24);
    return bits >= JWKS_BITS_MIN;
}

static bool read_exponent(const cJSON *key, struct jwk *ret)
{
    char storage[4];
    struct buf out = BUF(storage);
    if (!read_number(key, "e", &out))
        return false;
    for (size_t i = 0; i < out.len; i++)
        ret->exponent = ret->exponent << 8 | (unsigned char)storage[i];
    return ret->exponent >= JWKS_EXPONENT_MIN && ret->exponent & 1;
}

/* False for a key that is none of ours to use. */
static bool read_key(const cJSON *key, struct jwk *ret)
{
    struct slice kid = json_object_text(key, "kid");
    return cJSON_IsObject(key) && slice_equal(json_object_text(key, "kty"), SLICE("RSA")) &&
           may_be(key, "use", SLICE("sig")) && may_be(key, "alg", SLICE("RS256")) &&
           may_verify(key) && !cJSON_GetObjectItemCaseSensitive(key, "d") && kid.len > 0 &&
           slice_to_cstr(kid, ARRAY(ret->kid)) && read_modulus(key, ret) && read_exponent(key, ret);
}

/* NULL, or why the set cannot be used at all. */
static const char *add_key(struct jwks *set, const struct jwk *key)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->keys[i].kid, key->kid) == 0)
            return "two keys of one kid";
    if (set->count == JWKS_KEYS_MAX)
        return "too many keys";
    set->keys[set->count++] = *key;
    return NULL;
}

static const char *read_keys(const cJSON *keys, struct jwks *ret)
{
    const cJSON *each;
    if (!cJSON_IsArray(keys))
        return "there is no list of keys";
    cJSON_ArrayForEach(each, keys)
    {
        struct jwk key = {0};
        const char *fault = read_key(each, &key) ? add_key(ret, &key) : NULL;
        if (fault)
            return fault;
    }
    return ret->count > 0 ? NULL : "there is no key for RS256";
}

bool jwks_parse(struct slice document, struct jwks *ret, const char **ret_fault)
{
    struct jwks set = {0};
    const char *fault = "larger than a JWKS may be";
    CLEANUP(json_object_close)
    cJSON *tree = document.len <= JWKS_DOCUMENT_MAX ? json_object_open(document, &fault) : NULL;
    if (tree)
        fault = read_keys(cJSON_GetObjectItemCaseSensitive(tree, "keys"), &set);
    if (!fault)
        *ret = set;
    else
        *ret_fault = fault;
    return !fault;
}
