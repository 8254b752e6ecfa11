#include "common/auth/jwks.h"

#include "common/auth/errors.h"
#include "common/auth/jws.h"
#include "common/auth/user_pool.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"
#include "tests/unit/support/fake_issuer.h"

#include <stdio.h>
#include <string.h>

static char document[KIB(64)];

/* "$" in a pattern stands for key A's numbers, "%" for key B's, "#" for the short one's. */
static struct slice write_document(const char *pattern)
{
    struct buf out = BUF(document);
    for (const char *p = pattern; *p; p++) {
        if (*p == '$' || *p == '%' || *p == '#')
            buf_add_cstr(&out, fake_issuer_numbers(*p == '$'   ? FAKE_KEY_A
                                                   : *p == '%' ? FAKE_KEY_B
                                                               : FAKE_KEY_SHORT));
        else
            buf_add_char(&out, *p);
    }
    ck_assert(!out.full);
    return buf_slice(&out);
}

#define KEYS(list) "{\"keys\":[" list "]}"

static const struct row {
    const char *what, *pattern;
    const char *kids; /* of the keys that are taken, a blank behind each; NULL: refused */
} rows[] = {
    {"as Cognito publishes them",
     KEYS("{\"alg\":\"RS256\",\"kid\":\"a\",\"kty\":\"RSA\",\"use\":\"sig\",$},"
          "{\"alg\":\"RS256\",\"kid\":\"b\",\"kty\":\"RSA\",\"use\":\"sig\",%}"),
     "a b "},
    {"with what it must have alone", KEYS("{\"kid\":\"a\",\"kty\":\"RSA\",$}"), "a "},
    {"members nobody asked for",
     "{\"x\":1,\"keys\":[{\"kid\":\"a\",\"kty\":\"RSA\",$,\"x5t\":\"y\"}],\"y\":{}}", "a "},
    {"use enc",
     KEYS("{\"kid\":\"a\",\"kty\":\"RSA\",\"use\":\"enc\",$},"
          "{\"kid\":\"b\",\"kty\":\"RSA\",%}"),
     "b "},
    {"use is no text", KEYS("{\"kid\":\"a\",\"kty\":\"RSA\",\"use\":[\"sig\"],$}"), NULL},
    {"alg RS512",
     KEYS("{\"kid\":\"a\",\"kty\":\"RSA\",\"alg\":\"RS512\",$},"
          "{\"kid\":\"b\",\"kty\":\"RSA\",%}"),
     "b "},
    {"key_ops verify", KEYS("{\"kid\":\"a\",\"kty\":\"RSA\",\"key_ops\":[\"x\",\"verify\"],$}"),
     "a "},
    {"key_ops encrypt", KEYS("{\"kid\":\"a\",\"kty\":\"RSA\",\"key_ops\":[\"encrypt\"],$}"), NULL},
    {"key_ops is no list", KEYS("{\"kid\":\"a\",\"kty\":\"RSA\",\"key_ops\":\"verify\",$}"), NULL},
    {"other kinds of keys beside it",
     KEYS("{\"kid\":\"e\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"},"
          "{\"kid\":\"o\",\"kty\":\"oct\",\"k\":\"c2VjcmV0\"},7,null,[],"
          "{\"kid\":\"a\",\"kty\":\"RSA\",$}"),
     "a "},
    {"no kid", KEYS("{\"kty\":\"RSA\",$},{\"kid\":\"b\",\"kty\":\"RSA\",%}"), "b "},
    {"an empty kid", KEYS("{\"kid\":\"\",\"kty\":\"RSA\",$}"), NULL},
    {"a kid that is a number", KEYS("{\"kid\":1,\"kty\":\"RSA\",$}"), NULL},
    {"two keys of one kid",
     KEYS("{\"kid\":\"a\",\"kty\":\"RSA\",$},{\"kid\":\"a\",\"kty\":\"RSA\",%}"), NULL},
    {"one kid, but one of them is not for us",
     KEYS("{\"kid\":\"a\",\"kty\":\"EC\"},{\"kid\":\"a\",\"kty\":\"RSA\",%}"), "a "},
    {"with its private half",
     KEYS("{\"kid\":\"a\",\"kty\":\"RSA\",$,\"d\":\"AQ\"},"
          "{\"kid\":\"b\",\"kty\":\"RSA\",%}"),
     "b "},
    {"1024 bits", KEYS("{\"kid\":\"s\",\"kty\":\"RSA\",#},{\"kid\":\"b\",\"kty\":\"RSA\",%}"),
     "b "},
    {"n is missing", KEYS("{\"kid\":\"a\",\"kty\":\"RSA\",\"e\":\"AQAB\"}"), NULL},
    {"n is empty", KEYS("{\"kid\":\"a\",\"kty\":\"RSA\",\"n\":\"\",\"e\":\"AQAB\"}"), NULL},
    {"n is no text", KEYS("{\"kid\":\"a\",\"kty\":\"RSA\",\"n\":3,\"e\":\"AQAB\"}"), NULL},
    {"n is no base64url", KEYS("{\"kid\":\"a\",\"kty\":\"RSA\",\"n\":\"+/==\",\"e\":\"AQAB\"}"),
     NULL},
    {"n and e twice", KEYS("{\"kid\":\"a\",\"kty\":\"RSA\",$,%}"), NULL},
    {"no list", "{\"keys\":{\"kid\":\"a\"}}", NULL},
    {"no keys", "{}", NULL},
    {"an empty list", KEYS(""), NULL},
    {"a list alone", "[{\"kid\":\"a\",\"kty\":\"RSA\",$}]", NULL},
    {"a key alone", "{\"kid\":\"a\",\"kty\":\"RSA\",$}", NULL},
    {"nothing", "", NULL},
    {"a page of HTML", "<html></html>", NULL},
    {"cut off", "{\"keys\":[{\"kid\":\"a\",\"kty\":\"RSA\",$}", NULL},
    {"two documents", KEYS("{\"kid\":\"a\",\"kty\":\"RSA\",$}") "{}", NULL},
};
START_TEST(jwks_takes_what_it_may)
{
    const struct row *r = &rows[_i];
    struct jwks set = {.count = 77};
    const char *fault = NULL;
    char storage[256];
    struct buf kids = BUF(storage);
    bool good = jwks_parse(write_document(r->pattern), &set, &fault);
    ck_assert_msg(good == (r->kids != NULL), "%s: %s", r->what, fault ? fault : "taken");
    ck_assert_msg((fault != NULL) == !good, "%s", r->what);
    if (!good) {
        ck_assert_uint_eq(set.count, 77);
        return;
    }
    for (size_t i = 0; i < set.count; i++)
        buf_add_format(&kids, "%s ", set.keys[i].kid);
    ck_assert_text_eq(buf_slice(&kids), r->kids);
}
END_TEST

