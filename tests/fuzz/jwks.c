/* jwks.c - fuzz target: the reader of a user pool's key document. */
#include "common/auth/jws.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void check_key(const struct jwk *key)
{
    FUZZ_ASSERT(key->kid[0] && memchr(key->kid, '\0', sizeof key->kid));
    FUZZ_ASSERT(key->exponent >= JWKS_EXPONENT_MIN && key->exponent % 2 == 1);
    FUZZ_ASSERT(key->modulus_len >= JWKS_BITS_MIN / 8 && key->modulus_len <= JWKS_BITS_MAX / 8);
    FUZZ_ASSERT(key->modulus[0] != 0 && key->modulus[key->modulus_len - 1] % 2 == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct jwks set;
    const char *fault = NULL;
    struct err err = {0};
    if (!jwks_parse((struct slice){(const char *)bytes, size}, &set, &fault)) {
        FUZZ_ASSERT(fault != NULL);
        return 0;
    }
    FUZZ_ASSERT(!fault && set.count > 0 && set.count <= JWKS_KEYS_MAX);
    for (size_t i = 0; i < set.count; i++) {
        check_key(&set.keys[i]);
        for (size_t k = 0; k < i; k++)
            FUZZ_ASSERT(strcmp(set.keys[i].kid, set.keys[k].kid) != 0);
    }
    /* Whatever is let through, OpenSSL takes. */
    struct jws_keys *keys = jws_keys_open(&set, &err);
    FUZZ_ASSERT(keys != NULL);
    jws_keys_close(keys);
    return 0;
}
