/* mac.h - message authentication with keys derived from one application secret.
 * HMAC-SHA256 (RFC 2104) over keys from HKDF-SHA256 (RFC 5869), one label per purpose, so that a
 * cursor can never pass for anything else signed with the same secret. Own code on OpenSSL. */
#ifndef COMMON_AUTH_MAC_H
#define COMMON_AUTH_MAC_H

#include "common/base/err.h"
#include "common/base/slice.h"

#define MAC_BYTES 32

struct mac_key {
    unsigned char bytes[32];
};

/* Derives the key for `label` ("cbu cursor 1"). Errors: ERR_INTERNAL when OpenSSL fails. */
bool mac_key_derive(struct slice secret, const char *label, struct mac_key *ret,
                    struct err *err) MUST_USE;
void mac_key_wipe(struct mac_key *key);

/* False only when OpenSSL fails. */
bool mac_sign(const struct mac_key *key, struct slice message,
              unsigned char ret[MAC_BYTES]) MUST_USE;
/* Compares in constant time; `mac` may be a leading part of at least 16 bytes. */
bool mac_verify(const struct mac_key *key, struct slice message, struct slice mac) MUST_USE;

#endif