START_TEST(jwks_reads_the_numbers)
{
    struct jwks set, want = fake_issuer_keys(2);
    const char *fault;
    ck_assert(jwks_parse(write_document(KEYS("{\"kid\":\"a\",\"kty\":\"RSA\",$},"
                                             "{\"kid\":\"b\",\"kty\":\"RSA\",%}")),
                         &set, &fault));
    ck_assert_mem_eq(&set.keys, &want.keys, 2 * sizeof set.keys[0]);
}
END_TEST

/* A modulus of `bits` bits, all but the first and (odd) last of them zero. */
static void add_modulus(struct buf *out, size_t bits, bool odd, bool zero_before)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char bytes[600] = {0};
    size_t len = (bits + 7) / 8 + zero_before;
    bytes[zero_before] = (unsigned char)(1U << (bits - 1) % 8);
    bytes[len - 1] |= odd;
    for (size_t i = 0; i < len; i += 3) {
        unsigned group = (unsigned)bytes[i] << 16 | (unsigned)bytes[i + 1] << 8 | bytes[i + 2];
        for (size_t k = 0; k <= (len - i < 3 ? len - i : 3); k++)
            buf_add_char(out, digits[group >> (18 - 6 * k) & 63]);
    }
}
static const struct number_row {
    size_t bits;
    const char *exponent;
    bool odd, zero_before, want;
} number_rows[] = {
    {2048, "AQAB", true, false, true},     {2047, "AQAB", true, false, false},
    {2049, "AQAB", true, false, true},     {4096, "AQAB", true, false, true},
    {4097, "AQAB", true, false, false},    {3072, "AQAB", true, false, true},
    {2048, "AQAB", false, false, false},   {2048, "AQAB", true, true, false},
    {2048, "AQ", true, false, false},     /* 1: anything verifies */
    {2048, "Aw", true, false, false},     /* 3 */
    {2048, "AQAA", true, false, false},   /* 65536 */
    {2048, "AQAD", true, false, true},    /* 65539 */
    {2048, "AAEAAQ", true, false, false}, /* 65537 with a zero before it */
    {2048, "_____w", true, false, true},  /* 2^32 - 1 */
    {2048, "AQAAAAE", true, false, false}, {2048, "", true, false, false},
};
START_TEST(jwks_numbers_have_bounds)
{
    const struct number_row *r = &number_rows[_i];
    struct buf out = BUF(document);
    struct jwks set;
    const char *fault;
    buf_add_cstr(&out, "{\"keys\":[{\"kid\":\"a\",\"kty\":\"RSA\",\"n\":\"");
    add_modulus(&out, r->bits, r->odd, r->zero_before);
    buf_add_format(&out, "\",\"e\":\"%s\"}]}", r->exponent);
    ck_assert_int_eq(jwks_parse(buf_slice(&out), &set, &fault), r->want);
}
END_TEST

