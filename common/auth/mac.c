#include "common/auth/mac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <string.h>

#define MAC_BYTES_MIN 16

static void free_context(EVP_PKEY_CTX **context)
{
    EVP_PKEY_CTX_free(*context);
}

bool mac_key_derive(struct slice secret, const char *label, struct mac_key *ret, struct err *err)
{
    CLEANUP(free_context) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    struct mac_key key;
    size_t len = sizeof key.bytes;
    bool good = context && EVP_PKEY_derive_init(context) > 0 &&
                EVP_PKEY_CTX_set_hkdf_md(context, EVP_sha256()) > 0 &&
                EVP_PKEY_CTX_set1_hkdf_key(context, (const unsigned char *)secret.ptr,
                                           (int)secret.len) > 0 &&
                EVP_PKEY_CTX_add1_hkdf_info(context, (const unsigned char *)label,
                                            (int)strlen(label)) > 0 &&
                EVP_PKEY_derive(context, key.bytes, &len) > 0;
    if (good)
        *ret = key;
    mac_key_wipe(&key);
    return good || err_fail(err, &ERR_INTERNAL, "HKDF for %s failed", label);
}

void mac_key_wipe(struct mac_key *key)
{
    OPENSSL_cleanse(key->bytes, sizeof key->bytes);
}

bool mac_sign(const struct mac_key *key, struct slice message, unsigned char ret[MAC_BYTES])
{
    unsigned len = 0;
    return HMAC(EVP_sha256(), key->bytes, sizeof key->bytes, (const unsigned char *)message.ptr,
                message.len, ret, &len) != NULL &&
           len == MAC_BYTES;
}

bool mac_verify(const struct mac_key *key, struct slice message, struct slice mac)
{
    unsigned char want[MAC_BYTES];
    return mac.len >= MAC_BYTES_MIN && mac.len <= MAC_BYTES && mac_sign(key, message, want) &&
           CRYPTO_memcmp(want, mac.ptr, mac.len) == 0;
}

bool mac_ring_derive(const struct slice *secrets, size_t count, const char *label,
                     struct mac_ring *ret, struct err *err)
{
    CLEANUP(mac_ring_wipe) struct mac_ring made = {0};
    if (count > MAC_RING_MAX)
        return err_fail(err, &ERR_INTERNAL, "%zu secrets for %s", count, label);
    for (; made.count < count; made.count++)
        if (!mac_key_derive(secrets[made.count], label, &made.keys[made.count], err))
            return false;
    *ret = made;
    return true;
}

void mac_ring_wipe(struct mac_ring *ring)
{
    OPENSSL_cleanse(ring, sizeof *ring);
}

bool mac_ring_sign(const struct mac_ring *ring, struct slice message, unsigned char ret[MAC_BYTES])
{
    return ring->count > 0 && mac_sign(&ring->keys[0], message, ret);
}

bool mac_ring_verify(const struct mac_ring *ring, struct slice message, struct slice mac)
{
    bool good = false;
    for (size_t i = 0; i < ring->count; i++) /* all of them: no hint which one it was */
        good = mac_verify(&ring->keys[i], message, mac) || good;
    return good;
}
