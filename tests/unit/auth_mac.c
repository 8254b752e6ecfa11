#include "common/auth/mac.h"
#include "common/base/hex.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#include <string.h>

static void assert_hex(const unsigned char *bytes, size_t len, const char *want)
{
    char storage[128];
    struct buf hex = BUF(storage);
    hex_add(&hex, (struct slice){(const char *)bytes, len});
    ck_assert_text_eq(buf_slice(&hex), want);
}

#define B5(byte)  byte byte byte byte byte
#define B20(byte) B5(byte) B5(byte) B5(byte) B5(byte)
#define B50(byte) B20(byte) B20(byte) B5(byte) B5(byte)

static const struct derive_row {
    struct slice secret;
    const char *label, *want;
} derive_rows[] = {
    /* RFC 5869 A.3, the one case without salt; its first 32 bytes */
    {SLICE_INIT(B20("\x0b") "\x0b\x0b"), "",
     "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"},
    /* made with another implementation (Python's hmac) */
    {SLICE_INIT("0123456789abcdef0123456789abcdef"), "cbu cursor 1",
     "6750de655db3051e539cf7b6daf4438c7b6837fa66d6837127c38927683cffe2"},
    {SLICE_INIT("0123456789abcdef0123456789abcdef"), "cbu cursor 2",
     "fef6d74038f9680223ae22f48b13950fa7e50e30084c0f269c4e824bf6f8f7c5"},
    {SLICE_INIT("0123456789abcdef0123456789abcdeF"), "cbu cursor 1",
     "060560ed87dc3dae9f847e957967e0da38104313062d960ca89f4b91d049ccb3"},
};
START_TEST(mac_derives_keys)
{
    const struct derive_row *r = &derive_rows[_i];
    struct mac_key key;
    struct err err = {0};
    ck_assert_msg(mac_key_derive(r->secret, r->label, &key, &err), "%s", err.cause);
    assert_hex(key.bytes, sizeof key.bytes, r->want);
}
END_TEST

/* RFC 4231 cases 1 to 4. HMAC fills keys up with zeros, so the shorter ones fit ours. */
static const struct sign_row {
    struct slice key, message;
    const char *want;
} sign_rows[] = {
    {SLICE_INIT(B20("\x0b")), SLICE_INIT("Hi There"),
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {SLICE_INIT("Jefe"), SLICE_INIT("what do ya want for nothing?"),
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {SLICE_INIT(B20("\xaa")), SLICE_INIT(B50("\xdd")),
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {SLICE_INIT("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14"
                "\x15\x16\x17\x18\x19"),
     SLICE_INIT(B50("\xcd")), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
};
START_TEST(mac_signs)
{
    const struct sign_row *r = &sign_rows[_i];
    struct mac_key key = {{0}};
    unsigned char mac[MAC_BYTES];
    memcpy(key.bytes, r->key.ptr, r->key.len);
    ck_assert(mac_sign(&key, r->message, mac));
    assert_hex(mac, sizeof mac, r->want);
}
END_TEST

static const struct verify_row {
    size_t len;  /* of the MAC handed over */
    size_t flip; /* bit of it that is wrong; 8 * len or more: none */
    const char *message;
    bool want;
} verify_rows[] = {
    {32, 999, "message", true},  {31, 999, "message", true},
    {16, 999, "message", true},  {15, 999, "message", false},
    {1, 999, "message", false},  {0, 999, "message", false},
    {33, 999, "message", false}, {32, 0, "message", false},
    {32, 255, "message", false}, {32, 128, "message", false},
    {16, 127, "message", false}, {16, 128, "message", true}, /* behind what is looked at */
    {32, 999, "Message", false}, {32, 999, "message ", false},
    {32, 999, "", false},
};
START_TEST(mac_verifies)
{
    const struct verify_row *r = &verify_rows[_i];
    const struct mac_key key = {"0123456789abcdef0123456789abcde"};
    unsigned char mac[MAC_BYTES + 1] = {0};
    ck_assert(mac_sign(&key, SLICE("message"), mac));
    if (r->flip < sizeof mac * 8)
        mac[r->flip / 8] ^= (unsigned char)(1U << r->flip % 8);
    ck_assert_int_eq(
        mac_verify(&key, slice_from_cstr(r->message), (struct slice){(char *)mac, r->len}),
        r->want);
}
END_TEST

START_TEST(mac_of_another_key)
{
    struct mac_key one = {"0123456789abcdef0123456789abcde"}, other = one;
    unsigned char mac[MAC_BYTES];
    other.bytes[31] ^= 1;
    ck_assert(mac_sign(&one, SLICE("message"), mac));
    ck_assert(!mac_verify(&other, SLICE("message"), (struct slice){(char *)mac, sizeof mac}));
}
END_TEST

START_TEST(mac_key_leaves_memory)
{
    struct mac_key key = {"0123456789abcdef0123456789abcde"};
    const struct mac_key nothing = {{0}};
    mac_key_wipe(&key);
    ck_assert_mem_eq(&key, &nothing, sizeof key);
}
END_TEST

void auth_mac(struct suite *s)
{
    suite_rows(s, mac_derives_keys, COUNT(derive_rows));
    suite_rows(s, mac_signs, COUNT(sign_rows));
    suite_rows(s, mac_verifies, COUNT(verify_rows));
    suite_test(s, mac_of_another_key);
    suite_test(s, mac_key_leaves_memory);
}