START_TEST(jwks_count_has_a_limit)
{
    for (size_t count = JWKS_KEYS_MAX; count <= JWKS_KEYS_MAX + 1; count++) {
        char pattern[KIB(2)];
        struct buf out = BUF(pattern);
        struct jwks set = {0};
        const char *fault = NULL;
        for (size_t i = 0; i < count; i++)
            buf_add_format(&out, "%s{\"kid\":\"%zu\",\"kty\":\"RSA\",$}",
                           i == 0 ? "{\"keys\":[" : ",", i);
        buf_add_cstr(&out, "]}");
        ck_assert_int_eq(jwks_parse(write_document(buf_cstr(&out)), &set, &fault),
                         count == JWKS_KEYS_MAX);
        ck_assert_uint_eq(set.count, count == JWKS_KEYS_MAX ? count : 0);
    }
}
END_TEST

START_TEST(jwks_kid_has_a_limit)
{
    for (size_t len = JWKS_KID_MAX; len <= JWKS_KID_MAX + 1; len++) {
        char pattern[512];
        struct jwks set;
        const char *fault;
        snprintf(pattern, sizeof pattern, "{\"keys\":[{\"kid\":\"%0*d\",\"kty\":\"RSA\",$}]}",
                 (int)len, 0);
        ck_assert_int_eq(jwks_parse(write_document(pattern), &set, &fault), len == JWKS_KID_MAX);
    }
}
END_TEST

START_TEST(jwks_document_has_a_limit)
{
    const char *fault = NULL;
    struct jwks set;
    memset(document, ' ', sizeof document);
    ck_assert(!jwks_parse((struct slice){document, JWKS_DOCUMENT_MAX + 1}, &set, &fault));
    ck_assert_str_eq(fault, "larger than a JWKS may be");
}
END_TEST

/* What stands in shared memory may be anything. */
START_TEST(jws_keys_of_wild_memory)
{
    struct jwks set = fake_issuer_keys(2);
    struct err err = {0};
    struct jws_keys *keys;
    set.keys[1].modulus_len = sizeof set.keys[1].modulus + 1;
    ck_assert_ptr_null(jws_keys_open(&set, &err));
    ck_assert_ptr_eq(err.kind, &ERR_INTERNAL);
    set = fake_issuer_keys(2);
    set.keys[1].modulus_len = 0;
    ck_assert_ptr_null(jws_keys_open(&set, &err));
    set = fake_issuer_keys(2);
    set.keys[1].exponent = 1;
    ck_assert_ptr_null(jws_keys_open(&set, &err));
    set = fake_issuer_keys(2);
    memset(set.keys[0].kid, 'x', sizeof set.keys[0].kid);
    ck_assert_ptr_null(jws_keys_open(&set, &err));
    set = fake_issuer_keys(2);
    set.count = JWKS_KEYS_MAX + 1;
    ck_assert_ptr_null(jws_keys_open(&set, &err));
    set = fake_issuer_keys(2);
    keys = jws_keys_open(&set, &err);
    ck_assert_ptr_nonnull(keys);
    jws_keys_close(keys);
    jws_keys_close(NULL);
}
END_TEST

static const struct pool_row {
    const char *id;
    bool good;
} pool_rows[] = {
    {"us-east-2_AbCdEfGhI", true},
    {"us-gov-west-1_0123456789abcdef", true},
    {"local_abc", true},
    {"", false},
    {"us-east-2", false},
    {"us-east-2_", false},
    {"_abc", false},
    {"us-east-2_a/b", false},
    {"us-east-2_a_b", false},
    {"us-east-2_a.b", false},
    {"us.east_abc", false},
    {"evil.com/us-east-2_abc", false},
    {"us-east-2_abc#", false},
    {"us-east-2_ab c", false},
};
START_TEST(user_pool_ids)
{
    const struct pool_row *r = &pool_rows[_i];
    ck_assert_msg(!user_pool_fault(slice_from_cstr(r->id)) == r->good, "%s", r->id);
}
END_TEST

START_TEST(user_pool_addresses)
{
    char storage[256];
    struct buf out = BUF(storage);
    user_pool_add_issuer(&out, SLICE("eu-west-1_Ab"));
    ck_assert_text_eq(buf_slice(&out), "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab");
    user_pool_add_jwks_url(&out, (struct slice){0}, SLICE("eu-west-1_Ab"));
    ck_assert_text_eq(slice_after(buf_slice(&out), 56),
                      "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab"
                      "/.well-known/jwks.json");
    buf_cut(&out, 0);
    user_pool_add_jwks_url(&out, SLICE("http://127.0.0.1:5000"), SLICE("eu-west-1_Ab"));
    ck_assert_text_eq(buf_slice(&out), "http://127.0.0.1:5000/eu-west-1_Ab/.well-known/jwks.json");
}
END_TEST

void auth_jwks(struct suite *s)
{
    suite_rows(s, jwks_takes_what_it_may, COUNT(rows));
    suite_test(s, jwks_reads_the_numbers);
    suite_rows(s, jwks_numbers_have_bounds, COUNT(number_rows));
    suite_test(s, jwks_count_has_a_limit);
    suite_test(s, jwks_kid_has_a_limit);
    suite_test(s, jwks_document_has_a_limit);
    suite_test(s, jws_keys_of_wild_memory);
    suite_rows(s, user_pool_ids, COUNT(pool_rows));
    suite_test(s, user_pool_addresses);
    fake_issuer_prepare(s);
}
