/* mac.h - message authentication with keys derived from one application secret.
 * HMAC-SHA256 (RFC 2104) over keys from HKDF-SHA256 (RFC 5869), one label per purpose, so that a
 * cursor can never pass for anything else signed with the same secret. Own code on OpenSSL. */
#ifndef COMMON_AUTH_MAC_H
#define COMMON_AUTH_MAC_H

#include "common/base/err.h"
#include "common/base/slice.h"

#define MAC_BYTES    32
#define MAC_RING_MAX 2 /* current and previous */

struct mac_key {
    unsigned char bytes[32];
};

/* Derives the key for `label` ("cbu cursor 1"). Errors: ERR_INTERNAL when OpenSSL fails. */
bool mac_key_derive(struct slice secret, const char *label, struct mac_key *ret,
                    struct err *err) MUST_USE;
void mac_key_wipe(struct mac_key *key);

/* The keys of one purpose while its secret is being replaced: the first signs, all verify. */
struct mac_ring {
    struct mac_key keys[MAC_RING_MAX];
    size_t count; /* 0: there is no key yet; nothing can be signed and nothing is verified */
};
/* One key for each of the secrets, in their order. Errors: ERR_INTERNAL. */
bool mac_ring_derive(const struct slice *secrets, size_t count, const char *label,
                     struct mac_ring *ret, struct err *err) MUST_USE;
void mac_ring_wipe(struct mac_ring *ring);
bool mac_ring_sign(const struct mac_ring *ring, struct slice message,
                   unsigned char ret[MAC_BYTES]) MUST_USE;
bool mac_ring_verify(const struct mac_ring *ring, struct slice message, struct slice mac) MUST_USE;

/* False only when OpenSSL fails. */
bool mac_sign(const struct mac_key *key, struct slice message,
              unsigned char ret[MAC_BYTES]) MUST_USE;
/* Compares in constant time; `mac` may be a leading part of at least 16 bytes. */
bool mac_verify(const struct mac_key *key, struct slice message, struct slice mac) MUST_USE;

#endif
